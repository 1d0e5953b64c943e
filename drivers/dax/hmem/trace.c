// SPDX-License-Identifier: GPL-2.0
/*
 * Trace events of dax_hmem.
 *
 * C because trace events are made by macros of the C headers, and because the
 * Rust side of tracepoints works for built-in headers only. Each call ends at a
 * static key that is off unless somebody listens.
 */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "dax_hmem_events.h"

bool dax_hmem_trace_enabled(enum dax_hmem_step step)
{
	switch (step) {
	case DAX_HMEM_SEEN:
		return trace_seen_enabled();
	case DAX_HMEM_DEFERRED:
		return trace_deferred_enabled();
	case DAX_HMEM_DECIDED:
		return trace_decided_enabled();
	case DAX_HMEM_SERVED:
		return trace_served_enabled();
	case DAX_HMEM_FAILED:
		return trace_failed_enabled();
	case DAX_HMEM_RELEASED:
		return trace_released_enabled();
	}
	return false;
}

void dax_hmem_trace(enum dax_hmem_step step, const struct dax_hmem_trace *t)
{
	switch (step) {
	case DAX_HMEM_SEEN:
		trace_seen(t);
		break;
	case DAX_HMEM_DEFERRED:
		trace_deferred(t);
		break;
	case DAX_HMEM_DECIDED:
		trace_decided(t);
		break;
	case DAX_HMEM_SERVED:
		trace_served(t);
		break;
	case DAX_HMEM_FAILED:
		trace_failed(t);
		break;
	case DAX_HMEM_RELEASED:
		trace_released(t);
		break;
	}
}
