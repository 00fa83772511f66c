//! What a plan will cost: units exposed, and what it takes to find its limits broken or to prove them kept.
//!
//! Samples are treated requests as in [`crate::cost`]; times are for the traffic that the plan writes, in the mean of a
//! day. The bake is time of the last stage.

use super::{
    Unknown,
    limit::{self, Judged, Limited},
};
use crate::{
    DAY_US, Micros, Plan, Stage, Transition,
    catalogue::Kind,
    cost::{
        Harm, Samples, Test, Traffic, certify,
        means::{self, Shift},
        samples,
    },
    gate::Policy,
    simulate::{Walk, Walked},
};

/// What a stage exposes.
#[derive(Debug, Clone, PartialEq)]
pub struct StageCost {
    /// Its name.
    pub stage: String,
    /// When it is entered, if all goes well; none: never.
    pub from_us: Option<Micros>,
    /// When its gate is passed; none: never.
    pub until_us: Option<Micros>,
    /// Different units in a day that get the treatment, by the percentages of everybody; over a longer stage at least
    /// as many.
    pub units: Option<u64>,
    /// Requests of these while it lasts.
    pub requests: Option<u64>,
    /// Why one of them cannot be said.
    pub unknown: Option<Unknown>,
}

/// What a limit needs in a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitCost {
    /// The limit, as written.
    pub limit: String,
    /// Name of the stage.
    pub stage: String,
    /// What is to be shown.
    pub purpose: Purpose,
    /// Treated requests that any honest test needs.
    pub bound: Option<f64>,
    /// Treated requests that ours needs, with the price of the whole plan.
    pub ours: Option<f64>,
    /// How long that takes.
    pub time_us: Option<Micros>,
    /// Whether it is done within the stage's dwell (the last stage's: and the bake).
    pub within_dwell: bool,
    /// Why one of them cannot be said.
    pub unknown: Option<Unknown>,
}

/// What is to be shown about a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// That so many times the limit is found; for a limit from below, so many parts of it.
    Times(f64),
    /// That it is kept.
    Certify,
}

impl Purpose {
    /// As the wire writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Times(_) => "times-limit",
            Self::Certify => "certify",
        }
    }
}

/// What each stage exposes.
pub(super) fn stages(plan: &Plan, walk: &Walk) -> Vec<StageCost> {
    (0..plan.stages.len())
        .map(|position| stage(plan, walk, position))
        .collect()
}

fn stage(plan: &Plan, walk: &Walk, position: usize) -> StageCost {
    let (from_us, until_us) = (entered(walk, position), left(walk, position));
    let here = &plan.stages[position];
    // Nobody leaves, so what earlier stages gave to everybody stays given.
    let for_all = |at: &usize| plan.stages[*at].audience.is_empty() && !plan.stages[*at].shadow;
    let share = (0..=position)
        .filter(for_all)
        .map(|at| plan.wanted(at))
        .max()
        .unwrap_or_default();
    let is_unknown = !here.audience.is_empty() && !here.shadow;
    let sized = |per_day: u64| {
        if is_unknown {
            return Err(Unknown::Audience);
        }
        if per_day == 0 {
            return Err(Unknown::Traffic);
        }
        Ok(per_day as f64 * share.fraction())
    };
    let units = sized(plan.traffic.units_per_day);
    let requests = sized(plan.traffic.requests_per_day).and_then(|per_day| {
        let from = from_us.ok_or(Unknown::Unreached)?;
        let until = until_us.ok_or(Unknown::Endless)?;
        Ok(per_day * (until - from) as f64 / DAY_US as f64)
    });
    StageCost {
        stage: here.name.clone(),
        from_us,
        until_us,
        units: units.ok().map(rounded),
        requests: requests.ok().map(rounded),
        unknown: units.err().or(requests.err()),
    }
}

/// Never negative, and far below 2^64.
fn rounded(count: f64) -> u64 {
    libm::round(count) as u64
}

pub(super) fn entered(walk: &Walk, position: usize) -> Option<Micros> {
    let enters = |made: &&Walked| {
        let starts = position == 0 && made.transition == Transition::Started;
        starts || matches!(made.transition, Transition::Advanced { to, .. } if to == position)
    };
    walk.transitions.iter().find(enters).map(|made| made.at_us)
}

pub(super) fn left(walk: &Walk, position: usize) -> Option<Micros> {
    let leaves = |made: &&Walked| {
        let passes_last = matches!(made.transition, Transition::BakeStarted | Transition::Completed);
        let advances = matches!(made.transition, Transition::Advanced { from, .. } if from == position);
        advances || (passes_last && made.stage == position)
    };
    walk.transitions.iter().find(leaves).map(|made| made.at_us)
}

/// What each limit needs in each stage that it is judged in.
pub(super) fn limits(plan: &Plan) -> Vec<LimitCost> {
    let mut costs = Vec::new();
    for limited in limit::all(plan) {
        for position in 0..plan.stages.len() {
            // In shadow the control is served: there is no harm to find.
            if plan.stages[position].shadow || limited.stage.is_some_and(|own| own != position) {
                continue;
            }
            let judged = limited.judged(plan, position);
            for times in samples::TOLD_HARMS {
                let found = judged.and_then(|judged| detected(plan, &limited, position, judged, times));
                costs.push(told(plan, &limited, position, Purpose::Times(times), judged, found));
            }
            let proved = judged.and_then(|judged| certified(plan, &limited, judged));
            costs.push(told(plan, &limited, position, Purpose::Certify, judged, proved));
        }
    }
    costs
}

fn detected(plan: &Plan, limited: &Limited<'_>, stage: usize, judged: Judged, times: f64) -> Result<Samples, Unknown> {
    let price = limited.price(plan, stage, judged.test);
    if !limited.is_upper {
        // A rate is the mean of ones and noughts.
        let shift = Shift {
            times: 1.0 / times,
            variation: libm::sqrt((1.0 - judged.limit).max(0.0) / judged.limit),
        };
        return means::detect(judged.test, shift, price).ok_or(Unknown::Spread);
    }
    let harm = Harm {
        base: judged.base.unwrap_or(judged.limit),
        limit: judged.limit,
        times,
    };
    if harm.rate() >= 1.0 {
        return Err(Unknown::MoreThanAll);
    }
    samples::detect(judged.test, harm, price).ok_or(Unknown::WithinMargin)
}

fn certified(plan: &Plan, limited: &Limited<'_>, judged: Judged) -> Result<Samples, Unknown> {
    let kind = plan.kind_of(limited.written.metric.as_str());
    let unknown = match kind {
        Some(Kind::Quantile(_)) => Unknown::Distribution,
        Some(Kind::Rate | Kind::Mean | Kind::Count | Kind::Gauge) | None => Unknown::NoBaseline,
    };
    let base = judged.base.ok_or(unknown)?;
    let gates = plan
        .stages
        .iter()
        .filter(|stage| stage.policy == Policy::Certify)
        .count();
    let beta = plan.beta / gates.max(1) as f64;
    // What should be high is bad where it is not.
    let bad = |rate: f64| if limited.is_upper { rate } else { 1.0 - rate };
    let claim = certify::Claim {
        rate: bad(base),
        limit: bad(judged.limit),
        control: judged
            .test
            .share()
            .map(|share| certify::Control { rate: bad(base), share }),
    };
    certify::certify(claim, beta).ok_or(Unknown::AtLimit)
}

/// Samples with the time that they take.
fn told(
    plan: &Plan,
    limited: &Limited<'_>,
    position: usize,
    purpose: Purpose,
    judged: Result<Judged, Unknown>,
    samples: Result<Samples, Unknown>,
) -> LimitCost {
    let stage = &plan.stages[position];
    let time = samples.and_then(|samples| time(plan, stage, position, samples));
    // Units count anew in each horizon, so that what takes longer than one is not found by them.
    let counts_anew = |judged: Judged| matches!((judged.test, purpose), (Test::Unit { .. }, Purpose::Times(_)));
    let time = match (time, judged.is_ok_and(counts_anew)) {
        (Ok(time_us), true) if time_us > DAY_US => Err(Unknown::DayTooShort),
        (time, _) => time,
    };
    LimitCost {
        limit: limited.written.to_string(),
        stage: stage.name.clone(),
        purpose,
        bound: samples.ok().map(|samples| samples.bound),
        ours: samples.ok().map(|samples| samples.ours),
        time_us: time.ok(),
        within_dwell: time.is_ok_and(|time| lasts(plan, position).is_none_or(|lasts| time <= lasts)),
        unknown: time.err(),
    }
}

fn time(plan: &Plan, stage: &Stage, position: usize, samples: Samples) -> Result<Micros, Unknown> {
    if !stage.audience.is_empty() {
        return Err(Unknown::Audience);
    }
    traffic(plan, position).time_for(samples.ours).ok_or(Unknown::Traffic)
}

/// What reaches a stage for everybody.
pub(super) fn traffic(plan: &Plan, position: usize) -> Traffic {
    Traffic {
        requests_per_day: plan.traffic.requests_per_day as f64,
        audience: 1.0,
        share: plan.wanted(position).fraction(),
    }
}

/// How long a stage is judged: its dwell, and the bake if it is the last; none: without an end.
pub(super) fn lasts(plan: &Plan, position: usize) -> Option<Micros> {
    let dwell_us = plan.stages.get(position)?.dwell.finite_us()?;
    let bake_us = if position + 1 == plan.stages.len() {
        plan.bake_us
    } else {
        0
    };
    Some(dwell_us.saturating_add(bake_us))
}
