/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the modules use of drivers/dax/bus.h, drivers/cxl/cxl.h and
 * drivers/cxl/cxlmem.h, which headers packages do not carry.
 *
 * tools/check-layout.sh compares all of it with the kernel at each build: with
 * the kernel's BTF, or with those headers where the whole source is there. What
 * differs stops the build with its name. bindgen takes every item of this file,
 * so one more structure, field or function is declared here and nowhere else.
 *
 * A structure that only the kernel allocates may end early, with DAX_REST.
 */
#ifndef _KERNEL_PRIVATE_H
#define _KERNEL_PRIVATE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/range.h>
#include <linux/uuid.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <cxl/cxl.h>

/*
 * Constants. BTF does not have macros: a kernel whose source is not there can
 * differ in these unseen.
 */
#define IORESOURCE_DAX_KMEM BIT(1)

#define CXL_DECODER_F_ENABLE BIT(5)
#define CXL_DECODER_F_NORMALIZED_ADDRESSING BIT(6)

#define CXL_DEVICE_PORT 3
#define CXL_DEVICE_MEMORY_EXPANDER 5
#define CXL_DEVICE_REGION 6
#define CXL_DEVICE_PMEM_REGION 7
#define CXL_DEVICE_DAX_REGION 8

/* check-layout.sh has the kernel's own types when it compares prototypes. */
#ifndef DAX_CHECK_PROTOTYPES

/* More fields follow, of no use here. */
#define DAX_REST char dax_rest[]

struct cxl_dport;
struct cxl_memdev;
struct cxl_memdev_attach;
struct cxl_nvdimm;
struct cxl_nvdimm_bridge;
struct cxl_port;
struct cxl_root_decoder;
struct dax_region;
struct dev_dax;
struct nd_region;

struct dev_dax_data {
	struct dax_region *dax_region;
	struct dev_pagemap *pgmap;
	resource_size_t size;
	int id;
	bool memmap_on_memory;
};

struct cxl_driver {
	const char *name;
	int (*probe)(struct device *dev);
	void (*remove)(struct device *dev);
	struct cxl_dport *(*add_dport)(struct cxl_port *port,
				       struct device *dport_dev);
	struct device_driver drv;
	int id;
};

struct cxl_port {
	struct device dev;
	struct device *uport_dev;
	struct device *host_bridge;
	int id;
	struct xarray dports;
	struct xarray endpoints;
	struct xarray regions;
	struct cxl_dport *parent_dport;
	DAX_REST;
};

enum cxl_decoder_type {
	CXL_DECODER_DEVMEM = 2,
	CXL_DECODER_HOSTONLYMEM = 3,
};

struct cxl_decoder {
	struct device dev;
	int id;
	struct range hpa_range;
	int interleave_ways;
	int interleave_granularity;
	enum cxl_decoder_type target_type;
	struct cxl_region *region;
	unsigned long flags;
	u32 target_map[16];
	int (*commit)(struct cxl_decoder *cxld);
	void (*reset)(struct cxl_decoder *cxld);
};

enum cxl_decoder_state {
	CXL_DECODER_STATE_MANUAL,
	CXL_DECODER_STATE_AUTO,
	CXL_DECODER_STATE_AUTO_STAGED,
};

struct cxl_endpoint_decoder {
	struct cxl_decoder cxld;
	struct resource *dpa_res;
	resource_size_t skip;
	enum cxl_decoder_state state;
	int part;
	int pos;
};

enum cxl_config_state {
	CXL_CONFIG_IDLE,
	CXL_CONFIG_INTERLEAVE_ACTIVE,
	CXL_CONFIG_ACTIVE,
	CXL_CONFIG_RESET_PENDING,
	CXL_CONFIG_COMMIT,
};

struct cxl_region_params {
	enum cxl_config_state state;
	uuid_t uuid;
	int interleave_ways;
	int interleave_granularity;
	struct resource *res;
	struct cxl_endpoint_decoder *targets[16];
	int nr_targets;
	resource_size_t cache_size;
};

struct cxl_region {
	struct device dev;
	int id;
	struct cxl_root_decoder *cxlrd;
	struct range hpa_range;
	enum cxl_partition_mode mode;
	enum cxl_decoder_type type;
	struct cxl_nvdimm_bridge *cxl_nvb;
	struct cxl_pmem_region *cxlr_pmem;
	unsigned long flags;
	struct cxl_region_params params;
	DAX_REST;
};

struct cxl_dax_region {
	struct device dev;
	struct cxl_region *cxlr;
	struct range hpa_range;
};

struct cxl_pmem_region {
	struct device dev;
	struct cxl_region *cxlr;
	struct nd_region *nd_region;
	struct range hpa_range;
	DAX_REST;
};

struct cxl_memdev {
	struct device dev;
	struct cdev cdev;
	struct cxl_dev_state *cxlds;
	struct work_struct detach_work;
	struct cxl_nvdimm_bridge *cxl_nvb;
	struct cxl_nvdimm *cxl_nvd;
	struct cxl_port *endpoint;
	const struct cxl_memdev_attach *attach;
	int id;
	int depth;
	DAX_REST;
};

#endif /* DAX_CHECK_PROTOTYPES */

/* Prototypes. */
struct dax_region *alloc_dax_region(struct device *parent, int region_id,
				    struct range *range, int target_node,
				    unsigned int align, unsigned long flags);
struct dev_dax *devm_create_dev_dax(struct dev_dax_data *data);

int __cxl_driver_register(struct cxl_driver *cxl_drv, struct module *owner,
			  const char *modname);
void cxl_driver_unregister(struct cxl_driver *cxl_drv);
bool is_cxl_region(struct device *dev);
bool is_endpoint_decoder(struct device *dev);
struct cxl_endpoint_decoder *to_cxl_endpoint_decoder(struct device *dev);
#ifdef CONFIG_CXL_REGION
bool is_cxl_pmem_region(struct device *dev);
bool cxl_region_contains_resource(const struct resource *res);
#endif

extern const struct bus_type cxl_bus_type;

#endif /* _KERNEL_PRIVATE_H */
