#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use evaluation::{Arm, Buckets, Counting, Exposure, MetricSpec, Per, RolloutStep};
use proptest::prelude::*;
use prost_types::{Struct, value::Kind};

use super::*;
use crate::samples::{Contents, ROLLOUT, TOKEN_KEY, boolean, evaluator, exposure, measurement, step_for_some};

fn observer() -> Observer {
    let holder = Contents::production()
        .rollout(Buckets::ALL)
        .flag(&boolean("plain"))
        .held(1);
    Observer {
        holder,
        counters: Arc::default(),
        clock: ServerClock::new(),
    }
}

fn token_with(exposure: Exposure, key: u128) -> v1::ExposureName {
    let text = Token {
        exposure,
        tick: 0,
        minter: 0,
    }
    .to_text(key);
    v1::ExposureName {
        name: Some(Name::Token(text)),
    }
}

fn token(arm: Arm, position: u32) -> v1::ExposureName {
    token_with(exposure(arm, position), TOKEN_KEY)
}

fn flag(key: &str, unit: Option<&str>) -> v1::ExposureName {
    let fields = unit
        .map(|unit| {
            (
                "targetingKey".to_owned(),
                prost_types::Value {
                    kind: Some(Kind::StringValue(unit.to_owned())),
                },
            )
        })
        .into_iter()
        .collect();
    let context = Some(Struct { fields });
    v1::ExposureName {
        name: Some(Name::Flag(v1::FlagContext {
            flag_key: key.to_owned(),
            context,
        })),
    }
}

fn observation(outcome: v1::OutcomeKind, exposures: Vec<v1::ExposureName>) -> v1::Observation {
    v1::Observation {
        exposures,
        outcome: outcome.into(),
        ..v1::Observation::default()
    }
}

fn observe(observer: &Observer, observations: Vec<v1::Observation>) -> Received {
    observer.observe(v1::ObserveRequest { observations }, Caller::ANYBODY)
}

fn ok(exposure: v1::ExposureName) -> Received {
    observe(&observer(), vec![observation(v1::OutcomeKind::Ok, vec![exposure])])
}

fn dropped(reason: Dropped) -> Received {
    Received {
        dropped: [(reason, 1)].into(),
        ..Received::default()
    }
}

fn outcomes(observer: &Observer) -> u64 {
    let drained = observer.counters.drain(&measurement(), observer.clock.tick());
    drained.slices.iter().map(super::super::slice::Slice::outcomes).sum()
}

#[test]
fn an_exposure_is_named_by_its_token_or_worked_out_again() {
    assert_eq!(
        ok(token(Arm::Treatment, 1)),
        Received {
            counted: 1,
            ..Received::default()
        }
    );
    assert_eq!(
        ok(flag("checkout", Some("ada"))),
        Received {
            counted: 1,
            ..Received::default()
        }
    );
}

/// Where the one outcome was counted that was observed so.
fn counted(contents: &Contents, exposure: v1::ExposureName) -> Option<CellKey> {
    let observer = Observer {
        holder: contents.held(1),
        ..observer()
    };
    observe(&observer, vec![observation(v1::OutcomeKind::Error, vec![exposure])]);
    let snapshot = observer.holder.load_full();
    let measurement = snapshot.measurement(ROLLOUT).unwrap();
    let drained = observer.counters.drain(measurement, observer.clock.tick());
    let cells = drained.slices.into_iter().flat_map(|slice| slice.cells);
    let mut outcomes = cells.filter(|(_, counts)| counts.outcomes > 0).map(|(key, _)| key);
    let found = outcomes.next();
    assert_eq!(outcomes.next(), None);
    found
}

#[test]
fn an_exposure_of_an_audience_or_in_shadow_is_worked_out_as_it_was_when_it_was_served() {
    let shadow = RolloutStep {
        shadow: true,
        ..step_for_some()
    };
    let (mut arms, mut strata) = (HashSet::new(), HashSet::new());
    for step in [step_for_some(), shadow] {
        let contents = Contents::production().rollout_for_some(&step);
        let (holder, evaluator) = (contents.held(1), evaluator(&contents.held(1)));
        let snapshot = holder.load_full();
        for (name, account) in ["ada", "bob", "eve", "zoe"]
            .into_iter()
            .flat_map(|name| (0..20).map(move |account| (name, format!("account-{account}"))))
        {
            let text = |text: &str| Some(Kind::StringValue(text.to_owned()));
            let fields = [("targetingKey", text(name)), ("account", text(&account))];
            let fields = fields.map(|(name, kind)| (name.to_owned(), prost_types::Value { kind }));
            let caller = Struct { fields: fields.into() };
            let flag = snapshot.flag("checkout").unwrap();
            let decision = flag.evaluate(&snapshot, &context(Some(caller.clone())));
            let served = decision.exposure.map(|exposure| CellKey {
                stage: exposure.stage,
                stratum: exposure.stratum,
                arm: exposure.arm,
            });
            let by_token = evaluator.foresee(&snapshot, &decision).map(|named| v1::ExposureName {
                name: Some(Name::Token(named.token)),
            });
            let by_flag = v1::ExposureName {
                name: Some(Name::Flag(v1::FlagContext {
                    flag_key: "checkout".to_owned(),
                    context: Some(caller),
                })),
            };
            assert_eq!(counted(&contents, by_flag), served, "{name} {account}");
            assert_eq!(
                by_token.and_then(|name| counted(&contents, name)),
                served,
                "{name} {account}"
            );
            arms.extend(served.map(|key| key.arm));
            strata.insert(served.map(|key| key.stratum));
        }
    }
    assert_eq!(arms, HashSet::from([Arm::Control, Arm::Treatment]));
    assert_eq!(strata, HashSet::from([None, Some(0), Some(1)]));
}

#[test]
fn what_cannot_be_counted_is_dropped_with_its_reason() {
    let unknown = Exposure {
        rollout: 8,
        ..exposure(Arm::Control, 1)
    };
    let ahead = Exposure {
        stage: 3,
        ..exposure(Arm::Control, 1)
    };
    let text = |text: &str| v1::ExposureName {
        name: Some(Name::Token(text.to_owned())),
    };
    for (exposure, reason) in [
        (token_with(exposure(Arm::Control, 1), 1), Dropped::Forged),
        (token_with(unknown, TOKEN_KEY), Dropped::UnknownRollout),
        (token_with(ahead, TOKEN_KEY), Dropped::UnknownStage),
        (text(""), Dropped::Malformed),
        (text("not a token"), Dropped::Malformed),
        (v1::ExposureName { name: None }, Dropped::Unnamed),
        (flag("nowhere", Some("ada")), Dropped::UnknownFlag),
        (flag("plain", Some("ada")), Dropped::NotExposed),
        (flag("checkout", None), Dropped::NotExposed),
    ] {
        assert_eq!(ok(exposure), dropped(reason), "{reason:?}");
    }
}

#[test]
fn nothing_can_be_counted_before_the_first_snapshot() {
    let observer = Observer {
        holder: Holder::new(false),
        ..observer()
    };
    let tally = observe(
        &observer,
        vec![observation(v1::OutcomeKind::Ok, vec![token(Arm::Control, 1)])],
    );
    assert_eq!(tally, dropped(Dropped::NoSnapshot));
}

#[test]
fn an_observation_counts_once_however_many_tokens_of_an_arm_it_carries() {
    let observer = observer();
    let tokens = vec![
        token(Arm::Treatment, 1),
        token(Arm::Treatment, 2),
        token(Arm::Control, 3),
    ];
    let tally = observe(&observer, vec![observation(v1::OutcomeKind::Error, tokens)]);
    assert_eq!(tally.counted, 3);
    assert_eq!(outcomes(&observer), 2);
}

#[test]
fn cancelled_counts_nowhere_and_unknown_outcomes_are_dropped() {
    let observer = observer();
    let mut unknown = observation(v1::OutcomeKind::Unspecified, vec![token(Arm::Control, 1)]);
    assert_eq!(observe(&observer, vec![unknown.clone()]), dropped(Dropped::Outcome));
    unknown.outcome = 99;
    assert_eq!(observe(&observer, vec![unknown]), dropped(Dropped::Outcome));
    let cancelled = observation(v1::OutcomeKind::Cancelled, vec![token(Arm::Control, 1)]);
    assert_eq!(observe(&observer, vec![cancelled]), Received::default());
    assert_eq!(outcomes(&observer), 0);
}

#[test]
fn what_is_too_much_is_dropped_and_the_rest_is_counted() {
    let observer = observer();
    let one = || observation(v1::OutcomeKind::Ok, vec![token(Arm::Control, 1)]);
    let tally = observe(&observer, (0..1_002).map(|_| one()).collect());
    assert_eq!(
        tally,
        Received {
            counted: 1_000,
            dropped: [(Dropped::TooManyObservations, 2)].into(),
            ..Received::default()
        }
    );
    let many = observation(v1::OutcomeKind::Ok, (0..70).map(|_| token(Arm::Control, 1)).collect());
    let tally = observe(&observer, vec![many]);
    assert_eq!(
        tally,
        Received {
            counted: 64,
            dropped: [(Dropped::TooManyExposures, 6)].into(),
            ..Received::default()
        }
    );
    assert_eq!(outcomes(&observer), 1_001);
}

/// A holder of the rollout with the error rate, revenue up to 100, and conversions of exposures.
fn with_metrics() -> Observer {
    let metric = |number, key: &str, counting| MetricSpec {
        number,
        key: key.to_owned(),
        counting,
        lost_is_bad: true,
    };
    let metrics = vec![
        metric(
            0,
            "error-rate",
            Counting::Errors {
                expected: vec!["declined".to_owned()],
            },
        ),
        metric(
            1,
            "revenue",
            Counting::Sum {
                value: "revenue".to_owned(),
                minimum: 0,
                maximum: 100_000_000,
                per: Per::Value,
            },
        ),
        metric(
            2,
            "conversion",
            Counting::Hits {
                value: "converted".to_owned(),
                per: Per::Exposure,
            },
        ),
    ];
    let measurement = evaluation::Measurement {
        metrics,
        ..measurement()
    };
    Observer {
        holder: Contents::production()
            .rollout(Buckets::ALL)
            .measured(&measurement)
            .held(1),
        ..observer()
    }
}

/// (Numerator, denominator) of each metric over all that was counted; to be asked once.
fn totals(observer: &Observer) -> Vec<(i128, u64)> {
    let snapshot = observer.holder.load_full();
    let measurement = snapshot.measurement(ROLLOUT).unwrap();
    let drained = observer.counters.drain(measurement, observer.clock.tick());
    let mut totals = vec![(0, 0); measurement.metrics.len()];
    for cell in drained.slices.iter().flat_map(|slice| slice.cells.values()) {
        for (total, metric) in totals.iter_mut().zip(&cell.metrics) {
            let (num, den) = metric.sums.total();
            *total = (total.0 + num, total.1 + den);
        }
    }
    totals
}

fn value(metric: &str, value: f64) -> v1::MetricValue {
    v1::MetricValue {
        metric: metric.to_owned(),
        value,
    }
}

#[test]
fn what_is_wrong_in_an_observation_is_left_out_and_the_rest_counts() {
    let observer = with_metrics();
    let failed = || observation(v1::OutcomeKind::Error, vec![token(Arm::Treatment, 1)]);
    let mut too_many = vec![value("revenue", 1.0); 40];
    too_many[1].value = f64::NAN;
    for (wrong, faults) in [
        (
            v1::Observation {
                duration_us: Some(-1),
                ..failed()
            },
            vec![(Fault::NegativeDuration, 1)],
        ),
        (
            v1::Observation {
                values: vec![value("revenue", f64::INFINITY)],
                ..failed()
            },
            vec![(Fault::NotFinite, 1)],
        ),
        (
            v1::Observation {
                values: too_many,
                ..failed()
            },
            vec![(Fault::NotFinite, 1), (Fault::TooManyValues, 8)],
        ),
        (
            v1::Observation {
                error_class: "No Class".to_owned(),
                ..failed()
            },
            vec![(Fault::ErrorClass, 1)],
        ),
        (
            v1::Observation {
                values: vec![value("revenue", -5.0)],
                ..failed()
            },
            vec![(Fault::OutsideClamp, 1)],
        ),
        (
            v1::Observation {
                values: vec![value("nobody-asked", 1.0)],
                ..failed()
            },
            vec![],
        ),
        (
            v1::Observation {
                error_class: "declined".to_owned(),
                ..failed()
            },
            vec![],
        ),
    ] {
        let received = observe(&observer, vec![wrong]);
        let expected = Received {
            counted: 1,
            faults: faults.into_iter().collect(),
            ..Received::default()
        };
        assert_eq!(received, expected);
    }
    assert_eq!(totals(&observer), [(6, 7), (31_000_000, 32), (0, 0)]);
}

#[test]
fn events_count_their_values_for_what_they_belong_to_and_no_outcome() {
    let observer = with_metrics();
    let event = |names: Vec<v1::ExposureName>, values| v1::TrackedEvent {
        exposures: names,
        values,
    };
    let request = v1::TrackRequest {
        events: vec![
            event(
                vec![token(Arm::Treatment, 1), token(Arm::Treatment, 2)],
                vec![value("converted", 1.0)],
            ),
            event(vec![flag("checkout", Some("ada"))], vec![value("revenue", 30.0)]),
            event(
                vec![token_with(exposure(Arm::Control, 1), 1)],
                vec![value("revenue", 30.0)],
            ),
        ],
    };
    let received = observer.track(request, Caller::ANYBODY);
    assert_eq!((received.counted, received.dropped), (3, [(Dropped::Forged, 1)].into()));
    let more = v1::TrackRequest {
        events: vec![event(vec![token(Arm::Treatment, 1)], Vec::new()); 1_001],
    };
    let received = observer.track(more, Caller::ANYBODY);
    assert_eq!(
        (received.counted, received.dropped),
        (1_000, [(Dropped::TooManyObservations, 1)].into())
    );
    assert_eq!(outcomes(&observer), 0);
}

#[test]
fn a_conversion_is_divided_by_what_was_exposed() {
    let observer = with_metrics();
    let evaluator = crate::evaluate::Evaluator {
        counters: Arc::clone(&observer.counters),
        ..evaluator(&observer.holder)
    };
    let snapshot = observer.holder.load_full();
    for name in ["ada", "bob", "eve"] {
        let context = evaluation::Context::new().with_targeting_key(name);
        let decision = snapshot.flag("checkout").unwrap().evaluate(&snapshot, &context);
        evaluator.expose(&snapshot, &decision, || Caller::ANYBODY).unwrap();
    }
    let event = v1::TrackedEvent {
        exposures: vec![flag("checkout", Some("eve"))],
        values: vec![value("converted", 1.0)],
    };
    observer.track(v1::TrackRequest { events: vec![event] }, Caller::ANYBODY);
    assert_eq!(totals(&observer), [(0, 0), (0, 0), (1, 3)]);
}

/// The names of exposures that were evaluated just now, by their tokens.
fn evaluated<'n>(observer: &Observer, names: impl IntoIterator<Item = &'n str>) -> Vec<v1::ExposureName> {
    let evaluator = crate::evaluate::Evaluator {
        counters: Arc::clone(&observer.counters),
        ..evaluator(&observer.holder)
    };
    let snapshot = observer.holder.load_full();
    let exposed = |name: &str| {
        let context = evaluation::Context::new().with_targeting_key(name);
        let decision = snapshot.flag("checkout").unwrap().evaluate(&snapshot, &context);
        let named = evaluator.expose(&snapshot, &decision, || Caller::ANYBODY).unwrap();
        v1::ExposureName {
            name: Some(Name::Token(named.token)),
        }
    };
    names.into_iter().map(exposed).collect()
}

/// What was lost and what was dropped, a minute later.
fn lost_and_dropped(observer: &Observer) -> (u64, u64) {
    let snapshot = observer.holder.load_full();
    let measurement = snapshot.measurement(ROLLOUT).unwrap();
    let mut later = observer.clock.moment();
    later.elapsed_s += 60;
    observer.counters.find_lost(measurement, later);
    let drained = observer.counters.drain(measurement, later.tick());
    let cells = drained.slices.iter().flat_map(|slice| slice.cells.values());
    (cells.map(|cell| cell.lost).sum(), drained.unsaid.dropped)
}

#[test]
fn a_cancelled_request_is_awaited_no_more_and_neither_is_a_second_token() {
    let observer = observer();
    let first = observation(v1::OutcomeKind::Ok, evaluated(&observer, ["first"]));
    observe(&observer, vec![first]);
    let cancelled = observation(v1::OutcomeKind::Cancelled, evaluated(&observer, ["ada"]));
    let both = observation(v1::OutcomeKind::Ok, evaluated(&observer, ["bob", "eve"]));
    observe(&observer, vec![cancelled, both]);
    evaluated(&observer, ["zoe"]);
    assert_eq!(lost_and_dropped(&observer), (1, 0));
}

#[test]
fn what_came_and_was_not_read_is_dropped_and_not_lost() {
    let observer = observer();
    let ok = |exposures| observation(v1::OutcomeKind::Ok, exposures);
    observe(&observer, vec![ok(evaluated(&observer, ["first"]))]);
    let unknown = v1::Observation {
        outcome: 99,
        ..ok(evaluated(&observer, ["ada"]))
    };
    observe(&observer, vec![unknown]);
    let names: Vec<_> = (0..1_002).map(|number| format!("unit-{number}")).collect();
    let each = evaluated(&observer, names.iter().map(String::as_str)).into_iter();
    observe(&observer, each.map(|name| ok(vec![name])).collect());
    let all = evaluated(&observer, names[..70].iter().map(String::as_str));
    observe(&observer, vec![ok(all)]);
    evaluated(&observer, ["zoe"]);
    assert_eq!(lost_and_dropped(&observer), (1, 1 + 2 + 6));
}

proptest! {
    #[test]
    fn any_token_text_is_answered(text in "\\PC{0,40}", outcome in any::<i32>()) {
        let name = v1::ExposureName { name: Some(Name::Token(text)) };
        let observation = v1::Observation {
            exposures: vec![name],
            outcome,
            duration_us: Some(-1),
            ..v1::Observation::default()
        };
        prop_assert_eq!(observe(&observer(), vec![observation]).counted, 0);
    }
}
