//! Treatment is taken away whatever the rollout is doing: paused, held, frozen, or not started yet. What an abort took
//! away comes back only to whoever names the abort; what an edit takes the place of is ended by that edit; what bakes
//! yields to the next.

use std::time::Duration;

use integration_tests::{
    acts::simple,
    agent::Agent,
    flags,
    plans::{everybody, half_for_long, micros, plan, stage},
    records::now_us,
    service::{Service, Traffic},
    system::System,
    violations::{names_exactly, stands_against},
};
use proto::v1::{self, RolloutPhase, act_request::Act};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_rollout_is_aborted_at_every_agent() {
    let (system, agents) = half_way().await;
    let paused = system.operator.act("checkout#1", simple::PAUSE).await;
    assert_eq!(paused.phase(), RolloutPhase::Paused);
    is_aborted(&system, &agents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_rollout_is_aborted_at_every_agent() {
    let (system, agents) = half_way().await;
    system.operator.act("checkout#1", simple::HOLD).await;
    system.operator.held("checkout#1", "person").await;
    is_aborted(&system, &agents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_rollout_is_aborted_at_every_agent() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout"), &[&agents[0], &agents[1]]).await;
    // A freeze forbids a start too, so it comes once there is something to stop.
    let half = v1::Stage {
        approvals: 1,
        ..stage("half", 50_000, Duration::from_secs(1))
    };
    let started = system.operator.start(plan("checkout", &[half, everybody()])).await;
    let frozen = v1::Plan {
        freezes: [("the-fair".to_owned(), today_and_tomorrow())].into(),
        ..started.plan.unwrap()
    };
    system.operator.try_edit("checkout#1", frozen).await.unwrap();
    let waits = |rollout: &v1::Rollout| {
        rollout
            .waits
            .iter()
            .map(|wait| wait.kind.as_str())
            .eq(["approvals", "window"])
    };
    system
        .operator
        .rollout_until("the gate to wait", "checkout#1", waits)
        .await;
    system.operator.act("checkout#1", simple::APPROVE).await;
    let refused = system
        .operator
        .try_act("checkout#1", simple::ADVANCE)
        .await
        .unwrap_err();
    assert!(refused.message().contains("the freeze the-fair to end"), "{refused}");
    let waiting = system.operator.rollout("checkout#1").await;
    let [wait] = waiting.waits.as_slice() else {
        panic!("it waits for the freeze alone: {waiting:#?}");
    };
    assert_eq!((wait.kind.as_str(), waiting.phase()), ("window", RolloutPhase::Gate));
    let left = Duration::from_micros(u64::try_from(wait.until_us - now_us()).unwrap());
    assert!(left <= 2 * DAY, "{left:?}");
    is_aborted(&system, &agents).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_waits_for_its_start_is_aborted_before_anybody_is_exposed() {
    let (system, agents) = with_a_flag().await;
    let frozen = v1::Plan {
        freezes: [("the-fair".to_owned(), today_and_tomorrow())].into(),
        ..plan("checkout", &[half_for_long()])
    };
    let waiting = system.operator.start(frozen).await;
    assert_eq!(
        (waiting.phase(), waiting.wanted_buckets),
        (RolloutPhase::AwaitingStart, 0)
    );
    assert_eq!(waiting.waits[0].kind, "window", "{:#?}", waiting.waits);
    nobody_gets_treatment(&agents).await;
    let aborted = system.operator.try_abort("checkout#1").await.unwrap();
    assert_eq!(aborted.wanted_buckets, 0);
    system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    assert_eq!(system.operator.get("checkout").await.rollout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_the_plan_names_aborts_and_another_does_nothing() {
    let (system, agents) = with_a_flag().await;
    let with_triggers = v1::Plan {
        manual_triggers: vec!["security-incident".to_owned()],
        ..plan("checkout", &[half_for_long()])
    };
    system.operator.start(with_triggers).await;
    system.operator.delivered(2).await;
    let fired = |name: &str| Act::Trigger(v1::Trigger { name: name.to_owned() });
    let unknown = system
        .operator
        .try_act("checkout#1", fired("bad-mood"))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound, "{unknown}");
    assert!(unknown.message().contains("security-incident"), "{unknown}");
    system.operator.act("checkout#1", fired("security-incident")).await;
    let end = system.operator.aborted("checkout#1").await.end.unwrap();
    assert_eq!((end.outcome.as_str(), end.cause.as_str()), ("aborted", "trigger"));
    nobody_gets_treatment(&agents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_would_move_units_is_refused_until_it_ends_the_rollout_and_says_why() {
    let (system, agents) = half_way().await;
    let operator = &system.operator;
    let to_everybody = || v1::Flag {
        default_serve: Some(flags::variant("on")),
        ..flags::boolean("checkout")
    };
    let refused = operator.try_update(to_everybody(), 0).await.unwrap_err();
    stands_against("an edit beside a rollout", &refused, "ROLLOUT", "checkout#1");
    let silent = operator.try_supersede(to_everybody(), "").await.unwrap_err();
    names_exactly("an end without a reason", &silent, &["supersede"]);
    assert_eq!(operator.rollout("checkout#1").await.phase(), RolloutPhase::Soaking);

    operator.try_supersede(to_everybody(), "it was decided").await.unwrap();
    let ended = operator.phase("checkout#1", RolloutPhase::Superseded).await;
    let end = ended.end.unwrap();
    assert_eq!((end.outcome.as_str(), end.cause.as_str()), ("superseded", "edit"));
    assert!(end.reason.contains("it was decided"), "{end:?}");
    assert_eq!(operator.get("checkout").await.rollout, "");
    operator.delivered(2).await;
    for agent in &agents {
        for answer in agent.evaluator().of_users("checkout", 50).await {
            assert_eq!((answer.value, answer.arm), (Some(true), None), "as the edit says");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_abort_took_away_comes_back_only_to_whoever_names_the_abort() {
    let (system, agents) = half_way().await;
    is_aborted(&system, &agents).await;
    let operator = &system.operator;
    let to_some = || v1::Flag {
        default_serve: Some(flags::split(&[("on", 1_000), ("off", 99_000)])),
        ..flags::boolean("checkout")
    };
    let refused = operator.try_update(to_some(), 0).await.unwrap_err();
    stands_against("an edit after an abort", &refused, "ROLLOUT", "checkout#1");
    let another = operator
        .try_update_after_abort(to_some(), "checkout#7")
        .await
        .unwrap_err();
    stands_against("another abort", &another, "ROLLOUT", "checkout#1");
    let described = v1::Flag {
        description: "moves nobody".to_owned(),
        ..flags::boolean("checkout")
    };
    operator.try_update(described, 0).await.unwrap();

    operator.try_update_after_abort(to_some(), "checkout#1").await.unwrap();
    let audited = operator.audit("checkout").await;
    assert_eq!(audited[0].action, "flag.update-after-abort", "{audited:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_bakes_yields_to_the_next_of_its_flag() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let operator = &system.operator;
    operator
        .create(flags::text("checkout", &["old", "new", "newest"]))
        .await;
    let between = |control: &str, treatment: &str, stages: &[v1::Stage]| v1::Plan {
        control: control.to_owned(),
        treatment: treatment.to_owned(),
        bake_us: Some(micros(14 * DAY)),
        ..plan("checkout", stages)
    };
    operator.start(between("old", "new", &[everybody()])).await;
    let baking = operator.phase("checkout#1", RolloutPhase::Baking).await;
    assert_eq!((baking.wanted_buckets, baking.end), (100_000, None));
    assert_eq!(
        operator.get("checkout").await.flag.unwrap().default_serve,
        Some(flags::variant("old")),
        "treatment is not the default before the bake is over"
    );
    // What bakes is what the next one is compared with.
    let wrong = operator
        .try_start(between("old", "newest", &[half_for_long()]))
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), tonic::Code::FailedPrecondition, "{wrong}");
    let next = operator.start(between("new", "newest", &[half_for_long()])).await;
    assert_eq!(next.name, "checkout#2");
    let first = operator.rollout("checkout#1").await;
    assert_eq!(
        (first.phase(), first.end.unwrap().outcome.as_str()),
        (RolloutPhase::Completed, "completed")
    );
    let flag = operator.get("checkout").await;
    assert_eq!(
        (flag.rollout.as_str(), flag.flag.unwrap().default_serve),
        ("checkout#2", Some(flags::variant("new")))
    );
    operator.delivered(1).await;
    for user in 0..50 {
        let user = format!("user-{user}");
        let answer = agent.evaluator().text("checkout", &user, &[]).await.unwrap();
        let is_in = evaluation::bucket("salt-of-checkout", &user) < 50_000;
        assert_eq!(
            answer.value.as_deref(),
            Some(if is_in { "newest" } else { "new" }),
            "{user}"
        );
    }
}

/// A control plane with two agents and a flag.
async fn with_a_flag() -> (System, [Agent; 2]) {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    (system, agents)
}

/// The same with a rollout at half of the units, which soaks.
async fn half_way() -> (System, [Agent; 2]) {
    let (system, agents) = with_a_flag().await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.phase("checkout#1", RolloutPhase::Soaking).await;
    system.operator.delivered(2).await;
    for agent in &agents {
        let answers = agent.evaluator().of_users("checkout", 50).await;
        assert!(
            answers.iter().any(|answer| answer.value == Some(true)),
            "some get treatment"
        );
    }
    (system, agents)
}

/// Aborts it, and believes it when nobody gets treatment any more.
async fn is_aborted(system: &System, agents: &[Agent; 2]) {
    system.operator.try_abort("checkout#1").await.unwrap();
    let aborted = system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    let delivery = aborted.delivery.unwrap();
    assert_eq!((aborted.wanted_buckets, delivery.live, delivery.persisted), (0, 2, 2));
    nobody_gets_treatment(agents).await;
    let refused = system.operator.try_act("checkout#1", simple::RESUME).await.unwrap_err();
    assert!(refused.message().contains("aborted"), "{refused}");
}

async fn nobody_gets_treatment(agents: &[Agent; 2]) {
    for agent in agents {
        agent.evaluator().gives_nobody_treatment("checkout", 100).await;
    }
}

/// A window of whole days that covers the present moment, and the next midnight.
fn today_and_tomorrow() -> String {
    // 1 January 1970 was a Thursday.
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let today = usize::try_from(now_us() / micros(DAY)).unwrap() % 7;
    format!("{},{} UTC", days[today], days[(today + 1) % 7])
}
