// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps every memory device on the CXL bus from being probed until "hold" is
 * cleared: holds the lock of one, so that whoever goes through the bus stops
 * there, with nothing being probed.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <drivers/cxl/cxl.h>

#include "hold_thread.h"

MODULE_PARM_DESC(hold, "The device is locked as long as this is set");

static char *name = "mem0";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "The device on the CXL bus");

static struct device *dev;

static int hold_device(void *unused)
{
	device_lock(dev);
	keep_hold();
	device_unlock(dev);
	return 0;
}

static int __init hold_init(void)
{
	int rc;

	dev = bus_find_device_by_name(&cxl_bus_type, NULL, name);
	if (!dev)
		return -ENODEV;
	rc = start_hold(hold_device, "hold_memdev");
	if (rc)
		put_device(dev);
	return rc;
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	stop_hold();
	put_device(dev);
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Test: holds the lock of a device on the CXL bus");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("CXL");
