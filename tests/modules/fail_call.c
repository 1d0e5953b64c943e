// SPDX-License-Identifier: GPL-2.0
/*
 * Has one call of a kernel function fail before it does anything: "insmod
 * fail_call.ko symbol=alloc_dax_region nth=2" is the second one from then on.
 * It returns "value", 0 where none is given: NULL, for a function that returns
 * a pointer. The parameter "calls" counts.
 *
 * Only the function's address is taken over, so it must be one that callers
 * outside of its file call; the compiler may have inlined others.
 */
#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static char *symbol;
module_param(symbol, charp, 0444);
MODULE_PARM_DESC(symbol, "The function");

static int nth = 1;
module_param(nth, int, 0444);
MODULE_PARM_DESC(nth, "Which call fails, counted from 1");

static long value;
module_param(value, long, 0444);
MODULE_PARM_DESC(value, "What that call returns");

static int calls;
module_param(calls, int, 0444);
MODULE_PARM_DESC(calls, "How many calls there were");

static atomic_t count;

/* Where the call goes on: right at its end. */
static noinline notrace void end_of_call(void)
{
}
NOKPROBE_SYMBOL(end_of_call);

static int fail(struct kprobe *kp, struct pt_regs *regs)
{
	int now = atomic_inc_return(&count);

	WRITE_ONCE(calls, now);
	if (now != nth)
		return 0;
	regs_set_return_value(regs, value);
	instruction_pointer_set(regs, (unsigned long)end_of_call);
	return 1;
}
NOKPROBE_SYMBOL(fail);

/* A probe without one may be turned into a jump, which always comes back. */
static void after(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(after);

static struct kprobe probe = {
	.pre_handler = fail,
	.post_handler = after,
};

static int __init fail_init(void)
{
	if (!symbol)
		return -EINVAL;
	probe.symbol_name = symbol;
	return register_kprobe(&probe);
}
module_init(fail_init);

static void __exit fail_exit(void)
{
	unregister_kprobe(&probe);
}
module_exit(fail_exit);

MODULE_DESCRIPTION("Test: one call of a function fails");
MODULE_LICENSE("GPL");
