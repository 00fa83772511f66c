//! Exposures whose outcome is awaited, of one rollout in one shard.
//!
//! A set of distinct tokens: evaluations of a unit in one second are one, because they have one name. An outcome by
//! token resolves that one; an outcome by flag and context names a unit, and resolves all that it awaits, whatever
//! stage they were of: in doubt an outcome has come. What is still there after the deadline is lost.
//!
//! Waiting is measured by a clock that nobody corrects: a server's clock that jumps must not make outcomes late. The
//! number of exposures that are awaited is bounded for a whole shard (`Room`); what does not fit is not watched, which
//! its owner counts, and never called lost.

use std::collections::{HashMap, hash_map::Entry};

use evaluation::Position;
use foldhash::fast::RandomState;

use super::slice::CellKey;

/// Exposures that one shard awaits at most: 65,536 in all of an agent's sixteen shards.
const ROOM: usize = 4_096;

/// How many more exposures a shard may await.
#[derive(Debug)]
pub(crate) struct Room(usize);

/// The exposures that are awaited.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    units: HashMap<Position, Unit, RandomState>,
    awaited: usize,
}

/// What is awaited at one position.
#[derive(Debug)]
struct Unit {
    newest: Awaited,
    /// Oldest first. Mostly empty: a unit's requests rarely overlap.
    older: Vec<Awaited>,
}

/// One exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Awaited {
    cell: CellKey,
    /// The tick in its token.
    tick: u32,
    /// When it happened, in seconds of the clock that nobody corrects.
    since_s: u32,
}

impl Default for Room {
    fn default() -> Self {
        Self(ROOM)
    }
}

impl Pending {
    /// Awaits the outcome of an exposure; false if there is no room for it. One that is awaited already stays as it is.
    pub(crate) fn add(
        &mut self,
        (cell, position): (CellKey, Position),
        tick: u32,
        since_s: u32,
        room: &mut Room,
    ) -> bool {
        let awaited = Awaited { cell, tick, since_s };
        match self.units.entry(position) {
            Entry::Occupied(unit) if unit.get().awaits(cell, tick) => return true,
            _ if room.0 == 0 => return false,
            Entry::Occupied(mut unit) => {
                let unit = unit.get_mut();
                unit.older.push(std::mem::replace(&mut unit.newest, awaited));
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Unit {
                    newest: awaited,
                    older: Vec::new(),
                });
            }
        }
        self.awaited += 1;
        room.0 -= 1;
        true
    }

    /// The outcome of one exposure has come.
    pub(crate) fn resolve(&mut self, (cell, position): (CellKey, Position), tick: u32, room: &mut Room) {
        let Some(unit) = self.units.get_mut(&position) else {
            return;
        };
        match unit.resolve(cell, tick) {
            Resolved::Unknown => return,
            Resolved::One => {}
            Resolved::Last => {
                self.units.remove(&position);
            }
        }
        self.awaited -= 1;
        room.0 += 1;
    }

    /// An outcome of a unit has come, and nobody knows of which of its exposures.
    pub(crate) fn resolve_unit(&mut self, position: Position, room: &mut Room) {
        if let Some(unit) = self.units.remove(&position) {
            let resolved = 1 + unit.older.len();
            self.awaited -= resolved;
            room.0 += resolved;
        }
    }

    /// Takes out what has waited for longer than `patience_s` at `now_s`. Complexity: linear in what is awaited.
    pub(crate) fn expire(&mut self, now_s: u32, patience_s: u32, room: &mut Room) -> Vec<(CellKey, Position)> {
        let mut lost = Vec::new();
        // Both are whole seconds, cut off: only a larger difference is surely as long.
        let is_lost = |awaited: &Awaited| now_s.saturating_sub(awaited.since_s) > patience_s;
        self.units.retain(|position, unit| {
            unit.older.retain(|awaited| {
                let expired = is_lost(awaited);
                if expired {
                    lost.push((awaited.cell, *position));
                }
                !expired
            });
            if !is_lost(&unit.newest) {
                return true;
            }
            lost.push((unit.newest.cell, *position));
            match unit.older.pop() {
                Some(next) => {
                    unit.newest = next;
                    true
                }
                None => false,
            }
        });
        self.awaited -= lost.len();
        room.0 += lost.len();
        lost
    }

    /// Awaits nothing any more.
    pub(crate) fn clear(&mut self, room: &mut Room) {
        self.units.clear();
        room.0 += std::mem::take(&mut self.awaited);
    }
}

/// What an outcome was to a unit.
enum Resolved {
    /// Not awaited.
    Unknown,
    /// Awaited, as others are still.
    One,
    /// The last that was awaited.
    Last,
}

impl Unit {
    fn awaits(&self, cell: CellKey, tick: u32) -> bool {
        let is_it = |awaited: &Awaited| awaited.cell == cell && awaited.tick == tick;
        is_it(&self.newest) || self.older.iter().any(is_it)
    }

    fn resolve(&mut self, cell: CellKey, tick: u32) -> Resolved {
        let is_it = |awaited: &Awaited| awaited.cell == cell && awaited.tick == tick;
        if is_it(&self.newest) {
            return match self.older.pop() {
                Some(next) => {
                    self.newest = next;
                    Resolved::One
                }
                None => Resolved::Last,
            };
        }
        match self.older.iter().position(is_it) {
            Some(at) => {
                self.older.remove(at);
                Resolved::One
            }
            None => Resolved::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
