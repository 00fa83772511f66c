//! The invariants of the state machine (guard.md 8), each in a test that has its number.
//!
//! What needs a store, several replicas or agents (parts of 2, 4, 5 and 10) is shown where those are; what holds for
//! every rollout is among the laws.

use rollout::{
    AbortCause, Act, Delivery, Facts, HoldReason, Phase, Plan, Refusal, Stage, State, Transition, Verdict, Wait,
    catalogue::{Direction, Kind, OwnDefinition, Unit},
    duration::Dwell,
    evidence::request::{BatchCounts, Onset},
    judge,
    state::List,
};

use crate::builders::{
    HASH, Rollout, at, criterion, delivered, good, harmful, held, latched, measured, of_stages, off, plan, silent,
    stage, window,
};

const LIVE: [Phase; 6] = [
    Phase::Ramp,
    Phase::Soak,
    Phase::Gate,
    Phase::Held,
    Phase::Paused,
    Phase::Baking,
];

#[test]
fn invariant_1_overdue_stages_are_never_folded() {
    let eager = |name: &str, share: f64| Stage {
        dwell: Dwell::For(0),
        ..stage(name, share)
    };
    let mut rollout = Rollout::start(of_stages(vec![
        eager("one", 1.0),
        eager("two", 2.0),
        eager("all", 100.0),
    ]));
    for (from, to) in [(0, 1), (1, 2)] {
        assert_eq!(rollout.after(864_000, &good()), Some(Transition::ClockStarted));
        assert_eq!(rollout.after(864_000, &good()), Some(Transition::Advanced { from, to }));
    }
}

#[test]
fn invariant_1_nobody_leaves_a_union_of_audiences() {
    let staff = Stage {
        audience: vec!["staff".to_owned()],
        ..stage("staff", 100.0)
    };
    let mut rollout = Rollout::start(of_stages(vec![stage("ten", 10.0), staff, stage("all", 100.0)]));
    let mut shares = vec![rollout.plan.deployed(rollout.state.stage)];
    for _ in 0..60 {
        rollout.after(1, &good());
        shares.push(rollout.plan.deployed(rollout.state.stage));
    }
    assert!(shares.is_sorted());
    shares.dedup();
    let expected = [10.0, 100.0].map(crate::builders::share);
    assert_eq!(shares, expected);
}

#[test]
fn invariant_2_nothing_clears_an_abort() {
    let tick = Act::Tick {
        list: List::Exit,
        item: "seen".to_owned(),
        done: true,
    };
    let close = Act::CloseIssue {
        number: 1,
        resolution: "mended".to_owned(),
    };
    let acts = [
        Act::Submit,
        Act::Approve,
        Act::Start,
        Act::Pause,
        Act::Resume,
        Act::Advance,
        Act::Hold,
        Act::Fix,
        Act::Extend(None),
        Act::StepBack(0),
        Act::RollBack,
        Act::Abort,
        Act::Trigger("data-loss".to_owned()),
        tick,
        Act::AddIssue("it blinks".to_owned()),
        close,
        Act::Dismiss {
            reason: HoldReason::Evidence,
            guard: None,
            why: "it is no harm".to_owned(),
        },
        Act::Acknowledge,
        Act::Complete,
        Act::Supersede,
        Act::Archive,
    ];
    for phase in [Phase::Aborting, Phase::Aborted] {
        for act in &acts {
            let mut rollout = at(phase);
            // Whether it is refused or not, and though the facts have forgotten the latch.
            let _ = rollout.act(act.clone());
            rollout.every_second(100, &good());
            assert_eq!(rollout.phase(), Phase::Aborted, "{act:?}");
            assert!(rollout.state.is_withdrawn());
        }
        let rollout = at(phase);
        let rebased = rollout::rebase(&rollout.plan, &rollout.plan, &rollout.state, HASH, rollout.now);
        assert!(rebased.is_err());
    }
}

#[test]
fn invariant_2_a_retry_has_fresh_evidence_and_void_approvals() {
    let retry = State::draft(HASH, 0);
    assert!(retry.visits.is_empty() && retry.horizons.is_empty() && retry.desk.approvals.is_empty());
    assert_eq!((retry.stage, retry.sequence, retry.highest_visited()), (0, 0, None));
}

#[test]
fn invariant_3_harm_is_evaluated_in_every_state_before_all_else() {
    let blind = |facts: Facts| Facts {
        fresh: false,
        resumed: true,
        arms: silent().arms,
        delivery: Delivery::default(),
        off: true,
        ..facts
    };
    let closed = |plan: &mut Plan| {
        plan.freezes = [("for-ever".to_owned(), window("2020-01-01..2099-12-31 UTC"))].into();
        plan.stages[0].approvals = 9;
        plan.stages[0].minimum_outcomes = 1_000_000_000;
        plan.stages[0].dwell = Dwell::Permanent;
    };
    for phase in LIVE {
        for facts in [latched(), harmful(100.1), blind(latched()), blind(harmful(100.1))] {
            let mut rollout = at(phase).with(closed);
            let happened = rollout.after(0, &facts);
            assert!(
                matches!(happened, Some(Transition::Aborted(_))),
                "{phase:?} {happened:?}"
            );
        }
    }
    let mut waiting = at(Phase::AwaitingStart).with(closed);
    assert_eq!(
        waiting.after(0, &blind(latched())),
        Some(Transition::Aborted(AbortCause::Person))
    );
}

#[test]
fn invariant_4_a_clock_starts_when_99_percent_have_applied_and_an_abort_is_said_when_all_have_it_on_disk() {
    let mut rollout = at(Phase::Ramp);
    assert_eq!(rollout.every_second(60, &delivered(1_000, 989)), []);
    assert_eq!(rollout.state.soaked_us, 0);
    assert_eq!(rollout.after(1, &delivered(1_000, 990)), Some(Transition::ClockStarted));
    assert_eq!(
        rollout.after(1, &latched()),
        Some(Transition::Aborted(AbortCause::Person))
    );
    let persisted = |persisted| Facts {
        delivery: Delivery {
            live: 1_000,
            applied: 1_000,
            persisted,
        },
        ..good()
    };
    assert_eq!(rollout.every_second(60, &persisted(999)), []);
    assert_eq!(rollout.after(1, &persisted(1_000)), Some(Transition::AbortDelivered));
}

#[test]
fn invariant_6_a_new_leader_makes_no_transition_but_abort_before_fresh_data() {
    let blind = |facts: Facts| Facts {
        resumed: true,
        fresh: false,
        ..facts
    };
    let bad = measured("error-rate", [Some(0.5), None, None]);
    for phase in [Phase::AwaitingStart].into_iter().chain(LIVE) {
        let mut rollout = at(phase).with(|plan| plan.stages[0].rollback = vec![criterion("error-rate > 1 %")]);
        let soaked_us = rollout.state.soaked_us;
        for facts in [good(), silent(), off(), bad.clone(), delivered(0, 0)] {
            assert_eq!(rollout.after(100_000, &blind(facts)), None, "{phase:?}");
        }
        assert_eq!(rollout.state.soaked_us, soaked_us, "{phase:?}");
        let happened = rollout.after(1, &blind(latched()));
        assert!(matches!(happened, Some(Transition::Aborted(_))), "{phase:?}");
    }
}

#[test]
fn invariant_6_soak_accrues_only_on_fresh_data_and_acknowledged_exposure() {
    let unseen = Facts {
        resumed: true,
        ..good()
    };
    let stale = Facts { fresh: false, ..good() };
    for facts in [unseen, stale, delivered(10, 9), off(), harmful(60.0)] {
        for phase in [Phase::Soak, Phase::Gate, Phase::Baking] {
            let mut rollout = at(phase).with(|plan| plan.stages[0].approvals = 1);
            let soaked_us = rollout.state.soaked_us;
            rollout.after(2, &facts);
            assert_eq!(rollout.state.soaked_us, soaked_us, "{phase:?} {facts:?}");
        }
    }
    for phase in [Phase::Ramp, Phase::Paused, Phase::Held] {
        let mut rollout = at(phase);
        let soaked_us = rollout.state.soaked_us;
        rollout.after(4, &good());
        assert_eq!(rollout.state.soaked_us, soaked_us, "{phase:?}");
    }
}

#[test]
fn invariant_7_no_data_holds_for_four_different_reasons() {
    let stale = Facts { fresh: false, ..good() };
    let mut one_armed = good();
    one_armed.arms.treatment = silent().arms.treatment;
    let mut reasons = Vec::new();
    for (facts, reason) in [
        (delivered(0, 0), HoldReason::NoAgents),
        (silent(), HoldReason::NoTraffic),
        (one_armed, HoldReason::NoTreatmentTraffic),
        (stale, HoldReason::Stale),
    ] {
        let mut rollout = at(Phase::Soak).soaked();
        rollout.every_second(100, &facts);
        assert_eq!(rollout.state.holds, [reason]);
        assert_eq!(rollout.state.stage, 0);
        reasons.push(reason.name());
    }
    assert_eq!(reasons, ["no-agents", "no-traffic", "no-treatment-traffic", "stale"]);
}

#[test]
fn invariant_8_precedence_is_total() {
    let mut rollout = at(Phase::Soak).soaked().with(|plan| {
        plan.stages[0].rollback = vec![criterion("p99 > 1 s")];
        plan.stages[0].success = vec![criterion("p95 < 1 s")];
        plan.stages[0].approvals = 1;
    });
    rollout.state.desk.held = true;
    let mut facts = Facts {
        off: true,
        latched: true,
        ..harmful(60.0)
    };
    let slow = measured("p99", [Some(2e6), None, None]).measures.remove("p99").unwrap();
    facts.measures = [("p99".to_owned(), slow), ("p95".to_owned(), slow)].into();
    let mut said = |facts: &Facts, held: bool| {
        rollout.state.desk.held = held;
        judge(&rollout.plan, &rollout.state, facts, rollout.now)
    };
    assert_eq!(said(&facts, true), Verdict::Abort(AbortCause::Person));
    facts.latched = false;
    assert!(matches!(said(&facts, true), Verdict::RollBack(_)));
    facts.measures.remove("p99");
    let all = vec![HoldReason::FlagOff, HoldReason::Person, HoldReason::Evidence];
    assert_eq!(said(&facts, true), Verdict::Hold(all));
    (facts.off, facts.evidence) = (false, None);
    assert_eq!(said(&facts, true), Verdict::Hold(vec![HoldReason::Person]));
    assert_eq!(said(&facts, false), Verdict::Hold(vec![HoldReason::Inconclusive]));
    facts.measures = measured("p95", [Some(1e5), None, None]).measures;
    assert_eq!(
        said(&facts, false),
        Verdict::Wait(vec![Wait::Approvals { have: 0, need: 1 }])
    );
    rollout.plan.stages[0].approvals = 0;
    assert_eq!(judge(&rollout.plan, &rollout.state, &facts, rollout.now), Verdict::Pass);
}

#[test]
fn invariant_8_an_empty_evaluation_passes_nothing() {
    for phase in LIVE {
        let rollout = at(phase).soaked();
        let verdict = judge(&rollout.plan, &rollout.state, &Facts::default(), rollout.now);
        assert!(matches!(verdict, Verdict::Hold(_)), "{phase:?} {verdict:?}");
    }
}

#[test]
fn invariant_9_every_act_is_one_transition_and_approvals_are_for_a_stage_and_a_plan() {
    let mut rollout = at(Phase::Gate);
    let sequence = rollout.state.sequence;
    assert_eq!(
        rollout.act_on(Act::Approve, "bob", &good()),
        Ok(Transition::Approved(Some(0)))
    );
    assert_eq!(rollout.state.sequence, sequence + 1);
    let given = rollout.state.desk.approvals[0].clone();
    assert_eq!(
        (given.stage, given.plan_hash, given.by.as_str(), given.at_us),
        (Some(0), HASH, "bob", rollout.now)
    );
    assert_eq!(
        (
            rollout.state.desk.approved(Some(0)),
            rollout.state.desk.approved(Some(1))
        ),
        (1, 0)
    );
    assert_eq!(rollout.state.desk.approved(None), 0);
    let refused = rollout.act(Act::Submit);
    assert!(matches!(refused, Err(Refusal::Phase { .. })));
    assert_eq!(rollout.state.sequence, sequence + 1);
}

#[test]
fn invariant_10_what_was_not_started_has_a_deadline_and_what_ended_has_none() {
    for phase in Phase::ALL {
        let rollout = at(phase);
        let deadline = rollout.deadline(&silent());
        let waits_for_agents = phase == Phase::Aborting;
        assert_eq!(deadline.is_none(), phase.is_final() || waits_for_agents, "{phase:?}");
        assert!(deadline.is_none_or(|deadline| deadline >= rollout.now));
    }
}

#[test]
fn invariant_10_a_baking_rollout_yields_to_the_next() {
    assert_eq!(at(Phase::Baking).act(Act::Supersede), Ok(Transition::Superseded));
}

#[test]
fn invariant_11_what_can_never_be_judged_is_refused() {
    let with = |text: &str| {
        let mut plan = plan();
        plan.stages[0].success = vec![criterion(text)];
        plan
    };
    let mut unreachable = plan();
    unreachable.stages[0].minimum_units = 262_145;
    for (plan, field, part) in [
        (with("error-rat < 1 %"), "stages[0].success[0]", "error-rate"),
        (with("error-rate < 1 s"), "stages[0].success[0]", "1 s"),
        (with("error-rate > 101 %"), "stages[0].success[0]", "101 %"),
        (with("complaints > 10 in 39s"), "stages[0].success[0]", "40"),
        (unreachable, "stages[0].minimum_units", "262144"),
    ] {
        let found = plan.violations();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].field, field);
        assert!(found[0].description.contains(part), "{}", found[0].description);
    }
    let own = OwnDefinition {
        key: "cart-size".to_owned(),
        kind: Kind::Mean,
        unit: Unit::Count,
        better: Direction::Higher,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: None,
    };
    let mut plan = with("cart-size >= 3");
    assert_eq!(plan.violations().len(), 1);
    plan.metrics = vec![own];
    assert_eq!(plan.violations(), []);
}

#[test]
fn invariant_12_equal_batches_give_equal_evidence_to_the_last_bit() {
    let evidence = || {
        let mut onset = Onset::new();
        let batches = (0..500).map(|batch: u64| BatchCounts {
            n_t: 40 + batch % 7,
            k_t: batch % 3,
            n_c: 300 + batch % 11,
            k_c: batch % 5,
        });
        let all: Vec<u64> = batches
            .map(|batch| {
                onset.update(50, &[batch, batch], 1.3);
                onset.log_e(50).to_bits()
            })
            .collect();
        all
    };
    assert_eq!(evidence(), evidence());
    let led = || {
        let mut rollout = at(Phase::Ramp);
        for facts in [good(), silent(), harmful(60.0), good(), off(), good()] {
            rollout.every_second(7, &facts);
        }
        (rollout.state, rollout.happened)
    };
    assert_eq!(led(), led());
    assert_eq!(led().1.first(), Some(&Transition::ClockStarted));
    assert!(led().1.contains(&held(HoldReason::Evidence)));
}
