// SPDX-License-Identifier: GPL-2.0

//! The sizes of a module file, and which part of the project its code belongs to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use object::Object;
use object::ObjectSection;
use object::ObjectSymbol;
use object::SectionFlags;
use object::SymbolKind;
use rustc_demangle::demangle;

const SHF_WRITE: u64 = 1;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;

/// What code is there to be watched, and not to decide: tests, messages, records of what happened.
pub const DIAGNOSTICS: [&str; 5] = [
    "KUnit suites",
    "formatting",
    "ledger",
    "trace events",
    "attribute and debugfs",
];

/// Bytes of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// As `size` counts: all that is loaded and never written, code and read-only data.
    pub text: u64,
    /// What is loaded and may be written.
    pub data: u64,
    /// What is not in the file.
    pub bss: u64,
    /// Instructions alone.
    pub code: u64,
    /// The same by group.
    pub groups: BTreeMap<&'static str, u64>,
}

impl Sizes {
    /// Code without what is there for diagnosis. What the compiler put into other functions, such
    /// as the making of a message, counts with these.
    pub fn plain_code(&self) -> u64 {
        let diagnostics = DIAGNOSTICS
            .iter()
            .filter_map(|name| self.groups.get(name))
            .sum::<u64>();
        self.code.saturating_sub(diagnostics)
    }

    /// Reads a file.
    pub fn of(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&bytes).with_context(|| format!("cannot understand {}", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = object::File::parse(bytes)?;
        let mut sizes = Self::default();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags: flags } = section.flags() else {
                continue;
            };
            if flags & SHF_ALLOC == 0 {
                continue;
            }
            if section.kind().is_bss() {
                sizes.bss += section.size();
            } else if flags & SHF_WRITE != 0 {
                sizes.data += section.size();
            } else {
                sizes.text += section.size();
            }
            if flags & SHF_EXECINSTR != 0 {
                sizes.code += section.size();
            }
        }
        let mut known = 0;
        for symbol in file.symbols() {
            if symbol.kind() == SymbolKind::Text && symbol.is_definition() {
                let name = format!("{:#}", demangle(symbol.name().unwrap_or_default()));
                *sizes.groups.entry(group(&name)).or_default() += symbol.size();
                known += symbol.size();
            }
        }
        // Between functions, and names that two functions share.
        let padding = sizes.code.saturating_sub(known);
        *sizes.groups.entry("padding").or_default() += padding;
        Ok(sizes)
    }
}

/// The group that a function belongs to, by its name.
fn group(name: &str) -> &'static str {
    const RULES: &[(&str, &[&str])] = &[
        ("KUnit suites", &["::kunit::", "kunit_"]),
        ("ledger", &["::ledger::", "LedgerFile"]),
        (
            "trace events",
            &[
                "::trace::",
                "trace_event",
                "perf_trace_",
                "trace_raw_output",
                "dax_hmem_trace",
            ],
        ),
        ("formatting", &["::fmt", "core::fmt"]),
        ("attribute and debugfs", &["::attribute::", "debugfs::"]),
        (
            "collections and reference counts",
            &["drop_in_place", "kvec::", "sync::arc"],
        ),
        ("the decision", &["::ownership::"]),
        (
            "drivers",
            &[
                "::device::Hmem",
                "::host::",
                "::params::",
                "::platform::",
                "::record::",
                "::region::",
                "::regions::",
                "HmemModule",
                "CxlDaxModule",
                "Registrar",
            ],
        ),
        ("abstractions", &["hmem::", "cxl::"]),
    ];
    RULES
        .iter()
        .find(|(_, marks)| marks.iter().any(|mark| name.contains(mark)))
        .map_or("module entry and C", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_the_part_that_they_come_from() {
        for (name, expected) in [
            (
                "<hmem::host::Host as kernel::workqueue::WorkItem>::run",
                "drivers",
            ),
            (
                "hmem::kunit::pieces::kunit_rust_wrapper_cut",
                "KUnit suites",
            ),
            (
                "<hmem::host::LedgerFile as kernel::debugfs::traits::Writer>::write",
                "ledger",
            ),
            ("hmem::ownership::verdict::decide", "the decision"),
            (
                "<hmem::ownership::verdict::Reason as kernel::fmt::Display>::fmt",
                "formatting",
            ),
            ("trace_event_raw_event_dax_hmem_piece", "trace events"),
            ("hmem::cxl_bus::sight", "abstractions"),
            ("init_module", "module entry and C"),
        ] {
            assert_eq!(group(name), expected, "{name}");
        }
    }

    #[test]
    fn the_sizes_of_a_file_are_read() {
        // The test program itself is an ELF file as well.
        let own = std::env::current_exe().expect("path");
        let sizes = Sizes::of(&own).expect("sizes");
        assert!(sizes.code > 0 && sizes.text > sizes.code && sizes.data > 0);
        assert!(sizes.plain_code() < sizes.code);
        assert!(Sizes::parse(b"no ELF").is_err());
    }
}
