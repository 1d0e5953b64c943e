// SPDX-License-Identifier: GPL-2.0

//! What `tools/rust-headers` refuses, and that each refusal names the command that mends it.
//!
//! The machine is a made-up one: its /usr is a directory, its programs are scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const RELEASE: &str = "7.3.4+deb13-amd64";
const RUSTC: &str = "rustc 1.85.1 (4eb161250 2025-03-15) (built from a source tarball)";
const GCC: &str = "gcc-14 (Debian 14.2.0-19) 14.2.0";

/// A machine on which everything is there.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        let headers = format!("usr/src/linux-headers-{RELEASE}");
        machine.file(
            &format!("{headers}/.config"),
            &format!(
                "CONFIG_RUST=y\nCONFIG_RUSTC_VERSION_TEXT=\"{RUSTC}\"\n\
                 CONFIG_CC_VERSION_TEXT=\"x86_64-linux-gnu-{GCC}\"\n"
            ),
        );
        machine.file(&format!("{headers}/Module.symvers"), "");
        machine.file(
            &format!("{headers}/include/generated/package.h"),
            "#define LINUX_PACKAGE_ID \" Debian 7.3.4-1\"\n",
        );
        machine.file("usr/src/linux-source-7.3.tar.xz", "");
        machine.source("7.3.4-1");
        machine.file("usr/src/rustc-1.85.1/library/core/src/lib.rs", "");
        machine.file("usr/include/libelf.h", "");
        machine.file("usr/include/openssl/evp.h", "");
        machine.program("rustc", &format!("[ $1 = --version ] && echo '{RUSTC}'"));
        machine.program("bindgen", "echo bindgen 0.71.1");
        machine.program("gcc-14", &format!("echo '{GCC}'"));
        for name in ["make", "bc", "flex", "bison", "xz", "pahole", "flock"] {
            machine.program(name, ":");
        }
        machine.program("apt-cache", "echo \" $2 | 1.85.1+dfsg1-1 | trixie/main\"");
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        self.file(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
        let path = self.path(&format!("bin/{name}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn source(&self, version: &str) {
        let log = "usr/share/doc/linux-source-7.3/changelog.Debian";
        self.file(log, &format!("linux ({version}) trixie; urgency=low\n"));
        let status = Command::new("gzip").arg("-f").arg(self.path(log)).status();
        assert!(status.unwrap().success());
    }

    /// Its exit status, and what it says.
    fn check(&self) -> (Option<i32>, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust-headers");
        let output = Command::new(script)
            .args(["--check", RELEASE])
            .arg(self.path("out"))
            .env("SYSROOT", self.0.path())
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("RUSTC", self.path("bin/rustc"))
            .env_remove("BINDGEN")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    }

    /// It is refused in one sentence with `reason` in it, and one command, which has `command` in it.
    fn refuses(&self, reason: &str, command: &str) {
        let (status, text) = self.check();
        assert_eq!(status, Some(1), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains(reason), "{text}");
        assert!(lines[1].contains(command), "{text}");
    }
}

#[test]
fn a_machine_with_everything_passes() {
    let (status, text) = Machine::new().check();
    assert_eq!((status, text.as_str()), (Some(0), ""));
}

#[test]
fn kernels_without_headers_or_rust_are_refused() {
    let machine = Machine::new();
    machine.file(
        &format!("usr/src/linux-headers-{RELEASE}/.config"),
        "# CONFIG_RUST is not set\n",
    );
    machine.refuses("built without Rust", "linux-image-amd64");
    fs::remove_dir_all(machine.path("usr/src")).unwrap();
    machine.refuses("headers", "apt install linux-headers-7.3.4+deb13-amd64");
}

#[test]
fn another_rustc_is_refused_with_the_one_to_install() {
    let machine = Machine::new();
    machine.program("rustc", "echo rustc 1.97.1");
    machine.refuses(
        "was built with rustc 1.85.1",
        "apt install rustc=1.85.1+dfsg1-1 libstd-rust-dev=1.85.1+dfsg1-1",
    );
    machine.program("rustc", "exit 1");
    machine.refuses("here is none", "apt install rustc=1.85.1+dfsg1-1");
}

#[test]
fn a_standard_library_without_source_is_refused() {
    let machine = Machine::new();
    fs::remove_dir_all(machine.path("usr/src/rustc-1.85.1")).unwrap();
    machine.refuses("standard library 1.85.1", "apt install rust-src=1.85.1");
}

#[test]
fn other_tools_are_refused() {
    let machine = Machine::new();
    machine.program("bindgen", "echo bindgen 0.60.1");
    machine.refuses("bindgen 0.71.1 or newer", "apt install bindgen");
    machine.program("bindgen", "echo bindgen 0.72.0");
    machine.program("gcc-14", "echo 'gcc-14 (Debian 14.3.0-1) 14.3.0'");
    machine.refuses("gcc-14", "apt install gcc-14");
    machine.program("gcc-14", &format!("echo '{GCC}'"));
    fs::remove_file(machine.path("usr/include/openssl/evp.h")).unwrap();
    machine.refuses("openssl/evp.h", "apt install libssl-dev");
}

#[test]
fn the_source_must_be_of_the_kernels_version() {
    let machine = Machine::new();
    machine.source("7.3.5-1");
    machine.refuses("7.3.5-1", "apt install linux-source-7.3=7.3.4-1");
    fs::remove_file(machine.path("usr/src/linux-source-7.3.tar.xz")).unwrap();
    machine.refuses(
        "source of the kernel",
        "apt install linux-source-7.3=7.3.4-1",
    );
}

#[test]
fn too_little_room_is_refused() {
    let machine = Machine::new();
    machine.program("df", "echo head; echo 'disk 1000 900 100 90% /'");
    machine.refuses("100 MB of room", "apt clean");
}

#[test]
fn headers_that_have_the_metadata_are_taken_as_they_are() {
    let machine = Machine::new();
    let headers = format!("usr/src/linux-headers-{RELEASE}");
    machine.file(&format!("{headers}/rust/libkernel.rmeta"), "");
    // Nothing else is needed then.
    fs::remove_file(machine.path("usr/src/linux-source-7.3.tar.xz")).unwrap();
    let (status, text) = machine.check();
    assert_eq!((status, text.as_str()), (Some(0), ""));
}
