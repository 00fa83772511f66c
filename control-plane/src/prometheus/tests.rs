#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use rollout::catalogue::{Direction, Kind, OwnDefinition, Query, Template};

use super::*;
use crate::{
    builders::{SECOND_US, actor, flag, key, plan_of, production, started, started_by},
    change::rollout::Count,
    levels::Shown,
    trial::Trial,
    webhooks::receiver::{Received, Receiver, Reply},
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

fn own(key: &str, template: &str) -> OwnDefinition {
    OwnDefinition {
        key: key.to_owned(),
        kind: Kind::Gauge,
        unit: Unit::Duration,
        better: Direction::Lower,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: Some(Query {
            template: Template::parse(template).unwrap(),
            interval_us: 5 * SECOND_US,
            stands_for_us: 3_600 * SECOND_US,
        }),
    }
}

fn vector(number: &str) -> String {
    format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[1,"{number}"]}}]}}}}"#
    )
}

/// A rollout of the flag checkout with these metrics, under way in a store of its own.
async fn under_way(metrics: Vec<OwnDefinition>) -> (Trial, RolloutRecord) {
    let trial = Trial::new().await;
    let state = trial.write(flag("checkout")).await;
    let plan = Plan {
        metrics,
        ..plan_of("checkout", rollout::Unit::Unit, &[50, 100], SECOND_US)
    };
    let record = started(plan, 1);
    let count = Count {
        value: 0,
        revision: None,
    };
    let flag = state.flag(&production(), &key("checkout")).unwrap();
    trial.commit(started_by(&record, flag, count, &actor())).await;
    (trial, record)
}

/// The levels of a rollout once they are so.
async fn until(
    (trial, levels): (&Trial, &Levels),
    record: &RolloutRecord,
    holds: impl Fn(&[Shown]) -> bool,
) -> Vec<Shown> {
    let shown = || levels.shown(&trial.truth.state(), record, now_us());
    let waited = tokio::time::timeout(FAR, async {
        loop {
            let shown = shown();
            if holds(&shown) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{:#?}", shown()))
}

#[tokio::test]
async fn both_arms_are_asked_and_noted_in_the_units_of_levels() {
    let (trial, record) = under_way(vec![own("wait", "x{v=\"{{variant}}\"}"), own("lone", "y")]).await;
    let server = Receiver::start().await;
    server.replies(|came: &Received| {
        let number = if came.body.contains("new") { "0.25" } else { "0.2" };
        Reply::Says(200, vector(number))
    });
    let settings = Settings {
        address: format!("http://{}", server.address).parse().unwrap(),
        token_file: None,
        authorities: Vec::new(),
    };
    let (levels, shutdown) = (Levels::new(true), Shutdown::new());
    let task = run(
        trial.truth.clone(),
        levels.clone(),
        Prometheus::new(settings).unwrap(),
        shutdown.clone(),
    );
    let task = tokio::spawn(task);
    let shown = until((&trial, &levels), &record, |shown| {
        shown.iter().all(|one| one.now.treatment.is_some())
    })
    .await;
    let numbers: Vec<_> = shown
        .iter()
        .map(|one| (one.metric.as_str(), one.now.treatment, one.now.control, one.source))
        .collect();
    assert_eq!(
        numbers,
        [
            ("lone", Some(200_000.0), None, Source::Prometheus),
            ("wait", Some(250_000.0), Some(200_000.0), Source::Prometheus),
        ]
    );
    let asked: BTreeSet<_> = server.so_far().into_iter().map(|came| came.body).collect();
    assert_eq!(asked.len(), 3, "each arm, and once what is of both");
    shutdown.drain();
    task.await.unwrap();
}

#[tokio::test]
async fn a_reason_is_noted_as_such_and_is_no_level() {
    let (trial, record) = under_way(vec![own("wait", "x{v=\"{{variant}}\"}")]).await;
    let server = Receiver::start().await;
    server.replies(|_| Reply::Says(503, String::new()));
    let settings = Settings {
        address: format!("http://{}", server.address).parse().unwrap(),
        token_file: None,
        authorities: Vec::new(),
    };
    let (levels, shutdown) = (Levels::new(true), Shutdown::new());
    let task = run(
        trial.truth.clone(),
        levels.clone(),
        Prometheus::new(settings).unwrap(),
        shutdown.clone(),
    );
    let task = tokio::spawn(task);
    let shown = until((&trial, &levels), &record, |shown| shown[0].missing.contains("503")).await;
    assert_eq!((shown[0].now.treatment, shown[0].now.control), (None, None));
    assert!(shown[0].control_missing.contains("503"), "{shown:?}");
    let level = &trial.truth.state().levels_of(record.id).at(now_us())["wait"];
    let is_none = |read: &rollout::criterion::Estimates| read.treatment.is_none();
    assert!(
        !level.recent.is_empty() && level.recent.iter().all(is_none),
        "it ends a run of readings"
    );
    shutdown.drain();
    task.await.unwrap();
}

#[test]
fn a_number_that_a_metric_cannot_have_is_none() {
    assert_eq!(level(0.25, Unit::Duration), Ok(250_000.0));
    assert_eq!(level(0.25, Unit::Fraction), Ok(0.25));
    assert_eq!(level(-2.0, Unit::Score), Ok(-2.0));
    let negative = level(-0.1, Unit::Fraction).unwrap_err();
    assert_eq!(negative.name(), "impossible");
    assert!(negative.to_string().contains("never below 0"), "{negative}");
    assert_eq!(level(1e308, Unit::Duration).unwrap_err().name(), "not_finite");
}

#[test]
fn a_plan_lacks_a_prometheus_only_where_none_is_known() {
    let mut plan = plan_of("checkout", rollout::Unit::Unit, &[50], 0);
    assert_eq!(lacking(&plan, &Levels::new(false)), []);
    let pushed = OwnDefinition {
        prometheus: None,
        ..own("pushed", "x")
    };
    plan.metrics = vec![pushed, own("wait", "x")];
    assert_eq!(lacking(&plan, &Levels::new(true)), []);
    let found = lacking(&plan, &Levels::new(false));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "metrics[1].prometheus");
    assert!(
        found[0].description.contains("--prometheus URL"),
        "{}",
        found[0].description
    );
}
