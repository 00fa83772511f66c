//! A person can dismiss a signal, not a latch: what a dismissal ends, how long it lasts, and what it never touches.

use rollout::{
    AbortCause, Act, Concerns, EvidenceNumber, Facts, Guard, HoldReason, Ladder, Level, Phase, Refusal, Signal,
    Transition, Undismissed, Wait, gate::Policy, waits,
};

use crate::builders::{Rollout, at, criterion, delivered, evidence, good, harmful, held, latched, measured, off};

const WHY: &str = "a known batch job";

fn dismiss(reason: HoldReason, guard: Option<usize>) -> Act {
    Act::Dismiss {
        reason,
        guard,
        why: WHY.to_owned(),
    }
}

/// A guard of level hold has evidence of this size, and every number is known by itself.
fn slower(number: f64) -> Facts {
    let number = EvidenceNumber {
        guard: 1,
        horizon: 1,
        log_evidence: number.ln(),
        is_doubted: false,
    };
    Facts {
        concerns: Concerns {
            hold: Some(number),
            numbers: vec![number],
            ..Concerns::default()
        },
        ..good()
    }
}

/// The data raises a signal of the guard of level hold.
fn raising(reason: HoldReason, guard: Option<usize>, size: Option<f64>) -> Facts {
    let signal = Signal {
        guard,
        log_size: size.map(f64::ln),
        ..Signal::bare(reason)
    };
    let is_early = reason == HoldReason::Early;
    Facts {
        concerns: Concerns {
            holds: if is_early { Vec::new() } else { vec![reason] },
            is_early,
            signals: vec![signal],
            ..Concerns::default()
        },
        ..good()
    }
}

/// A rollout with a guard that may abort and one that may hold.
fn guarded(phase: Phase) -> Rollout {
    at(phase).with(|plan| plan.guards = vec![Guard::no_worse_than_control(), Guard::slower_than_control()])
}

fn dismissed(rollout: &mut Rollout, act: Act, facts: &Facts) -> Vec<(HoldReason, Option<usize>)> {
    match rollout.act_on(act, "ann", facts) {
        Ok(Transition::Dismissed(dismissals)) => dismissals.iter().map(|one| (one.reason, one.guard)).collect(),
        other => panic!("{other:?}"),
    }
}

fn refused(rollout: &mut Rollout, act: Act, facts: &Facts) -> Vec<Undismissed> {
    match rollout.act_on(act, "ann", facts) {
        Err(Refusal::Dismissal(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dismissed_hold_lets_the_clock_run_and_the_gate_open() {
    for (facts, reason, guard) in [
        (slower(60.0), HoldReason::Evidence, Some(1)),
        (harmful(60.0), HoldReason::Evidence, Some(0)),
        (
            raising(HoldReason::Rule, Some(1), Some(11.0)),
            HoldReason::Rule,
            Some(1),
        ),
        (
            raising(HoldReason::Incident, Some(0), None),
            HoldReason::Incident,
            Some(0),
        ),
        (
            raising(HoldReason::SampleRatio, None, Some(60.0)),
            HoldReason::SampleRatio,
            None,
        ),
    ] {
        let mut rollout = guarded(Phase::Soak);
        assert_eq!(rollout.after(1, &facts), Some(held(reason)));
        assert_eq!(rollout.every_second(20, &facts), [], "the clock stands");
        assert_eq!(
            dismissed(&mut rollout, dismiss(reason, None), &facts),
            [(reason, guard)]
        );
        let made = rollout.every_second(12, &facts);
        let on = [
            Transition::Resumed,
            Transition::Advanced { from: 0, to: 1 },
            // The next visit is judged anew.
            held(reason),
        ];
        assert_eq!(made, on, "{reason:?}");
    }
}

#[test]
fn a_dismissed_estimate_that_is_early_and_a_gate_that_says_no_are_judged_by_the_person() {
    let early = raising(HoldReason::Early, Some(1), None);
    let mut rollout = guarded(Phase::Soak).soaked();
    assert_eq!(rollout.after(1, &early), Some(held(HoldReason::Early)));
    dismissed(&mut rollout, dismiss(HoldReason::Early, Some(1)), &early);
    let on = [Transition::Resumed, Transition::Advanced { from: 0, to: 1 }];
    assert_eq!(rollout.every_second(2, &early), on);
    for policy in [Policy::Observed, Policy::NoHarm] {
        let failing = measured("error-rate", [Some(0.03), None, None]);
        let mut rollout = guarded(Phase::Soak).soaked().with(|plan| {
            plan.stages[0].policy = policy;
            plan.stages[0].success = vec![criterion("error-rate < 1 %")];
        });
        assert_eq!(rollout.after(1, &failing), Some(held(HoldReason::Inconclusive)));
        dismissed(&mut rollout, dismiss(HoldReason::Inconclusive, None), &failing);
        assert_eq!(rollout.every_second(2, &failing), on);
    }
}

#[test]
fn a_criterion_that_fails_later_is_not_dismissed_with_another() {
    let both = |first, second| Facts {
        measures: [
            measured("error-rate", [Some(first), None, None]),
            measured("score", [Some(second), None, None]),
        ]
        .into_iter()
        .flat_map(|facts| facts.measures)
        .collect(),
        ..good()
    };
    let mut rollout = guarded(Phase::Soak).soaked().with(|plan| {
        plan.stages[0].policy = Policy::Observed;
        plan.stages[0].success = vec![criterion("error-rate < 1 %"), criterion("score > 0.9")];
        // The gate waits for a person, so that what fails later is before it.
        plan.stages[0].approvals = 1;
    });
    let first = both(0.03, 0.95);
    assert_eq!(rollout.after(1, &first), Some(held(HoldReason::Inconclusive)));
    let act = dismiss(HoldReason::Inconclusive, None);
    dismissed(&mut rollout, act.clone(), &first);
    assert_eq!(rollout.after(1, &first), Some(Transition::Resumed));
    let later = both(0.03, 0.5);
    assert_eq!(rollout.every_second(2, &later), vec![held(HoldReason::Inconclusive)]);
    let left = waits(&rollout.plan, &rollout.state, &later, rollout.now);
    let failing = |wait: &Wait| matches!(wait, Wait::Criterion { position: 1, .. });
    assert!(left.iter().any(failing), "{left:?}");
    assert_eq!(
        dismissed(&mut rollout, act, &later).len(),
        1,
        "the one that nobody has judged"
    );
    assert_eq!(rollout.after(1, &later), Some(Transition::Resumed));
}

#[test]
fn a_criterion_without_data_and_a_proof_that_is_asked_for_are_not_dismissed() {
    let failing = measured("error-rate", [Some(0.03), None, None]);
    let with = |criteria: &[&str], policy| {
        guarded(Phase::Soak).soaked().with(|plan| {
            plan.stages[0].policy = policy;
            plan.stages[0].success = criteria.iter().map(|text| criterion(text)).collect();
        })
    };
    let mut rollout = with(&["error-rate < 1 %", "p99 < 1 s"], Policy::Observed);
    rollout.after(1, &failing);
    dismissed(&mut rollout, dismiss(HoldReason::Inconclusive, None), &failing);
    rollout.every_second(5, &failing);
    assert_eq!(rollout.state.stage, 0);
    let left = waits(&rollout.plan, &rollout.state, &failing, rollout.now);
    assert!(
        matches!(left.as_slice(), [Wait::Criterion { position: 1, .. }]),
        "{left:?}"
    );
    let mut proved = with(&["error-rate < 1 %"], Policy::Certify);
    let unproved = Facts {
        certified: Some(false),
        ..failing
    };
    assert_eq!(proved.after(1, &unproved), Some(held(HoldReason::Inconclusive)));
    let why = refused(&mut proved, dismiss(HoldReason::Inconclusive, None), &unproved);
    assert_eq!(why, [Undismissed::Proof]);
}

#[test]
fn a_dismissed_hold_comes_back_when_there_is_as_much_evidence_again() {
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &slower(60.0));
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(60.0));
    assert_eq!(rollout.after(1, &slower(61.0)), Some(Transition::Resumed));
    assert_eq!(rollout.after(1, &slower(3_599.0)), None);
    assert_eq!(rollout.after(1, &slower(3_601.0)), Some(held(HoldReason::Evidence)));
    // A person may judge again, of what there is now.
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(3_601.0));
    assert_eq!(rollout.after(1, &slower(12e6)), Some(Transition::Resumed));
    assert_eq!(rollout.after(1, &slower(13e6)), Some(held(HoldReason::Evidence)));
}

#[test]
fn a_warning_that_was_dismissed_holds_once_it_is_enough_to_hold() {
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &slower(25.0));
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(25.0));
    assert_eq!(rollout.after(1, &slower(49.0)), None);
    assert_eq!(rollout.after(1, &slower(51.0)), Some(held(HoldReason::Evidence)));
}

#[test]
fn a_harm_that_is_there_to_stay_is_judged_a_few_times_and_not_every_minute() {
    let mut rollout = guarded(Phase::Soak);
    let mut judged = 0;
    // The evidence doubles every second, for half an hour.
    for second in 1..=1_800_u32 {
        let number = EvidenceNumber {
            guard: 1,
            horizon: 1,
            is_doubted: false,
            log_evidence: f64::from(second) * std::f64::consts::LN_2,
        };
        let facts = Facts {
            concerns: Concerns {
                hold: Some(number),
                numbers: vec![number],
                ..Concerns::default()
            },
            ..good()
        };
        if rollout.after(1, &facts) == Some(held(HoldReason::Evidence)) {
            dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &facts);
            judged += 1;
        }
    }
    assert!((2..=10).contains(&judged), "{judged}");
}

#[test]
fn a_dismissed_cap_comes_back_when_its_events_have_doubled() {
    let counted = |events| raising(HoldReason::Rule, Some(1), Some(events));
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &counted(11.0));
    dismissed(&mut rollout, dismiss(HoldReason::Rule, None), &counted(11.0));
    assert_eq!(rollout.after(1, &counted(21.0)), Some(Transition::Resumed));
    assert_eq!(rollout.after(1, &counted(22.0)), Some(held(HoldReason::Rule)));
}

#[test]
fn a_dismissal_is_for_one_visit() {
    let mut rollout = guarded(Phase::Soak).soaked();
    rollout.after(1, &slower(60.0));
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(60.0));
    rollout.every_second(2, &slower(60.0));
    assert_eq!((rollout.state.stage, rollout.state.desk.dismissals.len()), (1, 0));
    assert_eq!(
        rollout.after(1, &slower(60.0)),
        Some(held(HoldReason::Evidence)),
        "another stage"
    );
    let mut last = guarded(Phase::Soak).with(|plan| plan.stages.truncate(1)).soaked();
    last.after(1, &slower(60.0));
    dismissed(&mut last, dismiss(HoldReason::Evidence, None), &slower(60.0));
    let made = last.every_second(3, &slower(60.0));
    let expected = [Transition::Resumed, Transition::BakeStarted, held(HoldReason::Evidence)];
    assert_eq!(made, expected, "the bake");
}

#[test]
fn a_dismissal_is_of_one_guard() {
    let both = |slow: f64| Facts {
        evidence: evidence(60.0),
        ..slower(slow)
    };
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &both(60.0));
    let one = dismissed(&mut rollout, dismiss(HoldReason::Evidence, Some(1)), &both(60.0));
    assert_eq!(one, [(HoldReason::Evidence, Some(1))]);
    assert_eq!(rollout.every_second(3, &both(60.0)), [], "the other still holds");
    // Without a guard: each that holds and is not dismissed yet.
    let other = dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &both(60.0));
    assert_eq!(other, [(HoldReason::Evidence, Some(0))]);
    assert_eq!(rollout.after(1, &both(60.0)), Some(Transition::Resumed));
}

#[test]
fn the_second_strongest_guard_is_heard_when_the_strongest_is_dismissed() {
    let mut rollout = guarded(Phase::Soak).with(|plan| plan.guards[1].level = Level::Abort);
    let numbers = [(0, 55.0_f64), (1, 90.0)].map(|(guard, size)| EvidenceNumber {
        guard,
        horizon: 1,
        log_evidence: size.ln(),
        is_doubted: false,
    });
    let facts = Facts {
        evidence: Some(numbers[1]),
        concerns: Concerns {
            numbers: numbers.to_vec(),
            ..Concerns::default()
        },
        ..good()
    };
    rollout.after(1, &facts);
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, Some(1)), &facts);
    assert_eq!(rollout.every_second(3, &facts), [], "guard 1 alone is at 55");
    let both = dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &facts);
    assert_eq!(both, [(HoldReason::Evidence, Some(0))]);
    assert_eq!(rollout.after(1, &facts), Some(Transition::Resumed));
}

#[test]
fn a_warning_stands_against_a_gate_until_it_is_dismissed() {
    let mut rollout = guarded(Phase::Soak).soaked();
    rollout.every_second(2, &slower(25.0));
    let waited = |rollout: &Rollout| waits(&rollout.plan, &rollout.state, &slower(25.0), rollout.now);
    assert_eq!(waited(&rollout), [Wait::Evidence(Ladder::Warn)]);
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(25.0));
    assert_eq!(waited(&rollout), []);
    assert_eq!(
        rollout.after(1, &slower(25.0)),
        Some(Transition::Advanced { from: 0, to: 1 })
    );
}

#[test]
fn what_is_dismissed_does_not_stand_against_a_person_either() {
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &slower(60.0));
    let advance = rollout.act_on(Act::Advance, "ann", &slower(60.0)).unwrap_err();
    let said = advance.to_string();
    assert!(said.contains("if it is no harm, dismiss evidence"), "{said}");
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(60.0));
    let advanced = rollout.act_on(Act::Advance, "ann", &slower(60.0));
    assert_eq!(advanced, Ok(Transition::Advanced { from: 0, to: 1 }));
    let mut baking = guarded(Phase::Baking);
    assert!(baking.act_on(Act::Complete, "ann", &slower(60.0)).is_err());
    dismissed(&mut baking, dismiss(HoldReason::Evidence, None), &slower(60.0));
    assert_eq!(
        baking.act_on(Act::Complete, "ann", &slower(60.0)),
        Ok(Transition::Completed)
    );
}

#[test]
fn a_resumption_is_refused_with_what_a_person_may_dismiss() {
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &slower(60.0));
    let said = rollout.act(Act::Resume).unwrap_err().to_string();
    assert_eq!(
        said,
        "it is held for evidence, which must go first; if it is no harm, dismiss evidence"
    );
    let mut off = guarded(Phase::Soak).seeing(&off());
    let said = off.act(Act::Resume).unwrap_err().to_string();
    assert_eq!(said, "it is held for flag-off, which must go first");
}

#[test]
fn no_dismissal_stands_between_harm_and_its_abort() {
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &harmful(60.0));
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &harmful(60.0));
    // Not doubled yet, and it aborts.
    let happened = rollout.clone().after(1, &harmful(100.1));
    assert!(
        matches!(happened, Some(Transition::Aborted(AbortCause::Evidence { .. }))),
        "{happened:?}"
    );
    for act in [Act::Advance, dismiss(HoldReason::Evidence, None)] {
        assert!(rollout.clone().act_on(act, "ann", &harmful(100.1)).is_err());
    }
    let mut ruled = raising(HoldReason::Rule, Some(1), Some(11.0));
    rollout.after(1, &ruled);
    dismissed(&mut rollout, dismiss(HoldReason::Rule, None), &ruled);
    ruled.concerns.rule = Some(rollout::guards::Broken::Limit(0));
    assert!(rollout.clone().act_on(Act::Advance, "ann", &ruled).is_err());
    let aborted = Transition::Aborted(AbortCause::Rule { guard: 0 });
    assert_eq!(rollout.clone().after(1, &ruled), Some(aborted));
    assert_eq!(
        rollout.after(1, &latched()),
        Some(Transition::Aborted(AbortCause::Person))
    );
}

#[test]
fn a_rollback_criterion_acts_whatever_was_dismissed() {
    let bad = Facts {
        evidence: evidence(60.0),
        ..measured("error-rate", [Some(0.5), None, None])
    };
    let mut rollout = guarded(Phase::Soak);
    rollout.after(1, &harmful(60.0));
    dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &harmful(60.0));
    rollout.plan.stages[0].rollback = vec![criterion("error-rate > 5 %")];
    let happened = rollout.after(1, &bad);
    assert!(matches!(happened, Some(Transition::RolledBack(_))), "{happened:?}");
}

#[test]
fn what_is_no_signal_is_refused_with_what_ends_it() {
    for reason in HoldReason::ALL.into_iter().filter(|reason| !reason.is_dismissible()) {
        let mut rollout = guarded(Phase::Soak);
        let why = refused(&mut rollout, dismiss(reason, None), &slower(60.0));
        assert_eq!(why, [Undismissed::NoSignal(reason)]);
        assert!(why[0].to_string().contains(reason.ended_by()), "{}", why[0]);
    }
    let mut held = guarded(Phase::Soak).having(Act::Hold);
    let said = refused(&mut held, dismiss(HoldReason::Person, None), &good())[0].to_string();
    assert_eq!(said, "person cannot be dismissed: resume ends it");
    assert_eq!(held.every_second(3, &delivered(0, 0)).len(), 1, "no agents, besides");
}

#[test]
fn what_is_not_raised_is_refused_with_what_is() {
    let mut rollout = guarded(Phase::Soak);
    for (reason, guard, expected) in [
        (
            HoldReason::Rule,
            None,
            "rule is not raised; raised are: evidence of guard 2",
        ),
        (
            HoldReason::Evidence,
            Some(0),
            "evidence of guard 1 is not raised; raised are: evidence of guard 2",
        ),
        (HoldReason::Evidence, Some(7), "there is no guard 8; the plan has 2"),
        (
            HoldReason::SampleRatio,
            Some(0),
            "sample-ratio is of no guard: leave the guard out",
        ),
    ] {
        let why = refused(&mut rollout, dismiss(reason, guard), &slower(60.0));
        assert_eq!(why[0].to_string(), expected);
    }
    let said = refused(&mut rollout, dismiss(HoldReason::Early, None), &good())[0].to_string();
    assert_eq!(said, "early is not raised; raised are: none");
}

#[test]
fn all_that_stands_against_a_dismissal_is_said_at_once_and_a_visit_has_twenty() {
    let mut rollout = guarded(Phase::Soak);
    for _ in 0..20 {
        dismissed(&mut rollout, dismiss(HoldReason::Evidence, None), &slower(60.0));
    }
    let without = Act::Dismiss {
        reason: HoldReason::Rule,
        guard: None,
        why: " ".to_owned(),
    };
    let why = refused(&mut rollout, without, &slower(60.0));
    assert!(
        matches!(
            why.as_slice(),
            [
                Undismissed::NoReason,
                Undismissed::NotRaised { .. },
                Undismissed::TooMany(20)
            ]
        ),
        "{why:?}"
    );
}

#[test]
fn nothing_is_dismissed_before_the_start_or_after_the_end() {
    for phase in Phase::ALL.into_iter().filter(|phase| !phase.is_live()) {
        let why = refused(&mut at(phase), dismiss(HoldReason::Evidence, None), &harmful(60.0));
        assert_eq!(why, [Undismissed::Over(phase)]);
    }
    let mut live = guarded(Phase::Soak);
    let facts = Facts {
        latched: true,
        ..slower(60.0)
    };
    let said = refused(&mut live, dismiss(HoldReason::Evidence, None), &facts)[0].to_string();
    assert!(said.contains("an abort is for good"), "{said}");
}

#[test]
fn who_dismissed_what_and_why_is_on_the_desk() {
    let mut rollout = guarded(Phase::Soak);
    rollout
        .act_on(dismiss(HoldReason::Evidence, None), "bob", &slower(60.0))
        .unwrap();
    let given = &rollout.state.desk.dismissals[0];
    assert_eq!(
        (given.by.as_str(), given.why.as_str(), given.at_us),
        ("bob", WHY, rollout.now)
    );
    assert_eq!(given.log_size, Some(60.0_f64.ln()));
}
