//! The series of each rollout that is under way, made when Prometheus asks for them.
//!
//! A recorder keeps every series that it ever saw; these are written from the rollouts that there are, so that one that
//! ends takes its series along. Labels come from the plan and are bounded by it: its guards, its metrics, 17 classes of
//! failures an arm. At most 200 rollouts are shown, the newest, and how many are not. All of them are in one table.

use std::{collections::BTreeSet, fmt::Write as _};

use proto::v1;

/// The most rollouts that have series.
pub(crate) const MOST: usize = 200;
/// Rollouts that are under way and have none.
const OMITTED: &str = "tidegate_rollout_series_omitted";
/// The longest value of a label, in characters.
const LONGEST: usize = 200;

/// Series of one name.
struct Family {
    name: &'static str,
    /// `gauge` or `counter`.
    kind: &'static str,
    help: &'static str,
    /// What one rollout has of it.
    samples: fn(&v1::Rollout) -> Vec<Sample>,
}

/// A value, and the labels that it has beside those of its rollout.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// All of them. Counters begin anew with each visit of a stage, which rates and increases allow for.
const FAMILIES: &[Family] = &[
    Family {
        name: "tidegate_rollout_info",
        kind: "gauge",
        help: "1 for the phase and the stage that a rollout is in",
        samples: |rollout| vec![Sample::of(info(rollout), 1.0)],
    },
    Family {
        name: "tidegate_rollout_held",
        kind: "gauge",
        help: "1 for each reason for which a rollout is held",
        samples: |rollout| {
            let reasons = rollout.hold_reasons.iter();
            reasons
                .map(|reason| Sample::of(vec![("reason", reason.clone())], 1.0))
                .collect()
        },
    },
    Family {
        name: "tidegate_rollout_stage",
        kind: "gauge",
        help: "number of the stage that a rollout is in, from 1",
        samples: |rollout| vec![Sample::alone(f64::from(rollout.stage) + 1.0)],
    },
    Family {
        name: "tidegate_rollout_stages",
        kind: "gauge",
        help: "stages that a rollout has",
        samples: |rollout| {
            let stages = rollout.plan.as_ref().map_or(0, |plan| plan.stages.len());
            vec![Sample::alone(stages as f64)]
        },
    },
    Family {
        name: "tidegate_rollout_wanted_ratio",
        kind: "gauge",
        help: "share of the audience that is to have the treatment",
        samples: |rollout| vec![Sample::alone(ratio(rollout.wanted_buckets))],
    },
    Family {
        name: "tidegate_rollout_acked_ratio",
        kind: "gauge",
        help: "share of the audience whose agents have acknowledged the treatment",
        samples: |rollout| vec![Sample::alone(ratio(rollout.acked_buckets))],
    },
    Family {
        name: "tidegate_rollout_soaked_seconds",
        kind: "gauge",
        help: "how long the present stage has soaked",
        samples: |rollout| vec![Sample::alone(seconds(rollout.soaked_us))],
    },
    Family {
        name: "tidegate_rollout_dwell_seconds",
        kind: "gauge",
        help: "how long the present stage has to soak; none: until a person says otherwise",
        samples: |rollout| {
            let dwell = (!rollout.permanent).then(|| Sample::alone(seconds(rollout.dwell_us)));
            dwell.into_iter().collect()
        },
    },
    Family {
        name: "tidegate_rollout_fresh",
        kind: "gauge",
        help: "1 while frames of the live agents cover the recent past",
        samples: |rollout| {
            let fresh = rollout.evidence.as_ref().is_some_and(|evidence| evidence.fresh);
            vec![Sample::alone(f64::from(u8::from(fresh)))]
        },
    },
    Family {
        name: "tidegate_rollout_batches",
        kind: "gauge",
        help: "batches of evidence sealed",
        samples: |rollout| of_evidence(rollout, |evidence| Some(evidence.batches as f64)),
    },
    Family {
        name: "tidegate_rollout_evidence",
        kind: "gauge",
        help: "the evidence number of the guards that may abort; none before any of them speaks",
        samples: |rollout| {
            let may_abort = |guard: &&v1::GuardView| guard.level() == v1::GuardLevel::Abort;
            let numbers = rollout.guard_views.iter().filter(may_abort);
            let most = numbers.filter_map(|guard| guard.log_evidence).max_by(f64::total_cmp);
            most.map(number).map(Sample::alone).into_iter().collect()
        },
    },
    Family {
        name: "tidegate_rollout_evidence_abort",
        kind: "gauge",
        help: "the evidence number at which a rollout aborts; warn is at a fifth, hold at a half of it",
        samples: |rollout| of_evidence(rollout, |evidence| Some(number(evidence.log_abort))),
    },
    Family {
        name: "tidegate_rollout_guard_info",
        kind: "gauge",
        help: "1 for the test that judges a guard, and how it stands within its level",
        samples: |rollout| of_guards(rollout, |guard| vec![(guard_info(guard), 1.0)]),
    },
    Family {
        name: "tidegate_rollout_guard_evidence",
        kind: "gauge",
        help: "the evidence of one guard, as the budget weighs it",
        samples: |rollout| of_guards(rollout, |guard| plain(guard.log_evidence.map(number))),
    },
    Family {
        name: "tidegate_rollout_guard_value",
        kind: "gauge",
        help: "what a guard compares, by arm; fractions, seconds, whole units of money",
        samples: |rollout| {
            of_guards(rollout, |guard| {
                let value = |number: Option<f64>| number.map(|number| scaled(&guard.unit, number));
                arms(value(guard.treatment), value(guard.control))
            })
        },
    },
    Family {
        name: "tidegate_rollout_guard_limit",
        kind: "gauge",
        help: "what treatment may be under a guard, as things stand",
        samples: |rollout| {
            of_guards(rollout, |guard| {
                plain(guard.limit.map(|limit| scaled(&guard.unit, limit)))
            })
        },
    },
    Family {
        name: "tidegate_rollout_exposures_total",
        kind: "counter",
        help: "exposures in the present visit of a stage, by arm",
        samples: |rollout| of_arms(rollout, |arm| vec![(Vec::new(), arm.exposures as f64)]),
    },
    Family {
        name: "tidegate_rollout_outcomes_total",
        kind: "counter",
        help: "outcomes in the present visit of a stage, by arm",
        samples: |rollout| of_arms(rollout, |arm| vec![(Vec::new(), arm.outcomes as f64)]),
    },
    Family {
        name: "tidegate_rollout_bad_total",
        kind: "counter",
        help: "outcomes that are errors or timeouts in the present visit of a stage, by arm",
        samples: |rollout| of_arms(rollout, |arm| vec![(Vec::new(), arm.bad as f64)]),
    },
    Family {
        name: "tidegate_rollout_lost_total",
        kind: "counter",
        help: "exposures without an outcome by the deadline in the present visit of a stage, by arm",
        samples: |rollout| of_arms(rollout, |arm| vec![(Vec::new(), arm.lost as f64)]),
    },
    Family {
        name: "tidegate_rollout_failures_total",
        kind: "counter",
        help: "failures in the present visit of a stage, by arm and class",
        samples: |rollout| {
            of_arms(rollout, |arm| {
                let classes = arm.classes.iter();
                classes
                    .map(|one| (vec![("class", one.class.clone())], one.count as f64))
                    .collect()
            })
        },
    },
    Family {
        name: "tidegate_rollout_dropped_total",
        kind: "counter",
        help: "outcomes that agents dropped",
        samples: |rollout| {
            let dropped = rollout.side_by_side.as_ref().map(|side| side.dropped as f64);
            dropped.map(Sample::alone).into_iter().collect()
        },
    },
    Family {
        name: "tidegate_rollout_units",
        kind: "gauge",
        help: "about how many units the present visit of a stage has exposed, by arm",
        samples: |rollout| of_arms(rollout, |arm| vec![(Vec::new(), arm.units_estimate as f64)]),
    },
    Family {
        name: "tidegate_rollout_duration_seconds",
        kind: "gauge",
        help: "what outcomes in the present visit of a stage stayed within, by arm and quantile",
        samples: |rollout| of_arms(rollout, quantiles),
    },
    Family {
        name: "tidegate_rollout_reading",
        kind: "gauge",
        help: "a metric in the present visit of a stage, by arm; fractions, seconds, whole units of money",
        samples: readings,
    },
];

/// The series of these rollouts in the text format of Prometheus; `omitted` rollouts have none.
pub(crate) fn render(rollouts: &[v1::Rollout], omitted: usize) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        head(&mut text, family.name, family.kind, family.help);
        for rollout in rollouts {
            let mut seen = BTreeSet::new();
            for sample in (family.samples)(rollout) {
                let labels = labels(rollout, &sample);
                // Of a series that is there twice Prometheus takes none at all: of what a plan says twice the first is shown.
                if seen.insert(labels.clone()) {
                    let value = value(sample.value);
                    let _ = writeln!(text, "{}{{{labels}}} {value}", family.name);
                }
            }
        }
    }
    head(
        &mut text,
        OMITTED,
        "gauge",
        "rollouts that are under way and have no series of their own",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{OMITTED} {omitted}");
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// The labels of a sample as the format wants them.
fn labels(rollout: &v1::Rollout, sample: &Sample) -> String {
    let own = [
        ("environment", rollout.environment.as_str()),
        ("rollout", rollout.name.as_str()),
    ];
    let own = own.map(|(label, value)| (label, value.to_owned()));
    let labels = own.iter().chain(&sample.labels);
    let labels: Vec<String> = labels
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    labels.join(",")
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for letter in value.chars().take(LONGEST) {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text
}

fn value(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        number.to_string()
    }
}

impl Sample {
    fn of(labels: Vec<(&'static str, String)>, value: f64) -> Self {
        Self { labels, value }
    }

    fn alone(value: f64) -> Self {
        Self::of(Vec::new(), value)
    }
}

/// Labels and a value.
type Labelled = (Vec<(&'static str, String)>, f64);

fn info(rollout: &v1::Rollout) -> Vec<(&'static str, String)> {
    let plan = rollout.plan.as_ref();
    let stage = plan.and_then(|plan| plan.stages.get(rollout.stage as usize));
    let phase = word(rollout.phase().as_str_name(), "ROLLOUT_PHASE_");
    vec![
        ("flag", plan.map(|plan| plan.flag.clone()).unwrap_or_default()),
        ("phase", phase),
        ("stage", stage.map(|stage| stage.name.clone()).unwrap_or_default()),
    ]
}

fn guard_info(guard: &v1::GuardView) -> Vec<(&'static str, String)> {
    vec![("test", guard.test.clone()), ("standing", guard.standing.clone())]
}

/// A word of the wire without what begins it.
fn word(name: &str, prefix: &str) -> String {
    let word = name.strip_prefix(prefix).unwrap_or(name);
    word.to_ascii_lowercase().replace('_', "-")
}

fn of_evidence(rollout: &v1::Rollout, of: fn(&v1::Evidence) -> Option<f64>) -> Vec<Sample> {
    let number = rollout.evidence.as_ref().and_then(of);
    number.map(Sample::alone).into_iter().collect()
}

fn of_guards(rollout: &v1::Rollout, of: fn(&v1::GuardView) -> Vec<Labelled>) -> Vec<Sample> {
    let with_guard = |guard: &v1::GuardView| -> Vec<Sample> {
        // A plan may have the same harm at several levels.
        let level = word(guard.level().as_str_name(), "GUARD_LEVEL_");
        let own = [("guard", guard.harm.clone()), ("level", level)];
        let add = |(labels, value): Labelled| Sample::of(own.clone().into_iter().chain(labels).collect(), value);
        of(guard).into_iter().map(add).collect()
    };
    rollout.guard_views.iter().flat_map(with_guard).collect()
}

fn of_arms(rollout: &v1::Rollout, of: fn(&v1::ArmSide) -> Vec<Labelled>) -> Vec<Sample> {
    let side = rollout.side_by_side.as_ref();
    let both = side.map(|side| {
        [
            ("treatment", side.treatment.as_ref()),
            ("control", side.control.as_ref()),
        ]
    });
    let mut samples = Vec::new();
    for (name, arm) in both.into_iter().flatten() {
        for (labels, value) in arm.map(of).unwrap_or_default() {
            let arm = std::iter::once(("arm", name.to_owned()));
            samples.push(Sample::of(arm.chain(labels).collect(), value));
        }
    }
    samples
}

fn quantiles(arm: &v1::ArmSide) -> Vec<Labelled> {
    let known = [("0.5", arm.p50_us), ("0.95", arm.p95_us), ("0.99", arm.p99_us)];
    let known = known.into_iter();
    known
        .filter_map(|(quantile, us)| Some((vec![("quantile", quantile.to_owned())], seconds(us?))))
        .collect()
}

fn readings(rollout: &v1::Rollout) -> Vec<Sample> {
    let side = rollout.side_by_side.iter();
    let mut samples = Vec::new();
    for reading in side.flat_map(|side| &side.readings) {
        let value = |number: Option<f64>| number.map(|number| scaled(&reading.unit, number));
        for (labels, value) in arms(value(reading.treatment), value(reading.control)) {
            let metric = std::iter::once(("metric", reading.metric.clone()));
            samples.push(Sample::of(metric.chain(labels).collect(), value));
        }
    }
    samples
}

/// The values of the arms that have one.
fn arms(treatment: Option<f64>, control: Option<f64>) -> Vec<Labelled> {
    let both = [("treatment", treatment), ("control", control)].into_iter();
    both.filter_map(|(arm, value)| Some((vec![("arm", arm.to_owned())], value?)))
        .collect()
}

fn plain(value: Option<f64>) -> Vec<Labelled> {
    value.map(|value| (Vec::new(), value)).into_iter().collect()
}

/// In the base units of Prometheus: durations in seconds.
fn scaled(unit: &str, number: f64) -> f64 {
    if unit == "duration" { number / 1e6 } else { number }
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn ratio(buckets: u32) -> f64 {
    f64::from(buckets) / f64::from(rollout::Share::ALL.get())
}

/// An evidence number by its logarithm, and the largest there is of what is larger.
fn number(log: f64) -> f64 {
    log.exp().min(f64::MAX)
}

#[cfg(test)]
mod tests;
