// SPDX-License-Identifier: GPL-2.0

//! When things happened in a guest: what `udevadm monitor` saw, with the kernel's clock.

use anyhow::Context;
use anyhow::Result;

/// One event of the kernel.
#[derive(Debug, PartialEq)]
struct Event<'a> {
    seconds: f64,
    action: &'a str,
    path: &'a str,
    subsystem: &'a str,
}

/// The moments that count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Our mark, if there is one: a script is about to load the drivers.
    pub start: Option<f64>,
    /// The first DAX device after it.
    pub device: f64,
    /// The last memory block that came online.
    pub online: f64,
    /// How many came.
    pub blocks: usize,
}

impl Moments {
    /// Reads the monitor's output. The mark is a "change" of the module `kmem`.
    pub fn parse(text: &str) -> Result<Self> {
        let events: Vec<Event> = text.lines().filter_map(event).collect();
        let start = events
            .iter()
            .rposition(|event| event.action == "change" && event.path == "/module/kmem");
        let events_after = &events[start.unwrap_or(0)..];
        let device = events_after
            .iter()
            .find(|event| event.action == "add" && event.subsystem == "dax")
            .context("no DAX device came")?;
        let blocks: Vec<&Event> = events_after
            .iter()
            .filter(|event| event.action == "online" && event.subsystem == "memory")
            .collect();
        let online = blocks.last().context("no memory came online")?;
        Ok(Self {
            start: start.map(|index| events[index].seconds),
            device: device.seconds,
            online: online.seconds,
            blocks: blocks.len(),
        })
    }
}

/// `KERNEL[9.123456] add      /devices/.../dax0.0 (dax)`
fn event(line: &str) -> Option<Event<'_>> {
    let (seconds, rest) = line.strip_prefix("KERNEL[")?.split_once(']')?;
    let mut words = rest.split_whitespace();
    let event = Event {
        seconds: seconds.parse().ok()?,
        action: words.next()?,
        path: words.next()?,
        subsystem: words.next()?.strip_prefix('(')?.strip_suffix(')')?,
    };
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
monitor will print the received events for:
KERNEL - the kernel uevent

KERNEL[1.500000] add      /devices/x/dax9.0 (dax)
KERNEL[2.000000] change   /module/kmem (module)
KERNEL[2.250000] add      /devices/platform/hmem_platform.0/hmem.2/dax2.0 (dax)
KERNEL[2.300000] bind     /devices/platform/hmem_platform.0/hmem.2/dax2.0 (dax)
KERNEL[2.400000] add      /devices/system/memory/memory34 (memory)
KERNEL[2.410000] online   /devices/system/memory/memory34 (memory)
KERNEL[2.500000] online   /devices/system/memory/memory35 (memory)
";

    #[test]
    fn moments_count_from_the_mark() {
        let moments = Moments::parse(TEXT).expect("moments");
        assert_eq!(
            moments,
            Moments {
                start: Some(2.0),
                device: 2.25,
                online: 2.5,
                blocks: 2
            }
        );
    }

    #[test]
    fn without_a_mark_everything_counts() {
        let text: Vec<&str> = TEXT.lines().filter(|line| !line.contains("kmem")).collect();
        let moments = Moments::parse(&text.join("\n")).expect("moments");
        assert_eq!(moments.start, None);
        assert_eq!(moments.device, 1.5);
    }

    #[test]
    fn what_did_not_happen_is_told() {
        let error = Moments::parse("KERNEL[1.0] add /d/dax0.0 (dax)\n").expect_err("no memory");
        assert_eq!(error.to_string(), "no memory came online");
    }
}
