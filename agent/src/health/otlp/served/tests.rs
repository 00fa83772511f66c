#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets, Measurement, Position, StageVisit};
use proto::tick;

use super::*;
use crate::{
    health::otlp::samples::{double, evaluated, number, text},
    samples::{Contents, ROLLOUT, TOKEN_KEY, boolean, exposure, measurement},
};

fn contents() -> Contents {
    Contents::production().rollout(Buckets::ALL).flag(&boolean("plain"))
}

/// What an event of these attributes was, served long after the stage began.
fn told(attributes: &[KeyValue]) -> Result<Attributed, Dropped> {
    let said = Said::of(attributes);
    let attributed = said.attribute_to(&contents().snapshot(1), &ServerClock::new(), 0);
    attributed.map_err(|uncounted| uncounted.reason)
}

/// The event of an evaluation with some attributes in the place of its own.
fn with(changed: &[KeyValue]) -> Vec<KeyValue> {
    let mut attributes = evaluated("on", "ada");
    attributes.retain(|attribute| changed.iter().all(|other| other.key != attribute.key));
    attributes.extend_from_slice(changed);
    attributes
}

/// The event without one of its attributes.
fn without(key: &str) -> Vec<KeyValue> {
    let mut attributes = evaluated("on", "ada");
    attributes.retain(|attribute| attribute.key != key);
    attributes
}

#[test]
fn an_evaluation_is_the_exposure_of_whom_it_was_served_to() {
    let attributed = told(&evaluated("on", "ada")).unwrap();
    assert_eq!((attributed.place.rollout, attributed.arm), (ROLLOUT, Arm::Treatment));
    assert_eq!(attributed.position, Some(Position::of(5, "ada")));
    let numbered = told(&with(&[number("feature_flag.context.id", 42)])).unwrap();
    assert_eq!(numbered.position, Some(Position::of(5, "42")), "as the context has it");
    let numbered = told(&with(&[double("feature_flag.context.id", 42.0)])).unwrap();
    assert_eq!(numbered.position, Some(Position::of(5, "42")));
}

#[test]
fn without_the_callers_id_nobody_is_named() {
    let attributed = told(&without("feature_flag.context.id")).unwrap();
    assert_eq!((attributed.arm, attributed.position), (Arm::Treatment, None));
}

#[test]
fn older_names_are_read_and_the_current_ones_count() {
    let older = [
        text("feature_flag.key", "checkout"),
        text("feature_flag.variant", "on"),
        text("feature_flag.provider_name", "flagd"),
    ];
    assert_eq!(
        told(&older),
        Err(Dropped::Ambiguous),
        "neither a reason nor somebody is told"
    );
    for reason in ["feature_flag.evaluation.reason", "feature_flag.reason"] {
        let attributed = told(&[&older[..], &[text(reason, "SPLIT")]].concat()).unwrap();
        assert_eq!(attributed.arm, Arm::Treatment);
    }
    let both = [&evaluated("on", "ada")[..], &[text("feature_flag.variant", "off")]].concat();
    assert!(told(&both).is_ok());
    assert!(
        told(&both.into_iter().rev().collect::<Vec<_>>()).is_ok(),
        "in any order"
    );
}

#[test]
fn a_reason_that_is_not_about_the_caller_was_no_exposure() {
    let reason = |reason| told(&with(&[text("feature_flag.result.reason", reason)]));
    for none in ["static", "default", "disabled", "error", "cached", "Reason.DEFAULT"] {
        assert_eq!(reason(none), Err(Dropped::NotExposed), "{none}");
    }
    for some in [
        "split",
        "TARGETING_MATCH",
        "Reason.SPLIT",
        "unknown",
        "of-another-provider",
    ] {
        assert!(reason(some).is_ok(), "{some}");
    }
}

#[test]
fn a_version_tells_the_place_and_one_of_somebody_else_nothing() {
    let version = |version| told(&with(&[text("feature_flag.version", version)]));
    assert_eq!(version("r7.3.2").unwrap().place.stage, 3);
    assert_eq!(version("r8.0.0"), Err(Dropped::StaleVersion));
    assert_eq!(version("1.4.2").unwrap().place.stage, 0);
}

#[test]
fn a_token_names_the_exposure_itself() {
    let exposed = exposure(Arm::Control, 9);
    let token = Token {
        exposure: exposed,
        tick: 3,
        minter: 1,
    };
    let named = |key| told(&[text("tidegate.token", &token.to_text(key))]);
    assert_eq!(named(TOKEN_KEY), Ok(exposed.into()));
    assert_eq!(named(1), Err(Dropped::Token));
    assert_eq!(told(&[text("tidegate.token", "none")]), Err(Dropped::Token));
}

#[test]
fn what_cannot_be_an_exposure_is_dropped_with_its_reason() {
    let cases = [
        (with(&[text("feature_flag.key", "nowhere")]), Dropped::UnknownFlag),
        (with(&[text("feature_flag.key", "plain")]), Dropped::NoRollout),
        (without("feature_flag.key"), Dropped::Malformed),
        (without("feature_flag.result.variant"), Dropped::NoVariant),
        (with(&[number("feature_flag.result.variant", 1)]), Dropped::NoVariant),
        (with(&[text("feature_flag.result.variant", "third")]), Dropped::OtherArm),
        (with(&[text("feature_flag.result.variant", "off")]), Dropped::OtherArm),
        (Vec::new(), Dropped::Malformed),
    ];
    for (attributes, reason) in cases {
        assert_eq!(told(&attributes), Err(reason));
    }
    let nothing = Said::of(&evaluated("on", "ada")).attribute_to(&Snapshot::empty(), &ServerClock::new(), 0);
    assert_eq!(nothing, Err(Dropped::NoSnapshot.into()));
}

#[test]
fn a_unit_of_the_other_arm_is_awaited_no_more() {
    let attributes = with(&[text("feature_flag.result.variant", "off")]);
    let uncounted = Said::of(&attributes).attribute_to(&contents().snapshot(1), &ServerClock::new(), 0);
    let of = uncounted.unwrap_err().of.unwrap();
    assert_eq!((of.arm, of.position), (Arm::Treatment, Some(Position::of(5, "ada"))));
}

#[test]
fn what_was_served_before_the_stage_could_be_known_is_of_another() {
    let entered_tick = 100_000;
    let measured = Measurement {
        stages: vec![StageVisit {
            entered_tick,
            ..measurement().stages[0]
        }],
        ..measurement()
    };
    let snapshot = contents().measured(&measured).snapshot(1);
    let clock = ServerClock::new();
    clock.adjust(7_000_000);
    let served = |attributes: &[KeyValue], tick: u32| {
        let own_us = tick::begins_us(tick) - 7_000_000;
        Said::of(attributes).attribute_to(&snapshot, &clock, own_us)
    };
    let event = evaluated("on", "ada");
    for tick in [entered_tick - 1, entered_tick, entered_tick + 1] {
        let uncounted = served(&event, tick).unwrap_err();
        assert_eq!(uncounted.reason, Dropped::StaleStage, "tick {tick}");
        let position = uncounted.of.unwrap().position;
        assert_eq!(position, Some(Position::of(5, "ada")), "awaited no more");
    }
    assert!(served(&event, entered_tick + UNSURE_TICKS).is_ok());
    let versioned = with(&[text("feature_flag.version", "r7.0.0")]);
    assert!(served(&versioned, entered_tick - 1).is_ok(), "the version tells");
}
