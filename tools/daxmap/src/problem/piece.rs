// SPDX-License-Identifier: GPL-2.0

//! Why a piece of a Soft Reserved range is not usable.

use ownership::Why;

use super::{dax, hmem, left, offline, physical, remedy, told, Kind, Problem, Severity};
use crate::decode::Why as Gone;
use crate::firmware::Source;
use crate::log::Event;
use crate::map::Map;
use crate::modules::{Drivers, Presence};
use crate::own::{last_word, reserve_failed, Evidence, Owner, Piece, ReasonCode, State};
use crate::range::Range;
use crate::reserved::Reserved;

/// What the drivers align to: a huge page.
pub(super) const ALIGN: u64 = 2 << 20;

pub(super) fn diagnose(map: &Map, reserved: &Reserved, piece: &Piece) -> Vec<Problem> {
    let len = piece.range.len();
    let Some(online) = piece.online_bytes else {
        return vec![unknown_owner(map, piece, 0)];
    };
    let mut out = Vec::new();
    if piece.file_bytes > 0 {
        out.push(file(map, piece));
    }
    let offline = piece.offline_bytes.unwrap_or(0);
    if offline > 0 {
        out.push(offline::problem(
            map,
            piece.range,
            offline,
            piece.device.as_deref(),
        ));
    }
    let used = online
        .saturating_add(offline)
        .saturating_add(piece.file_bytes);
    let mut lost = len.saturating_sub(used);
    if matches!(piece.owner, Owner::SystemRam | Owner::Driver { .. }) {
        return out;
    }
    // What has nothing behind it is told apart from what has, and is no driver's fault.
    let is_kept = piece.reason.code == ReasonCode::Known(Why::Persistent);
    // What is kept in persistent memory comes back with the device that is missing.
    let dead = map.dead_in(&piece.range).into_iter();
    for dead in dead.filter(|_| !is_kept) {
        // Where a region can be had again, what is said of the piece says how.
        if matches!(dead.why, Gone::RegionGone { .. }) {
            continue;
        }
        let in_use = map
            .used_bytes(&dead.range)
            .saturating_add(map.offline_bytes(dead.range).unwrap_or(0));
        let bytes = dead.range.len().saturating_sub(in_use).min(lost);
        if bytes > 0 {
            out.push(physical::unused(map, &dead, bytes));
            lost -= bytes;
        }
    }
    if lost == 0 {
        return out;
    }
    let problem = match (&piece.owner, piece.state) {
        (Owner::Unknown, _) => return join(out, vec![unknown_owner(map, piece, lost)]),
        (_, State::Deferred) => deferred(map, piece),
        (_, State::Free) if piece.reason.code == ReasonCode::Known(Why::Excluded) => {
            excluded(piece)
        }
        (_, State::Free) => free(map, piece),
        (Owner::Nobody, State::Failed) if piece.reason.code == ReasonCode::HmemProbeFailed => {
            hmem::failed(map, piece)
        }
        (Owner::Nobody, State::Failed) if hmem::is_unbound(piece) => hmem::unbound(map, piece),
        (Owner::Nobody, State::Foreign)
            if piece.reason.code == ReasonCode::Known(Why::Persistent) =>
        {
            persistent(piece)
        }
        (Owner::Nobody, State::Failed | State::Foreign) => unserved(map, piece),
        (Owner::Nobody, _) => unowned(map, reserved, piece),
        (Owner::Hmem { .. } | Owner::Cxl { .. }, _) => {
            return join(out, dax::unused(map, piece, lost))
        }
        (Owner::SystemRam | Owner::Driver { .. }, _) => return out,
    };
    join(out, vec![problem.at(piece.range, lost)])
}

fn join(mut a: Vec<Problem>, b: Vec<Problem>) -> Vec<Problem> {
    a.extend(b);
    a
}

/// Persistent memory whose region waits for a device, was refused, or never came to be.
fn persistent(piece: &Piece) -> Problem {
    Problem::new(Kind::Persistent, Severity::Warning, "Soft Reserved")
        .because(format!(
            "{}: nobody makes it System RAM, for that would overwrite what is kept there",
            piece.reason.text
        ))
        .seen(["/sys/kernel/debug/dax_hmem/ledger"])
        .fix(["# look which device is missing: cxl list -R -M -D -u"])
}

fn unknown(map: &Map, piece: &Piece) -> Problem {
    let problem =
        Problem::new(Kind::Unreadable, Severity::Warning, "Soft Reserved").at(piece.range, 0);
    if !map.in_source.sysfs {
        let said = last_word(map, &piece.range).filter(|_| piece.owner == Owner::Unknown);
        return match (said, &piece.owner) {
            (Some(words), _) => problem
                .because(format!(
                    "the log says: {words}; what became of it since is not in what was given"
                ))
                .seen(dax::said_of(map, &piece.range)),
            (None, Owner::Unknown) => {
                problem.because("who owns this range is not in what was given")
            }
            _ => problem.because("how much of this range is in use is not in what was given"),
        };
    }
    if piece.reason.evidence == Evidence::Ledger {
        return problem
            .because(format!(
                "whether it can be used is not known: {}",
                piece.reason.text
            ))
            .seen(["/sys/kernel/debug/dax_hmem/ledger"])
            .fix(["# a daxown of the version of the modules knows more"]);
    }
    let needs_root = map.gaps.iter().any(|g| g.needs_root);
    problem
        .because(
            "what could be read does not tell who owns this range, or how much of it is online",
        )
        .fix(needs_root.then(|| remedy::as_root(map)))
}

/// Where sysfs is not in the source: what the log says of the range, and nothing else.
fn unknown_owner(map: &Map, piece: &Piece, lost: u64) -> Problem {
    let reserve = reserve_failed(map, &piece.range);
    let (Some((device, range)), false) = (reserve, map.in_source.sysfs) else {
        return unknown(map, piece);
    };
    Problem::new(Kind::KmemCannotReserve, Severity::Loss, device)
        .at(piece.range, lost)
        .because(format!(
            "the log says that kmem could not reserve {range} for {device}; what became of {device} since \
             is not in what was given"
        ))
        .seen(dax::said_of_both(map, &piece.range, device))
        .fix([told::ASK])
}

/// Served as a file; a note.
pub(super) fn file(map: &Map, piece: &Piece) -> Problem {
    let device = piece.device.clone().unwrap_or_else(|| "dax".into());
    let is_fs = map
        .dax
        .iter()
        .any(|d| d.name == device && d.driver.as_deref() == Some("fsdev_dax"));
    let problem = Problem::new(Kind::DaxFile, Severity::Note, device.clone()).at(piece.range, 0);
    if is_fs {
        return problem.because(format!(
            "served as /dev/{device} for a file system (fsdev_dax)"
        ));
    }
    // daxctl wants to bring it online itself, and refuses where the kernel does.
    let policy = map.memory.auto_online.as_deref();
    let force = match policy.is_some_and(|word| word != "offline") {
        true => " --force",
        false => "",
    };
    problem
        .because(format!("served as /dev/{device}, not as System RAM"))
        .fix([format!(
            "# `daxctl reconfigure-device{force} --mode=system-ram {device}` makes it System RAM, and destroys \
             what is on it: only if nobody, on any host, needs it any more"
        )])
}

fn deferred(map: &Map, piece: &Piece) -> Problem {
    let waits = match &map.platform.ownership {
        Some(state) => format!(" (hmem_platform.0/ownership says {state})"),
        None => String::new(),
    };
    Problem::new(Kind::Deferred, Severity::Warning, "dax_hmem")
        .because(format!(
            "the decision waits for CXL{waits}: {}",
            piece.reason.text
        ))
        .fix(["daxown wait --timeout 60"])
}

fn excluded(piece: &Piece) -> Problem {
    Problem::new(Kind::Excluded, Severity::Note, "dax_hmem")
        .because(piece.reason.text.clone())
        .seen(["/sys/module/dax_hmem/parameters/exclude"])
        .fix(["# nothing to run if that is meant: dax_hmem leaves it alone as it was told"])
}

fn free(map: &Map, piece: &Piece) -> Problem {
    Problem::new(Kind::Free, Severity::Warning, "CXL")
        .because("its owner let it go, and it is free for a CXL region")
        .fix(free_remedy(map, piece))
}

fn free_remedy(map: &Map, piece: &Piece) -> Vec<String> {
    let device = piece.device.as_ref().filter(|d| {
        let unbound = map.hmem.iter().any(|h| h.name == **d && h.driver.is_none());
        unbound && piece.reason.code == ReasonCode::Known(Why::DriverUnbound)
    });
    match device {
        Some(device) => vec![remedy::bind_hmem(device)],
        None => match remedy::create_region(map, &piece.range, true) {
            region if region.is_empty() => vec![
                "# no region can be made there now: that takes a device with free capacity and a free decoder, and \
                 no region at a higher address behind the same host bridge"
                    .into(),
            ],
            region => region,
        },
    }
}

/// The ledger's own word on a piece that nobody could serve.
fn unserved(map: &Map, piece: &Piece) -> Problem {
    let here = format!("[mem {}]", piece.range);
    let misaligned = matches!(
        piece.reason.code,
        ReasonCode::Known(Why::UnalignedStart | Why::UnalignedEnd | Why::TooSmall)
    );
    // A remainder of an alignment is small by nature; a whole range is not.
    let severity = if piece.range.len() < ALIGN {
        Severity::Warning
    } else {
        Severity::Loss
    };
    let kind = if misaligned {
        Kind::Misaligned
    } else {
        Kind::Unserved
    };
    let problem = Problem::new(
        kind,
        severity,
        piece.device.clone().unwrap_or_else(|| "dax_hmem".into()),
    )
    .because(format!("nobody serves it; {}", piece.reason.text))
    .seen(
        (piece.reason.evidence == Evidence::Ledger).then_some("/sys/kernel/debug/dax_hmem/ledger"),
    )
    .seen(
        map.log
            .iter()
            .filter(|m| m.text.contains(&here))
            .map(|m| m.stamped()),
    );
    if misaligned {
        return problem
            .fix(["# have firmware declare ranges that begin and end at 2 MiB boundaries"]);
    }
    // Binding its platform device again would touch every other range as well.
    let device = map
        .hmem
        .iter()
        .find(|h| Some(&h.name) == piece.device.as_ref() && h.driver.is_none());
    match device {
        Some(h) if is_taken(map, &piece.range) => problem.fix([format!(
            "# once nobody else has it: {}",
            remedy::bind_hmem(&h.name)
        )]),
        Some(h) => problem.fix([remedy::bind_hmem(&h.name)]),
        None => problem.fix(["# once the cause is gone, reboot: dax_hmem then tries again"]),
    }
}

/// Whether a dax device or a CXL region that is served has a part of the range.
pub(super) fn is_taken(map: &Map, range: &Range) -> bool {
    let mut devices = map.dax.iter().flat_map(|d| &d.ranges);
    let mut regions = map.regions.iter().filter(|r| r.dax_driver.is_some());
    devices.any(|r| r.overlaps(range))
        || regions.any(|r| r.range.is_some_and(|r| r.overlaps(range)))
}

fn unowned(map: &Map, reserved: &Reserved, piece: &Piece) -> Problem {
    let loss = |kind, subject: &str| Problem::new(kind, Severity::Loss, subject);
    match piece.reason.code {
        ReasonCode::ModuleNotLoaded => no_module(map, piece),
        ReasonCode::PlatformUnbound => platform_unbound(map),
        ReasonCode::NotListed => not_registered(map),
        ReasonCode::BootRam => super::region::boot_ram(map, &piece.range),
        ReasonCode::LeftToCxl => left::problem(map, piece),
        ReasonCode::NotReadable => loss(Kind::Unexplained, "dax_hmem")
            .because(piece.reason.text.clone())
            .fix([
                "# the ledger is in debugfs, which root can mount: mount -t debugfs none /sys/kernel/debug",
            ]),
        _ => {
            let shown = reserved.sources.first() == Some(&Source::Iomem);
            loss(Kind::Unexplained, "dax_hmem")
                .because(format!("{}; nothing that could be read says why", piece.reason.text))
                .seen(shown.then_some("/proc/iomem"))
                .fix([
                    "# with dynamic debug of dax_hmem (dyndbg=+p) the log of the next boot says more",
                ])
        }
    }
}

/// Bound again, the kernel's own driver leaves what lies in a CXL window to CXL, and so to nobody.
fn platform_unbound(map: &Map) -> Problem {
    let problem = Problem::new(Kind::PlatformUnbound, Severity::Loss, "hmem_platform.0")
        .because("dax_hmem is loaded but not bound to hmem_platform.0, so it decides nothing");
    let in_window = |r: &Reserved| !map.windows_of(&r.range).is_empty();
    if map.drivers == Drivers::Rust || !map.reserved.iter().any(in_window) {
        return problem
            .fix(["echo hmem_platform.0 > /sys/bus/platform/drivers/hmem_platform/bind"]);
    }
    let reboot = remedy::reboot(map)
        .into_iter()
        .map(|line| match line == "reboot" {
            true => "# reboot: at boot it takes what CXL does not".into(),
            false => line,
        });
    problem
        .fix([
            "# not by binding it: the kernel's own driver then leaves what lies in a CXL window to nobody",
        ])
        .fix(reboot)
}

fn not_registered(map: &Map) -> Problem {
    let problem = Problem::new(Kind::NotRegistered, Severity::Loss, "kernel");
    if map.host.hmem_disabled {
        return problem
            .because("device_hmem.disable=1 is on the command line: the kernel registers no Soft Reserved range")
            .seen(["/proc/cmdline"])
            .fix(["# remove device_hmem.disable=1 from the kernel command line, and reboot"]);
    }
    problem
        .because(
            "the kernel registered no Soft Reserved range, and device_hmem.disable is not set: it may be \
             built without CONFIG_DEV_DAX_HMEM_DEVICES; that cannot be known from what could be read",
        )
        .fix(["# look for DEV_DAX_HMEM in the kernel's configuration"])
}

fn no_module(map: &Map, piece: &Piece) -> Problem {
    let module = map.module("dax_hmem");
    let presence = module.map(|m| m.presence);
    let problem = Problem::new(Kind::ModuleNotLoaded, Severity::Loss, "dax_hmem");
    if presence == Some(Presence::Absent) {
        return problem
            .because("this kernel has no dax_hmem module, and no CXL region covers the range")
            .fix(["# use a kernel with CONFIG_DEV_DAX_HMEM"]);
    }
    // What the kernel's own remembers outlives it: loaded again, it leaves what lies in a window to nobody.
    let decided = dax::lines(map, |e| matches!(e, Event::Decision { .. }));
    if remedy::boots_stock(map) && !decided.is_empty() && !map.windows_of(&piece.range).is_empty() {
        return problem
            .because(
                "dax_hmem was unloaded, and no CXL region covers the range; loaded again, the kernel's own leaves \
                 to nobody what lies in a CXL window, until the next boot",
            )
            .seen(decided)
            .fix(remedy::reboot(map));
    }
    // Without windows and decoders dax_hmem would take what nothing decodes as well.
    if let Some(cxl) = remedy::load_cxl(map) {
        return problem
            .because(
                "dax_hmem is not loaded, and neither are CXL's drivers, which show whether something decodes the \
                 range",
            )
            .fix([format!(
                "# `{cxl}` first; `daxown doctor` then says whether dax_hmem is to have it"
            )]);
    }
    problem
        .because("dax_hmem is not loaded, and no CXL region covers the range")
        .fix(remedy::load(map, "dax_hmem"))
        .fix([
            "# if it is never loaded by itself, look for a blacklist: grep -r dax_hmem /etc/modprobe.d",
        ])
}
