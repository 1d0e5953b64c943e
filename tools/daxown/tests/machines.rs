// SPDX-License-Identifier: GPL-2.0

//! Machines rebuilt from public reports: what has to be said of each, judged by people who knew what
//! was wrong with it. The golden files hold all that is said.

mod common;

use common::daxown;
use serde_json::Value;

fn fixture(name: &str) -> std::path::PathBuf {
    common::fixture(&format!("machines/{name}"))
}

struct Said {
    text: String,
    json: Value,
    status: i32,
}

fn doctor(name: &str) -> Said {
    let text = daxown(&fixture(name), &["doctor"]);
    let json = daxown(&fixture(name), &["doctor", "-J"]).stdout;
    Said {
        // Lines are broken where the page ends.
        text: text.stdout.split_whitespace().collect::<Vec<_>>().join(" "),
        json: serde_json::from_str(&json).unwrap(),
        status: text.status,
    }
}

impl Said {
    fn problem(&self, kind: &str) -> &Value {
        let mut all = self.json["problems"].as_array().unwrap().iter();
        let found = all.find(|p| p["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {}", self.text))
    }

    fn has(&self, words: &[&str]) {
        for word in words {
            assert!(self.text.contains(word), "no {word:?}: {}", self.text);
        }
    }

    fn lacks(&self, words: &[&str]) {
        for word in words {
            assert!(!self.text.contains(word), "{word:?}: {}", self.text);
        }
    }

    /// Nothing is to be run, remarks aside.
    fn advises_nothing(&self, kind: &str) {
        let lines = self.problem(kind)["remedy"].as_array().unwrap();
        let is_remark = |l: &Value| l.as_str().unwrap().starts_with('#');
        assert!(lines.iter().all(is_remark), "{lines:?}");
    }
}

/// Name, exit status, kind and severity of the first problem, words that must be said.
type Judged = (
    &'static str,
    i32,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const JUDGED: [Judged; 23] = [
    (
        "boot-ram-half",
        2,
        "boot-ram",
        "loss",
        &[
            "0xa90000000-0xb0fffffff of region0 is System RAM since boot",
            "without efi=nosoftreserve",
            "all of it as Soft Reserved, or all of it as System RAM",
            "setting",
            "has System RAM",
            "the Rust dax_hmem serves",
        ],
    ),
    (
        "cut-from-aligned-range",
        2,
        "kmem-cannot-reserve",
        "loss",
        &[
            "echo 136096776192 >",
            "echo 137170518016 >",
            "if a later step fails",
            "echo dax0.1 > /sys/bus/platform/devices/hmem.0/dax_region/delete",
            "echo 273267294208 > /sys/bus/dax/devices/dax0.0/size",
            "this costs 2.5 GiB",
        ],
    ),
    (
        "device-hmem-disable",
        2,
        "not-registered",
        "loss",
        &[
            "device_hmem.disable=1 is on the command line",
            "remove device_hmem.disable=1",
        ],
    ),
    (
        "device-removed",
        1,
        "device-gone",
        "warning",
        &[
            "no CXL device is behind CXL Window 1",
            "nothing to run",
            "plug a device in",
            "`cxl create-region`",
        ],
    ),
    (
        "famfs-offline-by-choice",
        1,
        "offline",
        "warning",
        &["as auto_online_blocks says", "destroys what is"],
    ),
    (
        "fsdev",
        1,
        "offline",
        "warning",
        &[
            "served as /dev/dax0.0 for a file system (fsdev_dax)",
            "as auto_online_blocks says",
        ],
    ),
    (
        "genoa-reset-no-sr",
        1,
        "region-incomplete",
        "warning",
        &[
            "256 GiB of 2 devices",
            "are in no region and have no driver",
        ],
    ),
    (
        "hmem-beside-soft-reserved",
        0,
        "undeclared",
        "note",
        &["dax6.0 is System RAM of 15 GiB of memory that firmware does not declare"],
    ),
    (
        "hmem-divided",
        1,
        "unallocated",
        "warning",
        &[
            "16 GiB of hmem.0's dax region has no dax device",
            "daxctl create-device -r 0",
        ],
    ),
    (
        "kmem-no-node",
        2,
        "kmem-failed",
        "loss",
        &[
            "has no target node",
            "nothing is lost by that",
            "--mode=devdax dax0.0",
            "the Rust dax_hmem",
        ],
    ),
    (
        "log-wrapped-false-ok",
        1,
        "unreadable",
        "warning",
        &[
            "registered Soft Reserved memory (hmem_platform.0 is there)",
            "cannot be told",
            "the memory map of firmware is not known",
        ],
    ),
    (
        "member-gone-hmem-serves",
        2,
        "member-gone",
        "loss",
        &[
            "2 of 3 devices",
            "1 of every 3 granules of 256 bytes have nothing behind them",
            "take dax0.0 offline now",
        ],
    ),
    (
        "member-refused",
        1,
        "region-incomplete",
        "warning",
        &[
            "mem7 (decoder12.0) is there",
            "the addresses are routed",
            "failed to attach decoder12.0 to region0: -6",
            "expected iw: 2 ig: 1024",
            "got iw: 2 ig: 256",
        ],
    ),
    (
        "partly-offline",
        1,
        "offline",
        "warning",
        &[
            "8 of 512 memory blocks are offline: memory1043-1044, memory1140-1142",
            "memory1310 is online because offlining failed",
        ],
    ),
    (
        "paste-dmesg-and-iomem",
        2,
        "kmem-cannot-reserve",
        "loss",
        &[
            "registering CXL range",
            "could not reserve region",
            "error -16",
            "not in what was given",
        ],
    ),
    (
        "region-anew-behind",
        2,
        "undecoded",
        "loss",
        &["dax18.0 is in use, but no committed endpoint decoder maps 512 GiB of CXL Window 1"],
    ),
    (
        "region-decommitted",
        2,
        "region-disabled",
        "loss",
        &[
            "echo 1 > /sys/bus/cxl/devices/region0/commit && cxl enable-region region0",
            "what was in the memory cannot be relied on",
            "1 loss",
        ],
    ),
    (
        "region-lost-no-dax-cxl",
        0,
        "region-lost",
        "note",
        &["this kernel has no dax_cxl"],
    ),
    (
        "stock-hand-unbound",
        2,
        "no-driver",
        "loss",
        &["echo hmem.0 > /sys/bus/platform/drivers/hmem/bind"],
    ),
    (
        "stock-old-probe-lines",
        2,
        "kmem-cannot-reserve",
        "loss",
        &[
            "[hmem-probe-failed]",
            "kmem: probe of dax0.0 failed with error -16",
        ],
    ),
    (
        "twelve-ways-serial-0",
        0,
        "decoder-unassigned",
        "note",
        &[
            "2 GiB of this window is plain System RAM, as it has to be",
            "12 decoders (mem0's decoder10.0 to mem11's decoder21.0)",
            "no CXL window for range 0x0:0xbfffffff",
        ],
    ),
    (
        "undecoded-gigabyte",
        2,
        "kmem-cannot-reserve",
        "loss",
        &[
            "echo 4294967296 >",
            "echo 1073741824 >",
            "echo 3221225472 >",
            "0xc90000000-0xccfffffff stays out: nothing decodes it",
            "mem0's decoder2.0 is committed",
            "no CXL window for range",
        ],
    ),
    (
        "hostname-in-capture",
        2,
        "kmem-cannot-reserve",
        "loss",
        &["0xc90000000-0xccfffffff stays out: nothing decodes it"],
    ),
];

#[test]
fn what_was_judged_is_said() {
    for (name, status, kind, severity, words) in JUDGED {
        let said = doctor(name);
        assert_eq!(said.status, status, "{name}: {}", said.text);
        let first = &said.json["problems"][0];
        assert_eq!(
            (&first["kind"], &first["severity"]),
            (&kind.into(), &severity.into()),
            "{name}"
        );
        said.has(words);
    }
}

#[test]
fn what_is_well_has_no_word() {
    for name in ["no-cxl-machine", "type2-owned"] {
        let said = doctor(name);
        assert_eq!(
            (said.status, said.json["problems"].as_array().unwrap().len()),
            (0, 0),
            "{name}"
        );
    }
    let list = daxown(&fixture("type2-owned"), &["list"]).stdout;
    assert!(list.contains("driver of 0000:e1:00.0"), "{list}");
}

#[test]
fn what_would_do_harm_is_not_advised() {
    for (name, kind) in [
        ("device-removed", "device-gone"),
        ("fsdev", "dax-file"),
        ("famfs-offline-by-choice", "dax-file"),
        ("region-lost-no-dax-cxl", "region-lost"),
        ("member-refused", "region-incomplete"),
        ("hmem-divided", "unmapped"),
    ] {
        doctor(name).advises_nothing(kind);
    }
    for (name, ..) in JUDGED {
        doctor(name).lacks(&["hmem_platform.0 >"]);
    }
    doctor("stock-hand-unbound").lacks(&["dax_hmem/ledger", "create-region"]);
    doctor("region-decommitted").lacks(&["reboot"]);
}

/// Of memory in use that nothing is behind, not a byte is usable.
#[test]
fn nothing_dead_is_usable() {
    for (name, start, usable) in [
        ("region-anew-behind", "0x68e80000000", 0),
        ("member-gone-hmem-serves", "0x2080000000", 0),
        ("region-anew-behind", "0xc080000000", 16u64 << 30),
    ] {
        let list = daxown(&fixture(name), &["list", "-J", "-k", "reserved"]).stdout;
        let list: Value = serde_json::from_str(&list).unwrap();
        let mut rows = list["rows"].as_array().unwrap().iter();
        let row = rows.find(|r| r["range"]["start"] == start).unwrap();
        assert_eq!(row["use"]["usable"], usable, "{name}");
    }
}

#[test]
fn a_capture_has_no_host_name() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.tar.gz");
    daxown(
        &fixture("hostname-in-capture"),
        &["capture", copy.to_str().unwrap()],
    );
    let file = flate2::read::GzDecoder::new(std::fs::File::open(&copy).unwrap());
    let mut archive = tar::Archive::new(file);
    let mut log = String::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().ends_with("dev/kmsg") {
            std::io::Read::read_to_string(&mut entry, &mut log).unwrap();
        }
    }
    assert!(
        log.contains("BIOS-e820") && !log.contains(" kernel: "),
        "{log}"
    );
}
