#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    Phase, State, Transition,
    catalogue::MetricKey,
    criterion::Criterion,
    lint::{Segment, Surroundings, lint},
    risk::{Rated, Reversibility},
    simulate::{Scenario, simulate},
};

/// Monday, 2026-06-01 09:00 UTC.
const MONDAY_US: Micros = 1_780_304_400_000_000;
const HOUR_US: Micros = DAY_US / 24;

fn assessed(level: Risk) -> Assessment {
    let rated = Rated {
        level,
        rationale: "as the example says".to_owned(),
    };
    Assessment {
        user_impact: rated.clone(),
        revenue_impact: rated.clone(),
        criticality: rated,
        reversibility: Rated {
            level: Reversibility::Easy,
            rationale: "a flag takes it back".to_owned(),
        },
    }
}

fn wish(strategy: Option<Strategy>, risk: Option<Risk>) -> Wish {
    Wish {
        strategy,
        risk: risk.map(assessed),
        ..Wish::new("checkout-v2", "on", "off", "kim")
    }
}

fn number(metric: &str, text: &str) -> crate::criterion::Number {
    let written: Criterion = format!("{metric} < {text}").parse().unwrap();
    match written {
        Criterion::Compare(comparison) => match comparison.limit {
            crate::criterion::Limit::Absolute(number) => number,
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

fn with_baseline(wish: Wish) -> Wish {
    let values = [
        ("error-rate", "0.8 %"),
        ("p50", "245 ms"),
        ("p95", "890 ms"),
        ("p99", "1200 ms"),
        ("revenue", "$3"),
        ("conversion", "4 %"),
        ("cost-per-query", "$0.50"),
        ("tickets", "3"),
    ];
    let mut wish = wish;
    wish.baseline.values = values
        .map(|(metric, text)| (metric.to_owned(), number(metric, text)))
        .into();
    wish.traffic = Traffic {
        units_per_day: 9_000,
        requests_per_day: 15_000,
    };
    wish
}

fn around() -> Surroundings<'static> {
    Surroundings {
        variants: Some(vec!["on", "off"]),
        default: Some("off"),
        segments: [
            ("team-members", Segment::default()),
            ("internal-staff", Segment::default()),
        ]
        .into(),
        knows_kill_flag: false,
    }
}

/// Every strategy, or the one that fits, at every risk, or none, with and without staff, a rehearsal and a baseline.
fn all() -> Vec<Wish> {
    let mut all = Vec::new();
    for strategy in Strategy::ALL.into_iter().map(Some).chain([None]) {
        for risk in Risk::ALL.into_iter().map(Some).chain([None]) {
            for staff in [None, Some("team-members".to_owned())] {
                for rehearsal in [None, Some(Rehearsal::Shadow), Some(Rehearsal::Dark)] {
                    let bare = Wish {
                        staff: staff.clone(),
                        rehearsal,
                        start_at_us: (strategy == Some(Strategy::Scheduled)).then_some(MONDAY_US + 3 * DAY_US),
                        ..wish(strategy, risk)
                    };
                    all.push(with_baseline(bare.clone()));
                    all.push(bare);
                }
            }
        }
    }
    all
}

#[test]
fn every_draft_is_fit_to_start_as_it_is() {
    for wish in all() {
        let plan = draft(&wish);
        let said = format!(
            "{:?} {:?} {:?} {:?}",
            wish.strategy,
            wish.overall(),
            wish.rehearsal,
            wish.staff
        );
        assert_eq!(plan.violations(), [], "{said}");
        let report = lint(&plan, &around(), MONDAY_US);
        assert_eq!((report.violations, report.warnings), (vec![], vec![]), "{said}");
        assert_eq!((report.phase, report.waits), (Some(Phase::Completed), vec![]), "{said}");
        let entered = report.stages.iter().all(|stage| stage.from_us.is_some());
        assert!(entered, "{said}: {:?}", report.stages);
    }
}

fn shares(plan: &Plan) -> Vec<String> {
    let shown = |stage: &crate::Stage| format!("{}{}", stage.audience.concat(), stage.share);
    plan.stages.iter().map(shown).collect()
}

#[test]
fn each_risk_is_drafted_as_its_strategy_says() {
    for (risk, strategy, expected) in [
        (Risk::Low, Strategy::BigBang, &["100"][..]),
        (Risk::Medium, Strategy::Progressive, &["0", "10", "50", "100"]),
        (Risk::High, Strategy::Canary, &["1", "5", "10", "25", "50", "100"]),
    ] {
        let plan = draft(&wish(None, Some(risk)));
        assert_eq!(
            (plan.strategy, shares(&plan)),
            (strategy, expected.iter().map(|share| (*share).to_owned()).collect())
        );
        assert_eq!(plan.bake_us, 14 * DAY_US);
        assert_eq!(plan.approvals, u32::from(risk == Risk::High));
        let is_attended = risk > Risk::Low;
        assert!(plan.stages.iter().all(|stage| stage.on_call_required == is_attended));
        let windows: Vec<String> = plan.windows.iter().map(ToString::to_string).collect();
        assert_eq!(
            windows,
            if is_attended {
                vec!["Mon-Fri 09:00-17:00 UTC"]
            } else {
                vec![]
            }
        );
    }
}

#[test]
fn what_is_grave_begins_with_staff_or_with_a_hundredth() {
    for strategy in Strategy::ALL {
        let mut grave = wish(Some(strategy), Some(Risk::High));
        let first = |plan: &Plan| shares(plan).into_iter().find(|share| *share != "0");
        if strategy != Strategy::Shadow {
            assert_eq!(first(&draft(&grave)).as_deref(), Some("1"), "{strategy:?}");
        }
        grave.staff = Some("team-members".to_owned());
        if !matches!(strategy, Strategy::Shadow | Strategy::Dark) {
            assert_eq!(first(&draft(&grave)).as_deref(), Some("team-members50"), "{strategy:?}");
        }
    }
}

fn until_everybody(plan: &Plan, from: Micros) -> Micros {
    let walk = simulate(plan, &State::draft(0, from), Scenario::Good, from);
    let at = |wanted: &dyn Fn(&Transition) -> bool| {
        walk.transitions
            .iter()
            .find(|made| wanted(&made.transition))
            .unwrap()
            .at_us
    };
    at(&|made| *made == Transition::BakeStarted) - at(&|made| *made == Transition::Started)
}

#[test]
fn a_canary_takes_four_to_six_weeks_and_a_progressive_rollout_two_whenever_they_start() {
    for staff in [None, Some("internal-staff".to_owned())] {
        let mut canary = wish(Some(Strategy::Canary), Some(Risk::High));
        canary.staff = staff;
        let (canary, progressive) = (draft(&canary), draft(&wish(Some(Strategy::Progressive), None)));
        for hour in (0..7 * 24).step_by(5) {
            let from = MONDAY_US + hour * HOUR_US;
            let days = until_everybody(&canary, from) / DAY_US;
            assert!((28..=42).contains(&days), "{hour}: {days}");
            let days = until_everybody(&progressive, from) / DAY_US;
            assert!((14..=19).contains(&days), "{hour}: {days}");
        }
    }
}

#[test]
fn what_ends_before_everybody_has_it_does_not_wait_for_that() {
    let asks = |to: u32| {
        let mut wish = wish(Some(Strategy::Gradual), None);
        wish.gradual = Some(Gradual {
            to: Share::new(to).unwrap(),
            ..Gradual::default()
        });
        let plan = draft(&wish);
        plan.exit.iter().any(|item| item.name == Item::ALL_REACHED)
    };
    assert!(asks(100_000));
    assert!(!asks(60_000), "a person completes it");
}

#[test]
fn a_gradual_rollout_is_a_straight_line() {
    let mut wish = wish(Some(Strategy::Gradual), None);
    wish.gradual = Some(Gradual {
        from: Share::new(10_000).unwrap(),
        to: Share::new(90_000).unwrap(),
        over_us: 8 * HOUR_US,
        steps: 4,
    });
    let plan = draft(&wish);
    assert_eq!(shares(&plan), ["10", "30", "50", "70", "90"]);
    assert!(plan.stages.iter().all(|stage| stage.dwell.planned_us() == 2 * HOUR_US));
    // A share that rises by less than a bucket in a step makes fewer stages, and too many steps those that fit.
    wish.gradual = Some(Gradual {
        to: Share::new(10_003).unwrap(),
        steps: 1_000,
        ..wish.gradual.unwrap()
    });
    let plan = draft(&wish);
    assert_eq!(shares(&plan), ["10", "10.001", "10.002", "10.003"]);
    assert_eq!(plan.violations(), []);
    // What is grave stays for a day.
    wish.risk = Some(assessed(Risk::Medium));
    assert!(
        draft(&wish)
            .stages
            .iter()
            .all(|stage| stage.dwell.planned_us() >= DAY_US)
    );
}

#[test]
fn shadow_exposes_nobody_and_dark_waits_for_a_person() {
    let shadow = draft(&wish(Some(Strategy::Shadow), None));
    assert!(
        shadow
            .stages
            .iter()
            .all(|stage| stage.shadow && stage.share == Share::ALL)
    );
    let walk = |plan: &Plan| simulate(plan, &State::draft(0, MONDAY_US), Scenario::Good, MONDAY_US);
    let released = |item: &str| item == RELEASE_ITEM;
    let ticked = walk(&shadow).transitions;
    assert!(
        ticked
            .iter()
            .any(|made| matches!(&made.transition, Transition::Ticked { item, .. } if released(item)))
    );
    let dark = draft(&wish(Some(Strategy::Dark), None));
    assert_eq!(shares(&dark), ["0", "100"]);
    let opens = walk(&dark).transitions;
    let at = |wanted: &dyn Fn(&Transition) -> bool| opens.iter().position(|made| wanted(&made.transition)).unwrap();
    let tick = at(&|made| matches!(made, Transition::Ticked { item, .. } if released(item)));
    assert!(tick < at(&|made| matches!(made, Transition::Advanced { .. })));
}

#[test]
fn somebody_is_on_call_if_anybody_is_named() {
    let on_call = |wish: &Wish| {
        draft(wish)
            .people
            .on_call("10-percent")
            .map(|duty| duty.on_call.clone())
    };
    let mut wish = wish(None, Some(Risk::Medium));
    assert_eq!(on_call(&wish).as_deref(), Some("kim"));
    wish.people.owner = "lee".to_owned();
    assert_eq!(on_call(&wish).as_deref(), Some("lee"));
    wish.on_call = "max".to_owned();
    assert_eq!(on_call(&wish).as_deref(), Some("max"));
    wish.people.duties = vec![Duty {
        stages: vec!["10-percent".to_owned()],
        on_call: "ann".to_owned(),
        escalation: Vec::new(),
    }];
    let plan = draft(&wish);
    assert_eq!(plan.people.on_call("10-percent").unwrap().on_call, "ann");
    assert_eq!(plan.people.on_call("50-percent").unwrap().on_call, "max");
    let nobody = Wish {
        actor: String::new(),
        people: People::default(),
        on_call: String::new(),
        ..wish
    };
    assert_eq!(draft(&nobody).violations(), []);
    let report = lint(&draft(&nobody), &around(), MONDAY_US);
    assert!(report.warnings.iter().any(|warning| warning.field == "people.duties"));
}

#[test]
fn a_baseline_becomes_limits() {
    let plan = draft(&with_baseline(wish(None, Some(Risk::High))));
    let guards: Vec<String> = plan
        .guards
        .iter()
        .map(|guard| format!("{} {}", guard.level.name(), guard.harm))
        .collect();
    assert_eq!(
        guards,
        [
            "abort error-rate > 1x control",
            "hold conversion < 0.95x control",
            "hold cost-per-query > 1.5x control",
            "abort error-rate > 2x baseline",
            "abort p95 > 2x baseline",
            "abort p99 > 2x baseline",
            "hold revenue < 0.95x control",
        ]
    );
    assert_eq!(plan.observed, ["p50", "tickets"]);
    let texts = |written: &[Criterion]| written.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        texts(&plan.stages[0].rollback),
        ["critical-bugs > 0", "data-loss > 0", "error-rate > 10 %"]
    );
    assert_eq!(
        texts(&plan.stages[0].success),
        [
            "error-rate <= 1.5x baseline",
            "p95 <= 1.5x baseline",
            "p99 <= 1.5x baseline"
        ]
    );
    assert_eq!(
        texts(&plan.kill_switch.as_ref().unwrap().conditions),
        ["error-rate > 10 %"]
    );
    // What a draft writes as a plain threshold does not fire by itself.
    let report = lint(&plan, &around(), MONDAY_US);
    let odds = report.thresholds.iter().filter_map(|threshold| threshold.odds);
    assert!(odds.clone().count() > 0 && odds.fold(0.0, f64::max) < 1e-5);
}

#[test]
fn a_baseline_near_its_end_makes_no_limit_beyond_it() {
    for rate in ["0 %", "0.001 %", "15 %", "30 %", "60 %", "99.9 %", "100 %"] {
        let mut wish = wish(None, Some(Risk::Medium));
        wish.baseline.values = [("errors".to_owned(), number("error-rate", rate))].into();
        let plan = draft(&wish);
        assert_eq!(plan.violations(), [], "{rate}");
        assert_eq!(plan.baseline.source, BaselineSource::Fixed);
        assert!(
            plan.baseline
                .values
                .contains_key(MetricKey::new("errors").unwrap().as_str())
        );
    }
}
