#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use clap::Parser as _;
use runtime::shutdown::Shutdown;
use tempfile::TempDir;

use super::*;
use crate::{
    disk::Scope,
    samples::{Contents, boolean},
};

/// A machine: a data folder, and a place for a bootstrap file.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.root.path().join("data")
    }

    fn file(&self) -> std::path::PathBuf {
        self.root.path().join("bootstrap")
    }

    /// Puts a snapshot of this revision with this flag somewhere.
    fn write(&self, path: &Path, environment: &str, number: u64, flag: &str) {
        let scope = Scope {
            environment: environment.to_owned(),
            flag_set: String::new(),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let contents = Contents::production().flag(&boolean(flag));
        fs::write(path, contents.stored(number).encode(&scope)).unwrap();
    }

    /// Starts with the bootstrap file.
    fn start(&self, more: &[&str]) -> Result<(Kept, Holder), KeepError> {
        let (data, file) = (self.data(), self.file());
        let given = [
            "tidegate-agent",
            "--data",
            data.to_str().unwrap(),
            "--bootstrap",
            file.to_str().unwrap(),
        ];
        let args = Args::try_parse_from(given.iter().chain(more)).unwrap();
        let holder = Holder::new(false);
        Ok((open(&args, &holder)?, holder))
    }
}

fn serves(holder: &Holder, flag: &str) -> bool {
    holder.holds_any() && holder.load().flag(flag).is_some()
}

#[tokio::test]
async fn a_fresh_machine_starts_from_the_bootstrap_file_and_then_from_its_own_copy() {
    let machine = Machine::new();
    machine.write(&machine.file(), "production", 7, "from-bootstrap");
    let (kept, holder) = machine.start(&[]).unwrap();
    assert!(serves(&holder, "from-bootstrap"));
    assert_eq!(holder.stamp().unwrap().revision.number, 7);

    let shutdown = Shutdown::new();
    shutdown.spawn("disk", kept.writer.unwrap().run(shutdown.clone()));
    let mut persisted = kept.disk.unwrap().persisted();
    persisted
        .wait_for(|persisted| *persisted == holder.stamp())
        .await
        .unwrap();
    shutdown.drain();
    assert!(shutdown.finished(Duration::from_secs(10)).await);
    drop((kept.lock, kept.spool));
    fs::remove_file(machine.file()).unwrap();
    let (_, holder) = machine.start(&[]).unwrap();
    assert!(serves(&holder, "from-bootstrap"));
}

#[test]
fn a_good_snapshot_on_disk_goes_before_the_bootstrap_file_also_if_that_is_gone() {
    let machine = Machine::new();
    machine.write(&machine.data().join("snapshot"), "production", 3, "from-disk");
    machine.write(&machine.file(), "production", 7, "from-bootstrap");
    let (kept, holder) = machine.start(&[]).unwrap();
    assert!(serves(&holder, "from-disk") && !serves(&holder, "from-bootstrap"));
    drop(kept);
    fs::remove_file(machine.file()).unwrap();
    let (_, holder) = machine.start(&[]).unwrap();
    assert!(serves(&holder, "from-disk"));
}

#[test]
fn the_previous_snapshot_on_disk_goes_before_the_bootstrap_file() {
    let machine = Machine::new();
    machine.write(
        &machine.data().join("snapshot.previous"),
        "production",
        2,
        "from-before",
    );
    fs::write(machine.data().join("snapshot"), "torn").unwrap();
    machine.write(&machine.file(), "production", 7, "from-bootstrap");
    let (_, holder) = machine.start(&[]).unwrap();
    assert!(serves(&holder, "from-before"));
}

#[test]
fn two_torn_files_on_disk_leave_the_bootstrap_file() {
    let machine = Machine::new();
    fs::create_dir(machine.data()).unwrap();
    for name in ["snapshot", "snapshot.previous"] {
        fs::write(machine.data().join(name), "torn").unwrap();
    }
    machine.write(&machine.file(), "production", 7, "from-bootstrap");
    let (_, holder) = machine.start(&[]).unwrap();
    assert!(serves(&holder, "from-bootstrap"));
}

#[test]
fn no_content_of_the_bootstrap_file_keeps_the_agent_from_starting() {
    let machine = Machine::new();
    machine.write(&machine.file(), "staging", 7, "from-bootstrap");
    let (_, holder) = machine.start(&[]).unwrap();
    assert!(!holder.holds_any());
    fs::write(machine.file(), "").unwrap();
    assert!(!machine.start(&[]).unwrap().1.holds_any());
}

#[test]
fn a_bootstrap_file_that_is_not_there_stops_the_start_of_a_fresh_machine() {
    let machine = Machine::new();
    assert!(matches!(machine.start(&[]), Err(KeepError::Bootstrap(_))));
    assert!(matches!(machine.start(&["--diskless"]), Err(KeepError::Bootstrap(_))));
}

#[test]
fn a_diskless_agent_starts_from_the_bootstrap_file_each_time() {
    let machine = Machine::new();
    machine.write(&machine.file(), "production", 7, "from-bootstrap");
    let (kept, holder) = machine.start(&["--diskless"]).unwrap();
    assert!(serves(&holder, "from-bootstrap"));
    assert!(kept.disk.is_none() && !machine.data().exists());
}
