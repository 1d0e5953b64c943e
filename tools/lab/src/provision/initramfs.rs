// SPDX-License-Identifier: GPL-2.0

//! A small initramfs for kernels that have the drivers of the guest's root as modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::cmd;
use super::Ctx;

/// The first program in it.
const INIT: &str = include_str!("../../guest/initramfs");
/// Modules that the guest needs before it has its own, by file name.
const MODULES: [&str; 5] = ["virtio_blk", "erofs", "9pnet_virtio", "9p", "overlay"];

/// Writes the initramfs: `modules` is a `lib/modules/<release>` after depmod.
pub fn make(ctx: &Ctx, busybox: &Path, modules: &Path, temp: &Path, target: &Path) -> Result<()> {
    let tree = temp.join("initramfs");
    let cannot = || format!("cannot make {}", tree.display());
    for dir in ["dev", "root", "modules"] {
        fs::create_dir_all(tree.join(dir)).with_context(cannot)?;
    }
    fs::copy(busybox, tree.join("busybox"))
        .with_context(|| format!("cannot copy {}", busybox.display()))?;
    fs::write(tree.join("init"), INIT).with_context(cannot)?;
    for program in ["init", "busybox"] {
        fs::set_permissions(tree.join(program), fs::Permissions::from_mode(0o755))
            .with_context(cannot)?;
    }
    let dep = modules.join("modules.dep");
    let dep = fs::read_to_string(&dep).with_context(|| format!("cannot read {}", dep.display()))?;
    let mut order = String::new();
    for path in load_order(&dep, &MODULES)? {
        let name = unpack(&modules.join(&path), &tree.join("modules"))?;
        order.push_str(&format!("{name}\n"));
    }
    fs::write(tree.join("modules/order"), order).with_context(cannot)?;
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | zstd -q -o \"$1\"",
            "sh",
        ])
        .arg(target)
        .current_dir(&tree);
    cmd::output(ctx, &mut command).map(|_| ())
}

/// The files of `wanted` and of all that they need, each after what it needs. What is built into
/// the kernel is not among them.
fn load_order(dep: &str, wanted: &[&str]) -> Result<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    for name in wanted {
        let line = dep.lines().find(|line| {
            let file = line.split(':').next().unwrap_or_default();
            stem(file) == *name
        });
        let Some((file, needs)) = line.and_then(|line| line.split_once(':')) else {
            bail!("the kernel's packages have no module {name}");
        };
        // depmod puts the innermost last.
        for path in needs.split_whitespace().rev().chain([file]) {
            if !order.iter().any(|have| have == path) {
                order.push(path.to_owned());
            }
        }
    }
    Ok(order)
}

/// `kernel/fs/9p/9p.ko.xz` is `9p`.
fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file)
}

/// Puts a module, unpacked, into a directory; returns its file's name.
fn unpack(path: &Path, into: &Path) -> Result<String> {
    let cannot = || format!("cannot unpack {}", path.display());
    let name = format!("{}.ko", stem(&path.to_string_lossy()));
    let target: PathBuf = into.join(&name);
    let program = match path.extension().and_then(|ext| ext.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => {
            fs::copy(path, &target).with_context(cannot)?;
            return Ok(name);
        }
    };
    let output = Command::new(program).arg("-dc").arg(path).output();
    let output = output.with_context(cannot)?;
    if !output.status.success() {
        bail!("{}: {}", cannot(), String::from_utf8_lossy(&output.stderr));
    }
    fs::write(&target, output.stdout).with_context(cannot)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/net/9p/9pnet.ko.xz:
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz
kernel/fs/netfs/netfs.ko.xz:
kernel/fs/9p/9p.ko.xz: kernel/fs/netfs/netfs.ko.xz kernel/net/9p/9pnet.ko.xz
kernel/a/top.ko: kernel/a/middle.ko kernel/a/bottom.ko
kernel/a/middle.ko: kernel/a/bottom.ko
kernel/a/bottom.ko:
";

    #[test]
    fn what_a_module_needs_comes_before_it_and_once() {
        let order = load_order(DEP, &["9pnet_virtio", "9p", "top"]).unwrap();
        let names: Vec<&str> = order.iter().map(|path| stem(path)).collect();
        assert_eq!(
            names,
            [
                "9pnet",
                "9pnet_virtio",
                "netfs",
                "9p",
                "bottom",
                "middle",
                "top"
            ]
        );
    }

    #[test]
    fn a_module_that_is_not_there_is_named() {
        let error = load_order(DEP, &["9pnet"; 1]).map(|order| order.len());
        assert_eq!(error.unwrap(), 1);
        let error = load_order(DEP, &["virtio_blk"]).unwrap_err().to_string();
        assert!(error.contains("virtio_blk"), "{error}");
    }
}
