// SPDX-License-Identifier: GPL-2.0

//! A capture reads back as the tree it was made of, without what is private.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::Map;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn machine(root: &Path) {
    write(
        root,
        "proc/iomem",
        "1000-1fff : Kernel code\n490000000-4afffffff : Soft Reserved\n",
    );
    write(
        root,
        "proc/cmdline",
        "root=/dev/secret memmap=512M%0x490000000+0xefffffff luks.key=x dax_hmem.region_idle=1\n",
    );
    write(
        root,
        "proc/modules",
        "kmem 16384 0 - Live 0xffffffffc0000000 (O)\nsecret 1 0 - Live 0x1\n",
    );
    write(
        root,
        "dmesg",
        "[    1.000000] usb 1-1: SerialNumber: X\n[    2.000000] hmem hmem.0: hello\n",
    );
    let device = "sys/devices/platform/hmem_platform.0/hmem.0";
    write(root, &format!("{device}/dax0.0/resource"), "0x490000000\n");
    write(root, &format!("{device}/dax0.0/size"), "536870912\n");
    write(root, &format!("{device}/dax0.0/private"), "x\n");
    for dir in ["sys/bus/dax/devices", "sys/bus/platform/devices"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    symlink(
        format!("../../../../{device}/dax0.0"),
        root.join("sys/bus/dax/devices/dax0.0"),
    )
    .unwrap();
    symlink(
        format!("../../../../{device}"),
        root.join("sys/bus/platform/devices/hmem.0"),
    )
    .unwrap();
    symlink(
        "../../../../bus/platform/drivers/hmem",
        root.join(device).join("driver"),
    )
    .unwrap();
}

#[test]
fn reads_back_the_same_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    machine(dir.path());
    let tree = Tree::open(dir.path()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    Capture::of(&tree, "test", true).write(&file).unwrap();
    let back = Tree::open(file.path()).unwrap();

    let (before, after) = (Map::read(&tree), Map::read(&back));
    assert_eq!(before.reserved, after.reserved);
    assert_eq!(before.hmem, after.hmem);
    assert_eq!(before.log, after.log);
    assert_eq!(after.reserved.len(), 1);

    assert_eq!(
        back.text("proc/cmdline").unwrap(),
        "memmap=512M%0x490000000+0xefffffff dax_hmem.region_idle=1\n"
    );
    assert_eq!(
        back.text("proc/modules").unwrap(),
        "kmem 16384 0 - Live 0x0 (O)\n"
    );
    assert_eq!(
        back.text("dev/kmsg").unwrap(),
        "[    2.000000] hmem hmem.0: hello\n"
    );
    assert!(!back.text("proc/iomem").unwrap().contains("Kernel"));
    assert!(!back.exists("sys/bus/dax/devices/dax0.0/private"));
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    machine(dir.path());
    let tree = Tree::open(dir.path()).unwrap();
    let mut out = [Vec::new(), Vec::new()];
    for o in &mut out {
        Capture::of(&tree, "test", true).write(o).unwrap();
    }
    assert_eq!(out[0], out[1]);
}
