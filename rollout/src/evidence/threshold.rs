//! A plain threshold: a value, an operator, a limit (guard.md 4f).
//!
//! It knows nothing of chance, so it is never part of the budget, and it never fires on a minimum of data that was not
//! written down. Its odds of firing without cause are worked out beforehand and shown. Kill conditions are thresholds.

use super::limit::Kind;

/// How a value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Fires above the limit.
    Above,
    /// Fires at the limit and above.
    AtLeast,
    /// Fires below the limit.
    Below,
    /// Fires at the limit and below.
    AtMost,
}

/// Over which data the value is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// Everything since the stage was entered.
    Cumulative,
    /// The last so many intervals.
    Window(u32),
}

/// What was seen in an interval, or in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The sum of the numerators, as stored.
    pub num: i128,
    /// The sum of the denominators: outcomes.
    pub den: u64,
    /// Units that are certainly in it. Several intervals have at least the units of the fullest.
    pub units: u64,
}

/// The rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// What the sums are.
    pub kind: Kind,
    /// How the value is compared.
    pub operator: Operator,
    /// With what.
    pub limit: f64,
    /// Over which data.
    pub span: Span,
    /// Below so many outcomes it says nothing.
    pub minimum_outcomes: u64,
    /// Below so many units it says nothing.
    pub minimum_units: u64,
    /// It fires when so many looks in a row were beyond the limit; 0 is read as 1.
    pub consecutive: u32,
}

/// The looks in a row that were beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Streak(pub u32);

impl Operator {
    /// Whether this value is beyond the limit. No number never is.
    pub fn is_beyond(self, value: f64, limit: f64) -> bool {
        match self {
            Operator::Above => value > limit,
            Operator::AtLeast => value >= limit,
            Operator::Below => value < limit,
            Operator::AtMost => value <= limit,
        }
    }
}

impl Seen {
    /// Both together.
    pub fn and(self, other: Seen) -> Seen {
        Seen {
            num: self.num.saturating_add(other.num),
            den: self.den.saturating_add(other.den),
            units: self.units.max(other.units),
        }
    }
}

impl Threshold {
    /// Outcomes that a kill condition waits for unless told otherwise.
    pub const KILL_OUTCOMES: u64 = 100;
    /// Units that a kill condition waits for unless told otherwise.
    pub const KILL_UNITS: u64 = 3;

    /// What of these intervals, oldest first, a look takes into account.
    pub fn look(&self, intervals: &[Seen]) -> Seen {
        let from = match self.span {
            Span::Cumulative => 0,
            Span::Window(length) => intervals.len().saturating_sub(length as usize),
        };
        intervals[from..]
            .iter()
            .fold(Seen::default(), |sum, seen| sum.and(*seen))
    }

    /// Whether a look is beyond the limit; none if it saw too little to say.
    pub fn is_beyond(&self, seen: &Seen) -> Option<bool> {
        let is_enough = seen.den >= self.minimum_outcomes.max(1) && seen.units >= self.minimum_units;
        let value = seen.num as f64 / self.kind.denominator() / seen.den as f64;
        is_enough.then(|| self.operator.is_beyond(value, self.limit))
    }

    /// The streak after a look. One that saw too little ends it: what is not known is not beyond.
    pub fn next(&self, streak: Streak, seen: &Seen) -> Streak {
        match self.is_beyond(seen) {
            Some(true) => Streak(streak.0.saturating_add(1)),
            Some(false) | None => Streak::default(),
        }
    }

    /// Whether the rule fires after this streak.
    pub fn fires(&self, streak: Streak) -> bool {
        streak.0 >= self.consecutive.max(1)
    }

    /// The chance that a rate with this true value fires within `looks` looks of `outcomes` each, if looks share no
    /// data and outcomes do not cluster: with users who repeat themselves it is more. None for means, whose spread is
    /// not known beforehand.
    pub fn odds(&self, truth: f64, outcomes: u64, looks: u32) -> Option<f64> {
        match self.kind {
            Kind::Mean => None,
            Kind::Rate if outcomes < self.minimum_outcomes => Some(0.0),
            Kind::Rate => Some(chance_of_run(
                self.chance(truth, outcomes),
                self.consecutive.max(1),
                looks,
            )),
        }
    }

    /// The chance that one look is beyond the limit: the binomial distribution, term by term.
    fn chance(&self, truth: f64, outcomes: u64) -> f64 {
        if truth.is_nan() || truth <= 0.0 || truth >= 1.0 {
            return f64::from(u8::from(self.operator.is_beyond(truth, self.limit)));
        }
        let (trials, step) = (outcomes as f64, libm::log(truth) - libm::log1p(-truth));
        let mut log_term = trials * libm::log1p(-truth);
        let mut sum = 0.0;
        for bad in 0..=outcomes {
            if self.operator.is_beyond(bad as f64 / trials, self.limit) {
                sum += libm::exp(log_term);
            }
            log_term += libm::log((outcomes - bad) as f64 / (bad as f64 + 1.0)) + step;
        }
        sum.min(1.0)
    }
}

/// The chance that `looks` looks hold `length` in a row that are beyond, each with `chance`.
fn chance_of_run(chance: f64, length: u32, looks: u32) -> f64 {
    // The chance of each streak so far, without a run; the run itself is what is missing from the sum.
    let mut streaks = vec![0.0; length as usize];
    streaks[0] = 1.0;
    let mut run = 0.0;
    for _ in 0..looks {
        let (mut broken, mut carried) = (0.0, 0.0);
        for streak in &mut streaks {
            broken += *streak * (1.0 - chance);
            carried = std::mem::replace(streak, carried) * chance;
        }
        run += carried;
        streaks[0] = broken;
    }
    run
}

#[cfg(test)]
mod tests;
