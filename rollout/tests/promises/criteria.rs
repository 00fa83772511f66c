//! What a gate judges by: its policy, and what the data says of each criterion.

use std::collections::BTreeMap;

use rollout::{
    Act, Facts, HoldReason, Measure, Phase, Plan, Refusal, Transition, Verdict, Wait,
    criterion::{Criterion, Decimal, Estimates, Number, Written},
    gate::{self, Finding, Outcome, Policy},
    judge, measure,
};

use crate::builders::{Rollout, SECOND_US, at, criterion, good, harmful, held, measured, silent};

/// Errors of treatment, in percent.
fn errors(percent: f64) -> Facts {
    measured("error-rate", [Some(percent / 100.0), Some(0.005), Some(0.005)])
}

/// As measured, but on fewer outcomes and units.
fn on_few(mut facts: Facts, outcomes: u64, units: u64) -> Facts {
    for measure in facts.measures.values_mut() {
        (measure.outcomes, measure.units) = (outcomes, units);
    }
    facts
}

/// The first stage soaked, with a policy and criteria.
fn soaked(policy: Policy, success: &[&str]) -> Rollout {
    let success = success.iter().map(|text| criterion(text)).collect();
    let change = |plan: &mut Plan| {
        plan.stages[0].policy = policy;
        plan.stages[0].success = success;
    };
    at(Phase::Soak).with(change).soaked()
}

fn verdict(rollout: &Rollout, facts: &Facts) -> Verdict {
    judge(&rollout.plan, &rollout.state, facts, rollout.now)
}

fn wait_for(finding: Finding) -> Verdict {
    Verdict::Wait(vec![Wait::Criterion { position: 0, finding }])
}

fn inconclusive() -> Verdict {
    Verdict::Hold(vec![HoldReason::Inconclusive])
}

#[test]
fn the_data_says_of_each_criterion_what_it_can() {
    use Finding::{Fails, Holds, NoData, TooFew};
    let second = 1e6;
    let none = [None, None, None];
    let nan = [Some(f64::NAN), Some(1.0), Some(1.0)];
    for (text, metric, estimates, few, expected) in [
        (
            "error-rate < 1 %",
            "error-rate",
            [Some(0.009), None, None],
            false,
            Holds,
        ),
        ("error-rate < 1 %", "error-rate", [Some(0.01), None, None], false, Fails),
        (
            "error-rate <= 1 %",
            "error-rate",
            [Some(0.01), None, None],
            false,
            Holds,
        ),
        (
            "error-rate < 1 %",
            "error-rate",
            [Some(0.009), None, None],
            true,
            TooFew,
        ),
        ("error-rate < 1 %", "error-rate", [Some(0.5), None, None], true, TooFew),
        ("error-rate < 1 %", "error-rate", none, false, NoData),
        ("error-rate < 1 %", "error-rate", none, true, NoData),
        ("error-rate < 1 %", "error-rate", nan, false, NoData),
        ("error-rate < 1 %", "p99", [Some(0.0), None, None], false, NoData),
        (
            "error-rate < 2x control",
            "error-rate",
            [Some(0.01), None, None],
            false,
            NoData,
        ),
        (
            "error-rate < 2x control",
            "error-rate",
            [Some(0.01), Some(0.006), None],
            false,
            Holds,
        ),
        (
            "error-rate < 2x baseline",
            "error-rate",
            [Some(0.01), Some(0.006), None],
            false,
            NoData,
        ),
        (
            "error-rate <= baseline + 0.2 points",
            "error-rate",
            [Some(0.01), None, Some(0.008)],
            false,
            Holds,
        ),
        (
            "error-rate <= baseline + 0.2 points",
            "error-rate",
            [Some(0.0101), None, Some(0.008)],
            false,
            Fails,
        ),
        (
            "p99 < 2x baseline",
            "p99",
            [Some(1.7 * second), None, None],
            false,
            Holds,
        ),
        (
            "p99 < 2x baseline",
            "p99",
            [Some(1.7 * second), None, Some(0.8 * second)],
            false,
            Fails,
        ),
        (
            "revenue >= 95 % of control",
            "revenue",
            [Some(9.4), Some(10.0), None],
            false,
            Fails,
        ),
        (
            "complaints <= 10 in 24h",
            "complaints",
            [Some(10.0), None, None],
            true,
            Holds,
        ),
        (
            "complaints <= 10 in 24h",
            "complaints",
            [Some(11.0), None, None],
            true,
            Fails,
        ),
        ("no critical bugs", "critical-bugs", none, true, NoData),
        ("all metrics stable", "error-rate", [Some(0.5), None, None], true, Holds),
        ("all metrics stable", "p99", [Some(0.5), None, None], false, NoData),
        (
            "parity with control",
            "error-rate",
            [Some(0.01049), Some(0.01), None],
            false,
            Holds,
        ),
        (
            "parity with control",
            "error-rate",
            [Some(0.0106), Some(0.01), None],
            false,
            Fails,
        ),
        (
            "parity with control",
            "error-rate",
            [Some(0.0106), None, None],
            false,
            NoData,
        ),
        (
            "parity with control",
            "revenue",
            [Some(4.2), Some(4.2), None],
            false,
            NoData,
        ),
    ] {
        let mut plan = at(Phase::Soak).plan;
        let known = Number {
            value: Decimal::from_millionths(890_000_000),
            written: Written::Milliseconds,
        };
        plan.baseline.values = BTreeMap::from([("p99".to_owned(), known)]);
        let written = criterion(text);
        let mut facts = match &written {
            Criterion::Compare(comparison) if comparison.metric.as_str() == metric => {
                measured(&measure::subject(&plan, comparison), estimates)
            }
            _ => measured(metric, estimates),
        };
        if few {
            facts = on_few(facts, 99, 50);
        }
        let found = gate::criterion(&plan, &plan.stages[0], &facts, &written);
        assert_eq!(found, expected, "{text} {estimates:?}");
    }
}

#[test]
fn a_minimum_of_units_counts_like_one_of_outcomes() {
    let rollout = soaked(Policy::Observed, &["error-rate < 1 %"]);
    assert_eq!(
        verdict(&rollout, &on_few(errors(0.5), 100, 2)),
        wait_for(Finding::TooFew)
    );
    assert_eq!(verdict(&rollout, &on_few(errors(0.5), 100, 3)), Verdict::Pass);
    let eager = rollout.with(|plan| (plan.stages[0].minimum_outcomes, plan.stages[0].minimum_units) = (0, 0));
    assert_eq!(verdict(&eager, &on_few(errors(0.5), 0, 0)), wait_for(Finding::TooFew));
    assert_eq!(verdict(&eager, &on_few(errors(0.5), 1, 1)), Verdict::Pass);
}

#[test]
fn stable_is_no_evidence_at_the_warn_level() {
    let rollout = soaked(Policy::NoHarm, &["all metrics stable"]);
    let warned = Facts {
        evidence: harmful(20.1).evidence,
        ..errors(0.5)
    };
    assert_eq!(verdict(&rollout, &warned), inconclusive());
    assert_eq!(verdict(&rollout, &errors(0.5)), Verdict::Pass);
}

#[test]
fn each_policy_asks_for_what_it_says() {
    let certified = |certified, percent| Facts {
        certified,
        ..errors(percent)
    };
    let uncertain = Verdict::Wait(vec![Wait::Certificate]);
    let no_traffic = Verdict::Hold(vec![HoldReason::NoTraffic]);
    let warn = Verdict::Wait(vec![Wait::Evidence(rollout::Ladder::Warn)]);
    let written = &["error-rate < 1 %"][..];
    for (policy, success, facts, expected) in [
        (Policy::Dwell, &[][..], silent(), Verdict::Pass),
        (Policy::Dwell, &[][..], harmful(20.1), Verdict::Pass),
        (
            Policy::Dwell,
            &[][..],
            harmful(50.1),
            Verdict::Hold(vec![HoldReason::Evidence]),
        ),
        (Policy::NoHarm, &[][..], good(), Verdict::Pass),
        (Policy::NoHarm, &[][..], silent(), no_traffic.clone()),
        (Policy::NoHarm, &[][..], harmful(20.1), warn),
        (Policy::NoHarm, written, errors(2.0), inconclusive()),
        (Policy::Observed, written, errors(0.5), Verdict::Pass),
        (Policy::Observed, written, errors(2.0), inconclusive()),
        (Policy::Observed, written, good(), wait_for(Finding::NoData)),
        (
            Policy::Observed,
            written,
            Facts {
                arms: silent().arms,
                ..errors(0.5)
            },
            no_traffic,
        ),
        (Policy::Certify, written, certified(Some(true), 0.5), Verdict::Pass),
        (Policy::Certify, written, certified(None, 0.5), uncertain),
        (Policy::Certify, written, certified(Some(false), 0.5), inconclusive()),
        (Policy::Certify, written, certified(Some(true), 2.0), inconclusive()),
    ] {
        let rollout = soaked(policy, success);
        assert_eq!(verdict(&rollout, &facts), expected, "{policy:?} {success:?} {facts:?}");
    }
}

#[test]
fn all_criteria_must_hold() {
    let rollout = soaked(Policy::Observed, &["error-rate < 1 %", "p99 < 1 s"]);
    let second = Verdict::Wait(vec![Wait::Criterion {
        position: 1,
        finding: Finding::NoData,
    }]);
    assert_eq!(verdict(&rollout, &errors(0.5)), second);
    let mut both = errors(0.5);
    let measure = |value| Measure {
        estimates: Estimates {
            treatment: Some(value),
            ..Estimates::default()
        },
        outcomes: 1_000,
        units: 50,
    };
    both.measures.insert("p99".to_owned(), measure(1e6));
    assert_eq!(verdict(&rollout, &both), inconclusive());
    both.measures.insert("p99".to_owned(), measure(9e5));
    assert_eq!(verdict(&rollout, &both), Verdict::Pass);
}

#[test]
fn a_gate_that_fails_extends_as_often_as_it_may_and_then_holds_for_a_person() {
    let mut rollout = soaked(Policy::Observed, &["error-rate < 1 %"]).with(|plan| {
        plan.stages[0].max_extensions = 2;
        plan.stages[0].extension_us = Some(5 * SECOND_US);
    });
    let extended = |times| Transition::Extended {
        by_us: 5 * SECOND_US,
        times,
    };
    assert_eq!(
        rollout.every_second(30, &errors(2.0)),
        [extended(1), extended(2), held(HoldReason::Inconclusive)]
    );
    assert_eq!(rollout.state.dwell_us(&rollout.plan), Some(20 * SECOND_US));
    assert_eq!(rollout.act(Act::Extend(None)), Err(Refusal::Extensions(2)));
    let advanced = Transition::Advanced { from: 0, to: 1 };
    assert_eq!(rollout.every_second(2, &errors(0.5)), [Transition::Resumed, advanced]);
    assert_eq!((rollout.state.extensions, rollout.state.extended_us), (0, 0));
}

#[test]
fn without_data_nothing_is_extended() {
    let mut rollout = soaked(Policy::Observed, &["error-rate < 1 %"]).with(|plan| plan.stages[0].max_extensions = 2);
    assert_eq!(rollout.every_second(60, &good()), [Transition::GateReached]);
    assert_eq!(rollout.after(1, &silent()), Some(held(HoldReason::NoTraffic)));
    assert_eq!(rollout.state.extensions, 0);
}

#[test]
fn a_gate_that_may_not_extend_holds_at_once() {
    let mut rollout = soaked(Policy::Observed, &["error-rate < 1 %"]).with(|plan| {
        plan.stages[0].max_extensions = 2;
        plan.stages[0].outcomes = vec![Outcome::Proceed, Outcome::Hold];
    });
    assert_eq!(rollout.after(1, &errors(2.0)), Some(held(HoldReason::Inconclusive)));
}

#[test]
fn a_gate_that_may_not_proceed_never_does() {
    let mut rollout = soaked(Policy::NoHarm, &[]).with(|plan| plan.stages[0].outcomes = vec![Outcome::Hold]);
    assert_eq!(verdict(&rollout, &good()), Verdict::Wait(vec![Wait::Person]));
    assert_eq!(rollout.every_second(600, &good()), [Transition::GateReached]);
}
