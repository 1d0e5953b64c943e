// SPDX-License-Identifier: GPL-2.0

//! The command lines of the guest's kernels.

use anyhow::bail;
use anyhow::Result;

use super::Assets;
use crate::machine::Layout;
use crate::scenario::with_addresses;
use crate::scenario::Scenario;
use crate::scenario::SoftReserved;

/// x86's COMMAND_LINE_SIZE, with its end.
const COMMAND_LINE_SIZE: usize = 2048;
/// The type of a Soft Reserved entry in the kernel's memory map.
const SOFT_RESERVED_TYPE: u32 = 0xefff_ffff;

/// Cycles a second of a fast processor.
const FASTEST_HZ: u64 = 5_000_000_000;

/// The command line of the kernel that acts as firmware. It too has the Soft Reserved ranges: it is
/// asked what will become of them, and kexec would put the next kernel into those in RAM.
pub fn firmware(scenario: &Scenario, layout: &Layout, assets: &Assets) -> String {
    let mut words = vec!["lab.stage=firmware".to_owned()];
    let ranges = scenario.soft_reserved.iter();
    words.extend(ranges.map(|range| memmap(range, layout)));
    join(&words, assets)
}

/// The kernel parameter that marks a range Soft Reserved.
fn memmap(range: &SoftReserved, layout: &Layout) -> String {
    let base = layout.resolve(range.base);
    format!("memmap={:#x}%{base:#x}+{SOFT_RESERVED_TYPE:#x}", range.size)
}

/// The command line of the kernel under test.
pub fn under_test(scenario: &Scenario, layout: &Layout, assets: &Assets) -> Result<String> {
    let ranges = scenario.soft_reserved.iter();
    let mut words: Vec<String> = ranges.map(|range| memmap(range, layout)).collect();
    let args = scenario.kernel_args.iter();
    words.extend(args.map(|arg| with_addresses(arg, |address| layout.resolve(address))));
    let line = join(&words, assets);
    if line.len() >= COMMAND_LINE_SIZE {
        bail!(
            "{}: the kernel's command line would have {} characters, and x86 takes {}; \
             use fewer Soft Reserved ranges or parameters",
            scenario.path.display(),
            line.len(),
            COMMAND_LINE_SIZE - 1
        );
    }
    Ok(line)
}

/// What every guest gets, then `words`, then what must be last.
fn join(words: &[String], assets: &Assets) -> String {
    // Nothing is behind a range without a region in QEMU: only pages that can move may go there,
    // or the kernel would put its own data into the void.
    let common = "console=ttyS0 root=/dev/vda ro panic=-1 log_buf_len=1M loglevel=7 \
                  memhp_default_state=online_movable";
    let init = "init=/bin/sh -- -c \"mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose \
                lab /mnt && exec /bin/sh /mnt/guest/init\"";
    let mut line = common.to_owned();
    if assets.accel.starts_with("tcg") {
        // TCG can abort (iotlb_to_section) when PCI BARs move while a second processor runs: the
        // guest starts the others once the buses are set up. Each would then measure its speed for
        // seconds, so they are told one; too high only makes the kernel's shortest waits longer. On a busy
        // host the timer may be late in the moment in which the kernel tries whether it works.
        let lpj = FASTEST_HZ / assets.config_hz();
        line.push_str(&format!(" maxcpus=1 no_timer_check lpj={lpj}"));
    }
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    format!("{line} {init}")
}
