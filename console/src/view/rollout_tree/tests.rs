//! The tree at the moments of a rollout's life.

use super::*;

const NOW: i64 = 1_767_225_600_000_000;
const HOUR: i64 = 3_600_000_000;

fn rollout() -> v1::Rollout {
    let stage = |name: &str, buckets, dwell_us| v1::Stage {
        name: name.into(),
        buckets,
        dwell_us,
        ..Default::default()
    };
    v1::Rollout {
        name: "checkout#3".into(),
        environment: "production".into(),
        phase: v1::RolloutPhase::Soaking.into(),
        stage: 1,
        sequence: 12,
        plan: Some(v1::Plan {
            flag: "checkout".into(),
            treatment: "on".into(),
            control: "off".into(),
            stages: vec![
                v1::Stage {
                    audience: vec!["staff".into()],
                    ..stage("internal", 500, 24 * HOUR)
                },
                stage("canary", 5_000, 48 * HOUR),
                stage("GA", 100_000, 0),
            ],
            ..Default::default()
        }),
        clock_started_at_us: NOW - 20 * HOUR,
        soaked_us: 20 * HOUR,
        dwell_us: 48 * HOUR,
        wanted_buckets: 5_000,
        acked_buckets: 2_500,
        ..Default::default()
    }
}

fn tree(rollout: &v1::Rollout, passed_us: i64) -> String {
    lines(rollout, NOW, passed_us, Paint::PLAIN).join("\n")
}

#[test]
fn stages_are_done_current_and_ahead() {
    assert_eq!(
        tree(&rollout(), 0),
        "checkout#3 soaking  checkout in production: on against off  5 % wanted, 2.5 % acked  sequence 12\n\
         ├─ ✓ internal  0.5 % of staff  1d\n\
         ├─ ▶ canary  5 % of everybody  soaked 20h, 1d4h left of 2d\n\
         └─ · GA  100 % of everybody  0s"
    );
}

#[test]
fn the_soak_runs_on_between_messages_only_while_the_clock_does() {
    assert!(tree(&rollout(), HOUR).contains("soaked 21h, 1d3h left"));
    assert!(
        tree(&rollout(), 40 * HOUR).contains("soaked 2d\n"),
        "no further than the dwell"
    );
    let paused = v1::Rollout {
        phase: v1::RolloutPhase::Paused.into(),
        ..rollout()
    };
    assert!(tree(&paused, HOUR).contains("soaked 20h, 1d4h left"));
}

#[test]
fn under_the_current_stage_stands_all_that_it_waits_for() {
    let gate = v1::Rollout {
        phase: v1::RolloutPhase::Gate.into(),
        soaked_us: 48 * HOUR,
        hold_reasons: vec!["no data".into()],
        waits: vec![
            v1::Waiting {
                kind: "window".into(),
                detail: "Mon-Fri 09:00-17:00 Europe/Berlin".into(),
                until_us: NOW + 3 * HOUR,
            },
            v1::Waiting {
                kind: "approvals".into(),
                detail: "1 of 2".into(),
                until_us: 0,
            },
        ],
        criteria: vec![v1::CriterionFinding {
            criterion: "error-rate < 1 %".into(),
            finding: "no data".into(),
        }],
        approvals: vec![v1::Approval {
            stage: "canary".into(),
            by: "ann".into(),
            at_us: NOW,
            valid: false,
        }],
        items: vec![v1::ItemState {
            list: "stage".into(),
            item: "dashboards".into(),
            ticked_by: "person".into(),
            ..Default::default()
        }],
        issues: vec![v1::IssueFound {
            number: 1,
            title: "wrong tax".into(),
            stage: "canary".into(),
            opened_by: "bob".into(),
            ..Default::default()
        }],
        next_steps: vec![v1::PlannedStep {
            at_us: NOW + 3 * HOUR,
            kind: "advanced".into(),
            stage: "GA".into(),
            phase: "delivering".into(),
        }],
        ..rollout()
    };
    let tree = tree(&gate, 0);
    let expected = [
        "├─ ▶ canary",
        "│    held: no data",
        "│    waits for window: Mon-Fri 09:00-17:00 Europe/Berlin, until 2026-01-01 03:00:00Z (in 3h)",
        "│    waits for approvals: 1 of 2",
        "│    criterion error-rate < 1 %: no data",
        "│    approved: the gate of canary, by ann at 2026-01-01 00:00:00Z, of an earlier plan: it no longer counts",
        "│    [ ] dashboards (stage), ticked by: person",
        "│    issue 1: wrong tax, found in canary by bob, open",
        "└─ · GA",
        "next, if all goes well and everybody acts at once",
        "  2026-01-01 03:00:00Z (in 3h) advanced [GA]",
    ];
    let mut rest = tree.as_str();
    for line in expected {
        let at = rest
            .find(line)
            .unwrap_or_else(|| panic!("no {line:?} in its place:\n{tree}"));
        rest = &rest[at..];
    }
}

#[test]
fn before_the_start_every_stage_is_ahead_and_the_list_stands_below() {
    let ready = v1::Rollout {
        phase: v1::RolloutPhase::Ready.into(),
        stage: 0,
        items: vec![v1::ItemState {
            list: "preflight".into(),
            item: "tests passing".into(),
            done: true,
            by: "ci".into(),
            ..Default::default()
        }],
        ..rollout()
    };
    let tree = tree(&ready, 0);
    assert_eq!(tree.matches('·').count(), 3, "{tree}");
    assert!(tree.ends_with("\n  [x] tests passing (preflight), by ci"), "{tree}");
}

#[test]
fn an_end_is_marked_where_it_came() {
    let end = |outcome: &str| v1::RolloutEnd {
        outcome: outcome.into(),
        actor: "tidegate".into(),
        ..Default::default()
    };
    let aborted = v1::Rollout {
        phase: v1::RolloutPhase::Aborted.into(),
        end: Some(end("aborted")),
        ..rollout()
    };
    let tree_of_abort = tree(&aborted, 0);
    assert!(tree_of_abort.contains("├─ ✗ canary"), "{tree_of_abort}");
    assert!(tree_of_abort.contains("end: aborted by tidegate"), "{tree_of_abort}");
    let completed = v1::Rollout {
        phase: v1::RolloutPhase::Completed.into(),
        stage: 2,
        end: Some(end("completed")),
        ..rollout()
    };
    assert_eq!(tree(&completed, 0).matches('✓').count(), 3);
}

#[test]
fn nothing_odd_is_a_reason_to_panic_and_nothing_controls_the_terminal() {
    assert!(!tree(&v1::Rollout::default(), i64::MAX).is_empty());
    let odd = v1::Rollout {
        name: "\u{1b}[2J".into(),
        stage: u32::MAX,
        soaked_us: i64::MAX,
        hold_reason: "\u{1b}[31m".into(),
        ..rollout()
    };
    assert!(!tree(&odd, i64::MAX).contains('\u{1b}'));
}

#[test]
fn below_the_tree_stand_the_guards_and_both_arms() {
    let watched = v1::Rollout {
        guard_views: vec![v1::GuardView {
            harm: "error-rate > 1x control".into(),
            standing: "none".into(),
            ..Default::default()
        }],
        side_by_side: Some(v1::SideBySide {
            stage: 1,
            visit: 1,
            treatment: Some(v1::ArmSide {
                exposures: 3,
                ..Default::default()
            }),
            ..Default::default()
        }),
        next_steps: vec![v1::PlannedStep {
            at_us: NOW,
            kind: "advanced".into(),
            ..Default::default()
        }],
        ..rollout()
    };
    let tree = tree(&watched, 0);
    let expected = [
        "└─ · GA",
        "\n\nGUARD",
        "error-rate > 1x control",
        "\n\nIN canary",
        "\n\nnext, if all goes well",
    ];
    let mut rest = tree.as_str();
    for part in expected {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in its place:\n{tree}"));
        rest = &rest[at..];
    }
}
