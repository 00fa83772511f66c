//! A rollout that is interrupted at every turn: `kill -9` of the control plane after each transition that anybody can
//! see. Each is made once, in the order of the plan, and the units of a real client only join.

use std::{collections::BTreeSet, time::Duration};

use integration_tests::{
    acts::{simple, tick},
    conditions::{condition, one_of},
    crowd::{Crowd, Member},
    flags,
    plans::{everybody, half_for_long, plan, stage},
    records::create_segment,
    system::System,
};
use proto::v1::{self, RolloutPhase};
use serde_json::json;

/// Units of the client.
const UNITS: u32 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_walks_its_stages_once_though_the_control_plane_dies_after_every_step() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::text("checkout", &["off", "on"])).await;
    let crowd = Crowd::start("checkout", "on", users(), &[&agent]);
    let half = v1::Stage {
        approvals: 1,
        ..stage("half", 50_000, Duration::from_secs(1))
    };
    let walked = v1::Plan {
        exit: vec![v1::Item {
            name: "documentation-updated".to_owned(),
            ..v1::Item::default()
        }],
        ..plan("checkout", &[half, everybody()])
    };
    let mut seen = system.operator.start(walked).await;
    let mut kills = 0;
    while seen.phase() != RolloutPhase::Completed {
        kills += 1;
        system.control_plane.kill_9().await;
        system.control_plane.restart().await;
        let after = system.operator.rollout("checkout#1").await;
        follows(&seen, &after);
        let moved = |now: &v1::Rollout| now.sequence > after.sequence || people_are_asked_for(now).is_some();
        let now = system
            .operator
            .rollout_until("the next step", "checkout#1", moved)
            .await;
        follows(&after, &now);
        // What people do they do when nothing else moves, and the control plane dies behind it.
        seen = match people_are_asked_for(&now).filter(|_| now.sequence == after.sequence) {
            Some(Asked::Approval) => system.operator.act("checkout#1", simple::APPROVE).await,
            Some(Asked::Item) => {
                system
                    .operator
                    .act("checkout#1", tick("exit", "documentation-updated"))
                    .await
            }
            None => now,
        };
    }
    assert!(kills >= 6, "{kills} kills: {:#?}", seen.transitions);
    system.operator.delivered(1).await;
    walked_once(&system.operator.record("checkout#1").await);
    assert_eq!(crowd.inside().await.len(), UNITS as usize, "everybody has it");
    crowd.stop().await.went_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_drafted_and_started_before_a_crash_is_drafted_and_started_after_it() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let waiting = v1::Plan {
        preflight: vec![v1::Item {
            name: "rollback-rehearsed".to_owned(),
            ..v1::Item::default()
        }],
        ..plan("checkout", &[half_for_long()])
    };
    let mut seen = system.operator.draft(waiting).await;
    for (phase, act) in [
        (RolloutPhase::Draft, Some(simple::SUBMIT)),
        (RolloutPhase::Ready, None),
        (
            RolloutPhase::AwaitingStart,
            Some(tick("preflight", "rollback-rehearsed")),
        ),
    ] {
        assert_eq!(seen.phase(), phase);
        system.control_plane.kill_9().await;
        system.control_plane.restart().await;
        let after = system.operator.rollout("checkout#1").await;
        follows(&seen, &after);
        assert_eq!(
            (after.sequence, after.wanted_buckets),
            (seen.sequence, 0),
            "nothing was made of it"
        );
        seen = match act {
            Some(act) => system.operator.act("checkout#1", act).await,
            None => system.operator.start_draft("checkout#1").await,
        };
    }
    let soaks = system.operator.phase("checkout#1", RolloutPhase::Soaking).await;
    let kinds: Vec<_> = soaks.transitions.iter().map(|made| made.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "created",
            "submitted",
            "start-asked",
            "ticked",
            "started",
            "clock-started"
        ]
    );
    system.operator.delivered(1).await;
    let answers = agent.evaluator().of_users("checkout", 50).await;
    assert!(
        answers.iter().any(|answer| answer.value == Some(true)),
        "some get treatment"
    );
}

/// What only people can do.
enum Asked {
    Approval,
    Item,
}

/// What a rollout waits for and nothing but that, if it is theirs.
fn people_are_asked_for(rollout: &v1::Rollout) -> Option<Asked> {
    let kinds: Vec<_> = rollout.waits.iter().map(|wait| wait.kind.as_str()).collect();
    match (rollout.phase(), kinds.as_slice()) {
        (RolloutPhase::Gate, ["approvals"]) => Some(Asked::Approval),
        (RolloutPhase::Baking, ["items"]) => Some(Asked::Item),
        _ => None,
    }
}

/// Nothing that was seen before a crash is another after it, and no stage was left out.
fn follows(before: &v1::Rollout, after: &v1::Rollout) {
    assert_eq!(before.id, after.id);
    let kept = before.transitions.len();
    assert_eq!(after.transitions[..kept], before.transitions[..], "what was seen stays");
    assert!(after.stage <= before.stage + 1, "{} then {}", before.stage, after.stage);
}

/// Every move was made once, and in order.
fn walked_once(record: &v1::GetRecordResponse) {
    let rollout = record.rollout.as_ref().unwrap();
    let sequences = rollout.transitions.iter().map(|made| made.sequence);
    assert!(
        sequences.eq(0..rollout.transitions.len() as u64),
        "no transition is lost or made twice: {:#?}",
        rollout.transitions
    );
    let waits = ["held", "resumed", "gate-reached"];
    let moves = rollout
        .transitions
        .iter()
        .filter(|made| !waits.contains(&made.kind.as_str()));
    let moves: Vec<_> = moves.map(|made| (made.kind.as_str(), made.stage)).collect();
    let expected = [
        ("created", 0),
        ("start-asked", 0),
        ("started", 0),
        ("clock-started", 0),
        ("approved", 0),
        ("advanced", 1),
        ("clock-started", 1),
        ("bake-started", 1),
        ("ticked", 1),
        ("completed", 1),
    ];
    assert_eq!(moves, expected, "{:#?}", rollout.transitions);
    let exits: Vec<_> = record.exits.iter().map(|exit| (exit.stage, exit.visit)).collect();
    assert_eq!(exits, [(0, 1), (1, 1)]);
}

fn users() -> Vec<Member> {
    let user = |number| Member {
        name: format!("user-{number}"),
        context: json!({"targetingKey": format!("user-{number}")}),
    };
    (0..UNITS).map(user).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_go_first_and_stay_when_everybody_follows() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    let operator = &system.operator;
    let staff = v1::Segment {
        key: "staff".to_owned(),
        groups: vec![v1::ConditionGroup {
            conditions: vec![condition("team", one_of(&["staff"]))],
        }],
        ..v1::Segment::default()
    };
    create_segment(operator, staff).await;
    operator.create(flags::text("checkout", &["off", "on"])).await;
    let members = staff_and_others();
    let salt = "salt-of-checkout";
    let inside = |is_in: &dyn Fn(u32, u32) -> bool| -> BTreeSet<String> {
        let named = (0..UNITS).map(|number| (number, format!("user-{number}")));
        named
            .filter(|(number, name)| is_in(*number, evaluation::bucket(salt, name)))
            .map(|(_, name)| name)
            .collect()
    };
    let crowd = Crowd::start("checkout", "on", members, &[&agents[0], &agents[1]]);
    let by_hand = |name: &str, buckets: u32, audience: &[&str]| v1::Stage {
        audience: audience.iter().map(|key| (*key).to_owned()).collect(),
        ..stage(name, buckets, Duration::from_secs(86_400))
    };
    // The share of everybody is smaller than that of staff: who is in by the first stage stays in all the same.
    let stages = [
        by_hand("staff", 60_000, &["staff"]),
        by_hand("tenth", 10_000, &[]),
        by_hand("half", 50_000, &[]),
    ];
    let held_back = v1::Plan {
        stages: [&stages[..], &[everybody()]].concat(),
        ..plan("checkout", &[])
    };
    operator.start(held_back).await;
    let is_staff = |number: u32| number.is_multiple_of(3);
    let expected: [Box<dyn Fn(u32, u32) -> bool>; 3] = [
        Box::new(move |number, bucket| is_staff(number) && bucket < 60_000),
        Box::new(move |number, bucket| (is_staff(number) && bucket < 60_000) || bucket < 10_000),
        Box::new(move |number, bucket| (is_staff(number) && bucket < 60_000) || bucket < 50_000),
    ];
    for (number, expected) in (0..).zip(&expected) {
        let soaks = |rollout: &v1::Rollout| rollout.stage == number && rollout.phase() == RolloutPhase::Soaking;
        operator.rollout_until("the stage to soak", "checkout#1", soaks).await;
        operator.delivered(2).await;
        assert_eq!(crowd.inside().await, inside(expected.as_ref()), "stage {number}");
        operator.act("checkout#1", simple::ADVANCE).await;
    }
    operator.phase("checkout#1", RolloutPhase::Completed).await;
    operator.delivered(2).await;
    assert_eq!(crowd.inside().await.len(), UNITS as usize, "everybody has it");
    crowd.stop().await.went_well();
}

/// Every third is of the staff.
fn staff_and_others() -> Vec<Member> {
    let user = |number: u32| Member {
        name: format!("user-{number}"),
        context: json!({
            "targetingKey": format!("user-{number}"),
            "team": if number.is_multiple_of(3) { "staff" } else { "guests" },
        }),
    };
    (0..UNITS).map(user).collect()
}
