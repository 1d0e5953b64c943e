// SPDX-License-Identifier: GPL-2.0

//! The JSON documents that stand among other text, also those that were cut off.

use serde_json::Value;

/// A document, as far as it goes.
#[derive(Debug, PartialEq)]
pub(in crate::tree) struct Document {
    pub(in crate::tree) value: Value,
    /// It ends in the middle.
    pub(in crate::tree) is_cut: bool,
}

impl Document {
    fn new(value: Value, is_cut: bool) -> Document {
        Document { value, is_cut }
    }
}

/// The documents in a text, and the text without them.
pub(in crate::tree) fn documents(text: &str) -> (Vec<Document>, String) {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut at = 0;
    while let Some(line) = text.get(at..).filter(|t| !t.is_empty()) {
        let begins = line.trim_start().starts_with(['[', '{']);
        let mut stream = serde_json::Deserializer::from_str(line).into_iter::<Value>();
        match begins.then(|| stream.next()).flatten() {
            Some(Ok(value)) if holds_objects(&value) || is_empty(&value) => {
                at += stream.byte_offset().max(1);
                found.push(Document::new(value, false));
            }
            // Cut off: what is there counts.
            Some(Err(error)) if error.is_eof() => match closed(line) {
                Some(value) => {
                    found.push(Document::new(value, true));
                    at = text.len();
                }
                None => at += first_line(line, &mut rest),
            },
            _ => at += first_line(line, &mut rest),
        }
    }
    (found, rest)
}

/// Puts the first line of a text to the rest; its length.
fn first_line(text: &str, rest: &mut String) -> usize {
    let len = text.find('\n').map_or(text.len(), |n| n + 1);
    rest.push_str(text.get(..len).unwrap_or_default());
    len
}

/// A document that was cut off, up to the last member that is whole.
fn closed(text: &str) -> Option<Value> {
    let (mut open, mut whole) = (Vec::new(), None);
    let (mut is_string, mut is_escaped) = (false, false);
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            _ if is_string => {}
            b'{' => open.push('}'),
            b'[' => open.push(']'),
            b'}' | b']' => drop(open.pop()),
            b',' => {}
            _ => continue,
        }
        if !is_string && b"{}[],".contains(&b) {
            whole = Some((i + usize::from(b != b','), open.clone()));
        }
    }
    let (end, open) = whole?;
    let closing = open.iter().rev();
    let text: String = text.get(..end)?.chars().chain(closing.copied()).collect();
    let value = serde_json::from_str(&text).ok()?;
    holds_objects(&value).then_some(value)
}

/// What a list prints that has found nothing: an empty array, or one for each kind that was asked for.
pub(in crate::tree) fn is_empty(value: &Value) -> bool {
    const KINDS: [&str; 12] = [
        "memdevs",
        "anon memdevs",
        "regions",
        "decoders",
        "root decoders",
        "port decoders",
        "endpoint decoders",
        "ports",
        "endpoints",
        "buses",
        "devices",
        "daxregions",
    ];
    match value {
        Value::Array(all) => all.iter().all(|v| v.is_object() && is_empty(v)),
        Value::Object(all) => {
            let is_kind = |key: &String| {
                KINDS
                    .iter()
                    .any(|k| key == k || key.starts_with(&format!("{k}:")))
            };
            let mut members = all.iter();
            !all.is_empty() && members.all(|(key, v)| is_kind(key) && v.is_array() && is_empty(v))
        }
        _ => false,
    }
}

/// A time stamp in brackets is a list of a number, for a parser.
fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(all) => !all.is_empty() && all.iter().all(|v| v.is_object()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_was_cut_off_is_read_as_far_as_it_goes() {
        let (found, rest) =
            documents("$ x\n[\n {\"a\":\"b]\\\"\",\"n\":1},\n {\"c\":2,\n\"size\":687");
        let value = serde_json::json!([{"a": "b]\"", "n": 1}, {"c": 2}]);
        assert_eq!(found, [Document::new(value, true)]);
        assert_eq!(rest, "$ x\n");
        assert_eq!(documents("[   12").0.len(), 0);
    }

    #[test]
    fn documents_stand_among_other_text() {
        let text = "$ cxl list\n[\n  {\"memdev\":\"mem0\"}\n]\n[    1.0] kmem dax0.0: x\n{}";
        let (found, rest) = documents(text);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|d| !d.is_cut));
        assert!(rest.contains("kmem dax0.0") && !rest.contains("mem0\""));
    }
}
