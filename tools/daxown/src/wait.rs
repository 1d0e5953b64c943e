// SPDX-License-Identifier: GPL-2.0

//! `daxown wait`: returns when ownership is settled.
//!
//! The Rust dax_hmem says so in an attribute that can be polled, and announces it with a uevent. The
//! stock drivers say nothing: then the map is read anew at every uevent, and it is settled when each
//! range has an owner or a driver that failed. A range that nobody has may still be waited for.

mod condition;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use daxmap::modules::Drivers;
use daxmap::{Map, Tree};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::netlink::{SocketAddrNetlink, KOBJECT_UEVENT};
use rustix::net::{bind, recv, socket_with, AddressFamily, RecvFlags, SocketFlags, SocketType};
use schemars::JsonSchema;
use serde::Serialize;

pub use condition::{Condition, ConditionDoc};

use crate::cli::{Global, WaitArgs};
use crate::json::{self, Machine};
use crate::show::human;

const OWNERSHIP: &str = "/sys/bus/platform/devices/hmem_platform.0/ownership";

/// `daxown wait -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaitDoc {
    /// `daxown-wait-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// Whether ownership is settled.
    pub settled: bool,
    /// Whether the kernel says so, rather than it being concluded from the devices there are.
    pub told: bool,
    /// How long it took.
    pub seconds: f64,
    /// What `--for` and `--node` asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionDoc>,
}

pub fn run(global: &Global, args: &WaitArgs) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    let mut conditions = args.conditions.clone();
    conditions.extend(args.node.iter().copied().map(Condition::Node));
    if !tree.is_live() && !conditions.is_empty() {
        let map = Map::read(&tree);
        return report(global, &map, &conditions, Instant::now());
    }
    if !tree.is_live() {
        bail!("wait needs the running machine; a captured tree does not change (drop --sysroot)");
    }
    let start = Instant::now();
    let limit = args.timeout.map(Duration::from_secs_f64);
    // Before the first look, so that no event falls between looking and waiting.
    let events = uevents().context("kernel events (netlink)")?;
    let mut warned = false;
    loop {
        let mut attribute = File::open(OWNERSHIP).ok();
        let word = attribute.as_mut().and_then(read_word);
        let map = Map::read(&tree);
        if !conditions.is_empty() {
            let left = limit.map(|l| l.saturating_sub(start.elapsed()));
            if left == Some(Duration::ZERO) || conditions.iter().all(|c| c.holds(&map)) {
                return report(global, &map, &conditions, start);
            }
            // Not every change has an event.
            let turn = Duration::from_secs(1);
            sleep(
                attribute.as_ref(),
                &events,
                Some(left.map_or(turn, |l| l.min(turn))),
            )?;
            continue;
        }
        let settled = match &word {
            Some(word) => word == "settled",
            None => settled_without_word(&map),
        };
        if settled {
            return report_settled(global, &map, true, word.is_some(), start);
        }
        if word.is_none() && !warned {
            eprintln!("daxown: {}", why_unsure(&map));
            warned = true;
        }
        let left = match limit.map(|l| l.checked_sub(start.elapsed())) {
            Some(None) => return report_settled(global, &map, false, word.is_some(), start),
            Some(left) => left,
            None => None,
        };
        sleep(attribute.as_ref(), &events, left)?;
    }
}

fn read_word(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Some(text.trim().to_string())
}

/// Nothing to decide is settled; modules that are not loaded yet are not.
fn settled_without_word(map: &Map) -> bool {
    if map.reserved.is_empty() && !map.platform.present {
        return true;
    }
    map.settled() == Some(true)
}

fn why_unsure(map: &Map) -> String {
    match map.drivers {
        Drivers::None => "dax_hmem is not loaded; waiting for it".into(),
        _ => "these drivers do not say when they have decided; waiting until each range has an owner (a \
              range that is left to nobody looks the same as one still waited for: use --timeout)"
            .into(),
    }
}

/// Until the attribute or a device changes, or the time is over.
fn sleep(attribute: Option<&File>, events: &OwnedFd, left: Option<Duration>) -> Result<()> {
    let mut fds = vec![PollFd::new(events, PollFlags::IN)];
    if let Some(file) = attribute {
        fds.push(PollFd::new(file, PollFlags::PRI | PollFlags::ERR));
    }
    let left = left.map(|d| Timespec {
        tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(d.subsec_nanos()),
    });
    match poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(e) => return Err(e).context("poll"),
    }
    // One look answers all events so far; an overrun (ENOBUFS) asks for one as well.
    let mut buffer = [0u8; 8192];
    while let Ok((n, _)) = recv(events, &mut buffer[..], RecvFlags::DONTWAIT) {
        if n == 0 {
            break;
        }
    }
    Ok(())
}

pub fn uevents() -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(KOBJECT_UEVENT),
    )?;
    // Group 1: the kernel's own events, before udev has handled them.
    bind(&socket, &SocketAddrNetlink::new(0, 1))?;
    Ok(socket)
}

fn report_settled(
    global: &Global,
    map: &Map,
    settled: bool,
    told: bool,
    start: Instant,
) -> Result<ExitCode> {
    let seconds = seconds_since(start);
    if global.json {
        crate::print(&json::text(&WaitDoc {
            schema: "daxown-wait-1".into(),
            machine: Machine::of(map),
            settled,
            told,
            seconds,
            conditions: Vec::new(),
        })?)?;
    } else if settled {
        let how = match told {
            true => "dax_hmem says so",
            false if map.reserved.is_empty() => "there is no Soft Reserved memory",
            false => "each range has an owner",
        };
        crate::print(&format!("settled after {seconds:.1} s: {how}\n"))?;
    } else {
        eprintln!("daxown: not settled after {seconds:.1} s; `daxown doctor` says what is open");
    }
    Ok(match settled {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

/// What became of the conditions.
fn report(
    global: &Global,
    map: &Map,
    conditions: &[Condition],
    start: Instant,
) -> Result<ExitCode> {
    let seconds = seconds_since(start);
    let open: Vec<String> = conditions
        .iter()
        .filter(|c| !c.holds(map))
        .map(Condition::to_string)
        .collect();
    if global.json {
        let settled = map.settled();
        crate::print(&json::text(&WaitDoc {
            schema: "daxown-wait-1".into(),
            machine: Machine::of(map),
            settled: settled == Some(true),
            told: map.platform.ownership.is_some(),
            seconds,
            conditions: conditions
                .iter()
                .map(|c| ConditionDoc {
                    condition: c.to_string(),
                    holds: c.holds(map),
                    unsound: c.unsound_bytes(map),
                })
                .collect(),
        })?)?;
    } else if open.is_empty() {
        crate::print(&format!("as asked for after {seconds:.1} s\n"))?;
    } else {
        eprintln!("daxown: not so after {seconds:.1} s: {}", open.join(", "));
    }
    for condition in conditions.iter().filter(|_| !global.json) {
        let bytes = condition.unsound_bytes(map);
        if bytes > 0 {
            eprintln!(
                "daxown: {condition}: {} in use there is not to be relied on; `daxown doctor` says why",
                human(bytes)
            );
        }
    }
    Ok(ExitCode::from(u8::from(!open.is_empty())))
}

/// To the millisecond.
fn seconds_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}
