#![allow(clippy::unwrap_used)]

use proto::v1;
use tempfile::TempDir;

use super::*;
use crate::health::spool::left::Left;

const ROOM: u64 = 1 << 30;
const NOW: u32 = 10_000;

struct Spooled {
    file: SpoolFile,
    folder: TempDir,
}

impl Spooled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let head = Head {
            agent: "agent-1".to_owned(),
            epoch: 9,
            environment: "production".to_owned(),
        };
        let file = SpoolFile::new(folder.path().join("1.frames"), head);
        Self { file, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("1.frames")
    }

    fn write(&mut self, news: News, room: u64) {
        self.file.take(news);
        self.file.shed(room, NOW);
        self.file.write(room, Instant::now()).unwrap();
    }

    /// What another process would send: rollout, sequence, outcomes, missing outcomes.
    fn left(&self) -> Vec<(u32, u64, u64, u64)> {
        let left = Left::read(&fs::read(self.path()).unwrap_or_default());
        assert_eq!(left.damaged, 0);
        let to_send = left.to_send(NOW);
        let frames = to_send.into_iter().flat_map(|to_send| to_send.frames);
        frames
            .map(|frame| {
                let outcomes = frame.cells.iter().map(|cell| cell.outcomes).sum();
                (frame.rollout, frame.sequence, outcomes, frame.dropped)
            })
            .collect()
    }
}

fn kept(rollout: u32, sequence: u64, outcomes: u64) -> Kept {
    let cell = v1::Cell {
        outcomes,
        exposed_positions: (0..100).map(|position| position * 64).collect(),
        ..v1::Cell::default()
    };
    let frame = v1::Frame {
        rollout,
        sequence,
        first_tick: NOW - 1_000,
        last_tick: NOW - 1_000 + u32::try_from(sequence).unwrap(),
        horizon: 1,
        cells: vec![cell],
        dropped: 0,
        environment: "production".to_owned(),
        urgent: false,
    };
    Kept { id: 77, frame }
}

fn cut(sequences: std::ops::RangeInclusive<u64>) -> News {
    News {
        cut: sequences.map(|sequence| kept(7, sequence, sequence)).collect(),
        ..News::default()
    }
}

fn forgotten(sequence: u64) -> News {
    News {
        forgotten: [(7, sequence)].into(),
        ..News::default()
    }
}

fn open(frames: Vec<Kept>) -> News {
    News {
        open: Some(frames),
        ..News::default()
    }
}

#[test]
fn what_is_written_is_left_for_the_next_process() {
    let mut spooled = Spooled::new();
    spooled.write(cut(1..=2), ROOM);
    spooled.write(cut(3..=3), ROOM);
    spooled.write(forgotten(1), ROOM);
    spooled.write(open(vec![kept(7, 4, 40)]), ROOM);
    assert_eq!(spooled.left(), [(7, 2, 2, 0), (7, 3, 3, 0), (7, 4, 40, 0)]);
}

#[test]
fn without_anything_to_keep_there_is_no_file() {
    let mut spooled = Spooled::new();
    spooled.write(open(Vec::new()), ROOM);
    spooled.write(forgotten(5), ROOM);
    assert!(!spooled.path().exists());
    spooled.write(cut(6..=6), ROOM);
    spooled.write(forgotten(6), ROOM);
    assert!(spooled.file.is_empty());
    spooled.file.remove().unwrap();
    assert!(!spooled.path().exists());
    spooled.file.remove().unwrap();
}

#[test]
fn what_does_not_change_is_written_once() {
    let mut spooled = Spooled::new();
    spooled.write(open(vec![kept(7, 1, 1)]), ROOM);
    let bytes = spooled.file.bytes();
    spooled.write(open(vec![kept(7, 1, 1)]), ROOM);
    assert_eq!(spooled.file.bytes(), bytes);
    spooled.write(open(vec![kept(7, 1, 2)]), ROOM);
    assert!(spooled.file.bytes() > bytes);
    assert_eq!(spooled.left(), [(7, 1, 2, 0)]);
}

#[test]
fn an_open_frame_never_takes_the_place_of_one_that_was_cut() {
    let mut spooled = Spooled::new();
    spooled.write(cut(1..=1), ROOM);
    spooled.write(open(vec![kept(7, 1, 50)]), ROOM);
    assert_eq!(spooled.left(), [(7, 1, 1, 0)]);
    // It is not open any more, and stays.
    spooled.write(open(Vec::new()), ROOM);
    assert_eq!(spooled.left(), [(7, 1, 1, 0)]);
}

#[test]
fn a_file_does_not_grow_with_what_is_of_no_use() {
    let mut spooled = Spooled::new();
    for sequence in 1..=3_000 {
        spooled.write(cut(sequence..=sequence), ROOM);
        spooled.write(forgotten(sequence.saturating_sub(2)), ROOM);
        let most = 2 * spooled.file.useful_bytes() + USELESS_BYTES + 1_000;
        assert!(spooled.file.bytes() <= most, "{sequence}: {}", spooled.file.bytes());
    }
    assert_eq!(spooled.left(), [(7, 2_999, 2_999, 0), (7, 3_000, 3_000, 0)]);
}

#[test]
fn where_there_is_no_room_the_oldest_frames_lose_their_counts_and_say_so() {
    let mut spooled = Spooled::new();
    let room = 16_000;
    spooled.write(cut(1..=100), room);
    assert!(spooled.file.bytes() <= room, "{} of {room}", spooled.file.bytes());
    let left = spooled.left();
    assert_eq!(left.len(), 100);
    let hollow = left.iter().filter(|(.., outcomes, _)| *outcomes == 0).count();
    assert!(hollow > 0 && hollow < 100, "{hollow}");
    for (index, (_, sequence, outcomes, missing)) in left.into_iter().enumerate() {
        let is_hollow = index < hollow;
        let expected = if is_hollow { (0, sequence) } else { (sequence, 0) };
        assert_eq!((outcomes, missing), expected, "{sequence}");
    }
}

#[test]
fn an_open_frame_for_which_there_is_no_room_loses_its_counts_until_there_is() {
    let mut spooled = Spooled::new();
    spooled.write(open(vec![kept(7, 1, 3)]), 10);
    assert_eq!(spooled.left(), [(7, 1, 0, 3)]);
    spooled.write(open(vec![kept(7, 1, 4)]), ROOM);
    assert_eq!(spooled.left(), [(7, 1, 4, 0)]);
    spooled.write(open(vec![kept(7, 1, 5)]), 10);
    spooled.write(open(Vec::new()), ROOM);
    spooled.write(cut(1..=1), ROOM);
    assert_eq!(spooled.left(), [(7, 1, 1, 0)]);
}

#[test]
fn what_is_older_than_an_hour_loses_its_counts() {
    let mut spooled = Spooled::new();
    spooled.file.take(cut(1..=2));
    let now = NOW - 1_000 + 2 + USEFUL_TICKS;
    assert_eq!(spooled.file.shed(ROOM, now), 1);
    spooled.file.write(ROOM, Instant::now()).unwrap();
    assert_eq!(spooled.left(), [(7, 1, 0, 1), (7, 2, 2, 0)]);
}

#[test]
fn a_rollout_that_is_over_leaves_its_index_to_another() {
    let mut spooled = Spooled::new();
    spooled.write(cut(1..=3), ROOM);
    let over = News {
        forgotten: [(7, u64::MAX)].into(),
        cut: vec![kept(7, 1, 8)],
        ..News::default()
    };
    spooled.write(over, ROOM);
    spooled.write(forgotten(0), ROOM);
    assert_eq!(spooled.left(), [(7, 1, 8, 0)]);
}

#[test]
fn a_write_that_fails_is_made_up_for_by_the_next() {
    let mut spooled = Spooled::new();
    let gone = spooled.folder.path().join("gone");
    spooled.file.path = gone.join("1.frames");
    spooled.file.take(cut(1..=2));
    assert!(spooled.file.write(ROOM, Instant::now()).is_err());
    spooled.file.take(cut(3..=3));
    assert!(spooled.file.write(ROOM, Instant::now()).is_err());
    fs::create_dir(&gone).unwrap();
    spooled.file.take(forgotten(1));
    spooled.file.write(ROOM, Instant::now()).unwrap();
    fs::rename(gone.join("1.frames"), spooled.path()).unwrap();
    assert_eq!(spooled.left(), [(7, 2, 2, 0), (7, 3, 3, 0)]);
}

#[test]
fn what_waits_for_a_disk_is_bounded() {
    let mut spooled = Spooled::new();
    let large = |sequence| {
        let mut large = kept(7, sequence, 1);
        large.frame.cells[0].exposed_positions = vec![u32::MAX; 400_000];
        large
    };
    let cut = (1..=8).map(large).collect();
    spooled.file.take(News { cut, ..News::default() });
    assert!(spooled.file.unwritten_bytes() > UNWRITTEN_BYTES);
    assert!(spooled.file.shed(ROOM, NOW) > 0);
    assert!(spooled.file.unwritten_bytes() <= UNWRITTEN_BYTES);
}

#[test]
fn what_was_added_is_to_be_flushed_soon_and_what_comes_after_it_does_not_put_that_off() {
    let mut spooled = Spooled::new();
    let began = Instant::now();
    let at = |seconds| began + Duration::from_secs(seconds);
    let mut write = |news, seconds| {
        spooled.file.take(news);
        spooled.file.write(ROOM, at(seconds)).unwrap();
        spooled.file.flush_at()
    };
    assert_eq!(write(cut(1..=1), 0), None, "a new file is flushed at once");
    assert_eq!(write(cut(2..=2), 10), Some(at(10) + FLUSH_AFTER));
    assert_eq!(write(cut(3..=3), 12), Some(at(10) + FLUSH_AFTER));
    assert_eq!(write(News::default(), 14), Some(at(10) + FLUSH_AFTER));
    spooled.file.flush().unwrap();
    assert_eq!(spooled.file.flush_at(), None);
    spooled.write(cut(4..=4), ROOM);
    spooled.write(forgotten(4), ROOM);
    assert_eq!(spooled.file.flush_at(), None, "nothing in it is of use");
}

#[test]
fn a_flush_that_fails_is_made_up_for_by_the_next() {
    let mut spooled = Spooled::new();
    spooled.write(cut(1..=1), ROOM);
    spooled.write(cut(2..=2), ROOM);
    let path = std::mem::replace(&mut spooled.file.path, "/nowhere/1.frames".into());
    assert!(spooled.file.flush().is_err(), "no folder names the file");
    assert!(spooled.file.flush_at().is_some());
    spooled.file.path = path;
    spooled.file.flush().unwrap();
    assert_eq!(spooled.file.flush_at(), None);
}
