// SPDX-License-Identifier: GPL-2.0

//! Memory in use that is not to be relied on, and declared memory that has nothing behind it.

use super::{dax, Kind, Problem, Severity};
use crate::cxl::Region;
use crate::decode::{Dead, Set, Told, Unsure, Why};
use crate::log::Event;
use crate::map::Map;
use crate::range::Range;
use crate::size::human;
use crate::unsound::{Fault, Unsound};

/// What is wrong with memory in use: each a loss.
pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = map.unsound.iter().map(|u| one(map, u)).collect();
    out.extend(map.by_hand.iter().filter_map(|r| declared_by_hand(map, r)));
    out.extend(map.wiped_in_regions().iter().map(|(s, m)| wiped(map, s, m)));
    out.extend(map.unsure.iter().map(|u| unsure(map, u)));
    out
}

fn is_wiped(map: &Map, memdevs: &[String], e: &Event) -> bool {
    let mut all = map.memdevs.iter().filter(|m| memdevs.contains(&m.name));
    matches!(e, Event::Wiped { pci } if all.any(|m| m.pci.as_ref() == Some(pci)))
}

/// A region whose decoders were wiped, unless it was made anew since.
fn wiped(map: &Map, set: &Set, memdevs: &[String]) -> Problem {
    let region = set.region.as_deref().unwrap_or("CXL");
    let mut problem = Problem::new(Kind::Undecoded, Severity::Warning, region)
        .because(format!(
            "a reset of the bus has wiped the decoders of {} while {region} was in use, and what sysfs shows of them \
             is what they were before: unless {region} was made anew since, which cannot be known, nothing maps its \
             addresses, and the memory cannot be relied on",
            super::listed(memdevs)
        ))
        .seen(dax::lines(map, |e| is_wiped(map, memdevs, e)))
        .fix(["# unless it was made anew: reboot at the next chance, after which firmware sets the decoders up again"]);
    problem.range = Some(set.range);
    problem
}

/// Memory behind which nothing shows, where a device does not tell how large it is.
fn unsure(map: &Map, unsure: &Unsure) -> Problem {
    let names = |ranges: &[Range]| -> Vec<String> { ranges.iter().map(Range::to_string).collect() };
    if unsure.memdevs.is_empty() {
        let window = map.windows.iter().find(|w| w.label() == unsure.window);
        return Problem::new(Kind::Unreadable, Severity::Warning, unsure.window.as_str())
            .because(format!(
                "no decoder maps {} of {}: it may be memory of the host that caches what the CXL device maps (an \
                 extended linear cache), which no decoder has to map, and which this kernel made no part of a region; \
                 ACPI's HMAT tells, and is not read, so whether something answers there cannot be known",
                super::listed(&names(&unsure.ranges)),
                unsure.window,
            ))
            .seen(["/sys/firmware/acpi/tables/HMAT"])
            .seen(window.map_or(Vec::new(), |w| crate::decode::cache::said(map, w)));
    }
    let one = unsure.memdevs.len() == 1;
    let paths = unsure.memdevs.iter();
    Problem::new(Kind::Unreadable, Severity::Warning, unsure.memdevs.join(" "))
        .because(format!(
            "no decoder that can be read maps {} of {}, and the capacity of {} behind it cannot be read: whether \
             {} there cannot be known",
            super::listed(&names(&unsure.ranges)),
            unsure.window,
            super::listed(&unsure.memdevs),
            if one { "its memory is" } else { "their memory is" },
        ))
        .seen(paths.map(|m| format!("/sys/bus/cxl/devices/{m}/ram/size")))
        .seen(unsure.memdevs.iter().flat_map(|name| {
            let memdev = map.memdevs.iter().find(|m| m.name == *name);
            memdev.map_or(Vec::new(), |m| super::memdev::failed(map, m))
        }))
}

/// Memory in a window that only `memmap=` declares, and for which no CXL device is left.
fn declared_by_hand(map: &Map, range: &Range) -> Option<Problem> {
    let memory = [*range];
    let dead = crate::decode::find(map, &memory, &[]).dead;
    // What is told as a loss, or with the range, is not told again.
    let is_told = |r: &Range| map.dead.iter().any(|d| d.range.overlaps(r));
    let first = dead.iter().find(|d| !is_told(&d.range))?;
    let mut problem = Problem::new(Kind::Undecoded, Severity::Note, "memmap").because(format!(
        "memmap= on the command line declares {range}, but no CXL decoder maps {}, and no device is left \
         that could be behind it: it is memory only if something else than CXL answers there",
        first.range
    ));
    problem.range = Some(*range);
    Some(problem.seen(["/proc/cmdline"]))
}

fn one(map: &Map, unsound: &Unsound) -> Problem {
    let range = unsound.range;
    let device = device_of(map, &range);
    let subject = device.unwrap_or("System RAM").to_string();
    let who = device.map_or("memory in use".to_string(), |d| {
        format!("{d} is in use, and")
    });
    let loss = |kind| Problem::new(kind, Severity::Loss, subject.clone()).at(range, unsound.bytes);
    match &unsound.fault {
        Fault::Dead { why } => {
            let problem = dead(map, Severity::Loss, &subject, &range, why);
            let mut problem = problem.at(range, unsound.bytes);
            problem.cause = match device {
                Some(device) => format!("{device} is in use, but {}", problem.cause),
                None => format!("this memory is in use, but {}", problem.cause),
            };
            // What no device has any more only a reboot frees.
            let reboot = device.is_none().then_some("# nothing to run: reboot at the next chance");
            problem.fix(take_offline(map, device)).fix(reboot)
        }
        Fault::Stuck => loss(Kind::Stuck)
            .because(
                "kmem could not take this memory away while it was in use: it stays online, its driver \
                 is gone, and what is behind it may be as well; only a reboot frees it",
            )
            .seen(dax::lines(map, |e| {
                matches!(e, Event::Stuck { range: r, .. } if r.overlaps(&range))
            }))
            .fix(["# nothing to run: reboot at the next chance"]),
        Fault::WithoutDevice => loss(Kind::WithoutDevice)
            .because(
                "System RAM that kmem added, and no dax device has it: its device was removed while \
                 the memory was in use; only a reboot frees it",
            )
            .seen(["/proc/iomem"])
            .fix(["# nothing to run: reboot at the next chance"]),
        Fault::Foreign { of } => loss(Kind::Foreign)
            .because(match is_persistent(map, of) {
                true => format!(
                    "{who} this is the persistent memory of {of}: what was kept there is overwritten"
                ),
                false => format!("{who} this is the memory of {of}, whose driver cannot have it so"),
            })
            .fix(take_offline(map, device)),
    }
}

/// The dax device in use there.
fn device_of<'a>(map: &'a Map, range: &Range) -> Option<&'a str> {
    let mut used = map.dax.iter().filter(|d| d.driver.is_some());
    let device = used.find(|d| d.ranges.iter().any(|r| r.overlaps(range)))?;
    Some(&device.name)
}

fn take_offline(map: &Map, device: Option<&str>) -> Vec<String> {
    let found = device.and_then(|name| map.dax.iter().find(|d| d.name == name));
    let Some((device, driver)) = found.and_then(|d| Some((&d.name, d.driver.as_deref()?))) else {
        return Vec::new();
    };
    if driver != "kmem" {
        let users = match driver {
            "fsdev_dax" => format!("unmount what is on /dev/{device}"),
            _ => format!("end the programs that have /dev/{device} open"),
        };
        return vec![format!(
            "# {users}, and take it from its driver: echo {device} > /sys/bus/dax/drivers/{driver}/unbind"
        )];
    }
    vec![
        format!(
            "# take {device} offline now; this may stop half-way, where memory cannot be freed:"
        ),
        format!("daxctl offline-memory {device}"),
    ]
}

/// Declared memory that is not in use and has nothing behind it; `None` if something may have.
pub(super) fn unused(map: &Map, dead_part: &Dead, bytes: u64) -> Problem {
    let range = dead_part.range;
    let (severity, subject) = match &dead_part.why {
        // It can be had back: the members are there.
        Why::Reset { region } => return super::region::reset(map, region).at(range, bytes),
        Why::NoDevice { window } | Why::NoCapacity { window, .. } => (Severity::Warning, window),
        Why::RegionGone { .. } | Why::MemberGone { .. } | Why::Wiped { .. } => {
            (Severity::Warning, &"CXL".to_string())
        }
    };
    let problem = dead(map, severity, subject, &range, &dead_part.why).at(range, bytes);
    let problem = problem.fix(["# nothing to run: keep this memory out of use"]);
    match &dead_part.why {
        Why::NoDevice { window } => problem.fix([
            format!("# or plug a device in behind {window}, and make a region of it: `cxl create-region`;"),
            "# `daxown doctor` then says with which arguments, if that can be done".to_string(),
        ]),
        _ => problem,
    }
}

/// Whether the memory of whom it is said to be is persistent: accelerators are named by their place on PCI.
fn is_persistent(map: &Map, of: &str) -> bool {
    map.region(of).is_some_and(Region::is_persistent) || map.memdevs.iter().any(|m| m.name == of)
}

fn uses_decoders(map: &Map, memdevs: &[String]) -> bool {
    let mut own = map.memdevs.iter().filter(|m| memdevs.contains(&m.name));
    own.any(|m| map.uses_decoders(m))
}

fn is_any_committed(map: &Map, memdevs: &[String]) -> bool {
    let mut own = map.memdevs.iter().filter(|m| memdevs.contains(&m.name));
    own.any(|m| map.maps_by_decoders(m))
}

/// The decoders of some devices, of which none is committed.
fn decoders_of(map: &Map, memdevs: &[String]) -> Vec<String> {
    let own = map.endpoints.iter().filter(|e| memdevs.contains(&e.memdev));
    let mut ports: Vec<&str> = own
        .filter_map(|e| Some(e.name.split_once('.')?.0))
        .collect();
    ports.dedup();
    ports
        .iter()
        .map(|p| format!("/sys/bus/cxl/devices/{p}.*/size"))
        .collect()
}

fn dead(map: &Map, severity: Severity, subject: &str, range: &Range, why: &Why) -> Problem {
    let make = |kind| Problem::new(kind, severity, subject);
    match why {
        Why::NoDevice { window } => {
            let gone = dax::lines(map, |e| matches!(e, Event::CardGone { .. }));
            let kind = match severity {
                Severity::Loss => Kind::Undecoded,
                _ => Kind::DeviceGone,
            };
            make(kind)
                .because(format!(
                    "no CXL device is behind {window}: its memory went with the device, or never was there"
                ))
                .seen(gone)
        }
        Why::NoCapacity {
            window,
            memdevs,
            left,
            needed,
        } => make(Kind::Undecoded)
            .seen(dax::lines(map, |e| match e {
                Event::CardGone { .. } => true,
                Event::Stuck { range: r, .. } => r.overlaps(range),
                _ => false,
            }))
            .because(format!(
                "no committed endpoint decoder maps {} of {window}, and {} behind it {} {}",
                human(*needed),
                super::listed(memdevs),
                if memdevs.len() == 1 { "has" } else { "have" },
                match left {
                    0 if !is_any_committed(map, memdevs) => match uses_decoders(map, memdevs) {
                        true => "no committed decoder at all, since the region is gone".to_string(),
                        false => "no committed decoder, and no capacity".to_string(),
                    },
                    0 => "committed decoders for other addresses only".to_string(),
                    some => format!("only {} that may be mapped without showing", human(*some)),
                },
            ))
            .seen(map.sets().iter().flat_map(|set| {
                let decoders = set.members.iter().map(|(name, _)| name.clone());
                decoders
                    .map(|d| format!("/sys/bus/cxl/devices/{d} maps {}", set.range))
                    .collect::<Vec<_>>()
            })),
        Why::RegionGone { told_by, memdevs } => make(Kind::Undecoded)
            .because(format!(
                "the region that had it is gone{}, and no decoder of {} is committed for {range}",
                match told_by {
                    Told::Decoder(name) => format!(" ({name} still has its addresses)"),
                    Told::Ledger(region) => format!(" ({region}, says the ledger)"),
                },
                super::listed(memdevs)
            ))
            .seen([match told_by {
                Told::Decoder(name) => format!("/sys/bus/cxl/devices/{name}"),
                Told::Ledger(_) => format!("/{}", crate::ledger::LEDGER_PATH),
            }])
            .seen(decoders_of(map, memdevs)),
        Why::Reset { region } => make(Kind::Undecoded)
            .because(format!(
                "the decoders of {region} were reset: nothing maps {range}"
            ))
            .seen([format!("/sys/bus/cxl/devices/{region}/commit")]),
        Why::Wiped { memdevs } => make(Kind::Undecoded)
            .because(format!(
                "a reset of the bus has wiped the decoders of {}: nothing maps {range} until the next boot, and what \
                 sysfs shows of them is what they were before",
                super::listed(memdevs)
            ))
            .seen(dax::lines(map, |e| is_wiped(map, memdevs, e))),
        Why::MemberGone {
            have,
            ways,
            granularity,
        } => {
            let gone = dax::lines(map, |e| matches!(e, Event::CardGone { .. }));
            let have_n = u64::try_from(have.len()).unwrap_or(*ways);
            let blank: Vec<String> = super::region::blank(map, range)
                .iter()
                .map(|m| m.name.clone())
                .collect();
            let others = match blank.len() {
                0 => "no other device is there that could be one".to_string(),
                1 => format!(
                    "{}, which is there, maps nothing (it was reset, or never set up)",
                    blank[0]
                ),
                _ => format!(
                    "{}, which are there, map nothing (they were reset, or never set up)",
                    super::listed(&blank)
                ),
            };
            make(Kind::MemberGone)
                .because(format!(
                    "{have_n} of {ways} devices of its interleave set {} left ({}), and {others}: {} of every {ways} granules{} have nothing behind them",
                    if have_n == 1 { "is" } else { "are" },
                    super::listed(have),
                    ways.saturating_sub(have_n),
                    granularity.map_or(String::new(), |g| format!(" of {g} bytes")),
                ))
                .seen(gone)
        }
    }
}
