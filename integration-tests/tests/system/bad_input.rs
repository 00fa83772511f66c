//! Bad input over gRPC: a precise error that names every violation at once, nothing written, nothing crashed.
//!
//! Tables of (what is wrong, the input, the fields to name): the field paths are part of the promise, because tools and
//! people mend their input by them.

use bytes::Bytes;
use integration_tests::{
    flags,
    operator::Operator,
    plans::{everybody, half_for_long, plan},
    stream::{self, RawSync},
    system::{PRODUCTION, System},
};
use proto::v1::{self, sync_request::Message};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A refused call: what was wrong with it, the status, its code, and the fields that it must name.
struct Refused<'f> {
    what: &'f str,
    status: Status,
    code: Code,
    fields: Vec<&'f str>,
}

impl Refused<'_> {
    fn check(&self) {
        let Self {
            what,
            status,
            code,
            fields,
        } = self;
        assert_eq!(status.code(), *code, "{what}: {status}");
        let details = status.get_error_details();
        let violations = details
            .bad_request()
            .map(|request| request.field_violations.clone())
            .unwrap_or_default();
        let mut named: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        let mut expected = fields.clone();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected, "{what}: {status}");
        assert!(
            violations
                .iter()
                .all(|violation| status.message().contains(&violation.description)),
            "{what}: {status}"
        );
    }
}

fn invalid<'f>(what: &'f str, status: Status, fields: &[&'f str]) -> Refused<'f> {
    Refused {
        what,
        status,
        code: Code::InvalidArgument,
        fields: fields.to_vec(),
    }
}

fn unknown(what: &str, status: Status) -> Refused<'_> {
    Refused {
        what,
        status,
        code: Code::NotFound,
        fields: Vec::new(),
    }
}

/// Everything that was written, and how often anything was.
async fn written(operator: &Operator) -> (Vec<v1::StoredFlag>, u64, usize) {
    let (flags, revision) = operator.list().await;
    (flags, revision, operator.audit("").await.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_is_wrong_is_refused_with_every_field_named() {
    let mut system = System::start().await;
    let operator = system.operator.clone();
    operator.create(flags::boolean("checkout")).await;
    let before = written(&operator).await;
    for (what, flag, fields) in wrong_flags() {
        invalid(what, operator.try_create(flag.clone()).await.unwrap_err(), &fields).check();
        let flag = v1::Flag {
            key: "checkout".to_owned(),
            ..flag
        };
        // The key is good now, but the type of a flag stays.
        let retyped = (flag.r#type() == v1::FlagType::String).then_some("flag.type");
        let fields = fields.iter().copied().filter(|field| *field != "flag.key");
        let fields: Vec<_> = fields.chain(retyped).collect();
        invalid(what, operator.try_update(flag, 0).await.unwrap_err(), &fields).check();
    }
    let flag = flags::boolean("search");
    invalid(
        "malformed environment",
        operator.within("no key!").try_create(flag.clone()).await.unwrap_err(),
        &["environment"],
    )
    .check();
    unknown(
        "unknown environment",
        operator.within("nowhere").try_create(flag.clone()).await.unwrap_err(),
    )
    .check();
    unknown(
        "update of an unknown flag",
        operator.try_update(flag, 0).await.unwrap_err(),
    )
    .check();
    unknown("unknown flag", operator.try_get("search").await.unwrap_err()).check();
    unknown(
        "kill of an unknown flag",
        operator.try_kill("search").await.unwrap_err(),
    )
    .check();
    invalid(
        "malformed key",
        operator.try_get("no key!").await.unwrap_err(),
        &["key"],
    )
    .check();
    let taken = operator.try_create(flags::boolean("checkout")).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists, "{taken}");
    assert_eq!(written(&operator).await, before);
    assert!(system.control_plane.is_running());
}

/// What is wrong, the flag, and the fields to name.
fn wrong_flags() -> Vec<(&'static str, v1::Flag, Vec<&'static str>)> {
    let flag = || flags::boolean("wrong");
    let serving = |serve: v1::Serve| v1::Flag {
        default_serve: Some(serve),
        ..flag()
    };
    vec![
        (
            "nothing but a malformed key",
            v1::Flag {
                key: "no key!".to_owned(),
                ..v1::Flag::default()
            },
            vec!["flag.key", "flag.type", "flag.default", "flag.variants"],
        ),
        (
            "more than 100 %",
            serving(flags::split(&[("on", 100_001), ("off", 4_000_000_000)])),
            vec![
                "flag.default.split",
                "flag.default.split[0].buckets",
                "flag.default.split[1].buckets",
            ],
        ),
        (
            "less than 100 %",
            serving(flags::split(&[("on", 10_000), ("off", 80_000)])),
            vec!["flag.default.split"],
        ),
        (
            "unknown variants everywhere",
            v1::Flag {
                off_variant: "black".to_owned(),
                default_serve: Some(flags::variant("white")),
                allow: vec![flags::allow("grey", &["ann"])],
                rules: vec![flags::rule("eu", "country", &["DE"], flags::variant("blue"))],
                ..flag()
            },
            vec![
                "flag.off_variant",
                "flag.default.variant",
                r#"flag.allow["grey"]"#,
                "flag.rules[0].serve.variant",
            ],
        ),
        (
            "a rule without conditions and one that is one of nothing",
            v1::Flag {
                rules: vec![
                    v1::Rule {
                        conditions: Vec::new(),
                        ..flags::rule("empty", "country", &["DE"], flags::variant("on"))
                    },
                    flags::rule("nothing", "country", &[], flags::variant("on")),
                ],
                ..flag()
            },
            vec!["flag.rules[0].conditions", "flag.rules[1].conditions[0].one_of"],
        ),
        (
            "a value of another type",
            v1::Flag {
                r#type: v1::FlagType::String.into(),
                ..flag()
            },
            vec![r#"flag.variants["off"]"#, r#"flag.variants["on"]"#],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_based_on_an_old_revision_is_refused_and_names_the_current_one() {
    let system = System::start().await;
    let operator = &system.operator;
    let first = operator.create(flags::boolean("checkout")).await;
    let edited = |owner: &str| v1::Flag {
        owner: owner.to_owned(),
        ..flags::boolean("checkout")
    };
    let second = operator.try_update(edited("ann"), first.revision).await.unwrap();
    let stale = operator.try_update(edited("bob"), first.revision).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition, "{stale}");
    assert!(stale.message().contains(&second.revision.to_string()), "{stale}");
    let details = stale.get_error_details();
    let failure = details.precondition_failure().unwrap();
    assert_eq!(
        (
            failure.violations[0].r#type.as_str(),
            failure.violations[0].subject.as_str()
        ),
        ("REVISION", "checkout")
    );
    assert_eq!(operator.get("checkout").await.flag.unwrap().owner, "ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_wrong_is_refused_with_every_field_named() {
    let mut system = System::start().await;
    let operator = system.operator.clone();
    operator.create(flags::boolean("checkout")).await;
    let before = written(&operator).await;
    for (what, wrong, fields) in wrong_plans() {
        invalid(what, operator.try_start(wrong).await.unwrap_err(), &fields).check();
    }
    let good = plan("checkout", &[half_for_long()]);
    unknown(
        "unknown environment",
        operator.within("nowhere").try_start(good.clone()).await.unwrap_err(),
    )
    .check();
    let other = v1::Plan {
        flag: "search".to_owned(),
        ..good
    };
    unknown("unknown flag", operator.try_start(other).await.unwrap_err()).check();
    unknown("unknown rollout", operator.try_rollout("checkout#1").await.unwrap_err()).check();
    unknown(
        "abort of an unknown rollout",
        operator.try_abort("checkout").await.unwrap_err(),
    )
    .check();
    assert_eq!(written(&operator).await, before);
    assert!(system.control_plane.is_running());
}

/// What is wrong, the plan, and the fields to name.
fn wrong_plans() -> Vec<(&'static str, v1::Plan, Vec<&'static str>)> {
    let good = || plan("checkout", &[half_for_long(), everybody()]);
    let staged = |stages: &[v1::Stage]| plan("checkout", stages);
    let half = half_for_long();
    vec![
        ("no stages", staged(&[]), vec!["plan.stages"]),
        (
            "more than 100 %",
            staged(&[v1::Stage {
                buckets: 100_001,
                ..half.clone()
            }]),
            vec!["plan.stages[0].percentage"],
        ),
        (
            "stages that do not rise",
            staged(&[everybody(), half.clone()]),
            vec!["plan.stages[1].percentage"],
        ),
        (
            "equal stages of one name",
            staged(&[half.clone(), half.clone()]),
            vec!["plan.stages[1].name", "plan.stages[1].percentage"],
        ),
        (
            "unknown variants",
            v1::Plan {
                treatment: "blue".to_owned(),
                control: "grey".to_owned(),
                ..good()
            },
            vec!["plan.treatment", "plan.control"],
        ),
        (
            "a metric that does not exist",
            v1::Plan {
                guards: vec![v1::Guard {
                    metric: "luck".to_owned(),
                    ..v1::Guard::default()
                }],
                ..good()
            },
            vec!["plan.guards[0].metric"],
        ),
        (
            "everything",
            v1::Plan {
                key: "no key!".to_owned(),
                control: "on".to_owned(),
                stages: vec![v1::Stage {
                    buckets: 100_001,
                    dwell_us: -1,
                    name: String::new(),
                    ..half
                }],
                alpha: 0.9,
                max_control_rate: 1.5,
                lost_after_us: 1,
                ..good()
            },
            vec![
                "plan.key",
                "plan.treatment",
                "plan.stages[0].percentage",
                "plan.stages[0].dwell",
                "plan.stages[0].name",
                "plan.alpha",
                "plan.max_control_rate",
                "plan.lost_after",
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_is_refused_and_the_connection_goes_on() {
    let system = System::start().await;
    let large = v1::Flag {
        description: "x".repeat(5 * 1024 * 1024),
        ..flags::boolean("checkout")
    };
    let refused = system.operator.try_create(large).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    system.operator.create(flags::boolean("checkout")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_is_wrong_is_refused_with_every_field_named() {
    let system = System::start().await;
    let refusal = async |first: Message| match RawSync::open(system.operator.channel(), first).await {
        Ok(mut raw) => raw.refusal().await,
        Err(status) => status,
    };
    let wrong = v1::Hello {
        agent: String::new(),
        environment: "no key!".to_owned(),
        flag_set: "neither!".to_owned(),
        revision: Some(v1::Revision {
            lineage: Bytes::from_static(b"abc"),
            number: 7,
        }),
        ..v1::Hello::default()
    };
    let fields = [
        "hello.agent",
        "hello.environment",
        "hello.flag_set",
        "hello.revision.lineage",
    ];
    invalid("everything", refusal(Message::Hello(wrong)).await, &fields).check();
    unknown(
        "unknown environment",
        refusal(Message::Hello(stream::hello("agent", "nowhere"))).await,
    )
    .check();
    let beat = Message::Heartbeat(v1::AgentHeartbeat { agent_time_us: 0 });
    invalid("no Hello", refusal(beat).await, &[]).check();

    let mut raw = RawSync::open(
        system.operator.channel(),
        Message::Hello(stream::hello("agent", PRODUCTION)),
    )
    .await
    .unwrap();
    raw.send(Message::Hello(stream::hello("agent", PRODUCTION))).await;
    invalid("a second Hello", raw.refusal().await, &[]).check();
}
