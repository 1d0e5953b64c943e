/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parameter "hold": set when the module is loaded; whatever waits on
 * "released" goes on when a test clears it.
 */
#ifndef TESTS_MODULES_HOLD_H
#define TESTS_MODULES_HOLD_H

#include <linux/moduleparam.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(released);
static bool hold = true;

static int set_hold(const char *text, const struct kernel_param *param)
{
	int rc = param_set_bool(text, param);

	wake_up_all(&released);
	return rc;
}

static const struct kernel_param_ops hold_ops = {
	.set = set_hold,
	.get = param_get_bool,
};
module_param_cb(hold, &hold_ops, &hold, 0644);

#endif
