// SPDX-License-Identifier: GPL-2.0

//! The kernel log, as far as it speaks of memory ownership.
//!
//! Reads `/dev/kmsg` records, `dmesg` output and what the journal or syslog made of it alike. A line
//! that says nothing of interest is dropped; one of a driver concerned that has no known form is kept
//! as text.

mod boot;
mod parse;
pub(crate) mod spoken;
mod stamp;

use serde::Serialize;

use crate::range::Range;
pub use boot::this_boot;
pub use spoken::Spoken;

/// One message of interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Microseconds since boot.
    pub time_us: Option<u64>,
    /// Date and time as the log has them, where it has no time since boot.
    pub clock: Option<String>,
    /// The text without time stamp.
    pub text: String,
    /// What it means.
    pub event: Event,
}

impl Message {
    /// The first range that it names.
    pub(crate) fn first_range(&self) -> Option<Range> {
        parse::first_range(&self.text)
    }

    /// The text behind its time, as `dmesg` prints it.
    pub fn stamped(&self) -> String {
        match (self.time_us, &self.clock) {
            (Some(us), _) => format!("[{:5}.{:06}] {}", us / 1_000_000, us % 1_000_000, self.text),
            (None, Some(clock)) => format!("[{clock}] {}", self.text),
            (None, None) => self.text.clone(),
        }
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Event {
    /// An entry of the boot memory map.
    MapEntry {
        /// Which map: `BIOS-e820`, `user`, ...
        map: String,
        /// The entry.
        range: Range,
        /// Its type, such as `soft reserved`.
        kind: String,
    },
    /// SRAT gives a range to a node.
    NodeRange {
        /// The node.
        node: u32,
        /// The range.
        range: Range,
    },
    /// The node that cxl_acpi has for the beginning of a window.
    WindowNode {
        /// The node.
        node: u32,
        /// The window.
        range: Range,
    },
    /// A driver's probe failed.
    ProbeFailed {
        /// The device, such as `hmem.0`.
        device: String,
        /// The driver, such as `hmem`.
        driver: String,
        /// Positive errno.
        errno: u32,
    },
    /// `alloc_dax_region()` found the range taken.
    Conflict {
        /// The device that lost.
        device: String,
        /// What it wanted.
        range: Range,
    },
    /// A driver asked for addresses that another has.
    RequestFailed {
        /// Its device.
        device: String,
        /// What it wanted.
        range: Range,
    },
    /// kmem found no room for the range in the resource tree.
    ReserveFailed {
        /// The dax device.
        device: String,
        /// What it wanted.
        range: Range,
    },
    /// kmem could not add the memory.
    AddFailed {
        /// The dax device.
        device: String,
        /// What it wanted to add.
        range: Range,
    },
    /// kmem cut the range to whole memory blocks.
    Truncated {
        /// The dax device.
        device: String,
        /// By how much, as printed.
        by: String,
    },
    /// kmem could not take its memory away again: it stays until reboot.
    Stuck {
        /// The dax device.
        device: String,
        /// The memory.
        range: Range,
    },
    /// kmem refused the device for another cause.
    Rejected {
        /// The dax device.
        device: String,
        /// The cause, as printed.
        why: String,
    },
    /// dax_hmem's word on a range.
    Decision {
        /// The range.
        range: Range,
        /// What it does.
        verdict: Verdict,
    },
    /// No CXL window takes the addresses of a committed decoder.
    NoWindow {
        /// The endpoint decoder.
        decoder: String,
        /// Its addresses.
        range: Range,
    },
    /// The kernel refused a member of a region.
    AttachFailed {
        /// The endpoint decoder.
        decoder: String,
        /// The region.
        region: String,
        /// Positive errno.
        errno: u32,
    },
    /// A region makes no dax region, for a part of it is System RAM since boot.
    HasSystemRam {
        /// The region.
        region: String,
        /// The System RAM.
        range: Range,
    },
    /// A memory block could not be taken offline.
    OffliningFailed {
        /// Such as `memory1310`.
        block: String,
    },
    /// The kernel has given up a page that holds errors.
    BadPage {
        /// Its number.
        page: u64,
    },
    /// A PCI card was taken out.
    CardGone {
        /// The port it was behind, such as `0000:10:00.0`; empty if the message has none.
        port: String,
    },
    /// Memory lies beyond the addresses that the kernel can map.
    Unaddressable {
        /// The memory.
        range: Range,
    },
    /// A reset of the bus has wiped the decoders of a CXL card that were in use.
    Wiped {
        /// Its place, such as `0000:31:00.0`.
        pci: String,
    },
    /// A message of a driver concerned, of no known form.
    Said {
        /// The device it is about.
        device: String,
    },
}

/// What dax_hmem says it does with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Waits for CXL's first probe.
    Awaits,
    /// Leaves it to CXL without having looked (after a rebind).
    Defers,
    /// Leaves it to CXL, which has a region.
    Drops,
    /// Takes it.
    Registers,
}

/// Reads a log; messages that are of no interest are left out.
pub fn parse(text: &str) -> Vec<Message> {
    text.lines().filter_map(message).collect()
}

fn message(line: &str) -> Option<Message> {
    let (stamp, text) = stamp::split(line)?;
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect();
    Some(Message {
        time_us: stamp.time_us,
        clock: stamp.clock.as_deref().map(plain),
        event: parse::event(text)?,
        text: plain(text),
    })
}

/// How much of a line is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// That it is of a driver concerned.
    Whose,
    /// What it says.
    Message,
    /// When it was said as well, though not in a known form.
    Dated,
    /// When it was said as well, or by whom.
    Stamped,
    /// Nothing stands before it.
    Whole,
}

/// How much of a line is understood as one of a log.
pub(crate) fn told(line: &str) -> Told {
    const HEADS: [&str; 3] = ["Linux version ", "Command line: ", "Kernel command line: "];
    if boot::is_mark(line) {
        return Told::Stamped;
    }
    match stamp::split(line) {
        Some((stamp, _)) if stamp.is_guess => Told::Dated,
        Some((stamp, _)) if stamp.is_any => Told::Stamped,
        Some((_, text)) if HEADS.iter().any(|h| text.starts_with(h)) => Told::Message,
        Some((_, text)) => match parse::event(text) {
            Some(Event::Said { .. }) => Told::Whose,
            Some(_) => Told::Message,
            None => Told::Nothing,
        },
        None => Told::Nothing,
    }
}

/// Whether a line is the beginning of a message, and says it only with what follows.
pub(crate) fn is_begun(line: &str, whole: &str) -> bool {
    let event = |line| stamp::split(line).and_then(|(_, text)| parse::event(text));
    let is_known = |e: &Option<Event>| !matches!(e, None | Some(Event::Said { .. }));
    match (event(line), event(whole)) {
        // Every word may be the type of an entry.
        (Some(Event::MapEntry { kind, .. }), Some(Event::MapEntry { kind: whole, .. })) => {
            !is_soft_reserved(&kind) && is_soft_reserved(&whole)
        }
        (before, after) => !is_known(&before) && is_known(&after),
    }
}

/// What speaks of this memory, and of which nothing could be made: what stands before the message has no
/// known form, and is left out. It may be the host's name.
pub fn unread(text: &str) -> Vec<&str> {
    text.lines().filter_map(unread_part).collect()
}

fn unread_part(line: &str) -> Option<&str> {
    const WORDS: [&str; 5] = [
        "soft reserved",
        "kmem dax",
        "hmem hmem.",
        "hmem_platform hmem_platform.",
        "cxl_dax_region dax_region",
    ];
    let lower = line.to_ascii_lowercase();
    let first = WORDS.iter().filter_map(|w| lower.find(w)).min();
    // At the start of a line it would have been read, unless that is all that a cut left of it.
    let at = first.filter(|&at| at > 0 || lower.trim() == WORDS[0])?;
    // What is reserved stands before that word.
    let address = line[..at].find("[mem ").filter(|&a| a > 0);
    let is_known = |text: &str| match parse::event(text) {
        // What stands behind the message has no known form.
        Some(Event::MapEntry { kind, .. }) => {
            is_soft_reserved(&kind) || !kind.to_ascii_lowercase().contains("soft reserved")
        }
        event => event.is_some(),
    };
    let is_read = stamp::split(line).is_none_or(|(_, text)| is_known(text));
    line.get(address.unwrap_or(at)..).filter(|_| !is_read)
}

/// Whether a text looks like a kernel log: a line has a stamp or is of interest here.
pub fn is_log(text: &str) -> bool {
    let head = text.lines().take(2000);
    head.filter_map(stamp::split)
        .any(|(stamp, text)| stamp.time_us.is_some() || parse::event(text).is_some())
}

/// What the map that the kernel has from EFI itself is called here: only its Soft Reserved entries are read.
const EFI: &str = "efi";

/// Soft Reserved entries of the last memory map printed: the kernel prints one more after each edit.
pub fn soft_reserved(messages: &[Message]) -> Vec<Range> {
    crate::range::merge(soft_reserved_entries(messages))
}

/// The same, entry by entry.
pub(crate) fn soft_reserved_entries(messages: &[Message]) -> Vec<Range> {
    let entries = || {
        messages.iter().filter_map(|m| match &m.event {
            Event::MapEntry { map, range, kind } => Some((map, range, kind)),
            _ => None,
        })
    };
    // Where the kernel makes a map of its own of it, that one counts.
    let own = entries().filter(|(map, _, _)| *map != EFI).next_back();
    let Some((last, _, _)) = own.or(entries().next_back()) else {
        return Vec::new();
    };
    entries()
        .filter(|(map, _, kind)| *map == last && is_soft_reserved(kind))
        .map(|(_, range, _)| *range)
        .collect()
}

/// Whether the only map that the log holds is EFI's own.
pub(crate) fn has_efi_map_only(messages: &[Message]) -> bool {
    let mut maps = messages.iter().filter_map(|m| match &m.event {
        Event::MapEntry { map, .. } => Some(map),
        _ => None,
    });
    maps.all(|map| map == EFI)
}

/// Whether the log holds a boot memory map at all (it may have been rotated out).
pub fn has_memory_map(messages: &[Message]) -> bool {
    messages
        .iter()
        .any(|m| matches!(m.event, Event::MapEntry { .. }))
}

/// Whether the last map begins where memory does: of a log that was cut or searched it may not.
pub(crate) fn has_whole_map(messages: &[Message]) -> bool {
    const LOW: u64 = 1 << 20;
    let entries = || {
        messages.iter().filter_map(|m| match &m.event {
            Event::MapEntry { map, range, .. } => Some((map, range)),
            _ => None,
        })
    };
    let last = entries().next_back().map(|(map, _)| map);
    entries().any(|(map, range)| Some(map) == last && range.start <= LOW)
}

fn is_soft_reserved(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case("soft reserved")
}

/// A line as it may go into a capture: of interest here, and without the host's name.
pub fn for_capture(line: &str) -> Option<String> {
    let (stamp, _) = stamp::split(line)?;
    let mut message = message(line)?;
    message.text = parse::of_kernel(&message.text, &message.event, stamp.is_any)?.to_string();
    Some(message.stamped())
}

/// A line of which nothing could be made, as it may go into a capture: it is as unread there.
pub fn unread_for_capture(line: &str) -> Option<String> {
    let part = unread_part(line)?;
    let text: String = part.chars().filter(|c| !c.is_control()).collect();
    // Behind these nothing is taken for a message.
    Some(format!("? ?: {text}"))
}

#[cfg(test)]
mod tests;
