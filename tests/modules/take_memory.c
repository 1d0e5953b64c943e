// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody else's entry in the iomem tree: what a driver requests, or, with
 * busy=0, what firmware or the PCI bus put there and no driver has requested.
 */
#include <linux/ioport.h>
#include <linux/module.h>

static ulong at;
module_param(at, ulong, 0444);
MODULE_PARM_DESC(at, "First address");

static ulong size;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "Bytes");

static char *name = "stranger";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "What the tree shows");

static bool busy = true;
module_param(busy, bool, 0444);
MODULE_PARM_DESC(busy, "A driver has requested it");

static struct resource res;

static int __init take_init(void)
{
	if (!size)
		return -EINVAL;
	if (busy)
		return request_mem_region(at, size, name) ? 0 : -EBUSY;
	res = DEFINE_RES_MEM_NAMED(at, size, name);
	return insert_resource(&iomem_resource, &res);
}
module_init(take_init);

static void __exit take_exit(void)
{
	if (busy)
		release_mem_region(at, size);
	else
		remove_resource(&res);
}
module_exit(take_exit);

MODULE_DESCRIPTION("Test: somebody else's memory");
MODULE_LICENSE("GPL");
