// SPDX-License-Identifier: GPL-2.0

//! Tests of the reading of apt's sources.

use super::*;

const DEB822: &str = "\
# the archive
Types: deb deb-src
URIs: http://mirror.example/debian
# snapshot
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Enabled: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
";

#[test]
fn deb822_stanzas_are_read() {
    let sources = parse_deb822(DEB822);
    assert_eq!(sources.len(), 2);
    assert_eq!(sources[0].uri, "http://mirror.example/debian");
    assert_eq!(sources[0].suites, ["bookworm", "bookworm-updates"]);
    assert_eq!(
        sources[0].options["Signed-By"],
        "/usr/share/keyrings/debian-archive-keyring.gpg"
    );
    assert!(sources[1].options["Signed-By"].ends_with("abc\n -----END PGP PUBLIC KEY BLOCK-----"));
}

#[test]
fn an_embedded_key_survives_the_round_trip() {
    let sources = parse_deb822(DEB822);
    let again = parse_deb822(&sources[1].stanza());
    assert_eq!(again[0].options, sources[1].options);
}

#[test]
fn classic_lines_are_read() {
    let sources = parse_list(
        "deb http://a.example/debian/ trixie main non-free-firmware # comment\n\
         deb-src http://a.example/debian/ trixie main\n\
         # deb http://b.example/debian trixie main\n\
         deb [ arch=amd64 signed-by=/k.gpg trusted=yes check-valid-until=no ] http://c.example x/\n\
         debug nonsense\n\
         deb [broken http://d.example trixie main\n\
         deb\n",
    );
    assert_eq!(sources.len(), 2);
    assert_eq!(sources[0].components, ["main", "non-free-firmware"]);
    assert_eq!(sources[1].uri, "http://c.example");
    let names: Vec<&String> = sources[1].options.keys().collect();
    assert_eq!(names, ["Check-Valid-Until", "Signed-By"]);
}

#[test]
fn the_mirror_is_told_from_third_parties() {
    let sources = parse_list(
        "deb cdrom:[Debian]/ bookworm main\n\
         deb http://vendor.example bookworm main\n\
         deb http://mirror.example/debian bookworm main\n\
         deb http://mirror.example/debian/ bookworm-updates main\n\
         deb http://mirror.example/security bookworm-security main\n\
         deb http://other.example bookworm stable\n",
    );
    let found = mirrors(&sources, "bookworm", &["oldstable"]);
    let uris: Vec<&str> = found.iter().map(|source| source.uri.as_str()).collect();
    assert_eq!(
        uris,
        ["http://mirror.example/debian", "http://vendor.example"]
    );
    let security = security(&sources, "bookworm", &[]);
    assert_eq!(security.len(), 1);
    assert_eq!(security[0].suites, ["bookworm-security"]);
}

#[test]
fn alias_suites_count_as_the_release() {
    let sources = parse_list("deb http://mirror.example/debian stable main\n");
    assert_eq!(mirrors(&sources, "trixie", &["stable"]).len(), 1);
    assert!(mirrors(&sources, "trixie", &[]).is_empty());
}

#[test]
fn a_derived_source_is_checked_and_small() {
    let mut sources = parse_list("deb [trusted=yes] http://m.example/debian trixie main contrib\n");
    let suites = ["trixie".to_owned(), "trixie-backports".to_owned()];
    let stanza = sources.remove(0).with_suites(&suites).stanza();
    assert!(stanza.contains("Suites: trixie trixie-backports\nComponents: main\n"));
    assert!(!stanza.to_lowercase().contains("trusted"));
}

#[test]
fn files_are_found_by_their_extension() {
    let dir = tempfile::tempdir().unwrap();
    let parts = dir.path().join("parts");
    fs::create_dir(&parts).unwrap();
    let line = |host: &str| format!("deb http://{host}.example/ trixie main\n");
    fs::write(dir.path().join("sources.list"), line("first")).unwrap();
    fs::write(parts.join("b.list"), line("second")).unwrap();
    fs::write(parts.join("c.list.save"), line("never")).unwrap();
    fs::write(
        parts.join("d.sources"),
        "Types: deb\nURIs: http://third.example\nSuites: trixie\nComponents: main\n",
    )
    .unwrap();
    let found = read(&dir.path().join("sources.list"), &parts).unwrap();
    let uris: Vec<&str> = found.iter().map(|source| source.uri.as_str()).collect();
    assert_eq!(
        uris,
        [
            "http://first.example/",
            "http://second.example/",
            "http://third.example"
        ]
    );
    assert!(read(&dir.path().join("none"), &dir.path().join("none"))
        .unwrap()
        .is_empty());
}
