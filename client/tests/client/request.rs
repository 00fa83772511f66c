//! A request reports once, for all that was evaluated in it, whatever becomes of it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use proto::v1::OutcomeKind;
use proto::v1::value::Kind;
use tidegate_client::{Client, Exposure, Outcome, Request};

use crate::fake::{World, served};
use crate::setting::{Place, amounts, exposed, plain, split, tokens, user};

/// An agent with two flags under rollouts and one without, and a client of it.
fn setting(place: &Place) -> (World, crate::fake::Agent, Client) {
    let theme = exposed(served("dark", Kind::Text("dark".to_owned())), "token-of-theme");
    let world = World::new([("checkout", split()), ("theme", theme), ("plain", plain())]);
    let agent = world.listen(&place.path);
    (world, agent, place.patient())
}

#[tokio::test]
async fn all_that_is_evaluated_in_a_request_is_reported_once_with_its_result() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let observed = client.observe(async {
        client.boolean("checkout", false, &user()).await;
        client.string("theme", "light", &user()).await;
        client.boolean("plain", false, &user()).await;
        client.boolean("checkout", false, &user()).await;
        Err::<(), _>("out of stock")
    });
    assert_eq!(observed.await, Err("out of stock"));
    client.close().await;
    let heard = world.heard_so_far();
    assert_eq!(heard.len(), 1);
    assert_eq!(tokens(&heard[0].exposures), ["token-of-checkout", "token-of-theme"]);
    assert_eq!(heard[0].outcome(), OutcomeKind::Error);
    assert!(heard[0].duration_us.is_some());
}

#[tokio::test]
async fn what_the_service_says_of_its_request_goes_with_it() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let observed = client.observe(async {
        client.boolean("checkout", false, &user()).await;
        Request::current()
            .outcome(Outcome::Timeout)
            .class("db-timeout")
            .value("revenue", 12.5)
            .add("tokens-per-query", 100)
            .add("tokens-per-query", 20);
        Ok::<_, ()>(())
    });
    observed.await.unwrap();
    let heard = &world.heard(1).await[0];
    assert_eq!(
        (heard.outcome(), heard.error_class.as_str()),
        (OutcomeKind::Timeout, "db-timeout")
    );
    assert_eq!(amounts(&heard.values), [("revenue", 12.5), ("tokens-per-query", 120.0)]);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_any_more_is_cancelled() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let (evaluated, seen) = tokio::sync::oneshot::channel();
    let observed = client.observe(async {
        client.boolean("checkout", false, &user()).await;
        evaluated.send(()).unwrap();
        std::future::pending::<Result<(), ()>>().await
    });
    tokio::select! {
        _ = observed => panic!("it never ends"),
        told = seen => told.unwrap(),
    }
    assert_eq!(world.heard(1).await[0].outcome(), OutcomeKind::Cancelled);
}

#[tokio::test]
async fn a_panic_is_an_error_whatever_was_said_before() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let observed = client.observe(async {
        client.boolean("checkout", false, &user()).await;
        Request::current().outcome(Outcome::Ok);
        if true {
            panic!("out of memory");
        }
        Ok::<_, ()>(())
    });
    assert!(AssertUnwindSafe(observed).catch_unwind().await.is_err());
    let heard = &world.heard(1).await[0];
    assert_eq!(
        (heard.outcome(), heard.error_class.as_str()),
        (OutcomeKind::Error, "panic")
    );
}

#[tokio::test]
async fn what_a_service_reports_by_itself_is_not_reported_again() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let observed = client.observe(async {
        client.string("theme", "light", &user()).await;
        let checkout = client.boolean("checkout", false, &user()).await;
        checkout.report_after(Outcome::Ok, Duration::from_micros(1));
        client.boolean("checkout", false, &user()).await;
        Err::<(), _>(())
    });
    observed.await.unwrap_err();
    client.close().await;
    let mut heard = world.heard_so_far();
    heard.sort_by_key(|one| one.outcome);
    let seen: Vec<_> = heard
        .iter()
        .map(|one| (tokens(&one.exposures), one.outcome()))
        .collect();
    assert_eq!(
        seen,
        [
            (vec!["token-of-checkout"], OutcomeKind::Ok),
            (vec!["token-of-theme"], OutcomeKind::Error)
        ]
    );
}

#[tokio::test]
async fn spawned_parts_join_by_scope_and_exposures_made_elsewhere_by_name() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let observed = client.observe(async {
        let part = client.clone();
        let work = async move { part.boolean("checkout", false, &user()).await.value };
        let joined = tokio::spawn(Request::current().scope(work)).await;
        Request::current().expose(&Exposure::of_token("token-of-caller"));
        joined
    });
    assert!(observed.await.unwrap());
    let heard = &world.heard(1).await[0];
    assert_eq!(tokens(&heard.exposures), ["token-of-checkout", "token-of-caller"]);
}

#[tokio::test]
async fn requests_side_by_side_keep_their_exposures_apart() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let checkout = client.observe(async {
        client.boolean("checkout", false, &user()).await;
        Ok::<_, ()>(())
    });
    let theme = client.observe(async {
        client.string("theme", "light", &user()).await;
        Err::<(), _>(())
    });
    let _ = tokio::join!(checkout, theme);
    let mut heard = world.heard(2).await;
    heard.sort_by_key(|one| one.outcome);
    assert_eq!(tokens(&heard[0].exposures), ["token-of-checkout"]);
    assert_eq!(tokens(&heard[1].exposures), ["token-of-theme"]);
}

#[tokio::test]
async fn outside_of_a_request_what_is_said_goes_nowhere() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    client.boolean("checkout", false, &user()).await;
    Request::current().value("revenue", 1).outcome(Outcome::Error);
    client.close().await;
    assert!(world.heard_so_far().is_empty());
}

#[tokio::test]
async fn a_request_without_exposures_is_not_reported() {
    let place = Place::new();
    let (world, _agent, client) = setting(&place);
    let observed = client.observe(async {
        client.boolean("plain", false, &user()).await;
        Ok::<_, ()>(())
    });
    observed.await.unwrap();
    client.close().await;
    assert_eq!((world.heard_so_far(), client.dropped()), (Vec::new(), 0));
}
