//! Both examples, short forms beside their canonical ones, what older documents say, refusals with their paths, and the
//! round trip through YAML and JSON.
#![allow(clippy::unwrap_used)]

mod generated;

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollout::{
    catalogue::{MetricKey, Resolver},
    criterion::{Criterion, check},
};

use self::generated::any_plan;
use super::*;
use crate::document::to_yaml;

const AI_FEATURE: &str = include_str!("../../../examples/plans/ai-feature-xyz.yaml");
const PAYMENTS: &str = include_str!("../../../examples/plans/payments.yaml");
const GUIDE: &str = include_str!("../../../docs/plans.md");
/// The least that a plan says, without its braces.
const LEAST: &str = "flag: a, treatment: on, control: off, stages: [{name: all, percentage: 100}]";

fn plan(text: &str) -> v1::Plan {
    parse("plan.yaml", text).unwrap()
}

fn with(fields: &str) -> String {
    format!("{{{LEAST}, {fields}}}")
}

fn stage(fields: &str) -> String {
    format!("{{flag: a, treatment: on, control: off, stages: [{{name: s, {fields}}}]}}")
}

/// The problems of a text, without file, line and column.
fn problems(text: &str) -> Vec<String> {
    let problems = parse("p", text).unwrap_err();
    let bare = |problem: &String| problem.splitn(4, ':').nth(3).unwrap().trim().to_owned();
    problems.iter().map(bare).collect()
}

fn yaml(plan: &v1::Plan) -> String {
    to_yaml(&PlanDocument::from_wire(plan)).unwrap()
}

const HOUR_US: i64 = 3_600_000_000;

#[test]
fn the_ai_feature_is_as_it_was_planned() {
    let plan = plan(AI_FEATURE);
    let stages: Vec<_> = plan
        .stages
        .iter()
        .map(|stage| {
            (
                stage.name.as_str(),
                stage.buckets,
                stage.dwell_us / HOUR_US,
                stage.outcomes.join(" "),
            )
        })
        .collect();
    let expected = [
        ("internal", 500, 24, "proceed fix".to_owned()),
        ("canary", 5_000, 48, "proceed hold roll-back".to_owned()),
        ("beta", 25_000, 7 * 24, "proceed extend".to_owned()),
        ("ga", 100_000, 0, String::new()),
    ];
    assert_eq!(stages, expected);
    let harms: Vec<_> = plan.guards.iter().map(|guard| guard.harm.as_str()).collect();
    assert_eq!(
        harms,
        ["error-rate > 1 %", "p99 > 2x baseline", "complaints > 10 in 24h"]
    );
    let kill = plan.kill_switch.unwrap();
    assert_eq!(
        (kill.flag.as_str(), kill.auto_trip),
        ("ai-feature-xyz-killswitch", true)
    );
    assert_eq!(
        kill.conditions,
        [
            "error-rate > 5 %",
            "hallucination-rate > 15 %",
            "cost-per-query > $0.50"
        ]
    );
}

#[test]
fn payments_are_as_they_were_planned() {
    let plan = plan(PAYMENTS);
    let stages: Vec<_> = plan
        .stages
        .iter()
        .map(|stage| {
            (
                stage.audience.join(" "),
                stage.buckets,
                stage.dwell_us / HOUR_US,
                stage.on_call_required,
            )
        })
        .collect();
    let expected = [
        ("internal-employees".to_owned(), 1_000, 24, true),
        ("low-value-transactions".to_owned(), 5_000, 72, true),
        (String::new(), 10_000, 168, true),
        (String::new(), 25_000, 168, false),
        (String::new(), 50_000, 168, false),
        (String::new(), 100_000, 0, false),
    ];
    assert_eq!(stages, expected);
    for stage in &plan.stages[..5] {
        let to_advance = [
            "error-rate <= 0.8 % + 0.2 points",
            "p95 <= 890 ms + 10 %",
            "no more support tickets",
            "no critical bugs",
        ];
        assert!(
            stage.success.ends_with(&to_advance.map(str::to_owned)),
            "{}",
            stage.name
        );
    }
    let risk = plan.risk.unwrap();
    assert_eq!(risk.criticality.unwrap().level, "HIGH");
    assert_eq!(risk.reversibility.unwrap().rationale, "the flag takes it back");
    assert_eq!(
        (plan.requests_per_day, plan.unit_by.join(" ")),
        (15_000, "transactionId".to_owned())
    );
    assert_eq!(v1::SplittingUnit::try_from(plan.unit), Ok(v1::SplittingUnit::Request));
    let known = plan.baseline.unwrap().values;
    let known: Vec<_> = known
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        known,
        [
            ("error-rate", "0.8 %"),
            ("p50", "245 ms"),
            ("p95", "890 ms"),
            ("p99", "1200 ms")
        ]
    );
    assert_eq!(plan.freezes["midday-peak"], "11:00-14:00 America/New_York");
    assert_eq!(plan.freezes["black-friday"], "2026-11-27..2026-11-29 America/New_York");
    assert_eq!(
        plan.manual_triggers,
        ["charge-complaints", "security-incident", "regulator"]
    );
    assert_eq!((plan.guards.len(), plan.warning.len(), plan.critical.len()), (4, 2, 2));
}

#[test]
fn what_the_examples_say_of_metrics_makes_sense() {
    for text in [AI_FEATURE, PAYMENTS] {
        let plan = plan(text);
        let resolver = Resolver::new(&[]);
        let stages = plan
            .stages
            .iter()
            .flat_map(|stage| stage.success.iter().chain(&stage.rollback));
        let kill = plan.kill_switch.iter().flat_map(|kill| &kill.conditions);
        let harms = plan.guards.iter().map(|guard| &guard.harm);
        for text in stages
            .chain(kill)
            .chain(harms)
            .chain(&plan.warning)
            .chain(&plan.critical)
        {
            let criterion: Criterion = text.parse().unwrap();
            assert_eq!(check(&criterion, &resolver), Ok(()), "{text}");
        }
        let known = plan.baseline.iter().flat_map(|baseline| baseline.values.keys());
        for key in plan.observed.iter().chain([&plan.primary_metric]).chain(known) {
            assert!(resolver.resolve(&MetricKey::new(key).unwrap()).is_ok(), "{key}");
        }
    }
}

/// The code blocks of the guide in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let blocks = GUIDE.split("\n```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

#[test]
fn what_the_guide_shows_is_read() {
    let documents = blocks("yaml");
    for document in &documents {
        let is_whole = document.contains("flag:");
        let least = "flag: a\ntreatment: on\ncontrol: off\nstages: [{name: all, percentage: 100}]\n";
        plan(&format!("{}{document}", if is_whole { "" } else { least }));
    }
    let lines: Vec<&str> = blocks("").iter().flat_map(|block| block.lines()).collect();
    for line in &lines {
        let text = line.split("  ").next().unwrap();
        assert!(
            checked::criterion(text).is_ok() || checked::window(text).is_ok(),
            "{text}"
        );
    }
    assert!(documents.len() >= 4 && lines.len() >= 12, "{documents:?} {lines:?}");
}

#[test]
fn the_guide_has_every_field() {
    for (text, name) in [
        (with("zzzzzzzz: 1"), "a plan"),
        (stage("percentage: 5, dwell: 1h, zzzzzzzz: 1"), "a stage"),
        (with("guards: [{harm: p95 > 1 s, zzzzzzzz: 1}]"), "a guard"),
        (with("kill_switch: {zzzzzzzz: 1}"), "a kill switch"),
        (with("metrics: [{key: m, zzzzzzzz: 1}]"), "a metric"),
        (
            with("metrics: [{key: m, prometheus: {query: x, zzzzzzzz: 1}}]"),
            "a query",
        ),
        (with("people: {zzzzzzzz: 1}"), "people"),
    ] {
        let problem = problems(&text).remove(0);
        let (_, names) = problem.split_once("there are ").unwrap();
        for field in names.split(", ") {
            assert!(GUIDE.contains(&format!("`{field}")), "{name}: {field}");
        }
    }
}

#[test]
fn a_written_document_is_canonical() {
    for text in [AI_FEATURE, PAYMENTS] {
        let read = plan(text);
        let written = yaml(&read);
        assert_eq!(plan(&written), read);
        assert_eq!(yaml(&plan(&written)), written);
    }
}

#[test]
fn a_short_form_and_a_long_one_are_one_plan_and_the_short_one_is_written() {
    let cases = [
        ("guards: [{harm: error-rate > 1 %}]", "guards:\n- error-rate > 1 %"),
        ("guards: error-rate > 1 %", "guards:\n- error-rate > 1 %"),
        (
            "guards: [{harm: p95 > 1 s, level: Warn}]",
            "guards:\n- harm: p95 > 1 s\n  level: warn",
        ),
        ("warning: p95 > 1 s", "warning:\n- p95 > 1 s"),
        ("warning: [p95 > 1 s, stable]", "warning:\n- p95 > 1 s\n- stable"),
        ("exit: [{name: docs}]", "exit:\n- docs"),
        ("exit: [{name: docs, by: Automation}]", "exit:\n- docs by automation"),
        ("exit: docs by person", "exit:\n- docs by person"),
        (
            "risk: {user_impact: {level: high, rationale: why}}",
            "risk:\n  user_impact: HIGH - why",
        ),
        (
            "risk: {reversibility: Easy — a flag - no more}",
            "risk:\n  reversibility: easy - a flag - no more",
        ),
        ("kill_switch: {flag: k, auto_trip: false}", "kill_switch: k"),
        ("kill_switch: {auto_trip: true}", "kill_switch:\n  auto_trip: true"),
        ("kill_switch: {}", "kill_switch: {}"),
        ("people: {on_call: ann}", "people:\n  duties:\n  - ann"),
        ("people: {duties: {on_call: ann}}", "people:\n  duties:\n  - ann"),
        ("strategy: Big bang", "strategy: big-bang"),
        ("bake: 14 days", "bake: 2w"),
        ("bake: 0s", "bake: 0s"),
        ("stuck_after: 36 hours", "stuck_after: 1d12h"),
        ("alpha: 0.7 %", "alpha: 0.007"),
        ("holdback: '2.5 %'", "holdback: 2.5"),
        ("start_at: 2026-12-01T10:00:00+01:00", "start_at: 2026-12-01T09:00:00Z"),
        (
            "start_at: 2026-12-01T10:00 Europe/Berlin",
            "start_at: 2026-12-01T09:00:00Z",
        ),
        ("unit_by: user", "unit_by:\n- user"),
        (
            "metrics: [{key: depth, prometheus: {query: max(depth)}}]",
            "metrics:\n- key: depth\n  prometheus: max(depth)",
        ),
        (
            "metrics: [{key: depth, prometheus: {query: max(depth), interval: 60 s, stands_for: 2m}}]",
            "metrics:\n- key: depth\n  prometheus:\n    query: max(depth)\n    interval: 1m\n    stands_for: 2m",
        ),
        (
            "traffic: {requests_per_day: 15000}",
            "traffic:\n  requests_per_day: 15000",
        ),
    ];
    let least = yaml(&plan(&with("")));
    let lines: BTreeSet<&str> = least.lines().collect();
    for (long, short) in cases {
        let read = plan(&with(long));
        let written = yaml(&read);
        let own: Vec<&str> = written.lines().filter(|line| !lines.contains(line)).collect();
        let bare = |text: &str| text.replace(['"', '\''], "").replace("  ", "");
        assert_eq!(bare(&own.join("\n")), bare(short), "{long}");
        assert_eq!(plan(&written), read, "{long}");
    }
}

#[test]
fn a_stage_is_read_however_people_write_it() {
    let read = |fields: &str| plan(&stage(fields)).stages.remove(0);
    assert_eq!(read("percentage: 0.5, dwell: 1 day 6 hours").dwell_us, 30 * HOUR_US);
    assert_eq!(read("percentage: 33.333%, dwell: 0s").buckets, 33_333);
    let permanent = read("percentage: 5, dwell: permanent");
    assert_eq!((permanent.permanent, permanent.dwell_us), (true, 0));
    let gate = read("percentage: 5, dwell: 0s, gate: No harm, outcomes: Rollback, audience: staff");
    assert_eq!(
        (gate.gate.as_str(), gate.outcomes[0].as_str()),
        ("no-harm", "roll-back")
    );
    assert_eq!(gate.audience, ["staff"]);
    let texts = read("percentage: 5, dwell: 0s, success: Error Rate below 1 %").success;
    assert_eq!(texts, ["Error Rate below 1 %"], "a text stays as it was written");
}

#[test]
fn documents_of_older_releases_are_read() {
    let older = "
flag: checkout
treatment: on
control: off
unit: request
stages:
  - {name: canary, percent: 5, dwell: 10m, minimum_outcomes: 200}
  - {name: half, percent: 50%, dwell: 1h, minimum_units: 5}
  - {name: all, percent: 100, dwell: 0s}
guards:
  - {metric: error-rate, limit: 1.2, level: hold}
alpha: 0.05
max_control_rate: 0.2
lost_after: 45s
";
    let read = plan(older);
    let stages: Vec<_> = read
        .stages
        .iter()
        .map(|stage| (stage.buckets, stage.dwell_us))
        .collect();
    assert_eq!(stages, [(5_000, 600_000_000), (50_000, HOUR_US), (100_000, 0)]);
    let minimums = (read.stages[0].minimum_outcomes, read.stages[1].minimum_units);
    assert_eq!(minimums, (Some(200), Some(5)));
    let guard = &read.guards[0];
    assert_eq!(
        (guard.metric.as_str(), guard.limit, guard.level()),
        ("error-rate", 1.2, v1::GuardLevel::Hold)
    );
    assert_eq!(
        (read.alpha, read.max_control_rate, read.lost_after_us),
        (0.05, 0.2, 45_000_000)
    );
    assert_eq!(read.unit(), v1::SplittingUnit::Request);
    assert_eq!(plan(&yaml(&read)), read);
}

#[test]
fn what_is_absent_is_left_to_the_control_plane() {
    let expected = v1::Plan {
        flag: "a".into(),
        treatment: "on".into(),
        control: "off".into(),
        stages: vec![v1::Stage {
            name: "all".into(),
            buckets: 100_000,
            ..v1::Stage::default()
        }],
        ..v1::Plan::default()
    };
    assert_eq!(plan(&with("")), expected);
}

#[test]
fn what_is_wrong_is_named_with_its_path() {
    let cases = [
        ("{}".to_owned(), "flag: missing; name the flag that is moved"),
        (with("key: a b"), "key: a key has ASCII letters"),
        (with("kind: flag"), "kind: no `flag`; one of plan"),
        (with("stagse: 1"), "stagse: no such field; did you mean `stages`?"),
        (
            with("guards: [error rate 1 %]"),
            "guards[0]: column 15: a criterion compares with",
        ),
        (
            with("guards: [all metrics stable]"),
            "guards[0]: a guard compares one metric with a limit",
        ),
        (with("guards: [{level: warn}]"), "guards[0].harm: missing"),
        (
            with("guards: [{harm: p95 > 1 s, limit: 2}]"),
            "guards[0]: write either harm, or metric",
        ),
        (
            with("guards: [{metric: error-rate, limit: 0}]"),
            "guards[0].limit: 0; write a number above 0",
        ),
        (
            with("guards: [{metric: error-rate, level: panic}]"),
            "guards[0].level: no `panic`; one of warn, hold, abort",
        ),
        (
            with("guards: [{harm: p95 > 1 s, weight: -1}]"),
            "guards[0].weight: -1; write a number above 0",
        ),
        (with("warning: [p95 > 1 s, p95 > soon]"), "warning[1]: column"),
        (with("critical: error-rate"), "critical: column"),
        (
            with("windows: 09:00-17:00"),
            "windows: `09:00-17:00`: a time zone is missing",
        ),
        (
            with("windows: [Mon-Fri 9-17 UTC]"),
            "windows[0]: `9-17`: hours are written",
        ),
        (
            with("freezes: {lunch: 11:00-14:00 America/NewYork}"),
            "freezes.lunch: no time zone `America/NewYork`; did you mean",
        ),
        (
            with("freezes: 11:00-14:00 UTC"),
            "freezes: text; expected a map of names and texts",
        ),
        (
            with("baseline: {values: {p95: 890 blinks}}"),
            "baseline.values.p95: column 5",
        ),
        (
            with("baseline: {values: {p95: 1 s + 10 %}}"),
            "baseline.values.p95: \"1 s + 10 %\" is no value",
        ),
        (
            with("baseline: {source: fixd}"),
            "baseline.source: no `fixd`; did you mean `fixed`?",
        ),
        (
            with("kill_switch: {conditions: [error-rate >]}"),
            "kill_switch.conditions[0]: column",
        ),
        (
            with("kill_switch: {auto_trip: yes}"),
            "kill_switch.auto_trip: text; expected true or false",
        ),
        (
            with("risk: {user_impact: GRAVE - why}"),
            "risk.user_impact: no `GRAVE`; one of LOW, MEDIUM, HIGH",
        ),
        (
            with("risk: {reversibility: {level: hrd}}"),
            "risk.reversibility.level: no `hrd`; did you mean `hard`?",
        ),
        (
            with("people: {duties: [{stages: [all]}]}"),
            "people.duties[0].on_call: missing",
        ),
        (
            with("people: {owner: {name: ann}}"),
            "people.owner: a map; expected text",
        ),
        (with("preflight: [{by: check}]"), "preflight[0].name: missing"),
        (
            with("preflight: [tests by robots]"),
            "preflight[0]: no `robots`; one of check, automation, person",
        ),
        (with("exit: [two words]"), "exit[0]: a key has ASCII letters"),
        (
            with("metrics: [{key: m, kind: ratio}]"),
            "metrics[0].kind: no `ratio`; one of rate, quantile",
        ),
        (with("metrics: {m: rate}"), "metrics: a map; expected a list of metrics"),
        (
            with("metrics: [{key: m, prometheus: 'sum(x{v=\"{{varient}}\"}'}]"),
            "metrics[0].prometheus: {{varient}} at character 10 is no placeholder; there are {{arm}}",
        ),
        (
            with("metrics: [{key: m, prometheus: {interval: 30s}}]"),
            "metrics[0].prometheus.query: missing; what is asked",
        ),
        (
            with("metrics: [{key: m, prometheus: {query: ''}}]"),
            "metrics[0].prometheus.query: must be a query in PromQL",
        ),
        (
            with("metrics: [{key: m, prometheus: {query: x, interval: 0s}}]"),
            "metrics[0].prometheus.interval: longer than 0s",
        ),
        (
            with("metrics: [{key: m, prometheus: [x]}]"),
            "metrics[0].prometheus: a list; expected a query of Prometheus",
        ),
        (with("observed: [a/b]"), "observed[0]: a metric's name holds"),
        (with("unit: user"), "unit: no `user`; one of unit, request"),
        (with("strategy: canry"), "strategy: no `canry`; did you mean `canary`?"),
        (with("start_at: tomorrow"), "start_at: `tomorrow` is no time"),
        (with("start_at: 1969-12-01T00:00:00Z"), "start_at: must be after 1970"),
        (
            with("start_at: 2026-12-01T09:00:00.0000001Z"),
            "start_at: `2026-12-01T09:00:00.0000001Z`: at most six places",
        ),
        (
            with("start_at: 2026-03-29T02:30 Europe/Berlin"),
            "start_at: `2026-03-29T02:30 Europe/Berlin`: the clocks there skip",
        ),
        (
            with("start_at: 2026-03-29T02:30 Europe/Atlantis"),
            "start_at: no time zone `Europe/Atlantis`",
        ),
        (with("bake: 2"), "bake: `2`: a unit is missing"),
        (with("bake: 400000 years"), "bake: `400000 years`: no unit `years`"),
        (with("bake: 99999999999999w"), "bake: `99999999999999w`: too long"),
        (with("stuck_after: 0s"), "stuck_after: longer than 0s"),
        (with("lost_after: 0s"), "lost_after: longer than 0s"),
        (with("alpha: 0"), "alpha: 0; write a number between 0 and 1"),
        (with("beta: 100 %"), "beta: 100 %; write a number between 0 and 1"),
        (
            with("holdback: 0.0001"),
            "holdback: \"0.0001\": a percentage has at most 3",
        ),
        (with("approvals: -1"), "approvals: a number; expected a whole number"),
        (
            with("approvals: 4294967296"),
            "approvals: a number; expected a whole number from 0 on, of 32 bits",
        ),
        (with("traffic: {requests: 5}"), "traffic.requests: no such field"),
        (with("labels: [a]"), "labels: a list; expected a map"),
        (with("links: {board: {}}"), "links.board: a map; expected text"),
        (stage("percentage: 5"), "stages[0].dwell: missing"),
        (stage("percentage: 100, audience: staff"), "stages[0].dwell: missing"),
        (stage("dwell: 24h"), "stages[0].percentage: missing"),
        (
            stage("percentage: 101, dwell: 1h"),
            "stages[0].percentage: \"101\": a percentage lies between",
        ),
        (
            stage("percentage: 5, percent: 5, dwell: 1h"),
            "stages[0].percent: the same as percentage",
        ),
        (
            stage("percentage: 5, dwell: fast"),
            "stages[0].dwell: `fast`: write whole numbers",
        ),
        (
            stage("percentage: 5, dwell: 1h, gate: open"),
            "stages[0].gate: no `open`; one of dwell, observed, no-harm, certify",
        ),
        (
            stage("percentage: 5, dwell: 1h, outcomes: [proceed, fx]"),
            "stages[0].outcomes[1]: no `fx`; did you mean `fix`?",
        ),
        (
            stage("percentage: 5, dwell: 1h, success: [a > 1, b]"),
            "stages[0].success[1]: column",
        ),
        (
            stage("percentage: 5, dwell: 1h, rollback: {a: b}"),
            "stages[0].rollback: a map; expected a text",
        ),
        (
            stage("percentage: 5, dwell: 1h, windows: Sat"),
            "stages[0].windows: `Sat`: a time zone is missing",
        ),
        (
            stage("percentage: 5, dwell: 1h, extension: 0s"),
            "stages[0].extension: longer than 0s",
        ),
        (
            stage("percentage: 5, dwell: 1h, checklist: [a b]"),
            "stages[0].checklist[0]: a key has ASCII letters",
        ),
        (
            stage("percentage: 5, dwell: 1h, shadow: 1"),
            "stages[0].shadow: a number; expected true or false",
        ),
        (
            stage("percentage: 5, dwell: 1h, minimum_units: few"),
            "stages[0].minimum_units: text; expected a whole number",
        ),
        (
            "{flag: a, treatment: on, control: off, stages: []}".to_owned(),
            "stages: at least one",
        ),
        (
            "{flag: a, treatment: on, control: off, stages: all}".to_owned(),
            "stages: text; expected a list of stages",
        ),
    ];
    let as_said = |(text, start): &(String, &str)| {
        let problems = problems(text);
        problems[0].starts_with(start) && (problems.len() == 1 || text == "{}")
    };
    let wrong: Vec<_> = cases.iter().filter(|case| !as_said(case)).collect();
    let said: Vec<_> = wrong.iter().map(|(text, start)| (start, problems(text))).collect();
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line() {
    let text = "\
flag: a
treatment: on
control: off
stages:
- {name: a, percentage: 101, dwell: 10}
- name: b
  percentage: 5
  dwell: fast
  success: [error-rate, p95 < 1 s]
guards: [{harm: p95 > 1 s, level: panic}]
alpha: 0
bakes: 1h
";
    let problems = parse("plan.yaml", text).unwrap_err();
    let starts = [
        "plan.yaml:5:25: stages[0].percentage: ",
        "plan.yaml:5:37: stages[0].dwell: ",
        "plan.yaml:9:13: stages[1].success[0]: ",
        "plan.yaml:8:10: stages[1].dwell: ",
        "plan.yaml:10:35: guards[0].level: ",
        "plan.yaml:11:8: alpha: ",
        "plan.yaml:12:1: bakes: no such field; did you mean `bake`?",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn a_text_of_several_plans_or_of_none_is_refused() {
    assert_eq!(problems("{a: 1}\n---\n{b: 2}\n"), ["2 documents; one plan is wanted"]);
    assert_eq!(problems(""), ["0 documents; one plan is wanted"]);
    assert_eq!(problems("[1]"), ["a list; expected a plan: a map of its fields"]);
}

#[test]
fn a_stage_is_written_in_one_word() {
    let stage = parse_stage("canary:5%:10m").unwrap();
    assert_eq!(
        (stage.name.as_str(), stage.buckets, stage.dwell_us),
        ("canary", 5_000, 600_000_000)
    );
    assert_eq!(parse_stage("a:b:0.125:1d").unwrap().name, "a:b");
    let cases = [
        ("canary", "NAME:PERCENT:DWELL"),
        ("canary:5%", "NAME:PERCENT:DWELL"),
        (":5%:10m", "name before the first colon"),
        ("canary:five:10m", "\"five\": not a percentage"),
        ("canary:5.0001:10m", "at most 3 decimal places"),
        ("canary:5%:ten", "whole numbers"),
    ];
    for (text, part) in cases {
        let error = parse_stage(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_plan_survives_both_texts(plan in any_plan()) {
        let document = PlanDocument::from_wire(&plan);
        let yaml = to_yaml(&document).unwrap();
        let back = parse("yaml", &yaml);
        prop_assert_eq!(back.as_ref(), Ok(&plan), "{}", yaml);
        let json = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(parse("json", &json), Ok(plan), "{}", json);
    }

    #[test]
    fn every_percentage_survives(buckets in 0..=100_000_u32) {
        let text = serde_json::to_string(&values::percent(buckets)).unwrap();
        prop_assert_eq!(evaluation::Buckets::parse_percent(&text).unwrap().get(), buckets);
    }

    #[test]
    fn no_text_is_too_strange(text in "[ -~\n]{0,80}") {
        let _ = parse("strange", &text);
    }
}
