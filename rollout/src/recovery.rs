//! Recovery: whether what harmed is well again once treatment is gone.
//!
//! An abort takes treatment away; what it broke (a cache, a queue, data) may stay broken. So after an abort by evidence
//! everybody is measured as one arm for a while, and what the culprit guard compares is held against a **bar**. Where the
//! limit is a number, that is the bar. Where it is so many times another rate (of a control that is there no longer, of a
//! captured baseline), the bar is the limit as it stood at the decision and a fifth of what treatment was beyond it, for
//! that rate was an estimate too. Within the bar over the last ten minutes, on the minimum of a threshold (guard.md 4f: 100
//! outcomes of 3 units), it has **recovered**; if it has not after half an hour, that is said.
//!
//! What goes well is heard of at once, what hangs only when it is given up for lost. So the reading begins once that time
//! is over: then both come at the rate at which they happen.

use crate::{
    Micros,
    alarm::BELIEVED,
    evidence::limit::Side,
    guards::Test,
    measure::{Counted, Recent},
    shown::Look,
};

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

/// What is measured since treatment is gone.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// What is counted.
    pub counted: &'a [Counted],
    /// What came of it lately.
    pub recent: &'a Recent,
    /// Since when it is.
    pub began: Micros,
    /// When an outcome that has not come is lost.
    pub lost_after: Micros,
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
        } => (metric, rule.harm, is_complement, true),
        Test::Absolute {
            metric,
            rule,
            is_complement,
        } => (metric, rule.harm, is_complement, false),
        Test::Cap { .. } | Test::Level => return None,
    };
    Some(Bar {
        metric,
        is_complement,
        side,
        value: if is_relative { eased(limit, harmed, side) } else { limit },
        harmed,
    })
}

/// A limit and a fifth of what was beyond it. Nothing may be: units are compared, and what is shown counts requests.
fn eased(limit: f64, harmed: f64, side: Side) -> f64 {
    let beyond = match side {
        Side::Above => (harmed - limit).max(0.0),
        Side::Below => (harmed - limit).min(0.0),
    };
    limit + LEFT * beyond
}

impl Bar {
    /// What is read of the last minutes of a watch, of what it counts; none without data.
    pub fn read(&self, watch: &Watch<'_>, now: Micros) -> Option<Reading> {
        let heard_us = watch.began.saturating_add(watch.lost_after);
        let slot = watch.recent.since(self.metric, heard_us, now);
        let counted = watch.counted.get(usize::from(self.metric)).filter(|_| slot.den > 0)?;
        let part = slot.num as f64 / slot.den as f64 / counted.counting.scale();
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
    use crate::{
        Plan,
        evidence::arm::Buckets,
        measure::{self, Counting, Per},
    };

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

    /// A watch of the error rate since time 0.
    fn read(bar: &Bar, recent: &Recent, lost_after: Micros, now: Micros) -> Option<Reading> {
        let counted = measure::counted(&Plan::new("plan", "flag"));
        let watch = Watch {
            counted: &counted,
            recent,
            began: 0,
            lost_after,
        };
        bar.read(&watch, now)
    }

    #[test]
    fn a_mean_is_read_in_its_own_unit() {
        let counting = Counting::Sum {
            value: "revenue".to_owned(),
            minimum: 0,
            maximum: i64::MAX,
            per: Per::Value,
        };
        let metric = "revenue".to_owned();
        let (mut buckets, mut recent) = (Buckets::new(), Recent::default());
        (0..3).for_each(|unit| buckets.add(unit, 50 * 4_200_000, 50));
        recent.add(0, &buckets, 0);
        let watch = Watch {
            counted: &[Counted { metric, counting }],
            recent: &recent,
            began: 0,
            lost_after: 0,
        };
        let bar = Bar {
            side: Side::Below,
            value: 4.0,
            ..BAR
        };
        let reading = bar.read(&watch, 0);
        assert_eq!(reading.map(|reading| reading.value), Some(4.2));
        assert_eq!(bar.judge(reading, 0, 1), Some(Outcome::Recovered));
    }

    #[test]
    fn it_has_recovered_within_the_bar_on_enough_data_and_is_given_up_after_half_an_hour() {
        let judged = |bad, all, now| {
            let recent = recent(bad, all);
            BAR.judge(read(&BAR, &recent, 0, 0), 0, now)
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
    fn the_bar_is_eased_by_a_fifth_of_the_harm_and_never_tightened() {
        for (limit, harmed, side, expected) in [
            (0.02, 0.12, Side::Above, 0.04),
            (0.02, 0.01, Side::Above, 0.02),
            (0.9, 0.4, Side::Below, 0.8),
            (0.9, 0.95, Side::Below, 0.9),
        ] {
            assert!(
                (eased(limit, harmed, side) - expected).abs() < 1e-12,
                "{limit} {harmed}"
            );
        }
    }

    #[test]
    fn what_was_heard_before_the_lost_could_be_known_is_not_read() {
        let patience = 30_000_000;
        let mut recent = recent(0, 1_000);
        assert_eq!(read(&BAR, &recent, patience, patience), None);
        let mut buckets = Buckets::new();
        buckets.add(1, 40, 100);
        recent.add(0, &buckets, patience);
        let reading = read(&BAR, &recent, patience, patience).map(|reading| (reading.value, reading.outcomes));
        assert_eq!(reading, Some((0.4, 100)));
    }

    #[test]
    fn of_what_must_not_fall_less_is_harm() {
        let bar = Bar {
            side: Side::Below,
            is_complement: true,
            value: 0.95,
            ..BAR
        };
        let judged = |lost| bar.judge(read(&bar, &recent(lost, 1_000), 0, 0), 0, 1);
        assert_eq!(judged(40), Some(Outcome::Recovered));
        assert_eq!(judged(60), None);
    }
}
