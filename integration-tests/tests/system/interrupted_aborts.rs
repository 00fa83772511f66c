//! `kill -9` of the control plane in the middle of an abort, or just before one: it stands, reaches everybody, and is
//! claimed only when it has.

use integration_tests::{
    agent::Agent,
    flags,
    plans::{half_for_long, plan},
    service::{Service, Traffic},
    system::System,
};
use proto::v1::{self, RolloutPhase};

/// How often an abort meets a crash.
const ATTEMPTS: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_amid_an_abort_leaves_it_standing_until_every_agent_has_it() {
    let mut system = System::start().await;
    let proxy = system.proxy().await;
    let agents = [
        system.agent("agent-1").await,
        system.agent_behind(&proxy, "agent-2").await,
    ];
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout"), &[&agents[0], &agents[1]]).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    let heard = |rollout: &v1::Rollout| rollout.evidence.as_ref().is_some_and(|evidence| evidence.batches > 0);
    system.operator.rollout_until("outcomes", "checkout#1", heard).await;
    // The second agent is live and cannot be told, so the abort is under way when the crash comes.
    proxy.freeze();
    let aborting = system.operator.try_abort("checkout#1").await.unwrap();
    assert_eq!((aborting.phase(), aborting.wanted_buckets), (RolloutPhase::Aborting, 0));
    system.control_plane.kill_9().await;
    gets_treatment(&agents[1]).await;
    proxy.thaw();
    system.control_plane.restart().await;

    let rollout = system.operator.aborted("checkout#1").await;
    abort_was_made_once(&rollout);
    system.operator.delivered(2).await;
    for agent in &agents {
        gets_control(agent, "checkout").await;
    }
    let seen = service.stop().await;
    assert_eq!(seen.failed, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stays_away_after_a_crash_amid_an_abort_is_named() {
    let mut system = System::start().await;
    let proxy = system.proxy().await;
    let agents = [
        system.agent("agent-1").await,
        system.agent_behind(&proxy, "agent-2").await,
    ];
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(2).await;
    proxy.freeze();
    system.operator.try_abort("checkout#1").await.unwrap();
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    let rollout = system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    assert_eq!(rollout.delivery.unwrap().unreached, ["agent-2"]);
    gets_control(&agents[0], "checkout").await;

    proxy.thaw();
    system.operator.nobody_is_unreached("checkout#1", 2).await;
    gets_control(&agents[1], "checkout").await;
}

async fn gets_treatment(agent: &Agent) {
    let answers = agent.evaluator().of_users("checkout", 100).await;
    assert!(
        answers.iter().any(|answer| answer.value == Some(true)),
        "it was told all the same"
    );
}

async fn gets_control(agent: &Agent, flag: &str) {
    let answers = agent.evaluator().of_users(flag, 100).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.value == Some(false) && answer.arm.is_none()),
        "{answers:?}"
    );
}

fn abort_was_made_once(rollout: &v1::Rollout) {
    let aborts = rollout.transitions.iter().filter(|made| made.kind == "aborted");
    assert_eq!(aborts.count(), 1, "{:#?}", rollout.transitions);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_was_answered_stands_whenever_the_crash_comes() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    for attempt in 1..=ATTEMPTS {
        let flag = format!("flag-{attempt}");
        let name = format!("{flag}#1");
        system.operator.create(flags::boolean(&flag)).await;
        system.operator.start(plan(&flag, &[half_for_long()])).await;
        let operator = system.operator.clone();
        let abort = tokio::spawn({
            let name = name.clone();
            async move { operator.try_abort(&name).await }
        });
        if attempt % 2 == 0 {
            tokio::task::yield_now().await;
        } else {
            let _ = system.operator.try_rollout(&name).await;
        }
        system.control_plane.kill_9().await;
        let answer = abort.await.unwrap();
        system.control_plane.restart().await;
        let found = system.operator.rollout(&name).await;
        assert!(
            answer.is_err() || found.end.is_some(),
            "an abort that was answered is gone: {found:#?}"
        );
        if found.end.is_none() {
            system.operator.try_abort(&name).await.unwrap();
        }
    }
    system.operator.delivered(1).await;
    for attempt in 1..=ATTEMPTS {
        let flag = format!("flag-{attempt}");
        gets_control(&agent, &flag).await;
        abort_was_made_once(&system.operator.phase(&format!("{flag}#1"), RolloutPhase::Aborted).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_as_harm_shows_delays_the_abort_and_does_not_prevent_it() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    let service = Service::start(Traffic::of("checkout").failing(0.4, 0.01), &[&agent]).await;
    let shows = |rollout: &v1::Rollout| {
        rollout
            .evidence
            .as_ref()
            .is_some_and(|evidence| evidence.log_evidence.is_some())
    };
    system.operator.rollout_until("evidence", "checkout#1", shows).await;
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    let rollout = system.operator.aborted("checkout#1").await;
    abort_was_made_once(&rollout);
    assert_eq!(rollout.end.unwrap().cause, "evidence");
    gets_control(&agent, "checkout").await;
    service.stop().await;
}
