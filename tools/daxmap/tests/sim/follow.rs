// SPDX-License-Identifier: GPL-2.0

//! One advice followed: no step of it makes anything worse, and in the end it has mended its problem.

use daxmap::problem::Problem;

use super::ask::{commands, problems};
use super::Machine;

/// The machine after all commands of an advice; an error if a command fails or does harm, or if they were
/// to no avail. `None` where there is no command.
pub fn follow(before: &Machine, problem: &Problem) -> Result<Option<Machine>, String> {
    let commands = commands(problem);
    if commands.is_empty() {
        return Ok(None);
    }
    let (good, mut bad) = before.in_use();
    // What waits is decided whether anybody waits for it or not.
    if !before.deferred.is_empty() {
        let mut later = before.clone();
        later.decide();
        bad = bad.max(later.in_use().1);
    }
    let mut after = before.clone();
    for command in &commands {
        after
            .run(command)
            .map_err(|why| format!("{command}: {why}"))?;
        if !after.is_sane() {
            return Err(format!("{command}: memory is mapped twice"));
        }
        if after.in_use().1 > bad {
            return Err(format!("{command}: memory with nothing behind it"));
        }
    }
    let (good_then, bad_then) = after.in_use();
    if good_then < good {
        return Err(format!("{} bytes were lost", good - good_then));
    }
    // Where a module is not loaded that memory needs to be used, that is the next problem.
    let waits = !after.is_loaded("kmem") || after.has_dax_cxl && !after.dax_cxl_runs();
    // After a reboot firmware may declare less: what has no device behind it does not come back.
    let declared = |range| daxmap::range::covered_bytes(&range, &after.declared);
    let is_boot = commands.contains(&"reboot");
    let wanted = match problem.range.filter(|_| is_boot) {
        Some(range) => problem.bytes.min(declared(range)),
        None => problem.bytes,
    };
    if !waits && bad_then == bad && good_then < good + wanted {
        let came = good_then - good;
        return Err(format!("{wanted} bytes were to come back, {came} did"));
    }
    let same = |p: &&Problem| {
        (p.kind, &p.subject, p.range) == (problem.kind, &problem.subject, problem.range)
    };
    match problems(&after).iter().find(same) {
        Some(left) if left.bytes >= problem.bytes => Err("it is still there".into()),
        _ => Ok(Some(after)),
    }
}
