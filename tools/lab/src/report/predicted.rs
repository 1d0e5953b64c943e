// SPDX-License-Identifier: GPL-2.0

//! Compares what `daxown predict` foretold with what came out: who has which Soft Reserved byte, how much is
//! in use, and of which node it is, also where SRAT knows nothing of a window.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

use crate::guest::Boot;
use crate::guest::Verbs;
use crate::scenario::Moment;

/// Addresses side by side with one kind of owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    start: u64,
    end: u64,
    owner: String,
    /// Bytes that are System RAM, online or not, or can be mapped as a file.
    used: u64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end, mib) = (self.start, self.end, self.used >> 20);
        write!(
            f,
            "{start:#x}-{end:#x} {} with {mib} MiB in use",
            self.owner
        )
    }
}

/// Everything that came out otherwise than foretold.
pub fn faults(boot: &Boot<'_>, verbs: &Verbs) -> Result<Vec<String>> {
    let dir = boot.dir.output().join("predict");
    let mut faults = Vec::new();
    let moments = boot.scenario.predictions(boot.drivers, boot.has_dax_cxl);
    let at_rest = moments.contains(&Moment::First);
    for moment in moments {
        let forecast = runs(&document(&dir, moment.word())?, &Reading::Forecast)?;
        let list = match at_rest {
            true => document(&dir, "rest")?,
            false => match verbs.of("list -J") {
                Some(verb) => verb.document()?,
                None => return Ok(faults),
            },
        };
        let end = runs(&list, &Reading::List)?;
        let told = document(&dir, moment.word())?;
        faults.extend(node_faults(&told["forecasts"][0]["parts"], &list["rows"]));
        if forecast != end {
            faults.push(format!(
                "daxown predict ({}) foretold {}; there is {}",
                moment.word(),
                shown(&forecast),
                shown(&end)
            ));
        }
    }
    Ok(faults)
}

/// Nodes that came out otherwise than foretold. What nobody has, or nothing tells the node of, has none.
fn node_faults(parts: &Value, rows: &Value) -> Vec<String> {
    let of = |row: &Value| {
        let address = |key: &str| {
            let text = row["range"][key].as_str()?;
            u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
        };
        let is_owned = row["owner"]["kind"] != "nobody";
        let node = row["node"].as_u64().filter(|_| is_owned)?;
        Some((address("start")?, address("end")?, node))
    };
    let told = |rows: &Value| -> Vec<(u64, u64, u64)> {
        rows.as_array()
            .into_iter()
            .flatten()
            .filter_map(of)
            .collect()
    };
    let end = told(rows);
    let mut faults = Vec::new();
    for (start, last, node) in told(parts) {
        let here = end.iter().filter(|e| e.0 <= last && start <= e.1);
        faults.extend(here.filter(|e| e.2 != node).map(|(first, _, other)| {
            format!(
                "daxown predict foretold node {node} for {start:#x}-{last:#x}; what begins at {first:#x} there is of \
                 node {other}"
            )
        }));
    }
    faults
}

fn document(dir: &Path, name: &str) -> Result<Value> {
    let path = dir.join(name);
    let said = || fs::read_to_string(dir.join("errors")).unwrap_or_default();
    let text = fs::read_to_string(&path)
        .with_context(|| format!("daxown was not asked what will come out ({name})"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{name}: daxown printed no JSON: {}", said().trim()))
}

/// Which document it is.
enum Reading {
    List,
    Forecast,
}

/// The runs of a document, those side by side joined.
fn runs(document: &Value, reading: &Reading) -> Result<Vec<Run>> {
    let rows = match reading {
        Reading::List => &document["rows"],
        Reading::Forecast => &document["forecasts"][0]["parts"],
    };
    let mut found = Vec::new();
    for row in rows.as_array().context("a document without rows")? {
        let is_reserved = match reading {
            Reading::List => row["kind"] == "reserved",
            // A region outside of Soft Reserved memory has a part of its own.
            Reading::Forecast => row["reason"] != "region",
        };
        if !is_reserved {
            continue;
        }
        let address = |key: &str| {
            let text = row["range"][key].as_str().context("a row without range")?;
            u64::from_str_radix(text.trim_start_matches("0x"), 16).context("not an address")
        };
        let bytes = |value: &Value| value.as_u64().unwrap_or_default();
        let used = match reading {
            Reading::List => ["online", "offline", "file"]
                .iter()
                .map(|key| bytes(&row["use"][key]))
                .sum(),
            Reading::Forecast => bytes(&row["ram"]) + bytes(&row["file"]),
        };
        // What another driver has is neither's.
        let kind = row["owner"]["kind"].as_str().unwrap_or_default();
        let owner = match kind == "driver" || row["hindrance"] == "kept-by-region" {
            true => "nobody",
            false => kind,
        };
        found.push(Run {
            start: address("start")?,
            end: address("end")?,
            owner: owner.to_owned(),
            used,
        });
    }
    found.sort();
    let mut out: Vec<Run> = Vec::new();
    for run in found {
        match out.last_mut() {
            Some(last) if last.end.checked_add(1) == Some(run.start) && last.owner == run.owner => {
                last.end = run.end;
                last.used += run.used;
            }
            _ => out.push(run),
        }
    }
    Ok(out)
}

fn shown(runs: &[Run]) -> String {
    let all: Vec<String> = runs.iter().map(Run::to_string).collect();
    match all.is_empty() {
        true => "nothing".to_owned(),
        false => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(start: &str, end: &str, owner: &str, online: u64) -> Value {
        json!({
            "kind": "reserved", "range": { "start": start, "end": end },
            "owner": { "kind": owner, "name": null }, "use": { "online": online, "offline": null },
        })
    }

    fn part(start: &str, end: &str, owner: &str, ram: u64) -> Value {
        json!({
            "range": { "start": start, "end": end }, "owner": { "kind": owner }, "ram": ram,
            "reason": "covered",
        })
    }

    #[test]
    fn nodes_are_compared_where_both_are_told() {
        let of = |mut row: Value, node: Option<u64>| {
            row["node"] = node.into();
            row
        };
        let parts = json!([
            of(part("0x1000", "0x2fff", "hmem", 0), Some(1)),
            of(part("0x3000", "0x3fff", "hmem", 0), None),
        ]);
        let rows = |node| {
            json!([
                of(row("0x1000", "0x1fff", "hmem", 0), Some(1)),
                of(row("0x2000", "0x2fff", "hmem", 0), node),
                of(row("0x3000", "0x3fff", "hmem", 0), Some(3)),
            ])
        };
        assert_eq!(node_faults(&parts, &rows(Some(1))), Vec::<String>::new());
        assert_eq!(node_faults(&parts, &rows(None)), Vec::<String>::new());
        let faults = node_faults(&parts, &rows(Some(2)));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("0x2000"), "{faults:?}");
    }

    #[test]
    fn pieces_of_one_owner_count_as_one() {
        let list = json!({ "rows": [
            row("0x2000", "0x2fff", "hmem", 4096),
            row("0x1000", "0x1fff", "hmem", 0),
            row("0x3000", "0x3fff", "nobody", 0),
        ] });
        let forecast = |ram| {
            let parts = [
                part("0x1000", "0x2fff", "hmem", ram),
                part("0x3000", "0x3fff", "nobody", 0),
            ];
            json!({ "forecasts": [{ "parts": parts }] })
        };
        let end = runs(&list, &Reading::List).unwrap();
        assert_eq!(runs(&forecast(4096), &Reading::Forecast).unwrap(), end);
        assert_ne!(runs(&forecast(0), &Reading::Forecast).unwrap(), end);
    }
}
