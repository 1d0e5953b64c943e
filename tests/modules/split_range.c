// SPDX-License-Identifier: GPL-2.0
/*
 * Makes two adjacent ranges of one that the platform set aside for
 * hmem_platform.0, while no driver looks at them.
 *
 * Firmware has them: one entry for each memory controller, or for each target
 * of an HMAT. The emulated firmware has not, because the kernel merges entries
 * of a memory map that touch. Unbind hmem_platform.0, or load this first.
 */
#include <linux/dax.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/numa.h>

#define MOST_SEAMS 16

static ulong at[MOST_SEAMS];
static int seams;
module_param_array(at, ulong, &seams, 0444);
MODULE_PARM_DESC(at, "Where the second of the two begins");

/* Where it is to be split; the entry, and the list that it is in. */
static resource_size_t seam;
static struct resource entry, *list;

static int find(struct device *dev, int node, const struct resource *res)
{
	if (seam <= res->start || seam > res->end)
		return 0;
	entry = *res;
	list = res->parent;
	/* Ends the walk. */
	return 1;
}

static int put(resource_size_t start, resource_size_t end)
{
	struct resource *res;

	res = __request_region(list, start, end - start + 1, entry.name, 0);
	if (!res)
		return -ENOMEM;
	/*
	 * The node; the walk hands it out. It is that of the start, as the kernel has it where
	 * HMAT does not say otherwise.
	 */
	res->desc = entry.desc;
	if (entry.desc == phys_to_target_node(entry.start))
		res->desc = phys_to_target_node(start);
	return 0;
}

static int split(void)
{
	int rc;

	list = NULL;
	rc = walk_hmem_resources(NULL, find);
	if (rc < 0)
		return rc;
	if (!list)
		return -ENOENT;
	__release_region(list, entry.start, resource_size(&entry));
	return put(entry.start, seam - 1) ?: put(seam, entry.end);
}

static int __init split_init(void)
{
	int i, rc = seams ? 0 : -EINVAL;

	for (i = 0; i < seams && !rc; i++) {
		seam = at[i];
		rc = split();
	}
	return rc;
}
module_init(split_init);

static void __exit split_exit(void)
{
}
module_exit(split_exit);

MODULE_DESCRIPTION("Test: adjacent Soft Reserved ranges");
MODULE_LICENSE("GPL");
