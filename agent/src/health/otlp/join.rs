//! Brings what is said together with the request that it is said of, in whatever order the two arrive.
//!
//! The request is the nearest span, from the one that is spoken of up through its parents, that was served or taken
//! from a queue; where there is none, the span at the top of its process. Until a span on that way has come, what is
//! said waits for it; a request that has come is remembered as long, because more may be said of it. The one rule: an
//! evaluation is joined within its process only. Whether a parent is of the same process the spans tell themselves;
//! where they do not, a parent that never came was elsewhere. A judge may sit in another process: what it measured
//! names the span, and from there on it goes the same way.
//!
//! Bounded in number and in time, and blind to everything else: no clock, no snapshot, no name.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::{Duration, Instant},
};

use evaluation::Attributed;

use super::{
    dropped::{Dropped, Tally},
    ended::Ended,
    gen_ai::Measured,
    ids::{Parent, SpanId},
    process::Process,
    request::{Joined, Request},
    span::Span,
};

/// How many parents are asked from one span on.
const DEPTH: usize = 64;

/// What is said of a span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// The span.
    pub(super) of: SpanId,
    /// Who says it.
    pub(super) process: Process,
    /// What.
    pub(super) what: What,
}

/// What can be said.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// That a flag was served.
    Served(Attributed),
    /// A number for a metric.
    Measured(Measured),
}

/// How much is remembered, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Spans.
    pub(super) spans: usize,
    /// Items that wait for a span.
    pub(super) waiting: usize,
    /// Both.
    pub(super) age: Duration,
}

/// What is remembered.
#[derive(Debug)]
pub(super) struct Join {
    limits: Limits,
    spans: HashMap<SpanId, Row>,
    /// The spans, the oldest first.
    order: VecDeque<(Instant, SpanId)>,
    /// What waits, by the span that must come next.
    waiting: HashMap<SpanId, Vec<Waiting>>,
    /// How much waits in all.
    waits: usize,
}

/// A span that has come.
#[derive(Debug)]
struct Row {
    process: Process,
    parent: Parent,
    is_request: bool,
    ended: Ended,
    /// What was joined to it, if anything was.
    request: Option<Box<Request>>,
}

/// An item on its way up.
#[derive(Debug)]
struct Waiting {
    item: Item,
    since: Instant,
    /// The span that it asks next.
    next: SpanId,
    /// The last one that it asked.
    below: Option<Below>,
}

/// A span that is no request.
#[derive(Debug, Clone, Copy)]
struct Below {
    id: SpanId,
    process: Process,
    /// Whether its parent may be in another process.
    is_untold: bool,
}

/// Items that found their request.
type Found = HashMap<SpanId, Vec<What>>;

impl Join {
    /// Remembers nothing yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            spans: HashMap::new(),
            order: VecDeque::new(),
            waiting: HashMap::new(),
            waits: 0,
        }
    }

    /// Takes in one message: all its spans, then what is said. Gives what is joined by that.
    pub(super) fn take(&mut self, spans: Vec<Span>, items: Vec<Item>, now: Instant, tally: &mut Tally) -> Vec<Joined> {
        let mut ready: Vec<Waiting> = Vec::new();
        for span in spans {
            let id = span.id;
            if let Some(said) = self.insert(span, now, tally) {
                ready.extend(said.into_iter().map(|item| Waiting::new(item, now)));
                ready.extend(self.woken(id));
            }
        }
        ready.extend(items.into_iter().map(|item| Waiting::new(item, now)));
        let mut found = Found::new();
        for waiting in ready {
            self.climb(waiting, &mut found, tally);
        }
        self.forget_surplus();
        self.joined(found, tally)
    }

    /// Lets go of what is too old. Gives what is joined by that: what waited for a parent that is elsewhere.
    pub(super) fn expire(&mut self, now: Instant, tally: &mut Tally) -> Vec<Joined> {
        let age = self.limits.age;
        let is_old = |since: Instant| now.saturating_duration_since(since) >= age;
        let mut old = Vec::new();
        self.waiting.retain(|_, waiting| {
            old.extend(waiting.extract_if(.., |waiting| is_old(waiting.since)));
            !waiting.is_empty()
        });
        self.waits -= old.len();
        let mut found = Found::new();
        for waiting in old {
            match waiting.below.filter(|below| below.is_untold) {
                Some(top) => found.entry(top.id).or_default().push(waiting.item.what),
                None => waiting.item.what.drop(Dropped::NoSpan, tally),
            }
        }
        let joined = self.joined(found, tally);
        while self.order.front().is_some_and(|(since, _)| is_old(*since)) {
            self.forget_oldest();
        }
        joined
    }

    /// How many spans are remembered, and how many items wait.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.spans.len(), self.waits)
    }

    /// Remembers a span; gives what it says. None if it came before.
    fn insert(&mut self, span: Span, now: Instant, tally: &mut Tally) -> Option<Vec<Item>> {
        match self.spans.entry(span.id) {
            Entry::Occupied(_) => {
                tally.drop(Dropped::Repeated, 1);
                None
            }
            Entry::Vacant(vacant) => {
                self.order.push_back((now, span.id));
                vacant.insert(Row {
                    process: span.process,
                    parent: span.parent,
                    is_request: span.is_request,
                    ended: span.ended,
                    request: None,
                });
                Some(span.items)
            }
        }
    }

    /// What waited for this span.
    fn woken(&mut self, id: SpanId) -> Vec<Waiting> {
        let woken = self.waiting.remove(&id).unwrap_or_default();
        self.waits -= woken.len();
        woken
    }

    /// Goes up from where it waited, to its request or to the next span that has not come.
    fn climb(&mut self, mut waiting: Waiting, found: &mut Found, tally: &mut Tally) {
        for _ in 0..DEPTH {
            let Some(row) = self.spans.get(&waiting.next) else {
                return self.wait(waiting, tally);
            };
            match (waiting.below, &waiting.item.what) {
                (None, What::Served(_)) if row.process != waiting.item.process => {
                    return waiting.item.what.drop(Dropped::OtherProcess, tally);
                }
                (Some(top), _) if top.is_untold && top.process != row.process => {
                    return found.entry(top.id).or_default().push(waiting.item.what);
                }
                (None | Some(_), What::Served(_) | What::Measured(_)) => {}
            }
            let id = waiting.next;
            let (parent, is_untold) = match row.parent {
                Parent::Here(parent) if !row.is_request => (parent, false),
                Parent::Untold(parent) if !row.is_request => (parent, true),
                Parent::Here(_) | Parent::Untold(_) | Parent::Elsewhere => {
                    return found.entry(id).or_default().push(waiting.item.what);
                }
            };
            waiting.below = Some(Below {
                id,
                process: row.process,
                is_untold,
            });
            waiting.next = id.of_same_trace(parent);
        }
        waiting.item.what.drop(Dropped::TooDeep, tally);
    }

    fn wait(&mut self, waiting: Waiting, tally: &mut Tally) {
        if self.waits >= self.limits.waiting {
            return waiting.item.what.drop(Dropped::Full, tally);
        }
        self.waits += 1;
        self.waiting.entry(waiting.next).or_default().push(waiting);
    }

    /// Joins what found its request, if that is still remembered.
    fn joined(&mut self, found: Found, tally: &mut Tally) -> Vec<Joined> {
        let mut joined = Vec::new();
        for (id, whats) in found {
            let Some(row) = self.spans.get_mut(&id) else {
                whats.iter().for_each(|what| what.drop(Dropped::NoSpan, tally));
                continue;
            };
            let request = row.request.get_or_insert_default();
            joined.extend(request.add(id, &row.ended, whats, tally));
        }
        joined
    }

    fn forget_surplus(&mut self) {
        while self.spans.len() > self.limits.spans {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.spans.remove(&id);
        }
    }
}

impl What {
    /// Its request was not found.
    fn drop(&self, reason: Dropped, tally: &mut Tally) {
        match self {
            Self::Served(attributed) => tally.drop_served(reason, attributed),
            Self::Measured(_) => tally.drop(reason, 1),
        }
    }
}

impl Waiting {
    fn new(item: Item, now: Instant) -> Self {
        Self {
            since: now,
            next: item.of,
            below: None,
            item,
        }
    }
}

#[cfg(test)]
mod tests;
