#![allow(clippy::unwrap_used)]

use super::*;
use crate::health::spool::tests::{begin, frame};

/// Longer than anything takes here; no real time passes.
const LONG: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn what_was_written_is_flushed_after_a_while_though_nothing_more_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, mut keeper) = begin(folder.path());
    // The first makes the file, and the second is added to it.
    for sequence in 1..=2 {
        spool.cut(77, &frame(sequence, 5));
        keeper.rest().await;
        keeper = keeper.turn(false).await.unwrap();
    }
    assert!(keeper.file.flush_at().is_some());
    tokio::time::timeout(LONG, keeper.rest()).await.unwrap();
    let keeper = keeper.turn(false).await.unwrap();
    assert_eq!(keeper.file.flush_at(), None);
    tokio::time::timeout(LONG, keeper.rest()).await.unwrap_err();
}

#[tokio::test]
async fn what_is_written_for_the_last_time_is_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, mut keeper) = begin(folder.path());
    for (sequence, is_last) in [(1, false), (2, true)] {
        spool.cut(77, &frame(sequence, 5));
        keeper = keeper.turn(is_last).await.unwrap();
    }
    assert_eq!(keeper.file.flush_at(), None);
}
