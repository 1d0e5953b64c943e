/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of dax_hmem: one for each step in the life of a Soft Reserved
 * piece. They carry what a record of the ledger carries at that moment.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dax_hmem

#if !defined(_DAX_HMEM_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _DAX_HMEM_EVENTS_H

#include <linux/tracepoint.h>
#include "dax_hmem_trace.h"

DECLARE_EVENT_CLASS(dax_hmem_piece,
		    TP_PROTO(const struct dax_hmem_trace *t),
		    TP_ARGS(t),
		    TP_STRUCT__entry(__field(u64, start)
				     __field(u64, end)
				     __field(int, node)
				     __field(int, region)
				     __field(int, device)
				     __field(int, error)
				     __string(state, t->state)
				     __string(reason, t->reason)),
		    TP_fast_assign(__entry->start = t->start;
				   __entry->end = t->end;
				   __entry->node = t->node;
				   __entry->region = t->region;
				   __entry->device = t->device;
				   __entry->error = t->error;
				   __assign_str(state);
				   __assign_str(reason);),
		    TP_printk("range=%#llx-%#llx node=%d state=%s reason=%s region=%d hmem=%d errno=%d",
			      __entry->start, __entry->end, __entry->node,
			      __get_str(state), __get_str(reason),
			      __entry->region, __entry->device, __entry->error)
);

#define DAX_HMEM_EVENT(name) \
DEFINE_EVENT(dax_hmem_piece, name, \
	TP_PROTO(const struct dax_hmem_trace *t), \
	TP_ARGS(t))

DAX_HMEM_EVENT(seen);
DAX_HMEM_EVENT(deferred);
DAX_HMEM_EVENT(decided);
DAX_HMEM_EVENT(served);
DAX_HMEM_EVENT(failed);
DAX_HMEM_EVENT(released);

#endif /* _DAX_HMEM_EVENTS_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE dax_hmem_events
#include <trace/define_trace.h>
