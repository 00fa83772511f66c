//! Switches by environment variables, on the real binary: any of the usual words turns one on or off.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

/// What an agent says that cannot have its port, started with this value of `TIDEGATE_DISKLESS` and a data folder that
/// is a file: a diskless one never looks there.
fn said(diskless: &str) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let data = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate-agent"))
        .args(["--socket", "none", "--ops", "127.0.0.1:0", "--listen"])
        .arg(taken.local_addr().unwrap().to_string())
        .arg("--data")
        .arg(data.path())
        .env("TIDEGATE_DISKLESS", diskless)
        .env("TIDEGATE_ACCEPT_EMPTY", diskless)
        .stdin(Stdio::null())
        .output()
        .expect("the binary is built with the tests");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_switch_is_turned_on_by_any_word_that_means_yes() {
    for value in ["1", "yes", "true", "on"] {
        let said = said(value);
        assert!(said.contains("is in use by another process"), "{value}: {said}");
    }
}

#[test]
fn a_switch_is_left_off_by_any_word_that_means_no() {
    for value in ["", "0", "no", "false", "off"] {
        let said = said(value);
        assert!(!said.contains("is in use by another process"), "{value}: {said}");
        assert!(!said.contains("TIDEGATE_DISKLESS"), "{value}: {said}");
    }
}
