//! What waits for one webhook, and what goes next: a line for each rollout, of which only the first is ever sent.
//!
//! Pure: places and times in, places out. The rule: within a rollout in the order of the stream, and never two at once;
//! of different rollouts several at once, those that are due for longest first. A line whose first fails waits for it, and
//! no other does.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use uuid::Uuid;

use super::retry::Patience;
use crate::events::position::Position;

/// One that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Where its event is in the stream.
    pub(crate) position: Position,
    /// The rollout that it is about.
    pub(crate) rollout: Uuid,
    /// When it began to wait.
    pub(crate) queued_at_us: i64,
    /// When it is sent, once it is its turn.
    pub(crate) due_us: i64,
}

/// One in its line.
#[derive(Debug)]
struct Placed {
    waiting: Waiting,
    /// It was sent once because the receiver was back; when that failed it is its own fault, and it keeps to its times.
    was_hurried: bool,
}

/// All that waits for one webhook.
#[derive(Debug)]
pub(crate) struct Queue {
    patience: Patience,
    lines: HashMap<Uuid, VecDeque<Placed>>,
    /// The rollout of each, in the order of the stream.
    all: BTreeMap<Position, Uuid>,
    /// The first of each line that is not under way, by when it is due.
    heads: BTreeSet<(i64, Position)>,
    /// Those that are under way.
    in_flight: BTreeSet<Position>,
    /// Nothing is sent before this: the receiver asked for a rest.
    rest_until_us: i64,
}

impl Queue {
    /// Nothing waits.
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            lines: HashMap::new(),
            all: BTreeMap::new(),
            heads: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            rest_until_us: 0,
        }
    }

    /// One more, behind all that there were.
    pub(crate) fn add(&mut self, waiting: Waiting) {
        let line = self.lines.entry(waiting.rollout).or_default();
        if line.is_empty() {
            self.heads.insert((waiting.due_us, waiting.position));
        }
        line.push_back(Placed {
            waiting,
            was_hurried: false,
        });
        self.all.insert(waiting.position, waiting.rollout);
    }

    /// Those that are to be sent now; they are under way from here on.
    pub(crate) fn start(&mut self, now_us: i64) -> Vec<Position> {
        let mut started = Vec::new();
        while self.in_flight.len() < self.patience.in_flight
            && now_us >= self.rest_until_us
            && let Some((due_us, position)) = self.heads.first().copied()
            && due_us <= now_us
        {
            self.heads.pop_first();
            self.in_flight.insert(position);
            started.push(position);
        }
        started
    }

    /// When there is something to send; none: nothing waits but what is under way, or as much as may be.
    pub(crate) fn next_us(&self) -> Option<i64> {
        let (due_us, _) = self.heads.first()?;
        (self.in_flight.len() < self.patience.in_flight).then(|| (*due_us).max(self.rest_until_us))
    }

    /// One has ended, whatever way; the next of its rollout has its turn.
    pub(crate) fn ended(&mut self, position: Position) {
        self.in_flight.remove(&position);
        let Some(rollout) = self.all.remove(&position) else {
            return;
        };
        let Some(line) = self.lines.get_mut(&rollout) else {
            return;
        };
        let Some(at) = line.iter().position(|placed| placed.waiting.position == position) else {
            return;
        };
        let gone = line.remove(at);
        if at > 0 {
            return;
        }
        if let Some(gone) = gone {
            self.heads.remove(&(gone.waiting.due_us, position));
        }
        match line.front() {
            Some(next) => _ = self.heads.insert((next.waiting.due_us, next.waiting.position)),
            None => _ = self.lines.remove(&rollout),
        }
    }

    /// One that was under way waits again, until then.
    pub(crate) fn failed(&mut self, position: Position, due_us: i64) {
        self.in_flight.remove(&position);
        if let Some(placed) = self.first_of(position) {
            placed.waiting.due_us = due_us;
            self.heads.insert((due_us, position));
        }
    }

    /// Nothing is sent before this.
    pub(crate) fn rest(&mut self, until_us: i64) {
        self.rest_until_us = self.rest_until_us.max(until_us);
    }

    /// The receiver has taken something: those that failed before need not wait for their times. Each is hurried once.
    pub(crate) fn is_back(&mut self, now_us: i64) {
        self.hurry(now_us, false);
    }

    /// Somebody has changed the webhook, or asks: whatever waits is sent now.
    pub(crate) fn again(&mut self, now_us: i64) {
        self.rest_until_us = 0;
        self.hurry(now_us, true);
    }

    fn hurry(&mut self, now_us: i64, is_asked: bool) {
        let later = self.heads.range((now_us.saturating_add(1), Position::FIRST)..);
        for (due_us, position) in later.copied().collect::<Vec<_>>() {
            let Some(placed) = self.first_of(position) else {
                continue;
            };
            if placed.was_hurried && !is_asked {
                continue;
            }
            placed.was_hurried = !is_asked;
            placed.waiting.due_us = now_us;
            self.heads.remove(&(due_us, position));
            self.heads.insert((now_us, position));
        }
    }

    /// The oldest of those that are too many, one that is under way aside; none: all have room.
    pub(crate) fn surplus(&self) -> Option<Position> {
        let is_full = self.all.len() > self.patience.waiting;
        let mut idle = self.all.keys().filter(|position| !self.in_flight.contains(position));
        is_full.then(|| idle.next().copied())?
    }

    /// One that is not under way and has waited for as long as one is kept; none: there is none.
    pub(crate) fn overdue(&self, now_us: i64) -> Option<Position> {
        let idle = self.all.keys().find(|position| !self.in_flight.contains(position))?;
        self.patience
            .is_over(self.queued_at_us(*idle)?, now_us)
            .then_some(*idle)
    }

    /// How many wait, those under way included.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Since when the oldest waits.
    pub(crate) fn oldest_us(&self) -> Option<i64> {
        let (position, _) = self.all.first_key_value()?;
        self.queued_at_us(*position)
    }

    fn queued_at_us(&self, position: Position) -> Option<i64> {
        let line = self.lines.get(self.all.get(&position)?)?;
        let placed = line.iter().find(|placed| placed.waiting.position == position)?;
        Some(placed.waiting.queued_at_us)
    }

    /// One that is the first of its line.
    fn first_of(&mut self, position: Position) -> Option<&mut Placed> {
        let line = self.lines.get_mut(self.all.get(&position)?)?;
        line.front_mut().filter(|placed| placed.waiting.position == position)
    }
}

#[cfg(test)]
mod tests;
