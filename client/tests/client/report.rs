//! Reports reach the agent or are counted, and hold nobody up.

use std::time::Duration;

use proto::v1::OutcomeKind;
use proto::v1::value::Kind;
use tidegate_client::{Drops, Exposure, Options, Outcome, Reason};

use crate::fake::{World, served};
use crate::setting::{PATIENT, Place, amounts, exposed, plain, split, tokens, user};

#[tokio::test]
async fn a_report_arrives_with_the_token_of_its_evaluation() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let checkout = place.patient().boolean("checkout", false, &user()).await;
    checkout.report(Outcome::Ok);
    checkout.report_after(Outcome::Timeout, Duration::from_micros(1_500));
    let heard = world.heard(2).await;
    assert_eq!(tokens(&heard[0].exposures), ["token-of-checkout"]);
    assert_eq!((heard[0].outcome(), heard[0].duration_us), (OutcomeKind::Ok, None));
    assert_eq!(
        (heard[1].outcome(), heard[1].duration_us),
        (OutcomeKind::Timeout, Some(1_500))
    );
}

#[tokio::test]
async fn a_report_carries_all_that_was_said() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let checkout = place.patient().boolean("checkout", false, &user()).await;
    checkout.report(
        Outcome::Error
            .class("card-declined")
            .after(Duration::from_millis(40))
            .value("revenue", 12.5)
            .value("time-to-first-token", Duration::from_millis(3))
            .sampled(),
    );
    let heard = &world.heard(1).await[0];
    assert_eq!((heard.outcome(), heard.duration_us), (OutcomeKind::Error, Some(40_000)));
    assert_eq!((heard.error_class.as_str(), heard.sampled), ("card-declined", true));
    assert_eq!(
        amounts(&heard.values),
        [("revenue", 12.5), ("time-to-first-token", 3_000.0)]
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_left_out_and_counted_and_the_rest_arrives() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    checkout.report(
        Outcome::Error
            .class("Card declined!")
            .value("revenue", f64::NAN)
            .value("items", 3),
    );
    let heard = &world.heard(1).await[0];
    assert_eq!(
        (heard.error_class.as_str(), amounts(&heard.values)),
        ("", vec![("items", 3.0)])
    );
    let drops = client.drops();
    assert_eq!((drops.values, drops.classes, client.dropped()), (1, 1, 0));
    assert_ne!(drops, Drops::default());
}

#[tokio::test]
async fn a_kept_exposure_is_reported_without_its_evaluation() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let kept = client.boolean("checkout", false, &user()).await.exposure();
    client.report(&kept.unwrap(), Outcome::Ok);
    client.report(&Exposure::of_flag("checkout", &user()), Outcome::Error);
    let heard = world.heard(2).await;
    assert_eq!(tokens(&heard[0].exposures), ["token-of-checkout"]);
    assert_eq!(tokens(&heard[1].exposures), ["by flag"]);
}

#[tokio::test]
async fn every_call_names_the_service_that_was_named() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.client(Options::default().deadline(PATIENT).caller("checkout-service"));
    let checkout = client.boolean("checkout", false, &user()).await;
    checkout.report(Outcome::Ok);
    checkout.track("conversion", true);
    client.close().await;
    assert_eq!(world.callers(), vec![Some("checkout-service".to_owned()); 3]);
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
    assert_eq!(tokens(&heard[0].exposures), ["token-of-checkout", "token-of-theme"]);
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
