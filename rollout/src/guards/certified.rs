//! Whether the criteria of a stage are proved to hold (guard.md 6): the tests of harm, turned round.

use super::{Compared, Seen, Test, Tests, tests_of};
use crate::{
    Guard, Level, Plan, State,
    criterion::{Comparison, Criterion, Relation},
    evidence::{
        certify::{self, Certification, SampledUnits, UNITS_PER_SAMPLE},
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
        let test = match written {
            Criterion::Compare(comparison) => test_of(plan, seen, comparison, stage.share.is_compared()),
            Criterion::Stable | Criterion::Parity => None,
        };
        let compared = test.and_then(|test| Compared::of(plan, seen, &test, key));
        let Some(compared) = compared else {
            is_safe = false;
            continue;
        };
        let units = SampledUnits {
            control: if compared.is_of_baseline() {
                plan.baseline.captured.units / UNITS_PER_SAMPLE
            } else {
                units.control
            },
            ..units
        };
        let found = certify::certify(&compared.rule, &compared.strata, units, beta);
        is_known |= !matches!(found, Certification::Silent);
        is_safe &= matches!(found, Certification::Safe(_));
    }
    is_known.then_some(is_safe)
}

/// The test of the breach that a criterion excludes.
fn test_of(plan: &Plan, seen: &Seen<'_>, comparison: &Comparison, is_compared: bool) -> Option<Test> {
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
    let test = tests.at(is_compared)?;
    Some(match test {
        Test::Split { metric, ratio } => Test::Relative {
            metric,
            rule: Rule {
                kind: Kind::Rate,
                limit: Limit::Relative(ratio),
                harm: Side::Above,
            },
            is_complement: false,
        },
        Test::Relative { .. } | Test::Baseline { .. } | Test::Absolute { .. } | Test::Cap { .. } | Test::Level => test,
    })
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
