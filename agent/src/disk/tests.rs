#![allow(clippy::unwrap_used)]

use std::fs;

use bytes::Bytes;
use evaluation::{EntryId, EntryKind, FlagType};
use proto::entry::unframe;
use tempfile::TempDir;

use super::*;
use crate::{
    samples::{Contents, boolean, text},
    sync::apply::restore,
};

fn scope() -> Scope {
    Scope {
        environment: "production".into(),
        flag_set: String::new(),
    }
}

fn whole(number: u64, contents: &Contents) -> Update {
    Update::new(contents.stored(number).stamp, true, contents.received(), [])
}

fn delta(number: u64, from: &Contents, to: &Contents) -> Update {
    delta_held_back(number, from, to, &[])
}

/// A delta of which the entries of these flags were not understood.
fn delta_held_back(number: u64, from: &Contents, to: &Contents, flags: &[&str]) -> Update {
    let entries = unframe(to.framed(Some(from))).unwrap();
    let held_back: Vec<_> = flags.iter().map(|key| flag_id(key)).collect();
    Update::new(to.stored(number).stamp, false, entries, &held_back)
}

fn flag_id(key: &str) -> EntryId {
    EntryId {
        kind: EntryKind::Flag,
        key: Arc::from(key),
    }
}

/// A folder with an open copy and its running writer.
struct Copy {
    folder: TempDir,
    disk: Disk,
    shutdown: Shutdown,
}

impl Copy {
    fn open(folder: TempDir) -> Self {
        let shutdown = Shutdown::new();
        let (disk, writer, _) = open(folder.path(), scope());
        shutdown.spawn("disk", writer.run(shutdown.clone()));
        Self { folder, disk, shutdown }
    }

    async fn persisted(&self, stamp: Stamp) {
        self.disk
            .persisted()
            .wait_for(|persisted| *persisted == Some(stamp))
            .await
            .unwrap();
    }

    async fn close(self) -> TempDir {
        self.shutdown.drain();
        assert!(self.shutdown.finished(Duration::from_secs(10)).await);
        self.folder
    }
}

fn load(folder: &TempDir) -> Option<Stored> {
    open(folder.path(), scope()).2
}

#[tokio::test]
async fn a_snapshot_and_its_deltas_survive_a_restart() {
    let copy = Copy::open(tempfile::tempdir().unwrap());
    let first = Contents::production().flag(&boolean("a")).flag(&boolean("b"));
    let second = first.clone().flag(&boolean("c")).without("a");
    copy.disk.put(whole(1, &first));
    copy.persisted(first.stored(1).stamp).await;
    copy.disk.put(delta(2, &first, &second));
    copy.persisted(second.stored(2).stamp).await;
    assert_eq!(load(&copy.close().await), Some(second.stored(2)));
}

#[tokio::test]
async fn what_arrives_during_a_write_is_merged_and_the_newest_wins() {
    let copy = Copy::open(tempfile::tempdir().unwrap());
    let mut last = Contents::production();
    copy.disk.put(whole(1, &last));
    for number in 2..40 {
        let next = last
            .clone()
            .flag(&boolean(&format!("flag-{}", number % 7)))
            .without(&format!("flag-{}", number % 5));
        copy.disk.put(delta(number, &last, &next));
        last = next;
    }
    copy.persisted(last.stored(39).stamp).await;
    assert_eq!(load(&copy.close().await), Some(last.stored(39)));
}

#[tokio::test]
async fn what_is_pending_is_written_before_the_process_ends() {
    let copy = Copy::open(tempfile::tempdir().unwrap());
    let contents = Contents::production().flag(&boolean("a"));
    copy.disk.put(whole(1, &contents));
    assert_eq!(load(&copy.close().await), Some(contents.stored(1)));
}

#[tokio::test]
async fn a_lost_file_makes_the_disk_ask_for_the_whole() {
    let copy = Copy::open(tempfile::tempdir().unwrap());
    let first = Contents::production().flag(&boolean("a"));
    let second = first.clone().flag(&boolean("b"));
    copy.disk.put(whole(1, &first));
    copy.persisted(first.stored(1).stamp).await;
    fs::remove_file(copy.folder.path().join("snapshot")).unwrap();
    copy.disk.put(delta(2, &first, &second));
    copy.disk.whole_wanted().wait_for(|wanted| *wanted).await.unwrap();
    assert_eq!(copy.disk.persisted().borrow().unwrap(), first.stored(1).stamp);
    copy.disk.put(whole(2, &second));
    copy.persisted(second.stored(2).stamp).await;
    assert!(!*copy.disk.whole_wanted().borrow());
    assert_eq!(load(&copy.close().await), Some(second.stored(2)));
}

#[tokio::test]
async fn a_disk_that_refuses_is_retried_and_nothing_is_called_persisted_before() {
    let copy = Copy::open(tempfile::tempdir().unwrap());
    // A folder in the place of the file that is written first: the write fails.
    let in_the_way = copy.folder.path().join("snapshot.next");
    fs::create_dir(&in_the_way).unwrap();
    let contents = Contents::production();
    copy.disk.put(whole(1, &contents));
    while copy.disk.pending().is_some() {
        tokio::task::yield_now().await;
    }
    // Taken by the writer; it comes back, because it cannot be written.
    while copy.disk.pending().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*copy.disk.persisted().borrow(), None);
    fs::remove_dir(&in_the_way).unwrap();
    copy.persisted(contents.stored(1).stamp).await;
    copy.close().await;
}

#[test]
fn a_file_torn_at_any_length_falls_back_to_the_previous_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path());
    let (previous, current) = (Contents::production(), Contents::production().flag(&boolean("a")));
    let whole_file = current.stored(2).encode(&scope());
    for length in 0..whole_file.len() {
        files.write(&previous.stored(1).encode(&scope())).unwrap();
        files.write(&whole_file).unwrap();
        fs::write(folder.path().join("snapshot"), &whole_file[..length]).unwrap();
        assert_eq!(load(&folder), Some(previous.stored(1)), "length {length}");
        assert_eq!(
            fs::read(folder.path().join("snapshot.damaged")).unwrap(),
            whole_file[..length]
        );
        assert_eq!(
            load(&folder),
            Some(previous.stored(1)),
            "the previous file is the current one now"
        );
    }
}

#[test]
fn two_damaged_files_are_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["snapshot", "snapshot.previous"] {
        fs::write(folder.path().join(name), "torn").unwrap();
    }
    assert_eq!(load(&folder), None);
}

#[test]
fn falling_back_to_the_previous_file_is_counted() {
    let (recorder, recorded) = runtime::telemetry::local_metrics();
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path());
    for number in [1, 2] {
        files
            .write(&Contents::production().stored(number).encode(&scope()))
            .unwrap();
    }
    fs::write(folder.path().join("snapshot"), "torn").unwrap();
    ::metrics::with_local_recorder(&recorder, || assert!(load(&folder).is_some()));
    let counted = recorded.render();
    for result in ["damaged", "fell_back"] {
        let line = format!("tidegate_agent_disk_writes_total{{result=\"{result}\"}} 1");
        assert!(counted.contains(&line), "{counted}");
    }
}

#[test]
fn a_damaged_file_never_takes_the_place_of_the_previous_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path());
    files.write(&Contents::production().stored(1).encode(&scope())).unwrap();
    files.write(&Contents::production().stored(2).encode(&scope())).unwrap();
    fs::write(folder.path().join("snapshot"), "torn").unwrap();
    assert!(matches!(files.read_current(), Err(ReadError::Format(_))));
    files.write(&Contents::production().stored(3).encode(&scope())).unwrap();
    fs::write(folder.path().join("snapshot"), "torn").unwrap();
    assert_eq!(load(&folder), Some(Contents::production().stored(1)));
}

#[test]
fn the_file_of_another_environment_does_not_hide_the_previous_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path());
    let staging = Scope {
        environment: "staging".into(),
        flag_set: String::new(),
    };
    files.write(&Contents::production().stored(1).encode(&scope())).unwrap();
    files.write(&Contents::production().stored(9).encode(&staging)).unwrap();
    assert_eq!(load(&folder), Some(Contents::production().stored(1)));
}

/// A flag that is served, its next body which is not understood, and both as steps for the disk.
fn not_understood() -> (Contents, Contents) {
    let understood = Contents::production().flag(&text("a"));
    let later = understood
        .clone()
        .raw(EntryKind::Flag, "a", Bytes::from_static(b"\xff\xff"));
    (understood, later)
}

/// Whether a restart from this file serves the flag as it was, says that it is held back, and agrees on the digest.
fn serves_as_before(stored: &Stored) -> bool {
    let (snapshot, held_back) = restore(stored);
    let serves = snapshot
        .flag("a")
        .is_some_and(|flag| flag.flag_type() == FlagType::String);
    serves && held_back.len() == 1 && snapshot.digest() == stored.stamp.digest
}

#[tokio::test]
async fn an_entry_that_is_held_back_serves_after_a_restart_what_it_served_before() {
    let (understood, later) = not_understood();
    let copy = Copy::open(tempfile::tempdir().unwrap());
    copy.disk.put(whole(1, &understood));
    copy.persisted(understood.stored(1).stamp).await;
    copy.disk.put(delta_held_back(2, &understood, &later, &["a"]));
    copy.persisted(later.stored(2).stamp).await;
    let folder = copy.close().await;
    assert!(serves_as_before(&load(&folder).unwrap()));

    let copy = Copy::open(folder);
    let more = later.clone().flag(&boolean("b"));
    copy.disk.put(delta(3, &later, &more));
    copy.persisted(more.stored(3).stamp).await;
    let again = Update::new(more.stored(4).stamp, true, more.received(), &[flag_id("a")]);
    copy.disk.put(again);
    copy.persisted(more.stored(4).stamp).await;
    let folder = copy.close().await;
    assert!(serves_as_before(&load(&folder).unwrap()), "also after a whole snapshot");
}

#[tokio::test]
async fn an_entry_of_a_kind_of_a_later_build_is_kept_and_counted() {
    let kind = EntryKind::try_from(9).unwrap();
    let contents = Contents::production().raw(kind, "later", Bytes::from_static(b"anything"));
    let copy = Copy::open(tempfile::tempdir().unwrap());
    copy.disk.put(whole(1, &contents));
    copy.persisted(contents.stored(1).stamp).await;
    let stored = load(&copy.close().await).unwrap();
    assert_eq!(stored, contents.stored(1));
    let (snapshot, held_back) = restore(&stored);
    assert_eq!((snapshot.digest(), held_back.len()), (stored.stamp.digest, 1));
}

#[tokio::test]
async fn an_entry_that_is_understood_again_or_gone_keeps_nothing() {
    let (understood, later) = not_understood();
    let copy = Copy::open(tempfile::tempdir().unwrap());
    copy.disk.put(whole(1, &understood));
    copy.disk.put(delta_held_back(2, &understood, &later, &["a"]));
    copy.disk.put(delta(3, &later, &understood));
    copy.persisted(understood.stored(3).stamp).await;
    let folder = copy.close().await;
    assert_eq!(load(&folder), Some(understood.stored(3)));
    let copy = Copy::open(folder);
    let gone = understood.clone().without("a");
    copy.disk.put(delta_held_back(4, &understood, &later, &["a"]));
    copy.disk.put(delta(5, &later, &gone));
    copy.persisted(gone.stored(5).stamp).await;
    assert_eq!(load(&copy.close().await), Some(gone.stored(5)));
}

#[test]
fn a_crash_between_the_renames_leaves_the_previous_file() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents::production();
    Files::new(folder.path())
        .write(&contents.stored(1).encode(&scope()))
        .unwrap();
    fs::rename(folder.path().join("snapshot"), folder.path().join("snapshot.previous")).unwrap();
    assert_eq!(load(&folder), Some(contents.stored(1)));
}

#[test]
fn the_file_of_another_environment_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    Files::new(folder.path())
        .write(&Contents::production().stored(1).encode(&scope()))
        .unwrap();
    let staging = Scope {
        environment: "staging".into(),
        flag_set: String::new(),
    };
    assert_eq!(open(folder.path(), staging).2, None);
    let one_set = Scope {
        flag_set: "checkout".into(),
        ..scope()
    };
    assert_eq!(open(folder.path(), one_set).2, None);
    assert!(load(&folder).is_some());
}
