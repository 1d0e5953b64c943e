/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions of the Rust side of dax_hmem that its C shims call.
 */
#ifndef _DAX_HMEM_RUST_H
#define _DAX_HMEM_RUST_H

/* Waits until no decision is queued any more. Defined in hmem.rs. */
void dax_hmem_rust_flush_work(void);

#endif /* _DAX_HMEM_RUST_H */
