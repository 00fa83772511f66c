//! What a service may rely on: a value whatever happens, and reports that reach the agent or are counted.

#![allow(clippy::unwrap_used)]

mod fake;

use std::path::PathBuf;
use std::time::Duration;

use fake::{Answer, World, failed, served};
use proto::v1::exposure_name::Name;
use proto::v1::value::Kind;
use proto::v1::{ErrorCode, FlagType, Observation, OutcomeKind, Reason as WireReason};
use tempfile::TempDir;
use tidegate_client::{Address, Arm, Client, Context, EvaluationError, Exposed, Object, Options, Outcome, Reason};
use tonic::Status;

/// Long enough that an answering agent always makes it, on any machine.
const PATIENT: Duration = Duration::from_secs(30);

/// A flag that is on, under a rollout.
fn split() -> Answer {
    exposed(served("on", Kind::Boolean(true)), "token-of-checkout")
}

/// A flag that is on for everybody.
fn plain() -> Answer {
    Answer::from(served("on", Kind::Boolean(true)))
}

fn exposed(result: proto::v1::Result, token: &str) -> Answer {
    let token = token.to_owned();
    proto::v1::Result { token, ..result }.into()
}

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        Self { _folder: folder, path }
    }

    fn client(&self, options: Options) -> Client {
        Client::connect_with(Address::unix(&self.path), options).unwrap()
    }

    fn patient(&self) -> Client {
        self.client(Options::default().deadline(PATIENT))
    }
}

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

fn user() -> Context {
    Context::user("user-7").with("plan", "pro")
}

fn tokens(observation: &Observation) -> Vec<&str> {
    let names = observation
        .exposures
        .iter()
        .map(|exposure| exposure.name.as_ref().unwrap());
    names
        .map(|name| {
            if let Name::Token(token) = name {
                token.as_str()
            } else {
                "by flag"
            }
        })
        .collect()
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
async fn a_report_arrives_with_the_token_of_its_evaluation() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let checkout = place.patient().boolean("checkout", false, &user()).await;
    checkout.report(Outcome::Ok);
    checkout.report_after(Outcome::Timeout, Duration::from_micros(1_500));
    let heard = world.heard(2).await;
    assert_eq!(tokens(&heard[0]), ["token-of-checkout"]);
    assert_eq!((heard[0].outcome(), heard[0].duration_us), (OutcomeKind::Ok, None));
    assert_eq!(
        (heard[1].outcome(), heard[1].duration_us),
        (OutcomeKind::Timeout, Some(1_500))
    );
}

#[tokio::test]
async fn several_evaluations_of_a_request_are_one_observation() {
    let place = Place::new();
    let text = exposed(served("dark", Kind::Text("dark".to_owned())), "token-of-theme");
    let world = World::new([("checkout", split()), ("theme", text), ("plain", plain())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    let theme = client.string("theme", "light", &user()).await;
    let plain = client.boolean("plain", false, &user()).await;
    client.report_all(
        &[&checkout, &theme, &plain, &checkout],
        Outcome::Error,
        Some(Duration::from_micros(7)),
    );
    client.close().await;
    let heard = world.heard_so_far();
    assert_eq!(heard.len(), 1);
    assert_eq!(tokens(&heard[0]), ["token-of-checkout", "token-of-theme"]);
    assert_eq!(
        (heard[0].outcome(), heard[0].duration_us),
        (OutcomeKind::Error, Some(7))
    );
}

#[tokio::test]
async fn without_a_rollout_nothing_is_reported() {
    let place = Place::new();
    let world = World::new([("plain", plain())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let plain = client.boolean("plain", false, &user()).await;
    plain.report(Outcome::Ok);
    client.report_all(&[&plain], Outcome::Ok, None);
    client.close().await;
    assert_eq!((world.heard_so_far(), client.dropped()), (Vec::new(), 0));
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_instead_of_blocking() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.client(Options::default().deadline(PATIENT).queue(2));
    let checkout = client.boolean("checkout", false, &user()).await;
    // One thread and no await: the background task cannot take anything meanwhile.
    for _ in 0..5 {
        checkout.report(Outcome::Ok);
    }
    assert_eq!(client.dropped(), 3);
    client.close().await;
    assert_eq!(world.heard_so_far().len(), 2);
}

#[tokio::test]
async fn reports_made_while_the_agent_is_away_arrive_when_it_is_back() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    agent.stop().await;
    checkout.report(Outcome::Ok);
    checkout.report(Outcome::Error);
    let away = client.boolean("checkout", false, &user()).await;
    assert_eq!(away.reason, Reason::Error);
    let _back = world.listen(&place.path);
    assert_eq!(world.heard(2).await.len(), 2);
    assert_eq!(client.dropped(), 0);
}

#[tokio::test]
async fn a_stream_that_the_agent_cut_is_opened_again() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    checkout.report(Outcome::Ok);
    world.heard(1).await;
    agent.stop().await;
    let _back = world.listen(&place.path);
    // One that the broken connection had taken is not repeated, so report until one arrives.
    while world.heard_so_far().len() < 2 {
        checkout.report(Outcome::Error);
        tokio::task::yield_now().await;
    }
    assert_eq!(world.heard(2).await[1].outcome(), OutcomeKind::Error);
}

#[tokio::test]
async fn dropping_the_client_still_sends_what_was_reported() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    checkout.report(Outcome::Ok);
    drop(client);
    assert_eq!(world.heard(1).await.len(), 1);
}

#[tokio::test]
async fn closing_gives_up_on_an_absent_agent_and_counts_what_it_gave_up() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    agent.stop().await;
    checkout.report(Outcome::Ok);
    client.close().await;
    assert_eq!(client.dropped(), 1);
    checkout.report(Outcome::Ok);
    assert_eq!(client.dropped(), 2);
}
