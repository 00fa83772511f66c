//! Recovery: whether what harmed is well again once treatment is gone.
//!
//! An abort takes treatment away; what it broke (a cache, a queue, data) may stay broken. So after an abort by evidence
//! everybody is measured as one arm for a while, and what the culprit guard compares is held against a **bar**. Where the
//! limit is a number, that is the bar. Where it is relative to a control that is there no longer, the bar is the limit as it
//! stood at the decision and a fifth of what treatment was beyond it, for control's rate was an estimate too. Within the
//! bar over the last ten minutes, on the minimum of a threshold (guard.md 4f: 100 outcomes of 3 units), it has
//! **recovered**; if it has not after half an hour, that is said.

use crate::{Micros, alarm::BELIEVED, evidence::limit::Side, guards::Test, measure::Recent, shown::Look};

/// How long it is watched.
pub const WATCHED_US: Micros = 30 * 60 * 1_000_000;
/// How much of what treatment was beyond a relative limit may be left.
const LEFT: f64 = 0.2;

/// What must be reached for the harm to be gone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Number of the counting that is read.
    pub metric: u16,
    /// Whether what is left of the counted numerator is read.
    pub is_complement: bool,
    /// On which side of the bar harm is.
    pub side: Side,
    /// The bar: a fraction or a mean, as the guard compares it.
    pub value: f64,
    /// What treatment was at the decision.
    pub harmed: f64,
}

/// What was read since.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// A fraction or a mean.
    pub value: f64,
    /// Outcomes that it rests on.
    pub outcomes: u64,
    /// About how many units; 64 at most.
    pub units: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Within the bar.
    Recovered,
    /// Beyond it to the end.
    NotRecovered,
    /// Too little was measured to say.
    NoData,
    /// The next rollout of the flag began before it was known.
    Superseded,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Recovered, Self::NotRecovered, Self::NoData, Self::Superseded];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::NotRecovered => "not-recovered",
            Self::NoData => "no-data",
            Self::Superseded => "superseded",
        }
    }
}

/// The bar of a guard, by its position, as it stands at the decision. None: nothing that it compares can be read later
/// (events in a window, a level from outside), or nothing is known of it.
pub fn bar(look: &Look<'_>, guard: usize) -> Option<Bar> {
    let shown = look.guard(guard, None);
    let (harmed, limit) = (shown.treatment?, shown.limit?);
    let (metric, side, is_complement, is_relative) = match look.test_of(guard)? {
        Test::Split { metric, .. } => (metric, Side::Above, false, true),
        Test::Relative {
            metric,
            rule,
            is_complement,
        } => (metric, rule.harm, is_complement, true),
        Test::Baseline {
            metric,
            rule,
            is_complement,
            by_hour: _,
        }
        | Test::Absolute {
            metric,
            rule,
            is_complement,
        } => (metric, rule.harm, is_complement, false),
        Test::Cap { .. } | Test::Level => return None,
    };
    let slack = if is_relative { LEFT * (harmed - limit) } else { 0.0 };
    Some(Bar {
        metric,
        is_complement,
        side,
        value: limit + slack,
        harmed,
    })
}

impl Bar {
    /// What is read of the last minutes, and not from before a time; none without data.
    pub fn read(&self, recent: &Recent, since: Micros, now: Micros) -> Option<Reading> {
        let slot = recent.since(self.metric, since, now);
        if slot.den == 0 {
            return None;
        }
        let part = slot.num as f64 / slot.den as f64;
        Some(Reading {
            value: if self.is_complement { 1.0 - part } else { part },
            outcomes: slot.den,
            units: u64::from(slot.units.count_ones()),
        })
    }

    /// What has come of it; none while it must be watched on. `decided_us` is when the abort was decided.
    pub fn judge(&self, reading: Option<Reading>, decided_us: Micros, now: Micros) -> Option<Outcome> {
        let believed = reading
            .filter(|reading| reading.outcomes >= BELIEVED.outcomes && reading.units >= BELIEVED.units)
            .map(|reading| reading.value);
        let is_well = believed.map(|value| match self.side {
            Side::Above => value <= self.value,
            Side::Below => value >= self.value,
        });
        let is_over = now.saturating_sub(decided_us) >= WATCHED_US;
        match is_well {
            Some(true) => Some(Outcome::Recovered),
            Some(false) if is_over => Some(Outcome::NotRecovered),
            None if is_over => Some(Outcome::NoData),
            Some(false) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::arm::Buckets;

    const BAR: Bar = Bar {
        metric: 0,
        is_complement: false,
        side: Side::Above,
        value: 0.02,
        harmed: 0.1,
    };

    fn recent(bad: i64, all: u64) -> Recent {
        let mut buckets = Buckets::new();
        buckets.add(1, bad, all - 2);
        buckets.add(9, 0, 1);
        buckets.add(10, 0, 1);
        let mut recent = Recent::default();
        recent.add(0, &buckets, 0);
        recent
    }

    #[test]
    fn it_has_recovered_within_the_bar_on_enough_data_and_is_given_up_after_half_an_hour() {
        let judged = |bad, all, now| {
            let recent = recent(bad, all);
            BAR.judge(BAR.read(&recent, 0, 0), 0, now)
        };
        for (bad, all, now, expected) in [
            (2, 100, 1, Some(Outcome::Recovered)),
            (3, 100, 1, None),
            (0, 99, 1, None),
            (3, 100, WATCHED_US, Some(Outcome::NotRecovered)),
            (0, 99, WATCHED_US, Some(Outcome::NoData)),
        ] {
            assert_eq!(judged(bad, all, now), expected, "{bad} of {all} at {now}");
        }
        assert_eq!(BAR.judge(None, 0, WATCHED_US), Some(Outcome::NoData));
    }

    #[test]
    fn of_what_must_not_fall_less_is_harm() {
        let bar = Bar {
            side: Side::Below,
            is_complement: true,
            value: 0.95,
            ..BAR
        };
        let judged = |lost| bar.judge(bar.read(&recent(lost, 1_000), 0, 0), 0, 1);
        assert_eq!(judged(40), Some(Outcome::Recovered));
        assert_eq!(judged(60), None);
    }
}
