// SPDX-License-Identifier: GPL-2.0
/*
 * Moves the first HDM decoder of a CXL device that firmware committed, or
 * changes its interleave granularity, or what keeps it coherent, or takes its
 * commit back.
 *
 * It stands for firmware that commits a decoder at an address in no CXL window,
 * or an interleave set that the kernel refuses, which the CXL drivers
 * themselves never do; for a memory expander that keeps its memory coherent
 * itself; and for a reset of the device. Load it while the CXL
 * drivers do not have the device; it does its work when it is loaded.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>

/* CXL 3.1, 8.1.9 Register Locator and 8.2.4 CXL.cache and CXL.mem registers */
#define LOCATOR_DVSEC		8
#define LOCATOR_FIRST		0x0c
#define LOCATOR_BAR		GENMASK(2, 0)
#define LOCATOR_KIND		GENMASK(15, 8)
#define LOCATOR_OFFSET		GENMASK(31, 16)
#define COMPONENT_REGISTERS	1
#define CACHE_MEM		0x1000
#define CAPABILITIES		GENMASK(31, 24)
#define CAPABILITY_ID		GENMASK(15, 0)
#define CAPABILITY_POINTER	GENMASK(31, 20)
#define HDM_DECODERS		5

#define BASE_LOW		0x10
#define BASE_HIGH		0x14
#define CONTROL			0x20
#define COMMIT			BIT(9)
#define COMMITTED		BIT(10)
#define HOST_ONLY		BIT(12)
#define GRANULARITY		GENMASK(3, 0)

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "Which, such as 0000:11:00.0");

static ulong to;
module_param(to, ulong, 0444);
MODULE_PARM_DESC(to, "Address to which the decoder is moved; 0 is where it is");

static uint granularity;
module_param(granularity, uint, 0444);
MODULE_PARM_DESC(granularity, "256, 512, ... bytes; 0 is what it is");

static bool coherent;
module_param(coherent, bool, 0444);
MODULE_PARM_DESC(coherent, "The device keeps its memory coherent, not the host only");

static bool off;
module_param(off, bool, 0444);
MODULE_PARM_DESC(off, "The decoder decodes nothing any more");

static void __iomem *component_registers(struct pci_dev *pdev)
{
	u16 locator = pci_find_dvsec_capability(pdev, PCI_VENDOR_ID_CXL,
						LOCATOR_DVSEC);
	u32 header, low, high;
	u64 offset;
	u16 at;

	if (!locator)
		return NULL;

	pci_read_config_dword(pdev, locator + PCI_DVSEC_HEADER1, &header);
	for (at = LOCATOR_FIRST; at < PCI_DVSEC_HEADER1_LEN(header); at += 8) {
		pci_read_config_dword(pdev, locator + at, &low);
		pci_read_config_dword(pdev, locator + at + 4, &high);
		if (FIELD_GET(LOCATOR_KIND, low) != COMPONENT_REGISTERS)
			continue;
		offset = (u64)high << 32 | (low & LOCATOR_OFFSET);
		return pci_iomap_range(pdev, FIELD_GET(LOCATOR_BAR, low),
				       offset + CACHE_MEM, CACHE_MEM);
	}
	return NULL;
}

static void __iomem *hdm_decoders(void __iomem *registers)
{
	u32 count = FIELD_GET(CAPABILITIES, readl(registers));
	u32 i, header;

	for (i = 1; i <= count; i++) {
		header = readl(registers + 4 * i);
		if (FIELD_GET(CAPABILITY_ID, header) == HDM_DECODERS)
			return registers + FIELD_GET(CAPABILITY_POINTER, header);
	}
	return NULL;
}

static int move(void __iomem *decoder)
{
	u32 control = readl(decoder + CONTROL);
	int tries;

	if (!(control & COMMITTED))
		return -ENXIO;

	writel(control & ~COMMIT, decoder + CONTROL);
	if (off)
		return 0;
	if (to) {
		writel(lower_32_bits(to), decoder + BASE_LOW);
		writel(upper_32_bits(to), decoder + BASE_HIGH);
	}
	if (granularity) {
		control &= ~GRANULARITY;
		control |= FIELD_PREP(GRANULARITY, ilog2(granularity) - 8);
	}
	if (coherent)
		control &= ~HOST_ONLY;
	writel(control | COMMIT, decoder + CONTROL);
	for (tries = 0; tries < 10; tries++) {
		if (readl(decoder + CONTROL) & COMMITTED)
			return 0;
		msleep(20);
	}
	return -ETIMEDOUT;
}

static int __init move_init(void)
{
	unsigned int domain, bus, slot, function;
	void __iomem *registers, *decoder;
	struct pci_dev *pdev;
	int rc;

	if (granularity && (granularity < 256 || granularity > 16384))
		return -EINVAL;
	if (!device || sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENODEV;

	rc = pci_enable_device_mem(pdev);
	if (rc)
		goto put;

	rc = -ENXIO;
	registers = component_registers(pdev);
	if (registers) {
		decoder = hdm_decoders(registers);
		if (decoder)
			rc = move(decoder);
		pci_iounmap(pdev, registers);
	}
	pci_disable_device(pdev);
put:
	pci_dev_put(pdev);
	return rc;
}
module_init(move_init);

static void __exit move_exit(void)
{
}
module_exit(move_exit);

MODULE_DESCRIPTION("Test: moves a committed CXL decoder");
MODULE_LICENSE("GPL");
