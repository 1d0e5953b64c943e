// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps memory that is being brought online where it is until "hold" is
 * cleared, so that a test can look at what else goes on meanwhile: a terabyte
 * takes minutes.
 */
#include <linux/memory.h>
#include <linux/module.h>
#include <linux/notifier.h>

#include "hold.h"

MODULE_PARM_DESC(hold, "Memory comes online when this is cleared");

static bool reached;
module_param(reached, bool, 0444);
MODULE_PARM_DESC(reached, "Memory waits to come online");

static bool refuse;
module_param(refuse, bool, 0644);
MODULE_PARM_DESC(refuse, "It does not come online then, so that it can be removed");

static int hold_memory(struct notifier_block *self, unsigned long action,
		       void *unused)
{
	if (action == MEM_GOING_ONLINE && READ_ONCE(hold)) {
		WRITE_ONCE(reached, true);
		wait_event(released, !READ_ONCE(hold));
		WRITE_ONCE(reached, false);
	}
	if (action == MEM_GOING_ONLINE && READ_ONCE(refuse))
		return notifier_from_errno(-EBUSY);
	return NOTIFY_OK;
}

static struct notifier_block hold_notifier = {
	.notifier_call = hold_memory,
};

static int __init hold_init(void)
{
	return register_memory_notifier(&hold_notifier);
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	WRITE_ONCE(hold, false);
	wake_up_all(&released);
	unregister_memory_notifier(&hold_notifier);
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Test: memory comes online slowly");
MODULE_LICENSE("GPL");
