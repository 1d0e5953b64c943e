// SPDX-License-Identifier: GPL-2.0
/*
 * A slow driver at the command of a test.
 *
 * Loading the module probes a device of its own, and the probe does not end
 * before N is written to the parameter "hold". Until then device probing has
 * not settled, for whoever waits for that. The thread that loads the module
 * waits meanwhile; a signal ends that.
 *
 * The probe is a synchronous one: an asynchronous one would hold up the loading
 * of every other module.
 *
 * C, so that it builds against a kernel without Rust as well.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(released);

static bool holding;
module_param(holding, bool, 0444);
MODULE_PARM_DESC(holding, "the probe is waiting (read-only)");

static bool hold = true;

static int hold_set(const char *val, const struct kernel_param *kp)
{
	int rc = param_set_bool(val, kp);

	wake_up_all(&released);
	return rc;
}

static const struct kernel_param_ops hold_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = hold_set,
	.get = param_get_bool,
};
module_param_cb(hold, &hold_ops, &hold, 0644);
MODULE_PARM_DESC(hold, "whether the probe is to wait");

static int hold_probe(struct platform_device *pdev)
{
	int rc;

	WRITE_ONCE(holding, true);
	rc = wait_event_interruptible(released, !READ_ONCE(hold));
	WRITE_ONCE(holding, false);
	return rc;
}

static struct platform_driver hold_driver = {
	.driver = {
		.name = "hold_probe",
	},
};

static struct platform_device *device;

static int __init hold_init(void)
{
	device = platform_create_bundle(&hold_driver, hold_probe, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(device);
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&hold_driver);
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Keeps device probing from settling, for tests");
MODULE_LICENSE("GPL");
