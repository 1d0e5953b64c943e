/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread that takes a lock and keeps it until "hold" is cleared or the
 * module goes. A thread, because who takes a lock gives it back, and loading
 * and unloading are two tasks.
 */
#ifndef TESTS_MODULES_HOLD_THREAD_H
#define TESTS_MODULES_HOLD_THREAD_H

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>

#include "hold.h"

static DECLARE_COMPLETION(held);
static struct task_struct *holder;

/* What the thread does between taking its lock and giving it back. */
static void keep_hold(void)
{
	complete(&held);
	wait_event(released, !READ_ONCE(hold) || kthread_should_stop());
}

/* Returns when the thread has its lock: "take" calls keep_hold() then. */
static int start_hold(int (*take)(void *unused), const char *name)
{
	holder = kthread_run(take, NULL, "%s", name);
	if (IS_ERR(holder))
		return PTR_ERR(holder);
	get_task_struct(holder);
	wait_for_completion(&held);
	return 0;
}

static void stop_hold(void)
{
	kthread_stop_put(holder);
}

#endif
