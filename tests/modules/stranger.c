// SPDX-License-Identifier: GPL-2.0
/*
 * A platform device that is nobody's, for driver_override to bind to a driver
 * that did not make it. Its platform data looks like a range of memory to a
 * driver that takes it for that.
 */
#include <linux/device.h>
#include <linux/memregion.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>

static ulong at;
module_param(at, ulong, 0444);
MODULE_PARM_DESC(at, "Where its data says that memory is");

static struct platform_device *stranger;

static int __init stranger_init(void)
{
	struct memregion_info info = {
		.target_node = 0,
		.range = {
			.start = at,
			.end = at + SZ_128M - 1,
		},
	};

	stranger = platform_device_register_data(NULL, "stranger",
						 PLATFORM_DEVID_NONE, &info,
						 sizeof(info));
	return PTR_ERR_OR_ZERO(stranger);
}
module_init(stranger_init);

static void __exit stranger_exit(void)
{
	platform_device_unregister(stranger);
}
module_exit(stranger_exit);

MODULE_DESCRIPTION("Test: a platform device of nobody");
MODULE_LICENSE("GPL");
