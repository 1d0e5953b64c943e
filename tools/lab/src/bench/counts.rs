// SPDX-License-Identifier: GPL-2.0

//! What a counting guest printed, put into figures.
//!
//! Its lines are a word and a number: `resolve-16 69822`. The module `many_ranges` says what is
//! counted.

use std::collections::BTreeMap;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::result::Bench;
use super::result::Figure;
use super::result::Topic;
use super::result::Unit;
use super::result::RESOLVE;
use super::stats::Sample;
use crate::scenario::Drivers;

/// How many ranges are resolved.
pub const RANGES: [u64; 4] = [1, 16, 128, 1024];

/// The numbers of a guest, by what they count.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<String, Sample>);

impl Counts {
    /// Reads the output of the steps.
    pub fn parse<'a>(logs: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut counts = Self::default();
        for line in logs.flat_map(str::lines) {
            let (what, number) = line
                .split_once(' ')
                .with_context(|| format!("the guest said `{line}`"))?;
            let number: f64 = number
                .trim()
                .parse()
                .with_context(|| format!("the guest said `{line}`"))?;
            counts.0.entry(what.to_owned()).or_default().add(number);
        }
        Ok(counts)
    }

    fn get(&self, what: &str) -> Result<&Sample> {
        self.0
            .get(what)
            .with_context(|| format!("the guest did not count `{what}`"))
    }

    fn median(&self, what: &str) -> Result<f64> {
        self.get(what)?
            .median()
            .with_context(|| format!("the guest did not count `{what}`"))
    }

    /// Fails unless the ranges came to what they were to come to: a fast way to do nothing would
    /// look good.
    pub fn verify(&self, topic: Topic) -> Result<()> {
        let expected = match topic {
            Topic::Registered => RANGES[RANGES.len() - 1] as f64,
            _ => 0.0,
        };
        let devices = self.median("devices")?;
        if devices != expected {
            bail!("{devices} hmem devices at the end, not {expected}");
        }
        Ok(())
    }

    /// Puts the numbers into the figures of `topic`.
    pub fn fill(&self, bench: &mut Bench, topic: Topic, drivers: Drivers) -> Result<()> {
        for (name, what) in [(RESOLVE, "resolve"), ("unbind", "release")] {
            for ranges in RANGES {
                let control = self.median(&format!("nothing-{ranges}"))?;
                let sample = self.get(&format!("{what}-{ranges}"))?;
                let label = format!("{name} hmem_platform, N = {ranges}");
                let figure = bench.figure(topic, &label, Unit::Instructions);
                figure.ranges = Some(ranges);
                *side(figure, drivers) = sample.map(|value| value - control);
            }
        }
        let figure = bench.figure(topic, "memory in use for each range, N = 1024", Unit::Bytes);
        // The guest says KiB for all.
        *side(figure, drivers) = self
            .get("memory-range")?
            .map(|kib| kib * 1024.0 / RANGES[RANGES.len() - 1] as f64);
        Ok(())
    }

    /// Puts in what is the same whatever the ranges are.
    pub fn fill_modules(&self, bench: &mut Bench, drivers: Drivers) -> Result<()> {
        let control = self.median("program")?;
        for module in ["dax_hmem", "dax_cxl"] {
            for verb in ["load", "unload"] {
                let sample = self.get(&format!("{verb}-{module}"))?;
                let figure = bench.figure(
                    Topic::Modules,
                    &format!("{verb} {module}"),
                    Unit::Instructions,
                );
                *side(figure, drivers) = sample.map(|value| (value - control).max(0.0));
            }
            let figure = bench.figure(
                Topic::Size,
                &format!("{module}: memory in use"),
                Unit::Bytes,
            );
            *side(figure, drivers) = self.get(&format!("coresize-{module}"))?.clone();
        }
        Ok(())
    }
}

/// The side of a figure that belongs to `drivers`.
pub fn side(figure: &mut Figure, drivers: Drivers) -> &mut Sample {
    match drivers {
        Drivers::Rust => &mut figure.rust,
        Drivers::C | Drivers::None => &mut figure.c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed() -> String {
        let mut text = String::from("program 10\nmemory-range 512\ndevices 1024\n");
        for ranges in RANGES {
            let cost = 1000 * ranges + 5;
            text.push_str(&format!("nothing-{ranges} 5\nresolve-{ranges} {cost}\n"));
            text.push_str(&format!("release-{ranges} 6\n"));
        }
        for module in ["dax_hmem", "dax_cxl"] {
            text.push_str(&format!("load-{module} 30\nunload-{module} 9\n"));
            text.push_str(&format!("coresize-{module} 4096\n"));
        }
        text
    }

    #[test]
    fn the_control_is_taken_off() {
        let text = printed();
        let counts = Counts::parse([text.as_str()].into_iter()).expect("counts");
        counts.verify(Topic::Registered).expect("1024 devices");
        assert!(counts.verify(Topic::Claimed).is_err());
        let mut bench = Bench::default();
        counts
            .fill(&mut bench, Topic::Registered, Drivers::Rust)
            .expect("complete");
        counts
            .fill_modules(&mut bench, Drivers::C)
            .expect("complete");
        let grown = bench.growth(Topic::Registered, |figure| &figure.rust);
        assert_eq!(grown[1], (16.0, 16_000.0));
        let load = bench.figure(Topic::Modules, "load dax_hmem", Unit::Instructions);
        assert_eq!(load.c.median(), Some(20.0));
        assert!(load.rust.is_empty());
        let unload = bench.figure(Topic::Modules, "unload dax_cxl", Unit::Instructions);
        assert_eq!(unload.c.median(), Some(0.0));
    }

    #[test]
    fn what_is_missing_is_named() {
        let counts = Counts::parse(["program 10\n"].into_iter()).expect("counts");
        let mut bench = Bench::default();
        let error = counts
            .fill(&mut bench, Topic::Claimed, Drivers::C)
            .expect_err("nothing there");
        assert!(error.to_string().contains("nothing-1"));
        assert!(Counts::parse(["insmod: no such file\n"].into_iter()).is_err());
    }
}
