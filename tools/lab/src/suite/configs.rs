// SPDX-License-Identifier: GPL-2.0

//! The modules compiled against kernels of many configurations: each builds both without a warning,
//! or refuses the kernel by name.
//!
//! A file of `tests/configs` holds options on top of the flavour `base`. Its first comment says what
//! it is; a comment that begins with `lab:` says what is special:
//!
//! - `compiler gcc`: built with GCC in place of clang
//! - `refused TEXT`: the modules cannot be built against it, and this is what is said
//! - `no symbol TEXT`: neither module asks the kernel for a symbol that has this in its name

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use object::Object;
use object::ObjectSymbol;

use super::host::write_log;
use super::Item;
use super::Report;
use crate::provision;
use crate::provision::Config;
use crate::provision::Ctx;
use crate::provision::Wanted;

/// Lines of a failed build that are shown.
const SHOWN: usize = 12;
/// A prepared kernel exports nothing, so that every symbol is one too many.
const EXPECTED: [&str; 2] = [" undefined!", " unresolved symbol warnings "];

/// One file of `tests/configs`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Case {
    name: String,
    /// What it is, for people.
    about: String,
    gcc: bool,
    refused: Option<String>,
    no_symbols: Vec<String>,
    options: Config,
}

/// What `make check` builds against as well: the configuration for which most other code is compiled.
const ALWAYS: [&str; 1] = ["no-cxl"];

/// An item for each configuration that is part of every check.
pub fn subset(ctx: &Ctx) -> Vec<Item> {
    let wanted = ALWAYS.map(|name| format!("config {name}"));
    let mut items = items(ctx);
    items.retain(|item| wanted.contains(&item.name));
    if items.len() != ALWAYS.len() {
        items.push(Item::new("configs", || {
            Ok(Report::failure(
                "configs",
                format!("tests/configs lacks one of {ALWAYS:?}"),
            ))
        }));
    }
    items
}

/// An item for each configuration.
pub fn items(ctx: &Ctx) -> Vec<Item> {
    let cases = match cases(&ctx.repo.join("tests/configs")) {
        Ok(cases) => cases,
        Err(error) => {
            let text = format!("{error:#}");
            return vec![Item::new("configs", move || {
                Ok(Report::failure("configs", text.clone()))
            })];
        }
    };
    let item = |case: Case| {
        let ctx = ctx.clone();
        let name = format!("config {}", case.name);
        Item::new(name.clone(), move || {
            let log = ctx.cache.join(format!("logs/config-{}.log", case.name));
            let faults = check(&ctx, &case, &log)?;
            let mut report = Report {
                log: Some(log),
                ..Report::default()
            };
            match faults.is_empty() {
                true => report.passed = 1,
                false => report.failed = vec![(name.clone(), faults)],
            }
            Ok(report)
        })
    };
    cases.into_iter().map(item).collect()
}

/// All files of the directory, by name.
fn cases(dir: &Path) -> Result<Vec<Case>> {
    let cannot = || format!("cannot list {}", dir.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        paths.push(entry.with_context(cannot)?.path());
    }
    paths.sort();
    let configs = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "config"));
    configs
        .map(|path| {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            parse(&name, &text)
        })
        .collect()
}

fn parse(name: &str, text: &str) -> Result<Case> {
    let mut case = Case {
        name: name.to_owned(),
        about: String::new(),
        gcc: false,
        refused: None,
        no_symbols: Vec::new(),
        options: Config::parse(name, text)?,
    };
    let comments = text.lines().map_while(|line| line.strip_prefix("# "));
    for comment in comments {
        let Some(word) = comment.strip_prefix("lab: ") else {
            if !case.about.is_empty() {
                case.about.push(' ');
            }
            case.about.push_str(comment);
            continue;
        };
        if word == "compiler gcc" {
            case.gcc = true;
        } else if let Some(text) = word.strip_prefix("refused ") {
            case.refused = Some(text.to_owned());
        } else if let Some(text) = word.strip_prefix("no symbol ") {
            case.no_symbols.push(text.to_owned());
        } else {
            bail!("tests/configs/{name}.config: `lab: {word}` is not known");
        }
    }
    if case.about.is_empty() {
        bail!("tests/configs/{name}.config does not say what it is");
    }
    Ok(case)
}

/// Builds against the kernel; returns what is wrong.
fn check(ctx: &Ctx, case: &Case, log: &Path) -> Result<Vec<String>> {
    let tree = provision::prepared(
        ctx,
        &Wanted {
            name: case.name.clone(),
            own: case.options.clone(),
            gcc: case.gcc,
            configured_only: case.refused.is_some(),
        },
    )?;
    let checks = ctx.cache.join("checks");
    fs::create_dir_all(&checks).with_context(|| format!("cannot create {}", checks.display()))?;
    let objects = tempfile::tempdir_in(&checks).context("cannot make a build directory")?;
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(&ctx.repo)
        .arg(format!("KDIR={}", tree.kdir.display()))
        .arg(format!("MO={}", objects.path().display()))
        .args(&tree.make_args)
        .arg("KBUILD_MODPOST_WARN=1")
        .arg("modules");
    let (ok, out, err) = provision::capture(ctx, &mut command)?;
    let text = format!("{command:?}\n{out}{err}");
    write_log(log, &text)?;

    if let Some(refusal) = &case.refused {
        return Ok(match (ok, err.contains(refusal.as_str())) {
            (false, true) => Vec::new(),
            (true, _) => vec![format!("it builds, and is to be refused: {refusal}")],
            (false, false) => vec![format!("not refused with `{refusal}`:\n{}", last(&text))],
        });
    }
    if !ok {
        return Ok(vec![format!("it does not build:\n{}", last(&text))]);
    }
    let mut faults = warnings(&text);
    let mut modules = vec!["dax_hmem.ko"];
    if tree.has("CONFIG_DEV_DAX_CXL")? {
        modules.push("dax_cxl.ko");
    }
    for module in modules {
        let path = objects.path().join(module);
        if !path.is_file() {
            faults.push(format!("there is no {module}"));
            continue;
        }
        for symbol in undefined(&path)? {
            if let Some(part) = case.no_symbols.iter().find(|part| symbol.contains(*part)) {
                faults.push(format!(
                    "{module} wants {symbol}: nothing with {part} is there"
                ));
            }
        }
    }
    Ok(faults)
}

/// Warnings of the compilers and of modpost.
fn warnings(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.contains("warning:") || line.contains("WARNING:"))
        .filter(|line| !EXPECTED.iter().any(|part| line.contains(part)))
        .map(str::to_owned)
        .collect()
}

/// Symbols that the kernel is to have.
fn undefined(path: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(bytes.as_slice())
        .with_context(|| format!("cannot understand {}", path.display()))?;
    let symbols = file.symbols().filter(|symbol| symbol.is_undefined());
    let names = symbols.filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    Ok(names.filter(|name| !name.is_empty()).collect())
}

/// The end of a log.
fn last(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    format!(
        "    {}",
        lines[lines.len().saturating_sub(SHOWN)..].join("\n    ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_say_what_is_special() {
        let text = "# One node.\n# Two lines.\n# lab: compiler gcc\n# lab: refused no NUMA\n\
                    # lab: no symbol cxl_\n\n# CONFIG_NUMA is not set\n";
        let case = parse("x", text).unwrap();
        assert_eq!(case.about, "One node. Two lines.");
        assert!(case.gcc);
        assert_eq!(case.refused.as_deref(), Some("no NUMA"));
        assert_eq!(case.no_symbols, ["cxl_"]);
        assert_eq!(case.options.to_text(), "# CONFIG_NUMA is not set\n");
        assert!(parse("x", "# lab: nonsense\n").is_err());
        assert!(parse("x", "CONFIG_A=y\n").is_err());
    }

    #[test]
    fn what_a_prepared_kernel_lacks_is_no_warning() {
        let text = "WARNING: modpost: \"kfree\" [dax_hmem.ko] undefined!\n\
                    warning: unused variable\n";
        assert_eq!(warnings(text), ["warning: unused variable"]);
    }

    #[test]
    fn the_configurations_of_the_project_parse() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/configs");
        assert!(cases(&dir).unwrap().len() > 10);
    }
}
