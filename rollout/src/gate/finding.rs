//! What the data says of one written criterion: that it holds, that it does not, or that nothing can be said.

use crate::{
    Facts, Ladder, Plan, Stage,
    catalogue::Kind,
    criterion::{self, Comparison, Criterion, Estimates},
    facts::Measure,
    measure::{self, subject},
    verdict,
};

/// What the data says of one criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Nothing is measured.
    NoData,
    /// Too little is measured to say.
    TooFew,
    /// It holds.
    Holds,
    /// It does not.
    Fails,
}

impl Finding {
    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Finding::NoData => "no data",
            Finding::TooFew => "too few units",
            Finding::Holds => "holds",
            Finding::Fails => "does not hold",
        }
    }
}

/// What the data of the current visit says of a criterion of a stage.
///
/// A point estimate counts from the stage's minimum of outcomes and units on; a count of events has no minimum.
pub fn criterion(plan: &Plan, stage: &Stage, facts: &Facts, written: &Criterion) -> Finding {
    let minimum = Minimum {
        outcomes: stage.minimum_outcomes.max(1),
        units: stage.minimum_units.max(1),
    };
    on_minimum(plan, minimum, facts, written)
}

/// A minimum of data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minimum {
    /// Of outcomes.
    pub(crate) outcomes: u64,
    /// Of units.
    pub(crate) units: u64,
}

/// What the data says of a criterion on a minimum of data.
pub(crate) fn on_minimum(plan: &Plan, minimum: Minimum, facts: &Facts, written: &Criterion) -> Finding {
    match written {
        Criterion::Compare(comparison) => compared(plan, minimum, facts, comparison),
        Criterion::Stable => stable(plan, facts),
        Criterion::Parity => parity(plan, facts),
    }
}

fn compared(plan: &Plan, minimum: Minimum, facts: &Facts, comparison: &Comparison) -> Finding {
    let Some(measure) = facts.measures.get(&subject(plan, comparison)) else {
        return Finding::NoData;
    };
    let Some(holds) = criterion::holds(comparison, &with_baseline(plan, comparison.metric.as_str(), measure)) else {
        return Finding::NoData;
    };
    if !counts_events(plan, comparison) && !suffices(minimum, measure) {
        return Finding::TooFew;
    }
    if holds { Finding::Holds } else { Finding::Fails }
}

/// No guard shows anything at the warn level, and every guard has data.
fn stable(plan: &Plan, facts: &Facts) -> Finding {
    if verdict::ladder(plan, facts) != Ladder::None {
        return Finding::Fails;
    }
    let is_measured = |harm: &Comparison| {
        let measure = facts.measures.get(&subject(plan, harm));
        measure.is_some_and(|measure| measure.estimates.treatment.is_some())
    };
    if plan.guards.iter().all(|guard| is_measured(&guard.harm)) {
        Finding::Holds
    } else {
        Finding::NoData
    }
}

/// Every metric that can be compared is on a par, and both arms have it.
fn parity(plan: &Plan, facts: &Facts) -> Finding {
    let guarded = plan.guards.iter().map(|guard| guard.harm.metric.as_str());
    let named = guarded.chain(plan.observed.iter().map(String::as_str));
    let judged: Vec<Option<bool>> = named
        .filter(|metric| is_compared(plan, metric))
        .map(|metric| criterion::parity(&facts.measures.get(metric)?.estimates))
        .collect();
    if judged.contains(&Some(false)) {
        Finding::Fails
    } else if judged.is_empty() || judged.contains(&None) {
        Finding::NoData
    } else {
        Finding::Holds
    }
}

/// Whether both arms have a number of a metric: not of events, of levels from outside, of quantiles of values.
fn is_compared(plan: &Plan, metric: &str) -> bool {
    match plan.kind_of(metric) {
        Some(Kind::Rate | Kind::Mean) => true,
        Some(Kind::Quantile(_)) => measure::is_of_durations(plan, metric),
        Some(Kind::Count | Kind::Gauge) | None => false,
    }
}

/// The estimates, with the baseline that the plan writes where none was captured.
fn with_baseline(plan: &Plan, metric: &str, measure: &Measure) -> Estimates {
    let mut estimates = measure.estimates;
    if estimates.baseline.is_none() {
        estimates.baseline = plan.baseline.values.get(metric).map(|value| value.as_f64());
    }
    estimates
}

fn suffices(minimum: Minimum, measure: &Measure) -> bool {
    measure.outcomes >= minimum.outcomes && measure.units >= minimum.units
}

fn counts_events(plan: &Plan, comparison: &Comparison) -> bool {
    plan.kind_of(comparison.metric.as_str()) == Some(Kind::Count)
}
