// SPDX-License-Identifier: GPL-2.0

//! QEMU's arguments for the hardware of a scenario.

use std::collections::HashMap;

use crate::scenario::Device;
use crate::scenario::Kind;
use crate::scenario::Machine;
use crate::scenario::Slot;

/// First bus number of the first host bridge, and the distance to the next one.
const FIRST_BUS: usize = 16;
const BUS_STEP: usize = 32;

/// Arguments that describe `machine` and nothing else.
pub fn arguments(machine: &Machine) -> Vec<String> {
    let mut args = vec!["-M".to_owned(), machine_type(machine)];
    let mut add = |option: &str, value: String| {
        args.push(option.to_owned());
        args.push(value);
    };
    add("-m", format!("{}M", machine.ram >> 20));
    add("-smp", machine.cpus.to_string());
    for value in memory(machine) {
        add(value.0, value.1);
    }
    for (index, bridge) in machine.bridges.iter().enumerate() {
        let bus = FIRST_BUS + index * BUS_STEP;
        add(
            "-device",
            // A bridge with one port needs no decoder, and has none in QEMU unless told so; the
            // kernel then does not find committed regions again.
            format!(
                "pxb-cxl,bus=pcie.0,bus_nr={bus},id={},hdm_for_passthrough=on",
                bridge_id(bridge)
            ),
        );
    }
    let mut ports = Ports::default();
    for switch in &machine.switches {
        let root_port = format!("rp-{}", switch.name);
        add(
            "-device",
            ports.root(&machine.bridges[switch.bridge], &root_port),
        );
        add(
            "-device",
            format!("cxl-upstream,bus={root_port},id=us-{}", switch.name),
        );
    }
    for device in &machine.devices {
        let port = match device.slot {
            Slot::Bridge(bridge) => {
                let root_port = format!("rp-{}", device.name);
                add("-device", ports.root(&machine.bridges[bridge], &root_port));
                root_port
            }
            Slot::Switch(switch) => {
                let downstream = format!("ds-{}", device.name);
                add(
                    "-device",
                    ports.downstream(&machine.switches[switch].name, &downstream),
                );
                downstream
            }
        };
        for (option, value) in memory_device(device, &port) {
            add(option, value);
        }
    }
    args.extend(machine.qemu.iter().cloned());
    args
}

/// QEMU's id of a host bridge.
fn bridge_id(name: &str) -> String {
    format!("hb-{name}")
}

fn machine_type(machine: &Machine) -> String {
    let mut text = String::from("q35,cxl=on");
    if machine.hmat {
        text.push_str(",hmat=on");
    }
    for (index, window) in machine.windows.iter().enumerate() {
        for (way, &target) in window.targets.iter().enumerate() {
            let id = bridge_id(&machine.bridges[target]);
            text.push_str(&format!(",cxl-fmw.{index}.targets.{way}={id}"));
        }
        text.push_str(&format!(",cxl-fmw.{index}.size={}M", window.size >> 20));
        text.push_str(&format!(
            ",cxl-fmw.{index}.interleave-granularity={}",
            window.granularity
        ));
    }
    text
}

/// RAM, in NUMA nodes: with an SRAT the kernel gives each window a node of its own, so that
/// memory in a window is never used in place of the guest's RAM.
fn memory(machine: &Machine) -> Vec<(&'static str, String)> {
    let mut args = Vec::new();
    for (node, ram) in machine.nodes.iter().enumerate() {
        args.push((
            "-object",
            format!("memory-backend-ram,id=ram{node},size={}M", ram >> 20),
        ));
        let mut text = format!("node,nodeid={node},memdev=ram{node}");
        if node == 0 {
            text.push_str(&format!(",cpus=0-{}", machine.cpus - 1));
        }
        if machine.hmat {
            text.push_str(",initiator=0");
        }
        args.push(("-numa", text));
    }
    if machine.hmat {
        for node in 0..machine.nodes.len() {
            let base = format!("hmat-lb,initiator=0,target={node},hierarchy=memory");
            let far = if node == 0 { 1 } else { 2 };
            args.push((
                "-numa",
                format!("{base},data-type=access-latency,latency={}", 10 * far),
            ));
            args.push((
                "-numa",
                format!(
                    "{base},data-type=access-bandwidth,bandwidth={}M",
                    20_000 / far
                ),
            ));
        }
    }
    args
}

/// Hands out port and slot numbers.
#[derive(Default)]
struct Ports {
    slot: usize,
    ports: HashMap<String, usize>,
}

impl Ports {
    fn root(&mut self, bridge: &str, id: &str) -> String {
        let (port, slot) = self.next(bridge);
        let bus = bridge_id(bridge);
        format!("cxl-rp,bus={bus},id={id},port={port},chassis=0,slot={slot}")
    }

    fn downstream(&mut self, switch: &str, id: &str) -> String {
        let (port, slot) = self.next(switch);
        format!("cxl-downstream,bus=us-{switch},id={id},port={port},chassis=0,slot={slot}")
    }

    fn next(&mut self, parent: &str) -> (usize, usize) {
        self.slot += 1;
        let port = self.ports.entry(parent.to_owned()).or_default();
        *port += 1;
        (*port - 1, self.slot)
    }
}

fn memory_device(device: &Device, port: &str) -> Vec<(&'static str, String)> {
    let name = &device.name;
    let backend = |id: &str, size: String| {
        (
            "-object",
            format!("memory-backend-ram,id={id},size={size},share=on"),
        )
    };
    let mut args = vec![backend(
        &format!("backend-{name}"),
        format!("{}M", device.size >> 20),
    )];
    let memory = match device.kind {
        Kind::Ram => format!("volatile-memdev=backend-{name}"),
        Kind::Pmem => {
            args.push(backend(&format!("lsa-{name}"), "1M".to_owned()));
            format!("persistent-memdev=backend-{name},lsa=lsa-{name}")
        }
    };
    let serial = device.serial;
    if device.plugged {
        args.push((
            "-device",
            format!("cxl-type3,bus={port},id={name},{memory},sn={serial:#x}"),
        ));
    }
    args
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::Scenario;

    fn line(text: &str) -> String {
        let text = format!("description = \"x\"\n{text}");
        let scenario = Scenario::parse(Path::new("t.toml"), &text).expect("valid");
        arguments(&scenario.machine).join(" ")
    }

    #[test]
    fn one_device_on_the_default_bridge() {
        let line = line("[[window]]\n[[device]]\nname = \"m\"\nserial = 1\n");
        assert!(line.starts_with("-M q35,cxl=on,cxl-fmw.0.targets.0=hb-hb0,cxl-fmw.0.size=4096M"));
        assert!(line.contains("cxl-type3,bus=rp-m,id=m,volatile-memdev=backend-m,sn=0x1"));
    }

    #[test]
    fn an_empty_slot_has_a_port_and_memory() {
        let line = line("[[window]]\n[[device]]\nname = \"m\"\nserial = 1\nplugged = false\n");
        assert!(line.contains("cxl-rp,bus=hb-hb0,id=rp-m"));
        assert!(line.contains("id=backend-m"));
        assert!(!line.contains("cxl-type3"));
    }

    #[test]
    fn switches_and_persistent_memory() {
        let line = line(
            "[[switch]]\nname = \"s\"\n[[device]]\nname = \"p\"\nserial = 2\nkind = \"pmem\"\non = \"s\"\n",
        );
        assert!(line.contains("cxl-upstream,bus=rp-s,id=us-s"));
        assert!(line.contains("cxl-downstream,bus=us-s,id=ds-p,port=0"));
        assert!(line.contains("bus=ds-p,id=p,persistent-memdev=backend-p,lsa=lsa-p"));
    }
}
