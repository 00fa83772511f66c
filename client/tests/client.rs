//! What a service may rely on: a value whatever happens, and reports that reach the agent or are counted.

#![allow(clippy::unwrap_used)]

mod fake;

use std::path::PathBuf;
use std::time::Duration;

use fake::{Answer, World};
use proto::v1::exposure_name::Name;
use proto::v1::{Observation, OutcomeKind};
use tempfile::TempDir;
use tidegate_client::{Address, Client, Context, EvaluationError, Exposed, Options, Outcome, Reason};
use tonic::Status;

/// Long enough that an answering agent always makes it, on any machine.
const PATIENT: Duration = Duration::from_secs(30);

const SPLIT: Answer = Answer::Boolean {
    value: Some(true),
    token: Some("token-of-checkout"),
};
const PLAIN: Answer = Answer::Boolean {
    value: Some(true),
    token: None,
};

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
async fn the_agents_answer_is_served() {
    let place = Place::new();
    let world = World::new([
        ("checkout", SPLIT),
        (
            "theme",
            Answer::Text {
                value: "dark",
                token: None,
            },
        ),
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
    let theme = client.string("theme", "light", &user()).await;
    assert_eq!(
        (theme.value.as_str(), &theme.reason, theme.token()),
        ("dark", &Reason::Static, None)
    );
}

#[tokio::test]
async fn an_unset_value_is_the_callers_default() {
    let place = Place::new();
    let world = World::new([(
        "checkout",
        Answer::Boolean {
            value: None,
            token: None,
        },
    )]);
    let _agent = world.listen(&place.path);
    let checkout = place.patient().boolean("checkout", true, &user()).await;
    assert!(checkout.value);
    assert_eq!(
        (checkout.variant, checkout.reason, checkout.error),
        (None, Reason::Default, None)
    );
}

#[tokio::test]
async fn every_failure_serves_the_default_and_says_which_it_was() {
    let place = Place::new();
    let world = World::new([
        ("checkout", PLAIN),
        ("broken", Answer::Fail(Status::internal("General error"))),
    ]);
    let agent = world.listen(&place.path);
    let client = place.patient();
    let general = EvaluationError::Refused("General error".to_owned());
    for (flag, error) in [
        ("missing", EvaluationError::FlagNotFound),
        ("checkout", EvaluationError::TypeMismatch),
        ("broken", general),
    ] {
        let answer = client.string(flag, "mine", &user()).await;
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
    let world = World::new([("checkout", SPLIT)]);
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
    let text = Answer::Text {
        value: "dark",
        token: Some("token-of-theme"),
    };
    let world = World::new([("checkout", SPLIT), ("theme", text), ("plain", PLAIN)]);
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
    let world = World::new([("plain", PLAIN)]);
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
    let world = World::new([("checkout", SPLIT)]);
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
    let world = World::new([("checkout", SPLIT)]);
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
    let world = World::new([("checkout", SPLIT)]);
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
    let world = World::new([("checkout", SPLIT)]);
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
    let world = World::new([("checkout", SPLIT)]);
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
