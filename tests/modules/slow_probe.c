// SPDX-License-Identifier: GPL-2.0
/*
 * A device whose asynchronous probe takes as long as a test needs.
 *
 * It stands for the slow disk or network card that keeps device probing from
 * settling: as long as it probes, wait_for_device_probe() waits. Load it with
 * the module option async_probe, or loading waits for the probe too.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/wait.h>

#include "hold.h"

MODULE_PARM_DESC(hold, "The probe goes on as long as this is set");

static unsigned int seconds = 60;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "The probe ends after this time even if it is held");

static int slow_probe(struct platform_device *pdev)
{
	dev_info(&pdev->dev, "probing\n");
	wait_event_timeout(released, !READ_ONCE(hold), seconds * HZ);
	dev_info(&pdev->dev, "probed\n");
	return 0;
}

static struct platform_driver slow_driver = {
	.probe = slow_probe,
	.driver = {
		.name = "slow_probe",
		.probe_type = PROBE_PREFER_ASYNCHRONOUS,
	},
};

static struct platform_device *slow_device;

static int __init slow_init(void)
{
	int rc;

	slow_device = platform_device_register_simple("slow_probe",
						      PLATFORM_DEVID_NONE,
						      NULL, 0);
	if (IS_ERR(slow_device))
		return PTR_ERR(slow_device);

	rc = platform_driver_register(&slow_driver);
	if (rc)
		platform_device_unregister(slow_device);
	return rc;
}
module_init(slow_init);

static void __exit slow_exit(void)
{
	WRITE_ONCE(hold, false);
	wake_up_all(&released);
	platform_driver_unregister(&slow_driver);
	platform_device_unregister(slow_device);
}
module_exit(slow_exit);

MODULE_DESCRIPTION("Test: a device that probes slowly");
MODULE_LICENSE("GPL");
