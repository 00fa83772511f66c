//! From briefs to wishes, and from drafts to documents that read back.
#![allow(clippy::unwrap_used)]

use rollout::risk::Risk;

use super::{described::assessed, *};
use crate::{
    args::{Arguments, Command, PlanCommand},
    brief::{BaselineLine, risk},
    plan_document,
};

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

fn options(line: &[&str]) -> DraftArgs {
    use clap::Parser as _;
    let arguments = Arguments::try_parse_from([&["tidegate", "plan", "draft"], line].concat()).unwrap();
    let Command::Plan(PlanCommand::Draft(options)) = arguments.command else {
        panic!("plan draft")
    };
    *options
}

/// The plan that options alone come to, as a document that was read back.
fn drafted(line: &[&str]) -> Result<v1::Plan, Error> {
    let mut wish = Wish::new("checkout", "", "", "ann");
    let arms = ["--treatment", "on", "--control", "off"];
    chosen(&mut wish, &options(&[&arms, line].concat()))?;
    let plan = wire::write(&drafts::draft(&wish));
    let text = document::to_yaml(&PlanDocument::from_wire(&plan)).unwrap();
    assert_eq!(plan_document::parse("plan.yaml", &text).as_ref(), Ok(&plan), "{text}");
    Ok(plan)
}

#[test]
fn a_straight_line_is_the_strategy_gradual_in_its_steps() {
    let plan = drafted(&["--gradual", "10..60", "--over", "5d", "--steps", "5"]).unwrap();
    assert_eq!(plan.strategy, "gradual");
    let shares = plan.stages.iter().map(|stage| stage.buckets).collect::<Vec<_>>();
    assert_eq!(shares, [10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    assert!(plan.stages.iter().all(|stage| stage.dwell_us == rollout::DAY_US));
    // What is not said is as it usually is.
    for line in [
        &["--steps", "7"][..],
        &["--gradual", "0..100"],
        &["--over", "1w"],
        &["--strategy", "gradual"],
    ] {
        let usual = drafted(&["--strategy", "gradual", "--steps", "7"]).unwrap();
        assert_eq!(drafted(line).unwrap(), usual, "{line:?}");
    }
    let refusal = drafted(&["--strategy", "canary", "--steps", "3"])
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("not canary"), "{refusal}");
}

#[test]
fn a_rehearsal_comes_before_the_stages_of_any_strategy() {
    let shadow = drafted(&["--rehearsal", "shadow", "--strategy", "big-bang"]).unwrap();
    assert_eq!((shadow.stages[0].shadow, shadow.stages.len()), (true, 2));
    let dark = drafted(&["--rehearsal", "dark", "--staff", "staff"]).unwrap();
    assert_eq!(dark.stages[0].audience, ["staff"]);
    assert_eq!(dark.stages[0].checklist, [drafts::RELEASE_ITEM]);
    assert_eq!(dark.strategy, "progressive");
}

#[test]
fn freezes_are_named_and_each_name_is_said_once() {
    let year_end = "year-end=2026-12-20..2027-01-04 Europe/Berlin";
    let plan = drafted(&["--freeze", year_end, "--freeze", "sundays=Sun UTC"]).unwrap();
    assert_eq!(plan.freezes["year-end"], "2026-12-20..2027-01-04 Europe/Berlin");
    assert_eq!(plan.freezes.len(), 2);
    let refusal = drafted(&["--freeze", year_end, "--freeze", "year-end=Sun UTC"]);
    assert!(refusal.unwrap_err().to_string().contains("said twice"));
}
