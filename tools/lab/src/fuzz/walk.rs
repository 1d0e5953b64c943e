// SPDX-License-Identifier: GPL-2.0

//! A random walk in a guest: what administrators and hardware do to CXL memory, in any order and
//! several at once. After each step the machine comes to rest and is looked at, at the end it is put
//! in order (`operate` and `at-rest` in the guest).

use std::fmt::Write;

use fastrand::Rng;

/// What can be done, as `operate` has it, and how often against the others.
const OPERATIONS: [(&str, usize); 28] = [
    ("load", 6),
    ("load-hmem", 1),
    ("unload", 3),
    ("unload-cxl", 2),
    ("bind", 5),
    ("unbind", 3),
    ("rebind", 4),
    ("unbind-one", 3),
    ("bind-one", 3),
    ("disable-region", 3),
    ("destroy-region", 5),
    ("enable-region", 3),
    ("create-region", 8),
    ("disable-memdev", 3),
    ("enable-memdev", 6),
    ("remove-card", 2),
    ("rescan", 4),
    ("offline-block", 3),
    ("online", 4),
    ("offline", 2),
    ("to-file", 2),
    ("to-ram", 2),
    ("occupy", 2),
    ("vacate", 3),
    ("exclude", 1),
    ("include", 2),
    ("read", 2),
    ("udev", 2),
];

/// Soft Reserved ranges, as start and size in MiB from the start of the window.
const LAYOUTS: [&[(u64, u64)]; 4] = [
    &[(0, 1024), (1536, 512)],
    &[(0, 512), (512, 512), (2048, 256)],
    &[(0, 1536)],
    &[(256, 1024), (3072, 512)],
];

/// How many do something at the same time.
const ACTORS: [usize; 6] = [1, 1, 1, 2, 2, 3];

/// A walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Sizes of the regions that firmware commits, side by side from the start of the window, in MiB.
    regions: Vec<u64>,
    ranges: &'static [(u64, u64)],
    /// Whether CXL keeps what its regions cover of a range.
    split: bool,
    /// What is done in each step; the members of one begin at the same time.
    pub steps: Vec<Vec<String>>,
}

impl Walk {
    /// Makes one up.
    pub fn random(random: &mut Rng, steps: usize) -> Self {
        let regions = match random.usize(..5) {
            0 => Vec::new(),
            1 | 2 => vec![if random.bool() { 512 } else { 256 }],
            _ => vec![512, 512],
        };
        let all: usize = OPERATIONS.iter().map(|(_, weight)| weight).sum();
        let operation = |random: &mut Rng| {
            let mut at = random.usize(..all);
            let (name, _) = OPERATIONS
                .iter()
                .find(|(_, weight)| match at.checked_sub(*weight) {
                    Some(rest) => {
                        at = rest;
                        false
                    }
                    None => true,
                })
                .unwrap_or(&OPERATIONS[0]);
            format!("{name} {}", random.usize(..8))
        };
        Self {
            regions,
            ranges: LAYOUTS[random.usize(..LAYOUTS.len())],
            split: random.usize(..4) == 0,
            steps: (0..steps)
                .map(|_| {
                    let actors = ACTORS[random.usize(..ACTORS.len())];
                    (0..actors).map(|_| operation(random)).collect()
                })
                .collect(),
        }
    }

    /// The same walk with only some of its steps.
    pub fn with_steps(&self, steps: &[Vec<String>]) -> Self {
        Self {
            steps: steps.to_vec(),
            ..self.clone()
        }
    }

    /// The scenario file.
    pub fn scenario(&self) -> String {
        let mut text = String::from(
            "# SPDX-License-Identifier: GPL-2.0\n\
             description = \"A random walk\"\ntimeout = 1200\n\
             unpredicted = \"the steps take the machine wherever they go\"\n\n\
             [machine]\nram = \"1536M\"\n\n\
             [[device]]\nname = \"mem0\"\nserial = 0x1001\n\n\
             [[device]]\nname = \"mem1\"\nserial = 0x1002\n\n[[window]]\n",
        );
        let mut start = 0;
        for (number, size) in self.regions.iter().enumerate() {
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "\n[[region]]\nat = \"window0+{start}M\"\nsize = \"{size}M\"\n\
                 devices = [\"mem{number}\"]\n",
            );
            start += size;
        }
        for (number, (start, size)) in self.ranges.iter().enumerate() {
            let _ = write!(
                text,
                "\n[[soft_reserved]]\nname = \"r{number}\"\nbase = \"window0+{start}M\"\n\
                 size = \"{size}M\"\nunbacked = true\n",
            );
        }
        if self.split {
            text.push_str("\n[modules.options]\ndax_hmem = \"policy=split\"\n");
        }
        step(&mut text, "at first", "at-rest");
        for operations in &self.steps {
            let actors: Vec<String> = operations
                .iter()
                .map(|operation| format!("operate {operation}"))
                .collect();
            let run = match actors.len() {
                1 => actors.concat(),
                _ => format!("{} &\nwait", actors.join(" &\n")),
            };
            step(
                &mut text,
                &operations.join(" beside "),
                &format!("{run}\nat-rest"),
            );
        }
        step(&mut text, "in order again", "at-rest whole");
        text
    }
}

fn step(text: &mut String, name: &str, run: &str) {
    let _ = write!(
        text,
        "\n[[step]]\nname = \"{name}\"\nwithin = 300\nrun = \"\"\"\n{run}\n\"\"\"\n"
    );
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_walk_is_a_valid_scenario() {
        let mut random = Rng::with_seed(1);
        let mut text = String::new();
        for _ in 0..50 {
            let walk = Walk::random(&mut random, 10);
            let scenario = walk.scenario();
            if let Err(error) = Scenario::parse(Path::new("walk.toml"), &scenario) {
                panic!("{error:#}\n{scenario}");
            }
            assert_eq!(scenario.matches("[[step]]").count(), 12);
            text.push_str(&scenario);
        }
        for (name, _) in OPERATIONS {
            assert!(text.contains(&format!("operate {name} ")), "{name}");
        }
    }

    /// The guest knows each operation.
    #[test]
    fn every_operation_can_be_done() {
        let operate = include_str!("../../guest/bin/operate");
        for (name, _) in OPERATIONS {
            let known = operate.lines().any(|line| {
                let mut words = line.split(')').next().unwrap_or_default().split(" | ");
                words.any(|word| word == name)
            });
            assert!(known, "{name}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_walk() {
        let walk = |seed| Walk::random(&mut Rng::with_seed(seed), 30);
        assert_eq!(walk(3), walk(3));
        assert_ne!(walk(3), walk(4));
    }
}
