//! The spool file of this process: what is in it, and what is still to be written.
//!
//! Records are only ever added; when most of the file is of no use any more, what is of use is written to another file
//! that takes its place. An entry stays in memory until it is on disk, so a write that fails costs nothing but time,
//! and the next write tries again. The file and what waits for it are bounded: where there is no room, the oldest
//! frames are replaced by what is left of a frame without its counts.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;
use twox_hash::XxHash3_64;

use super::record::{Head, Kept, Record};
use crate::health::tally::USEFUL_TICKS;

/// A file is written anew when it holds so many bytes of no use, and they are more than half.
const USELESS_BYTES: u64 = 256 * 1024;
/// Entries that are not on disk take so many bytes of memory at most.
const UNWRITTEN_BYTES: u64 = 8 * 1024 * 1024;
/// How long what was written may be unflushed, which a crash of the machine costs. A killed process needs no flush.
const FLUSH_AFTER: Duration = Duration::from_secs(5);

/// A frame by its rollout and sequence.
type Name = (u32, u64);

/// What is new since the last write.
#[derive(Debug, Default)]
pub(super) struct News {
    /// By rollout: frames up to this sequence are of no use any more.
    pub(super) forgotten: BTreeMap<u32, u64>,
    /// Frames that were cut, after what is forgotten.
    pub(super) cut: Vec<Kept>,
    /// All frames that are open now; None: as before.
    pub(super) open: Option<Vec<Kept>>,
}

/// The file of one process.
#[derive(Debug)]
pub(super) struct SpoolFile {
    path: PathBuf,
    head: Head,
    file: Option<File>,
    /// Of the file.
    bytes: u64,
    entries: BTreeMap<Name, Entry>,
    /// Up to where frames were acknowledged, by rollout.
    acked: BTreeMap<u32, u64>,
    /// Those of which the file does not know yet.
    newly_acked: BTreeMap<u32, u64>,
    /// Since when something in the file is not flushed; None: all of it is.
    unflushed: Option<Instant>,
}

/// One frame.
#[derive(Debug)]
struct Entry {
    /// What is left of it if there is no room.
    hollow: Kept,
    is_hollow: bool,
    is_open: bool,
    /// Of its record.
    checksum: u64,
    /// Of its record.
    bytes: u64,
    place: Place,
}

/// Where a frame is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// From this byte of the file on.
    File(u64),
    /// Not in the file yet.
    Memory(Vec<u8>),
}

impl SpoolFile {
    /// One that is created when there is something to write.
    pub(super) fn new(path: PathBuf, head: Head) -> Self {
        Self {
            path,
            head,
            file: None,
            bytes: 0,
            entries: BTreeMap::new(),
            acked: BTreeMap::new(),
            newly_acked: BTreeMap::new(),
            unflushed: None,
        }
    }

    /// Bytes that are of use, on disk or not.
    pub(super) fn useful_bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.bytes).sum()
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it holds nothing of use.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes what is new.
    pub(super) fn take(&mut self, news: News) {
        for (rollout, sequence) in news.forgotten {
            self.forget(rollout, sequence);
        }
        for kept in news.cut {
            self.insert(kept, false);
        }
        let Some(open) = news.open else { return };
        let names: Vec<Name> = open.iter().map(Kept::name).collect();
        self.entries
            .retain(|name, entry| !entry.is_open || names.contains(name));
        for kept in open {
            let is_cut = self.entries.get(&kept.name()).is_some_and(|entry| !entry.is_open);
            if !is_cut {
                self.insert(kept, true);
            }
        }
    }

    fn forget(&mut self, rollout: u32, sequence: u64) {
        let forgotten: Vec<Name> = self
            .entries
            .range((rollout, 0)..=(rollout, sequence))
            .map(|(name, _)| *name)
            .collect();
        for name in forgotten {
            self.entries.remove(&name);
        }
        let newly = self.newly_acked.entry(rollout).or_default();
        *newly = sequence.max(*newly);
        // All of it: the index may be another rollout's from now on.
        self.acked
            .insert(rollout, if sequence == u64::MAX { 0 } else { sequence });
    }

    fn insert(&mut self, kept: Kept, is_open: bool) {
        let (name, hollow, is_hollow) = (kept.name(), kept.hollow(), kept.frame.cells.is_empty());
        let record = if is_open { Record::Open(kept) } else { Record::Cut(kept) };
        let record = record.encode();
        let checksum = XxHash3_64::oneshot(&record);
        if self.entries.get(&name).is_some_and(|entry| entry.checksum == checksum) {
            return;
        }
        let entry = Entry {
            hollow,
            is_hollow,
            is_open,
            checksum,
            bytes: record.len() as u64,
            place: Place::Memory(record),
        };
        self.entries.insert(name, entry);
    }

    /// Makes room: `room` for all frames together, and `now` is the present tick. Gives how many frames lost their
    /// counts.
    ///
    /// Where there is not enough, more is made than is missing: else the file would be written anew with each frame.
    pub(super) fn shed(&mut self, room: u64, now: u32) -> u64 {
        let room = if self.useful_bytes() > room { room / 4 * 3 } else { room };
        let mut names: Vec<(u32, Name)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.is_hollow)
            .map(|(name, entry)| (entry.hollow.frame.last_tick, *name))
            .collect();
        names.sort_unstable();
        let oldest = now.saturating_sub(USEFUL_TICKS);
        let (mut useful, mut unwritten, mut shed) = (self.useful_bytes(), self.unwritten_bytes(), 0);
        for (last_tick, name) in names {
            let Some(entry) = self.entries.get_mut(&name) else {
                continue;
            };
            let is_waiting = matches!(entry.place, Place::Memory(_));
            let is_too_much = useful > room || (is_waiting && unwritten > UNWRITTEN_BYTES);
            if last_tick >= oldest && !is_too_much {
                continue;
            }
            shed += 1;
            useful -= entry.bytes;
            unwritten -= if is_waiting { entry.bytes } else { 0 };
            entry.empty();
            useful += entry.bytes;
            unwritten += entry.bytes;
        }
        shed
    }

    fn unwritten_bytes(&self) -> u64 {
        let waiting = self.entries.values();
        waiting
            .filter(|entry| matches!(entry.place, Place::Memory(_)))
            .map(|entry| entry.bytes)
            .sum()
    }

    /// Brings everything to the file; what is not there after an error is tried again with the next write. `room`: what
    /// the file may take; `now`: from now on it is to be flushed.
    pub(super) fn write(&mut self, room: u64, now: Instant) -> io::Result<()> {
        let news = self.unwritten_bytes();
        if self.file.is_none() && news == 0 {
            self.newly_acked.clear();
            return Ok(());
        }
        let useful = self.useful_bytes();
        let after = self.bytes + news;
        if self.file.is_none() || after > room.max(useful) || after > 2 * useful + USELESS_BYTES {
            self.write_anew(now)
        } else {
            self.append(now)
        }
    }

    /// When what was written is to be flushed; None: it is, or is of no use.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        let unflushed = self.unflushed.filter(|_| !self.is_empty());
        unflushed.map(|since| since + FLUSH_AFTER)
    }

    /// Makes what was written survive a crash of the machine: what is in the file, and that the folder names it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let (Some(file), Some(_)) = (&self.file, self.unflushed) {
            file.sync_data()?;
            let folder = self.path.parent().unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()?;
            self.unflushed = None;
        }
        Ok(())
    }

    /// Adds what is not there yet.
    fn append(&mut self, now: Instant) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut records = acks(&self.newly_acked);
        let mut places = Vec::new();
        for (name, entry) in &self.entries {
            if let Place::Memory(record) = &entry.place {
                places.push((*name, self.bytes + records.len() as u64));
                records.extend_from_slice(record);
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        if let Err(error) = file.write_all_at(&records, self.bytes) {
            // A part of a record would only be skipped; if it stays, the next write goes over it.
            let _ = file.set_len(self.bytes);
            return Err(error);
        }
        self.unflushed.get_or_insert(now);
        self.bytes += records.len() as u64;
        self.written(places);
        Ok(())
    }

    /// Writes another file with what is of use, and puts it in the place of this one. It is flushed before that, lest a
    /// crash of the machine leave an empty one there.
    fn write_anew(&mut self, now: Instant) -> io::Result<()> {
        let mut records = Record::Head(self.head.clone()).encode();
        let kept = |rollout: &u32| {
            let of = (*rollout, 0)..=(*rollout, u64::MAX);
            self.entries.range(of).next().is_some()
        };
        let acked = self.acked.iter().filter(|(rollout, _)| kept(rollout));
        records.extend(acks(&acked.map(|(rollout, sequence)| (*rollout, *sequence)).collect()));
        let mut places = Vec::with_capacity(self.entries.len());
        for (name, entry) in &self.entries {
            places.push((*name, records.len() as u64));
            match (&entry.place, &self.file) {
                (Place::Memory(record), _) => records.extend_from_slice(record),
                (Place::File(from), Some(file)) => {
                    let begins = records.len();
                    records.resize(begins + usize::try_from(entry.bytes).unwrap_or(0), 0);
                    file.read_exact_at(&mut records[begins..], *from)?;
                }
                (Place::File(_), None) => return Err(io::Error::other("the file is gone")),
            }
        }
        let next = next_of(&self.path);
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&next)?;
        let written = file
            .write_all_at(&records, 0)
            .and_then(|()| file.sync_data())
            .and_then(|()| fs::rename(&next, &self.path));
        if let Err(error) = written {
            // On a full disk its bytes are wanted; if it stays, the next attempt goes over it.
            let _ = fs::remove_file(&next);
            return Err(error);
        }
        self.file = Some(file);
        self.unflushed = Some(now);
        self.bytes = records.len() as u64;
        self.written(places);
        self.flush()
    }

    fn written(&mut self, places: Vec<(Name, u64)>) {
        for (name, from) in places {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.place = Place::File(from);
            }
        }
        self.newly_acked.clear();
    }

    /// Takes the file away, if there is one.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Entry {
    /// Leaves only what is to be told without its counts.
    fn empty(&mut self) {
        let hollow = self.hollow.clone();
        let record = if self.is_open {
            Record::Open(hollow)
        } else {
            Record::Cut(hollow)
        };
        let record = record.encode();
        self.is_hollow = true;
        self.checksum = XxHash3_64::oneshot(&record);
        self.bytes = record.len() as u64;
        self.place = Place::Memory(record);
    }
}

fn acks(acked: &BTreeMap<u32, u64>) -> Vec<u8> {
    let acked = acked.iter().map(|(rollout, sequence)| Record::Acked {
        rollout: *rollout,
        sequence: *sequence,
    });
    acked.flat_map(|record| record.encode()).collect()
}

/// What is to take the place of a file.
fn next_of(path: &Path) -> PathBuf {
    path.with_extension("next")
}

#[cfg(test)]
mod tests;
