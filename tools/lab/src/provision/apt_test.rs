// SPDX-License-Identifier: GPL-2.0

//! Tests of the private apt state that need no network.

use super::*;

#[test]
fn versions_are_read_newest_first_and_once() {
    let text = "\
  rust-src | 1.96.1+dfsg1-2~bpo13+1 | http://m.example trixie-backports/main amd64 Packages
  rust-src | 1.85.1+dfsg1-1+deb13u1 | http://m.example trixie/main amd64 Packages
  rust-src | 1.85.1+dfsg1-1+deb13u1 | http://m.example trixie/main Sources
";
    assert_eq!(
        parse_madison(text),
        ["1.96.1+dfsg1-2~bpo13+1", "1.85.1+dfsg1-1+deb13u1"]
    );
    assert!(parse_madison("").is_empty());
}

#[test]
fn update_failures_are_told_apart() {
    for (text, cause) in [
        (
            "W: GPG error: http://m.example trixie InRelease: NO_PUBKEY 123",
            "signature could not be verified",
        ),
        (
            "E: The repository 'http://m.example trixie Release' is not signed.",
            "signature could not be verified",
        ),
        (
            "E: The repository 'http://m.example x Release' does not have a Release file.",
            "does not carry the suite",
        ),
        (
            "E: Failed to fetch http://m.example Could not resolve 'm.example'",
            "cannot be read",
        ),
    ] {
        let explained = explain_update(text);
        assert!(explained.contains(cause), "{explained}");
        assert!(explained.contains(text), "{explained}");
    }
}

#[test]
fn host_sources_carry_security_and_guest_sources_do_not() {
    let known = sources::parse_list(
        "deb http://m.example/debian bookworm main\n\
         deb http://m.example/security bookworm-security main\n",
    );
    let suites = ["bookworm".to_owned(), "bookworm-backports".to_owned()];
    let host = candidates(&known, Release::Bookworm, Scope::Host, &suites);
    assert_eq!(host.len(), 1);
    assert!(host[0].contains("Suites: bookworm bookworm-backports\n"));
    assert!(host[0].contains("Suites: bookworm-security\n"));
    let guest = candidates(&known, Release::Bookworm, Scope::Guest, &suites);
    assert!(!guest[0].contains("security"));
}

#[test]
fn the_guest_state_touches_nothing_of_the_system() {
    let text = conf(Path::new("/c/apt/guest"), Path::new("/c/s"), Scope::Guest);
    for line in text.lines().filter(|line| line.starts_with("Dir::")) {
        let inside = line.contains("\"/c/") || line.contains("/dev/null") || line.contains("\"\"");
        assert!(inside, "{line}");
    }
}
