// SPDX-License-Identifier: GPL-2.0

//! Trees with links that lead astray, odd files, and archives that lie.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn sandbox() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("sys/devices/a")).unwrap();
    fs::write(dir.path().join("sys/devices/a/size"), "0x10\n").unwrap();
    dir
}

#[test]
fn links_stay_inside() {
    let dir = sandbox();
    symlink("/etc/passwd", dir.path().join("sys/out")).unwrap();
    symlink("../../../../../../sys/devices/a", dir.path().join("sys/up")).unwrap();
    symlink("/sys/devices/a/size", dir.path().join("sys/absolute")).unwrap();
    symlink("loop", dir.path().join("sys/loop")).unwrap();
    let tree = Tree::open(dir.path()).unwrap();
    assert_eq!(tree.text("sys/out"), Err(Lack::Missing));
    assert_eq!(tree.text("sys/absolute").as_deref(), Ok("0x10\n"));
    assert_eq!(tree.text("sys/up/size").as_deref(), Ok("0x10\n"));
    assert_eq!(
        tree.real("/sys/up/size").as_deref(),
        Ok("sys/devices/a/size")
    );
    assert!(matches!(tree.text("sys/loop"), Err(Lack::Broken(_))));
}

#[test]
fn a_link_is_named_though_its_target_is_absent() {
    let dir = sandbox();
    symlink(
        "../../bus/dax/drivers/kmem",
        dir.path().join("sys/devices/a/driver"),
    )
    .unwrap();
    let tree = Tree::open(dir.path()).unwrap();
    assert_eq!(
        tree.link_name("sys/devices/a/driver").as_deref(),
        Some("kmem")
    );
    assert!(!tree.exists("sys/devices/a/driver"));
    assert_eq!(tree.link_name("sys/devices/a/size"), None);
}

#[test]
fn directories_are_no_files() {
    let dir = sandbox();
    let tree = Tree::open(dir.path()).unwrap();
    assert!(matches!(tree.text("sys/devices"), Err(Lack::Broken(_))));
    assert_eq!(tree.list("sys/devices/a/size"), Err(Lack::Missing));
    assert_eq!(tree.text("sys/devices/a/size/x"), Err(Lack::Missing));
}

#[test]
fn names_come_in_natural_order() {
    let dir = sandbox();
    for name in ["region10", "region2", "region1"] {
        fs::write(dir.path().join("sys/devices").join(name), "").unwrap();
    }
    let tree = Tree::open(dir.path()).unwrap();
    assert_eq!(
        tree.list("sys/devices").unwrap(),
        ["a", "region1", "region2", "region10"]
    );
}

#[test]
fn archives_read_like_directories() {
    let dir = sandbox();
    symlink("devices/a", dir.path().join("sys/up")).unwrap();
    let path = dir.path().join("x.tar.gz");
    let gz = flate2::write::GzEncoder::new(fs::File::create(&path).unwrap(), Default::default());
    let mut tar = tar::Builder::new(gz);
    tar.follow_symlinks(false);
    tar.append_dir_all(".", dir.path().join("sys").parent().unwrap().join("sys"))
        .ok();
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    tar.append_data(&mut header, "sys/b/c", &b"5\n"[..])
        .unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    let tree = Tree::open(&path).unwrap();
    assert_eq!(tree.text("up/size").as_deref(), Ok("0x10\n"));
    assert_eq!(tree.text("sys/b/c").as_deref(), Ok("5\n"));
    assert_eq!(tree.list("sys").unwrap(), ["b"]);
}

#[test]
fn junk_is_refused_with_a_way_out() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"\x1f\x8bjunk").unwrap();
    let error = Tree::open(file.path()).err().unwrap().to_string();
    assert!(error.contains("daxown capture"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = Tree::open(empty.path()).err().unwrap().to_string();
    assert!(error.contains("neither proc/ nor sys/"), "{error}");
    assert!(Tree::open(Path::new("/no/such/tree")).is_err());
}

#[test]
fn a_capture_remembers_what_was_denied() {
    let dir = sandbox();
    let manifest = Manifest {
        format: 1,
        unreadable: vec![Unreadable {
            path: "sys/kernel/debug".into(),
            denied: true,
            why: "Permission denied".into(),
        }],
        ..Default::default()
    };
    fs::write(
        dir.path().join(MANIFEST_PATH),
        serde_json::to_vec(&manifest).unwrap(),
    )
    .unwrap();
    let tree = Tree::open(dir.path()).unwrap();
    assert_eq!(
        tree.text("/sys/kernel/debug/dax_hmem/ledger"),
        Err(Lack::Denied)
    );
    assert_eq!(tree.text("sys/kernel/debugger"), Err(Lack::Missing));
}
