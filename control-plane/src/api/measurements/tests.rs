#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Arm, Position};
use prost_types::{Struct, Value, value::Kind};
use proto::{said::Said, token::Token, v1::measurement::Of};
use rollout::{Unit, measure::Counting};
use runtime::shutdown::Shutdown;

use super::*;
use crate::{
    builders::{SECOND_US, actor, flag, key, plan_of, production, started, started_by},
    change::rollout::{self as changes, Count},
    health::collector::Collector,
    record::RolloutRecord,
    sync::fleet::Fleet,
    trial::Trial,
};

/// The token key of every environment of a trial.
const TOKEN_KEY: u128 = 1;

/// The service over a store of its own, with a rollout of the flag checkout at 50 %, which counts complaints and
/// faithfulness, and looks at cpu.
struct Service {
    trial: Trial,
    api: MeasurementsApi,
}

impl Service {
    async fn new() -> Self {
        Self::with(|record| record).await
    }

    async fn with(change: impl Fn(RolloutRecord) -> RolloutRecord) -> Self {
        let trial = Trial::new().await;
        let state = trial.write(flag("checkout")).await;
        let mut plan = plan_of("checkout", Unit::Unit, &[50, 100], SECOND_US);
        plan.observed = ["complaints", "cpu", "faithfulness"].map(str::to_owned).into();
        let now_us = now_us();
        let mut record = started(plan, 1);
        record.started_at_us = now_us;
        for visit in &mut record.state.visits {
            visit.entered_at_us = now_us - 30 * 60 * SECOND_US;
        }
        let record = change(record);
        let count = Count {
            value: 0,
            revision: None,
        };
        let flag = state.flag(&production(), &key("checkout")).unwrap();
        trial.commit(started_by(&record, flag, count, &actor())).await;
        let api = MeasurementsApi::new(trial.truth.clone(), Levels::new(false));
        Self { trial, api }
    }

    fn rollout(&self) -> Arc<RolloutRecord> {
        let state = self.trial.truth.state();
        found_rollout(&state, &production(), "checkout#1").unwrap()
    }

    async fn push(&self, measurements: Vec<v1::Measurement>) -> Result<v1::PushResponse, Status> {
        self.push_to("checkout#1", "", measurements).await
    }

    async fn push_to(
        &self,
        rollout: &str,
        flag: &str,
        measurements: Vec<v1::Measurement>,
    ) -> Result<v1::PushResponse, Status> {
        let mut request = Request::new(v1::PushRequest {
            environment: "production".to_owned(),
            rollout: rollout.to_owned(),
            flag: flag.to_owned(),
            measurements,
        });
        Said::Actor.say(request.metadata_mut(), "support-desk");
        Ok(self.api.push(request).await?.into_inner())
    }

    /// What waits: (arm, bucket, number of the counting, numerator, denominator).
    fn waiting(&self) -> Vec<(Arm, u8, u16, i64, u64)> {
        let state = self.trial.truth.state();
        let items = state.waiting.values().flat_map(|waiting| waiting.items.clone());
        let shown = |item: crate::push::Item| (item.arm, item.bucket, item.metric, item.num, item.den);
        items.map(shown).collect()
    }

    /// Number of the counting of a metric.
    fn number(&self, metric: &str) -> u16 {
        let counted = self.rollout().counted.clone();
        let at = counted.iter().position(|counted| counted.metric == metric).unwrap();
        assert!(matches!(counted[at].counting, Counting::Sum { .. }));
        u16::try_from(at).unwrap()
    }

    /// What an agent would tell a unit.
    async fn exposure(&self, unit: &str) -> Exposure {
        let asked = read::read(
            &self.trial.truth.state(),
            &production(),
            vec![measurement("K", "complaints", Of::Context(context(unit)))],
        );
        let exposures = self
            .api
            .units
            .exposures(&self.rollout(), &asked.unwrap())
            .await
            .unwrap();
        exposures[0].unwrap()
    }
}

fn measurement(key: &str, metric: &str, of: Of) -> v1::Measurement {
    v1::Measurement {
        key: key.to_owned(),
        metric: metric.to_owned(),
        values: vec![1.0],
        of: Some(of),
        ..v1::Measurement::default()
    }
}

fn treatment(key: &str, metric: &str) -> v1::Measurement {
    measurement(key, metric, Of::Arm(v1::PushArm::Treatment.into()))
}

fn context(unit: &str) -> Struct {
    let unit = Value {
        kind: Some(Kind::StringValue(unit.to_owned())),
    };
    Struct {
        fields: [("targetingKey".to_owned(), unit)].into(),
    }
}

fn token(rollout: u32, arm: Arm, position: u32) -> Token {
    Token {
        exposure: Exposure {
            rollout,
            stage: 0,
            stratum: 0,
            arm,
            position: Position::new(position).unwrap(),
        },
        tick: 5,
        minter: 0,
    }
}

/// The fields that a refusal names.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let found = status.get_details_bad_request().unwrap().field_violations;
    found.into_iter().map(|found| found.field).collect()
}

#[tokio::test]
async fn a_repeat_is_answered_the_same_and_waits_once() {
    let service = Service::new().await;
    let pushed = service
        .push(vec![treatment("TICKET-17", "Customer complaints")])
        .await
        .unwrap();
    assert_eq!(pushed.rollout, "checkout#1");
    let first = &pushed.pushed[0];
    assert_eq!(
        (first.metric.as_str(), first.arm.as_str(), first.stage.as_str()),
        ("complaints", "treatment", "at-50")
    );
    let again = service
        .push(vec![
            treatment("TICKET-17", "complaints"),
            treatment("TICKET-18", "complaints"),
        ])
        .await
        .unwrap();
    assert_eq!(again.pushed[0], *first);
    assert_eq!((again.repeated_before, again.pushed.len()), (1, 2));
    let number = service.number("complaints");
    let waiting = service.waiting();
    assert_eq!(waiting.len(), 2);
    assert!(
        waiting
            .iter()
            .all(|item| (item.2, item.3, item.4) == (number, 1_000_000, 0))
    );
}

#[tokio::test]
async fn a_key_with_other_content_is_refused_with_the_difference_and_nothing_is_taken() {
    let service = Service::new().await;
    service.push(vec![treatment("TICKET-17", "complaints")]).await.unwrap();
    let mut other = treatment("TICKET-17", "complaints");
    other.values = vec![2.0];
    let refused = service
        .push(vec![treatment("NEW", "complaints"), other])
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(refused.message().contains("values [1.0], not [2.0]"), "{refused:?}");
    assert_eq!(service.waiting().len(), 1);
    let control = measurement("TICKET-17", "complaints", Of::Arm(v1::PushArm::Control.into()));
    let refused = service.push(vec![control]).await.unwrap_err();
    assert!(refused.message().contains("treatment as a whole"), "{refused:?}");
}

#[tokio::test]
async fn a_unit_is_told_its_arm_as_agents_tell_it_and_is_not_kept() {
    let service = Service::new().await;
    for unit in ["user-1", "user-2", "user-3", "user-4", "somebody@example.com"] {
        let exposure = service.exposure(unit).await;
        let key = format!("BILL-{}", exposure.position.get());
        let of = Of::Context(context(unit));
        let pushed = service
            .push(vec![measurement(&key, "faithfulness", of.clone())])
            .await
            .unwrap();
        assert_eq!(pushed.pushed[0].arm, arm_name(exposure.arm));
        let last = service.trial.truth.state().waiting.values().next_back().unwrap().items[0];
        assert_eq!((last.arm, last.bucket), (exposure.arm, exposure.position.unit_bucket()));
        assert_eq!((last.num, last.den), (1_000_000, 1));
        let again = service.push(vec![measurement(&key, "faithfulness", of)]).await.unwrap();
        assert_eq!(again.pushed, pushed.pushed);
        let somebody_else = Of::Context(context("user-9"));
        let refused = service
            .push(vec![measurement(&key, "faithfulness", somebody_else)])
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::AlreadyExists);
    }
    let store = service.trial.truth.store();
    for item in crate::store::all(store, b"/tg/").await.unwrap() {
        let holds = |part: &[u8]| item.value.windows(part.len()).any(|window| window == part);
        assert!(!holds(b"user-1") && !holds(b"somebody@"), "{:?}", item.key);
    }
}

#[tokio::test]
async fn a_unit_that_a_list_serves_has_no_arm() {
    let service = Service::new().await;
    let mut listed = flag("checkout");
    listed.deny = vec!["user-1".to_owned()];
    service.trial.write(listed).await;
    let of = Of::Context(context("user-1"));
    let refused = service
        .push(vec![measurement("K", "complaints", of)])
        .await
        .unwrap_err();
    assert_eq!(fields(&refused), ["measurements[0].context"]);
    assert!(!format!("{refused:?}").contains("user-1"), "{refused:?}");
}

#[tokio::test]
async fn a_token_says_everything_by_itself() {
    let service = Service::new().await;
    let index = service.rollout().index;
    let text = token(index, Arm::Control, 7 << 12).to_text(TOKEN_KEY);
    let pushed = service
        .push_to("", "", vec![measurement("K", "faithfulness", Of::Token(text))])
        .await;
    assert_eq!(pushed.unwrap().pushed[0].arm, "control");
    let number = service.number("faithfulness");
    assert_eq!(service.waiting(), [(Arm::Control, 7, number, 1_000_000, 1)]);
    let foreign = token(index, Arm::Control, 0).to_text(TOKEN_KEY + 1);
    let other = token(index + 1, Arm::Control, 0).to_text(TOKEN_KEY);
    for (named, text) in [("checkout#1", foreign), ("checkout#1", other.clone())] {
        let refused = service
            .push_to(named, "", vec![measurement("L", "complaints", Of::Token(text))])
            .await;
        assert_eq!(fields(&refused.unwrap_err()), ["measurements[0].token"]);
    }
    let refused = service
        .push_to("", "", vec![measurement("L", "complaints", Of::Token(other))])
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn every_violation_is_told_at_once() {
    let service = Service::new().await;
    let now_us = now_us();
    let mut wrong = vec![treatment("A", "complaints"); 10];
    wrong[0].key = "two words".to_owned();
    wrong[9].metric = "complaints".to_owned();
    wrong[9].values = vec![f64::NAN];
    wrong[9].key = "B".to_owned();
    wrong[1].values = Vec::new();
    wrong[2].of = None;
    wrong[3].metric = "what?".to_owned();
    wrong[4].of = Some(Of::Arm(0));
    wrong[5].stands_for_us = 1;
    wrong[6].at_us = -1;
    let refused = service.push(wrong).await.unwrap_err();
    let expected = [
        "measurements[0].key",
        "measurements[1].values",
        "measurements[2].key",
        "measurements[2]",
        "measurements[3].key",
        "measurements[3].metric",
        "measurements[4].key",
        "measurements[4].arm",
        "measurements[5].key",
        "measurements[5].stands_for_us",
        "measurements[6].key",
        "measurements[6].at_us",
        "measurements[7].key",
        "measurements[8].key",
        "measurements[9].values[0]",
    ];
    assert_eq!(fields(&refused), expected);

    let mut wrong = [
        "complaints",
        "complaint-z",
        "error-rate",
        "complaints",
        "cpu",
        "faithfulness",
    ]
    .into_iter()
    .enumerate()
    .map(|(number, metric)| treatment(&format!("K{number}"), metric))
    .collect::<Vec<_>>();
    wrong[0].values = vec![1.0, f64::NAN];
    wrong[3].at_us = now_us - 61 * 60 * SECOND_US;
    wrong[4].values = vec![0.5, 0.5];
    wrong[5].at_us = now_us + 120 * SECOND_US;
    let refused = service.push(wrong).await.unwrap_err();
    let expected = [
        "measurements[0].values[1]",
        "measurements[1].metric",
        "measurements[2].metric",
        "measurements[3].at_us",
        "measurements[4].values",
        "measurements[5].at_us",
    ];
    assert_eq!(fields(&refused), expected);
    assert!(service.waiting().is_empty());
    assert_eq!(fields(&service.push(Vec::new()).await.unwrap_err()), ["measurements"]);
}

#[tokio::test]
async fn a_level_is_set_for_an_arm_and_a_repeat_does_not_set_it_back() {
    let service = Service::new().await;
    let level = |key: &str, value| v1::Measurement {
        values: vec![value],
        ..treatment(key, "cpu-usage")
    };
    service.push(vec![level("one", 0.4)]).await.unwrap();
    service.push(vec![level("two", 0.9)]).await.unwrap();
    service.push(vec![level("one", 0.4)]).await.unwrap();
    let id = service.rollout().id;
    let held = service.trial.truth.state().levels_of(id);
    assert_eq!(held.last, 2);
    let levels = held.at(now_us());
    assert_eq!(levels["cpu"].now.treatment, Some(0.9));
    assert_eq!(levels["cpu"].recent.len(), 2);
    assert!(service.waiting().is_empty(), "a level is no evidence");
    let of = Of::Context(context("user-1"));
    let refused = service.push(vec![measurement("K", "cpu", of)]).await.unwrap_err();
    assert_eq!(fields(&refused), ["measurements[0].metric"]);
}

#[tokio::test]
async fn levels_that_are_pushed_at_the_same_time_are_all_taken_in_whoever_takes_them() {
    let service = Service::new().await;
    let other = MeasurementsApi::new(service.trial.truth.clone(), Levels::new(false));
    let full = |side: usize| {
        let keys = (0..push::REQUEST_LIMIT).map(|number| format!("{side}-{number}"));
        keys.map(|key| treatment(&key, "cpu")).collect::<Vec<_>>()
    };
    let request = |measurements: Vec<v1::Measurement>| v1::PushRequest {
        environment: "production".to_owned(),
        rollout: "checkout#1".to_owned(),
        flag: String::new(),
        measurements,
    };
    let pushes = (0..8).map(|side| {
        let api = if side % 2 == 0 { &service.api } else { &other };
        api.push(Request::new(request(full(side))))
    });
    let answers = try_join_all(pushes).await.unwrap();
    assert!(answers.iter().all(|answer| answer.get_ref().repeated_before == 0));
    let rollout = service.rollout();
    assert_eq!(service.trial.truth.state().levels_of(rollout.id).last, 8);
    let prefix = keys::readings(&production(), rollout.id);
    let kept = crate::store::all(service.trial.truth.store(), &prefix).await.unwrap();
    let numbers: Vec<_> = kept.iter().map(|item| keys::reading_number(&item.key)).collect();
    assert_eq!(numbers, (1..=8).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn before_its_start_and_an_hour_after_its_end_a_rollout_takes_nothing_new() {
    let service = Service::with(|mut record| {
        record.state.visits.clear();
        record
    })
    .await;
    let refused = service.push(vec![treatment("K", "complaints")]).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);

    let service = Service::new().await;
    let answered = service.push(vec![treatment("K", "complaints")]).await.unwrap();
    let mut ended = (*service.rollout()).clone();
    ended.state.ended_at_us = Some(now_us() - 61 * 60 * SECOND_US);
    service.trial.commit(changes::rest(&service.rollout(), &ended)).await;
    let refused = service.push(vec![treatment("L", "complaints")]).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let again = service.push(vec![treatment("K", "complaints")]).await.unwrap();
    assert_eq!(again.pushed, answered.pushed, "what was taken was taken");
}

#[tokio::test]
async fn a_flag_is_its_rollout_and_a_request_names_one_of_them() {
    let service = Service::new().await;
    let pushed = service
        .push_to("", "checkout", vec![treatment("K", "complaints")])
        .await
        .unwrap();
    assert_eq!(pushed.rollout, "checkout#1");
    for (rollout, flag, field) in [("checkout#1", "checkout", "flag"), ("", "", "rollout")] {
        let refused = service.push_to(rollout, flag, vec![treatment("K", "complaints")]).await;
        assert_eq!(fields(&refused.unwrap_err()), [field]);
    }
    let refused = service
        .push_to("nothing#9", "", vec![treatment("K", "complaints")])
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn what_is_said_of_a_flag_after_an_abort_is_of_what_was_aborted_unless_a_kill_switch_watches() {
    let service = Service::new().await;
    let before = service.rollout();
    let state = service.trial.truth.state();
    let active = state.active(&production(), &key("checkout")).unwrap();
    let free = Txn::default()
        .guard(Guard::Unchanged(
            keys::active(&production(), &key("checkout")),
            active.revision,
        ))
        .delete(keys::active(&production(), &key("checkout")));
    service.trial.commit(free).await;
    let mut watch = RolloutRecord {
        id: Uuid::now_v7(),
        index: 2,
        number: 0,
        standing: true,
        recovery_of: Some(before.id),
        ..(*before).clone()
    };
    let at = keys::rollout(&production(), watch.id);
    service
        .trial
        .commit(Txn::default().put(at.clone(), model::write_rollout(&watch)))
        .await;
    let of_flag = || {
        of_flag(&service.trial.truth.state(), &production(), "checkout")
            .unwrap()
            .id
    };
    assert_eq!(of_flag(), before.id, "a recovery is nobody's treatment");
    let mut plan = (*watch.plan).clone();
    plan.kill_switch = Some(rollout::plan::KillSwitch {
        flag: String::new(),
        auto_trip: true,
        conditions: vec!["cpu > 90 %".parse().unwrap()],
    });
    watch.plan = plan.into();
    service
        .trial
        .commit(Txn::default().put(at, model::write_rollout(&watch)))
        .await;
    assert_eq!(of_flag(), watch.id);
}

#[tokio::test]
async fn too_much_that_waits_is_refused_with_when_to_come_back() {
    let service = Service::new().await;
    let rollout = service.rollout();
    for from in (0..push::WAITING_LIMIT).step_by(100) {
        let txn = (from..from + 100).fold(Txn::default(), |txn, number| {
            let waiting = Waiting {
                environment: production(),
                id: Uuid::from_u128(number as u128),
                horizon: 1,
                items: Vec::new(),
                measurements: 1,
                revision: 0,
            };
            let at = keys::push_waiting(&production(), rollout.id, waiting.id);
            txn.put(at, model::write_waiting(&waiting))
        });
        service.trial.commit(txn).await;
    }
    let refused = service.push(vec![treatment("K", "complaints")]).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.get_details_retry_info().is_some());
}

#[tokio::test]
async fn what_is_pushed_is_evidence_within_seconds_and_the_queue_is_empty_then() {
    let service = Service::new().await;
    let shutdown = Shutdown::new();
    let truth = &service.trial.truth;
    let fleet = Arc::new(Fleet::new());
    let (collector, _intake, _coverage) = Collector::new(service.trial.shared(), truth.states(), fleet);
    shutdown.spawn("collector", collector.run(shutdown.clone()));
    let pushed = [treatment("K", "complaints"), treatment("L", "complaints")];
    service.push(pushed.into()).await.unwrap();
    let (id, number) = (service.rollout().id, service.number("complaints"));
    let mut states = truth.states();
    let counted = states.wait_for(|state| state.waiting.is_empty() && state.evidence_of(id).pushed == 2);
    let state = tokio::time::timeout(Duration::from_secs(60), counted)
        .await
        .unwrap()
        .unwrap()
        .clone();
    let evidence = state.evidence_of(id);
    assert_eq!(evidence.events.within(number, None, now_us()), 2.0);
    shutdown.drain();
    assert!(shutdown.finished(Duration::from_secs(60)).await);
}
