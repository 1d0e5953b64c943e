// SPDX-License-Identifier: GPL-2.0
/*
 * Exports the Rust function that dax_cxl calls.
 *
 * C because the kernel crate has no counterpart of EXPORT_SYMBOL_FOR_MODULES(),
 * which limits a symbol to named modules. The declaration is that of the kernel
 * tree, so that a changed signature does not go unseen.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <drivers/dax/bus.h>

EXPORT_SYMBOL_FOR_MODULES(dax_hmem_flush_work, "dax_cxl");
