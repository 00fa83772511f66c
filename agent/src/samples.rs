//! Flags, rollouts and evaluators for tests, built with good defaults so that a test shows only what differs; the
//! snapshots that hold them are in `contents`.

#![allow(clippy::unwrap_used)]

mod contents;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::{
    Arm, Buckets, Condition, Counting, Exposure, Flag, FlagType, HashScheme, Json, Key, Literal, Measurement,
    MetricSpec, OneOf, Position, ReachedStage, RolloutStep, Rule, Segment, Serve, Share, Split, SplittingUnit,
    StageVisit, Test, Value, WhenStale,
};
use proto::tick;

use crate::{
    contact::Contact,
    evaluate::{Evaluator, derived::Derived},
    health::{
        caller::Caller,
        counters::Counters,
        exposed::Exposed,
        report::{Outcome, Report},
    },
    metrics::Evaluations,
    server_clock::{Moment, ServerClock},
    snapshot::Holder,
};

pub(crate) use contents::Contents;

/// The environment's token key.
pub(crate) const TOKEN_KEY: u128 = 0x70_6b;
/// The rollout that samples speak of.
pub(crate) const ROLLOUT: u32 = 7;

/// A boolean flag that serves `on` to everybody.
pub(crate) fn boolean(key: &str) -> Flag {
    let variants = [("off", false), ("on", true)].map(|(name, value)| (name.to_owned(), Value::Boolean(value)));
    Flag {
        key: Key::parse(key).unwrap(),
        flag_type: FlagType::Boolean,
        description: String::new(),
        owner: String::new(),
        tags: Default::default(),
        set: None,
        enabled: true,
        killed: false,
        salt: "salt".to_owned(),
        variants: variants.into(),
        off_variant: None,
        default: Serve::Variant("on".to_owned()),
        deny: Vec::new(),
        allow: BTreeMap::new(),
        rules: Vec::new(),
        prerequisites: Vec::new(),
        hash: HashScheme::Murmur3,
        bucket_by: Vec::new(),
        when_stale: WhenStale::Keep,
    }
}

/// A text flag that serves `a` to everybody.
pub(crate) fn text(key: &str) -> Flag {
    let variants = ["a", "b"].map(|name| (name.to_owned(), Value::String(format!("text {name}").into())));
    Flag {
        flag_type: FlagType::String,
        variants: variants.into(),
        default: Serve::Variant("a".to_owned()),
        ..boolean(key)
    }
}

/// A flag of one variant, `only`, with this value.
pub(crate) fn valued(key: &str, value: Value) -> Flag {
    Flag {
        flag_type: value.flag_type(),
        variants: [("only".to_owned(), value)].into(),
        default: Serve::Variant("only".to_owned()),
        ..boolean(key)
    }
}

/// An object: `{"list": [null, "x"], "n": 10, "half": 0.5}`.
pub(crate) fn object() -> Value {
    let list = vec![Json::Null, Json::Text("x".to_owned())];
    let fields = [
        ("list", Json::List(list)),
        ("n", Json::Number(10.0)),
        ("half", Json::Number(0.5)),
    ];
    let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value)).into();
    Value::Object(Arc::new(fields))
}

/// A split that everybody of it gets `on` from.
pub(crate) fn split_to_on() -> Serve {
    let share = |variant: &str, buckets| Share {
        variant: variant.to_owned(),
        buckets,
    };
    Serve::Split(Split {
        shares: vec![share("on", Buckets::ALL), share("off", Buckets::NONE)],
        ranges: Vec::new(),
    })
}

/// A rule that serves this to callers whose attribute `staff` is true.
pub(crate) fn for_staff(serve: Serve) -> Rule {
    Rule {
        name: "staff".to_owned(),
        conditions: vec![Condition {
            attribute: "staff".to_owned(),
            negated: false,
            test: Test::OneOf(OneOf {
                literals: vec![Literal::Boolean(true)],
                ignore_case: false,
            }),
        }],
        serve,
        salt: String::new(),
    }
}

/// A rule that serves this to the members of a segment.
pub(crate) fn for_members(segment: &str, serve: Serve) -> Rule {
    let conditions = vec![Condition {
        attribute: String::new(),
        negated: false,
        test: Test::InSegment(vec![segment.to_owned()]),
    }];
    Rule {
        name: "members".to_owned(),
        conditions,
        ..for_staff(serve)
    }
}

/// A segment of these units.
pub(crate) fn segment(key: &str, included: &[&str]) -> Segment {
    Segment {
        key: Key::parse(key).unwrap(),
        description: String::new(),
        owner: String::new(),
        tags: Default::default(),
        included: included.iter().map(|unit| (*unit).to_owned()).collect(),
        excluded: Vec::new(),
        groups: Vec::new(),
    }
}

/// The flag of the rollout: control `off` is its default.
pub(crate) fn rolled_out() -> Flag {
    Flag {
        default: Serve::Variant("off".to_owned()),
        ..boolean("checkout")
    }
}

/// The rollout's step at stage 0 with this share.
pub(crate) fn step(share: Buckets) -> RolloutStep {
    RolloutStep {
        rollout: ROLLOUT,
        measuring_key: 5,
        salt: "salt".to_owned(),
        bucket_by: Vec::new(),
        treatment: "on".to_owned(),
        control: "off".to_owned(),
        shadow: false,
        stage: 0,
        reached: vec![reached(0, share, &[])],
    }
}

/// A reached stage with this share of an audience.
pub(crate) fn reached(stage: u8, share: Buckets, audience: &[&str]) -> ReachedStage {
    ReachedStage {
        stage,
        share,
        audience: audience.iter().map(|segment| (*segment).to_owned()).collect(),
    }
}

/// The rollout in its stage 1, drawn by account: half of the segment `staff` since stage 0, nobody else but `beta`.
pub(crate) fn step_for_some() -> RolloutStep {
    RolloutStep {
        bucket_by: vec!["account".to_owned()],
        stage: 1,
        reached: vec![
            reached(0, Buckets::new(50_000).unwrap(), &["staff"]),
            reached(1, Buckets::new(20_000).unwrap(), &["beta"]),
        ],
        ..step(Buckets::NONE)
    }
}

/// What is measured for the rollout: begun long ago, one metric, one horizon.
pub(crate) fn measurement() -> Measurement {
    Measurement {
        rollout: ROLLOUT,
        id: 77,
        flag: Key::parse("checkout").unwrap(),
        measuring_key: 5,
        start_tick: 1,
        unit: SplittingUnit::Unit,
        stages: vec![StageVisit {
            stage: 0,
            visit: 1,
            share: Buckets::ALL,
            entered_tick: 1,
        }],
        horizon_starts: vec![1],
        lost_after_us: 30_000_000,
        metrics: vec![MetricSpec {
            number: 0,
            key: "error_rate".to_owned(),
            counting: Counting::Errors { expected: Vec::new() },
            lost_is_bad: true,
        }],
        ended: false,
    }
}

/// An exposure of the rollout's only stage.
pub(crate) fn exposure(arm: Arm, position: u32) -> Exposure {
    Exposure {
        rollout: ROLLOUT,
        stage: 0,
        stratum: 0,
        arm,
        position: Position::new(position).unwrap(),
    }
}

/// The beginning of a tick, by both clocks.
pub(crate) fn moment(tick: u32) -> Moment {
    Moment {
        time_us: tick::begins_us(tick) + 1,
        elapsed_s: tick,
    }
}

/// Counts that anybody's request of a unit turned out so.
pub(crate) fn report(counters: &Counters, measurement: &Measurement, unit: Exposure, outcome: Outcome, tick: u32) {
    let exposed = Exposed::unit(unit);
    counters.reported(
        measurement,
        &exposed,
        &Report::of(outcome),
        Caller::ANYBODY,
        moment(tick),
    );
}

/// An evaluator over a holder, for which every silence is too long; returns once there was one.
pub(crate) fn stale_evaluator(holder: &Holder) -> Evaluator {
    let evaluator = Evaluator {
        stale_after: Duration::ZERO,
        ..evaluator(holder)
    };
    while evaluator.stale_s().is_none() {
        std::thread::yield_now();
    }
    evaluator
}

/// An evaluator over a holder.
pub(crate) fn evaluator(holder: &Holder) -> Evaluator {
    Evaluator {
        holder: holder.clone(),
        counters: Arc::new(Counters::default()),
        clock: ServerClock::new(),
        contact: Contact::new(),
        stale_after: Duration::from_secs(300),
        stale: tokio::sync::watch::Sender::new(false),
        minter: 1,
        derived: Derived::default(),
        evaluations: Evaluations::new(),
    }
}
