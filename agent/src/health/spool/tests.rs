#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use evaluation::Buckets;

use super::{keeper::Keeper, left::Left, *};
use crate::{
    health::{counters::Counters, fake_control_plane::PATIENCE},
    samples::{Contents, ROLLOUT, measurement},
    server_clock::ServerClock,
};

pub(super) fn begin(folder: &Path) -> (Spool, Keeper) {
    begin_of(9, open(folder, 1 << 20).unwrap(), &Arc::default())
}

/// The spool of the process with this number; these counters are told of what has no room.
fn begin_of(epoch: u64, opened: Opened, counters: &Arc<Counters>) -> (Spool, Keeper) {
    let head = Head {
        agent: "agent-1".to_owned(),
        epoch,
        environment: "production".to_owned(),
    };
    let holder = Contents::production().rollout(Buckets::ALL).held(1);
    opened.begin(head, ServerClock::new(), Dropped::new(holder, Arc::clone(counters)))
}

pub(super) fn frame(sequence: u64, outcomes: u64) -> v1::Frame {
    let now = proto::tick::at(runtime::clock::now_us());
    let cell = v1::Cell {
        outcomes,
        ..v1::Cell::default()
    };
    v1::Frame {
        rollout: ROLLOUT,
        sequence,
        first_tick: now,
        last_tick: now,
        horizon: 1,
        cells: vec![cell],
        dropped: 0,
        environment: "production".to_owned(),
        urgent: false,
    }
}

/// What the next process would find: sequence and outcomes.
fn left(folder: &Path) -> Vec<(u64, u64)> {
    let opened = open(folder, 1 << 20).unwrap();
    let Some(path) = opened.folder.to_send() else {
        return Vec::new();
    };
    let left: Left = opened.folder.read(&path).unwrap();
    let to_send = left.to_send(proto::tick::at(runtime::clock::now_us()));
    let frames = to_send.into_iter().flat_map(|to_send| to_send.frames);
    frames
        .map(|frame| (frame.sequence, frame.cells.iter().map(|cell| cell.outcomes).sum()))
        .collect()
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn everything_that_was_said_before_the_end_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, keeper) = begin(folder.path());
    spool.cut(77, &frame(1, 5));
    spool.cut(77, &frame(2, 6));
    spool.forget(7, 1);
    spool.open(vec![Kept {
        id: 77,
        frame: frame(3, 7),
    }]);
    drop(spool);
    keeper.run().await;
    assert_eq!(left(folder.path()), [(2, 6), (3, 7)]);
}

#[tokio::test]
async fn a_process_that_owes_nothing_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, keeper) = begin(folder.path());
    let writing = tokio::spawn(keeper.run());
    spool.cut(77, &frame(1, 5));
    let file = folder.path().join("00000001-0000000000000009.frames");
    let written = async {
        while !file.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), written)
        .await
        .unwrap();
    spool.forget(7, 1);
    spool.open(Vec::new());
    drop(spool);
    writing.await.unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn a_rollout_that_is_over_does_not_take_the_next_of_its_index_along() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, keeper) = begin(folder.path());
    spool.cut(77, &frame(1, 5));
    spool.cut(77, &frame(2, 5));
    spool.forget(7, u64::MAX);
    spool.cut(78, &frame(1, 8));
    drop(spool);
    keeper.run().await;
    assert_eq!(left(folder.path()), [(1, 8)]);
}

#[test]
fn what_waits_for_a_disk_that_hangs_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _never_written) = begin(folder.path());
    let mut large = frame(1, 1);
    large.cells[0].exposed_positions = vec![u32::MAX; 400_000];
    for sequence in 1..=10 {
        large.sequence = sequence;
        spool.cut(77, &large);
    }
    let shared = spool.0.as_ref().unwrap();
    let waiting = shared.waiting();
    assert!(waiting.bytes <= WAITING_BYTES);
    assert_eq!(waiting.cut.back().unwrap().frame.sequence, 10);
    assert!(waiting.cut.front().unwrap().frame.sequence > 1);
}

#[test]
fn nothing_is_kept_where_nothing_is_to_be_kept() {
    let spool = Spool::none();
    spool.cut(77, &frame(1, 5));
    spool.forget(7, 1);
    spool.open(Vec::new());
    assert!(!spool.is_on());
}

#[tokio::test]
async fn what_a_disk_refused_is_written_once_it_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (spool, keeper) = begin(&path);
    fs::remove_dir_all(&path).unwrap();
    let shared = Arc::clone(spool.0.as_ref().unwrap());
    let writing = tokio::spawn(keeper.run());
    spool.cut(77, &frame(1, 5));
    until(|| shared.waiting().cut.is_empty()).await;
    spool.cut(77, &frame(2, 6));
    fs::create_dir(&path).unwrap();
    let file = path.join("00000001-0000000000000009.frames");
    until(|| file.exists()).await;
    drop(spool);
    writing.await.unwrap();
    assert_eq!(left(&path), [(1, 5), (2, 6)]);
}

/// A former process left a file that leaves no room for a frame; gives how much the spool may take then, and the
/// counters.
async fn filled(folder: &Path, outcomes: u64) -> (u64, Arc<Counters>) {
    let (spool, keeper) = begin_of(8, open(folder, 1 << 20).unwrap(), &Arc::default());
    spool.cut(measurement().id, &frame(1, outcomes));
    drop(spool);
    keeper.run().await;
    let file = folder.join("00000001-0000000000000008.frames");
    (fs::metadata(file).unwrap().len(), Arc::default())
}

fn told(counters: &Counters) -> u64 {
    counters.peek(&measurement()).unsaid.dropped
}

#[tokio::test]
async fn what_makes_room_for_what_is_counted_now_counts_as_dropped_in_its_rollout() {
    let folder = tempfile::tempdir().unwrap();
    let (limit, counters) = filled(folder.path(), 40).await;
    let (spool, keeper) = begin_of(9, open(folder.path(), limit).unwrap(), &counters);
    let writing = tokio::spawn(keeper.run());
    spool.cut(measurement().id, &frame(1, 5));
    until(|| told(&counters) > 0).await;
    drop(spool);
    writing.await.unwrap();
    assert_eq!(told(&counters), 40);
    assert_eq!(left(folder.path()), [(1, 5)]);
}

#[tokio::test]
async fn what_had_no_room_at_the_start_counts_as_dropped_in_its_rollout() {
    let folder = tempfile::tempdir().unwrap();
    let (limit, counters) = filled(folder.path(), 40).await;
    let (_spool, keeper) = begin_of(9, open(folder.path(), limit - 1).unwrap(), &counters);
    let writing = tokio::spawn(keeper.run());
    until(|| told(&counters) == 40).await;
    writing.abort();
}

#[tokio::test]
async fn in_the_end_nothing_makes_room_because_nobody_could_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let (limit, counters) = filled(folder.path(), 40).await;
    let (spool, keeper) = begin_of(9, open(folder.path(), limit).unwrap(), &counters);
    spool.cut(measurement().id, &frame(1, 5));
    drop(spool);
    keeper.run().await;
    assert_eq!((left(folder.path()), told(&counters)), (vec![(1, 40)], 0));
    let own = fs::read(folder.path().join("00000002-0000000000000009.frames")).unwrap();
    let to_send = Left::read(&own).to_send(proto::tick::at(runtime::clock::now_us()));
    assert_eq!((to_send.len(), to_send[0].lost), (1, 5));
}
