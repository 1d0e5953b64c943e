// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps every memory device on the CXL bus from being probed until "hold" is
 * cleared: holds the lock of one, so that whoever goes through the bus stops
 * there, with nothing being probed.
 */
#include <linux/device.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <drivers/cxl/cxl.h>

#include "hold.h"

MODULE_PARM_DESC(hold, "The device is locked as long as this is set");

static char *name = "mem0";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "The device on the CXL bus");

static DECLARE_COMPLETION(locked);
static struct task_struct *holder;
static struct device *dev;

/* Who takes a lock gives it back: init is another task than exit. */
static int hold_device(void *unused)
{
	device_lock(dev);
	complete(&locked);
	wait_event(released, !READ_ONCE(hold) || kthread_should_stop());
	device_unlock(dev);
	return 0;
}

static int __init hold_init(void)
{
	dev = bus_find_device_by_name(&cxl_bus_type, NULL, name);
	if (!dev)
		return -ENODEV;
	holder = kthread_run(hold_device, NULL, "hold_memdev");
	if (IS_ERR(holder)) {
		put_device(dev);
		return PTR_ERR(holder);
	}
	get_task_struct(holder);
	wait_for_completion(&locked);
	return 0;
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	kthread_stop_put(holder);
	put_device(dev);
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Test: holds the lock of a device on the CXL bus");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("CXL");
