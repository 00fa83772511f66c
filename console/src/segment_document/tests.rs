//! Tables of segment documents, and the round trip through YAML and JSON.
#![allow(clippy::unwrap_used)]

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::condition_document::tests::{any_condition, any_text};

fn parse(text: &str) -> Result<v1::Segment, Vec<String>> {
    let nodes = Node::parse(text).unwrap();
    let mut problems = Problems::of("s");
    let segment = read(&nodes[0], "", None, &mut problems);
    match problems.into_lines().0 {
        problems if problems.is_empty() => Ok(segment),
        problems => Err(problems),
    }
}

#[test]
fn groups_are_written_in_several_ways() {
    let alone = parse("{key: a, conditions: [{attribute: plan, equals: pro}]}").unwrap();
    assert_eq!(alone.groups.len(), 1);
    let several = parse(
        "key: a\nany_of:\n- {attribute: plan, equals: pro}\n- [{attribute: a, exists: true}, {in_segment: b}]\n\
         - {conditions: [{attribute: tags, all_of: [x]}]}\n- {attribute: tags, all_of: [x]}\n- plan=pro and x=1\n",
    )
    .unwrap();
    let lengths: Vec<usize> = several.groups.iter().map(|group| group.conditions.len()).collect();
    assert_eq!(lengths, [1, 2, 1, 1, 2]);
    let members = parse("{key: a, members: [1, user-2, 007], exclude: x}").unwrap();
    assert_eq!(
        (members.included.join(" ").as_str(), members.excluded.join(" ").as_str()),
        ("1 user-2 007", "x")
    );
}

#[test]
fn a_wrong_segment_is_named_with_its_places() {
    let problems = parse("key: a b\nincluded: {x: 1}\ngroup: []\nany_of: 3\n").unwrap_err();
    let starts = [
        "s:1:6: key: ",
        "s:2:11: included: a map; expected",
        "s:4:9: any_of: a number",
        "s:3:1: group: no such field; did you mean `groups`?",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

prop_compose! {
    fn any_segment()(
        key in "[a-z0-9][a-z0-9.-]{0,9}", description in any_text(), owner in any_text(), tags in vec(any_text(), 0..3),
        included in vec(any_text(), 0..4), excluded in vec(any_text(), 0..3),
        groups in vec(vec(any_condition(), 1..3), 0..3),
    ) -> v1::Segment {
        let groups = groups.into_iter().map(|conditions| v1::ConditionGroup { conditions }).collect();
        v1::Segment { key, description, owner, tags, included, excluded, groups }
    }
}

proptest! {
    #[test]
    fn a_segment_survives_both_texts(segment in any_segment()) {
        let document = SegmentDocument::from_wire(&segment);
        let yaml = crate::document::to_yaml(&document).unwrap();
        let back = parse(&yaml);
        prop_assert_eq!(back.as_ref(), Ok(&segment), "{}", yaml);
        prop_assert_eq!(parse(&serde_json::to_string(&document).unwrap()), Ok(segment));
    }
}
