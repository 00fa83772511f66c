//! Changes with a time: what is sent, what is shown, what is cancelled.
#![allow(clippy::unwrap_used)]

use proto::v1::{self, scheduled_change::Kind};
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake};

#[tonic::async_trait]
impl v1::schedules_server::Schedules for Fake {
    async fn create_schedule(&self, request: Request<v1::CreateScheduleRequest>) -> Answer<v1::CreateScheduleResponse> {
        let mut schedule = request.into_inner().schedule.unwrap();
        let mut state = self.state();
        schedule.id = format!("s{}", state.schedules.len() + 1);
        schedule.state = v1::ScheduleState::Pending.into();
        state.schedules.insert(schedule.id.clone(), schedule.clone());
        Ok(Response::new(v1::CreateScheduleResponse {
            schedule: Some(schedule),
        }))
    }

    async fn get_schedule(&self, request: Request<v1::GetScheduleRequest>) -> Answer<v1::GetScheduleResponse> {
        let id = request.into_inner().id;
        let schedule = self.state().schedules.get(&id).cloned();
        let schedule = schedule.ok_or_else(|| Status::not_found(format!("no schedule {id}")))?;
        Ok(Response::new(v1::GetScheduleResponse {
            schedule: Some(schedule),
        }))
    }

    async fn list_schedules(&self, request: Request<v1::ListSchedulesRequest>) -> Answer<v1::ListSchedulesResponse> {
        let ended = request.into_inner().ended;
        let state = self.state();
        let fits = |one: &&v1::Schedule| ended || one.state() == v1::ScheduleState::Pending;
        Ok(Response::new(v1::ListSchedulesResponse {
            schedules: state.schedules.values().filter(fits).cloned().collect(),
            ..Default::default()
        }))
    }

    async fn cancel_schedule(&self, request: Request<v1::CancelScheduleRequest>) -> Answer<v1::CancelScheduleResponse> {
        let mut state = self.state();
        let schedule = state.schedules.get_mut(&request.get_ref().id).unwrap();
        if schedule.state() != v1::ScheduleState::Pending {
            return Err(Status::failed_precondition("it has ended: cancelled"));
        }
        schedule.state = v1::ScheduleState::Cancelled.into();
        let schedule = Some(schedule.clone());
        Ok(Response::new(v1::CancelScheduleResponse { schedule }))
    }
}

const AT: [&str; 2] = ["--at", "2026-12-01T09:00:00Z"];

fn patch(schedule: &v1::Schedule) -> (Vec<String>, v1::Flag) {
    match schedule.change.clone().unwrap().kind.unwrap() {
        Kind::Patch(patch) => (patch.update_mask.unwrap().paths, patch.flag.unwrap()),
        other => panic!("a patch, not {other:?}"),
    }
}

#[tokio::test]
async fn a_set_at_a_time_sends_only_what_it_changes() {
    let fake = Fake::start().await;
    fake.run(&["create", "checkout", "--description", "kept"]).await;
    let line = ["schedule", "set", "checkout", "on", "--percent", "50"];
    let scheduled = fake.run(&[&line[..], &AT].concat()).await;
    let expected = "checkout: set on 50 %, off 50 % at 2026-12-01 09:00:00Z (pending, id s1)\n\
                    cancel it with: tidegate schedule cancel s1 -e production\n";
    assert_eq!(
        (scheduled.out.as_str(), scheduled.err.as_str()),
        (expected, ""),
        "{scheduled:?}"
    );
    let schedule = fake.state().schedules["s1"].clone();
    let (fields, flag) = patch(&schedule);
    assert_eq!(
        (fields, flag.description.as_str()),
        (vec!["default_serve".to_owned()], "")
    );
    assert_eq!((schedule.expected_revision, schedule.at_us), (0, 1_796_115_600_000_000));
}

#[tokio::test]
async fn a_change_of_whole_lists_is_made_only_if_nobody_changed_the_flag() {
    let fake = Fake::start().await;
    fake.run(&["create", "checkout"]).await;
    let line = [
        "schedule",
        "set",
        "checkout",
        "on",
        "--allow",
        "user-7",
        "--deadline",
        "1h",
    ];
    let scheduled = fake.run(&[&line[..], &AT].concat()).await;
    assert!(
        scheduled.err.contains("refused then if the flag was changed"),
        "{scheduled:?}"
    );
    let schedule = fake.state().schedules["s1"].clone();
    assert_eq!(patch(&schedule).0, ["default_serve", "allow"]);
    assert_eq!((schedule.expected_revision, schedule.deadline_us), (1, 3_600_000_000));
}

#[tokio::test]
async fn switches_are_scheduled_by_their_names() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    let cases = [
        ("enable", Kind::Enabled(true)),
        ("disable", Kind::Enabled(false)),
        ("kill", Kind::Killed(true)),
        ("revive", Kind::Killed(false)),
        ("archive", Kind::Archived(true)),
        ("unarchive", Kind::Archived(false)),
        ("delete", Kind::Delete(v1::DeleteIt {})),
    ];
    for (number, (name, kind)) in cases.into_iter().enumerate() {
        let scheduled = fake.run(&["schedule", name, "a", "--in", "2h", "--if-unchanged"]).await;
        assert_eq!(scheduled.code, 0, "{scheduled:?}");
        let schedule = fake.state().schedules[&format!("s{}", number + 1)].clone();
        assert_eq!(schedule.change.unwrap().kind, Some(kind));
        assert_eq!(schedule.expected_revision, 1);
    }
    let list = fake.run(&["schedule", "list"]).await;
    assert_eq!(list.out.lines().count(), 8, "{list:?}");
}

#[tokio::test]
async fn a_schedule_is_shown_and_cancelled_once() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    fake.run(&[&["schedule", "kill", "a"][..], &AT].concat()).await;
    let json: serde_json::Value =
        serde_json::from_str(&fake.run(&["schedule", "get", "s1", "-o", "json"]).await.out).unwrap();
    assert_eq!(
        (&json["change"]["action"], &json["at"]),
        (&"kill".into(), &"2026-12-01T09:00:00Z".into())
    );
    let cancelled = fake.run(&["schedule", "cancel", "s1"]).await;
    assert!(cancelled.out.contains("(cancelled, id s1)"), "{cancelled:?}");
    assert_eq!(fake.run(&["schedule", "cancel", "s1"]).await.code, 1);
    assert_eq!(
        fake.run(&["schedule", "list"]).await.out,
        "no scheduled changes in production\n"
    );
    assert_eq!(fake.run(&["schedule", "list", "--all"]).await.out.lines().count(), 2);
    assert_eq!(fake.run(&["schedule", "get", "s9"]).await.code, 1);
}

#[tokio::test]
async fn what_cannot_be_scheduled_says_why() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    let cases: [(&[&str], i32, &str); 3] = [
        (&["schedule", "set", "a", "onn"], 1, "no variant `onn`"),
        (&["schedule", "set", "aa", "on"], 1, "did you mean a?"),
        (&["schedule", "set", "b", "on", "--create"], 2, "create it first"),
    ];
    for (line, code, part) in cases {
        let refused = fake.run(&[line, &AT].concat()).await;
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.err.contains(part), "{refused:?}");
    }
    assert!(fake.state().schedules.is_empty());
}
