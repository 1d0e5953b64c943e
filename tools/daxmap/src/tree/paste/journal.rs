// SPDX-License-Identifier: GPL-2.0

//! Entries of the journal with their fields, `journalctl -o verbose`, `export` and `json`, and the document
//! of `dmesg -J`, as lines of a log.

use serde_json::{Map, Value};

/// The lines of a JSON document, or of a list of such; `None` if it is no log.
pub(super) fn of_json(document: &Value) -> Option<String> {
    if let Some(all) = document.as_array() {
        let lines: Vec<String> = all.iter().filter_map(of_json).collect();
        return (!lines.is_empty()).then(|| lines.join("\n"));
    }
    if let Some(messages) = document.get("dmesg").and_then(Value::as_array) {
        let lines: Vec<String> = messages.iter().filter_map(of_dmesg).collect();
        return Some(lines.join("\n"));
    }
    let fields: &Map<String, Value> = document.as_object()?;
    let field = |name: &str| fields.get(name).and_then(Value::as_str);
    field("MESSAGE")?;
    Some(line(field).unwrap_or_default())
}

/// A message of `dmesg -J`, whose time is a number, or a date where one was asked for.
fn of_dmesg(message: &Value) -> Option<String> {
    let text = message.get("msg")?.as_str()?;
    Some(match message.get("time") {
        Some(Value::String(time)) => format!("[{time}] {text}"),
        Some(Value::Number(time)) => format!("[{:12.6}] {text}", time.as_f64()?),
        _ => text.to_string(),
    })
}

/// The lines, with those of an entry's fields made one.
pub(super) fn from_fields(lines: Vec<String>) -> Vec<String> {
    if !lines
        .iter()
        .any(|l| field(l).is_some_and(|(n, _)| n == "MESSAGE"))
    {
        return lines;
    }
    let mut out = Vec::new();
    let mut entry: Vec<(String, String)> = Vec::new();
    for text in lines {
        match field(&text) {
            Some((name, value)) => {
                // An entry has each of these once, and begins with the first.
                if name == FIRST {
                    out.extend(flushed(&mut entry));
                }
                entry.push((name.to_string(), value.to_string()));
            }
            None => {
                out.extend(flushed(&mut entry));
                out.push(text);
            }
        }
    }
    out.extend(flushed(&mut entry));
    out
}

/// `export` begins each entry with it.
const FIRST: &str = "__CURSOR";

fn flushed(entry: &mut Vec<(String, String)>) -> Option<String> {
    let fields = std::mem::take(entry);
    line(|name| {
        let found = fields.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    })
}

/// `NAME=value`, as the journal names its fields.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start().split_once('=')?;
    let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let known =
        name.starts_with('_') || ["MESSAGE", "PRIORITY"].contains(&name) || name.contains('_');
    (name.bytes().all(is_name) && known).then_some((name, value))
}

/// One line of an entry, if the kernel wrote it.
fn line<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let text = field("MESSAGE")?;
    let by = field("_TRANSPORT").or(field("SYSLOG_IDENTIFIER"));
    if by.is_some_and(|by| by != "kernel") {
        return None;
    }
    let own = field("_SOURCE_MONOTONIC_TIMESTAMP").or(field("__MONOTONIC_TIMESTAMP"));
    let stamp = own.and_then(|us| us.trim().parse::<u64>().ok());
    let stamp = stamp.map(|us| format!("[{:5}.{:06}] ", us / 1_000_000, us % 1_000_000));
    let boot = field("_BOOT_ID").map(|id| format!("-- Boot {id} --\n"));
    Some(format!(
        "{}{}{text}",
        boot.unwrap_or_default(),
        stamp.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "-- Boot b1 --\n[   12.000100] kmem dax0.0: x";

    #[test]
    fn entries_become_lines() {
        let fields = "_BOOT_ID=b1\nMESSAGE=kmem dax0.0: x\n_TRANSPORT=kernel\n\
                      __MONOTONIC_TIMESTAMP=12000900\n_SOURCE_MONOTONIC_TIMESTAMP=12000100";
        let of = |text: &str| from_fields(text.lines().map(str::to_string).collect());
        assert_eq!(
            of(&format!("__CURSOR=s=1\n{fields}\n__CURSOR=s=2\n{fields}\n")),
            [LINE, LINE]
        );
        let verbose = format!(
            "Mon 2025-11-03 10:11:12.1 CET [s=1;i=1]\n    {}",
            fields.replace('\n', "\n    ")
        );
        assert_eq!(of(&verbose)[1], LINE);
        let other = fields.replace("=kernel", "=stdout");
        assert!(of(&other).is_empty());
        // A device of a kernel record is no field of the journal's.
        assert_eq!(of("[    1.0] x\n SUBSYSTEM=dax").len(), 2);
        let json = serde_json::json!({"MESSAGE": "kmem dax0.0: x", "_BOOT_ID": "b1", "_TRANSPORT": "kernel",
            "__MONOTONIC_TIMESTAMP": "12000100"});
        assert_eq!(of_json(&json).as_deref(), Some(LINE));
        assert_eq!(of_json(&serde_json::json!([json])).as_deref(), Some(LINE));
        let dmesg = serde_json::json!({"dmesg": [
            {"pri": 6, "time": 12.0001, "msg": "kmem dax0.0: x"},
            {"pri": 6, "time": "Tue Dec  2 10:11:12 2025", "msg": "y"},
        ]});
        assert_eq!(
            of_json(&dmesg).as_deref(),
            Some("[   12.000100] kmem dax0.0: x\n[Tue Dec  2 10:11:12 2025] y")
        );
        assert_eq!(of_json(&serde_json::json!({"memdev": "mem0"})), None);
    }
}
