//! Marks: which frames of each reporter have been taken, so that a repeat is recognised.
//!
//! Per (agent, epoch) one number up to which all frames are taken, and a window of the 64 after it for those that
//! overtook another. An agent sends in order and keeps what is not acknowledged, so a frame beyond the window, or a gap
//! that stays open for a minute, means that the agent has given the missing ones up: they count as taken from then on.
//! The rule: in doubt a frame is lost, never counted twice.
//!
//! Marks are stored in pages of 4,096 and kept for two hours after the last frame of their reporter.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::frames::Reporter;
use crate::store::model::{MarkPage, ModelError, StoredMark};

/// How long the mark of a silent reporter is kept.
pub(crate) const KEPT_US: i64 = 2 * 60 * 60 * 1_000_000;
/// Reporters of one page.
const PAGE_ROOM: usize = 4_096;
/// Pages of one rollout: they fit into a transaction beside everything else.
const PAGES_LIMIT: usize = 60;
/// Reporters of one rollout.
pub(crate) const REPORTERS_LIMIT: usize = PAGES_LIMIT * PAGE_ROOM;
/// How long a missing frame is waited for.
const GAP_US: i64 = 60_000_000;
/// How many frames may overtake one.
const WINDOW: u64 = 64;

/// How far the frames of one reporter have been taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    contiguous: u64,
    window: u64,
    seen_at_us: i64,
    /// Since when a frame is missing below a taken one. Not stored: a restart waits anew.
    gap_since_us: Option<i64>,
}

/// The marks of all reporters of one rollout, in the pages in which they are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    pages: Vec<Page>,
    page_of: HashMap<Reporter, usize>,
}

#[derive(Debug, Clone, Default)]
struct Page {
    marks: BTreeMap<Reporter, Mark>,
    is_dirty: bool,
}

impl Mark {
    /// All frames up to this one are taken.
    pub(crate) fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// When a frame was last taken.
    pub(crate) fn seen_at_us(&self) -> i64 {
        self.seen_at_us
    }

    /// Whether a frame is taken.
    pub(crate) fn knows(&self, sequence: u64) -> bool {
        match sequence.checked_sub(self.contiguous) {
            None | Some(0) => true,
            Some(ahead) => ahead <= WINDOW && self.window >> (ahead - 1) & 1 == 1,
        }
    }

    /// Takes a frame. False: it was taken before.
    pub(crate) fn take(&mut self, sequence: u64, now_us: i64) -> bool {
        self.seen_at_us = self.seen_at_us.max(now_us);
        if self.knows(sequence) {
            return false;
        }
        // Not known, so it is ahead of `contiguous`.
        if sequence - self.contiguous > WINDOW {
            self.give_up(sequence - self.contiguous - WINDOW);
        }
        // Giving up may have run past other taken frames, never past this one.
        self.window |= 1 << (sequence - self.contiguous - 1);
        self.run();
        self.gap_since_us = if self.window == 0 {
            None
        } else {
            self.gap_since_us.or(Some(now_us))
        };
        true
    }

    /// Gives up what has been missing for a minute.
    pub(crate) fn close_gap(&mut self, now_us: i64) {
        if self
            .gap_since_us
            .is_some_and(|since| now_us.saturating_sub(since) >= GAP_US)
        {
            self.give_up(u64::from(self.window.trailing_zeros()));
            self.gap_since_us = (self.window != 0).then_some(now_us);
        }
    }

    /// Moves over the next `frames`, taken or not, and over the taken ones after them.
    fn give_up(&mut self, frames: u64) {
        self.contiguous += frames;
        self.window = u32::try_from(frames)
            .ok()
            .and_then(|frames| self.window.checked_shr(frames))
            .unwrap_or(0);
        self.run();
    }

    /// Moves over the taken frames that follow without a gap.
    fn run(&mut self) {
        let taken = self.window.trailing_ones();
        self.contiguous += u64::from(taken);
        self.window = self.window.checked_shr(taken).unwrap_or(0);
    }
}

impl PartialEq for Mark {
    /// Equal in what is stored.
    fn eq(&self, other: &Self) -> bool {
        (self.contiguous, self.window, self.seen_at_us) == (other.contiguous, other.window, other.seen_at_us)
    }
}

impl Marks {
    /// The marks that were stored as these pages, by number.
    pub(crate) fn read(pages: &[(usize, Bytes)]) -> Result<Self, ModelError> {
        let mut read = Self::default();
        for (number, value) in pages {
            if *number >= PAGES_LIMIT {
                return Err(ModelError::Field("marks.page"));
            }
            read.pages.resize_with(read.pages.len().max(number + 1), Page::default);
            for stored in MarkPage::read(value)? {
                let mark = Mark {
                    contiguous: stored.contiguous,
                    window: stored.window,
                    seen_at_us: stored.seen_at_us,
                    gap_since_us: (stored.window != 0).then_some(stored.seen_at_us),
                };
                let reporter = Reporter {
                    agent: Arc::from(stored.agent),
                    epoch: stored.epoch,
                };
                read.page_of.insert(reporter.clone(), *number);
                read.pages[*number].marks.insert(reporter, mark);
            }
        }
        Ok(read)
    }

    /// One mark; that of a reporter that was never heard, if there is none.
    pub(crate) fn get(&self, reporter: &Reporter) -> Mark {
        let page = self.page_of.get(reporter).and_then(|number| self.pages.get(*number));
        page.and_then(|page| page.marks.get(reporter))
            .copied()
            .unwrap_or_default()
    }

    /// Sets a mark, in the page that holds it or else in the first with room.
    pub(crate) fn set(&mut self, reporter: &Reporter, mark: Mark) {
        let number = match self.page_of.get(reporter) {
            Some(number) => *number,
            None => {
                let roomy = self.pages.iter().position(|page| page.marks.len() < PAGE_ROOM);
                let number = roomy.unwrap_or(self.pages.len());
                self.page_of.insert(reporter.clone(), number);
                number
            }
        };
        self.pages.resize_with(self.pages.len().max(number + 1), Page::default);
        let page = &mut self.pages[number];
        page.marks.insert(reporter.clone(), mark);
        page.is_dirty = true;
    }

    /// Forgets reporters that were last heard before a time.
    pub(crate) fn forget_before(&mut self, time_us: i64) {
        for page in &mut self.pages {
            let before = page.marks.len();
            page.marks.retain(|_, mark| mark.seen_at_us >= time_us);
            page.is_dirty |= page.marks.len() != before;
        }
        let pages = &self.pages;
        self.page_of
            .retain(|reporter, number| pages.get(*number).is_some_and(|page| page.marks.contains_key(reporter)));
    }

    /// All marks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Reporter, &Mark)> {
        self.pages.iter().flat_map(|page| &page.marks)
    }

    /// The pages that changed since this was last asked, as they are stored.
    pub(crate) fn take_dirty(&mut self) -> Vec<(u32, Bytes)> {
        let dirty = (0..).zip(&mut self.pages).filter(|(_, page)| page.is_dirty);
        dirty
            .map(|(number, page)| {
                page.is_dirty = false;
                (number, page.write())
            })
            .collect()
    }
}

impl Page {
    fn write(&self) -> Bytes {
        let stored = |(reporter, mark): (&Reporter, &Mark)| StoredMark {
            agent: reporter.agent.to_string(),
            epoch: reporter.epoch,
            contiguous: mark.contiguous,
            window: mark.window,
            seen_at_us: mark.seen_at_us,
        };
        MarkPage::write(self.marks.iter().map(stored).collect())
    }
}

#[cfg(test)]
mod tests;
