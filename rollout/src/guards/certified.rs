//! Whether the criteria of a stage are proved to hold (guard.md 6): the tests of harm, turned round.

use super::{Seen, Test, Tests, horizons, tests_of};
use crate::{
    Guard, Level, Plan, State,
    criterion::{Comparison, Criterion, Relation},
    evidence::{
        certify::{self, Certification, SampledUnits},
        limit::{Kind, Limit, Rule, Side},
    },
    gate::Policy,
};

/// Whether every criterion of the current stage is proved to hold, where its gate asks for that; none where it does not,
/// or before anything is known. A criterion that is no comparison, or that no test can prove, is never proved.
pub fn certified(plan: &Plan, state: &State, seen: &Seen<'_>) -> Option<bool> {
    let stage = plan
        .stages
        .get(state.stage)
        .filter(|stage| stage.policy == Policy::Certify)?;
    let gates = plan
        .stages
        .iter()
        .filter(|stage| stage.policy == Policy::Certify)
        .count();
    let beta = certify::share_of(plan.beta, gates);
    let visit = state.visits.last()?;
    let key = (visit.stage as u8, visit.visit);
    let units = sampled(seen, key);
    let mut is_known = false;
    let mut is_safe = true;
    for written in &stage.success {
        let rule = match written {
            Criterion::Compare(comparison) => rule_of(plan, seen, comparison, stage.share.is_compared()),
            Criterion::Stable | Criterion::Parity => None,
        };
        let Some((metric, rule, is_complement)) = rule else {
            is_safe = false;
            continue;
        };
        let strata = horizons::strata(plan, seen, metric, key, is_complement);
        let found = certify::certify(&rule, &strata, units, beta);
        is_known |= !matches!(found, Certification::Silent);
        is_safe &= matches!(found, Certification::Safe(_));
    }
    is_known.then_some(is_safe)
}

/// The rule whose breach a criterion excludes: its number, the rule, and whether it is of what is left.
fn rule_of(plan: &Plan, seen: &Seen<'_>, comparison: &Comparison, is_compared: bool) -> Option<(u16, Rule, bool)> {
    let harm = Comparison {
        relation: match comparison.relation {
            Relation::Below => Relation::AtLeast,
            Relation::AtMost => Relation::Above,
            Relation::Above => Relation::AtMost,
            Relation::AtLeast => Relation::Below,
        },
        ..comparison.clone()
    };
    let guard = Guard {
        harm,
        level: Level::Warn,
        weight: 1.0,
        except: Vec::new(),
    };
    let tests: Tests = tests_of(plan, seen.counted, &guard).ok()?;
    match tests.at(is_compared)? {
        Test::Split { metric, ratio } => {
            let rule = Rule {
                kind: Kind::Rate,
                limit: Limit::Relative(ratio),
                harm: Side::Above,
            };
            Some((metric, rule, false))
        }
        Test::Relative {
            metric,
            rule,
            is_complement,
        }
        | Test::Absolute {
            metric,
            rule,
            is_complement,
        } => Some((metric, rule, is_complement)),
        Test::Cap { .. } | Test::Level => None,
    }
}

fn sampled(seen: &Seen<'_>, key: (u8, u32)) -> SampledUnits {
    let strata = seen.sampled.range((key, 0)..=(key, u8::MAX));
    let mut units = SampledUnits {
        treatment: 0,
        control: 0,
    };
    for (_, counts) in strata {
        units.treatment += counts.treatment;
        units.control += counts.control;
    }
    units
}
