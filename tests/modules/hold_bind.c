// SPDX-License-Identifier: GPL-2.0
/*
 * Lets binding a driver to hmem_platform.0 take as long as a test needs: the
 * list of its ranges stays locked until "hold" is cleared.
 */
#include <linux/dax.h>
#include <linux/module.h>

#include "hold_thread.h"

MODULE_PARM_DESC(hold, "The lock is held as long as this is set");

static int hold_here(struct device *unused, int node, const struct resource *res)
{
	keep_hold();
	/* Ends the walk. */
	return 1;
}

static int hold_list(void *unused)
{
	walk_hmem_resources(NULL, hold_here);
	/* Where the list is empty there is nothing to hold. */
	complete(&held);
	return 0;
}

static int __init hold_init(void)
{
	return start_hold(hold_list, "hold_bind");
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	stop_hold();
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Test: binding hmem_platform.0 takes long");
MODULE_LICENSE("GPL");
