// SPDX-License-Identifier: GPL-2.0

//! A private apt state in the cache: any suite of the machine's own mirror, signatures checked.
//!
//! Nothing of the system's apt is changed. Proxies and the like of its configuration hold; its
//! hooks and pins do not.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::SystemTime;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::cmd;
use super::cmd::announce;
use super::cmd::Step;
use super::debian::Release;
use super::lock::Lock;
use super::sources;
use super::sources::Source;
use super::Ctx;

/// Package lists younger than this are not fetched again.
const FRESH: Duration = Duration::from_secs(3600);

/// Names that a machine's sources may use in place of the release's codename.
const ALIASES: [&str; 3] = ["stable", "oldstable", "oldoldstable"];

/// Debian 12 has a new enough QEMU in its backports only, and with it goes its firmware. All
/// else comes from the release proper.
const PREFERENCES: &str = "\
Package: src:qemu src:seabios src:ipxe
Pin: release n=bookworm-backports
Pin-Priority: 990
";

/// Which packages an apt state is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This machine's release with what is installed here.
    Host,
    /// Debian 13 and its backports, with nothing installed: for the guest, for sources.
    Guest,
}

/// A private apt state with fresh package lists.
#[derive(Debug)]
pub struct Apt {
    dir: PathBuf,
    suites: String,
}

impl Apt {
    /// Opens the state, fetching the package lists if they are old.
    pub fn open(ctx: &Ctx, scope: Scope) -> Result<Self> {
        let release = Release::detect()?;
        let (name, suites) = match (scope, release) {
            (Scope::Guest, _) => ("guest", vec!["trixie", "trixie-backports"]),
            (Scope::Host, Release::Bookworm) => {
                let suites = vec!["bookworm", "bookworm-updates", "bookworm-backports"];
                ("host", suites)
            }
            (Scope::Host, Release::Trixie) => ("host", vec!["trixie", "trixie-updates"]),
        };
        let suites: Vec<String> = suites.into_iter().map(str::to_owned).collect();
        let apt = Self {
            dir: ctx.cache.join("apt").join(name),
            suites: suites.join(", "),
        };
        let _lock = Lock::exclusive(&ctx.cache.join("locks/apt"), "package lists")?;
        apt.prepare(scope)?;

        let known = machine_sources(ctx)?;
        let candidates = candidates(&known, release, scope, &suites);
        if candidates.is_empty() {
            bail!(
                "no Debian mirror in this machine's apt sources: add one, for example with the \
                 suite {} and the component main, to /etc/apt/sources.list.d",
                release.codename()
            );
        }
        apt.update(ctx, &candidates)?;
        Ok(apt)
    }

    /// The configuration file, for `apt-get -c`.
    pub fn conf(&self) -> PathBuf {
        self.dir.join("apt.conf")
    }

    /// The file that names the mirror and its suites.
    pub fn sources(&self) -> PathBuf {
        self.dir.join("sources.list.d/lab.sources")
    }

    /// `tool` (apt-get, apt-cache) on this state.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.arg("-c").arg(self.conf());
        command
    }

    /// Versions of `package` on offer, the newest first.
    pub fn versions(&self, ctx: &Ctx, package: &str) -> Result<Vec<String>> {
        let text = cmd::output(ctx, self.command("apt-cache").args(["madison", package]))?;
        Ok(parse_madison(&text))
    }

    /// Fetches one package into `dir`; returns the file.
    pub fn fetch(&self, ctx: &Ctx, package: &str, version: &str, dir: &Path) -> Result<PathBuf> {
        let step = self.step(ctx, &format!("fetch {package} {version}"));
        let mut command = self.command("apt-get");
        command.arg("download").arg(format!("{package}={version}"));
        cmd::run_cmd(ctx, &step, command.current_dir(dir))?;
        let debs = debs(dir)?;
        let found = debs.into_iter().find(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&format!("{package}_")))
        });
        found.with_context(|| format!("apt-get fetched no {package}"))
    }

    /// Fetches packages with all they depend on into `dir`; returns the files.
    pub fn fetch_closure(&self, ctx: &Ctx, packages: &[&str], dir: &Path) -> Result<Vec<PathBuf>> {
        let step = self.step(ctx, "fetch the guest's packages");
        fs::create_dir_all(dir.join("partial")).context("cannot make a directory for packages")?;
        let mut archives = std::ffi::OsString::from("Dir::Cache::archives=");
        archives.push(dir);
        let mut command = self.command("apt-get");
        command
            .args([
                "install",
                "--download-only",
                "--no-install-recommends",
                "-y",
            ])
            .arg("-o")
            .arg(archives)
            .args(packages);
        cmd::run_cmd(ctx, &step, &mut command)?;
        debs(dir)
    }

    fn step(&self, ctx: &Ctx, what: &str) -> Step {
        Step::new(
            ctx,
            what,
            "apt",
            "check the network and the mirror in /etc/apt, then run the same command again",
        )
    }

    fn prepare(&self, scope: Scope) -> Result<()> {
        let cannot = || format!("cannot write the apt state {}", self.dir.display());
        for name in ["lists/partial", "cache/archives/partial", "sources.list.d"] {
            fs::create_dir_all(self.dir.join(name)).with_context(cannot)?;
        }
        let status = match scope {
            Scope::Host => system_status(),
            Scope::Guest => {
                let status = self.dir.join("status");
                fs::write(&status, "").with_context(cannot)?;
                status
            }
        };
        fs::write(self.dir.join("preferences"), PREFERENCES).with_context(cannot)?;
        fs::write(self.conf(), conf(&self.dir, &status, scope)).with_context(cannot)
    }

    /// Takes the first candidate whose lists can be fetched and verified.
    fn update(&self, ctx: &Ctx, candidates: &[String]) -> Result<()> {
        let file = self.sources();
        let stamp = self.dir.join("updated");
        let current = fs::read_to_string(&file).unwrap_or_default();
        if candidates.contains(&current) && is_fresh(&stamp) {
            return Ok(());
        }
        announce(&format!(
            "Reading the package lists of {} (seconds)",
            self.suites
        ));
        let cannot = || format!("cannot write the apt state {}", self.dir.display());
        let mut failures = Vec::new();
        for candidate in candidates {
            fs::write(&file, candidate).with_context(cannot)?;
            let mut command = self.command("apt-get");
            command.args(["update", "-qq", "-o", "APT::Update::Error-Mode=any"]);
            let (ok, _, errors) = cmd::capture(ctx, &mut command)?;
            if ok {
                fs::write(&stamp, "").with_context(cannot)?;
                return Ok(());
            }
            failures.push(explain_update(&errors));
        }
        // A later run must not take a failed list for a good one.
        fs::remove_file(&file).with_context(cannot)?;
        bail!(
            "cannot get the package lists of {}:\n{}",
            self.suites,
            failures.join("\n")
        )
    }
}

/// All `.deb` files of a directory, sorted.
fn debs(dir: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot list {}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|ext| ext == "deb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_fresh(stamp: &Path) -> bool {
    let modified = fs::metadata(stamp).and_then(|data| data.modified());
    modified.is_ok_and(|time| {
        SystemTime::now()
            .duration_since(time)
            .is_ok_and(|age| age < FRESH)
    })
}

fn system_status() -> PathBuf {
    PathBuf::from("/var/lib/dpkg/status")
}

fn machine_sources(ctx: &Ctx) -> Result<Vec<Source>> {
    let mut command = Command::new("apt-config");
    command.args(["shell", "LIST", "Dir::Etc::sourcelist/f"]);
    command.args(["PARTS", "Dir::Etc::sourceparts/d"]);
    let text = cmd::output(ctx, &mut command)?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        PathBuf::from(line.unwrap_or_default().trim_matches('\''))
    };
    sources::read(&value("LIST="), &value("PARTS="))
}

/// Contents of the sources file, one for each mirror that may be the right one.
fn candidates(known: &[Source], release: Release, scope: Scope, suites: &[String]) -> Vec<String> {
    let codename = release.codename();
    let security = match scope {
        Scope::Host => sources::security(known, codename, &ALIASES),
        Scope::Guest => Vec::new(),
    };
    sources::mirrors(known, codename, &ALIASES)
        .iter()
        .map(|mirror| {
            [mirror.with_suites(suites)]
                .iter()
                .chain(&security)
                .map(Source::stanza)
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect()
}

/// apt reads this after the system's configuration, so that it has the last word.
fn conf(dir: &Path, status: &Path, scope: Scope) -> String {
    let path = |name: &str| dir.join(name).display().to_string();
    let mut lines = vec![
        "#clear APT::Update::Pre-Invoke;".to_owned(),
        "#clear APT::Update::Post-Invoke;".to_owned(),
        "#clear APT::Update::Post-Invoke-Success;".to_owned(),
        "#clear APT::Architectures;".to_owned(),
        "APT::Architecture \"amd64\";".to_owned(),
        "APT::Architectures { \"amd64\"; };".to_owned(),
        "APT::Default-Release \"\";".to_owned(),
        // The cache may lie where apt's own download user cannot write.
        "APT::Sandbox::User \"root\";".to_owned(),
        "Acquire::Languages \"none\";".to_owned(),
        "Acquire::AllowReleaseInfoChange \"true\";".to_owned(),
        "Acquire::AllowInsecureRepositories \"false\";".to_owned(),
        "Acquire::AllowWeakRepositories \"false\";".to_owned(),
        "Acquire::Retries \"3\";".to_owned(),
        "Dir::Etc::sourcelist \"/dev/null\";".to_owned(),
        format!("Dir::Etc::sourceparts \"{}\";", path("sources.list.d")),
        format!("Dir::Etc::preferences \"{}\";", path("preferences")),
        "Dir::Etc::preferencesparts \"/dev/null\";".to_owned(),
        format!("Dir::State::lists \"{}\";", path("lists")),
        format!("Dir::State::status \"{}\";", status.display()),
    ];
    match scope {
        // Packages for this machine are kept, and locked, where apt always does.
        Scope::Host => lines.push("Dir::Cache::pkgcache \"\";".to_owned()),
        Scope::Guest => {
            lines.push(format!("Dir::State \"{}\";", path("")));
            lines.push(format!("Dir::Cache \"{}\";", path("cache")));
        }
    }
    lines.push("Dir::Cache::srcpkgcache \"\";".to_owned());
    lines.join("\n") + "\n"
}

fn parse_madison(text: &str) -> Vec<String> {
    let mut versions: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(version) = line.split('|').nth(1) else {
            continue;
        };
        let version = version.trim().to_owned();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    versions
}

/// What went wrong with `apt-get update`, and what to do.
fn explain_update(errors: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| errors.contains(word));
    let (cause, way_out) = if has(&["NO_PUBKEY", "KEYEXPIRED", "EXPKEYSIG", "BADSIG"])
        || has(&["not signed", "GPG error", "couldn't be verified"])
    {
        (
            "the signature could not be verified",
            "update the package debian-archive-keyring, or correct Signed-By in the apt sources",
        )
    } else if has(&["404", "does not have a Release file"]) {
        (
            "the mirror does not carry the suite",
            "configure a full Debian mirror in /etc/apt/sources.list.d",
        )
    } else {
        (
            "the mirror cannot be read",
            "check the network, and the proxy in the apt configuration if there is one",
        )
    };
    let detail: Vec<String> = errors
        .lines()
        .filter(|line| line.starts_with("E:") || line.starts_with("W:"))
        .map(|line| format!("  | {line}"))
        .collect();
    format!("  {cause}; {way_out}\n{}", detail.join("\n"))
}

#[cfg(test)]
#[path = "apt_test.rs"]
mod tests;
