//! How often the plain rules of a plan trip without cause: rollback criteria, kill conditions, caps on events.
//!
//! They stand beside the budget (guard.md 4e, 4f), so nothing else bounds their false alarms. Odds are upper bounds for
//! independent outcomes; the grounds say what they were worked out from, or why they cannot be.

use super::{
    cost::{lasts, traffic},
    limit,
};
use crate::{
    Micros, Plan,
    catalogue::Kind,
    cost::odds::{Cap, Cumulative, at_least_one},
    criterion::{Comparison, Criterion, Limit, Relation},
    duration,
};

/// Outcomes before which a rollback criterion or a kill condition is not believed.
const MINIMUM: u64 = 100;

/// How often a plain threshold trips without cause during the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdOdds {
    /// Where it stands: `stages[1].rollback[0]`.
    pub field: String,
    /// As written.
    pub criterion: String,
    /// The chance at most, 0 to 1; none: not known.
    pub odds: Option<f64>,
    /// What it was worked out from, or why it cannot be.
    pub grounds: String,
}

/// The odds of each.
pub(super) fn odds(plan: &Plan) -> Vec<ThresholdOdds> {
    let mut all = Vec::new();
    for (position, stage) in plan.stages.iter().enumerate() {
        for (at, written) in stage.rollback.iter().enumerate() {
            let field = format!("stages[{position}].rollback[{at}]");
            all.push(told(plan, field, written, &[position]));
        }
    }
    let everywhere: Vec<usize> = (0..plan.stages.len()).collect();
    for (at, guard) in plan.guards.iter().enumerate() {
        // Events are capped; every other guard has its part of the budget.
        if plan.kind_of(guard.harm.metric.as_str()) == Some(Kind::Count) {
            let written = Criterion::Compare(guard.harm.clone());
            all.push(told(plan, format!("guards[{at}].harm"), &written, &everywhere));
        }
    }
    let kill = plan
        .kill_switch
        .iter()
        .flat_map(|kill| kill.conditions.iter().enumerate());
    for (at, written) in kill {
        all.push(told(
            plan,
            format!("kill_switch.conditions[{at}]"),
            written,
            &everywhere,
        ));
    }
    all
}

fn told(plan: &Plan, field: String, written: &Criterion, stages: &[usize]) -> ThresholdOdds {
    let worked_out = match written {
        Criterion::Compare(comparison) => compared(plan, comparison, stages),
        Criterion::Stable | Criterion::Parity => Err("it has no limit of its own".to_owned()),
    };
    let (odds, grounds) = match worked_out {
        Ok((odds, grounds)) => (Some(odds), grounds),
        Err(grounds) => (None, grounds),
    };
    ThresholdOdds {
        field,
        criterion: written.to_string(),
        odds,
        grounds,
    }
}

fn compared(plan: &Plan, written: &Comparison, stages: &[usize]) -> Result<(f64, String), String> {
    match plan.kind_of(written.metric.as_str()) {
        Some(Kind::Rate) => rate(plan, written, stages),
        Some(Kind::Count) => count(plan, written, stages),
        Some(Kind::Quantile(_)) => Err("how many outcomes are slower than the limit is not known before".to_owned()),
        Some(Kind::Mean) | None => Err("how far values lie apart is not known before they are measured".to_owned()),
        Some(Kind::Gauge) => Err("how a level moves is not known".to_owned()),
    }
}

/// The rate so far, looked at after each outcome of a visit from the minimum on.
fn rate(plan: &Plan, written: &Comparison, stages: &[usize]) -> Result<(f64, String), String> {
    let metric = written.metric.as_str();
    let Some(base) = limit::baseline(plan, written) else {
        return Err(format!("the plan has no baseline value of {metric}"));
    };
    let Some(limit) = limit::fixed(plan, written) else {
        return Err("both arms vary, and a plain comparison with control has no bound; a guard has one".to_owned());
    };
    // What should be high is bad where it is not.
    let (bad_base, bad_limit) = match written.relation {
        Relation::Above | Relation::AtLeast => (base, limit),
        Relation::Below | Relation::AtMost => (1.0 - base, 1.0 - limit),
    };
    let rule = Cumulative {
        limit: bad_limit,
        minimum: MINIMUM,
    };
    let outcomes = |position: &usize| treated(plan, *position).unwrap_or(f64::INFINITY);
    let odds: Vec<f64> = stages
        .iter()
        .map(|position| rule.odds(bad_base, outcomes(position)))
        .collect();
    let how_many = if stages.iter().all(|position| treated(plan, *position).is_some()) {
        let all: f64 = stages.iter().map(outcomes).sum();
        format!("{} treated outcomes", libm::round(all))
    } else {
        "any number of outcomes".to_owned()
    };
    let grounds = format!(
        "at most: baseline {}, {how_many}, looked at after each from {MINIMUM} on",
        percent(base)
    );
    Ok((at_least_one(&odds), grounds))
}

/// Events within a window that slides.
fn count(plan: &Plan, written: &Comparison, stages: &[usize]) -> Result<(f64, String), String> {
    let Limit::Absolute(number) = written.limit else {
        return Err("it is relative to a count that varies as well".to_owned());
    };
    let limit = number.as_f64();
    let most = match written.relation {
        Relation::Above => libm::floor(limit),
        Relation::AtLeast => libm::ceil(limit) - 1.0,
        Relation::Below | Relation::AtMost => return Err("it trips on too few events".to_owned()),
    };
    let (Some(window_us), Some(base)) = (written.window, limit::baseline(plan, written)) else {
        let how = if most < 1.0 {
            "at the first event"
        } else {
            "beyond the cap"
        };
        return Err(format!("trips {how}; how often these come is not known"));
    };
    let lengths: Option<Vec<Micros>> = stages.iter().map(|position| lasts(plan, *position)).collect();
    let Some(length_us) = lengths.map(|lengths| lengths.iter().fold(0, |sum: Micros, us| sum.saturating_add(*us)))
    else {
        return Err("a stage has no end".to_owned());
    };
    let cap = Cap {
        most: most.max(0.0) as u64,
        window_us,
    };
    let grounds = format!(
        "at most: {base} events expected in {}, over {}",
        duration::about(window_us),
        duration::about(length_us)
    );
    Ok((cap.odds(base, length_us), grounds))
}

/// Treated outcomes of a stage; none: not known.
fn treated(plan: &Plan, position: usize) -> Option<f64> {
    let is_known = plan.traffic.requests_per_day > 0 && plan.stages.get(position)?.audience.is_empty();
    is_known.then_some(())?;
    Some(traffic(plan, position).treated_within(lasts(plan, position)?))
}

fn percent(rate: f64) -> String {
    format!("{:.3} %", rate * 100.0)
}
