//! Plans for tests: `on` against `off`, with stages that a test can wait for.
//!
//! Everything that a test does not name keeps the control plane's own default, because that is what most users have.

use std::time::Duration;

use proto::v1;

/// A plan of a boolean flag with these stages, which completes as soon as its last gate opens.
pub fn plan(flag: &str, stages: &[v1::Stage]) -> v1::Plan {
    v1::Plan {
        flag: flag.to_owned(),
        treatment: "on".to_owned(),
        control: "off".to_owned(),
        stages: stages.to_vec(),
        bake_us: Some(0),
        ..v1::Plan::default()
    }
}

/// A stage: name, treatment's share of the 100,000 buckets, dwell. Its gate asks for 20 outcomes and 3 units an arm.
pub fn stage(name: &str, buckets: u32, dwell: Duration) -> v1::Stage {
    v1::Stage {
        name: name.to_owned(),
        buckets,
        dwell_us: micros(dwell),
        minimum_outcomes: Some(20),
        minimum_units: Some(3),
        ..v1::Stage::default()
    }
}

/// A stage of half the units that lasts longer than any test: nothing but an abort ends it.
pub fn half_for_long() -> v1::Stage {
    stage("half", 50_000, Duration::from_secs(86_400))
}

/// The last stage: everybody, at once.
pub fn everybody() -> v1::Stage {
    stage("all", 100_000, Duration::ZERO)
}

/// The same, for services that answer at once: what has not been heard of after two seconds is lost.
#[must_use]
pub fn impatient(plan: v1::Plan) -> v1::Plan {
    v1::Plan {
        lost_after_us: micros(Duration::from_secs(2)),
        ..plan
    }
}

/// In microseconds.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).expect("a duration of a test fits")
}
