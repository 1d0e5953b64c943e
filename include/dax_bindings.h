/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the Rust abstractions under rust/ need of C and the kernel crate does
 * not bind. Read by bindgen only; the item list is in the Kbuild file.
 */
#include <linux/dax.h>
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memregion.h>
#include <linux/numa.h>
#include <linux/pgtable.h>
#include <linux/platform_device.h>
#include <linux/range.h>
#include "dax_hmem_rust.h"
#include "dax_hmem_trace.h"
#include "kernel_private.h"

/* Macros with casts or shifts, which bindgen does not evaluate. */
const u64 RUST_CONST_HELPER_PMD_SIZE = PMD_SIZE;
const unsigned long RUST_CONST_HELPER_IORESOURCE_DAX_KMEM = IORESOURCE_DAX_KMEM;
const unsigned long RUST_CONST_HELPER_CXL_DECODER_F_ENABLE = CXL_DECODER_F_ENABLE;
const unsigned long RUST_CONST_HELPER_CXL_DECODER_F_NORMALIZED_ADDRESSING =
	CXL_DECODER_F_NORMALIZED_ADDRESSING;
