// SPDX-License-Identifier: GPL-2.0
/*
 * What dax_cxl calls.
 *
 * C because the kernel crate has no counterpart of EXPORT_SYMBOL_FOR_MODULES(),
 * which limits a symbol to named modules.
 */
#include <linux/export.h>
#include <linux/module.h>

#include "dax_hmem_rust.h"

void dax_hmem_flush_work(void)
{
	dax_hmem_rust_flush_work();
}
EXPORT_SYMBOL_FOR_MODULES(dax_hmem_flush_work, "dax_cxl");
