#![allow(clippy::unwrap_used, clippy::expect_used)]

use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{flag, production},
    trial::Trial,
};

const HOUR_US: i64 = 60 * 60 * 1_000_000;

async fn service() -> (Trial, SchedulesApi) {
    let trial = Trial::new().await;
    trial.write(flag("checkout")).await;
    let api = SchedulesApi::new(trial.truth.clone());
    (trial, api)
}

fn wanted(kind: Kind) -> v1::Schedule {
    v1::Schedule {
        environment: production().to_string(),
        flag: "checkout".to_owned(),
        at_us: runtime::clock::now_us() + HOUR_US,
        change: Some(v1::ScheduledChange { kind: Some(kind) }),
        ..v1::Schedule::default()
    }
}

async fn create(api: &SchedulesApi, schedule: v1::Schedule) -> Result<v1::Schedule, Status> {
    let request = v1::CreateScheduleRequest {
        schedule: Some(schedule),
    };
    let created = api.create_schedule(Request::new(request)).await?;
    Ok(created.into_inner().schedule.unwrap())
}

async fn list(api: &SchedulesApi, ended: bool, page_token: &str) -> v1::ListSchedulesResponse {
    let request = v1::ListSchedulesRequest {
        environment: production().to_string(),
        ended,
        page_size: 2,
        page_token: page_token.to_owned(),
        ..v1::ListSchedulesRequest::default()
    };
    api.list_schedules(Request::new(request)).await.unwrap().into_inner()
}

fn patch(flag: v1::Flag, paths: &[&str]) -> Kind {
    Kind::Patch(v1::FlagPatch {
        flag: Some(flag),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
    })
}

#[tokio::test]
async fn a_schedule_is_listed_as_it_was_taken_and_can_be_cancelled_once() {
    let (_trial, api) = service().await;
    let owner = v1::Flag {
        owner: "payments".to_owned(),
        ..v1::Flag::default()
    };
    let created = create(&api, wanted(patch(owner, &["owner"]))).await.unwrap();
    assert_eq!(created.state(), v1::ScheduleState::Pending);
    assert_eq!(list(&api, false, "").await.schedules, std::slice::from_ref(&created));

    let cancel = || {
        let (environment, id) = (created.environment.clone(), created.id.clone());
        api.cancel_schedule(Request::new(v1::CancelScheduleRequest { environment, id }))
    };
    let cancelled = cancel().await.unwrap().into_inner().schedule.unwrap();
    assert_eq!(cancelled.state(), v1::ScheduleState::Cancelled);
    let again = cancel().await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert!(again.message().contains("cancelled"), "{}", again.message());
    assert!(list(&api, false, "").await.schedules.is_empty());
    assert_eq!(list(&api, true, "").await.schedules, [cancelled]);
}

#[tokio::test]
async fn pending_schedules_come_by_due_time_page_by_page() {
    let (_trial, api) = service().await;
    let mut times = Vec::new();
    for hours in [5, 1, 4, 2, 3] {
        let mut schedule = wanted(Kind::Enabled(false));
        schedule.at_us += hours * HOUR_US;
        times.push(create(&api, schedule).await.unwrap().at_us);
    }
    times.sort_unstable();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(&api, false, &token).await;
        seen.extend(page.schedules.iter().map(|schedule| schedule.at_us));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, times);
}

#[tokio::test]
async fn a_page_goes_on_though_its_last_has_ended_and_only_with_the_list_that_it_is_from() {
    let (_trial, api) = service().await;
    let mut created = Vec::new();
    for hours in [1, 2, 3] {
        let mut schedule = wanted(Kind::Enabled(false));
        schedule.at_us += hours * HOUR_US;
        created.push(create(&api, schedule).await.unwrap());
    }
    let first = list(&api, false, "").await;
    assert_eq!(first.schedules, created[..2]);
    let cancel = v1::CancelScheduleRequest {
        environment: created[1].environment.clone(),
        id: created[1].id.clone(),
    };
    api.cancel_schedule(Request::new(cancel)).await.unwrap();
    let second = list(&api, false, &first.next_page_token).await;
    assert_eq!(second.schedules, created[2..]);
    assert!(second.next_page_token.is_empty());

    let broken = format!("{}x", first.next_page_token);
    for (ended, page_token) in [(true, &*first.next_page_token), (false, &*broken), (false, "x")] {
        let request = v1::ListSchedulesRequest {
            environment: production().to_string(),
            ended,
            page_size: 2,
            page_token: page_token.to_owned(),
            ..v1::ListSchedulesRequest::default()
        };
        let refused = api.list_schedules(Request::new(request)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{page_token}");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_and_nothing_is_taken() {
    let (trial, api) = service().await;
    let now_us = runtime::clock::now_us();
    let wrong = |edit: &dyn Fn(&mut v1::Schedule)| {
        let mut schedule = wanted(Kind::Enabled(true));
        edit(&mut schedule);
        schedule
    };
    let unknown = v1::Serve {
        kind: Some(v1::serve::Kind::Variant("nobody".to_owned())),
    };
    let unknown = v1::Flag {
        default_serve: Some(unknown),
        ..v1::Flag::default()
    };
    let change = |kind: Kind| Some(v1::ScheduledChange { kind: Some(kind) });
    let cases: [(v1::Schedule, &[&str]); 6] = [
        (
            wrong(&|schedule| (schedule.at_us, schedule.deadline_us) = (now_us - HOUR_US, -1)),
            &["schedule.at_us", "schedule.deadline_us"],
        ),
        (
            wrong(&|schedule| schedule.at_us = now_us + 3 * HORIZON_US),
            &["schedule.at_us"],
        ),
        (wrong(&|schedule| schedule.change = None), &["schedule.change"]),
        (
            wrong(&|schedule| schedule.change = change(patch(v1::Flag::default(), &[]))),
            &["schedule.change.patch.update_mask"],
        ),
        (
            wrong(&|schedule| schedule.change = change(patch(v1::Flag::default(), &["ownr", "type"]))),
            &[
                "schedule.change.patch.update_mask.paths[0]",
                "schedule.change.patch.update_mask.paths[1]",
            ],
        ),
        (
            wrong(&|schedule| schedule.change = change(patch(unknown.clone(), &["default_serve"]))),
            &["default.variant"],
        ),
    ];
    for (schedule, fields) in cases {
        let refused = create(&api, schedule).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        let found = refused.get_details_bad_request().unwrap().field_violations;
        let found = found.iter().map(|found| found.field.as_str()).collect::<Vec<_>>();
        assert_eq!(found, fields);
    }
    let nowhere = create(&api, wrong(&|schedule| schedule.flag = "gone".to_owned())).await;
    assert_eq!(nowhere.unwrap_err().code(), Code::NotFound);
    assert!(trial.truth.state().schedules.is_empty());
}
