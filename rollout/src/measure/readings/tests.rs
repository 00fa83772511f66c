#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Guard, Level,
    measure::{Arms, counted, duration_bucket},
};

fn plan(guards: &[&str]) -> Plan {
    let guard = |text: &&str| {
        let Criterion::Compare(harm) = text.parse().unwrap() else {
            panic!("{text}")
        };
        Guard {
            harm,
            level: Level::Abort,
            weight: 1.0,
            except: Vec::new(),
        }
    };
    Plan {
        guards: guards.iter().map(guard).collect(),
        ..Plan::new("plan", "flag")
    }
}

fn arms(treatment: (i64, u64), control: (i64, u64)) -> Arms {
    let mut arms = Arms::default();
    arms.treatment.add(1, treatment.0, treatment.1);
    arms.control.add(2, control.0, control.1);
    arms
}

fn read(plan: &Plan, sums: &Sums, events: &Events) -> BTreeMap<String, Measure> {
    let counted = counted(plan);
    let seen = Seen {
        counted: &counted,
        sums,
        events,
        external: &BTreeMap::new(),
        units: 7,
    };
    readings(plan, &seen, 0)
}

#[test]
fn rates_and_means_are_read_by_arm_over_all_strata() {
    let plan = plan(&[
        "error-rate > 1 %",
        "cost-per-query > $0.50",
        "completion-rate < 95 % of control",
    ]);
    let mut sums = Sums::default();
    sums.metrics.insert((0, 0), arms((3, 50), (0, 0)));
    sums.metrics.insert((0, 1), arms((1, 50), (2, 100)));
    sums.metrics.insert((1, 0), arms((30_000_000, 60), (10_000_000, 40)));
    sums.metrics.insert((2, 0), arms((5, 100), (0, 100)));
    let found = read(&plan, &sums, &Events::default());
    let estimate = |metric: &str| {
        let estimates = found[metric].estimates;
        (estimates.treatment.unwrap(), estimates.control.unwrap())
    };
    assert_eq!(estimate("error-rate"), (0.04, 0.02));
    assert_eq!(estimate("cost-per-query"), (0.5, 0.25));
    assert_eq!(estimate("completion-rate"), (0.95, 1.0));
    assert_eq!((found["error-rate"].outcomes, found["error-rate"].units), (100, 7));
}

#[test]
fn without_data_there_is_no_estimate() {
    let found = read(
        &plan(&["error-rate > 1 %", "p95 > 1 s"]),
        &Sums::default(),
        &Events::default(),
    );
    assert!(found.values().all(|measure| measure.estimates == Estimates::default()));
}

#[test]
fn quantiles_of_durations_come_from_the_histogram_others_from_their_bound() {
    let plan = Plan {
        observed: vec!["time-to-first-token".to_owned(), "p99".to_owned()],
        ..plan(&["p95 > 1 s", "time-to-first-token > 2 s"])
    };
    let mut sums = Sums::default();
    sums.treatment.durations.add(duration_bucket(100_000), 100);
    sums.metrics.insert((2, 0), arms((6, 100), (4, 100)));
    let found = read(&plan, &sums, &Events::default());
    let p95 = found["p95"].estimates.treatment.unwrap();
    assert!((100_000.0..107_000.0).contains(&p95), "{p95}");
    let subject = subject(&plan, &plan.guards[1].harm);
    let estimates = found[&subject].estimates;
    assert!(
        estimates.treatment > Some(2_000_000.0),
        "6 % took longer: {estimates:?}"
    );
    assert!(estimates.control < Some(2_000_000.0), "4 % did: {estimates:?}");
    assert!(found.contains_key("p99"));
    assert!(
        !found.contains_key("time-to-first-token"),
        "nobody counts it without a limit"
    );
}

#[test]
fn a_count_is_of_the_window_that_the_comparison_names() {
    let plan = plan(&["complaints > 10 in 24 h", "complaints > 2 in 1 h"]);
    let mut sums = Sums::default();
    sums.metrics.insert((1, 0), arms((0, 10), (0, 10)));
    let mut events = Events::default();
    events.add(1, 5_000_000, -7_200_000_000);
    events.add(1, 1_000_000, 0);
    let found = read(&plan, &sums, &events);
    let in_window = |guard: usize| found[&subject(&plan, &plan.guards[guard].harm)].estimates.treatment;
    assert_eq!((in_window(0), in_window(1)), (Some(6.0), Some(1.0)));
}

#[test]
fn what_the_plan_knows_of_the_time_before_stands_beside_the_arms() {
    let mut plan = plan(&["error-rate > 2x baseline"]);
    plan.baseline.values = [("error-rate".to_owned(), "0.8 %".parse().unwrap())].into();
    let mut sums = Sums::default();
    sums.metrics.insert((0, 0), arms((3, 100), (1, 100)));
    let found = read(&plan, &sums, &Events::default());
    let estimates = found["error-rate"].estimates;
    assert_eq!(
        (estimates.treatment, estimates.control, estimates.baseline),
        (Some(0.03), Some(0.01), Some(0.008))
    );
}
