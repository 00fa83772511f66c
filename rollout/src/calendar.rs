//! When a rollout may move forward: windows that open it and freezes that hold it.
//!
//! An instant is open if some open window contains it, or there are none, and no freeze does. A plan and its stage each
//! have a calendar, and all of them must be open: two lists of open windows cannot be written as one, so the questions
//! take several calendars instead of merging them. Answers are exact: the search jumps from one edge of a window to the
//! next. What a closed calendar delays is decided by [`step`](crate::step); it never delays an abort.

mod dates;
mod error;
mod week;
mod window;
mod zone;

pub use error::Error;
pub use window::Window;

use crate::{DAY_US, Micros};

/// How far ahead [`next_open`] and [`closes`] look: 400 days, so that whatever comes once a year is found.
pub const HORIZON_US: Micros = 400 * DAY_US;

/// Open windows and freezes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    /// When it is open; empty: always.
    pub open: Vec<Window>,
    /// When it is closed in spite of that.
    pub frozen: Vec<Window>,
}

impl Calendar {
    /// Whether an instant is open.
    pub fn is_open(&self, at: Micros) -> bool {
        is_open(&[self], at)
    }

    /// As the function [`next_open`], for one calendar.
    pub fn next_open(&self, from: Micros) -> Option<Micros> {
        next_open(&[self], from)
    }

    /// As the function [`closes`], for one calendar.
    pub fn closes(&self, from: Micros) -> Option<Micros> {
        closes(&[self], from)
    }

    /// The first freeze that contains an instant; none if the calendar is open or closed only for want of an open
    /// window.
    pub fn why_closed(&self, at: Micros) -> Option<&Window> {
        self.frozen.iter().find(|freeze| freeze.contains(at))
    }

    /// The earliest instant from `at` on that is not known to be closed: `at` itself if it is open; none if it stays
    /// closed up to `horizon`.
    fn not_before(&self, at: Micros, horizon: Micros) -> Option<Micros> {
        let mut earliest = at;
        for freeze in self.frozen.iter().filter(|freeze| freeze.contains(at)) {
            earliest = earliest.max(freeze.next_change(at, horizon)?);
        }
        if !self.open.is_empty() && !self.open.iter().any(|window| window.contains(at)) {
            let begins = self.open.iter().filter_map(|window| window.next_change(at, horizon));
            earliest = earliest.max(begins.min()?);
        }
        Some(earliest)
    }

    /// The latest instant before which it is known to stay open, if it is open at `at`; none if up to `horizon`.
    fn open_until(&self, at: Micros, horizon: Micros) -> Option<Micros> {
        let freezes = self.frozen.iter().filter_map(|freeze| freeze.next_change(at, horizon));
        let open = self.open.iter().filter(|window| window.contains(at));
        let ends: Option<Vec<Micros>> = open.map(|window| window.next_change(at, horizon)).collect();
        let last_end = ends.and_then(|ends| ends.into_iter().max());
        freezes.chain(last_end).min()
    }
}

/// Whether all of them are open.
pub fn is_open(all: &[&Calendar], at: Micros) -> bool {
    all.iter().all(|calendar| {
        let open = calendar.open.is_empty() || calendar.open.iter().any(|window| window.contains(at));
        open && calendar.why_closed(at).is_none()
    })
}

/// The first instant, `from` included, at which all of them are open; none if there is none within [`HORIZON_US`].
pub fn next_open(all: &[&Calendar], from: Micros) -> Option<Micros> {
    let horizon = from.saturating_add(HORIZON_US);
    let mut at = from;
    loop {
        let mut earliest = at;
        for calendar in all {
            earliest = earliest.max(calendar.not_before(at, horizon)?);
        }
        if earliest == at {
            return Some(at);
        }
        at = earliest;
    }
}

/// The first instant, `from` included, at which one of them is closed; none if there is none within [`HORIZON_US`].
pub fn closes(all: &[&Calendar], from: Micros) -> Option<Micros> {
    let horizon = from.saturating_add(HORIZON_US);
    let mut at = from;
    while is_open(all, at) {
        let ends = all.iter().filter_map(|calendar| calendar.open_until(at, horizon));
        at = ends.min()?;
    }
    Some(at)
}

/// The first freeze of any of them that contains an instant.
pub fn why_closed<'a>(all: &[&'a Calendar], at: Micros) -> Option<&'a Window> {
    all.iter().find_map(|calendar| calendar.why_closed(at))
}

#[cfg(test)]
mod tests;
