//! The documents of the story: its flags and its plan.

use std::{collections::BTreeMap, time::Duration};

use proto::v1;

/// Stages of both rollouts: name, treatment's buckets, dwell. At the default load the canary lasts three times as long
/// as five times the errors usually need to be found, so that the harm is met while few units are exposed.
const STAGES: [(&str, u32, Duration); 3] = [
    ("canary", 5_000, Duration::from_secs(20)),
    ("quarter", 25_000, Duration::from_secs(15)),
    ("all", 100_000, Duration::from_secs(8)),
];

/// A boolean flag that serves off to everyone.
pub(crate) fn flag(key: &str) -> v1::Flag {
    let value = |boolean| v1::Value {
        kind: Some(v1::value::Kind::Boolean(boolean)),
    };
    let variants = [("on", true), ("off", false)].map(|(name, boolean)| (name.to_owned(), value(boolean)));
    v1::Flag {
        key: key.to_owned(),
        r#type: v1::FlagType::Boolean.into(),
        description: "Made by tidegate-demo".to_owned(),
        enabled: true,
        variants: BTreeMap::from(variants).into_iter().collect(),
        off_variant: "off".to_owned(),
        default_serve: Some(v1::Serve {
            kind: Some(v1::serve::Kind::Variant("off".to_owned())),
        }),
        ..v1::Flag::default()
    }
}

/// When an outcome that has not come is given up.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// How long everybody has the treatment before it becomes the default.
const BAKE: Duration = Duration::from_secs(4);
/// The stage whose gate a person has to approve.
const APPROVED: &str = "quarter";

/// From off to on, in three stages, the second of which a person must approve to leave; all that is not said here is
/// Tidegate's default.
pub(crate) fn plan(flag: &str) -> v1::Plan {
    let stage = |(name, buckets, dwell): (&str, u32, Duration)| v1::Stage {
        name: name.to_owned(),
        buckets,
        dwell_us: micros(dwell),
        approvals: u32::from(name == APPROVED),
        ..v1::Stage::default()
    };
    v1::Plan {
        flag: flag.to_owned(),
        treatment: "on".to_owned(),
        control: "off".to_owned(),
        stages: STAGES.map(stage).to_vec(),
        guards: guards(),
        // The shop answers within milliseconds: what has not been heard of by then never will be.
        lost_after_us: micros(LOST_AFTER),
        bake_us: Some(micros(BAKE)),
        ..v1::Plan::default()
    }
}

/// Treatment's share of the first stage, a fraction.
pub(crate) fn first_share() -> f64 {
    f64::from(STAGES[0].1) / 100_000.0
}

/// What trips the kill switch that stands.
pub(crate) const KILL_CONDITION: &str = "error-rate > 5 %";
/// What both arms break in the outage.
pub(crate) const ERROR_LIMIT: &str = "error-rate > 5 %";

/// What may not get worse beside errors: what the shop earns, what an answer of its assistant costs, how long it takes.
fn guards() -> Vec<v1::Guard> {
    let guard = |harm: &str| v1::Guard {
        harm: harm.to_owned(),
        ..v1::Guard::default()
    };
    [
        "error-rate > 1x control",
        "revenue < 0.7x control",
        "cost-per-query > $0.50",
        "p95 > 2 s",
    ]
    .map(guard)
    .to_vec()
}

/// A plan that is only kept: its kill switch stands without any rollout.
pub(crate) fn stand_by(flag: &str) -> v1::Plan {
    v1::Plan {
        key: format!("{flag}-stand-by"),
        kill_switch: Some(v1::KillSwitch {
            auto_trip: true,
            conditions: vec![KILL_CONDITION.to_owned()],
            ..v1::KillSwitch::default()
        }),
        ..plan(flag)
    }
}

/// Half of everybody for long, under an error rate that may not be passed.
pub(crate) fn under_limits(flag: &str) -> v1::Plan {
    let guard = v1::Guard {
        harm: ERROR_LIMIT.to_owned(),
        ..v1::Guard::default()
    };
    let half = v1::Stage {
        name: "half".to_owned(),
        buckets: 50_000,
        dwell_us: micros(Duration::from_secs(3_600)),
        ..v1::Stage::default()
    };
    v1::Plan {
        stages: vec![half],
        guards: vec![guard],
        ..plan(flag)
    }
}

/// In microseconds; the seconds of the story fit.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The stages of the plan as options of `tidegate rollout start`.
pub(crate) fn stage_options() -> String {
    let option = |(name, buckets, dwell): (&str, u32, Duration)| {
        format!("--stage {name}:{}%:{}s", f64::from(buckets) / 1_000.0, dwell.as_secs())
    };
    STAGES.map(option).join(" ")
}

/// What a flag serves to everyone; None: not one variant.
pub(crate) fn default_variant(flag: &v1::Flag) -> Option<&str> {
    match flag.default_serve.as_ref()?.kind.as_ref()? {
        v1::serve::Kind::Variant(variant) => Some(variant),
        v1::serve::Kind::Split(_) | v1::serve::Kind::CallerDefault(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_begins_where_the_flag_is_and_ends_with_everyone() {
        let (flag, plan) = (flag("checkout-v2"), plan("checkout-v2"));
        assert_eq!(default_variant(&flag), Some(plan.control.as_str()));
        assert!(flag.variants.contains_key(&plan.treatment));
        assert!(plan.stages.is_sorted_by(|one, next| one.buckets < next.buckets));
        assert_eq!(plan.stages.last().map(|stage| stage.buckets), Some(100_000));
    }

    #[test]
    fn stages_are_written_as_they_are_typed() {
        assert_eq!(
            stage_options(),
            "--stage canary:5%:20s --stage quarter:25%:15s --stage all:100%:8s"
        );
    }
}
