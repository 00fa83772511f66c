//! Wrong input, field by field: every violation of a document is named at once by its path, and nothing is written.
//!
//! Tables of (what is wrong, the document, the fields to name). Each document is sent as a create, as an update and as
//! one of several in an apply: the three ways in must agree. Other requests are in `requests.rs`.

use integration_tests::{
    answers,
    conditions::{condition, in_segment, list, one_of, rule, serves, version},
    flags,
    operator::Operator,
    records::{create_segment, flag_version, now_us, try_schedules},
    system::{PRODUCTION, System},
    violations,
};
use prost_types::FieldMask;
use proto::v1::{
    self, condition::Test, configuration_client::ConfigurationClient, schedules_client::SchedulesClient, value::Kind,
};
use serde_json::json;
use tonic::{Code, Status};

/// What is wrong, a document, and the fields to name.
type Wrong<D> = (&'static str, D, Vec<String>);

fn wrong<D>(what: &'static str, document: D, fields: &[&str]) -> Wrong<D> {
    (what, document, fields.iter().map(|field| (*field).to_owned()).collect())
}

/// The flag that is updated.
pub(crate) const PRESENT: &str = "present";

/// A system with a flag, one that reads it and a segment.
pub(crate) async fn filled() -> System {
    let system = System::start().await;
    let operator = &system.operator;
    create_segment(operator, segment("beta")).await;
    operator.create(flags::boolean(PRESENT)).await;
    operator.create(flags::boolean("other")).await;
    system
}

/// A segment without members or conditions.
pub(crate) fn segment(key: &str) -> v1::Segment {
    v1::Segment {
        key: key.to_owned(),
        ..v1::Segment::default()
    }
}

/// A flag with one rule.
fn ruled(conditions: &[v1::Condition]) -> v1::Flag {
    v1::Flag {
        rules: vec![rule("rule", conditions, flags::variant("on"))],
        ..flags::boolean("wrong")
    }
}

/// Sends each flag every way in, and sees that nothing is written.
async fn refused_every_way(system: &mut System, table: Vec<Wrong<v1::Flag>>) {
    let operator = system.operator.clone();
    let (_, before) = operator.list().await;
    for (what, flag, fields) in table {
        let within = |place: &str| -> Vec<String> {
            let path = |field: &String| format!("{place}.{field}").trim_end_matches('.').to_owned();
            fields.iter().map(path).collect()
        };
        let created = operator.try_create(flag.clone()).await.unwrap_err();
        names(&format!("{what}, created"), &created, &within("flag"));
        let present = v1::Flag {
            key: PRESENT.to_owned(),
            ..flag.clone()
        };
        if flag.r#type() == v1::FlagType::Boolean {
            let updated = operator.try_update(present, 0).await.unwrap_err();
            names(&format!("{what}, updated"), &updated, &within("flag"));
        }
        let applied = try_apply(&operator, vec![flags::boolean("good"), flag])
            .await
            .unwrap_err();
        names(&format!("{what}, applied"), &applied, &within("documents[1].flag"));
    }
    assert_eq!(operator.list().await.1, before, "nothing is written");
    assert!(system.control_plane.is_running());
}

fn names(what: &str, status: &Status, fields: &[String]) {
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    violations::names_exactly(what, status, &fields);
}

async fn try_apply(operator: &Operator, flags: Vec<v1::Flag>) -> Result<(), Status> {
    let documents = flags.into_iter().map(v1::document::Kind::Flag);
    try_apply_documents(operator, documents.collect(), "").await
}

/// Writes documents into production in one transaction.
pub(crate) async fn try_apply_documents(
    operator: &Operator,
    documents: Vec<v1::document::Kind>,
    changeset: &str,
) -> Result<(), Status> {
    let document = |kind| v1::Document {
        kind: Some(kind),
        expected_revision: 0,
    };
    let request = v1::ApplyRequest {
        environment: PRODUCTION.to_owned(),
        documents: documents.into_iter().map(document).collect(),
        changeset: changeset.to_owned(),
        ..v1::ApplyRequest::default()
    };
    ConfigurationClient::new(operator.channel())
        .apply(request)
        .await
        .map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_cannot_be_met_or_read_are_named_each_by_its_path() {
    let mut system = filled().await;
    let test = |number: usize, rest: &str| format!("rules[0].conditions[{number}].{rest}");
    let unreadable = [
        (condition("a", Test::Matches("(".to_owned())), "matches"),
        (condition("a", Test::Matches("a(?=b)".to_owned())), "matches"),
        (condition("a", Test::Matches("(a{1000}){1000}".to_owned())), "matches"),
        (condition("a", Test::Matches("x".repeat(1_025))), "matches"),
        (
            condition("a", version(v1::VersionComparison::Equal, "one")),
            "version.version",
        ),
        (
            condition("a", version(v1::VersionComparison::Less, "1.2.3.4")),
            "version.version",
        ),
        (condition("a", date("2026-02-30")), "date"),
        (condition("a", date("tomorrow")), "date"),
        (condition("a", networks(&["10.0.0.0/33"])), "in_network[0]"),
        (condition("a", networks(&["10.0.0.0/8", "::g/64"])), "in_network[1]"),
        (condition("a", one_of(&[])), "one_of"),
        (condition("a", texts(&["", "b"])), "contains[0]"),
        (condition("a", texts(&[])), "contains"),
        (
            condition("a", number(v1::number_test::Comparison::Less(f64::NAN))),
            "number",
        ),
        (condition("a", number(between(2.0, 1.0))), "number.between"),
        (condition("a", size(f64::INFINITY)), "size"),
        (condition("a", list(v1::ListQuantifier::Any, &[])), "list"),
        (condition("", one_of(&["b"])), "attribute"),
        (condition(&"a".repeat(201), one_of(&["b"])), "attribute"),
    ];
    let fields: Vec<_> = unreadable
        .iter()
        .enumerate()
        .map(|(at, (_, rest))| test(at, rest))
        .collect();
    let conditions: Vec<_> = unreadable.into_iter().map(|(condition, _)| condition).collect();
    let all = ("everything that cannot be read", ruled(&conditions), fields);

    let unset = [
        (
            v1::Condition {
                test: None,
                ..condition("a", one_of(&["b"]))
            },
            "",
        ),
        (
            condition(
                "a",
                Test::OneOf(v1::OneOf {
                    literals: vec![v1::Literal { kind: None }],
                    ignore_case: false,
                }),
            ),
            "one_of[0]",
        ),
        (
            condition("a", Test::Number(v1::NumberTest { comparison: None })),
            "number",
        ),
        (condition("a", Test::Date(v1::DateTest { comparison: None })), "date"),
        (
            condition("a", version(v1::VersionComparison::Unspecified, "1.2.3")),
            "version.comparison",
        ),
        (condition("a", Test::TypeIs(99)), "type_is"),
        (condition("a", Test::TypeIs(0)), "type_is"),
        (
            condition("a", list(v1::ListQuantifier::Unspecified, &["b"])),
            "list.quantifier",
        ),
        (
            v1::Condition {
                attribute: "a".to_owned(),
                ..in_segment("beta")
            },
            "attribute",
        ),
    ];
    let fields: Vec<_> = unset
        .iter()
        .enumerate()
        .map(|(at, (_, rest))| test(at, rest).trim_end_matches('.').to_owned())
        .collect();
    let conditions: Vec<_> = unset.into_iter().map(|(condition, _)| condition).collect();
    let unset = ("everything that is not said", ruled(&conditions), fields);

    let many = (0..51).map(|_| condition("a", one_of(&["b"]))).collect::<Vec<_>>();
    let literals = vec!["b"; 10_001];
    refused_every_way(
        &mut system,
        vec![
            all,
            unset,
            wrong("51 conditions", ruled(&many), &["rules[0].conditions"]),
            wrong(
                "10,001 literals",
                ruled(&[condition("a", one_of(&literals))]),
                &["rules[0].conditions[0].one_of"],
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_or_leads_back_is_named_each_by_its_path() {
    let mut system = filled().await;
    let prerequisite = |flag: &str, variant: &str| v1::Prerequisite {
        flag: flag.to_owned(),
        variants: vec![variant.to_owned()],
    };
    let missing = v1::Flag {
        prerequisites: vec![
            prerequisite("other", "blue"),
            prerequisite("nowhere", "on"),
            prerequisite("other", "on"),
        ],
        ..ruled(&[
            in_segment("gamma"),
            serves("nowhere", "on"),
            serves("other", "grey"),
            in_segment("beta"),
        ])
    };
    let no_variants = v1::Flag {
        prerequisites: vec![v1::Prerequisite {
            flag: "other".to_owned(),
            variants: Vec::new(),
        }],
        ..flags::boolean("wrong")
    };
    let table = vec![
        wrong(
            "flags, segments and variants that do not exist",
            missing,
            &[
                "prerequisites[0].variants[0]",
                "prerequisites[1].flag",
                "rules[0].conditions[0].in_segment[0]",
                "rules[0].conditions[1].variant.flag",
                "rules[0].conditions[2].variant.variants[0]",
            ],
        ),
        wrong("a prerequisite of nothing", no_variants, &["prerequisites[0].variants"]),
        wrong(
            "33 prerequisites",
            v1::Flag {
                prerequisites: vec![prerequisite("other", "on"); 33],
                ..flags::boolean("wrong")
            },
            &["prerequisites"],
        ),
    ];
    refused_every_way(&mut system, table).await;
    cycles_are_refused(&system.operator).await;
}

async fn cycles_are_refused(operator: &Operator) {
    let waiting = |key: &str, on: &str| v1::Flag {
        prerequisites: vec![v1::Prerequisite {
            flag: on.to_owned(),
            variants: vec!["on".to_owned()],
        }],
        ..flags::boolean(key)
    };
    let itself = operator.try_create(waiting("itself", "itself")).await.unwrap_err();
    violations::names_exactly("itself", &itself, &["flag.prerequisites[0].flag"]);

    // A chain as long as is allowed; one more is too long, and a way back is a cycle.
    operator.create(flags::boolean("link-0")).await;
    for link in 1..=16 {
        operator
            .create(waiting(&format!("link-{link}"), &format!("link-{}", link - 1)))
            .await;
    }
    let (_, before) = operator.list().await;
    let long = operator.try_create(waiting("link-17", "link-16")).await.unwrap_err();
    violations::names_exactly("a chain of 17", &long, &["flag.prerequisites[0].flag"]);
    let back = operator.try_update(waiting("link-0", "link-9"), 0).await.unwrap_err();
    violations::names_exactly("a cycle", &back, &["flag.prerequisites[0].flag"]);
    assert!(back.message().contains("link-0 -> link-9 -> link-8"), "{back}");
    let both = vec![waiting("hen", "egg"), waiting("egg", "hen")];
    let both = try_apply(operator, both).await.unwrap_err();
    let fields = [
        "documents[0].flag.prerequisites[0].flag",
        "documents[1].flag.prerequisites[0].flag",
    ];
    violations::names_exactly("a cycle of what is written together", &both, &fields);
    // What others need cannot be taken from them.
    let renamed = flags::flag("link-0", v1::FlagType::Boolean, [("yes", Kind::Boolean(true))], "yes");
    let renamed = operator.try_update(renamed, 0).await.unwrap_err();
    violations::stands_against("a variant that is read", &renamed, "REFERENCED", "flag link-0");
    assert_eq!(operator.list().await.1, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn splits_lists_and_values_out_of_bounds_are_named_each_by_its_path() {
    let mut system = filled().await;
    let boolean = || flags::boolean("wrong");
    let split = |shares: &[(&str, u32)]| v1::Flag {
        default_serve: Some(flags::split(shares)),
        ..boolean()
    };
    let valued = |flag_type, kind| flags::flag("wrong", flag_type, [("it", kind)], "it");
    let object = |value: serde_json::Value| Kind::Object(integration_tests::json::fields(&value));
    let table = vec![
        wrong(
            "one bucket too few",
            split(&[("on", 33_333), ("off", 66_666)]),
            &["default.split"],
        ),
        wrong(
            "one too many",
            split(&[("on", 33_334), ("off", 66_667)]),
            &["default.split"],
        ),
        wrong(
            "a variant twice",
            split(&[("on", 50_000), ("on", 50_000)]),
            &["default.split[1].variant"],
        ),
        wrong(
            "a variant that is none",
            split(&[("on", 50_000), ("blue", 50_000)]),
            &["default.split[1].variant"],
        ),
        wrong("no shares", split(&[]), &["default.split"]),
        wrong(
            "a unit on two lists, an empty one, and a long one",
            v1::Flag {
                deny: vec!["ann".to_owned(), String::new()],
                allow: vec![flags::allow("on", &["ann", &"x".repeat(1_025)])],
                ..boolean()
            },
            &["deny[1]", r#"allow["on"][0]"#, r#"allow["on"][1]"#],
        ),
        wrong(
            "10,001 listed units",
            v1::Flag {
                deny: (0..10_001).map(|unit| unit.to_string()).collect(),
                ..boolean()
            },
            &["allow"],
        ),
        wrong(
            "a text of more than 64 KiB",
            valued(v1::FlagType::String, Kind::Text("x".repeat(65_537))),
            &[r#"variants["it"]"#],
        ),
        wrong(
            "a number that is none",
            valued(v1::FlagType::Float, Kind::Number(f64::NAN)),
            &[r#"variants["it"]"#],
        ),
        wrong(
            "an object too large",
            valued(v1::FlagType::Object, object(json!({ "it": "x".repeat(65_537) }))),
            &[r#"variants["it"]"#],
        ),
        wrong(
            "a value that is not set",
            v1::Flag {
                variants: [
                    ("on".to_owned(), v1::Value { kind: None }),
                    ("off".to_owned(), value(false)),
                ]
                .into(),
                ..boolean()
            },
            &[r#"variants["on"]"#],
        ),
    ];
    refused_every_way(&mut system, table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_beyond_the_limits_are_named_each_by_its_path() {
    let mut system = filled().await;
    let boolean = || flags::boolean("wrong");
    let one = |number: usize| {
        rule(
            &format!("rule-{number}"),
            &[condition("a", one_of(&["b"]))],
            flags::variant("on"),
        )
    };
    let pattern = |number: usize| condition("a", Test::Matches(format!("a{number}")));
    let patterned = |number: usize| {
        let conditions: Vec<_> = (0..34).map(|at| pattern(number * 34 + at)).collect();
        rule(&format!("rule-{number}"), &conditions, flags::variant("on"))
    };
    let large: Vec<_> = (0..5)
        .map(|number| (format!("v{number}"), Kind::Text("x".repeat(60_000))))
        .collect();
    let large = large.iter().map(|(name, kind)| (name.as_str(), kind.clone()));
    let many: Vec<_> = (0..101).map(|number| format!("v{number}")).collect();
    let table = vec![
        wrong(
            "labels",
            v1::Flag {
                description: "x".repeat(4_097),
                owner: "x".repeat(201),
                tags: vec![String::new()],
                flag_set: "no key!".to_owned(),
                salt: "with:colon".to_owned(),
                bucket_by: vec!["a".to_owned(), "a".to_owned()],
                hash_scheme: 7,
                when_stale: Some(v1::WhenStale {
                    kind: Some(v1::when_stale::Kind::Variant("blue".to_owned())),
                }),
                ..boolean()
            },
            &[
                "description",
                "owner",
                "tags[0]",
                "flag_set",
                "salt",
                "bucket_by[1]",
                "hash_scheme",
                "when_stale.variant",
            ],
        ),
        wrong(
            "five bucketing attributes",
            v1::Flag {
                bucket_by: (0..5).map(|at| at.to_string()).collect(),
                ..boolean()
            },
            &["bucket_by"],
        ),
        wrong(
            "51 tags",
            v1::Flag {
                tags: (0..51).map(|at| at.to_string()).collect(),
                ..boolean()
            },
            &["tags"],
        ),
        wrong(
            "a long salt",
            v1::Flag {
                salt: "x".repeat(65),
                ..boolean()
            },
            &["salt"],
        ),
        wrong(
            "201 rules",
            v1::Flag {
                rules: (0..201).map(one).collect(),
                ..boolean()
            },
            &["rules"],
        ),
        wrong(
            "a rule twice",
            v1::Flag {
                rules: vec![one(1), one(1)],
                ..boolean()
            },
            &["rules[1].name"],
        ),
        wrong(
            "102 regular expressions",
            v1::Flag {
                rules: (0..3).map(patterned).collect(),
                ..boolean()
            },
            &["rules[2].conditions[32].matches", "rules[2].conditions[33].matches"],
        ),
        wrong(
            "101 variants",
            flags::flag(
                "wrong",
                v1::FlagType::Integer,
                many.iter().map(|name| (name.as_str(), Kind::Integer(1))),
                "v0",
            ),
            &["variants"],
        ),
        wrong(
            "a document of more than 256 KiB",
            flags::flag("wrong", v1::FlagType::String, large, "v0"),
            &[""],
        ),
    ];
    refused_every_way(&mut system, table).await;
}

/// Names fields.
pub(crate) fn mask(paths: &[&str]) -> FieldMask {
    FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn value(boolean: bool) -> v1::Value {
    v1::Value {
        kind: Some(Kind::Boolean(boolean)),
    }
}

/// A later date.
pub(crate) fn date(date: &str) -> Test {
    Test::Date(v1::DateTest {
        comparison: Some(v1::date_test::Comparison::After(date.to_owned())),
    })
}

fn networks(networks: &[&str]) -> Test {
    integration_tests::conditions::in_network(networks)
}

fn texts(texts: &[&str]) -> Test {
    Test::Contains(v1::TextTest {
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        ignore_case: false,
    })
}

fn number(comparison: v1::number_test::Comparison) -> Test {
    Test::Number(v1::NumberTest {
        comparison: Some(comparison),
    })
}

fn between(from: f64, to: f64) -> v1::number_test::Comparison {
    v1::number_test::Comparison::Between(v1::NumberRange { from, to })
}

fn size(number: f64) -> Test {
    Test::Size(v1::NumberTest {
        comparison: Some(v1::number_test::Comparison::Equal(number)),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_as_deep_as_is_allowed_survives_every_way_and_a_deeper_one_goes_none() {
    let mut system = System::start().await;
    let operator = system.operator.clone();
    let agent = system.agent("agent").await;
    let object = |levels| (1..levels).fold(json!({ "end": 1.5 }), |inner, _| json!({ "in": inner }));
    let flag = |key: &str, levels| {
        let kind = Kind::Object(integration_tests::json::fields(&object(levels)));
        flags::flag(key, v1::FlagType::Object, [("it", kind)], "it")
    };
    operator.create(flag("created", 32)).await;
    try_apply(&operator, vec![flag("applied", 32)]).await.unwrap();
    operator.create(flag("scheduled", 1)).await;
    let change = v1::scheduled_change::Kind::Patch(v1::FlagPatch {
        flag: Some(flag("scheduled", 31)),
        update_mask: Some(mask(&["variants"])),
    });
    let schedule = v1::Schedule {
        environment: PRODUCTION.to_owned(),
        flag: "scheduled".to_owned(),
        at_us: now_us() + 3_600_000_000,
        change: Some(v1::ScheduledChange { kind: Some(change) }),
        ..v1::Schedule::default()
    };
    let request = v1::CreateScheduleRequest {
        schedule: Some(schedule),
    };
    SchedulesClient::new(operator.channel())
        .create_schedule(request)
        .await
        .unwrap();
    let (_, before) = operator.list().await;
    for levels in [33, 40, 200] {
        let refused = operator.try_create(flag("deeper", levels)).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Code::InvalidArgument,
            "what cannot be parsed: {refused}"
        );
        assert!(refused.message().contains("recursion limit"), "{refused}");
    }
    assert_eq!(operator.list().await.1, before);

    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    operator.delivered(1).await;
    assert_eq!(try_schedules(&operator).await.unwrap().len(), 1);
    let door = agent.evaluator().channel();
    for key in ["created", "applied"] {
        let stored = operator.get(key).await;
        assert_eq!(stored.flag.as_ref().unwrap().variants, flag(key, 32).variants);
        assert_eq!(flag_version(&operator, key, 1).await, stored, "as a version");
        let caller = json!({});
        for answer in [
            answers::flagd_v1(&door, v1::FlagType::Object, key, &caller).await,
            answers::flagd_v2(&door, v1::FlagType::Object, key, &caller).await,
            answers::ofrep(agent.ofrep, v1::FlagType::Object, key, &caller).await,
        ] {
            assert_eq!(answer.value, Some(object(32)), "{key}");
        }
    }
}
