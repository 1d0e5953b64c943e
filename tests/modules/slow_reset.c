// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the reset of a region's decoders take two seconds, as the flush of the
 * caches before it may. The region has lost its driver by then, and whoever was
 * told looks meanwhile. One processor spins, so another one is needed.
 */
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static int spin(struct kprobe *kp, struct pt_regs *regs)
{
	mdelay(2000);
	return 0;
}

static struct kprobe reset = {
	.symbol_name = "cxl_region_decode_reset",
	.pre_handler = spin,
};

static int __init slow_init(void)
{
	return register_kprobe(&reset);
}
module_init(slow_init);

static void __exit slow_exit(void)
{
	unregister_kprobe(&reset);
}
module_exit(slow_exit);

MODULE_DESCRIPTION("Test: the reset of a region's decoders takes its time");
MODULE_LICENSE("GPL");
