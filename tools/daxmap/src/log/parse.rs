// SPDX-License-Identifier: GPL-2.0

//! The text of one message to its meaning.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Event, Verdict};
use crate::range::Range;

/// Patterns are constants; the tests build every one of them. They use ASCII ranges: the classes of
/// Unicode, repeated up to a bound, make the first use of each cost milliseconds.
macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}
pub(super) use pattern;

pattern!(
    MAP,
    r"^([!-~]{1,20}|reserve setup_data): \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\] ([ -~]{1,60})$"
);
// With efi=debug: that of x86, and that of the other architectures.
pattern!(
    EFI_MAP,
    r"^efi: (?:mem[0-9]{1,6}|  0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})):? ?\[Conventional[ A-Za-z]*\|[^\]]{0,20}\|SP\|[^\]]{0,60}\](?: range=\[0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\])?"
);
pattern!(
    SRAT,
    r"SRAT: Node ([0-9]{1,6}) PXM [0-9]+ \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\]"
);
pattern!(
    PROBE,
    r"^[!-~]+ ([!-~]{1,40}): probe with driver ([!-~]{1,40}) failed with error -([0-9]{1,5})$"
);
pattern!(
    WINDOW,
    r"decode range: node: ([0-9]{1,6}) range \[0x([0-9a-f]{1,16}) - 0x([0-9a-f]{1,16})\]"
);
// Up to 6.11 or so.
pattern!(
    OLD_PROBE,
    r"^([!-~]{1,40}): probe of ([!-~]{1,40}) failed with error -([0-9]{1,5})$"
);
pattern!(
    NO_WINDOW,
    r"(decoder[0-9]+\.[0-9]+):? no CXL window for range 0x([0-9a-f]{1,16}):0x([0-9a-f]{1,16})"
);
pattern!(
    ATTACH,
    r"failed to attach (decoder[0-9]+\.[0-9]+) to (region[0-9]+): -([0-9]{1,5})$"
);
pattern!(
    HAS_RAM,
    r"(region[0-9]+): \[mem .* has System RAM: \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})"
);
pattern!(
    OFFLINING,
    r"^memory (memory[0-9]{1,12}): (?:memory )?offlining failed"
);
pattern!(BAD_PAGE, r"^Memory failure: 0x([0-9a-f]{1,13}): ");
pattern!(
    CONFLICT,
    r"([!-~]{1,40}): dax_region resource conflict for \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})"
);
pattern!(
    REQUEST,
    r"^[!-~]+ ([!-~]{1,40}): can't request region for resource \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})"
);
pattern!(
    MAPPING,
    r"(dax[0-9]+\.[0-9]+): mapping[0-9]+: (?:0x)?([0-9a-f]{1,16})-(?:0x)?([0-9a-f]{1,16}) ([ -~]{1,80})$"
);
pattern!(
    TRUNCATED,
    r"(dax[0-9]+\.[0-9]+): DAX region truncated by ([ -~]{1,30}?) due to alignment"
);
pattern!(
    REJECTED,
    r"(dax[0-9]+\.[0-9]+): rejecting DAX region ([ -~]{1,80})$"
);
pattern!(RESOURCE, r"\[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})");
pattern!(
    DEVICE,
    r"^(?:[!-~]+: )?(?:hmem_platform|hmem|kmem|device_dax|dax|dax_hmem|dax_cxl|cxl_dax_region|cxl_region|cxl_root|cxl_mem|cxl_port|cxl_endpoint|cxl_pci|cxl_acpi|cxl_core) ([A-Za-z0-9_.:-]{1,40}): "
);

pattern!(
    BEYOND,
    r"^Hotplugged memory exceeds maximum addressable address, range=\[0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\]"
);
pattern!(
    WIPED,
    r"^cxl_pci ([0-9a-f:.]{1,40}): SBR happened without memory regions removal"
);

// Where the message of a driver begins, if something else stands before it.
pattern!(
    BEGIN,
    r"(?:^|[ \t])((?:hmem_platform|hmem|kmem|device_dax|dax|dax_hmem|dax_cxl|cxl_dax_region|cxl_region|cxl_root|cxl_mem|cxl_port|cxl_endpoint|cxl_pci|cxl_acpi|cxl_core|pcieport|memory|ACPI:|SRAT:) [!-~].*)$"
);
// A program of the system, which is no part of the kernel.
pattern!(PROGRAM, r"^(?:[!-~]+ )?[!-~]+\[[0-9]{1,10}\]: ");

/// Drivers and devices whose messages of no known form are worth keeping.
const CONCERNED: [&str; 7] = [
    "hmem",
    "kmem",
    "dax",
    "cxl",
    "CXL",
    "Soft Reserved",
    "ACPI0017",
];

pub(super) fn event(text: &str) -> Option<Event> {
    known(text).or_else(|| {
        let device = captures(&DEVICE, text)
            .and_then(|c| Some(c.get(1)?.as_str().to_string()))
            .unwrap_or_default();
        let concerned = !device.is_empty()
            || text.len() < 400 && CONCERNED.iter().any(|word| begins_with_word(text, word));
        // A kernel command line may hold anything, and is echoed into the log.
        let echo = text.contains("ommand line:") || text.contains("passed to user space");
        (concerned && !echo).then_some(Event::Said { device })
    })
}

/// What of a message's text the kernel wrote, as far as that is sure: the host's name may stand before it
/// where no stamp does.
pub(super) fn of_kernel<'t>(text: &'t str, event: &Event, is_stamped: bool) -> Option<&'t str> {
    let is_vague = matches!(event, Event::Said { device } if device.is_empty());
    if is_vague && (!is_stamped || captures(&PROGRAM, text).is_some()) {
        return None;
    }
    // These are known from their first word on.
    let is_whole = matches!(
        event,
        Event::MapEntry { .. }
            | Event::ProbeFailed { .. }
            | Event::BadPage { .. }
            | Event::Unaddressable { .. }
            | Event::RequestFailed { .. }
            | Event::OffliningFailed { .. }
    );
    if is_stamped || is_whole {
        return Some(text);
    }
    Some(captures(&BEGIN, text)?.get(1)?.as_str())
}

/// Whether the message's prefix (up to the first `: `) holds the word.
fn begins_with_word(text: &str, word: &str) -> bool {
    text.split_once(": ")
        .is_some_and(|(prefix, _)| prefix.contains(word))
}

fn known(text: &str) -> Option<Event> {
    if let Some(c) = captures(&MAP, text) {
        return Some(Event::MapEntry {
            map: string(&c, 1)?,
            range: range(&c, 2)?,
            kind: string(&c, 4)?,
        });
    }
    if let Some(c) = captures(&EFI_MAP, text) {
        return Some(Event::MapEntry {
            map: "efi".into(),
            range: range(&c, 1).or_else(|| range(&c, 3))?,
            kind: "soft reserved".into(),
        });
    }
    if let Some(c) = captures(&SRAT, text) {
        return Some(Event::NodeRange {
            node: u32::try_from(number(&c, 1, 10)?).ok()?,
            range: range(&c, 2)?,
        });
    }
    let probe = captures(&PROBE, text).map(|c| (c, 1, 2));
    if let Some((c, device, driver)) = probe.or(captures(&OLD_PROBE, text).map(|c| (c, 2, 1))) {
        let device = string(&c, device)?;
        let driver = string(&c, driver)?;
        let ours = [
            "hmem", "dax", "cxl", "kmem", "region", "mem", "decoder", "endpoint", "port",
        ];
        if !ours
            .iter()
            .any(|w| device.starts_with(w) || driver.contains(w))
        {
            return None;
        }
        return Some(Event::ProbeFailed {
            device,
            driver,
            errno: u32::try_from(number(&c, 3, 10)?).ok()?,
        });
    }
    if let Some(c) = captures(&BAD_PAGE, text) {
        return Some(Event::BadPage {
            page: number(&c, 1, 16)?,
        });
    }
    if let Some(c) = captures(&BEYOND, text) {
        return Some(Event::Unaddressable {
            range: range(&c, 1)?,
        });
    }
    if let Some(c) = captures(&CONFLICT, text) {
        return Some(Event::Conflict {
            device: string(&c, 1)?,
            range: range(&c, 2)?,
        });
    }
    if let Some(c) = captures(&REQUEST, text) {
        return Some(Event::RequestFailed {
            device: string(&c, 1)?,
            range: range(&c, 2)?,
        });
    }
    kmem(text).or_else(|| cxl(text)).or_else(|| decision(text))
}

fn cxl(text: &str) -> Option<Event> {
    if let Some(c) = captures(&NO_WINDOW, text) {
        return Some(Event::NoWindow {
            decoder: string(&c, 1)?,
            range: range(&c, 2)?,
        });
    }
    if let Some(c) = captures(&WIPED, text) {
        return Some(Event::Wiped {
            pci: string(&c, 1)?,
        });
    }
    if let Some(c) = captures(&ATTACH, text) {
        return Some(Event::AttachFailed {
            decoder: string(&c, 1)?,
            region: string(&c, 2)?,
            errno: u32::try_from(number(&c, 3, 10)?).ok()?,
        });
    }
    if let Some(c) = captures(&HAS_RAM, text) {
        return Some(Event::HasSystemRam {
            region: string(&c, 1)?,
            range: range(&c, 2)?,
        });
    }
    if let Some(c) = captures(&WINDOW, text) {
        return Some(Event::WindowNode {
            node: u32::try_from(number(&c, 1, 10)?).ok()?,
            range: range(&c, 2)?,
        });
    }
    if let Some(c) = captures(&OFFLINING, text) {
        return Some(Event::OffliningFailed {
            block: string(&c, 1)?,
        });
    }
    let gone = text.contains("pciehp: Slot(") && text.ends_with(": Card not present");
    gone.then(|| {
        let mut words = text.split([' ', ':']).map(str::trim);
        let named = words.any(|word| word == "pcieport");
        let address = text.split_once("pcieport ").map(|(_, rest)| rest);
        let port = address.and_then(|rest| rest.split_once(": "));
        let port = port.filter(|_| named).map_or("", |(port, _)| port);
        Event::CardGone {
            port: port.to_string(),
        }
    })
}

fn kmem(text: &str) -> Option<Event> {
    if let Some(c) = captures(&MAPPING, text) {
        let (device, range, what) = (string(&c, 1)?, range(&c, 2)?, string(&c, 4)?);
        return Some(match what.as_str() {
            "could not reserve region" | "could not reserve range" => {
                Event::ReserveFailed { device, range }
            }
            "stuck online until reboot" | "cannot be hotremoved until the next reboot" => {
                Event::Stuck { device, range }
            }
            "memory add failed" => Event::AddFailed { device, range },
            "too small after alignment" => Event::Rejected { device, why: what },
            _ => Event::Said { device },
        });
    }
    if let Some(c) = captures(&TRUNCATED, text) {
        return Some(Event::Truncated {
            device: string(&c, 1)?,
            by: string(&c, 2)?,
        });
    }
    captures(&REJECTED, text).and_then(|c| {
        Some(Event::Rejected {
            device: string(&c, 1)?,
            why: string(&c, 2)?,
        })
    })
}

/// The C driver's debug messages, where dynamic debug shows them.
fn decision(text: &str) -> Option<Event> {
    if !text.contains("hmem_platform") {
        return None;
    }
    let verdict = if text.contains("await CXL initial probe") {
        Verdict::Awaits
    } else if text.contains("deferring range to CXL") {
        Verdict::Defers
    } else if text.contains("CXL claims resource, dropping") {
        Verdict::Drops
    } else if text.contains("CXL did not claim resource, registering")
        || text.contains("registering CXL range")
    {
        Verdict::Registers
    } else {
        return None;
    };
    let c = captures(&RESOURCE, text)?;
    Some(Event::Decision {
        range: range(&c, 1)?,
        verdict,
    })
}

/// The dax device and the part of it that a message of kmem is about.
pub(super) fn mapping(text: &str) -> Option<(String, Range)> {
    let c = captures(&MAPPING, text)?;
    Some((string(&c, 1)?, range(&c, 2)?))
}

/// The first range that a message names.
pub(super) fn first_range(text: &str) -> Option<Range> {
    range(&captures(&RESOURCE, text)?, 1)
}

pub(super) fn captures<'t>(regex: &LazyLock<Option<Regex>>, text: &'t str) -> Option<Captures<'t>> {
    regex.as_ref()?.captures(text)
}

fn string(c: &Captures, group: usize) -> Option<String> {
    Some(c.get(group)?.as_str().to_string())
}

pub(super) fn number(c: &Captures, group: usize, radix: u32) -> Option<u64> {
    u64::from_str_radix(c.get(group)?.as_str(), radix).ok()
}

fn range(c: &Captures, group: usize) -> Option<Range> {
    Range::new(number(c, group, 16)?, number(c, group + 1, 16)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for p in [
            &MAP, &SRAT, &WINDOW, &PROBE, &OLD_PROBE, &NO_WINDOW, &ATTACH, &HAS_RAM, &OFFLINING,
            &CONFLICT, &REQUEST, &MAPPING, &TRUNCATED, &REJECTED, &RESOURCE, &DEVICE, &BEGIN,
            &PROGRAM, &WIPED, &BEYOND, &EFI_MAP,
        ] {
            assert!(p.is_some());
        }
    }
}
