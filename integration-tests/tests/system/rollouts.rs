//! Rollouts that go well, and rollouts about which nothing is known: the first are promoted, the second never.
//!
//! Each kind of silence has a reason of its own, and none of them is good news.

use std::time::Duration;

use integration_tests::{
    flags,
    plans::{everybody, half_for_long, micros, plan, stage},
    service::{Service, Traffic},
    stream,
    system::{PRODUCTION, System},
};
use proto::v1::{self, RolloutPhase};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_good_plan_walks_its_stages_one_by_one_and_becomes_the_flags_default() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout").failing(0.01, 0.01), &[&agents[0], &agents[1]]).await;
    let stages = [
        stage("canary", 20_000, SECOND),
        stage("half", 50_000, SECOND),
        everybody(),
    ];
    let started = system.operator.start(plan("checkout", &stages)).await;
    assert_eq!(
        (started.name.as_str(), started.stage, started.wanted_buckets),
        ("checkout#1", 0, 20_000)
    );

    let done = system.operator.phase("checkout#1", RolloutPhase::Completed).await;
    system.operator.delivered(2).await;
    walked_one_by_one(&done, &stages);
    let end = done.end.as_ref().unwrap();
    assert_eq!((end.outcome.as_str(), end.actor.as_str()), ("completed", "tidegate"));
    let flag = system.operator.get("checkout").await;
    assert_eq!(flag.flag.unwrap().default_serve, Some(flags::variant("on")));
    assert_eq!(flag.rollout, "");
    for agent in &agents {
        for answer in agent.evaluator().of_users("checkout", 100).await {
            assert_eq!((answer.value, answer.arm), (Some(true), None));
        }
    }
    let seen = service.stop().await;
    assert_eq!(seen.failed, Vec::<String>::new());
}

/// Every stage was entered once, in order, and left no sooner than its dwell after the agents had applied it.
fn walked_one_by_one(rollout: &v1::Rollout, stages: &[v1::Stage]) {
    let moves = ["started", "clock-started", "advanced", "completed"];
    let moves: Vec<_> = rollout
        .transitions
        .iter()
        .filter(|made| moves.contains(&made.kind.as_str()))
        .collect();
    let kinds: Vec<_> = moves.iter().map(|made| (made.kind.as_str(), made.stage)).collect();
    let expected = [
        ("started", 0),
        ("clock-started", 0),
        ("advanced", 1),
        ("clock-started", 1),
        ("advanced", 2),
        ("clock-started", 2),
        ("completed", 2),
    ];
    assert_eq!(kinds, expected);
    for (stage, (clock, left)) in stages.iter().zip([(1, 2), (3, 4), (5, 6)]) {
        assert!(
            moves[left].at_us - moves[clock].at_us >= stage.dwell_us,
            "{}: {moves:#?}",
            stage.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_is_in_stays_in_as_the_stages_grow() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    // Without outcomes the first stage is held, so there is all the time to look at it.
    let stages = [stage("canary", 20_000, Duration::ZERO), half_for_long()];
    system.operator.start(plan("checkout", &stages)).await;
    system.operator.delivered(1).await;
    let evaluator = agent.evaluator();
    let arms_follow_buckets = async |share: u32| {
        for (user, answer) in (0..).zip(evaluator.of_users("checkout", 100).await) {
            let is_in = evaluation::bucket("salt-of-checkout", &format!("user-{user}")) < share;
            let arm = if is_in { "treatment" } else { "control" };
            assert_eq!(
                (answer.value, answer.arm.as_deref()),
                (Some(is_in), Some(arm)),
                "user-{user}"
            );
            assert_eq!(answer.reason, "TARGETING_MATCH", "a client must not cache it");
        }
    };
    arms_follow_buckets(20_000).await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let is_there = |rollout: &v1::Rollout| rollout.stage == 1 && rollout.acked_buckets == 50_000;
    system
        .operator
        .rollout_until("the second stage to be acknowledged", "checkout#1", is_there)
        .await;
    arms_follow_buckets(50_000).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_holds_and_never_promotes() {
    let system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system
        .operator
        .start(plan("checkout", &[stage("canary", 20_000, SECOND), everybody()]))
        .await;
    system.operator.held("checkout#1", "no-traffic").await;
    // It goes on to soak, and however long it does, it is not promoted.
    let soaks = |rollout: &v1::Rollout| rollout.soaked_us >= 4 * micros(SECOND);
    let rollout = system
        .operator
        .rollout_until("four dwells of silence", "checkout#1", soaks)
        .await;
    assert_eq!(
        (rollout.phase(), rollout.hold_reason.as_str()),
        (RolloutPhase::Held, "no-traffic")
    );
    assert_eq!((rollout.stage, rollout.wanted_buckets, rollout.end), (0, 20_000, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn exposures_without_outcomes_hold() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system
        .operator
        .start(plan("checkout", &[stage("half", 50_000, SECOND), everybody()]))
        .await;
    system.operator.delivered(1).await;
    agent.evaluator().of_users("checkout", 200).await;
    let exposures = |rollout: &v1::Rollout| {
        let counts = rollout.stage_counts.unwrap_or_default();
        counts.treatment.unwrap_or_default().exposures + counts.control.unwrap_or_default().exposures
    };
    let is_held = |rollout: &v1::Rollout| rollout.hold_reason == "too-few-outcomes" && exposures(rollout) == 200;
    let rollout = system
        .operator
        .rollout_until("a hold with all exposures", "checkout#1", is_held)
        .await;
    let counts = rollout.stage_counts.unwrap();
    let outcomes = counts.treatment.unwrap().outcomes + counts.control.unwrap().outcomes;
    assert_eq!((outcomes, rollout.phase(), rollout.stage), (0, RolloutPhase::Held, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_without_agents_is_held_and_goes_on_when_they_return() {
    let system = System::start().await;
    let mut agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system
        .operator
        .start(plan("checkout", &[stage("half", 50_000, SECOND), everybody()]))
        .await;
    agent.kill_9().await;
    let held = system.operator.held("checkout#1", "no-agents").await;
    assert_eq!((held.stage, held.delivery.as_ref().unwrap().live), (0, 0));

    agent.restart();
    agent.ready().await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    system.operator.phase("checkout#1", RolloutPhase::Completed).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_flag_holds_its_rollout_until_it_is_revived() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let half = v1::Stage {
        minimum_outcomes: Some(200),
        ..stage("half", 50_000, 2 * SECOND)
    };
    system.operator.start(plan("checkout", &[half, everybody()])).await;
    let soaks = |rollout: &v1::Rollout| rollout.soaked_us > 0;
    system.operator.rollout_until("soak", "checkout#1", soaks).await;
    system.operator.try_kill("checkout").await.unwrap();
    system.operator.delivered(1).await;
    let held = system.operator.held("checkout#1", "flag-off").await;
    for answer in agent.evaluator().of_users("checkout", 50).await {
        assert_eq!(
            (answer.value, answer.reason.as_str(), answer.arm),
            (Some(false), "DISABLED", None)
        );
    }
    system.console().succeeds(&["revive", "checkout"]).await;
    let done = system.operator.phase("checkout#1", RolloutPhase::Completed).await;
    assert!(
        done.sequence > held.sequence + 1,
        "it was resumed before it was completed: {:#?}",
        done.transitions
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_acknowledge_and_never_report_hold_a_rollout_as_stale() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    let _mute = stream::mute_agent(system.operator.channel(), stream::hello("mute", PRODUCTION)).await;
    system.operator.delivered(1).await;
    system
        .operator
        .start(plan("checkout", &[stage("half", 50_000, SECOND), everybody()]))
        .await;
    let held = system.operator.held("checkout#1", "stale").await;
    assert_eq!((held.stage, held.soaked_us, held.acked_buckets), (0, 0, 50_000));
    assert!(held.clock_started_at_us > 0, "it had applied the stage");
}
