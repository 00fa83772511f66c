#![allow(clippy::unwrap_used)]

use evaluation::Condition;
use rollout::Unit;

use super::*;
use crate::{
    builders::{SECOND_US, START_US, World, flag, key, plan_of, production},
    members::Members,
    plan_wire,
    record::SegmentRecord,
    store::{Txn, keys, model},
};

fn condition(attribute: &str, test: Test) -> Condition {
    Condition {
        attribute: attribute.to_owned(),
        negated: false,
        test,
    }
}

fn put(world: &mut World, name: &str, conditions: Vec<Condition>) {
    let segment = Segment {
        key: key(name),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: Vec::new(),
        excluded: Vec::new(),
        groups: vec![conditions],
    };
    let at = keys::segment(&production(), &segment.key);
    let record = SegmentRecord {
        segment,
        included: Members::default(),
        excluded: Members::default(),
        version: 1,
        created_at_us: START_US,
        updated_at_us: START_US,
        revision: 0,
    };
    world.commit(&Txn::default().put(at, model::write_segment(&record)));
}

/// A flag, and a segment of each kind.
fn world() -> World {
    let mut world = World::new();
    world.write(flag("checkout"));
    put(&mut world, "staff", vec![condition("email", Test::Exists)]);
    put(&mut world, "small", vec![condition("Transaction.amount", Test::Exists)]);
    let nested = Test::InSegment(vec!["staff".to_owned(), "small".to_owned()]);
    put(&mut world, "nested", vec![condition("", nested)]);
    let asks = Test::Variant {
        flag: "checkout".to_owned(),
        variants: vec!["new".to_owned()],
    };
    put(&mut world, "circle", vec![condition("", asks)]);
    world
}

fn of_audience(segment: &str, unit: Unit) -> Plan {
    let mut plan = plan_of("checkout", unit, &[5, 100], 60 * SECOND_US);
    plan.stages[0].audience = vec![segment.to_owned()];
    plan
}

fn fields(report: &Report) -> Vec<&str> {
    report.violations.iter().map(|found| found.field.as_str()).collect()
}

#[test]
fn an_attribute_is_of_a_request_by_its_first_part_alone() {
    for of_request in [
        "path",
        "IP",
        "request",
        "request.id",
        "headers.host",
        "order.total.eur",
        "tx",
    ] {
        assert!(is_of_request(of_request), "{of_request}");
    }
    for of_unit in ["", "email", "user.path", "orders", "country", "requestor", "ip_country"] {
        assert!(!is_of_request(of_unit), "{of_unit}");
    }
}

#[test]
fn an_audience_by_which_a_unit_could_flip_is_refused_also_behind_another_segment() {
    let (world, production) = (world(), production());
    let lint = |segment, unit| lint(&world.state, &production, &of_audience(segment, unit), START_US);
    for (segment, is_refused) in [("staff", false), ("small", true), ("nested", true)] {
        let by_unit = lint(segment, Unit::Unit);
        let expected: &[&str] = if is_refused { &["stages[0].audience[0]"] } else { &[] };
        assert_eq!(fields(&by_unit), expected, "{segment}: {:?}", by_unit.violations);
        assert_eq!(fields(&lint(segment, Unit::Request)), [""; 0], "{segment}");
    }
}

#[test]
fn an_audience_that_asks_the_flag_itself_is_refused() {
    let (world, production) = (world(), production());
    let report = lint(&world.state, &production, &of_audience("circle", Unit::Unit), START_US);
    assert_eq!(fields(&report), ["stages[0].audience[0]"]);
    assert!(report.violations[0].description.contains("leads back"), "{report:?}");
}

#[test]
fn what_is_not_there_is_said_once_and_under_its_field() {
    let (world, production) = (world(), production());
    let mut plan = of_audience("nobody", Unit::Unit);
    plan.environment = "staging".to_owned();
    plan.treatment = "newest".to_owned();
    let report = lint(&world.state, &production, &plan, START_US);
    assert_eq!(fields(&report), ["environment", "treatment", "stages[0].audience[0]"]);
    plan.flag = "gone".to_owned();
    let report = lint(&world.state, &production, &plan, START_US);
    assert_eq!(fields(&report), ["environment", "flag", "stages[0].audience[0]"]);
}

#[test]
fn what_cannot_be_read_is_said_beside_all_else_and_nothing_is_worked_out_from_it() {
    let (world, production) = (world(), production());
    let mut wire = plan_wire::write(&of_audience("nobody", Unit::Unit));
    let (_, whole) = read(&world.state, &production, wire.clone(), START_US);
    assert!(!whole.calendar.is_empty() && !whole.limits.is_empty());
    assert_eq!(fields(&whole), ["stages[0].audience[0]"]);
    wire.stages[1].success = vec!["errors should be few".to_owned()];
    wire.strategy = "yolo".to_owned();
    let (_, report) = read(&world.state, &production, wire, START_US);
    let mut found = fields(&report);
    found.sort_unstable();
    assert_eq!(found, ["stages[0].audience[0]", "stages[1].success[0]", "strategy"]);
    assert!(report.calendar.is_empty() && report.limits.is_empty() && report.stages.is_empty());
}
