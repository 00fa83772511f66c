//! Plans of every form that a document can say: each field absent, at its edges and in between, texts that look like
//! something else.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use proto::v1;

use crate::condition_document::tests::any_text;

const CRITERIA: [&str; 10] = [
    "error-rate < 1 %",
    "Error Rate below 1 %",
    "error-rate <= 0.8 % + 0.2 points",
    "p99 > 2x baseline",
    "complaints > 10 in 24h",
    "revenue -5 % against control",
    "cost-per-query > $0.50",
    "any payment data loss",
    "all metrics stable",
    "parity with control",
];
const HARMS: [&str; 4] = [
    "error-rate > 1 %",
    "p99 > 2x baseline",
    "any data loss",
    "cost > 0.50 EUR",
];
const WINDOWS: [&str; 5] = [
    "Mon-Fri 09:00-17:00 Europe/Berlin",
    "11:00-14:00 America/New_York",
    "Sat,Sun UTC",
    "2026-11-27..2026-11-30 America/New_York",
    "2026-11-27T18:00..2026-11-30T09:00 America/New_York",
];
const AMOUNTS: [&str; 6] = ["0.8 %", "890 ms", "$0.50", "0.85", "12", "512 MiB"];

/// A plan whose texts are texts of their kind.
pub(super) fn any_plan() -> impl Strategy<Value = v1::Plan> {
    let names = (maybe(key()), key(), maybe(key()), nonempty(), nonempty(), any_text());
    let about = (
        maybe(select(rollout::strategy::Strategy::ALL.to_vec()).prop_map(|one| one.name().to_owned())),
        option::of(risk()),
        option::of(people()),
        btree_map(any_text(), any_text(), 0..3),
        btree_map(any_text(), any_text(), 0..3),
    );
    let measured = (
        0..3_i32,
        vec(any_text(), 0..3),
        vec(own_metric(), 0..3),
        maybe(key()),
        vec(key(), 0..3),
        option::of(baseline()),
        (any::<u64>(), any::<u64>()),
    );
    let time = (
        maybe_number(1..253_402_207_200_000_000_i64),
        windows(),
        btree_map(any_text(), select(WINDOWS.to_vec()).prop_map(str::to_owned), 0..3),
        option::of(0..i64::MAX),
        maybe_number(1..i64::MAX),
        maybe_number(1..i64::MAX),
    );
    let lists = (
        any::<u32>(),
        vec(item(), 0..3),
        vec(item(), 0..3),
        0..=100_000_u32,
        vec(key(), 0..3),
    );
    let stops = (
        vec(stage(), 1..4),
        vec(guard(), 0..4),
        criteria(),
        criteria(),
        option::of(kill_switch()),
        (probability(), probability(), probability()),
    );
    (names, about, measured, time, lists, stops).prop_map(|(names, about, measured, time, lists, stops)| {
        let (key, flag, environment, treatment, control, description) = names;
        let (strategy, risk, people, labels, links) = about;
        let (unit, unit_by, metrics, primary_metric, observed, baseline, traffic) = measured;
        let (start_at_us, windows, freezes, bake_us, stuck_after_us, lost_after_us) = time;
        let (approvals, preflight, exit, holdback_buckets, manual_triggers) = lists;
        let (stages, guards, warning, critical, kill_switch, (alpha, beta, max_control_rate)) = stops;
        v1::Plan {
            key,
            flag,
            description,
            treatment,
            control,
            unit,
            stages,
            guards,
            alpha,
            max_control_rate,
            lost_after_us,
            environment,
            strategy,
            risk,
            primary_metric,
            labels,
            links,
            start_at_us,
            unit_by,
            observed,
            metrics,
            warning,
            critical,
            manual_triggers,
            kill_switch,
            baseline,
            units_per_day: traffic.0,
            requests_per_day: traffic.1,
            windows,
            freezes,
            people,
            approvals,
            preflight,
            exit,
            beta,
            bake_us,
            holdback_buckets,
            stuck_after_us,
        }
    })
}

fn stage() -> impl Strategy<Value = v1::Stage> {
    let dwell = prop_oneof![
        Just((0, false)),
        Just((0, true)),
        (1..i64::MAX).prop_map(|us| (us, false))
    ];
    let outcomes = select(rollout::gate::Outcome::ALL.to_vec()).prop_map(|one| one.name().to_owned());
    let gate = select(rollout::gate::Policy::ALL.to_vec()).prop_map(|one| one.name().to_owned());
    let form = (
        key(),
        vec(key(), 0..3),
        prop_oneof![Just(100_000), 0..=100_000_u32],
        any::<bool>(),
        dwell,
    );
    let needs = (
        option::of(any::<u64>()),
        option::of(any::<u64>()),
        any::<u32>(),
        vec(key(), 0..3),
        any::<bool>(),
    );
    let ends = (
        maybe(gate),
        vec(outcomes, 0..3),
        any::<u32>(),
        maybe_number(1..i64::MAX),
    );
    (form, needs, ends, criteria(), criteria(), windows()).prop_map(
        |(form, needs, ends, success, rollback, windows)| {
            let (name, audience, buckets, shadow, (dwell_us, permanent)) = form;
            let (minimum_outcomes, minimum_units, approvals, checklist, on_call_required) = needs;
            let (gate, outcomes, max_extensions, extension_us) = ends;
            v1::Stage {
                name,
                buckets,
                dwell_us,
                minimum_outcomes,
                minimum_units,
                audience,
                permanent,
                shadow,
                success,
                rollback,
                gate,
                outcomes,
                max_extensions,
                extension_us,
                approvals,
                checklist,
                on_call_required,
                windows,
            }
        },
    )
}

fn guard() -> impl Strategy<Value = v1::Guard> {
    let harm = select(HARMS.to_vec()).prop_map(|harm| (harm.to_owned(), String::new(), 0.0));
    let ratio = (key(), prop_oneof![Just(0.0), 1e-6..1e6]).prop_map(|(metric, limit)| (String::new(), metric, limit));
    (prop_oneof![harm, ratio], 0..4_i32, prop_oneof![Just(0.0), 1e-6..1e6]).prop_map(
        |((harm, metric, limit), level, weight)| v1::Guard {
            metric,
            limit,
            level,
            harm,
            weight,
            ..v1::Guard::default()
        },
    )
}

fn risk() -> impl Strategy<Value = v1::Risk> {
    let rated = |levels: Vec<&'static str>| {
        let level = maybe(select(levels).prop_map(str::to_owned));
        option::of((level, any_text()).prop_map(|(level, rationale)| v1::Rated { level, rationale }))
    };
    let grave = || rated(vec!["LOW", "MEDIUM", "HIGH"]);
    (grave(), grave(), grave(), rated(vec!["easy", "moderate", "hard"])).prop_map(
        |(user_impact, revenue_impact, criticality, reversibility)| v1::Risk {
            user_impact,
            revenue_impact,
            criticality,
            reversibility,
        },
    )
}

fn people() -> impl Strategy<Value = v1::People> {
    let duty = (vec(key(), 0..3), nonempty(), vec(any_text(), 0..3));
    let duty = duty.prop_map(|(stages, on_call, escalation)| v1::Duty {
        stages,
        on_call,
        escalation,
    });
    let told = (any_text(), any_text(), any_text());
    let told = told.prop_map(|(role, channel, when)| v1::Stakeholder { role, channel, when });
    (any_text(), vec(any_text(), 0..3), vec(duty, 0..3), vec(told, 0..3)).prop_map(
        |(owner, approvers, duties, stakeholders)| v1::People {
            owner,
            approvers,
            duties,
            stakeholders,
        },
    )
}

fn own_metric() -> impl Strategy<Value = v1::OwnMetric> {
    let word = |words: Vec<&'static str>| maybe(select(words).prop_map(str::to_owned));
    (
        key(),
        word(vec!["rate", "quantile", "mean", "count", "gauge"]),
        word(vec![
            "fraction",
            "duration",
            "money",
            "count",
            "score",
            "bytes",
            "per-second",
        ]),
        word(vec!["lower", "higher"]),
        option::of(query()),
    )
        .prop_map(|(key, kind, unit, better, prometheus)| v1::OwnMetric {
            key,
            kind,
            unit,
            better,
            prometheus,
            ..v1::OwnMetric::default()
        })
}

fn query() -> impl Strategy<Value = v1::PrometheusQuery> {
    let queries = vec![
        "vector(1)",
        "max(queue_depth{variant=\"{{variant}}\", flag='{{flag}}'})",
        "sum(\n  rate(x{arm=~\"{{arm}}\"}[5m]) # a comment: with a colon\n)",
    ];
    let query = select(queries).prop_map(str::to_owned);
    let span = || maybe_number(1_000_000..600_000_000_i64);
    (query, span(), span()).prop_map(|(query, interval_us, stands_for_us)| v1::PrometheusQuery {
        query,
        interval_us,
        stands_for_us,
    })
}

fn baseline() -> impl Strategy<Value = v1::Baseline> {
    let sources = vec!["none", "fixed", "captured", "captured-same-hour"];
    let amount = select(AMOUNTS.to_vec()).prop_map(str::to_owned);
    (
        maybe(select(sources).prop_map(str::to_owned)),
        btree_map(key(), amount, 0..3),
        maybe(key()),
    )
        .prop_map(|(source, values, artifact)| v1::Baseline {
            source,
            values,
            artifact,
        })
}

fn kill_switch() -> impl Strategy<Value = v1::KillSwitch> {
    (maybe(key()), any::<bool>(), criteria()).prop_map(|(flag, auto_trip, conditions)| v1::KillSwitch {
        flag,
        auto_trip,
        conditions,
    })
}

fn item() -> impl Strategy<Value = v1::Item> {
    let by = maybe(select(vec!["check", "automation", "person"]).prop_map(str::to_owned));
    (key(), any_text(), by).prop_map(|(name, description, by)| v1::Item { name, description, by })
}

fn criteria() -> impl Strategy<Value = Vec<String>> {
    vec(select(CRITERIA.to_vec()).prop_map(str::to_owned), 0..4)
}

fn windows() -> impl Strategy<Value = Vec<String>> {
    vec(select(WINDOWS.to_vec()).prop_map(str::to_owned), 0..3)
}

/// Keys, those among them that YAML would take for something else.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9][a-zA-Z0-9._:~-]{0,8}",
        select(vec!["on", "null", "true", "1.10", "0x10", "1e3", "2026-01-01"]).prop_map(str::to_owned),
    ]
}

fn nonempty() -> impl Strategy<Value = String> {
    any_text().prop_filter("a name", |text| !text.is_empty())
}

/// The text, or none.
fn maybe(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    option::of(text).prop_map(Option::unwrap_or_default)
}

/// The number, or 0.
fn maybe_number(number: impl Strategy<Value = i64>) -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), number]
}

fn probability() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 1e-12..1.0]
}
