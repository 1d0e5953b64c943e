// SPDX-License-Identifier: GPL-2.0
/*
 * Removes a PCI device as ACPI does when it ejects one: with the lock of memory
 * hotplug held (acpi_device_hotplug() in drivers/acpi/scan.c).
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pci.h>

static char *device;
module_param(device, charp, 0444);

/* The lock is not exported; a kprobe knows where its functions are. */
static void *find(const char *name)
{
	struct kprobe kp = { .symbol_name = name };
	void *addr;

	if (register_kprobe(&kp))
		return NULL;
	addr = kp.addr;
	unregister_kprobe(&kp);
	return addr;
}

static int __init eject_init(void)
{
	void (*lock)(void) = find("lock_device_hotplug");
	void (*unlock)(void) = find("unlock_device_hotplug");
	struct device *dev;

	if (!lock || !unlock)
		return -ENOENT;
	dev = bus_find_device_by_name(&pci_bus_type, NULL, device);
	if (!dev)
		return -ENODEV;
	lock();
	pci_stop_and_remove_bus_device_locked(to_pci_dev(dev));
	unlock();
	put_device(dev);
	return 0;
}
module_init(eject_init);

static void __exit eject_exit(void)
{
}
module_exit(eject_exit);

MODULE_DESCRIPTION("Test: a device is ejected by ACPI");
MODULE_LICENSE("GPL");
