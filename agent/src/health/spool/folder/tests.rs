#![allow(clippy::unwrap_used)]

use proto::v1;
use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::health::spool::{
    file::News,
    record::{Kept, Record},
};

const LIMIT: u64 = 1 << 20;

fn head(epoch: u64) -> Head {
    Head {
        agent: "agent-1".to_owned(),
        epoch,
        environment: "production".to_owned(),
    }
}

fn kept(outcomes: u64) -> Kept {
    let cell = v1::Cell {
        outcomes,
        ..v1::Cell::default()
    };
    let frame = v1::Frame {
        rollout: 7,
        sequence: 1,
        first_tick: 100,
        last_tick: 100,
        horizon: 1,
        cells: vec![cell],
        dropped: 0,
        environment: "production".to_owned(),
        urgent: false,
    };
    Kept { id: 77, frame }
}

/// A process that counted so many outcomes and was killed.
fn process(folder: &Path, epoch: u64, outcomes: u64) {
    let opened = open(folder, LIMIT).unwrap();
    let name = format!("{:08}-{epoch:016x}.{EXTENSION}", opened.number);
    let mut file = SpoolFile::new(opened.folder.path.join(name), head(epoch));
    file.take(News {
        cut: vec![kept(outcomes)],
        ..News::default()
    });
    file.write(LIMIT, Instant::now()).unwrap();
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    (folder, path)
}

#[test]
fn what_processes_left_is_found_oldest_first_and_goes_when_it_is_done() {
    let (_kept, path) = folder();
    // Epochs are random: their order says nothing.
    for epoch in [9, 3, 7] {
        process(&path, epoch, epoch);
    }
    let opened = open(&path, LIMIT).unwrap();
    let mut epochs = Vec::new();
    while let Some(oldest) = opened.folder.to_send() {
        epochs.push(opened.folder.read(&oldest).unwrap().head.unwrap().epoch);
        opened.folder.done(&oldest);
        assert!(!oldest.exists());
    }
    assert_eq!(epochs, [9, 3, 7]);
    assert_eq!(opened.number, 4);
}

#[test]
fn a_folder_serves_one_process() {
    let (_kept, path) = folder();
    let opened = open(&path, LIMIT).unwrap();
    let refused = open(&path, LIMIT).unwrap_err();
    assert!(refused.to_string().contains("--spool"), "{refused}");
    assert!(matches!(refused, OpenError::InUse(_)));
    drop(opened);
    assert!(open(&path, LIMIT).is_ok());
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_with_what_to_do() {
    let (_kept, path) = folder();
    fs::write(&path, "a file").unwrap();
    let refused = open(&path, LIMIT).unwrap_err().to_string();
    assert!(
        refused.contains("is not a folder") && refused.contains("--spool none"),
        "{refused}"
    );
}

#[test]
fn no_more_processes_are_remembered_than_sixteen_and_what_the_others_counted_is_told() {
    let (_kept, path) = folder();
    for epoch in 1..=18 {
        process(&path, epoch, 10 * epoch);
    }
    let opened = open(&path, LIMIT).unwrap();
    assert_eq!(opened.folder.files(), FILES);
    assert_eq!(opened.dropped, [((7, 77), 20)].into());
    let oldest = opened.folder.to_send().unwrap();
    assert_eq!(opened.folder.read(&oldest).unwrap().head, Some(head(3)));
}

#[test]
fn no_more_bytes_are_kept_than_allowed_and_the_oldest_go_first() {
    let (_kept, path) = folder();
    for epoch in 1..=4 {
        process(&path, epoch, epoch);
    }
    let bytes = open(&path, LIMIT).unwrap().folder.bytes();
    let opened = open(&path, bytes / 2).unwrap();
    assert_eq!((opened.folder.files(), opened.dropped), (2, [((7, 77), 1 + 2)].into()));
    // What is counted now needs room too.
    assert_eq!(opened.folder.make_room(bytes / 4), [((7, 77), 3)].into());
    assert_eq!((opened.folder.files(), opened.folder.room()), (1, bytes / 4));
    assert_eq!(opened.folder.make_room(bytes), [((7, 77), 4)].into());
    assert_eq!((opened.folder.files(), opened.folder.room()), (0, bytes / 2));
    assert!(opened.folder.make_room(bytes).is_empty());
}

#[test]
fn a_file_that_is_being_sent_is_not_dropped() {
    let (_kept, path) = folder();
    for epoch in 1..=2 {
        process(&path, epoch, epoch);
    }
    let folder = open(&path, LIMIT).unwrap().folder;
    let sent = folder.to_send().unwrap();
    assert_eq!(folder.make_room(LIMIT), [((7, 77), 2)].into());
    assert!(sent.exists());
    assert_eq!(folder.to_send(), Some(sent));
}

#[test]
fn what_a_crash_left_half_written_is_removed_and_what_is_not_ours_stays() {
    let (_kept, path) = folder();
    process(&path, 1, 1);
    for name in ["00000001-1.next", "notes.txt", "x.frames"] {
        fs::write(path.join(name), Record::Head(head(1)).encode()).unwrap();
    }
    let opened = open(&path, LIMIT).unwrap();
    assert_eq!(opened.folder.files(), 1);
    assert!(!path.join("00000001-1.next").exists());
    assert!(path.join("notes.txt").exists() && path.join("x.frames").exists());
}

#[test]
fn a_file_that_is_set_aside_is_out_of_the_way() {
    let (_kept, path) = folder();
    process(&path, 1, 1);
    let opened = open(&path, LIMIT).unwrap();
    opened.folder.set_aside(&opened.folder.to_send().unwrap());
    assert_eq!(opened.folder.to_send(), None);
    assert!(path.join(DAMAGED).exists());
    drop(opened);
    assert_eq!(open(&path, LIMIT).unwrap().folder.files(), 0);
}
