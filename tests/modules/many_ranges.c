// SPDX-License-Identifier: GPL-2.0
/*
 * Splits what the platform has set aside for hmem_platform.0 into many ranges,
 * and counts what the processor does while they are resolved.
 *
 * Firmware can list a thousand ranges, an emulated one cannot. So the entries
 * of the platform's own list are replaced here, while no driver looks at it;
 * the drivers find the new ones by the kernel's own walk. They come back as
 * they were when this module goes.
 *
 * The counter is the TSC less the time in the idle task. Under "-icount
 * shift=0" the TSC of QEMU counts instructions, so that a count is the same on
 * each machine. That needs a guest with one processor.
 *
 * Files in debugfs, many_ranges/:
 *   split    write N: each entry becomes N of equal size
 *   resolve  read: binds hmem_platform.0, and counts until nothing runs any more
 *   release  read: unbinds it, and counts
 *   nothing  read: counts without doing anything, as a control
 *   busy     read: what was counted since boot; for whatever a script does
 */
#include <linux/dax.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <asm/msr.h>
#include <drivers/dax/bus.h>

/* What the platform had in its list. */
struct kept {
	resource_size_t start, size;
	int node;
};

#define MOST_KEPT 16
#define PAUSE_MS 20
/* More than waking up and a few timer interrupts take, less than a decision. */
#define NEXT_TO_NOTHING 200000

static struct kept kept[MOST_KEPT];
static unsigned int kept_count;
static struct resource *list;
/* Borrowed from the kernel's own entries: it outlives this module. */
static const char *entry_name;
static struct device *host;
static struct dentry *dir;
static DEFINE_MUTEX(lock);

static struct tracepoint *switching;
static u64 idle, idle_since;

static void on_switch(void *data, bool preempt, struct task_struct *prev,
		      struct task_struct *next, unsigned int prev_state)
{
	u64 now = rdtsc_ordered();

	if (is_idle_task(prev))
		idle += now - idle_since;
	if (is_idle_task(next))
		idle_since = now;
}

static u64 busy(void)
{
	return rdtsc_ordered() - READ_ONCE(idle);
}

/*
 * Lets everything run that wants to, and returns what was counted by then: up
 * to the first pause in which next to nothing ran. One pause always counts.
 */
static u64 rest(void)
{
	u64 at;

	msleep(PAUSE_MS);
	do {
		at = busy();
		msleep(PAUSE_MS);
	} while (busy() - at > NEXT_TO_NOTHING);
	return at;
}

static int keep(struct device *dev, int node, const struct resource *res)
{
	if (kept_count == MOST_KEPT)
		return -E2BIG;
	kept[kept_count++] = (struct kept) {
		.start = res->start,
		.size = resource_size(res),
		.node = node,
	};
	list = res->parent;
	entry_name = res->name;
	return 0;
}

static void clear(void)
{
	while (list->child)
		__release_region(list, list->child->start,
				 resource_size(list->child));
}

static int fill(unsigned int parts)
{
	unsigned int i, part;

	clear();
	for (i = 0; i < kept_count; i++) {
		resource_size_t size = kept[i].size / parts;

		for (part = 0; part < parts; part++) {
			struct resource *res;

			res = __request_region(list,
					       kept[i].start + part * size,
					       size, entry_name, 0);
			if (!res)
				return -ENOMEM;
			res->desc = kept[i].node;
		}
	}
	return 0;
}

static ssize_t split_write(struct file *file, const char __user *text,
			   size_t len, loff_t *pos)
{
	unsigned int parts, i;
	int rc = kstrtouint_from_user(text, len, 0, &parts);

	if (rc)
		return rc;
	if (!parts)
		return -EINVAL;
	for (i = 0; i < kept_count; i++)
		if (kept[i].size % ((u64)parts * PMD_SIZE))
			return -EINVAL;
	guard(mutex)(&lock);
	guard(device)(host);
	if (host->driver)
		return -EBUSY;
	rc = fill(parts);
	return rc ?: len;
}

static const struct file_operations split_ops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = split_write,
};

static int resolve_get(void *data, u64 *count)
{
	struct platform_device *pdev = to_platform_device(host);
	u64 from;
	int rc;

	guard(mutex)(&lock);
	if (host->driver)
		return -EBUSY;
	/* Without this the C driver would decide once in the life of the kernel. */
	to_hmem_platform_device(pdev)->did_probe = false;
	rest();
	from = busy();
	rc = device_attach(host);
	if (rc < 0)
		return rc;
	if (!rc)
		return -ENODEV;
	*count = rest() - from;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(resolve_ops, resolve_get, NULL, "%llu\n");

static int nothing_get(void *data, u64 *count)
{
	u64 from;

	guard(mutex)(&lock);
	rest();
	from = busy();
	*count = rest() - from;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(nothing_ops, nothing_get, NULL, "%llu\n");

static int release_get(void *data, u64 *count)
{
	u64 from;

	guard(mutex)(&lock);
	if (!host->driver)
		return -ENODEV;
	rest();
	from = busy();
	device_release_driver(host);
	*count = rest() - from;
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(release_ops, release_get, NULL, "%llu\n");

static int busy_get(void *data, u64 *count)
{
	guard(mutex)(&lock);
	*count = rest();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(busy_ops, busy_get, NULL, "%llu\n");

static void find_switching(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "sched_switch"))
		switching = tp;
}

static int __init many_init(void)
{
	int rc;

	if (num_online_cpus() != 1)
		return -EINVAL;
	rc = walk_hmem_resources(NULL, keep);
	if (rc)
		return rc;
	if (!list)
		return -ENODEV;
	for_each_kernel_tracepoint(find_switching, NULL);
	if (!switching)
		return -ENODEV;
	host = bus_find_device_by_name(&platform_bus_type, NULL,
				       "hmem_platform.0");
	if (!host)
		return -ENODEV;
	rc = tracepoint_probe_register(switching, on_switch, NULL);
	if (rc) {
		put_device(host);
		return rc;
	}
	dir = debugfs_create_dir("many_ranges", NULL);
	debugfs_create_file("split", 0200, dir, NULL, &split_ops);
	debugfs_create_file("resolve", 0400, dir, NULL, &resolve_ops);
	debugfs_create_file("release", 0400, dir, NULL, &release_ops);
	debugfs_create_file("nothing", 0400, dir, NULL, &nothing_ops);
	debugfs_create_file("busy", 0400, dir, NULL, &busy_ops);
	return 0;
}
module_init(many_init);

static void __exit many_exit(void)
{
	debugfs_remove(dir);
	tracepoint_probe_unregister(switching, on_switch, NULL);
	tracepoint_synchronize_unregister();
	scoped_guard(device, host) {
		if (!host->driver && fill(1))
			pr_warn("many_ranges: the list is not as it was\n");
	}
	put_device(host);
}
module_exit(many_exit);

MODULE_DESCRIPTION("Test: many Soft Reserved ranges, and a count of instructions");
MODULE_LICENSE("GPL");
