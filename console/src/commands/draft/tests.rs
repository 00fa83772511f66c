//! From briefs to wishes, and from drafts to documents that read back.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::plan_document;

fn line(metric: &str, value: &str, unit: &str) -> BaselineLine {
    BaselineLine {
        metric: metric.into(),
        value: value.into(),
        unit: unit.into(),
        remark: String::new(),
    }
}

#[test]
fn every_strategy_is_a_document_that_reads_back() {
    for strategy in Strategy::ALL {
        let wish = Wish {
            strategy: Some(strategy),
            staff: Some("staff".into()),
            ..Wish::new("checkout", "on", "off", "ann")
        };
        let plan = wire::write(&drafts::draft(&wish));
        let text = document::to_yaml(&PlanDocument::from_wire(&plan)).unwrap();
        let read = plan_document::parse("plan.yaml", &text);
        assert_eq!(read.as_ref(), Ok(&plan), "{}:\n{text}", strategy.name());
    }
}

#[test]
fn the_first_brief_to_say_something_is_believed() {
    let mut wish = Wish::new("", "", "", "ann");
    let feature = Brief {
        title: "Checkout".into(),
        flag: Some("checkout".into()),
        component: Some("payments".into()),
        ..Brief::default()
    };
    let baseline = Brief {
        title: "Numbers".into(),
        flag: Some("search".into()),
        traffic_per_day: Some(15_000),
        baseline: vec![
            line("Error rate", "0.8", "%"),
            line("p95", "890", "ms"),
            line("Mood", "good", ""),
        ],
        audiences: vec!["internal employees".into()],
        ..Brief::default()
    };
    assert!(described(&mut wish, feature).is_empty());
    let notes = described(&mut wish, baseline);
    assert_eq!(
        (wish.flag.as_str(), wish.description.as_str()),
        ("checkout", "Checkout")
    );
    assert_eq!(wish.labels["component"], "payments");
    assert_eq!(wish.traffic.requests_per_day, 15_000);
    assert_eq!(wish.baseline.values["error-rate"], "0.8 %".parse().unwrap());
    assert_eq!(wish.baseline.values.len(), 2, "{:?}", wish.baseline);
    assert!(notes[0].starts_with("Mood is left out: no such metric"), "{notes:?}");
    assert!(notes[1].contains("internal employees are left to you"), "{notes:?}");
}

#[test]
fn what_is_hard_to_take_back_is_graver() {
    let rated = |level| risk::Assessment {
        level,
        rationale: "why".into(),
    };
    let risk = |reversibility| {
        assessed(risk::Risk {
            user_impact: rated(risk::Level::Low),
            revenue_impact: rated(risk::Level::Medium),
            criticality: rated(risk::Level::Low),
            reversibility: rated(reversibility),
        })
    };
    assert_eq!(risk(risk::Level::Low).overall(), Risk::Medium);
    assert_eq!(risk(risk::Level::High).overall(), Risk::High);
}

#[test]
fn the_treatment_is_the_only_other_variant_or_has_to_be_named() {
    let flag = |names: &[&str]| v1::Flag {
        key: "checkout".into(),
        variants: names
            .iter()
            .map(|name| ((*name).to_owned(), v1::Value::default()))
            .collect(),
        ..Default::default()
    };
    assert_eq!(other_variant(&flag(&["on", "off"]), "off").unwrap(), "on");
    let refusal = other_variant(&flag(&["a", "b", "c"]), "a").unwrap_err().to_string();
    assert!(refusal.contains("beside a there are: b, c"), "{refusal}");
}
