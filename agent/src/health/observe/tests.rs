#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets, RolloutStep};
use proptest::prelude::*;
use prost_types::{Struct, Value, value::Kind};

use super::*;
use crate::{
    health::slice::CellKey,
    samples::{Contents, ROLLOUT, TOKEN_KEY, boolean, evaluator, exposure, measurement, step_for_some},
};

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
                Value {
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
        duration_us: None,
    }
}

fn observe(observer: &Observer, observations: Vec<v1::Observation>) -> Tally {
    observer.observe(v1::ObserveRequest { observations })
}

fn ok(exposure: v1::ExposureName) -> Tally {
    observe(&observer(), vec![observation(v1::OutcomeKind::Ok, vec![exposure])])
}

fn dropped(reason: Dropped) -> Tally {
    Tally {
        counted: 0,
        dropped: [(reason, 1)].into(),
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
        Tally {
            counted: 1,
            ..Tally::default()
        }
    );
    assert_eq!(
        ok(flag("checkout", Some("ada"))),
        Tally {
            counted: 1,
            ..Tally::default()
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
            let fields = fields.map(|(name, kind)| (name.to_owned(), Value { kind }));
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
    assert_eq!(observe(&observer, vec![cancelled]), Tally::default());
    assert_eq!(outcomes(&observer), 0);
}

#[test]
fn what_is_too_much_is_dropped_and_the_rest_is_counted() {
    let observer = observer();
    let one = || observation(v1::OutcomeKind::Ok, vec![token(Arm::Control, 1)]);
    let tally = observe(&observer, (0..1_002).map(|_| one()).collect());
    assert_eq!(
        tally,
        Tally {
            counted: 1_000,
            dropped: [(Dropped::TooManyObservations, 2)].into()
        }
    );
    let many = observation(v1::OutcomeKind::Ok, (0..70).map(|_| token(Arm::Control, 1)).collect());
    let tally = observe(&observer, vec![many]);
    assert_eq!(
        tally,
        Tally {
            counted: 64,
            dropped: [(Dropped::TooManyExposures, 6)].into()
        }
    );
    assert_eq!(outcomes(&observer), 1_001);
}

#[test]
fn the_sender_is_told_why() {
    let response = v1::ObserveResponse::from(Tally {
        counted: 2,
        dropped: [(Dropped::Forged, 3)].into(),
    });
    assert_eq!((response.counted, response.dropped), (2, 3));
    assert_eq!(
        response.reasons,
        ["a token was not minted in this environment, or is damaged (3 times)"]
    );
}

proptest! {
    #[test]
    fn any_token_text_is_answered(text in "\\PC{0,40}", outcome in any::<i32>()) {
        let name = v1::ExposureName { name: Some(Name::Token(text)) };
        let observation = v1::Observation { exposures: vec![name], outcome, duration_us: Some(-1) };
        prop_assert_eq!(observe(&observer(), vec![observation]).counted, 0);
    }
}
