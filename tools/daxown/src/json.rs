// SPDX-License-Identifier: GPL-2.0

//! The documents that `-J` prints. Their fields are an interface: fields may be added, none changes
//! its meaning or goes.
//!
//! Addresses are hexadecimal strings (JSON numbers lose precision above 2^53), sizes are numbers of
//! bytes, `null` is "cannot be known from what could be read".

use daxmap::modules::Drivers;
use daxmap::problem::Problem;
use daxmap::{Map, Owner, Piece, Range, Reason};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::AgreedDoc;
use crate::list::DeviceDoc;

/// What every document begins with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Machine {
    /// Kernel release.
    pub kernel: Option<String>,
    /// Whose dax_hmem runs: `rust`, `stock`, `none` or `unknown`.
    pub drivers: String,
    /// Whether it is settled who owns what; `null` if that cannot be known.
    pub settled: Option<bool>,
}

impl Machine {
    pub fn of(map: &Map) -> Machine {
        Machine {
            kernel: map.release.clone(),
            drivers: drivers(map.drivers).into(),
            settled: map.settled(),
        }
    }
}

pub fn drivers(drivers: Drivers) -> &'static str {
    match drivers {
        Drivers::Rust => "rust",
        Drivers::Stock => "stock",
        Drivers::None => "none",
        Drivers::Unknown => "unknown",
    }
}

/// An owner.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OwnerDoc {
    /// `cxl`, `hmem`, `system-ram`, `driver` (another driver), `nobody` or `unknown`.
    pub kind: String,
    /// The region, the hmem device, or what the other driver has.
    pub name: Option<String>,
}

impl OwnerDoc {
    pub fn of(owner: &Owner) -> OwnerDoc {
        let (kind, name) = match owner {
            Owner::Cxl { region } => ("cxl", Some(region.clone())),
            Owner::Hmem { device } => ("hmem", Some(device.clone())),
            Owner::SystemRam => ("system-ram", None),
            Owner::Driver { name } => ("driver", Some(name.clone())),
            Owner::Nobody => ("nobody", None),
            Owner::Unknown => ("unknown", None),
        };
        OwnerDoc {
            kind: kind.into(),
            name,
        }
    }
}

/// Why something is so.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReasonDoc {
    /// For programs.
    pub code: String,
    /// For people.
    pub text: String,
    /// `ledger`, `sysfs`, `log` or `derived`.
    pub evidence: String,
}

impl ReasonDoc {
    pub fn of(reason: &Reason) -> ReasonDoc {
        ReasonDoc {
            code: reason.code.word().to_string(),
            text: reason.text.clone(),
            evidence: reason.evidence.word().into(),
        }
    }
}

/// Addresses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RangeDoc {
    /// First address.
    pub start: String,
    /// Last address.
    pub end: String,
    /// Bytes.
    pub size: u64,
}

impl RangeDoc {
    pub fn of(range: &Range) -> RangeDoc {
        RangeDoc {
            start: format!("{:#x}", range.start),
            end: format!("{:#x}", range.end),
            size: range.len(),
        }
    }
}

/// A member of a region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MemberDoc {
    /// Position in the interleave.
    pub position: u64,
    /// Memory device.
    pub memdev: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
}

/// How much of something is in use.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UseDoc {
    /// Online System RAM.
    pub online: Option<u64>,
    /// Memory blocks that are offline.
    pub offline: Option<u64>,
    /// Served as a /dev/daxN.M file.
    pub file: u64,
    /// Of what is online or a file: not to be relied on, for nothing answers for it, its driver is
    /// gone, or it is another driver's.
    pub unsound: u64,
    /// What can be used now: online and file, less what is unsound; or what another driver has.
    pub usable: Option<u64>,
}

impl UseDoc {
    pub fn of(piece: &Piece) -> UseDoc {
        UseDoc {
            online: piece.online_bytes,
            offline: piece.offline_bytes,
            file: piece.file_bytes,
            unsound: piece.unsound_bytes,
            usable: piece.usable_bytes(),
        }
    }
}

/// Something that could not be read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GapDoc {
    /// The file.
    pub path: String,
    /// Why.
    pub why: String,
    /// Whether root could read it.
    pub needs_root: bool,
}

pub fn gaps(map: &Map) -> Vec<GapDoc> {
    map.gaps
        .iter()
        .map(|g| GapDoc {
            path: g.path.clone(),
            why: g.why.clone(),
            needs_root: g.needs_root,
        })
        .collect()
}

/// One row of `daxown list`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RowDoc {
    /// `reserved`, a piece of a Soft Reserved range; `region`, a CXL region; `dax`, a dax device of a
    /// list that was pasted, of whose memory nothing else is known.
    pub kind: String,
    /// The name of the region or dax device.
    pub name: Option<String>,
    /// Addresses; `null` for a region without, and where they are not known.
    pub range: Option<RangeDoc>,
    /// Bytes of a dax device whose addresses are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Who has it.
    pub owner: OwnerDoc,
    /// Its dax device, or the hmem device that failed to make one.
    pub device: Option<String>,
    /// Target NUMA node.
    pub node: Option<u32>,
    /// Bytes in use.
    #[serde(rename = "use")]
    pub used: UseDoc,
    /// `online`, `partial`, `offline`, `dax-file`, `idle`, `deferred`, `free`, `failed`, `unowned`,
    /// `stuck`, `foreign` or `unknown`; for a region also `lost`, `disabled` or `unbound`.
    pub state: String,
    /// Why.
    pub reason: ReasonDoc,
    /// CXL windows it lies in.
    pub windows: Vec<String>,
    /// What a Soft Reserved range is known from.
    pub sources: Vec<String>,
    /// A region's members; of a piece of Soft Reserved memory, those of the committed regions there.
    pub members: Vec<MemberDoc>,
}

/// `daxown list -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListDoc {
    /// `daxown-list-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// The rows, after filters.
    pub rows: Vec<RowDoc>,
    /// Memory devices.
    pub devices: Vec<DeviceDoc>,
    /// What could not be read.
    pub gaps: Vec<GapDoc>,
}

/// A problem.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemDoc {
    /// What kind, such as `kmem-cannot-reserve`; the man page lists them.
    pub kind: String,
    /// `loss`, `warning` or `note`.
    pub severity: String,
    /// What it is about.
    pub subject: String,
    /// Where.
    pub range: Option<RangeDoc>,
    /// Bytes not usable because of it, counted in no other problem.
    pub bytes: u64,
    /// The cause.
    pub cause: String,
    /// Commands to run, in order, each only if the one before succeeded; a line with `#` in front is a
    /// remark.
    pub remedy: Vec<String>,
    /// Log lines and paths it is known from.
    pub evidence: Vec<String>,
}

impl ProblemDoc {
    pub fn of(problem: &Problem) -> ProblemDoc {
        ProblemDoc {
            kind: problem.kind.word().into(),
            severity: problem.severity.word().into(),
            subject: problem.subject.clone(),
            range: problem.range.as_ref().map(RangeDoc::of),
            bytes: problem.bytes,
            cause: problem.cause.clone(),
            remedy: problem.remedy.clone(),
            evidence: problem.evidence.clone(),
        }
    }
}

/// Sums over the machine.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TotalsDoc {
    /// Bytes that are Soft Reserved.
    pub reserved: u64,
    /// Bytes of committed volatile regions outside Soft Reserved ranges.
    pub regions: u64,
    /// Bytes outside of both that are in use and not to be relied on.
    pub other: u64,
    /// Bytes of all three that are not usable.
    pub not_usable: u64,
    /// Problems of severity `loss`.
    pub losses: usize,
    /// Problems of severity `warning`.
    pub warnings: usize,
    /// Problems of severity `note`.
    pub notes: usize,
}

/// `daxown doctor -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DoctorDoc {
    /// `daxown-doctor-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// The exit status: 0, 1 or 2.
    pub status: u8,
    /// Sums.
    pub totals: TotalsDoc,
    /// The problems, the worst first.
    pub problems: Vec<ProblemDoc>,
    /// Problems that the configuration agrees to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agreed: Vec<AgreedDoc>,
    /// What is not as the configuration says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_as_agreed: Vec<String>,
    /// What could not be read.
    pub gaps: Vec<GapDoc>,
}

/// A step of a story.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepDoc {
    /// `firmware`, `window`, `regions`, `decision`, `device`, `memory`, `now`.
    pub topic: String,
    /// What happened or is so.
    pub text: String,
    /// Log lines and paths it is known from.
    pub evidence: Vec<String>,
}

/// The story of one piece of memory.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoryDoc {
    /// Its addresses.
    pub range: Option<RangeDoc>,
    /// What it is.
    pub title: String,
    /// The steps in order.
    pub steps: Vec<StepDoc>,
    /// What is wrong with it.
    pub problems: Vec<ProblemDoc>,
    /// Commands to look further or to change it.
    pub commands: Vec<String>,
}

/// `daxown explain -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExplainDoc {
    /// `daxown-explain-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// What was asked for, with spaces between.
    pub what: String,
    /// One story for each piece of memory it has to do with.
    pub stories: Vec<StoryDoc>,
    /// What could not be read.
    pub gaps: Vec<GapDoc>,
}

/// A node of the map.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeDoc {
    /// `window`, `reserved`, `region`, `dax`, `ram`, or `other`: whatever else has addresses of a window.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub range: RangeDoc,
    /// Who has it, for Soft Reserved pieces.
    pub owner: Option<OwnerDoc>,
    /// Its state in words.
    pub detail: String,
    /// Bytes in use now; `null` if unknown or not of interest.
    pub usable: Option<u64>,
    /// What lies in it.
    pub children: Vec<NodeDoc>,
}

/// `daxown tree -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TreeDoc {
    /// `daxown-tree-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// The map from its top.
    pub nodes: Vec<NodeDoc>,
    /// What could not be read.
    pub gaps: Vec<GapDoc>,
}

/// The document as text.
pub fn text(document: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}
