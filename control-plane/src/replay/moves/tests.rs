#![allow(clippy::unwrap_used)]

use rollout::{Concerns, EvidenceNumber, Signal, Unit};

use super::*;
use crate::builders::plan_of;

fn made(sequence: u64, kind: &str, stage: u32, detail: &str) -> TransitionRecord {
    TransitionRecord {
        sequence,
        at_us: sequence as i64 * 10,
        kind: kind.to_owned(),
        stage,
        detail: detail.to_owned(),
        actor: ENGINE.to_owned(),
        dismissals: Vec::new(),
    }
}

/// Evidence of the first guard that has reached a rung is all that there is.
fn look(at_us: i64, ladder: Ladder) -> (i64, Facts) {
    let size = [0.0, 25.0, 60.0, 100.1][ladder as usize];
    let number = EvidenceNumber {
        guard: 0,
        horizon: 1,
        log_evidence: f64::ln(size),
        is_doubted: false,
    };
    let concerns = Concerns {
        numbers: vec![number],
        ..Concerns::default()
    };
    (at_us, facts(concerns))
}

fn facts(concerns: Concerns) -> Facts {
    Facts {
        concerns,
        ..Facts::default()
    }
}

/// A rule holds, and nothing else.
fn ruled(at_us: i64, reason: HoldReason) -> (i64, Facts) {
    let concerns = Concerns {
        holds: vec![reason],
        signals: vec![Signal {
            guard: Some(0),
            ..Signal::bare(reason)
        }],
        ..Concerns::default()
    };
    (at_us, facts(concerns))
}

fn replayed(log: &[TransitionRecord], looks: &[(i64, Facts)]) -> Vec<Move> {
    let plan = plan_of("checkout", Unit::Unit, &[5, 50], 1_000);
    let mut moves = Moves::of(plan.into(), log);
    for (at_us, facts) in looks {
        while moves.next_before(*at_us).is_some() {
            moves.judge(None);
        }
        moves.pass(Known(facts.clone()));
    }
    while moves.next_before(i64::MAX).is_some() {
        moves.judge(None);
    }
    moves.finish()
}

fn judged(log: &[TransitionRecord], looks: &[(i64, Facts)]) -> Vec<(u64, Option<bool>)> {
    let moves = replayed(log, looks).into_iter();
    moves.map(|made| (made.sequence, made.agrees)).collect()
}

#[test]
fn a_gate_that_opened_over_evidence_is_not_what_the_replay_says() {
    let log = [made(1, "started", 0, ""), made(3, "advanced", 1, "")];
    let calm = [look(25, Ladder::None), look(35, Ladder::Abort)];
    assert_eq!(judged(&log, &calm), [(3, Some(true))], "what comes later has no say");
    let harmful = [look(15, Ladder::Warn), look(25, Ladder::Warn), look(35, Ladder::None)];
    assert_eq!(judged(&log, &harmful), [(3, Some(false))]);
    let just_sealed = [look(15, Ladder::None), look(29, Ladder::Warn)];
    assert_eq!(
        judged(&log, &just_sealed),
        [(3, Some(true))],
        "the engine may not have seen it"
    );
}

#[test]
fn a_hold_for_evidence_needs_evidence() {
    let found = "evidence, stale: error-rate > 1x control: evidence 61 (hold at 50)";
    let log = [made(2, "held", 0, found), made(4, "held", 0, "no-agents")];
    assert_eq!(judged(&log, &[look(15, Ladder::Hold)]), [(2, Some(true))]);
    assert_eq!(judged(&log, &[look(15, Ladder::Warn)]), [(2, Some(false))]);
    assert_eq!(judged(&log, &[]), [(2, None)]);
}

fn dismissed(sequence: u64, size: f64) -> TransitionRecord {
    let dismissal = Dismissal {
        reason: rollout::HoldReason::Evidence,
        criterion: None,
        guard: Some(0),
        log_size: Some(size.ln()),
        by: "ada".to_owned(),
        at_us: sequence as i64 * 10,
        why: "a known batch job".to_owned(),
    };
    TransitionRecord {
        dismissals: vec![dismissal],
        actor: "ada".to_owned(),
        ..made(sequence, "dismissed", 0, "")
    }
}

#[test]
fn a_gate_that_opened_over_dismissed_evidence_agrees_because_of_the_dismissal() {
    let log = [dismissed(2, 59.0), made(4, "advanced", 1, "")];
    let agreed = &replayed(&log, &[look(15, Ladder::Hold), look(25, Ladder::Hold)])[0];
    assert_eq!(
        (agreed.agrees, agreed.dismissed, agreed.rung),
        (Some(true), true, Ladder::Hold)
    );
    let calm = &replayed(&log, &[look(15, Ladder::None)])[0];
    assert_eq!((calm.agrees, calm.dismissed), (Some(true), false), "it was not needed");
    for (log, why) in [
        (
            [dismissed(2, 29.0), made(4, "advanced", 1, "")].to_vec(),
            "the evidence had doubled by then",
        ),
        (
            [
                dismissed(2, 59.0),
                made(3, "stepped-back", 0, ""),
                made(4, "advanced", 1, ""),
            ]
            .to_vec(),
            "it was for another visit",
        ),
    ] {
        let found = &replayed(&log, &[look(15, Ladder::Hold), look(25, Ladder::Hold)])[0];
        assert_eq!((found.agrees, found.dismissed), (Some(false), false), "{why}");
    }
    let harmful = [look(15, Ladder::Abort), look(25, Ladder::Abort)];
    assert_eq!(
        judged(&log, &harmful),
        [(4, Some(false))],
        "what aborts is dismissed by nobody"
    );
}

#[test]
fn a_hold_by_a_rule_needs_it_and_ends_with_it() {
    let log = [
        made(2, "held", 0, "rule, stale"),
        made(4, "resumed", 0, "what held it is gone"),
    ];
    let judged = |first, second| judged(&log, &[first, second]);
    let rule = |at_us| ruled(at_us, HoldReason::Rule);
    let nothing = |at_us| look(at_us, Ladder::None);
    assert_eq!(judged(rule(15), nothing(25)), [(2, Some(true)), (4, Some(true))]);
    assert_eq!(judged(nothing(15), nothing(25)), [(2, Some(false)), (4, Some(true))]);
    assert_eq!(judged(rule(15), rule(25)), [(2, Some(true)), (4, Some(false))]);
    let other = ruled(15, HoldReason::Incident);
    assert_eq!(
        judged(other, nothing(25))[0],
        (2, Some(false)),
        "it is held for another reason"
    );
    assert_eq!(
        judged(look(15, Ladder::Hold), look(25, Ladder::Hold)),
        [(2, Some(false)), (4, Some(false))]
    );
}

#[test]
fn a_gate_that_opened_over_a_rule_is_not_what_the_replay_says() {
    let log = [made(4, "advanced", 1, "")];
    let rule = [ruled(15, HoldReason::Rule), ruled(25, HoldReason::Rule)];
    assert_eq!(judged(&log, &rule), [(4, Some(false))]);
    let mut dismissal = dismissed(2, 1.0);
    let of_rule = &mut dismissal.dismissals[0];
    (of_rule.reason, of_rule.log_size) = (HoldReason::Rule, None);
    let agreed = &replayed(&[dismissal, made(4, "advanced", 1, "")], &rule)[0];
    assert_eq!((agreed.agrees, agreed.dismissed), (Some(true), true));
    let early = [15, 25].map(|at_us| {
        let concerns = Concerns {
            is_early: true,
            ..Concerns::default()
        };
        (at_us, facts(concerns))
    });
    assert_eq!(judged(&log, &early), [(4, Some(false))], "on too little data");
}

#[test]
fn a_hold_that_rests_on_more_than_batches_is_named_and_not_judged() {
    let log = [made(2, "held", 0, "inconclusive"), made(4, "held", 0, "person")];
    assert_eq!(judged(&log, &[look(15, Ladder::None)]), [(2, None)]);
    let mixed = [made(2, "held", 0, "rule, telemetry")];
    assert_eq!(judged(&mixed, &[look(15, Ladder::None)]), [(2, Some(false))]);
}

#[test]
fn what_was_known_at_its_moment_speaks_for_a_move() {
    let log = [made(2, "resumed", 0, "")];
    let plan = plan_of("checkout", Unit::Unit, &[5, 50], 1_000);
    let mut moves = Moves::of(plan.into(), &log);
    moves.pass(Known(ruled(15, HoldReason::Rule).1));
    moves.judge(Some(Known(Facts::default())));
    assert_eq!(moves.finish()[0].agrees, Some(true), "the events have left the window");
}

#[test]
fn what_a_person_did_is_not_held_against_anything() {
    let mut advanced = made(3, "advanced", 1, "");
    advanced.actor = "ada".to_owned();
    assert_eq!(
        judged(&[advanced], &[look(15, Ladder::Abort), look(25, Ladder::Abort)]),
        []
    );
}
