//! A value whatever happens, and why it is that one.

use std::time::Duration;

use proto::v1::value::Kind;
use proto::v1::{ErrorCode, FlagType, Reason as WireReason};
use tidegate_client::{Arm, EvaluationError, Exposed, Object, Options, Reason};
use tonic::Status;

use crate::fake::{Answer, World, failed, served};
use crate::setting::{Place, plain, split, user};

/// An object flag's value of this JSON object, whose leaves are text, numbers, null, lists and objects.
fn object_of(json: &serde_json::Value) -> Kind {
    fn value(json: &serde_json::Value) -> prost_types::Value {
        use prost_types::value::Kind;
        let kind = match json {
            serde_json::Value::Null => Kind::NullValue(0),
            serde_json::Value::Bool(boolean) => Kind::BoolValue(*boolean),
            serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
            serde_json::Value::String(text) => Kind::StringValue(text.clone()),
            serde_json::Value::Array(values) => Kind::ListValue(prost_types::ListValue {
                values: values.iter().map(value).collect(),
            }),
            serde_json::Value::Object(fields) => Kind::StructValue(prost_types::Struct {
                fields: fields
                    .iter()
                    .map(|(name, field)| (name.clone(), value(field)))
                    .collect(),
            }),
        };
        prost_types::Value { kind: Some(kind) }
    }
    match value(json).kind {
        Some(prost_types::value::Kind::StructValue(fields)) => Kind::Object(fields),
        _ => panic!("{json} is no object"),
    }
}

#[tokio::test]
async fn the_agents_answer_is_served_with_all_that_it_says() {
    let place = Place::new();
    let decided = proto::v1::Result {
        rule: "staff".to_owned(),
        bucket: Some(17),
        stale_s: Some(301),
        prerequisite: "parent".to_owned(),
        ..served("on", Kind::Boolean(true))
    };
    let shadow = |arm: &str| proto::v1::Result {
        shadow: true,
        arm: arm.to_owned(),
        ..served("off", Kind::Boolean(false))
    };
    let live = proto::v1::Result {
        shadow: false,
        stage: Some(2),
        ..shadow("treatment")
    };
    let world = World::new([
        ("checkout", split()),
        ("decided", Answer::from(decided)),
        ("treated", shadow("treatment").into()),
        ("spared", shadow("control").into()),
        ("live", live.into()),
    ]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    assert!(checkout.value);
    assert_eq!(
        (checkout.variant.as_deref(), &checkout.reason),
        (Some("on"), &Reason::TargetingMatch)
    );
    assert_eq!(
        (checkout.error.as_ref(), checkout.token()),
        (None, Some("token-of-checkout"))
    );
    assert_eq!(
        (checkout.rule.as_ref(), checkout.bucket, checkout.stale),
        (None, None, None)
    );
    let decided = client.boolean("decided", false, &user()).await;
    assert_eq!((decided.rule.as_deref(), decided.bucket), (Some("staff"), Some(17)));
    assert_eq!(decided.prerequisite.as_deref(), Some("parent"));
    assert_eq!((decided.stale, decided.token()), (Some(Duration::from_secs(301)), None));
    for (flag, arm) in [
        ("treated", Some(Arm::Treatment)),
        ("spared", Some(Arm::Control)),
        ("live", None),
    ] {
        let evaluated = client.boolean(flag, true, &user()).await;
        assert_eq!((evaluated.value, evaluated.shadow), (false, arm), "{flag}");
    }
    let live = client.boolean("live", true, &user()).await;
    assert_eq!((live.arm, live.stage), (Some(Arm::Treatment), Some(2)));
}

#[tokio::test]
async fn flags_of_every_type_are_served_and_no_other_type_is_taken_for_one() {
    let place = Place::new();
    let json = serde_json::json!({"colour": "blue", "sizes": [1, 2.5], "deep": {"er": null}});
    let values = [
        ("boolean", Kind::Boolean(true)),
        ("text", Kind::Text("a".to_owned())),
        ("integer", Kind::Integer(i64::MIN)),
        ("float", Kind::Number(0.25)),
        ("object", object_of(&json)),
    ];
    let world = World::new(values.map(|(flag, kind)| (flag, Answer::from(served("v", kind)))));
    let _agent = world.listen(&place.path);
    let client = place.patient();
    assert!(client.boolean("boolean", false, &user()).await.value);
    assert_eq!(client.string("text", "", &user()).await.value, "a");
    assert_eq!(client.integer("integer", 0, &user()).await.value, i64::MIN);
    assert_eq!(client.float("float", 0.0, &user()).await.value, 0.25);
    let object = client.object("object", Object::new(), &user()).await.value;
    assert_eq!(serde_json::Value::from(object), json);

    let mismatch = Some(EvaluationError::TypeMismatch);
    assert_eq!(client.boolean("integer", true, &user()).await.error, mismatch);
    assert_eq!(client.string("object", "", &user()).await.error, mismatch);
    assert_eq!(client.float("integer", 0.5, &user()).await.error, mismatch);
    assert_eq!(client.object("text", Object::new(), &user()).await.error, mismatch);
    let integer = client.integer("float", 7, &user()).await;
    assert_eq!((integer.value, integer.error), (7, mismatch));
}

#[tokio::test]
async fn an_agent_that_answers_with_another_type_than_asked_for_is_a_mismatch() {
    let place = Place::new();
    let lie = proto::v1::Result {
        r#type: FlagType::Boolean.into(),
        ..served("v", Kind::Text("true".to_owned()))
    };
    let _agent = World::new([("lie", Answer::from(lie))]).listen(&place.path);
    let lie = place.patient().boolean("lie", true, &user()).await;
    assert!(lie.value);
    assert_eq!(lie.error, Some(EvaluationError::TypeMismatch));
}

#[tokio::test]
async fn an_unset_value_is_the_callers_default() {
    let place = Place::new();
    let unset = proto::v1::Result {
        reason: WireReason::Disabled.into(),
        r#type: FlagType::Boolean.into(),
        ..Default::default()
    };
    let _agent = World::new([("checkout", Answer::from(unset))]).listen(&place.path);
    let checkout = place.patient().boolean("checkout", true, &user()).await;
    assert!(checkout.value);
    assert_eq!(
        (checkout.variant, checkout.reason, checkout.error),
        (None, Reason::Disabled, None)
    );
}

#[tokio::test]
async fn every_reason_is_told() {
    let place = Place::new();
    let cases = [
        ("static", WireReason::Static, Reason::Static),
        ("default", WireReason::Default, Reason::Default),
        ("match", WireReason::TargetingMatch, Reason::TargetingMatch),
        ("split", WireReason::Split, Reason::Split),
        ("disabled", WireReason::Disabled, Reason::Disabled),
        ("stale", WireReason::Stale, Reason::Stale),
    ];
    let world = World::new(cases.clone().map(|(flag, reason, _)| {
        let result = served("on", Kind::Boolean(true));
        let reason = reason.into();
        (flag, proto::v1::Result { reason, ..result }.into())
    }));
    let _agent = world.listen(&place.path);
    let client = place.patient();
    for (flag, _, reason) in cases {
        assert_eq!(client.boolean(flag, false, &user()).await.reason, reason, "{flag}");
    }
}

#[tokio::test]
async fn every_failure_serves_the_default_and_says_which_it_was() {
    let place = Place::new();
    let world = World::new([
        ("checkout", plain()),
        ("keyless", Answer::from(failed(ErrorCode::TargetingKeyMissing, ""))),
        ("context", Answer::from(failed(ErrorCode::InvalidContext, "too large"))),
        ("general", Answer::from(failed(ErrorCode::General, "oops"))),
        ("refused", Answer::Fail(Status::invalid_argument("context over 1 MB"))),
        ("broken", Answer::Fail(Status::internal("broken"))),
    ]);
    let agent = world.listen(&place.path);
    let client = place.patient();
    for (flag, error, code) in [
        ("missing", EvaluationError::FlagNotFound, "FLAG_NOT_FOUND"),
        ("checkout", EvaluationError::TypeMismatch, "TYPE_MISMATCH"),
        ("keyless", EvaluationError::TargetingKeyMissing, "TARGETING_KEY_MISSING"),
        (
            "context",
            EvaluationError::InvalidContext("too large".to_owned()),
            "INVALID_CONTEXT",
        ),
        ("general", EvaluationError::Refused("oops".to_owned()), "GENERAL"),
        (
            "refused",
            EvaluationError::InvalidContext("context over 1 MB".to_owned()),
            "INVALID_CONTEXT",
        ),
        ("broken", EvaluationError::Refused("broken".to_owned()), "GENERAL"),
    ] {
        let answer = client.string(flag, "mine", &user()).await;
        assert_eq!(answer.error.as_ref().map(EvaluationError::code), Some(code));
        assert_eq!(
            (answer.value.as_str(), answer.reason, answer.error),
            ("mine", Reason::Error, Some(error))
        );
    }
    agent.stop().await;
    let nobody = Place::new().patient().boolean("checkout", true, &user()).await;
    assert!(nobody.value);
    assert!(
        matches!(nobody.error, Some(EvaluationError::Unreachable(_))),
        "{:?}",
        nobody.error
    );
}

#[tokio::test]
async fn the_longest_deadline_and_queue_are_no_panic() {
    let place = Place::new();
    let _agent = World::new([("checkout", plain())]).listen(&place.path);
    let client = place.client(Options::default().deadline(Duration::MAX).queue(usize::MAX));
    assert!(client.boolean("checkout", false, &user()).await.value);
}

#[tokio::test]
async fn an_agent_that_never_answers_costs_the_deadline_and_not_more() {
    let place = Place::new();
    let _agent = World::new([("checkout", Answer::Never)]).listen(&place.path);
    let short = Duration::from_millis(20);
    let checkout = place
        .client(Options::default().deadline(short))
        .boolean("checkout", true, &user())
        .await;
    assert!(checkout.value);
    assert_eq!(checkout.error, Some(EvaluationError::Deadline(short)));
}

#[tokio::test]
async fn an_agent_is_ready_once_it_answers() {
    let place = Place::new();
    let client = place.patient();
    assert!(matches!(client.ready().await, Err(EvaluationError::Unreachable(_))));
    let _agent = World::new([]).listen(&place.path);
    assert_eq!(client.ready().await, Ok(()));
}
