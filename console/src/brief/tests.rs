use proptest::prelude::*;

use super::{
    risk::{Assessment, Level},
    *,
};

const MARKDOWN: &str = "\
# New checkout

One page instead of three,
**with** [wallets](https://example.com/wallets).

- Flag: `checkout-v2`
- **Environment**: production
- Component: payments
* * *

## Risk

User impact: HIGH - all paying customers
Revenue impact: High: every order
Criticality: MEDIUM (a queue is behind it)

- Reversibility: LOW — a switch undoes it

## Baseline

| Metric | Value |
|---|---|
| Error rate | 0.8 % |
| p50/p95/p99 | 245/890/1200 ms |
| Transactions | 15,000 a day |

- Conversion: 3.1 % (May)

## Audiences

- staff
- beta: those who asked

## Success metrics

- Error rate: below 1 %

Traffic: 15k per day
";

const YAML: &str = "\
title: New checkout
description: One page instead of three, with wallets.
flag: checkout-v2
environment: production
component: payments
risk:
  user_impact: HIGH - all paying customers
  revenue_impact: {level: high, rationale: every order}
  criticality: 'MEDIUM: a queue is behind it'
  reversibility: LOW - a switch undoes it
baseline:
  - metric: Error rate
    value: 0.8
    unit: '%'
  - p50/p95/p99: 245/890/1200 ms
  - Transactions: 15,000 a day
  - Conversion: 3.1 % (May)
audiences: [staff, 'beta: those who asked']
traffic_per_day: 15000
";

fn expected() -> Brief {
    let assessment = |level, rationale: &str| Assessment {
        level,
        rationale: rationale.into(),
    };
    let line = |[metric, value, unit, remark]: [&str; 4]| BaselineLine {
        metric: metric.into(),
        value: value.into(),
        unit: unit.into(),
        remark: remark.into(),
    };
    Brief {
        title: "New checkout".into(),
        description: "One page instead of three, with wallets.".into(),
        flag: Some("checkout-v2".into()),
        environment: Some("production".into()),
        component: Some("payments".into()),
        risk: Some(Risk {
            user_impact: assessment(Level::High, "all paying customers"),
            revenue_impact: assessment(Level::High, "every order"),
            criticality: assessment(Level::Medium, "a queue is behind it"),
            reversibility: assessment(Level::Low, "a switch undoes it"),
        }),
        baseline: [
            ["Error rate", "0.8", "%", ""],
            ["p50", "245", "ms", ""],
            ["p95", "890", "ms", ""],
            ["p99", "1200", "ms", ""],
            ["Conversion", "3.1", "%", "May"],
        ]
        .map(line)
        .to_vec(),
        traffic_per_day: Some(15_000),
        audiences: vec!["staff".into(), "beta: those who asked".into()],
        ..Brief::default()
    }
}

fn good(name: &str, text: &str) -> Brief {
    read(name, text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The problems without the file's name.
fn problems(name: &str, text: &str) -> Vec<String> {
    match read(name, text) {
        Err(Error::Usage(problems)) => problems
            .iter()
            .map(|problem| problem.strip_prefix(&format!("{name}:")).unwrap_or(problem).to_owned())
            .collect(),
        other => panic!("{text}\n{other:?}"),
    }
}

#[test]
fn markdown_and_yaml_say_the_same() {
    assert_eq!(good("brief.md", MARKDOWN), expected());
    assert_eq!(good("brief.yaml", YAML), expected());
    assert_eq!(good("brief.md", &MARKDOWN.replace('\n', "\r\n")), expected());
}

#[test]
fn without_an_ending_the_text_says_what_it_is() {
    assert_eq!(good("-", MARKDOWN), expected());
    assert_eq!(good("-", YAML), expected());
    assert_eq!(good("-", r#"{"title": "A", "flag": "a"}"#).flag.as_deref(), Some("a"));
}

#[test]
fn a_line_may_be_written_in_many_ways() {
    let flags = [
        "- Flag: a",
        "* flag key: a",
        "1. FLAG: `a`",
        "Flag: a",
        "prose\nFlag: a",
        "- **Flag:** a",
        "| Field | Value |\n|-|-|\n| Flag | a |",
        "| | |\n|-|-|\n| flag | a |",
        "- Details:\n  - Flag: a",
        "- Flag:\n  a",
        "## Notes\n\n- Flag: a",
        "- Flag: a\n\n  More of it.",
    ];
    for flag in flags {
        assert_eq!(
            good("b.md", &format!("# A\n\n{flag}\n")).flag.as_deref(),
            Some("a"),
            "{flag}"
        );
    }
    let metrics = [
        "- Errors: 1 %",
        "| Metric | Unit | Baseline | Target |\n|-|-|-|-|\n| Errors | % | 1 | 0.5 |",
        "| KPI | Today |\n|-|-|\n| Errors | 1 % |",
        "## Baseline metrics\n\n| What | So far |\n|-|-|\n| Errors | 1 % |",
        "- Baseline:\n  - Errors: 1 %",
        "## Baseline\n\n- Web:\n  - Errors: 1 %",
        "## Baseline\n\nAs of May: quiet.\nErrors: 1 %",
        "## Baseline\n\n### Web\n\n- Errors: 1 %\n\n### Targets\n\n- Errors: 0 %\n\n## Plan\n\n- Share: 5 %",
    ];
    for metric in metrics {
        let baseline = good("b.md", &format!("# A\n\n{metric}\n")).baseline;
        let read: Vec<_> = baseline
            .iter()
            .map(|line| (&*line.metric, &*line.value, &*line.unit))
            .collect();
        assert_eq!(read, [("Errors", "1", "%")], "{metric}");
    }
    let levels = "| Dimension | Level | Rationale |\n|-|-|-|\n| User impact | HIGH | all |\n| Revenue impact | LOW | |\n\
                  | Criticality | **LOW** | |\n| Reversibility | LOW | |\n";
    let risk = good("b.md", &format!("# A\n\n{levels}")).risk;
    assert_eq!(risk.map(|risk| risk.user_impact.rationale).as_deref(), Some("all"));
}

#[test]
fn what_is_not_meant_for_us_says_nothing() {
    let silent = [
        "```\n- Flag: a\n```",
        "> - Flag: a",
        "<!--\n- Flag: a\n-->",
        "    Flag: a",
        "- see https://example.com/flag:a",
        "- Flag:",
        "## Stages\n\n- canary: 5 %",
        "| Stage | Share |\n|-|-|\n| canary | 5 % |",
        "## Success metrics\n\n- Errors: 1 %",
        "- Note: later",
        "![Flag: a](picture.png)",
    ];
    for text in silent {
        let brief = good("b.md", &format!("# A\n\n{text}\n"));
        let title = "A".to_owned();
        assert_eq!(
            Brief {
                description: String::new(),
                ..brief
            },
            Brief {
                title,
                ..Brief::default()
            },
            "{text}"
        );
    }
}

#[test]
fn front_matter_is_yaml_and_lines_count_from_the_top() {
    let brief = good("b.md", "---\nflag: a\nowner: ana\n---\n\n# A\n\nText.\n");
    assert_eq!(
        (brief.flag.as_deref(), brief.owner.as_deref()),
        (Some("a"), Some("ana"))
    );
    assert_eq!((brief.title.as_str(), brief.description.as_str()), ("A", "Text."));
    assert_eq!(
        problems("b.md", "---\nflag: a\n---\n# A\n- Flag: b\n"),
        ["5:1: flag: said in line 2 already; write one"]
    );
}

#[test]
fn every_problem_is_named_at_once_with_its_line() {
    let text = "\
Nothing said.

- Flag: a
- flag: b
- Flagg: c
- User impact: huge
- Traffic: 15,000
- Errors: 1 %
- errors: 2 %

## Baseline

- latency 245 ms
- Latency: TBD

| Metric | Value |
|---|---|
| p50/p95 | 1/2/3 ms |

| Metric | p50 | p95 |
|---|---|---|
| Latency | 1 | 2 |
";
    let found = problems("b.md", text);
    let expected = [
        "4:1: flag: said in line 3 already",
        "5:1: Flagg: no such line; did you mean `flag`?",
        "6:1: user impact: \"huge\"; begin with LOW, MEDIUM or HIGH",
        "7:1: traffic: \"15,000\"; write a number and a time",
        "9:1: errors: the same metric as in line 8",
        "13:1: baseline: \"latency 245 ms\"; write `metric: value`",
        "14:1: Latency: \"TBD\" is no number",
        "18:1: p50/p95: 3 values",
        "20:1: baseline: a table of metrics without a column `Value`",
        "6:1: risk: without revenue impact, criticality, reversibility",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} instead of {expected}");
    }
}

#[test]
fn in_yaml_every_name_must_be_known() {
    let text = "\
tittle: A
risk: {user_impact: HIGH, size: LOW}
baseline: {Errors: {value: 1, units: '%'}, Latency: soon}
flag: [a]
audiences: 3
zzzzzzzzzz: 1
";
    let found = problems("b.yaml", text);
    let expected = [
        "1:1: tittle: no such field; did you mean `title`?",
        "2:27: risk.size: no such level",
        "3:31: Errors.units: no such field; there are value, unit",
        "3:44: Latency: \"soon\" is no number",
        "4:7: flag: a list; expected text",
        "6:1: zzzzzzzzzz: no such field; there are title",
        "2:8: risk: without",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} instead of {expected}");
    }
    assert_eq!(problems("b.yaml", "title: [").len(), 2, "the syntax, and no title");
    assert!(problems("b.yaml", "title: a\n---\ntitle: b\n")[0].contains("a second document"));
    assert!(problems("b.md", "")[0].starts_with("1:1: title: there is none"));
}

#[test]
fn a_file_needs_a_title_or_something_else_that_it_says() {
    let metrics = good("baseline.md", "- p95: 890 ms\n- Error rate: 0.8 %\n");
    assert_eq!((metrics.title.as_str(), metrics.baseline.len()), ("", 2));
    let table = good(
        "baseline.md",
        "## Baseline\n\n| Metric | Value |\n|---|---|\n| p95 | 890 ms |\n",
    );
    assert_eq!(table.baseline.len(), 1);
    assert_eq!(good("b.yaml", "flag: a").flag.as_deref(), Some("a"));
    assert!(problems("b.md", "Some prose of something else.\n")[0].starts_with("1:1: title: there is none"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_reasons(lines in prop::collection::vec(prop_oneof![
        "\\PC{0,30}", "[-*>|`#: a-z0-9%/.äß]{0,20}", Just("---".to_owned()), Just("|-|-|".to_owned()), Just("# A".to_owned()),
        Just("## Baseline".to_owned()), Just("| Metric | Value |".to_owned()), Just("- ![x](y)".to_owned())
    ], 0..20)) {
        for name in ["b.md", "b.yaml", "-"] {
            if let Err(error) = read(name, &lines.join("\n")) {
                let Error::Usage(problems) = error else { panic!("{error}") };
                prop_assert!(!problems.is_empty());
            }
        }
    }

    #[test]
    fn a_metric_of_a_table_is_kept_as_written(
        name in "[A-Za-z][A-Za-z0-9 ]{0,20}[a-z]", whole in 0..1_000_000_u32, unit in "(%|ms|a day|)",
    ) {
        prop_assume!(field::Field::named(&name).is_none());
        let text = format!("# A\n\n| Metric | Value |\n|---|---|\n| {name} | {whole} {unit} |\n");
        let baseline = good("b.md", &text).baseline;
        prop_assert_eq!(baseline.len(), 1);
        prop_assert_eq!(&baseline[0].metric, &name);
        prop_assert_eq!((&baseline[0].value, &baseline[0].unit), (&whole.to_string(), &unit));
    }
}

#[test]
fn a_row_of_the_baseline_that_says_the_traffic_is_traffic_and_no_metric() {
    let read = |rows: &str| {
        let table = "| Metric | Value |\n|---|---|\n| Error rate | 0.8 % |\n";
        let brief = good("feature.md", &format!("# New checkout\n\n## Baseline\n\n{table}{rows}"));
        let names = brief.baseline.into_iter().map(|line| line.metric);
        (brief.traffic_per_day, names.collect::<Vec<_>>())
    };
    let (traffic, metrics) = read("| Transactions | 15,000 a day |\n");
    assert_eq!((traffic, metrics), (Some(15_000), vec!["Error rate".to_owned()]));
    let (traffic, metrics) = read("| Requests/day | 1.2M |\n| Orders | 900 a day |\n");
    assert_eq!(traffic, Some(1_200_000));
    assert_eq!(metrics, ["Error rate", "Orders"], "another amount is of something else");
}
