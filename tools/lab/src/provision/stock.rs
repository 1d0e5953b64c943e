// SPDX-License-Identifier: GPL-2.0

//! Debian's own kernel: image and modules as they are in its packages, nothing of it built here but
//! the Rust metadata that its headers lack.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use super::apt::Apt;
use super::apt::Scope;
use super::buildroot;
use super::cmd;
use super::cmd::announce;
use super::host;
use super::initramfs;
use super::key::Key;
use super::lock::write_atomic;
use super::lock::Lock;
use super::prune;
use super::source::OLDER;
use super::source::SERIES;
use super::Ctx;
use super::Kernel;

/// The flavour that the newest of these kernels is.
pub const DEBIAN: &str = "debian";
/// The flavour that one of the older series is.
pub const DEBIAN_OLDER: &str = "debian-7.2";
/// Changes when the way of making it does.
const RECIPE: &str = "1";
/// Drivers of hardware that no guest has, two thirds of all modules: depmod reads each.
const FOREIGN: [&str; 16] = [
    "drivers/bluetooth",
    "drivers/gpu",
    "drivers/hid",
    "drivers/hwmon",
    "drivers/iio",
    "drivers/infiniband",
    "drivers/input",
    "drivers/media",
    "drivers/mfd",
    "drivers/mtd",
    "drivers/net",
    "drivers/platform",
    "drivers/scsi",
    "drivers/staging",
    "drivers/usb",
    "sound",
];
/// What makes the metadata, in the checkout.
const RUST_HEADERS: &str = "tools/rust-headers";
/// Lines that rust-headers prints.
const RUST_HEADERS_LINES: u64 = 5;

/// The series of a flavour that is a kernel of Debian's.
pub fn series(flavor: &str) -> Option<&'static str> {
    match flavor {
        DEBIAN => Some(SERIES),
        DEBIAN_OLDER => Some(OLDER),
        _ => None,
    }
}

/// The newest kernel of a series; fetched if the cache does not have it.
pub fn kernel(ctx: &Ctx, flavor: &str, series: &'static str) -> Result<Kernel> {
    let key = Key::default()
        .add("recipe", RECIPE)
        .add("series", series)
        .add("tools", buildroot::TOOLS.join(" "))
        .finish();
    let parent = ctx.cache.join("stock");
    let stock = Stock {
        dir: parent.join(format!("{flavor}-{key}")),
        series,
    };
    host::ensure(ctx)?;
    let lock = ctx.cache.join(format!("locks/stock-{key}"));
    let lock = Lock::exclusive(&lock, "Debian's kernel")?;
    let _lock = lock.share_with_children()?;
    if !stock.stamp().is_file() {
        fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        prune::make_room(&parent, &stock.dir, flavor)?;
        stock.fetch(ctx)?;
    }
    prune::mark_used(&stock.dir);
    stock.metadata(ctx)?;
    stock.result()
}

/// Whether the cache has the packages already.
pub fn is_there(ctx: &Ctx) -> bool {
    let found = fs::read_dir(ctx.cache.join("stock"));
    let mut found = found.into_iter().flatten().flatten();
    found.any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_newest = name
            .rsplit_once('-')
            .is_some_and(|(flavor, _)| flavor == DEBIAN);
        is_newest && entry.path().join("release").is_file()
    })
}

struct Stock {
    dir: PathBuf,
    series: &'static str,
}

impl Stock {
    /// Holds the release, when all packages are unpacked.
    fn stamp(&self) -> PathBuf {
        self.dir.join("release")
    }

    fn release(&self) -> Result<String> {
        let stamp = self.stamp();
        fs::read_to_string(&stamp).with_context(|| format!("cannot read {}", stamp.display()))
    }

    fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    fn modroot(&self) -> PathBuf {
        self.dir.join("modules")
    }

    fn initramfs(&self) -> PathBuf {
        self.dir.join("initramfs")
    }

    fn rust(&self) -> PathBuf {
        self.dir.join("rust")
    }

    fn result(&self) -> Result<Kernel> {
        let release = self.release()?;
        Ok(Kernel {
            kdir: self.rust().join("build"),
            image: self.dir.join("vmlinuz"),
            modroot: self.modroot(),
            make_args: Vec::new(),
            initramfs: Some(self.initramfs()),
            root: Some(self.root()),
            release,
        })
    }

    /// Everything but the metadata.
    fn fetch(&self, ctx: &Ctx) -> Result<()> {
        let apt = Apt::open(ctx, Scope::Guest)?;
        let release = newest(ctx, &apt, self.series)?;
        announce(&format!(
            "Fetching Debian's kernel {release} and what builds modules for it: 600 MB and a minute \
             or two to unpack, once"
        ));
        let temp = host::temp_dir(ctx)?;
        let work = Self {
            dir: temp.path().join("stock"),
            series: self.series,
        };
        fs::create_dir_all(&work.dir)
            .with_context(|| format!("cannot make {}", work.dir.display()))?;
        let headers = format!("linux-headers-{release}");
        let source = format!("linux-source-{}", self.series);
        let packages = [headers.as_str(), &source, "busybox-static"];
        buildroot::make(
            ctx,
            &apt,
            &packages,
            &temp.path().join("debs"),
            &work.root(),
        )?;

        let binary = work.package(ctx, &apt, &format!("linux-binary-{release}"), temp.path())?;
        let image = binary.join(format!("usr/lib/modules/{release}/vmlinuz"));
        fs::copy(&image, work.dir.join("vmlinuz"))
            .with_context(|| format!("cannot copy {}", image.display()))?;
        let modules = work.package(ctx, &apt, &format!("linux-modules-{release}"), temp.path())?;
        let lib = work.modroot().join("lib");
        fs::create_dir_all(&lib)
            .and_then(|()| fs::rename(modules.join("usr/lib/modules"), lib.join("modules")))
            .with_context(|| format!("cannot move the modules to {}", lib.display()))?;
        for name in FOREIGN {
            let dir = lib.join("modules").join(&release).join("kernel").join(name);
            if dir.is_dir() {
                fs::remove_dir_all(&dir)
                    .with_context(|| format!("cannot remove {}", dir.display()))?;
            }
        }
        // What is built into the kernel: without it modprobe knows no name of these. The packages
        // have it beside the headers.
        for name in [
            "modules.builtin",
            "modules.builtin.modinfo",
            "modules.order",
        ] {
            let file = work
                .root()
                .join("usr/lib/modules")
                .join(&release)
                .join(name);
            let target = lib.join("modules").join(&release).join(name);
            fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
        }
        crate::guest::depmod(&work.modroot(), &release)?;
        initramfs::make(
            ctx,
            &work.root().join("usr/bin/busybox"),
            &lib.join("modules").join(&release),
            temp.path(),
            &work.initramfs(),
        )?;
        write_atomic(&work.stamp(), &release)?;
        let _ = fs::remove_dir_all(&self.dir);
        fs::rename(&work.dir, &self.dir)
            .with_context(|| format!("cannot move Debian's kernel to {}", self.dir.display()))
    }

    /// One package of the kernel, unpacked.
    fn package(&self, ctx: &Ctx, apt: &Apt, name: &str, temp: &Path) -> Result<PathBuf> {
        let versions = apt.versions(ctx, name)?;
        let version = versions
            .first()
            .with_context(|| format!("the mirror has no {name}"))?;
        let deb = apt.fetch(ctx, name, version, temp)?;
        let tree = temp.join(name);
        host::unpack_deb(ctx, &deb, &tree)?;
        Ok(tree)
    }

    /// What the headers lack; rust-headers keeps what is there already.
    fn metadata(&self, ctx: &Ctx) -> Result<()> {
        let release = self.release()?;
        let script = ctx.repo.join(RUST_HEADERS);
        let text =
            fs::read(&script).with_context(|| format!("cannot read {}", script.display()))?;
        let key = Key::default().add("script", text).finish();
        let stamp = self.dir.join("rust.key");
        if fs::read_to_string(&stamp).is_ok_and(|have| have == key) {
            return Ok(());
        }
        announce(&format!(
            "Making the Rust metadata of {release}: two minutes or three, once"
        ));
        let what = format!("make the Rust metadata of {release}");
        let step = buildroot::step(ctx, what, "rust-headers")
            .with_progress(RUST_HEADERS_LINES, "rust-headers: ");
        let mut command = buildroot::command(ctx, &self.root(), &script.to_string_lossy());
        command.arg(&release).arg(self.rust());
        cmd::run_cmd(ctx, &step, &mut command)?;
        write_atomic(&stamp, &key)
    }
}

/// The newest release of a series that the mirror has, as its packages' names have it.
pub fn newest(ctx: &Ctx, apt: &Apt, series: &str) -> Result<String> {
    let prefix = format!("linux-headers-{series}.");
    let names = cmd::output(ctx, apt.command("apt-cache").args(["pkgnames", &prefix]))?;
    let release = choose(names.lines()).with_context(|| {
        format!(
            "the mirror has no kernel {series} in trixie-backports any more; \
             use a kernel of the lab's own with FLAVOR=base"
        )
    })?;
    Ok(release.to_owned())
}

/// Of `linux-headers-7.3.4+deb13-amd64` and its like the newest; not those for clouds or for RT.
fn choose<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .filter_map(|name| name.strip_prefix("linux-headers-"))
        .filter(|release| {
            let rest = release.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let rest = rest.strip_prefix("+deb").unwrap_or_default();
            rest.trim_start_matches(|c: char| c.is_ascii_digit()) == "-amd64"
        })
        .max_by_key(|release| {
            let numbers = release.split(|c: char| !c.is_ascii_digit());
            let numbers = numbers.filter_map(|number| number.parse().ok());
            numbers.collect::<Vec<u64>>()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_plain_kernel_is_chosen() {
        let names = [
            "linux-headers-7.3.9+deb13-amd64",
            "linux-headers-7.3.10+deb13-amd64",
            "linux-headers-7.3.11+deb13-cloud-amd64",
            "linux-headers-7.3.11+deb13-rt-amd64",
            "linux-headers-7.3.11+deb13-common",
        ];
        assert_eq!(choose(names.into_iter()), Some("7.3.10+deb13-amd64"));
        assert_eq!(choose(["linux-headers-amd64"].into_iter()), None);
    }
}
