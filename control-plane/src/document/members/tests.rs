#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Segment;
use proptest::prelude::*;

use super::*;
use crate::builders::key;

fn segment(description: &str, included: &[String]) -> (SegmentRecord, Chunks) {
    let laid = Members::of(included);
    let record = SegmentRecord {
        segment: Segment {
            key: key("staff"),
            description: description.to_owned(),
            owner: String::new(),
            tags: [].into(),
            included: Vec::new(),
            excluded: Vec::new(),
            groups: Vec::new(),
        },
        included: laid.members,
        excluded: Members::default(),
        version: 1,
        created_at_us: 0,
        updated_at_us: 0,
        revision: 0,
    };
    (record, laid.fresh)
}

fn told(before: &(SegmentRecord, Chunks), after: &(SegmentRecord, Chunks)) -> Vec<(String, String, String)> {
    let populated = |of: &(SegmentRecord, Chunks)| (of.0.clone(), of.1.clone());
    let ((was, was_in), (is, is_in)) = (populated(before), populated(after));
    let before = Populated {
        record: &was,
        chunks: &was_in,
    };
    let after = Populated {
        record: &is,
        chunks: &is_in,
    };
    let changes = segment_differences(Some(before), Some(after)).unwrap();
    let changes = changes.into_iter();
    changes
        .map(|change| (change.path, change.before, change.after))
        .collect()
}

fn units(count: usize) -> Vec<String> {
    (0..count).map(|unit| format!("unit-{unit}")).collect()
}

#[test]
fn one_unit_among_many_is_told_by_its_name() {
    let (mut before, mut after) = (units(100_000), units(100_000));
    before.push("gone".to_owned());
    after.push("come".to_owned());
    let found = told(&segment("", &before), &segment("", &after));
    let expected = [
        (r#"included["gone"]"#, r#""gone""#, ""),
        (r#"included["come"]"#, "", r#""come""#),
    ];
    assert_eq!(
        found,
        expected.map(|(path, was, is)| (path.to_owned(), was.to_owned(), is.to_owned()))
    );
}

#[test]
fn many_units_are_told_in_numbers_beside_what_else_differs() {
    let found = told(&segment("old", &units(1_000)), &segment("new", &units(50_000)));
    assert_eq!(found[0].0, "description");
    let (path, was, is) = &found[1];
    assert_eq!(path, "included");
    assert_eq!(was, r#"{"count":1000,"removed":0}"#);
    assert_eq!(is, r#"{"added":49000,"count":50000}"#);
}

#[test]
fn chunks_that_both_name_are_not_needed() {
    let one = segment("", &units(10));
    let nothing = Chunks::new();
    let populated = Populated {
        record: &one.0,
        chunks: &nothing,
    };
    assert_eq!(segment_differences(Some(populated), Some(populated)).unwrap(), []);
    assert!(segment_differences(None, Some(populated)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn members_that_came_and_went_are_those_of_the_sets(
        before in proptest::collection::btree_set("[a-e]{1,2}", 0..8),
        after in proptest::collection::btree_set("[a-e]{1,2}", 0..8),
    ) {
        let list = |units: &BTreeSet<String>| units.iter().cloned().collect::<Vec<_>>();
        let found = told(&segment("", &list(&before)), &segment("", &list(&after)));
        let names = |of: fn(&(String, String, String)) -> &String| {
            let names = found.iter().map(of).filter(|text| !text.is_empty());
            names.map(|text| serde_json::from_str(text).unwrap()).collect::<BTreeSet<String>>()
        };
        prop_assert_eq!(names(|change| &change.1), before.difference(&after).cloned().collect());
        prop_assert_eq!(names(|change| &change.2), after.difference(&before).cloned().collect());
    }
}
