/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions between the Rust side of dax_hmem and its C shims.
 */
#ifndef _DAX_HMEM_RUST_H
#define _DAX_HMEM_RUST_H

/* Waits until no decision is queued any more. Defined in hmem.rs. */
void dax_hmem_rust_flush_work(void);

/* The same for dax_cxl, under the name that the C modules have. In exports.c. */
void dax_hmem_flush_work(void);

#endif /* _DAX_HMEM_RUST_H */
