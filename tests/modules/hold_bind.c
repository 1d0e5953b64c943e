// SPDX-License-Identifier: GPL-2.0
/*
 * Lets binding a driver to hmem_platform.0 take as long as a test needs: the
 * list of its ranges stays locked until "hold" is cleared.
 */
#include <linux/dax.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "hold.h"

MODULE_PARM_DESC(hold, "The lock is held as long as this is set");

static DECLARE_COMPLETION(locked);
static struct task_struct *holder;

static int hold_here(struct device *unused, int node, const struct resource *res)
{
	complete(&locked);
	wait_event(released, !READ_ONCE(hold) || kthread_should_stop());
	/* Ends the walk. */
	return 1;
}

static int hold_list(void *unused)
{
	walk_hmem_resources(NULL, hold_here);
	complete(&locked);
	return 0;
}

static int __init hold_init(void)
{
	holder = kthread_run(hold_list, NULL, "hold_bind");
	if (IS_ERR(holder))
		return PTR_ERR(holder);
	get_task_struct(holder);
	wait_for_completion(&locked);
	return 0;
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	kthread_stop_put(holder);
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Test: binding hmem_platform.0 takes long");
MODULE_LICENSE("GPL");
