#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Counting, MetricSpec, Per};
use proto::Token;

use super::*;
use crate::{
    health::{
        counters::{Counters, Drained},
        report::{ErrorClass, Outcome, Value},
    },
    samples::{exposure, measurement, moment, report},
};

const ANYBODY: Caller = Caller::ANYBODY;

/// A rollout of these metrics, numbered as they come; a lost outcome is bad.
fn measured(metrics: &[Counting]) -> Measurement {
    let spec = |(number, counting): (u16, &Counting)| MetricSpec {
        number,
        key: format!("metric-{number}"),
        counting: counting.clone(),
        lost_is_bad: true,
    };
    Measurement {
        metrics: (0..).zip(metrics).map(spec).collect(),
        ..measurement()
    }
}

fn errors() -> Counting {
    Counting::Errors { expected: Vec::new() }
}

fn revenue(per: Per) -> Counting {
    Counting::Sum {
        value: "revenue".to_owned(),
        minimum: 0,
        maximum: 100_000_000,
        per,
    }
}

fn unit(position: u32) -> Exposure {
    exposure(Arm::Treatment, position)
}

/// As the evaluation of a tick by the server's clock names it.
fn token(measurement: &Measurement, position: u32, tick: u32) -> Exposed {
    Exposed::token(&Token {
        exposure: unit(position),
        tick: token_tick(measurement, tick::begins_us(tick)),
        minter: 0,
    })
}

fn expose(counters: &Counters, measurement: &Measurement, position: u32, tick: u32) {
    counters.exposed(measurement, &unit(position), ANYBODY, moment(tick));
}

fn say(counters: &Counters, measurement: &Measurement, exposed: &Exposed, said: &Report<'_>, tick: u32) -> u64 {
    counters
        .reported(measurement, exposed, said, ANYBODY, moment(tick))
        .unwrap()
}

/// The only cell that has counts up to a tick.
fn cell(counters: &Counters, measurement: &Measurement, through: u32) -> Counts {
    let drained = counters.drain(measurement, through);
    let mut cells = drained.slices.into_iter().flat_map(|slice| slice.cells.into_values());
    let cell = cells.next().unwrap();
    assert_eq!(cells.next(), None);
    cell
}

/// (Numerator, denominator, positions that failed) of each metric.
fn metrics(counts: &Counts) -> Vec<(i128, u64, usize)> {
    let told = |metric: &super::super::slice::MetricCounts| {
        let (num, den) = metric.sums.total();
        (num, den, metric.bad.len())
    };
    counts.metrics.iter().map(told).collect()
}

/// Lost outcomes found at a tick, and the metrics of their cell.
fn lost_at(counters: &Counters, measurement: &Measurement, tick: u32) -> (u64, Vec<(i128, u64, usize)>) {
    counters.find_lost(measurement, moment(tick));
    let drained = counters.drain(measurement, tick);
    let cells = drained.slices.iter().flat_map(|slice| slice.cells.values());
    let found: Vec<_> = cells.filter(|cell| cell.lost > 0).collect();
    let told = found.last().map(|cell| metrics(cell)).unwrap_or_default();
    (found.iter().map(|cell| cell.lost).sum(), told)
}

#[test]
fn a_request_that_is_told_again_counts_no_more_where_requests_are_split() {
    let failed = Report::of(Outcome::Error);
    for (unit, expected) in [(SplittingUnit::Request, 2), (SplittingUnit::Unit, 40)] {
        let measurement = Measurement {
            unit,
            ..measured(&[errors()])
        };
        let counters = Counters::default();
        let mut told = 0;
        for _ in 0..20 {
            for tick in [100, 101] {
                let exposed = token(&measurement, 1, tick);
                let said = counters.reported(&measurement, &exposed, &failed, ANYBODY, moment(101));
                told += u64::from(said.is_some());
            }
        }
        assert_eq!(told, expected, "{unit:?}");
        assert_eq!(cell(&counters, &measurement, 200).outcomes, expected);
    }
    // What comes later of a request is no outcome.
    let measurement = Measurement {
        unit: SplittingUnit::Request,
        ..measured(&[revenue(Per::Value)])
    };
    let counters = Counters::default();
    let values = [Value::new("revenue", 9.5).unwrap()];
    for _ in 0..2 {
        say(
            &counters,
            &measurement,
            &token(&measurement, 1, 100),
            &Report::later(&values),
            100,
        );
    }
    assert_eq!(metrics(&cell(&counters, &measurement, 200)), [(19_000_000, 2, 0)]);
}

#[test]
fn an_observation_counts_in_every_metric_that_it_says_something_of() {
    let measurement = measured(&[
        errors(),
        Counting::Timeouts,
        Counting::Slower { bound_us: 1_000 },
        revenue(Per::Value),
        Counting::Lost,
    ]);
    let counters = Counters::default();
    let values = [Value::new("revenue", 9.5).unwrap(), Value::new("unknown", 1.0).unwrap()];
    let said = Report {
        duration_us: Some(2_000),
        values: &values,
        ..Report::of(Outcome::Ok)
    };
    say(&counters, &measurement, &Exposed::unit(unit(1)), &said, 100);
    report(&counters, &measurement, unit(2), Outcome::Timeout, 100);
    let counts = cell(&counters, &measurement, 100);
    assert_eq!((counts.outcomes, counts.bad, counts.sampled_outcomes), (2, 1, 0));
    assert_eq!(
        metrics(&counts),
        [(1, 2, 1), (1, 2, 1), (2, 2, 0), (9_500_000, 1, 0), (0, 2, 0)]
    );
}

#[test]
fn values_that_come_later_are_no_outcomes() {
    let measurement = measured(&[errors(), revenue(Per::Exposure), revenue(Per::Value)]);
    let counters = Counters::default();
    for tick in 100..104 {
        expose(&counters, &measurement, 64, tick);
    }
    let values = [Value::new("revenue", 250.0).unwrap()];
    let clamped = say(
        &counters,
        &measurement,
        &Exposed::unit(unit(64)),
        &Report::later(&values),
        103,
    );
    let counts = cell(&counters, &measurement, 103);
    assert_eq!((counts.exposures, counts.outcomes, clamped), (4, 0, 2));
    assert_eq!(metrics(&counts), [(0, 0, 0), (100_000_000, 4, 0), (100_000_000, 1, 0)]);
}

#[test]
fn durations_classes_and_samples_are_counted_beside_the_metrics() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    for (outcome, class, duration_us, sampled) in [
        (Outcome::Error, "db", Some(5), false),
        (Outcome::Error, "card", Some(17), true),
        (Outcome::Timeout, "db", None, false),
        (Outcome::Error, "", Some(17), true),
        (Outcome::Ok, "card", Some(17), false),
    ] {
        let said = Report {
            duration_us,
            class: ErrorClass::parse(class),
            sampled,
            ..Report::of(outcome)
        };
        say(&counters, &measurement, &Exposed::unit(unit(1)), &said, 100);
    }
    let drained = counters.drain(&measurement, 100);
    let counts = drained.slices[0].cells.values().next().unwrap();
    assert_eq!(counts.classes, [2, 1]);
    assert_eq!(
        drained.classes.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["db", "card"]
    );
    assert_eq!((counts.outcomes, counts.sampled_outcomes), (5, 2));
    let durations = counts.durations.to_wire().unwrap();
    assert_eq!((durations.buckets, durations.counts), (vec![5, 17], vec![1, 3]));
}

#[test]
fn without_a_unit_rates_are_counted_and_nobody_is_named() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    for spread in [0, 1 << 46, u64::MAX] {
        let exposed = Exposed::somebody(unit(77), spread);
        say(&counters, &measurement, &exposed, &Report::of(Outcome::Error), 100);
    }
    assert_eq!(metrics(&cell(&counters, &measurement, 100)), [(3, 3, 0)]);
}

#[test]
fn nobody_is_waited_for_before_anybody_has_reported() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    expose(&counters, &measurement, 1, 100);
    report(&counters, &measurement, unit(2), Outcome::Ok, 101);
    assert_eq!(lost_at(&counters, &measurement, 200).0, 0);
}

#[test]
fn an_outcome_that_never_comes_is_lost_and_counts_as_bad_where_it_is() {
    let mut measurement = measured(&[errors(), Counting::Lost, revenue(Per::Value), Counting::Timeouts]);
    measurement.metrics[3].lost_is_bad = false;
    let counters = Counters::default();
    report(&counters, &measurement, unit(2), Outcome::Ok, 100);
    expose(&counters, &measurement, 1, 101);
    assert_eq!(lost_at(&counters, &measurement, 131), (0, Vec::new()));
    let found = lost_at(&counters, &measurement, 132);
    assert_eq!(found, (1, vec![(1, 1, 1), (1, 1, 1)]));
    assert_eq!(lost_at(&counters, &measurement, 500).0, 0);
    // The position failed in this horizon, and is not told again.
    report(&counters, &measurement, unit(1), Outcome::Error, 500);
    assert_eq!(metrics(&cell(&counters, &measurement, 501))[0], (1, 1, 0));
}

#[test]
fn nothing_is_lost_of_a_rollout_that_ended() {
    let measurement = measured(&[errors(), Counting::Lost]);
    let ended = Measurement {
        ended: true,
        ..measurement.clone()
    };
    let counters = Counters::default();
    report(&counters, &measurement, unit(2), Outcome::Ok, 100);
    expose(&counters, &measurement, 1, 101);
    assert_eq!(lost_at(&counters, &ended, 500), (0, Vec::new()));
    // Nor is it waited for any more.
    assert_eq!(lost_at(&counters, &measurement, 600), (0, Vec::new()));
}

#[test]
fn an_outcome_of_any_kind_in_time_is_not_lost() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    report(&counters, &measurement, unit(9), Outcome::Ok, 100);
    for position in 1..5 {
        expose(&counters, &measurement, position, 101);
    }
    say(
        &counters,
        &measurement,
        &token(&measurement, 1, 101),
        &Report::of(Outcome::Error),
        105,
    );
    counters.resolved(&measurement, &token(&measurement, 2, 101));
    report(&counters, &measurement, unit(3), Outcome::Ok, 105);
    // A token of another evaluation, and a value alone, say nothing of this one.
    say(
        &counters,
        &measurement,
        &token(&measurement, 4, 102),
        &Report::of(Outcome::Ok),
        105,
    );
    say(
        &counters,
        &measurement,
        &token(&measurement, 4, 101),
        &Report::later(&[]),
        105,
    );
    assert_eq!(lost_at(&counters, &measurement, 200).0, 1);
}

#[test]
fn traffic_finds_the_lost_without_a_drain() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    report(&counters, &measurement, unit(1), Outcome::Ok, 100);
    expose(&counters, &measurement, 1, 101);
    report(&counters, &measurement, exposure(Arm::Control, 1), Outcome::Ok, 140);
    let drained = counters.drain(&measurement, 150);
    let lost: u64 = drained.slices[0].cells.values().map(|cell| cell.lost).sum();
    assert_eq!((lost, drained.slices[0].last_tick), (1, 140));
}

#[test]
fn a_server_clock_that_jumps_makes_no_outcome_late() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    report(&counters, &measurement, unit(9), Outcome::Ok, 100);
    expose(&counters, &measurement, 1, 101);
    let jumped = Moment {
        elapsed_s: 102,
        ..moment(9_000)
    };
    counters.find_lost(&measurement, jumped);
    assert!(counters.drain(&measurement, 9_000).slices.iter().all(|slice| {
        let cells = slice.cells.values();
        cells.map(|cell| cell.lost).sum::<u64>() == 0
    }));
}

#[test]
fn who_reports_a_sample_or_names_no_units_is_not_waited_for() {
    let measurement = measured(&[errors()]);
    let sampled = Report {
        sampled: true,
        ..Report::of(Outcome::Ok)
    };
    for (exposed, said) in [
        (Exposed::unit(unit(9)), sampled),
        (Exposed::somebody(unit(9), 7), Report::of(Outcome::Ok)),
    ] {
        let counters = Counters::default();
        report(&counters, &measurement, unit(8), Outcome::Ok, 100);
        say(&counters, &measurement, &exposed, &said, 100);
        expose(&counters, &measurement, 1, 101);
        assert_eq!(lost_at(&counters, &measurement, 200).0, 0, "{exposed:?} {said:?}");
    }
}

#[test]
fn callers_that_report_are_told_from_those_that_do_not() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    let [reports, is_silent] = [b"one", b"two"].map(|name: &[u8; 3]| Caller::of(Some(name)));
    let ok = Report::of(Outcome::Ok);
    counters.reported(&measurement, &Exposed::unit(unit(9)), &ok, reports, moment(100));
    for (caller, position) in [(reports, 1), (is_silent, 2), (ANYBODY, 3)] {
        counters.exposed(&measurement, &unit(position), caller, moment(101));
    }
    assert_eq!(lost_at(&counters, &measurement, 200).0, 1);
}

#[test]
fn what_cannot_be_awaited_is_said_and_never_called_lost() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    report(&counters, &measurement, unit(0), Outcome::Ok, 100);
    // One shard's positions only: those of unit bucket 0.
    for tick in 101..103 {
        for position in 0..4_096 {
            expose(&counters, &measurement, position, tick);
        }
    }
    let drained = counters.drain(&measurement, 102);
    assert_eq!(drained.unsaid.unwatched, 4_096);
    assert_eq!(lost_at(&counters, &measurement, 200).0, 4_096);
    expose(&counters, &measurement, 1, 201);
    assert_eq!(counters.drain(&measurement, 201).unsaid.unwatched, 0);
}

#[test]
fn what_is_measured_no_longer_makes_room() {
    let (counters, measurement) = (Counters::default(), measured(&[errors()]));
    for _ in 0..3 {
        report(&counters, &measurement, unit(0), Outcome::Ok, 100);
        for position in 0..4_096 {
            expose(&counters, &measurement, position, 101);
        }
        assert_eq!(counters.drain(&measurement, 101).unsaid.unwatched, 0);
        counters.retain(&std::collections::HashSet::new());
    }
    assert_eq!(counters.drain(&measurement, 101), Drained::default());
}
