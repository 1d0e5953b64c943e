// SPDX-License-Identifier: GPL-2.0

//! The forms that logs and lists have when they come out of terminals, mails, pages and chats, and logs
//! that hold more than one boot.

mod common;

use common::{given, words};

/// As the kernel has them.
const HEAD: &str = "\
[    0.000000] Linux version 6.18.0 (user@host)
[    0.000000] Command line: quiet
[    0.000000] BIOS-e820: [mem 0x0000000100000000-0x0000001fffffffff] usable
[    0.000000] BIOS-e820: [mem 0x0000002080000000-0x000000407fffffff] soft reserved
";
const LOST: &str = "\
[   12.000000] kmem dax0.0: mapping0: 0x2080000000-0x407fffffff could not reserve region
[   12.000100] kmem dax0.0: probe with driver kmem failed with error -16
";
const FINE: &str = "[   12.000200] Demotion targets for Node 0: preferred: 1, fallback: 1\n";
const IOMEM: &str = "\
100000000-1fffffffff : System RAM
2080000000-407fffffff : CXL Window 0
  2080000000-407fffffff : Soft Reserved
    2080000000-407fffffff : dax0.0
";
/// That log and resource tree were both read, to the last line.
fn is_read(text: impl AsRef<[u8]>, what: &str) {
    let doctor = given(&text, &["doctor"]);
    let said = words(&doctor.stdout);
    assert_eq!(doctor.status, 2, "{what}: {said} {}", doctor.stderr);
    for word in [
        "LOSS dax0.0 0x2080000000-0x407fffffff 128 GiB not usable [kmem-cannot-reserve]",
        "128 GiB of 128 GiB not usable",
    ] {
        assert!(said.contains(word), "{what}: {said}");
    }
    for wrong in ["no known form", "no Soft Reserved memory", "/proc/iomem"] {
        assert!(!said.contains(wrong), "{what}: {said}");
    }
    let tree = given(&text, &["tree"]).stdout;
    assert!(tree.contains("CXL Window 0"), "{what}: {tree}");
}

fn whole() -> String {
    format!("{HEAD}{LOST}{IOMEM}")
}

fn each(edit: impl Fn(usize, &str) -> String) -> String {
    let text = whole();
    let lines = text.lines().enumerate();
    lines.map(|(i, l)| edit(i + 1, l) + "\n").collect()
}

#[test]
fn marks_before_lines() {
    for (what, text) in [
        ("cat -n", each(|i, l| format!("{i:6}\t{l}"))),
        ("an editor", each(|i, l| format!("{i:3} {l}"))),
        ("grep -n", each(|i, l| format!("{i}:{l}"))),
        (
            "grep -n -C",
            each(|i, l| {
                format!("{i}{}{l}", if i % 3 == 0 { "-" } else { ":" })
                    + if i == 4 { "\n--" } else { "" }
            }),
        ),
        ("grep in files", each(|_, l| format!("logs/dmesg.0:{l}"))),
        ("a mail", each(|_, l| format!("John> {l}"))),
        ("a mail of mails", each(|_, l| format!("JD>> > {l}"))),
        (
            "a bug tracker",
            format!(
                "(In reply to John from comment #3)\n{}",
                each(|_, l| format!("> {l}"))
            ),
        ),
        ("a chat", each(|_, l| format!("\u{2022} {l} \t "))),
        ("a list", each(|i, l| format!("{i}. {l}"))),
        ("a table", each(|_, l| format!("| {l}"))),
        ("a table with ends", each(|_, l| format!("| {l} |"))),
        (
            "a table with numbers",
            format!(
                "| | log |\n|---|---|\n{}",
                each(|i, l| format!("| {i} | {l} |"))
            ),
        ),
        ("several machines", each(|_, l| format!("node17: {l}"))),
        ("tabs", each(|_, l| format!("\t{l}  "))),
        ("a forum", format!("[code]\n{}[/code]\n", whole())),
        (
            "a mail that breaks lines",
            whole()
                .replace(" reserve region", "\nreserve region")
                .replace("soft reserved\n", "so\nft reserved\n"),
        ),
    ] {
        is_read(text, what);
    }
}

#[test]
fn marks_of_terminals_and_pages() {
    let colour = |escape: &str| {
        let text = whole().replace(
            "BIOS-e820: ",
            &format!("{escape}[33mBIOS-e820: {escape}[0m"),
        );
        text.replace("[    0", &format!("{escape}[32m[    0"))
    };
    let page = |text: &str| text.replace('>', "&gt;").replace(' ', "&nbsp;");
    let quoted = each(|_, l| format!("> {l}"));
    for (what, text) in [
        ("colours", colour("\u{1b}")),
        ("colours without the escape", colour("")),
        ("colours written out", colour("^[")),
        (
            "links",
            each(|_, l| format!("\u{1b}]8;;http://x\u{1b}\\{l}\u{1b}]8;;\u{7}\u{1b}[K")),
        ),
        (
            "a page",
            format!(
                "<pre\nclass=\"b\"><span\nclass=q>{}</span></pre>",
                quoted.replace('>', "&gt;")
            ),
        ),
        (
            "the source of a page",
            format!("<pre><code>{}</code></pre>", page(&whole())),
        ),
        ("spaces", whole().replace(' ', "\u{a0}")),
        (
            "Windows",
            format!("\u{feff}{}", whole().replace('\n', "\r\n")),
        ),
    ] {
        is_read(text, what);
    }
}

#[test]
fn encodings() {
    let text = format!("Wie gew\u{fc}nscht \u{96}\n{}", whole());
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    is_read(latin, "Latin-1");
    let units = || text.encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    is_read([&[0xff, 0xfe], little.as_slice()].concat(), "UTF-16");
    is_read(little, "UTF-16 without a mark");
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    is_read(big, "UTF-16, the other way round");
}

/// As `dmesg -J` lays it out.
fn dmesg(log: &str) -> String {
    let messages = log.lines().map(|l| {
        let (time, msg) = l.trim_start_matches(['[', ' ']).split_once("] ").unwrap();
        let time: f64 = time.parse().unwrap();
        serde_json::json!({"pri": 6, "time": time, "msg": msg})
    });
    let document = serde_json::json!({"dmesg": messages.collect::<Vec<_>>()});
    serde_json::to_string_pretty(&document).unwrap() + "\n"
}

#[test]
fn the_journal_with_its_fields() {
    let entry = |line: &str, edit: &dyn Fn(&str, &str) -> String| {
        let (time, text) = line
            .trim_start_matches(['[', ' '])
            .split_once("] ")
            .unwrap();
        edit(&time.replace('.', ""), text)
    };
    let log = format!("{HEAD}{LOST}");
    let made = |edit: &dyn Fn(&str, &str) -> String| {
        let lines = log.lines().map(|l| entry(l, edit) + "\n");
        lines.collect::<String>() + IOMEM
    };
    let dated = |mark: &str| made(&|_, text| format!("{mark}{text}"));
    for (what, text) in [
        (
            "export",
            made(&|us, text| {
                format!("__CURSOR=s\n_BOOT_ID=b1\n_TRANSPORT=kernel\nMESSAGE={text}\n_SOURCE_MONOTONIC_TIMESTAMP={us}\n")
            }),
        ),
        (
            "verbose",
            made(&|us, text| {
                format!("Mon 2025-11-03 10:11:12.1 CET [s=1;i=2]\n    _BOOT_ID=b1\n    MESSAGE={text}\n    \
                     __MONOTONIC_TIMESTAMP={us}")
            }),
        ),
        (
            "json",
            made(&|us, text| {
                serde_json::json!({"MESSAGE": text, "_BOOT_ID": "b1", "__MONOTONIC_TIMESTAMP": us})
                    .to_string()
            }),
        ),
        (
            "a list of json",
            format!(
                "{}\n{IOMEM}",
                serde_json::json!([{"MESSAGE": "x", "_TRANSPORT": "stdout"}])
            ) + &made(&|us, text| {
                serde_json::json!([{"MESSAGE": text, "__MONOTONIC_TIMESTAMP": us}]).to_string()
            }),
        ),
        ("dmesg -J", dmesg(&log) + IOMEM),
        (
            "dmesg -d",
            made(&|us, text| {
                let (s, us) = us.split_at(us.len() - 6);
                format!("[{s:>5}.{us} <    0.000012>] {text}")
            }),
        ),
        (
            "dmesg -dT",
            dated("[Mon Nov  3 10:11:12 2025 <    0.000012>] "),
        ),
        (
            "with-unit",
            dated("Mon 2025-11-03 10:11:12 CET node17 kernel: "),
        ),
        (
            "syslog with a PID",
            dated("Nov  3 10:11:12 node17 kernel[0]: "),
        ),
        (
            "RFC 5424",
            dated("<6>1 2025-11-03T10:11:12.1+01:00 node17 kernel - - - "),
        ),
    ] {
        is_read(&text, what);
        let timeline = given(&text, &["timeline"]).stdout;
        let has_time = timeline.contains("12.000000") || timeline.contains("10:11:12");
        assert!(
            has_time && !timeline.contains("node17"),
            "{what}: {timeline}"
        );
    }
}

/// Addresses that stand there and could not be read are no absence.
#[test]
fn what_could_not_be_read_is_no_absence() {
    let odd = HEAD
        .lines()
        .map(|l| format!("<<9>> x {}\n", &l[15..]))
        .collect::<String>()
        + FINE;
    for verb in [
        &["doctor"][..],
        &["list"],
        &["tree"],
        &["predict"],
        &["timeline"],
        &["doctor", "--platform"],
    ] {
        let said = words(&given(&odd, verb).stdout);
        for wrong in [
            "o Soft Reserved memory",
            "nothing Soft Reserved",
            "no failures",
        ] {
            assert!(!said.contains(wrong), "{verb:?}: {said}");
        }
        let is_told = said.contains("could not be read") || said.contains("could be read");
        assert!(is_told, "{verb:?}: {said}");
    }
}

#[test]
fn a_timeline_by_the_clock() {
    let log = |stamp: &str| {
        let lines = LOST.lines().enumerate();
        lines
            .map(|(i, l)| format!("{}{}\n", stamp.replace('#', &i.to_string()), &l[15..]))
            .collect::<String>()
    };
    for (stamp, clock) in [
        ("[Mon Nov  3 10:11:1# 2025] ", "Mon Nov  3 10:11:1# 2025"),
        ("Nov 03 10:11:1# node17 kernel: ", "Nov 03 10:11:1#"),
        (
            "2025-11-03T10:11:1#+0100 node17 kernel: ",
            "2025-11-03T10:11:1#+0100",
        ),
        ("176467028#.123456 node17 kernel: ", "@176467028#.123456"),
        ("", "-"),
    ] {
        let said = given(log(stamp), &["timeline"]).stdout;
        let rows: Vec<&str> = said
            .lines()
            .filter(|l| l.contains("kmem dax0.0:"))
            .collect();
        assert_eq!(rows.len(), 2, "{stamp}: {said}");
        assert!(rows[0].contains("mapping0"), "{stamp}: {said}");
        for (i, row) in rows.iter().enumerate() {
            let clock = clock.replace('#', &i.to_string());
            assert!(row.trim_start().starts_with(&clock), "{stamp}: {said}");
        }
        let json = given(log(stamp), &["timeline", "-J"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["moments"][0]["at_us"].is_null(), "{json}");
    }
    // Lines of both kinds stay where they stand.
    let said = given(format!("{LOST}Nov 03 10:11:12 node17 kernel: kmem dax9.0: mapping0: 0x1000-0x1fff could not reserve region\n[   13.0] kmem dax8.0: mapping0: 0x3000-0x3fff could not reserve region\n"), &["timeline"]).stdout;
    let at = |what: &str| said.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
    assert!(
        at("dax0.0") < at("dax9.0") && at("dax9.0") < at("dax8.0"),
        "{said}"
    );
    // Without a log nothing is said of it.
    let said = given(IOMEM, &["timeline"]).stdout;
    assert!(
        words(&said).contains("log is not in what was given"),
        "{said}"
    );
}

#[test]
fn an_earlier_boot_is_not_this_one() {
    let dated = |text: &str, date: &str| -> String {
        text.lines()
            .map(|l| format!("{date} node17 kernel: {}\n", &l[15..]))
            .collect()
    };
    let (one, two) = (format!("{HEAD}{LOST}"), format!("{HEAD}{FINE}"));
    let (monday, tuesday) = (
        dated(&one, "Nov 03 10:11:12"),
        dated(&two, "Nov 04 10:11:12"),
    );
    for text in [
        format!("{one}{two}"),
        format!("{monday}{tuesday}"),
        format!("-- Boot b1 --\n{monday}-- Boot b2 --\n{tuesday}"),
        format!("-- Boot b1 --\n{LOST}-- Boot b2 --\n{}{FINE}", &HEAD[47..]),
    ] {
        let said = given(&text, &["doctor"]);
        assert_eq!(said.status, 1, "{text}: {}", said.stdout);
        let list = given(&text, &["list"]).stdout;
        assert!(
            list.contains("0x2080000000-0x407fffffff  128 GiB"),
            "{list}"
        );
    }
    // The map of the last boot alone.
    let other = HEAD.replace(
        "0x0000002080000000-0x000000407fffffff",
        "0x0000005080000000-0x000000607fffffff",
    );
    let list = given(format!("{one}{other}{FINE}"), &["list"]).stdout;
    assert!(
        list.contains("0x5080000000") && !list.contains("0x2080000000"),
        "{list}"
    );
    // One boot, pasted twice, or told of twice.
    for text in [
        format!("{one}{FINE}{one}{FINE}"),
        format!("{one}{FINE}{HEAD}{FINE}"),
        format!("{one}$ cat /proc/version\nLinux version 6.18.0 (user@host)\n"),
        format!("{two}{one}"),
    ] {
        let said = given(&text, &["doctor"]);
        assert_eq!(said.status, 2, "{text}: {}", said.stdout);
    }
}

#[test]
fn a_loss_that_only_the_log_tells_of() {
    let hidden = "00000000-00000000 : System RAM\n00000000-00000000 : CXL Window 0\n";
    for text in [format!("{HEAD}{LOST}"), format!("{HEAD}{LOST}{hidden}")] {
        let said = words(&given(&text, &["doctor"]).stdout);
        let told = "LOSS: the log tells of 128 GiB that could not be reserved; what became of it since is not in \
                    what was given; 1 loss";
        assert!(said.contains(told), "{said}");
        assert!(!said.contains("not known to be lost"), "{said}");
    }
}
