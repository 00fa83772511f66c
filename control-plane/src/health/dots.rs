//! The dots of a ledger's frames: which were taken of each reporter, and which of these are not sealed yet.
//!
//! A reporter is looked up once for a frame. The rule: a dot that was taken is known for good, and it is open until it is
//! sealed with all dots of its span and of those before.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    frames::Reporter,
    marks::{self, Mark, Marks},
};

/// Frames of one reporter that may wait for a seal.
pub(super) const OPEN_LIMIT: usize = 4_096;

/// What the frames of one batch have in common: their horizon, and the slot of time of their last tick (`ledger::slot`),
/// since limits may be compared by the hour, and what came late is not of the last minutes.
pub(super) type Span = (u32, i64);

/// The dots of one rollout.
#[derive(Debug, Default)]
pub(super) struct Dots {
    reporters: HashMap<Reporter, Heard>,
    /// Those with open dots, in the order in which they came.
    awaited: Vec<Reporter>,
    /// The most open dots of one reporter since the last seal.
    most_open: usize,
}

/// What was taken of one reporter.
#[derive(Debug, Default)]
struct Heard {
    /// Of all frames, sealed or not.
    mark: Mark,
    /// Those that are not sealed.
    open: Vec<(Span, u64)>,
}

/// What became of a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is open.
    New,
    /// It was taken before.
    Known,
    /// There is no room for it; nothing changed.
    Full,
}

/// The dots of one reporter that a seal closes.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) reporter: Reporter,
    /// Ascending.
    pub(super) sequences: Vec<u64>,
    /// Of all its frames, if none of them is open any more.
    pub(super) mark: Option<Mark>,
}

impl Dots {
    /// After a start: what is durable was taken.
    pub(super) fn of(durable: &Marks) -> Self {
        let heard = |mark: &Mark| Heard {
            mark: *mark,
            open: Vec::new(),
        };
        let reporters = durable.iter().map(|(reporter, mark)| (reporter.clone(), heard(mark)));
        Self {
            reporters: reporters.collect(),
            ..Self::default()
        }
    }

    /// Takes the dot of a frame of a span.
    pub(super) fn take(&mut self, reporter: &Reporter, span: Span, sequence: u64, now_us: i64) -> Taken {
        let is_full = self.reporters.len() >= marks::REPORTERS_LIMIT;
        let heard = match self.reporters.get_mut(reporter) {
            Some(heard) => heard,
            None if is_full => return Taken::Full,
            None => self.reporters.entry(reporter.clone()).or_default(),
        };
        if heard.open.len() >= OPEN_LIMIT {
            return Taken::Full;
        }
        heard.mark.close_gap(now_us);
        if !heard.mark.take(sequence, now_us) {
            return Taken::Known;
        }
        if heard.open.is_empty() {
            self.awaited.push(reporter.clone());
        }
        heard.open.push((span, sequence));
        self.most_open = self.most_open.max(heard.open.len());
        Taken::New
    }

    /// Whether none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.awaited.is_empty()
    }

    /// The most open dots of one reporter since the last seal.
    pub(super) fn most_open(&self) -> usize {
        self.most_open
    }

    /// Whether a reporter has open dots.
    pub(super) fn is_awaited_by(&self, reporter: &Reporter) -> bool {
        self.reporters.get(reporter).is_some_and(|heard| !heard.open.is_empty())
    }

    /// Everybody with open dots.
    pub(super) fn awaited_by(&self) -> impl Iterator<Item = &Reporter> {
        self.awaited.iter()
    }

    /// Closes the dots up to a span, or all, ordered by reporter.
    pub(super) fn close(&mut self, until: Option<Span>) -> Vec<Closed> {
        let mut closed = Vec::with_capacity(self.awaited.len());
        let mut awaited = std::mem::take(&mut self.awaited);
        awaited.sort_unstable();
        self.most_open = 0;
        for reporter in awaited {
            let Entry::Occupied(mut held) = self.reporters.entry(reporter) else {
                continue;
            };
            let heard = held.get_mut();
            let is_closed = |span: Span| until.is_none_or(|until| span <= until);
            let mut sequences = Vec::with_capacity(heard.open.len());
            heard.open.retain(|(span, sequence)| {
                if is_closed(*span) {
                    sequences.push(*sequence);
                }
                !is_closed(*span)
            });
            sequences.sort_unstable();
            let mark = heard.open.is_empty().then_some(heard.mark);
            self.most_open = self.most_open.max(heard.open.len());
            let reporter = held.key().clone();
            if mark.is_none() {
                self.awaited.push(reporter.clone());
            }
            if !sequences.is_empty() {
                closed.push(Closed {
                    reporter,
                    sequences,
                    mark,
                });
            }
        }
        closed
    }

    /// Forgets reporters that were last heard before a time and have nothing open.
    pub(super) fn forget_before(&mut self, time_us: i64) {
        self.reporters
            .retain(|_, heard| heard.mark.seen_at_us() >= time_us || !heard.open.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reporter(agent: &str) -> Reporter {
        Reporter {
            agent: agent.into(),
            epoch: 1,
        }
    }

    #[test]
    fn a_dot_is_new_once_whatever_span_it_comes_with_again() {
        let mut dots = Dots::default();
        assert_eq!(dots.take(&reporter("a"), (1, 0), 1, 0), Taken::New);
        assert_eq!(dots.take(&reporter("a"), (2, 0), 1, 0), Taken::Known);
        assert_eq!(dots.close(None).len(), 1);
        assert_eq!(dots.take(&reporter("a"), (1, 0), 1, 0), Taken::Known, "sealed or not");
    }

    #[test]
    fn a_seal_closes_its_span_and_those_before_and_no_later_one() {
        let mut dots = Dots::default();
        for (agent, span, sequence) in [("b", (1, 8), 2), ("a", (1, 9), 1), ("b", (2, 7), 3), ("b", (1, 7), 1)] {
            assert_eq!(dots.take(&reporter(agent), span, sequence, 0), Taken::New);
        }
        let closed = dots.close(Some((1, 8)));
        let told = |closed: &[Closed]| -> Vec<_> {
            let told = closed.iter();
            told.map(|closed| {
                let contiguous = closed.mark.map(|mark| mark.contiguous());
                (closed.reporter.agent.to_string(), closed.sequences.clone(), contiguous)
            })
            .collect()
        };
        assert_eq!(told(&closed), [("b".to_owned(), vec![1, 2], None)]);
        assert!(dots.is_awaited_by(&reporter("b")) && dots.awaited_by().count() == 2);
        let rest = dots.close(None);
        let expected = [("a".to_owned(), vec![1], Some(1)), ("b".to_owned(), vec![3], Some(3))];
        assert_eq!(told(&rest), expected);
        assert!(dots.is_empty() && dots.most_open() == 0);
    }

    #[test]
    fn a_reporter_with_too_many_open_dots_waits_and_others_do_not() {
        let mut dots = Dots::default();
        for sequence in 1..=OPEN_LIMIT as u64 {
            assert_eq!(dots.take(&reporter("a"), (1, 0), sequence, 0), Taken::New);
        }
        assert_eq!(dots.most_open(), OPEN_LIMIT);
        assert_eq!(dots.take(&reporter("a"), (1, 0), OPEN_LIMIT as u64 + 1, 0), Taken::Full);
        assert_eq!(dots.take(&reporter("b"), (1, 0), 1, 0), Taken::New);
        dots.close(None);
        assert_eq!(dots.take(&reporter("a"), (1, 0), OPEN_LIMIT as u64 + 1, 0), Taken::New);
    }
}
