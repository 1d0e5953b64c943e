// SPDX-License-Identifier: GPL-2.0
/*
 * Has a dax region for the first range that the platform set aside, before
 * anybody else has one, and as long as it is loaded. So the driver of an
 * hmem device fails, as it does where CXL was quicker.
 */
#include <linux/dax.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/platform_device.h>
#include <linux/range.h>
#include <drivers/dax/bus.h>

static struct platform_device *taker;

static int first(struct device *dev, int node, const struct resource *res)
{
	*(struct range *)dev_get_platdata(dev) = (struct range) {
		.start = res->start,
		.end = res->end,
	};
	/* Ends the walk. */
	return 1;
}

static int take_probe(struct platform_device *pdev)
{
	struct range *range = devm_kzalloc(&pdev->dev, sizeof(*range),
					   GFP_KERNEL);

	if (!range)
		return -ENOMEM;
	pdev->dev.platform_data = range;
	walk_hmem_resources(&pdev->dev, first);
	/* The kernel would free it once more. */
	pdev->dev.platform_data = NULL;
	/* No number that a device of HMEM or of CXL has. */
	if (!alloc_dax_region(&pdev->dev, 1000, range, NUMA_NO_NODE, PMD_SIZE,
			      0))
		return -EBUSY;
	return 0;
}

static struct platform_driver take_driver = {
	.driver.name = "take_range",
};

static int __init take_init(void)
{
	taker = platform_create_bundle(&take_driver, take_probe, NULL, 0,
				       NULL, 0);
	return PTR_ERR_OR_ZERO(taker);
}
module_init(take_init);

static void __exit take_exit(void)
{
	platform_device_unregister(taker);
	platform_driver_unregister(&take_driver);
}
module_exit(take_exit);

MODULE_DESCRIPTION("Test: somebody else has the first Soft Reserved range");
MODULE_LICENSE("GPL");
