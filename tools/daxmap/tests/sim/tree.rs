// SPDX-License-Identifier: GPL-2.0

//! The machine as the files that daxmap reads.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{region_name, second, Machine, Use, CAPACITY};

const BLOCK: u64 = 128 << 20;
const MODULES: [&str; 10] = [
    "cxl_core",
    "cxl_acpi",
    "cxl_pci",
    "cxl_port",
    "cxl_mem",
    "dax",
    "device_dax",
    "dax_hmem",
    "kmem",
    "dax_cxl",
];

struct Root<'a>(&'a Path);

impl Root<'_> {
    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn device(&self, bus: &str, dir: &str, driver: Option<&str>) {
        let name = dir.rsplit('/').next().unwrap();
        fs::create_dir_all(self.0.join(dir)).unwrap();
        self.link(&format!("sys/bus/{bus}/devices/{name}"), &format!("/{dir}"));
        if let Some(driver) = driver {
            self.link(
                &format!("{dir}/driver"),
                &format!("/sys/bus/{bus}/drivers/{driver}"),
            );
        }
    }
}

const ROOT: &str = "sys/devices/platform/ACPI0017:00/root0";

pub fn write(machine: &Machine, to: &Path) {
    let root = Root(to);
    modules(machine, &root);
    root.file("proc/sys/kernel/osrelease", "7.3.4\n");
    root.file("proc/cmdline", "quiet\n");
    let platform = "sys/devices/platform/hmem_platform.0";
    let is_bound = machine.is_loaded("dax_hmem") && !machine.platform_unbound;
    root.device("platform", platform, is_bound.then_some("hmem_platform"));
    fs::create_dir_all(to.join("sys/bus/dax/devices")).unwrap();
    // What ACPI declares is there without its driver.
    fs::create_dir_all(to.join("sys/devices/platform/ACPI0017:00")).unwrap();
    if let Some(ledger) = machine.ledger() {
        root.file("sys/kernel/debug/dax_hmem/ledger", &ledger);
        let word = match machine.deferred.is_empty() {
            true => "settled\n",
            false => "pending\n",
        };
        root.file(&format!("{platform}/ownership"), word);
    }
    log(machine, &root);
    iomem(machine, &root);
    if machine.shows_windows() {
        let windows = 0..machine.windows.len();
        for i in windows.filter(|i| !machine.plain[*i]) {
            window(machine, &root, i);
        }
    }
    if machine.is_loaded("cxl_pci") {
        for mem in &machine.mems {
            memdev(machine, &root, mem);
        }
    }
    for (i, region) in machine.live() {
        let name = region_name(i);
        let dir = format!("{ROOT}/decoder0.{}/{name}", region.window);
        root.device("cxl", &dir, region.bound.then_some("cxl_region"));
        root.file(
            &format!("{dir}/resource"),
            &format!("{:#x}\n", region.range.start),
        );
        root.file(
            &format!("{dir}/size"),
            &format!("{:#x}\n", region.range.len()),
        );
        root.file(
            &format!("{dir}/commit"),
            if region.committed { "1\n" } else { "0\n" },
        );
        root.file(&format!("{dir}/mode"), "ram\n");
        root.file(
            &format!("{dir}/interleave_ways"),
            &format!("{}\n", region.ways),
        );
        root.file(&format!("{dir}/interleave_granularity"), "256\n");
        for target in 0..region.ways {
            let member = region.mems.get(target).map(|&id| {
                let number = decoders(machine, id).position(|n| n == i).unwrap_or(0);
                format!("decoder{}.{number}", 10 + id)
            });
            root.file(
                &format!("{dir}/target{target}"),
                &format!("{}\n", member.unwrap_or_default()),
            );
        }
        // cxl_core makes none of what an accelerator's driver has.
        if region.bound && !region.accelerator {
            let driver = region.served.then_some("cxl_dax_region");
            root.device("cxl", &format!("{dir}/dax_{name}"), driver);
        }
    }
    devices(machine, &root);
    blocks(machine, &root);
}

/// The regions of a device, one decoder each.
fn decoders(machine: &Machine, id: usize) -> impl Iterator<Item = usize> + '_ {
    let own = machine.live().filter(move |(_, r)| r.mems.contains(&id));
    own.map(|(i, _)| i)
}

/// Which are loaded, which are installed, and whose dax_hmem.
fn modules(machine: &Machine, root: &Root) {
    let has = |m: &&&str| machine.has_dax_cxl || **m != "dax_cxl";
    let all = || MODULES.iter().filter(has);
    let loaded = all().filter(|m| machine.is_loaded(m));
    let loaded: String = loaded.map(|m| format!("{m} 1 0 - Live 0x0\n")).collect();
    root.file("proc/modules", &loaded);
    let ours = ["dax_hmem", "dax_cxl"];
    let folder = |m: &str| match machine.installs_rust && ours.contains(&m) {
        true => "updates",
        false => "kernel",
    };
    let files: String = all().map(|m| format!("{}/{m}.ko:\n", folder(m))).collect();
    root.file("lib/modules/7.3.4/modules.dep", &files);
    for module in ours
        .iter()
        .filter(has)
        .filter(|m| machine.rust && machine.is_loaded(m))
    {
        root.file(&format!("sys/module/{module}/taint"), "O\n");
    }
    if machine.not_built {
        root.file(
            "var/lib/dkms/dax-hmem-rust/1.0/build/make.log",
            "DKMS (dkms-3.2.2) make.log for dax-hmem-rust/1.0 for kernel 7.3.4 (x86_64)\n\
             error: no room\n",
        );
    }
}

fn log(machine: &Machine, root: &Root) {
    let mut log = String::new();
    if !machine.map_lost {
        log.push_str(
            "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable\n",
        );
    }
    for r in machine.declared.iter().filter(|_| !machine.map_lost) {
        log.push_str(&format!(
            "[    0.000000] BIOS-e820: [mem {:#018x}-{:#018x}] soft reserved\n",
            r.start, r.end
        ));
    }
    for line in &machine.log {
        log.push_str(&format!("[   12.000000] {line}\n"));
    }
    root.file("dev/kmsg", &log);
}

fn iomem(machine: &Machine, root: &Root) {
    let mut text = String::from("00100000-7fffffff : System RAM\n");
    for (i, w) in machine.windows.iter().enumerate() {
        if machine.shows_windows() && !machine.plain[i] {
            text.push_str(&format!("{:x}-{:x} : CXL Window {i}\n", w.start, w.end));
        }
        for (n, r) in machine.live().filter(|(_, r)| r.window == i) {
            let name = region_name(n);
            text.push_str(&format!(
                "  {:x}-{:x} : {name}\n",
                r.range.start, r.range.end
            ));
        }
        for r in machine.ram.iter().filter(|r| w.overlaps(r)) {
            text.push_str(&format!("  {:x}-{:x} : System RAM\n", r.start, r.end));
        }
        let used = machine.dax.iter().filter(|d| d.used != Use::None);
        for (name, r, used) in used.filter_map(|d| Some((&d.name, d.range?, d.used))) {
            if !w.overlaps(&r) {
                continue;
            }
            text.push_str(&format!("    {:x}-{:x} : {name}\n", r.start, r.end));
            if used != Use::File {
                text.push_str(&format!(
                    "      {:x}-{:x} : System RAM (kmem)\n",
                    r.start, r.end
                ));
            }
        }
    }
    root.file("proc/iomem", &text);
}

fn window(machine: &Machine, root: &Root, i: usize) {
    let range = machine.windows[i];
    let dir = format!("{ROOT}/decoder0.{i}");
    root.device("cxl", &dir, None);
    let (bridges, is_type2) = match machine.two[i] {
        true => (vec![i, second(i)], false),
        false => (vec![i], machine.type2[i]),
    };
    let targets: Vec<String> = bridges.iter().map(usize::to_string).collect();
    for (name, value) in [
        ("start", format!("{:#x}", range.start)),
        ("size", format!("{:#x}", range.len())),
        ("interleave_ways", bridges.len().to_string()),
        ("interleave_granularity", "256".into()),
        ("target_list", targets.join(",")),
        ("cap_ram", "1".into()),
        ("cap_type2", u8::from(is_type2).to_string()),
        ("cap_type3", u8::from(!is_type2).to_string()),
    ] {
        root.file(&format!("{dir}/{name}"), &format!("{value}\n"));
    }
    for id in bridges {
        root.link(
            &format!("{ROOT}/dport{id}"),
            &format!("../../../pci0000:{id}0"),
        );
    }
}

fn memdev(machine: &Machine, root: &Root, mem: &super::Mem) {
    let i = mem.id;
    let dir = format!("sys/devices/pci0000:{i}0/0000:{i}1:00.0/mem{i}");
    let bound = mem.bound && machine.shows_devices();
    root.device("cxl", &dir, bound.then_some("cxl_mem"));
    root.file(&format!("{dir}/ram/size"), &format!("{CAPACITY:#x}\n"));
    root.file(&format!("{dir}/serial"), &format!("{i:#x}\n"));
    if !bound {
        return;
    }
    let endpoint = format!("{ROOT}/port{}/endpoint{}", 1 + i, 10 + i);
    root.device("cxl", &endpoint, Some("cxl_port"));
    root.link(&format!("{endpoint}/uport"), &format!("/{dir}"));
    let regions: Vec<usize> = decoders(machine, i).collect();
    for n in 0..4 {
        let decoder = format!("{endpoint}/decoder{}.{n}", 10 + i);
        root.device("cxl", &decoder, None);
        let region = regions.get(n).map(|&r| (r, &machine.regions[r]));
        let (start, size) = region.map_or((0, 0), |(_, r)| (r.range.start, r.range.len()));
        let (each, ways) = region.map_or((0, 1), |(_, r)| (r.each(), r.ways));
        root.file(&format!("{decoder}/start"), &format!("{start:#x}\n"));
        root.file(&format!("{decoder}/size"), &format!("{size:#x}\n"));
        root.file(&format!("{decoder}/dpa_size"), &format!("{each:#x}\n"));
        root.file(&format!("{decoder}/interleave_ways"), &format!("{ways}\n"));
        root.file(&format!("{decoder}/interleave_granularity"), "256\n");
        root.file(
            &format!("{decoder}/mode"),
            if size > 0 { "ram\n" } else { "none\n" },
        );
        let name = region.map_or(String::new(), |(r, _)| region_name(r));
        root.file(&format!("{decoder}/region"), &format!("{name}\n"));
    }
}

fn devices(machine: &Machine, root: &Root) {
    for h in &machine.hmems {
        let dir = format!("sys/devices/platform/hmem_platform.0/hmem.{}", h.id);
        root.device("platform", &dir, h.bound.then_some("hmem"));
        if h.bound {
            let own = machine.dax.iter().filter(|d| d.hmem == Some(h.id));
            let used: u64 = own.filter_map(|d| d.range).map(|r| r.len()).sum();
            let free = h.range.len() - used;
            root.file(&format!("{dir}/dax_region/id"), &format!("{}\n", h.id));
            root.file(
                &format!("{dir}/dax_region/size"),
                &format!("{}\n", h.range.len()),
            );
            root.file(
                &format!("{dir}/dax_region/available_size"),
                &format!("{free}\n"),
            );
        }
    }
    for d in &machine.dax {
        let parent = match (d.hmem, d.region) {
            (Some(id), _) => format!("sys/devices/platform/hmem_platform.0/hmem.{id}"),
            (None, Some(i)) => {
                let (window, name) = (machine.regions[i].window, region_name(i));
                format!("{ROOT}/decoder0.{window}/{name}/dax_{name}")
            }
            _ => unreachable!(),
        };
        let dir = format!("{parent}/{}", d.name);
        let driver = match (d.kmem, d.used) {
            (true, _) => Some("kmem"),
            (_, Use::File) => Some("device_dax"),
            _ => None,
        };
        root.device("dax", &dir, driver);
        let size = d.range.map_or(0, |r| r.len());
        root.file(&format!("{dir}/size"), &format!("{size}\n"));
        if let Some(r) = d.range {
            root.file(&format!("{dir}/resource"), &format!("{:#x}\n", r.start));
        }
        let node = if d.has_node { "1\n" } else { "-1\n" };
        root.file(&format!("{dir}/target_node"), node);
        if machine.has_state && d.kmem {
            let state = match d.used {
                Use::Online => "online",
                Use::Offline => "offline",
                _ => "unplugged",
            };
            root.file(&format!("{dir}/state"), &format!("{state}\n"));
        }
    }
}

fn blocks(machine: &Machine, root: &Root) {
    let dir = "sys/devices/system/memory";
    root.file(&format!("{dir}/block_size_bytes"), &format!("{BLOCK:x}\n"));
    root.file(&format!("{dir}/auto_online_blocks"), "online\n");
    root.file(&format!("{dir}/memory0/state"), "online\n");
    for d in &machine.dax {
        let state = match d.used {
            Use::Online => "online\n",
            Use::Offline => "offline\n",
            _ => continue,
        };
        let Some(r) = d.range else { continue };
        for n in (r.start / BLOCK)..=(r.end / BLOCK) {
            root.file(&format!("{dir}/memory{n}/state"), state);
        }
    }
}
