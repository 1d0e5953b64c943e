/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the Rust side of dax_hmem fires its trace events.
 */
#ifndef _DAX_HMEM_TRACE_H
#define _DAX_HMEM_TRACE_H

#include <linux/types.h>

/**
 * enum dax_hmem_step - a step in the life of a Soft Reserved piece
 * @DAX_HMEM_SEEN: dax_hmem found it
 * @DAX_HMEM_DEFERRED: its owner depends on what CXL assembles
 * @DAX_HMEM_DECIDED: it has an owner
 * @DAX_HMEM_SERVED: HMEM has registered a device for it
 * @DAX_HMEM_FAILED: nobody serves it
 * @DAX_HMEM_RELEASED: what served it went
 */
enum dax_hmem_step {
	DAX_HMEM_SEEN,
	DAX_HMEM_DEFERRED,
	DAX_HMEM_DECIDED,
	DAX_HMEM_SERVED,
	DAX_HMEM_FAILED,
	DAX_HMEM_RELEASED,
};

/**
 * struct dax_hmem_trace - what a trace event tells
 * @start: first address
 * @end: last address, inclusive
 * @state: state, as in the ledger
 * @reason: reason, as in the ledger
 * @node: target NUMA node
 * @region: number of the CXL region, or -1
 * @device: number of the hmem device, or -1
 * @error: positive errno, or 0
 */
struct dax_hmem_trace {
	u64 start;
	u64 end;
	const char *state;
	const char *reason;
	int node;
	int region;
	int device;
	int error;
};

bool dax_hmem_trace_enabled(enum dax_hmem_step step);
void dax_hmem_trace(enum dax_hmem_step step, const struct dax_hmem_trace *t);

#endif /* _DAX_HMEM_TRACE_H */
