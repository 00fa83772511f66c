//! `kill -9` of the control plane in the middle of an abort, or just before one: it stands, reaches everybody, and is
//! claimed only when it has.

use integration_tests::{
    agent::Agent,
    flags,
    plans::{half_for_long, plan},
    proxy::Proxy,
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1::{self, RolloutPhase};

/// How often an abort meets a crash.
const ATTEMPTS: u32 = 4;
/// Looks of the engine at rollouts.
const LOOKS: &str = "tidegate_engine_looks_total";

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
        agent.evaluator().gives_nobody_treatment("checkout", 100).await;
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
    agents[0].evaluator().gives_nobody_treatment("checkout", 100).await;

    proxy.thaw();
    system.operator.nobody_is_unreached("checkout#1", 2).await;
    agents[1].evaluator().gives_nobody_treatment("checkout", 100).await;
}

/// A rollout of half the units, an agent that reaches the control plane and one whose way is cut; and the control plane,
/// killed with -9, is back, knows the first agent again and has fresh data of it.
async fn one_of_two_is_back(system: &mut System, proxy: &Proxy) -> [Agent; 2] {
    let agents = [
        system.agent("agent-1").await,
        system.agent_behind(proxy, "agent-2").await,
    ];
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    // An orderly end writes down who is there; else that takes some seconds, and a crash may come before.
    system.control_plane.terminate().await;
    system.control_plane.restart().await;
    system.operator.delivered(2).await;
    proxy.freeze();
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    let is_seen = |rollout: &v1::Rollout| {
        let is_fresh = rollout.evidence.as_ref().is_some_and(|evidence| evidence.fresh);
        is_fresh && rollout.delivery.as_ref().is_some_and(|delivery| delivery.live == 1)
    };
    system.operator.rollout_until("fresh data", "checkout#1", is_seen).await;
    looked_again(system, 2.0).await;
    agents
}

/// Waits until the engine has looked so often at the rollout.
async fn looked_again(system: &System, times: f64) {
    let before = system.control_plane.metric(LOOKS).await;
    wait::until("the engine to look again", async || {
        let looks = system.control_plane.metric(LOOKS).await;
        wait::so(looks >= before + times, looks)
    })
    .await;
}

/// Waits until the engine has looked again and again after the one agent that is back had the abort; it must not call it
/// delivered.
async fn is_not_called_delivered(system: &System) {
    let has_it = |rollout: &v1::Rollout| {
        rollout.phase() == RolloutPhase::Aborted
            || rollout
                .delivery
                .as_ref()
                .is_some_and(|delivery| delivery.persisted == 1)
    };
    system
        .operator
        .rollout_until("the first to have it", "checkout#1", has_it)
        .await;
    let before = system.control_plane.metric(LOOKS).await;
    wait::until("the engine to look again", async || {
        let rollout = system.operator.try_rollout("checkout#1").await;
        let rollout = rollout.map_err(|status| status.to_string())?;
        assert_eq!(rollout.phase(), RolloutPhase::Aborting, "{:#?}", rollout.transitions);
        let looks = system.control_plane.metric(LOOKS).await;
        wait::so(looks >= before + 5.0, looks)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_soon_after_a_crash_is_not_proved_by_the_first_agents_that_are_back() {
    let mut system = System::start().await;
    let proxy = system.proxy().await;
    let agents = one_of_two_is_back(&mut system, &proxy).await;
    system.operator.try_abort("checkout#1").await.unwrap();
    is_not_called_delivered(&system).await;
    gets_treatment(&agents[1]).await;
    proxy.thaw();
    let rollout = system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    abort_was_made_once(&rollout);
    let unreached = rollout.delivery.unwrap().unreached;
    if unreached.is_empty() {
        agents[1].evaluator().gives_nobody_treatment("checkout", 100).await;
    } else {
        assert_eq!(unreached, ["agent-2"], "it is named while it stays away");
    }
    system.operator.nobody_is_unreached("checkout#1", 2).await;
    agents[1].evaluator().gives_nobody_treatment("checkout", 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stays_away_after_a_crash_is_named_by_an_abort_that_comes_later() {
    let mut system = System::start().await;
    let proxy = system.proxy().await;
    let agents = one_of_two_is_back(&mut system, &proxy).await;
    system.operator.try_abort("checkout#1").await.unwrap();
    is_not_called_delivered(&system).await;
    let rollout = system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    assert_eq!(rollout.delivery.unwrap().unreached, ["agent-2"]);
    gets_treatment(&agents[1]).await;
}

async fn gets_treatment(agent: &Agent) {
    let answers = agent.evaluator().of_users("checkout", 100).await;
    assert!(
        answers.iter().any(|answer| answer.value == Some(true)),
        "it was told all the same"
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
        agent.evaluator().gives_nobody_treatment(&flag, 100).await;
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
    agent.evaluator().gives_nobody_treatment("checkout", 100).await;
    service.stop().await;
}
