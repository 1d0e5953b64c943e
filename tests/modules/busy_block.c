// SPDX-License-Identifier: GPL-2.0
/*
 * The memory block at one address cannot be taken offline as long as this is
 * loaded, as if a page of it were pinned for good.
 */
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>

static ulong at;
module_param(at, ulong, 0444);
MODULE_PARM_DESC(at, "An address in the block");

static int keep_online(struct notifier_block *self, unsigned long action,
		       void *data)
{
	struct memory_notify *change = data;

	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	if (PHYS_PFN(at) - change->start_pfn < change->nr_pages)
		return notifier_from_errno(-EBUSY);
	return NOTIFY_OK;
}

static struct notifier_block keep_notifier = {
	.notifier_call = keep_online,
};

static int __init busy_init(void)
{
	return register_memory_notifier(&keep_notifier);
}
module_init(busy_init);

static void __exit busy_exit(void)
{
	unregister_memory_notifier(&keep_notifier);
}
module_exit(busy_exit);

MODULE_DESCRIPTION("Test: a memory block that stays online");
MODULE_LICENSE("GPL");
