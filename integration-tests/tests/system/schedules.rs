//! Changes with a time: made at it, once, whatever happens to the control plane; or not made, and then for a reason that
//! is told.

use std::time::Duration;

use integration_tests::{
    flags,
    operator::Operator,
    plans::{half_for_long, micros, plan},
    records::{now_us, versions},
    system::{PRODUCTION, System},
    violations, wait,
};
use proto::v1::{self, ScheduleState, scheduled_change::Kind, schedules_client::SchedulesClient};
use tonic::{Code, Status};

/// Soon, and not so soon that a slow machine cannot look first.
const SOON: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_at_its_time_once_and_reaches_the_agent() {
    let system = System::start().await;
    let operator = &system.operator;
    let agent = system.agent("agent").await;
    operator.create(flags::boolean("checkout")).await;
    operator.delivered(1).await;
    let at_us = after(Duration::from_secs(2));
    let created = try_create(operator, "checkout", at_us, serving("on")).await.unwrap();
    assert_eq!(created.state(), ScheduleState::Pending, "{created:#?}");
    assert_eq!(pending(operator).await, vec![created.clone()]);
    let value = agent.evaluator().boolean("checkout", "ann").await.unwrap().value;
    assert_eq!(value, Some(false), "not before its time");

    let done = ended(operator, &created.id).await;
    assert_eq!(done.state(), ScheduleState::Done, "{done:#?}");
    assert!(done.ended_at_us >= at_us, "{done:#?}");
    wait::until("the agent to serve it", async || {
        let value = agent.evaluator().boolean("checkout", "ann").await.unwrap().value;
        wait::so(value == Some(true), value)
    })
    .await;
    let flag = operator.get("checkout").await;
    assert_eq!((flag.version, flag.revision), (2, done.done_revision));
    let written = versions(operator, "flag", "checkout").await;
    assert_eq!(written.len(), 2, "{written:#?}");
    assert!(written[0].reason.contains(&created.id), "{written:#?}");
    let acts = operator.audit("checkout").await;
    let actions: Vec<_> = acts.iter().map(|act| act.action.as_str()).collect();
    for action in ["schedule.create", "flag.update", "schedule.execute"] {
        assert_eq!(
            actions.iter().filter(|done| **done == action).count(),
            1,
            "{action}: {actions:?}"
        );
    }
    assert_eq!(pending(operator).await, Vec::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_can_be_scheduled_and_those_due_together_are_made_in_order() {
    let system = System::start().await;
    let operator = &system.operator;
    for key in ["killed", "enabled", "archived", "deleted", "ordered"] {
        operator.create(flags::boolean(key)).await;
    }
    let at_us = after(SOON);
    let mut schedules = Vec::new();
    for (flag, at_us, change) in [
        ("killed", at_us, Kind::Killed(true)),
        ("enabled", at_us, Kind::Enabled(false)),
        ("archived", at_us, Kind::Archived(true)),
        ("deleted", at_us, Kind::Delete(v1::DeleteIt {})),
        ("ordered", at_us + 2, serving("off")),
        ("ordered", at_us + 1, serving("on")),
    ] {
        schedules.push(try_create(operator, flag, at_us, change).await.unwrap());
    }
    for schedule in &schedules {
        let done = ended(operator, &schedule.id).await;
        assert_eq!(done.state(), ScheduleState::Done, "{done:#?}");
    }
    let flag = async |key| operator.get(key).await.flag.unwrap();
    assert!(flag("killed").await.killed && !flag("enabled").await.enabled);
    assert!(operator.get("archived").await.archived_at_us > 0);
    assert_eq!(operator.try_get("deleted").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(flag("ordered").await.default_serve, Some(flags::variant("off")));
    assert_eq!(operator.get("ordered").await.version, 3, "both were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_is_never_made_and_what_has_ended_cannot_be_cancelled() {
    let system = System::start().await;
    let operator = &system.operator;
    for key in ["checkout", "later"] {
        operator.create(flags::boolean(key)).await;
    }
    let at_us = after(SOON);
    let cancelled = try_create(operator, "checkout", at_us, serving("on")).await.unwrap();
    let later = try_create(operator, "later", at_us + 1, serving("on")).await.unwrap();
    let answer = try_cancel(operator, &cancelled.id).await.unwrap();
    assert_eq!(answer.state(), ScheduleState::Cancelled);
    assert_eq!(ended(operator, &later.id).await.state(), ScheduleState::Done);
    assert_eq!(get(operator, &cancelled.id).await, answer, "its time came and went");
    assert_eq!(operator.get("checkout").await.version, 1);
    for id in [&cancelled.id, &later.id] {
        let again = try_cancel(operator, id).await.unwrap_err();
        violations::stands_against("it has ended", &again, "SCHEDULE", id);
    }
    let unknown = try_cancel(operator, "0190a000-0000-7000-8000-000000000000")
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound, "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_at_or_after_its_time_makes_a_change_exactly_once() {
    let mut system = System::start().await;
    let mut schedules = Vec::new();
    for round in 0..10_u32 {
        let (operator, key) = (system.operator.clone(), format!("flag-{round}"));
        operator.create(flags::boolean(&key)).await;
        let at_us = after(Duration::from_millis(400));
        let schedule = try_create(&operator, &key, at_us, serving("on")).await.unwrap();
        // From well before its time over the very moment to well after it.
        let crash_us = at_us + (i64::from(round) - 4) * 15_000;
        let moment = format!("the moment {crash_us} of the crash");
        wait::until(&moment, async || wait::so(now_us() >= crash_us, now_us())).await;
        system.control_plane.kill_9().await;
        system.control_plane.restart().await;
        let done = ended(&operator, &schedule.id).await;
        assert_eq!(done.state(), ScheduleState::Done, "round {round}: {done:#?}");
        schedules.push((key, done));
    }
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    for (key, done) in schedules {
        let written = versions(&system.operator, "flag", &key).await;
        assert_eq!(written.len(), 2, "{key}: {written:#?}");
        assert_eq!(written[0].revision, done.done_revision, "{key}");
        let acts = system.operator.audit(&key).await;
        let executed = acts.iter().filter(|act| act.action == "schedule.execute");
        assert_eq!(executed.count(), 1, "{key}: {acts:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollout_or_a_later_edit_stands_against_is_refused_at_its_time_and_told() {
    let system = System::start().await;
    let operator = &system.operator;
    let edited = operator.create(flags::boolean("edited")).await;
    operator.create(flags::boolean("held")).await;
    let at_us = after(SOON);
    let held = try_create(operator, "held", at_us, serving("on")).await.unwrap();
    let stale = v1::Schedule {
        expected_revision: edited.revision,
        ..schedule("edited", at_us, serving("on"))
    };
    let stale = try_create_schedule(operator, stale).await.unwrap();
    let rollout = operator.start(plan("held", &[half_for_long()])).await;
    let owned = v1::Flag {
        owner: "ann".to_owned(),
        ..flags::boolean("edited")
    };
    let owned = operator.update(owned).await;

    let refused = ended(operator, &held.id).await;
    assert_eq!(refused.state(), ScheduleState::Refused, "{refused:#?}");
    assert!(refused.outcome.contains(&rollout.name), "{refused:#?}");
    let refused = ended(operator, &stale.id).await;
    assert_eq!(refused.state(), ScheduleState::Refused, "{refused:#?}");
    assert!(refused.outcome.contains("has changed"), "{refused:#?}");
    assert_eq!(operator.get("held").await.version, 1);
    assert_eq!(operator.get("edited").await, owned);
    for key in ["held", "edited"] {
        let acts = operator.audit(key).await;
        let told = acts.iter().filter(|act| act.action == "schedule.refuse");
        assert_eq!(told.count(), 1, "{key}: {acts:#?}");
    }
    // What stands against it already is said when it is scheduled.
    let now = try_create(operator, "held", after(SOON), serving("on"))
        .await
        .unwrap_err();
    violations::stands_against("a rollout holds it", &now, "ROLLOUT", &rollout.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_made_within_its_deadline_is_missed_and_what_could_is_made_late() {
    let mut system = System::start().await;
    let operator = system.operator.clone();
    for key in ["strict", "patient"] {
        operator.create(flags::boolean(key)).await;
    }
    let at_us = after(Duration::from_millis(700));
    let strict = v1::Schedule {
        deadline_us: 1,
        ..schedule("strict", at_us, serving("on"))
    };
    let strict = try_create_schedule(&operator, strict).await.unwrap();
    let patient = try_create(&operator, "patient", at_us, serving("on")).await.unwrap();
    system.control_plane.kill_9().await;
    wait::until("their time to pass", async || wait::so(now_us() > at_us + 1, now_us())).await;
    system.control_plane.restart().await;
    let missed = ended(&operator, &strict.id).await;
    assert_eq!(missed.state(), ScheduleState::Missed, "{missed:#?}");
    assert_eq!(operator.get("strict").await.version, 1);
    let acts = operator.audit("strict").await;
    assert_eq!(acts[0].action, "schedule.miss", "{acts:#?}");
    assert_eq!(ended(&operator, &patient.id).await.state(), ScheduleState::Done);
    assert_eq!(
        operator.get("patient").await.flag.unwrap().default_serve,
        Some(flags::variant("on"))
    );
}

/// A patch that serves a variant by default.
fn serving(variant: &str) -> Kind {
    Kind::Patch(v1::FlagPatch {
        flag: Some(v1::Flag {
            default_serve: Some(flags::variant(variant)),
            ..v1::Flag::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["default_serve".to_owned()],
        }),
    })
}

fn schedule(flag: &str, at_us: i64, change: Kind) -> v1::Schedule {
    v1::Schedule {
        environment: PRODUCTION.to_owned(),
        flag: flag.to_owned(),
        at_us,
        change: Some(v1::ScheduledChange { kind: Some(change) }),
        ..v1::Schedule::default()
    }
}

async fn try_create(operator: &Operator, flag: &str, at_us: i64, change: Kind) -> Result<v1::Schedule, Status> {
    try_create_schedule(operator, schedule(flag, at_us, change)).await
}

async fn try_create_schedule(operator: &Operator, schedule: v1::Schedule) -> Result<v1::Schedule, Status> {
    let request = v1::CreateScheduleRequest {
        schedule: Some(schedule),
    };
    let created = SchedulesClient::new(operator.channel())
        .create_schedule(request)
        .await?;
    Ok(created.into_inner().schedule.unwrap())
}

async fn try_cancel(operator: &Operator, id: &str) -> Result<v1::Schedule, Status> {
    let request = v1::CancelScheduleRequest {
        environment: PRODUCTION.to_owned(),
        id: id.to_owned(),
    };
    let cancelled = SchedulesClient::new(operator.channel())
        .cancel_schedule(request)
        .await?;
    Ok(cancelled.into_inner().schedule.unwrap())
}

async fn get(operator: &Operator, id: &str) -> v1::Schedule {
    let request = v1::GetScheduleRequest {
        environment: PRODUCTION.to_owned(),
        id: id.to_owned(),
    };
    let got = SchedulesClient::new(operator.channel())
        .get_schedule(request)
        .await
        .unwrap();
    got.into_inner().schedule.unwrap()
}

async fn pending(operator: &Operator) -> Vec<v1::Schedule> {
    let request = v1::ListSchedulesRequest {
        environment: PRODUCTION.to_owned(),
        ..v1::ListSchedulesRequest::default()
    };
    let listed = SchedulesClient::new(operator.channel())
        .list_schedules(request)
        .await
        .unwrap();
    listed.into_inner().schedules
}

/// A schedule once it is no longer pending.
async fn ended(operator: &Operator, id: &str) -> v1::Schedule {
    wait::until("a schedule to end", async || {
        let schedule = get(operator, id).await;
        match schedule.state() {
            ScheduleState::Pending => Err(format!("{schedule:#?}")),
            _ => Ok(schedule),
        }
    })
    .await
}

/// This long from now.
fn after(duration: Duration) -> i64 {
    now_us() + micros(duration)
}
