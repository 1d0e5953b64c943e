// SPDX-License-Identifier: GPL-2.0

//! When it is foretold what comes of a machine.

use super::Drivers;
use super::Scenario;

/// Modules without which nobody decides.
const DECIDERS: [&str; 4] = ["dax_hmem", "dax_cxl", "kmem", "device_dax"];

/// When `daxown predict` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// In the first boot, when the regions are committed and none of the DAX drivers was loaded.
    Firmware,
    /// When a step is about to let dax_hmem be loaded.
    Release,
    /// When the drivers have done their work, before the first step.
    First,
}

impl Moment {
    /// The word for the guest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Release => "release",
            Self::First => "first",
        }
    }
}

impl Scenario {
    /// When it is asked with `drivers`, on a kernel that can have a dax_cxl or not.
    ///
    /// Where steps load the drivers, they may have changed the machine since firmware was done with it.
    /// Then only what they are about to load them on counts; but without windows nothing is known.
    pub fn predictions(&self, drivers: Drivers, has_dax_cxl: bool) -> Vec<Moment> {
        let is_held = |name: &str| self.hold.iter().any(|held| held == name);
        let mut moments = Vec::new();
        if drivers == Drivers::None || self.cxl_test || self.unpredicted.is_some() {
            return moments;
        }
        // Firmware's kernel has one, and none of the parameters that change where memory is.
        let moves = |arg: &String| arg.starts_with("memmap=") || arg.starts_with("reserve=");
        if has_dax_cxl && self.needs_firmware() && !self.kernel_args.iter().any(moves) {
            moments.push(Moment::Firmware);
        }
        match DECIDERS.iter().any(|name| is_held(name)) {
            true if is_held("cxl_acpi") => {}
            true => moments = vec![Moment::Release],
            false if is_held("cxl_acpi") => {}
            false => moments.push(Moment::First),
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_scenario_is_foretold_or_says_why_not() {
        let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut foretold = 0;
        for path in Scenario::all(&repo).unwrap() {
            let scenario = Scenario::load(&repo, path.to_str().unwrap()).unwrap();
            let is_foretold = !scenario.predictions(Drivers::Rust, true).is_empty();
            assert!(
                is_foretold || scenario.unpredicted.is_some(),
                "{}",
                scenario.name
            );
            foretold += usize::from(is_foretold);
        }
        assert!(foretold > 90, "{foretold}");
    }
}
