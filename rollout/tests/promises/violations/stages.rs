//! What is wrong with stages.

use rollout::{
    DAY_US, Stage,
    duration::Dwell,
    gate::{Outcome, Policy},
};

use super::{fields, named, refuses};
use crate::builders::{criterion, of_stages, share, stage, window};

#[test]
fn stages() {
    refuses(&[
        (|plan| plan.stages.clear(), "stages", "not 0"),
        (
            |plan| plan.stages = (1..=17).map(|n| stage(&format!("s{n}"), f64::from(n))).collect(),
            "stages",
            "1 to 16 stages, not 17",
        ),
        (
            |plan| plan.stages[1].name = "canary".to_owned(),
            "stages[1].name",
            "unique",
        ),
        (
            |plan| plan.stages[0].name = String::new(),
            "stages[0].name",
            "begin with",
        ),
        (
            |plan| plan.stages[1].share = share(5.0),
            "stages[1].percentage",
            "canary at 5 %",
        ),
        (
            |plan| plan.stages[1].share = share(4.999),
            "stages[1].percentage",
            "not 4.999 %",
        ),
        (
            |plan| plan.stages = vec![stage("none", 0.0)],
            "stages[0].percentage",
            "exposes nobody",
        ),
        (
            |plan| plan.stages[1].shadow = true,
            "stages[1].shadow",
            "shadow stages come first",
        ),
        (
            |plan| plan.stages[0].dwell = Dwell::For(-1),
            "stages[0].dwell",
            "0 to 365 days",
        ),
        (
            |plan| plan.stages[0].dwell = Dwell::For(365 * DAY_US + 1),
            "stages[0].dwell",
            "365 days",
        ),
        (
            |plan| plan.stages[0].minimum_outcomes = u64::MAX,
            "stages[0].minimum_outcomes",
            "1000000000",
        ),
        (
            |plan| plan.stages[0].minimum_units = 262_145,
            "stages[0].minimum_units",
            "262144",
        ),
        (
            |plan| plan.stages[0].audience = named(17),
            "stages[0].audience",
            "at most 16",
        ),
        (
            |plan| plan.stages[0].audience = vec!["a b".to_owned()],
            "stages[0].audience[0]",
            "\"a b\"",
        ),
        (
            |plan| plan.stages[0].audience = vec!["a".to_owned(), "a".to_owned()],
            "stages[0].audience[1]",
            "named twice",
        ),
        (
            |plan| {
                plan.stages[0].policy = Policy::Dwell;
                plan.stages[0].success = vec![criterion("error-rate < 1 %")];
            },
            "stages[0].gate",
            "asks nothing",
        ),
        (
            |plan| plan.stages[0].policy = Policy::Observed,
            "stages[0].gate",
            "observed",
        ),
        (
            |plan| plan.stages[0].policy = Policy::Certify,
            "stages[0].gate",
            "certify",
        ),
        (
            |plan| plan.stages[0].max_extensions = 101,
            "stages[0].max_extensions",
            "at most 100",
        ),
        (
            |plan| {
                plan.stages[0].max_extensions = 1;
                plan.stages[0].outcomes = vec![Outcome::Proceed];
            },
            "stages[0].max_extensions",
            "add extend",
        ),
        (
            |plan| plan.stages[0].extension_us = Some(0),
            "stages[0].extension",
            "365 days",
        ),
        (
            |plan| plan.stages[0].checklist = named(33),
            "stages[0].checklist",
            "at most 32",
        ),
        (
            |plan| plan.stages[0].checklist = vec!["a".to_owned(), "a".to_owned()],
            "stages[0].checklist[1]",
            "twice",
        ),
        (
            |plan| plan.stages[0].rollback = vec![criterion("p99 > 1 s"); 33],
            "stages[0].rollback",
            "at most 32",
        ),
        (
            |plan| {
                plan.start_at_us = Some(1);
                plan.windows = vec![window("Mon 09:00-10:00 UTC")];
                plan.stages[1].windows = vec![window("Tue UTC")];
            },
            "stages[1].windows",
            "never open",
        ),
        (
            |plan| {
                plan.stages[0].max_extensions = 100;
                plan.stages[0].extension_us = Some(365 * DAY_US);
            },
            "stages",
            "less than 20 years",
        ),
    ]);
}

#[test]
fn stages_of_different_audiences_need_not_rise() {
    let of = |segments: &[&str], name: &str, percent: f64| Stage {
        audience: segments.iter().map(|segment| (*segment).to_owned()).collect(),
        ..stage(name, percent)
    };
    let stages = vec![
        of(&["staff"], "staff", 100.0),
        stage("one", 1.0),
        of(&["beta", "staff"], "beta", 0.5),
    ];
    assert_eq!(of_stages(stages.clone()).violations(), []);
    let again = [stages, vec![of(&["staff", "beta"], "again", 0.5)]].concat();
    assert_eq!(fields(&of_stages(again)), ["stages[3].percentage"]);
    let shadow = Stage {
        shadow: true,
        ..stage("shadow", 100.0)
    };
    assert_eq!(of_stages(vec![shadow, stage("one", 1.0)]).violations(), []);
}
