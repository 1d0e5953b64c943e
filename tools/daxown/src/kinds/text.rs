// SPDX-License-Identifier: GPL-2.0

//! The text about each kind of problem.

use daxmap::problem::Kind;

use super::About;

/// What there is to say of a kind.
pub(super) fn about(kind: Kind) -> About {
    let (severity, meaning, cause, action) = match kind {
        Kind::KmemCannotReserve => (
            "loss",
            "kmem could not place the dax range in the resource tree (error -16)",
            "kmem reserves the addresses of a dax device in /proc/iomem, where no resource may cross the \
             edge of another. The kernel's own dax_hmem makes one device of a whole range, also where a CXL \
             region or window begins or ends inside of it; then all of the device is refused. Something else \
             that holds a part, such as a PCI BAR or a driver, does the same.",
            "The device can be cut at the edges by hand until the next reboot. The Rust dax_hmem cuts there \
             by itself.",
        ),
        Kind::KmemFailed => (
            "loss",
            "kmem refused the device for another cause",
            "The device has no target node, memory hotplug refused the addresses, or memory was short. The \
             log line says which.",
            "Bind the device again once the cause is gone. Without a target node it can be served as a file.",
        ),
        Kind::Misaligned => (
            "loss, or warning for a remainder",
            "the range, or its start or end, is not aligned to 2 MiB",
            "A dax region is a multiple of 2 MiB. The kernel's own hmem driver refuses a range whole that is \
             not; the Rust dax_hmem serves the aligned inside and reports the remainder.",
            "Have firmware declare ranges that begin and end at 2 MiB boundaries.",
        ),
        Kind::Conflict => (
            "loss",
            "another dax region has the range",
            "Two drivers wanted the same addresses, and the other one was first.",
            "`daxctl list --regions --devices` shows who has them.",
        ),
        Kind::HmemProbeFailed => (
            "loss",
            "the hmem driver failed for another cause",
            "The range is aligned and free, so memory for the driver's own records was short.",
            "Bind the device again.",
        ),
        Kind::LeftToCxl => (
            "loss",
            "dax_hmem left the range to CXL, which has no region there",
            "The kernel's own dax_hmem leaves every range in a CXL window to CXL once it was unbound or \
             loaded again, whether CXL has a region there or not. With either driver, CXL's drivers may not \
             be loaded yet.",
            "Load CXL's drivers, make a region, or reboot. The Rust dax_hmem decides again after a rebind or \
             reload.",
        ),
        Kind::ModuleNotLoaded => (
            "loss, or note",
            "a module that is needed is not loaded",
            "Without dax_hmem nobody takes ranges without regions, without dax_cxl nobody serves regions, \
             without kmem nothing becomes System RAM, without cxl_acpi no window is known.",
            "Load it, and look in /etc/modprobe.d and the initramfs for why it was not. The kernel's own dax_hmem \
             that was unloaded leaves what lies in a CXL window to nobody when it is loaded again: reboot there.",
        ),
        Kind::PlatformUnbound => (
            "loss",
            "dax_hmem is not bound to hmem_platform.0",
            "hmem_platform.0 stands for all Soft Reserved memory. Somebody unbound it.",
            "Bind it again; not with the kernel's own dax_hmem, which then leaves ranges to nobody: reboot \
             there.",
        ),
        Kind::NotRegistered => (
            "loss",
            "the kernel did not register the range for dax_hmem",
            "hmem.disable=1 is on the command line, or the kernel was built without CONFIG_DEV_DAX_HMEM.",
            "Change the command line or the kernel.",
        ),
        Kind::Deferred => (
            "warning",
            "the decision waits for CXL",
            "The range lies in a CXL window, no committed region covers it, and devices are still being \
             probed.",
            "`daxown wait` returns when it is decided.",
        ),
        Kind::Free => (
            "warning",
            "its owner let it go; free for a CXL region",
            "The region below the range went, or its device was unbound. It stays free so that CXL can use \
             the addresses.",
            "Make a region there, or let dax_hmem decide again.",
        ),
        Kind::Excluded => (
            "note",
            "kept out by dax_hmem.exclude",
            "The administrator named these addresses in the parameter `exclude` of the Rust dax_hmem: memory of an \
             accelerator, or of one application.",
            "Nothing, if that is meant. Otherwise take the range out of the parameter, in /etc/modprobe.d and in \
             /sys/module/dax_hmem/parameters/exclude; the next decision serves it.",
        ),
        Kind::Unserved => (
            "loss",
            "the ledger says that nobody could serve it",
            "A step of serving it failed; the ledger names the error.",
            "Let dax_hmem try again once the cause is gone.",
        ),
        Kind::NoDriver => (
            "loss",
            "a dax device has no driver",
            "Somebody unbound it, or no driver that is loaded takes it.",
            "Bind it to kmem, or to device_dax for a file.",
        ),
        Kind::Unallocated => (
            "warning",
            "a part of a dax region has no dax device",
            "dax_hmem.region_idle=1, or a device that was made smaller, leaves room in the region for the \
             administrator to divide.",
            "`daxctl create-device`, or give the device its size.",
        ),
        Kind::RegionLost => (
            "note",
            "a committed region is idle because HMEM has its range",
            "The region covers only a part of the Soft Reserved range, or came after HMEM had decided. \
             dax_cxl serves a region whole or not at all.",
            "Nothing needs to be done. `daxown assign REGION --to cxl` hands the memory over; policy=split \
             leaves such regions to CXL from the next boot on.",
        ),
        Kind::RegionIdle => (
            "loss",
            "a committed region has no DAX driver",
            "dax_cxl is not loaded, its probe failed, or HMEM has a part of the region for another range.",
            "Load dax_cxl or have the region probed again; where HMEM has a part, policy=split helps.",
        ),
        Kind::Persistent => (
            "warning",
            "the range is persistent memory",
            "Firmware marks the range Soft Reserved, but what is in it is to survive a reboot, so nobody \
             makes it System RAM.",
            "Nothing, if that is meant: agree to it in /etc/daxown.toml.",
        ),
        Kind::RegionDisabled => (
            "warning",
            "a region is not committed, or its driver is not bound",
            "Its decoders route nothing, or nobody looks after it.",
            "`cxl enable-region`.",
        ),
        Kind::RegionIncomplete => (
            "warning",
            "a region lacks a member",
            "A device of the interleave set is missing, or its driver did not bind.",
            "`cxl list -M -D -u` shows which devices are there.",
        ),
        Kind::Offline => (
            "warning",
            "memory blocks are offline",
            "New memory stays offline where auto_online_blocks says so, or somebody took it offline.",
            "`daxctl online-memory`; or agree to it where that is the policy.",
        ),
        Kind::Unplugged => (
            "warning",
            "memory was taken out by hand; its device is still there",
            "Somebody wrote `unplugged` to the device's state.",
            "Write `online_movable` there.",
        ),
        Kind::Trimmed => (
            "warning",
            "cut to whole memory blocks",
            "Memory hotplug adds whole memory blocks, 128 MiB to 2 GiB each. What lies between the ends of a \
             dax device and the next block inside stays unused.",
            "Have firmware declare ranges that begin and end at memory blocks, or use the device as a file.",
        ),
        Kind::Unmapped => (
            "note",
            "capacity of a CXL device is in no region",
            "No decoder maps it, so no address leads to it.",
            "`cxl create-region`, unless HMEM serves the memory of this very device.",
        ),
        Kind::DaxFile => (
            "note",
            "served as /dev/daxN.M, not as System RAM",
            "device_dax is bound: programs map the file.",
            "`daxctl reconfigure-device --mode=system-ram`; it destroys what is in it. Where the kernel \
             brings new memory online by itself, it wants `--force`.",
        ),
        Kind::OldModule => (
            "warning",
            "the kernel's own module runs although another is installed",
            "An initramfs that was made before the Rust modules were installed carries the old one.",
            "Make the initramfs again and reboot.",
        ),
        Kind::NotBuilt => (
            "warning",
            "DKMS could not build the modules for this kernel",
            "The package is installed, and its build for this kernel was refused or failed: another rustc, \
             the source of another version, no room. The kernel's own modules stay in use.",
            "Do what the reason names, then have DKMS build them again.",
        ),
        Kind::Unreadable => (
            "warning",
            "something could not be read",
            "Addresses, the kernel log and the ledger are for root only. What depends on them is unknown, \
             not absent.",
            "Run daxown as root, or have the capture made by root.",
        ),
        Kind::Undecoded => (
            "loss if in use, else warning; note",
            "no decoder maps the memory, and no device can be behind it",
            "A byte in a CXL window is memory only while decoders map it. Its region was torn down, its device \
             removed, or no device is plugged that has the capacity. What was kept there is lost.",
            "If it is in use, take it offline, or reboot if that fails. Make a region over it again, or have \
             firmware set it up at the next boot.",
        ),
        Kind::MemberGone => (
            "loss if in use, else warning",
            "an interleave set lacks a device",
            "Memory of an interleave set is spread over all its devices. One is missing, and none is there that \
             could be it, so a part of every stripe has nothing behind it.",
            "Put the device back and reboot. Do not use the memory until then.",
        ),
        Kind::Stuck => (
            "loss",
            "kmem could not take its memory away while it was in use",
            "Its driver was unbound while memory blocks were online. They stay System RAM until a reboot, and \
             nobody looks after them; if CXL has reset the decoders, the contents are lost.",
            "Reboot. Take memory offline before unbinding its driver, its region or its memory device.",
        ),
        Kind::WithoutDevice => (
            "loss",
            "System RAM that kmem added, and no dax device has it",
            "The dax device went while its memory was in use, for example because its module was unloaded.",
            "Load the module again to have an owner for it; a reboot makes it whole.",
        ),
        Kind::Foreign => (
            "loss",
            "System RAM over the memory of another driver",
            "A CXL region belongs to another driver, such as an accelerator's, and HMEM took the same addresses. \
             The kernel's own dax_hmem does that where firmware marks an accelerator's memory Soft Reserved. It is a \
             note where only the window, which takes accelerators alone, makes it likely.",
            "Take it offline and keep HMEM from it: the Rust dax_hmem leaves such a region alone, and has the \
             parameter `exclude` for ranges that no region tells of.",
        ),
        Kind::DeviceGone => (
            "warning",
            "declared memory in a window that no device is behind",
            "Firmware declared it for a device that has been removed since.",
            "Plug the device in again, or make a region of another one.",
        ),
        Kind::BootRam => (
            "loss, warning, or note",
            "firmware gave CXL memory as plain System RAM",
            "The option of firmware for special purpose memory is off, or the kernel was told to ignore it \
             (efi=nosoftreserve). cxl_core makes no dax region where a part is System RAM since boot. Below 4 GiB, where the \
             machine boots from it, it has to be so: a note.",
            "Switch on special purpose memory in the setup of firmware, if the memory is not to be plain RAM.",
        ),
        Kind::MemdevUnbound => (
            "warning",
            "a CXL device has no driver",
            "cxl_mem is not bound to the memory device, or cxl_pci to its card, or cxl_acpi to the root: it was \
             unbound by hand, the module is not loaded, or its probe failed. What the device decodes, as firmware \
             set it up, cannot be known then.",
            "Load the module, or bind the device again; the log says why a probe failed.",
        ),
        Kind::DecoderUnassigned => (
            "note; warning where nothing declares the memory",
            "decoders are committed, and in no region",
            "No window takes their addresses, the kernel refused the interleave, or it assembles no such region. The \
             memory decodes all the same, and HMEM can serve it, if firmware declares it Soft Reserved.",
            "Nothing has to be done where it is declared. Otherwise have firmware declare it for special purpose.",
        ),
        Kind::Undeclared => (
            "warning in a CXL window, else note",
            "memory of a dax device that no Soft Reserved range and no region has",
            "Somebody made the device by other means, or the list of Soft Reserved ranges could not be read.",
            "Look with `daxctl list` which driver made it.",
        ),
        Kind::Unexplained => (
            "loss",
            "not usable, and nothing that could be read says why",
            "The kernel log may have been overwritten since boot.",
            "Switch on dynamic debug for dax_hmem, and look after the next boot.",
        ),
    };
    About {
        severity,
        meaning,
        cause,
        action,
    }
}
