#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

/// Path, before, after.
fn told(before: Json, after: Json) -> Vec<(String, String, String)> {
    let changes = differences(Some(&before), Some(&after)).into_iter();
    changes
        .map(|change| (change.path, change.before, change.after))
        .collect()
}

fn one(before: Json, after: Json, expected: (&str, &str, &str)) {
    let (path, was, is) = expected;
    let found = told(before.clone(), after.clone());
    assert_eq!(found, [(path.to_owned(), was.to_owned(), is.to_owned())]);
    let back = told(after, before);
    assert_eq!(back, [(path.to_owned(), is.to_owned(), was.to_owned())]);
}

#[test]
fn a_change_is_told_under_a_path_that_a_person_reads() {
    let split = |on: u32| {
        json!({ "split": {
            "shares": [{ "variant": "on", "buckets": on }, { "variant": "off", "buckets": 100_000 - on }],
            "ranges": [{ "variant": "on", "buckets": on }, { "variant": "off", "buckets": 100_000 - on }],
        } })
    };
    let shares = |on: u32| {
        let off = 100_000 - on;
        format!(r#"[{{"buckets":{on},"variant":"on"}},{{"buckets":{off},"variant":"off"}}]"#)
    };
    let rule = |serve: Json| json!({ "rules": [{ "name": "staff", "serve": serve }] });
    let condition = |condition: Json| json!({ "rules": [{ "name": "staff", "conditions": [condition] }] });
    one(json!({ "enabled": true }), json!({}), ("enabled", "true", "false"));
    one(json!({}), json!({ "owner": "ada" }), ("owner", "", r#""ada""#));
    one(
        json!({ "salt": "a" }),
        json!({ "salt": "b" }),
        ("salt", r#""a""#, r#""b""#),
    );
    one(
        json!({ "tags": ["b", "a"] }),
        json!({ "tags": ["a", "b", "c"] }),
        (r#"tags["c"]"#, "", r#""c""#),
    );
    one(
        json!({ "bucket_by": ["a", "b"] }),
        json!({ "bucket_by": ["b", "a"] }),
        ("bucket_by", r#"["a","b"]"#, r#"["b","a"]"#),
    );
    one(
        json!({ "variants": { "on": { "boolean": true } } }),
        json!({ "variants": { "on": { "boolean": true }, "off": { "boolean": false } } }),
        (r#"variants["off"]"#, "", "false"),
    );
    one(
        json!({ "variants": { "big": { "object": { "limits": { "rules": [1, 2] } } } } }),
        json!({ "variants": { "big": { "object": { "limits": { "rules": [2, 1] } } } } }),
        (r#"variants["big"].limits.rules"#, "[1,2]", "[2,1]"),
    );
    one(
        rule(split(10_000)),
        rule(split(20_000)),
        (r#"rules["staff"].serve.split"#, &shares(10_000), &shares(20_000)),
    );
    one(
        rule(json!({ "variant": "on" })),
        rule(json!({ "caller_default": {} })),
        (
            r#"rules["staff"].serve"#,
            r#"{"variant":"on"}"#,
            r#"{"caller_default":{}}"#,
        ),
    );
    one(
        json!({ "default_serve": { "variant": "on" } }),
        json!({ "default_serve": { "variant": "off" } }),
        ("default_serve.variant", r#""on""#, r#""off""#),
    );
    one(
        condition(json!({ "attribute": "group", "one_of": { "literals": [{ "text": "a" }, { "number": 1.5 }] } })),
        condition(json!({ "attribute": "group", "one_of": { "literals": [{ "text": "a" }] } })),
        (r#"rules["staff"].conditions[0].one_of.literals[1.5]"#, "1.5", ""),
    );
    one(
        condition(json!({ "attribute": "group", "exists": {} })),
        condition(json!({ "attribute": "plan", "exists": {} })),
        (
            r#"rules["staff"].conditions[0]"#,
            r#"{"attribute":"group","exists":{}}"#,
            r#"{"attribute":"plan","exists":{}}"#,
        ),
    );
    one(
        condition(json!({ "attribute": "group", "exists": {} })),
        condition(json!({ "attribute": "group", "exists": {}, "negated": true })),
        (r#"rules["staff"].conditions[0].negated"#, "false", "true"),
    );
    one(
        json!({ "allow": [{ "variant": "on", "units": ["a", "b"] }] }),
        json!({ "allow": [{ "variant": "on", "units": ["b", "c", "a"] }] }),
        (r#"allow["on"].units["c"]"#, "", r#""c""#),
    );
    one(
        json!({ "groups": [{ "conditions": [{ "attribute": "a", "exists": {} }] }] }),
        json!({ "groups": [{ "conditions": [{ "attribute": "a", "exists": {} }, { "attribute": "b", "exists": {} }] }] }),
        ("groups[0].conditions[1]", "", r#"{"attribute":"b","exists":{}}"#),
    );
}

#[test]
fn a_rule_that_moved_is_told_as_an_order_and_not_as_a_rewrite() {
    let rules =
        |names: &[&str]| json!({ "rules": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() });
    one(
        rules(&["a", "b", "c"]),
        rules(&["c", "a", "b"]),
        ("rules.order", r#"["a","b","c"]"#, r#"["c","a","b"]"#),
    );
    one(
        rules(&["a", "b"]),
        rules(&["new", "a", "b"]),
        (r#"rules["new"]"#, "", r#"{"name":"new"}"#),
    );
}

#[test]
fn where_buckets_lie_is_told_only_if_nothing_else_of_a_split_differs() {
    let split =
        |ranges: Json| json!({ "default_serve": { "split": { "shares": [{ "variant": "on" }], "ranges": ranges } } });
    one(
        split(json!([1])),
        split(json!([2])),
        ("default_serve.split.ranges", "[1]", "[2]"),
    );
}

#[test]
fn a_document_that_comes_or_goes_is_told_field_by_field() {
    let document = json!({ "key": "checkout", "enabled": true, "tags": ["a"], "rules": [{ "name": "staff" }] });
    let came = differences(None, Some(&document));
    let paths = came.iter().map(|change| change.path.as_str()).collect::<Vec<_>>();
    assert_eq!(paths, ["enabled", "key", r#"rules["staff"]"#, r#"tags["a"]"#]);
    assert_eq!(differences(Some(&document), None).len(), came.len());
    assert_eq!(differences(None, None), []);
}

#[test]
fn a_long_list_is_told_in_numbers() {
    let deny = |count: usize| json!({ "deny": (0..count).map(|unit| format!("unit-{unit}")).collect::<Vec<_>>() });
    let expected = [(
        "deny",
        r#"{"count":10000,"removed":1000}"#,
        r#"{"added":0,"count":9000}"#,
    )];
    let expected = expected.map(|(path, was, is)| (path.to_owned(), was.to_owned(), is.to_owned()));
    assert_eq!(told(deny(10_000), deny(9_000)), expected);
    one(
        deny(10_000),
        deny(9_999),
        (r#"deny["unit-9999"]"#, r#""unit-9999""#, ""),
    );
}

#[test]
fn the_answer_is_bounded_whatever_the_documents_hold() {
    let variants = |text: &str| {
        let variants = (0..1_000).map(|at| (format!("v{at}"), json!({ "text": text.repeat(1_000) })));
        json!({ "variants": variants.collect::<Map<_, _>>() })
    };
    let found = differences(Some(&variants("before")), Some(&variants("after")));
    let bytes = found
        .iter()
        .map(|change| change.path.len() + change.before.len() + change.after.len());
    assert!(bytes.sum::<usize>() < TOTAL + VALUE);
    let last = found.last().unwrap();
    let told = found.len() - 1;
    assert_eq!((last.path.as_str(), last.before.as_str()), ("", ""));
    assert_eq!(last.after, json!({ "omitted_changes": 1_000 - told }).to_string());
}

#[test]
fn equal_documents_do_not_differ() {
    let flag = crate::audit::flag(&crate::builders::flag("checkout"));
    assert_eq!(differences(Some(&flag), Some(&flag)), []);
}

/// JSON with the field names that mean something here.
fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        (0..3u8).prop_map(Json::from),
        "[a-c]".prop_map(Json::from),
        Just(Json::Null),
    ];
    let names = "rules|allow|tags|deny|conditions|groups|variants|serve|split|shares|ranges|name|variant|a|b";
    let inner = leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(names, inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    });
    proptest::collection::btree_map(names, inner, 0..5).prop_map(|fields| json!(fields))
}

proptest! {
    #[test]
    fn any_json_is_compared_without_a_panic_and_always_alike(before in document(), after in document()) {
        let found = differences(Some(&before), Some(&after));
        prop_assert_eq!(&found, &differences(Some(&before), Some(&after)));
        prop_assert!(found.iter().all(|change| change.before != change.after), "{found:?}");
        prop_assert_eq!(differences(Some(&before), Some(&before)), []);
    }
}
