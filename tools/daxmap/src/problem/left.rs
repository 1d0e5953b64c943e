// SPDX-License-Identifier: GPL-2.0

//! A range that dax_hmem left to CXL, which has no region there.

use super::{dax, remedy, Kind, Problem, Severity};
use crate::log::Event;
use crate::map::Map;
use crate::modules::{Drivers, Presence};
use crate::own::Piece;

pub(super) fn problem(map: &Map, piece: &Piece) -> Problem {
    let said = dax::lines(
        map,
        |e| matches!(e, Event::Decision { range, .. } if range.overlaps(&piece.range)),
    );
    let stuck = dax::lines(
        map,
        |e| matches!(e, Event::Stuck { range, .. } if range.overlaps(&piece.range)),
    );
    let mut cause = String::from(
        "dax_hmem is bound and left the range to CXL, which has no committed region there",
    );
    // From 6.3 on the stock driver leaves to CXL what lies in a window; before 7.2 it does not wait for CXL,
    // so that it leaves it at each boot.
    let leaves = !map.kernel_is_before(6, 3) || !said.is_empty();
    let is_old = map.drivers == Drivers::Stock && map.kernel_is_before(7, 2) && leaves;
    if is_old {
        cause.push_str("; the stock driver of this release does so at each boot for every range in a CXL window");
    } else if map.drivers == Drivers::Stock {
        cause.push_str(
            "; the stock driver does so for every range in a CXL window once it was unbound or reloaded",
        );
    }
    if map.drivers == Drivers::Stock && !leaves {
        return Problem::new(Kind::Unexplained, Severity::Loss, "dax_hmem")
            .because(
                "dax_hmem is bound, and made no device for the range, in which CXL has no committed region; before \
                 6.3 the kernel's own driver leaves nothing to CXL, so nothing that could be read says why",
            )
            .seen(stuck)
            .fix(["# with dynamic debug of dax_hmem (dyndbg=+p) the log of the next boot says more"]);
    }
    let problem = Problem::new(Kind::LeftToCxl, Severity::Loss, "dax_hmem")
        .because(cause)
        .seen(said)
        .seen(stuck);
    let missing: Vec<&str> = ["cxl_pci", "cxl_port", "cxl_mem"]
        .into_iter()
        .filter(|m| {
            map.module(m)
                .is_some_and(|m| m.presence == Presence::Installed)
        })
        .collect();
    if !missing.is_empty() {
        return problem
            .fix(["# a region that firmware committed comes, and takes the range, once CXL's drivers are loaded:"])
            .fix([format!("modprobe -a {}", missing.join(" "))])
            .fix(match is_old {
                true => remedy::use_rust_modules(),
                false => [vec!["# otherwise:".into()], remedy::reboot(map)].concat(),
            });
    }
    let region = remedy::create_region(map, &piece.range, false);
    if is_old && region.iter().all(|line| line.starts_with('#')) {
        let absent = |m: &&str| {
            map.module(m)
                .is_some_and(|m| m.presence == Presence::Absent)
        };
        let absent: Vec<&str> = ["cxl_pci", "cxl_port", "cxl_mem"]
            .into_iter()
            .filter(absent)
            .collect();
        let problem = match absent.is_empty() {
            true => problem,
            false => problem.fix([format!(
                "# this kernel has no {}, so that no region that firmware committed comes",
                absent.join(", ")
            )]),
        };
        problem.fix(region).fix(remedy::use_rust_modules())
    } else if is_old {
        problem
            .fix(["# make a CXL region of it:"])
            .fix(region)
            .fix(remedy::use_rust_modules())
    } else if region.is_empty() {
        problem.fix(remedy::reboot(map))
    } else if region.iter().all(|line| line.starts_with('#')) {
        problem.fix(region).fix(remedy::reboot(map))
    } else {
        problem
            .fix([match remedy::reboot(map)[..] {
                [_] => "# make a CXL region of it, or reboot:",
                _ => "# make a CXL region of it:",
            }])
            .fix(region)
    }
}
