// SPDX-License-Identifier: GPL-2.0

//! Bytes of a paste to plain text: whatever their encoding, without the marks of a terminal or of a web
//! page, and with plain spaces, hyphens and quotes where an editor put finer ones.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::tree::Lack;

/// Elements that pages and mails show logs in. What else stands between such brackets is no markup: the
/// level of a message, an address of mail. Attributes may go on in the next line.
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)</?(a|b|blockquote|body|br|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|kbd|li|ol|p|pre|samp|s|section|small|span|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)(?:\s[^<>]*)?/?>",
    )
    .ok()
});
/// What is left of a colour where the escape character itself was lost on the way, or was written out.
static LOST_ESCAPE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?:\^\[|\\e|\\033|\\x1[bB]|\\u001[bB]|\u{241b}|\u{fffd})?\[(?:[0-9;]{1,16}m|m\b)(?:(?:\^\[)?\[K)?",
    )
    .ok()
});

/// As much of a text as tells in which encoding it is.
const SAMPLE: usize = 4096;

/// Plain text, unless it is none.
pub(in crate::tree) fn text(bytes: &[u8]) -> Result<String, Lack> {
    let text = decoded(bytes);
    match text.contains('\0') {
        true => Err(Lack::Broken("is no text".into())),
        false => Ok(plain(&text)),
    }
}

fn decoded(bytes: &[u8]) -> String {
    if let Some((order, rest)) = utf16(bytes) {
        let pairs = rest.chunks_exact(2);
        let units: Vec<u16> = pairs.map(|pair| order([pair[0], pair[1]])).collect();
        return String::from_utf16_lossy(&units);
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        // Mostly Latin-1, or what Windows made of it.
        out.extend(chunk.invalid().iter().map(|&b| match b {
            0xa0..=0xff => char::from(b),
            _ => char::REPLACEMENT_CHARACTER,
        }));
    }
    out
}

type Order = fn([u8; 2]) -> u16;

/// How to read UTF-16, and what of the bytes is text. Without a mark at its start it is told by the zeros.
fn utf16(bytes: &[u8]) -> Option<(Order, &[u8])> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => return Some((u16::from_le_bytes, rest)),
        [0xfe, 0xff, rest @ ..] => return Some((u16::from_be_bytes, rest)),
        _ => {}
    }
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let zeros = |odd: usize| {
        let mine = sample.iter().skip(odd).step_by(2);
        mine.filter(|&&b| b == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    // A few letters of other scripts have none.
    let most = sample.len() / 2 * 3 / 4;
    match (even, odd) {
        (0, odd) if odd > 0 && odd >= most => Some((u16::from_le_bytes, bytes)),
        (even, 0) if even > 0 && even >= most => Some((u16::from_be_bytes, bytes)),
        _ => None,
    }
}

fn plain(text: &str) -> String {
    let text = without_markup(text);
    let text = anstream::adapter::strip_str(&text).to_string();
    let text = match LOST_ESCAPE.as_ref() {
        Some(escape) => escape.replace_all(&text, ""),
        None => Cow::Borrowed(text.as_str()),
    };
    text.chars().filter_map(plain_char).collect()
}

/// Without the elements and entities of a web page.
fn without_markup(text: &str) -> String {
    let mut out = text.to_string();
    if let Some(tag) = TAG.as_ref() {
        let replaced = tag.replace_all(&out, |c: &regex::Captures| {
            let name = c.get(1).map_or("", |m| m.as_str()).to_ascii_lowercase();
            match name.as_str() {
                "br" | "dd" | "div" | "dt" | "hr" | "li" | "p" | "pre" | "td" | "th" | "tr" => "\n",
                _ => "",
            }
        });
        out = replaced.into_owned();
    }
    // The source of a page, pasted into another.
    for _ in 0..2 {
        match html_escape::decode_html_entities(&out) {
            Cow::Owned(decoded) => out = decoded,
            Cow::Borrowed(_) => break,
        }
    }
    out
}

/// `None` for what is not seen.
fn plain_char(c: char) -> Option<char> {
    match c {
        _ if c.is_ascii() => Some(c),
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' => {
            None
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{201c}'..='\u{201f}' => Some('"'),
        '\u{2018}'..='\u{201b}' => Some('\''),
        _ if c.is_whitespace() => Some(' '),
        _ => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> String {
        text(bytes).unwrap()
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(TAG.is_some() && LOST_ESCAPE.is_some());
    }

    #[test]
    fn encodings() {
        let line = "[    0.0] x: [mem 0x1-0x2] é\n";
        let units = || line.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        assert_eq!(of(&little), line);
        assert_eq!(of(&big), line);
        assert_eq!(of(&[&[0xff, 0xfe], little.as_slice()].concat()), line);
        assert_eq!(of(&[&[0xfe, 0xff], big.as_slice()].concat()), line);
        assert_eq!(of(&[&[0xef, 0xbb, 0xbf], line.as_bytes()].concat()), line);
        assert_eq!(of(b"gew\xfcnscht \x96\xa0x"), "gewünscht \u{fffd} x");
        assert!(text(b"PK\x03\x04\0\0\x01\0xyz").is_err());
    }

    #[test]
    fn marks_of_terminals_and_pages() {
        for (given, plain) in [
            (
                "\x1b[32m[    0.0] \x1b[0m\x1b[33mx: \x1b[0m[mem 0x1",
                "[    0.0] x: [mem 0x1",
            ),
            (
                "^[[32m[    0.0] ^[[0mx: ^[[m^[[K[mem 0x1",
                "[    0.0] x: [mem 0x1",
            ),
            ("[32m[    0.0] [0mx: [0m[mem 0x1", "[    0.0] x: [mem 0x1"),
            ("\x1b]8;;http://a\x1b\\x\x1b]8;;\x07 y", "x y"),
            ("[01;31m[Ksoft[m[K reserved", "soft reserved"),
            (
                "<pre\nclass=\"b\">x&nbsp;&lt;4&gt;&#39;&#x41;&quot;&amp;</pre>",
                "\nx <4>'A\"&\n",
            ),
            ("<span class=q>&gt; x</span><br/>y", "> x\ny"),
            (
                "<4>x <me@example.org> <no-such>",
                "<4>x <me@example.org> <no-such>",
            ),
            (
                "a\u{a0}\u{2003}b\u{200b}c 1\u{2013}2 \u{201c}d\u{201d}",
                "a  bc 1-2 \"d\"",
            ),
            ("a\tb\r\nc", "a\tb\r\nc"),
        ] {
            assert_eq!(of(given.as_bytes()), plain, "{given:?}");
        }
    }
}
