//! What a person does to a rollout: each act does what it says, in the state that it was meant for and in no other, and of
//! two that were meant for the same state one wins and the other is told.

use std::time::{Duration, Instant};

use integration_tests::{
    acts::{closed, issue, simple, step_back},
    agent::Agent,
    flags,
    plans::{everybody, half_for_long, micros, plan, stage},
    service::{Service, Traffic},
    system::System,
    violations::{names_exactly, preconditions},
    wait,
};
use proto::v1::{self, RolloutPhase, act_request::Act};
use tonic::Code;

const DAY: Duration = Duration::from_secs(86_400);
/// Users that are asked about.
const USERS: u32 = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_the_clock_and_a_resumption_lets_it_run_again() {
    let (system, agent) = with_a_flag().await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    let soaks = |rollout: &v1::Rollout| rollout.soaked_us > 1_000_000;
    system.operator.rollout_until("soak", "checkout#1", soaks).await;
    let paused = system.operator.act("checkout#1", simple::PAUSE).await;
    assert_eq!(paused.phase(), RolloutPhase::Paused);
    let after = stands_still(&system, paused.soaked_us).await;
    assert_eq!(
        (after.phase(), after.wanted_buckets),
        (RolloutPhase::Paused, 50_000),
        "nobody is moved by it"
    );
    assert_eq!(treated(&agent).await, in_buckets(50_000));
    assert!(after.waits.iter().any(|wait| wait.kind == "soak"), "{:#?}", after.waits);

    system.operator.act("checkout#1", simple::RESUME).await;
    let goes_on = |rollout: &v1::Rollout| rollout.soaked_us > after.soaked_us + 1_000_000;
    let resumed = system.operator.rollout_until("more soak", "checkout#1", goes_on).await;
    assert_eq!(resumed.phase(), RolloutPhase::Soaking);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_holds_a_rollout_and_nothing_but_a_person_lets_it_go() {
    let (system, agent) = with_a_flag().await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let stages = [stage("canary", 20_000, Duration::from_secs(1)), half_for_long()];
    system.operator.start(plan("checkout", &stages)).await;
    let held = system.operator.act("checkout#1", simple::HOLD).await;
    assert_eq!(
        (held.phase(), held.hold_reason.as_str()),
        (RolloutPhase::Held, "person")
    );
    let refused = system
        .operator
        .try_act("checkout#1", simple::ADVANCE)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    // It has all that its gate asks for, and stays.
    let has_data = |rollout: &v1::Rollout| {
        let arms = rollout.stage_counts.unwrap_or_default();
        arms.treatment.unwrap_or_default().outcomes > 100 && arms.control.unwrap_or_default().outcomes > 100
    };
    system.operator.rollout_until("data", "checkout#1", has_data).await;
    let after = stands_still(&system, held.soaked_us).await;
    assert_eq!((after.stage, after.hold_reasons), (0, vec!["person".to_owned()]));

    system.operator.act("checkout#1", simple::RESUME).await;
    let is_next = |rollout: &v1::Rollout| rollout.stage == 1;
    system
        .operator
        .rollout_until("the next stage", "checkout#1", is_next)
        .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_says_fix_waits_until_the_issue_is_closed() {
    let (system, agent) = with_a_flag().await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let canary = v1::Stage {
        approvals: 1,
        ..stage("canary", 20_000, Duration::from_secs(1))
    };
    system
        .operator
        .start(plan("checkout", &[canary, half_for_long()]))
        .await;
    waits_for(&system, "approvals").await;
    let none = system.operator.try_act("checkout#1", simple::FIX).await.unwrap_err();
    assert_eq!(none.code(), Code::FailedPrecondition, "{none}");
    system.operator.act("checkout#1", issue("the button is grey")).await;
    system.operator.act("checkout#1", simple::FIX).await;
    system.operator.held("checkout#1", "fix").await;
    system.operator.act("checkout#1", simple::APPROVE).await;
    let refused = system
        .operator
        .try_act("checkout#1", simple::ADVANCE)
        .await
        .unwrap_err();
    assert!(refused.message().contains("fix"), "{refused}");
    system.operator.act("checkout#1", closed(1, "it is blue")).await;
    let is_next = |rollout: &v1::Rollout| rollout.stage == 1;
    let next = system
        .operator
        .rollout_until("the next stage", "checkout#1", is_next)
        .await;
    assert_eq!(
        (next.issues[0].stage.as_str(), next.issues[0].resolution.as_str()),
        ("canary", "it is blue")
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_back_takes_the_treatment_from_those_who_joined_last() {
    let (system, agent) = with_a_flag().await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let stages = [stage("canary", 20_000, DAY), stage("half", 50_000, DAY), everybody()];
    system.operator.start(plan("checkout", &stages)).await;
    soaking(&system, "checkout#1", 0).await;
    system.operator.act("checkout#1", simple::ADVANCE).await;
    soaking(&system, "checkout#1", 1).await;
    assert_eq!(treated(&agent).await, in_buckets(50_000));
    let refused = system
        .operator
        .try_act("checkout#1", step_back("half"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let unknown = system
        .operator
        .try_act("checkout#1", step_back("quarter"))
        .await
        .unwrap_err();
    names_exactly("a stage that is not there", &unknown, &["step_back.stage"]);

    let back = system.operator.act("checkout#1", step_back("canary")).await;
    assert_eq!((back.stage, back.wanted_buckets, back.soaked_us), (0, 20_000, 0));
    soaking(&system, "checkout#1", 0).await;
    assert_eq!(treated(&agent).await, in_buckets(20_000));
    system.operator.act("checkout#1", simple::ADVANCE).await;
    soaking(&system, "checkout#1", 1).await;
    let record = system.operator.record("checkout#1").await;
    let left: Vec<_> = record.exits.iter().map(|exit| (exit.stage, exit.visit)).collect();
    assert_eq!(left, [(0, 1), (1, 1), (0, 2)]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_back_latches_nothing_and_is_tried_again_with_the_same_units_or_with_others() {
    let (system, agent) = with_a_flag().await;
    let first = system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    assert_eq!(treated(&agent).await, in_buckets(50_000));
    let back = system.operator.act("checkout#1", simple::ROLL_BACK).await;
    assert_eq!((back.phase(), back.wanted_buckets), (RolloutPhase::RolledBack, 0));
    assert_eq!(back.end.unwrap().outcome, "rolled-back");
    system.operator.delivered(1).await;
    assert_eq!(treated(&agent).await, Vec::<u32>::new());

    let second = system.operator.retry("checkout#1", false).await;
    assert_eq!(
        (second.name.as_str(), second.retry_of.as_str(), second.reshuffled),
        ("checkout#2", "checkout#1", false)
    );
    assert_ne!(second.id, first.id);
    system.operator.delivered(1).await;
    assert_eq!(treated(&agent).await, in_buckets(50_000), "the same units");
    let early = system
        .operator
        .try_act("checkout#1", simple::ROLL_BACK)
        .await
        .unwrap_err();
    assert!(early.message().contains("rolled-back"), "{early}");

    system.operator.act("checkout#2", simple::ROLL_BACK).await;
    let third = system.operator.retry("checkout#2", true).await;
    assert_eq!((third.retry_of.as_str(), third.reshuffled), ("checkout#2", true));
    system.operator.delivered(1).await;
    let others = treated(&agent).await;
    assert_ne!(others, in_buckets(50_000), "other units");
    assert!((40..=110).contains(&others.len()), "about half: {}", others.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_commands_at_once_one_wins_and_the_other_is_told() {
    let (system, _agent) = with_a_flag().await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    let seen = soaking(&system, "checkout#1", 0).await;
    let command = |act: Act| system.operator.try_act_at("checkout#1", Some(seen.sequence), act);
    let (paused, held) = tokio::join!(command(simple::PAUSE), command(simple::HOLD));
    let (won, lost) = match (paused, held) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        both => panic!("one wins: {both:#?}"),
    };
    assert_eq!(won.sequence, seen.sequence + 1);
    assert_eq!(lost.code(), Code::FailedPrecondition, "{lost}");
    assert_eq!(preconditions(&lost), [("SEQUENCE".to_owned(), "checkout#1".to_owned())]);
    let phase = if won.phase() == RolloutPhase::Paused {
        "paused"
    } else {
        "held"
    };
    for told in [format!("sequence {}", won.sequence), format!("is {phase}")] {
        assert!(lost.message().contains(&told), "{told}: {lost}");
    }
    // Told what there is, it is repeated or not.
    system
        .operator
        .try_act_at("checkout#1", Some(won.sequence), simple::ROLL_BACK)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_the_wrong_state_is_refused_with_the_state_and_changes_nothing() {
    let (system, _agent) = with_a_flag().await;
    let operator = &system.operator;
    let draft = operator.draft(plan("checkout", &[half_for_long()])).await;
    assert_eq!((draft.phase(), draft.wanted_buckets), (RolloutPhase::Draft, 0));
    let refused_in = async |phase: &str, act: Act| {
        let before = operator.rollout("checkout#1").await;
        let said = format!("{act:?} while {phase}");
        let refused = operator.try_act("checkout#1", act).await.expect_err(&said);
        assert_eq!(refused.code(), Code::FailedPrecondition, "{said}: {refused}");
        assert_eq!(
            preconditions(&refused),
            [("STATE".to_owned(), "checkout#1".to_owned())],
            "{said}"
        );
        assert!(refused.message().contains(&format!("is {phase}")), "{said}: {refused}");
        assert_eq!(operator.rollout("checkout#1").await.sequence, before.sequence, "{said}");
    };
    for act in [
        simple::PAUSE,
        simple::RESUME,
        simple::ADVANCE,
        simple::COMPLETE,
        simple::ROLL_BACK,
    ] {
        refused_in("draft", act).await;
    }
    operator.act("checkout#1", simple::SUBMIT).await;
    refused_in("ready", simple::SUBMIT).await;
    operator.start_draft("checkout#1").await;
    soaking(&system, "checkout#1", 0).await;
    for act in [
        simple::SUBMIT,
        simple::RESUME,
        simple::COMPLETE,
        Act::Archive(v1::Nothing {}),
    ] {
        refused_in("soak", act).await;
    }
    operator.act("checkout#1", simple::PAUSE).await;
    for act in [simple::PAUSE, simple::ADVANCE, simple::FIX] {
        refused_in("paused", act).await;
    }
    operator.act("checkout#1", simple::ROLL_BACK).await;
    for act in [
        simple::PAUSE,
        simple::RESUME,
        simple::ADVANCE,
        simple::HOLD,
        simple::ROLL_BACK,
        simple::COMPLETE,
    ] {
        refused_in("rolled-back", act).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_plan_takes_a_longer_dwell_to_come_and_no_edit_that_raises_exposure() {
    let (system, _agent) = with_a_flag().await;
    let stages = [stage("canary", 20_000, DAY), stage("half", 50_000, DAY), everybody()];
    let written = system.operator.start(plan("checkout", &stages)).await.plan.unwrap();
    soaking(&system, "checkout#1", 0).await;
    let edited = |edit: &dyn Fn(&mut v1::Plan)| {
        let mut plan = written.clone();
        edit(&mut plan);
        system.operator.try_edit("checkout#1", plan)
    };
    let wider = edited(&|plan| plan.stages[0].buckets = 30_000).await.unwrap_err();
    names_exactly("a wider stage", &wider, &["plan.stages[0].percentage"]);
    let narrower = edited(&|plan| plan.stages[0].buckets = 10_000).await.unwrap_err();
    names_exactly("a narrower stage", &narrower, &["plan.stages[0].percentage"]);
    let without = edited(&|plan| drop(plan.stages.remove(0))).await.unwrap_err();
    assert_eq!(without.code(), Code::InvalidArgument, "{without}");
    let unchanged = system.operator.rollout("checkout#1").await;
    assert_eq!((unchanged.plan_version, unchanged.plan.as_ref()), (1, Some(&written)));

    let longer = edited(&|plan| plan.stages[1].dwell_us = micros(2 * DAY)).await.unwrap();
    assert_eq!(
        (longer.plan_version, longer.wanted_buckets, longer.stage),
        (2, 20_000, 0)
    );
    assert_ne!(longer.plan_hash, unchanged.plan_hash, "approvals are for one plan");
    assert_eq!(longer.plan.unwrap().stages[1].dwell_us, micros(2 * DAY));
    system.operator.act("checkout#1", simple::ADVANCE).await;
    let next = soaking(&system, "checkout#1", 1).await;
    assert_eq!(next.dwell_us, micros(2 * DAY));
}

/// A control plane with an agent and a flag.
async fn with_a_flag() -> (System, Agent) {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    (system, agent)
}

/// The rollout for two seconds of many looks, in which its soak does not move.
async fn stands_still(system: &System, soaked_us: i64) -> v1::Rollout {
    let since = Instant::now();
    wait::until("two seconds of standing still", async || {
        let rollout = system.operator.rollout("checkout#1").await;
        assert_eq!(rollout.soaked_us, soaked_us, "its clock stands: {rollout:#?}");
        if since.elapsed() > Duration::from_secs(2) {
            Ok(rollout)
        } else {
            Err(format!("{:?}", since.elapsed()))
        }
    })
    .await
}

/// Waits until a stage soaks, and all agents have it.
async fn soaking(system: &System, name: &str, stage: u32) -> v1::Rollout {
    let soaks = |rollout: &v1::Rollout| rollout.stage == stage && rollout.phase() == RolloutPhase::Soaking;
    let what = format!("stage {stage} to soak");
    let rollout = system.operator.rollout_until(&what, name, soaks).await;
    system.operator.delivered(1).await;
    rollout
}

/// Waits until a gate asks for one thing and nothing else.
async fn waits_for(system: &System, kind: &str) {
    let waits = |rollout: &v1::Rollout| rollout.waits.iter().map(|wait| wait.kind.as_str()).eq([kind]);
    let what = format!("it to wait for {kind} alone");
    system.operator.rollout_until(&what, "checkout#1", waits).await;
}

/// The users who get treatment.
async fn treated(agent: &Agent) -> Vec<u32> {
    let answers = agent.evaluator().of_users("checkout", USERS).await;
    let inside = (0..).zip(answers).filter(|(_, answer)| answer.value == Some(true));
    inside.map(|(user, _)| user).collect()
}

/// The users of the first buckets.
fn in_buckets(share: u32) -> Vec<u32> {
    let bucket = |user: &u32| evaluation::bucket("salt-of-checkout", &format!("user-{user}"));
    (0..USERS).filter(|user| bucket(user) < share).collect()
}
