#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Serve;

use super::*;
use crate::{
    builders::{START_US, actor, flag, key, production},
    change::flag::{Act, write},
    record::FlagRecord,
    schedule::{DEADLINE_US, ScheduledChange},
    trial::Trial,
};

async fn put(trial: &Trial, name: &str) {
    let record = FlagRecord {
        flag: flag(name),
        version: 1,
        created_at_us: START_US,
        updated_at_us: START_US,
        archived_at_us: None,
        revision: 0,
    };
    let (environment, actor) = (production(), actor());
    let act = Act::alone(&environment, "flag.create", &actor);
    let txn = write(Txn::default(), &trial.truth.state(), act, None, &record);
    trial.truth.commit(txn).await.unwrap();
}

fn schedule(name: &str, at_us: i64, change: ScheduledChange) -> ScheduleRecord {
    ScheduleRecord {
        id: Uuid::now_v7(),
        environment: production(),
        flag: key(name),
        at_us,
        change,
        expected_revision: 0,
        deadline_us: DEADLINE_US,
        actor: "ada".to_owned(),
        reason: "because".to_owned(),
        peer: String::new(),
        created_at_us: START_US,
        progress: Progress::Pending,
        revision: 0,
    }
}

async fn take(trial: &Trial, record: &ScheduleRecord) {
    let txn = change::create(&trial.truth.state(), record, &actor());
    trial.truth.commit(txn).await.unwrap();
}

fn now(trial: &Trial, name: &str) -> FlagRecord {
    FlagRecord::clone(trial.truth.state().flag(&production(), &key(name)).unwrap())
}

fn end(trial: &Trial, id: Uuid) -> Option<(ScheduleEnd, String)> {
    match &trial.truth.state().schedules[&(production(), id)].progress {
        Progress::Pending => None,
        Progress::Ended { end, outcome, .. } => Some((*end, outcome.clone())),
    }
}

#[tokio::test]
async fn a_change_is_made_at_its_time_once() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let record = schedule("checkout", START_US + 10, ScheduledChange::Enabled(false));
    take(&trial, &record).await;
    let mut scheduler = Scheduler::new(trial.truth.clone());
    scheduler.look(START_US + 9).await;
    assert!(now(&trial, "checkout").flag.enabled);
    for later in [10, 11, 1_000] {
        scheduler.look(START_US + later).await;
        let flag = now(&trial, "checkout");
        assert_eq!((flag.flag.enabled, flag.version), (false, 2));
    }
    assert_eq!(end(&trial, record.id).unwrap().0, ScheduleEnd::Done);
    assert_eq!(
        trial.truth.state().schedules[&(production(), record.id)].revision,
        now(&trial, "checkout").revision,
        "the change and the end of its schedule are one transaction"
    );
}

#[tokio::test]
async fn a_change_that_was_due_while_the_process_was_down_is_made_when_it_is_back() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let record = schedule("checkout", START_US + 10, ScheduledChange::Killed(true));
    take(&trial, &record).await;
    let trial = trial.again().await;
    Scheduler::new(trial.truth.clone()).look(START_US + 20).await;
    assert!(now(&trial, "checkout").flag.killed);
    let trial = trial.again().await;
    Scheduler::new(trial.truth.clone()).look(START_US + 30).await;
    assert_eq!(now(&trial, "checkout").version, 2, "once, whatever process looks");
}

#[tokio::test]
async fn what_comes_after_its_deadline_is_missed() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let record = schedule("checkout", START_US, ScheduledChange::Delete);
    take(&trial, &record).await;
    Scheduler::new(trial.truth.clone())
        .look(START_US + DEADLINE_US + 1)
        .await;
    assert_eq!(end(&trial, record.id).unwrap().0, ScheduleEnd::Missed);
    assert_eq!(now(&trial, "checkout").version, 1);
}

#[tokio::test]
async fn what_cannot_be_made_at_its_time_is_refused_with_the_reason() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let mut wrong = flag("checkout");
    wrong.default = Serve::Variant("nobody".to_owned());
    let fields = vec!["default_serve".to_owned()];
    let flag = Box::new(wrong);
    let gone = schedule("gone", START_US, ScheduledChange::Killed(true));
    let invalid = schedule("checkout", START_US, ScheduledChange::Patch { flag, fields });
    let stale = ScheduleRecord {
        expected_revision: 1,
        ..schedule("checkout", START_US, ScheduledChange::Enabled(false))
    };
    for (record, said) in [
        (gone, "does not exist"),
        (invalid, "has no variant \"nobody\""),
        (stale, "has changed"),
    ] {
        take(&trial, &record).await;
        Scheduler::new(trial.truth.clone()).look(START_US).await;
        let (how, why) = end(&trial, record.id).unwrap();
        assert_eq!(how, ScheduleEnd::Refused);
        assert!(why.contains(said), "{why}");
    }
    assert_eq!(now(&trial, "checkout").version, 1, "nothing was written");
}

#[tokio::test]
async fn what_is_due_together_is_made_in_the_order_of_its_times() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let late = schedule("checkout", START_US + 2, ScheduledChange::Enabled(true));
    let early = schedule("checkout", START_US + 1, ScheduledChange::Enabled(false));
    take(&trial, &late).await;
    take(&trial, &early).await;
    Scheduler::new(trial.truth.clone()).look(START_US + 5).await;
    let flag = now(&trial, "checkout");
    assert_eq!((flag.flag.enabled, flag.version), (true, 3));
}

#[tokio::test]
async fn a_patch_takes_its_fields_and_leaves_what_was_written_since() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let mut then = flag("checkout");
    then.owner = "payments".to_owned();
    then.description = "not taken".to_owned();
    let patch = ScheduledChange::Patch {
        flag: Box::new(then),
        fields: vec!["owner".to_owned()],
    };
    take(&trial, &schedule("checkout", START_US + 2, patch)).await;
    take(
        &trial,
        &schedule("checkout", START_US + 1, ScheduledChange::Killed(true)),
    )
    .await;
    Scheduler::new(trial.truth.clone()).look(START_US + 2).await;
    let flag = now(&trial, "checkout").flag;
    assert_eq!(
        (flag.owner.as_str(), flag.description.as_str(), flag.killed),
        ("payments", "", true)
    );
}

#[tokio::test]
async fn a_flag_is_archived_taken_back_and_deleted() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let changes = [
        (1, ScheduledChange::Archived(true)),
        (2, ScheduledChange::Archived(false)),
        (3, ScheduledChange::Delete),
    ];
    for (after, change) in changes {
        take(&trial, &schedule("checkout", START_US + after, change)).await;
    }
    let mut scheduler = Scheduler::new(trial.truth.clone());
    scheduler.look(START_US + 1).await;
    assert!(now(&trial, "checkout").archived_at_us.is_some());
    scheduler.look(START_US + 2).await;
    assert!(now(&trial, "checkout").archived_at_us.is_none());
    scheduler.look(START_US + 3).await;
    assert!(trial.truth.state().flag(&production(), &key("checkout")).is_none());
}

#[tokio::test]
async fn of_a_cancellation_and_the_change_one_happens() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let record = schedule("checkout", START_US, ScheduledChange::Enabled(false));
    take(&trial, &record).await;
    let state = trial.truth.state();
    let before = &state.schedules[&(production(), record.id)];
    let cancelled = before.ended(ScheduleEnd::Cancelled, START_US, "cancelled by ada");
    let cancel = change::end(Txn::default(), before, &cancelled, &actor());
    Scheduler::new(trial.truth.clone()).look(START_US).await;
    assert!(matches!(trial.truth.commit(cancel).await, Err(CommitError::Conflict)));
    assert_eq!(end(&trial, record.id).unwrap().0, ScheduleEnd::Done);
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let trial = Trial::new().await;
    put(&trial, "checkout").await;
    let record = schedule("checkout", START_US, ScheduledChange::Enabled(false));
    take(&trial, &record).await;
    let mut scheduler = Scheduler::new(trial.truth.clone());
    scheduler.look(START_US).await;
    take(
        &trial,
        &schedule("checkout", START_US + KEPT_US, ScheduledChange::Enabled(true)),
    )
    .await;
    scheduler.look(START_US + KEPT_US + 1).await;
    let state = trial.truth.state();
    assert!(!state.schedules.contains_key(&(production(), record.id)));
    assert_eq!(state.schedules.len(), 1);
}
