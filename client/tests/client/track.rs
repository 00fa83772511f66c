//! Events that come later than an outcome reach the agent on a stream of their own.

use proto::v1::exposure_name::Name;
use tidegate_client::{Exposed, Exposure, Options, Outcome};

use crate::fake::World;
use crate::setting::{PATIENT, Place, amounts, plain, split, tokens, user};

#[tokio::test]
async fn an_event_arrives_with_the_token_of_its_evaluation() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let checkout = place.patient().boolean("checkout", false, &user()).await;
    checkout.track("conversion", true);
    checkout.track("revenue", -12.5);
    let tracked = world.tracked(2).await;
    assert_eq!(tokens(&tracked[0].exposures), ["token-of-checkout"]);
    assert_eq!(amounts(&tracked[0].values), [("conversion", 1.0)]);
    assert_eq!(amounts(&tracked[1].values), [("revenue", -12.5)]);
    assert!(world.heard_so_far().is_empty());
}

#[tokio::test]
async fn a_later_request_names_the_exposure_by_its_token_or_by_flag_and_context() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let cookie = {
        let checkout = client.boolean("checkout", false, &user()).await;
        checkout.token().map(str::to_owned).unwrap()
    };
    client.track(&Exposure::of_token(cookie), "conversion", true);
    client.track(&Exposure::of_flag("checkout", &user()), "faithfulness", 0.92);
    let tracked = world.tracked(2).await;
    assert_eq!(tokens(&tracked[0].exposures), ["token-of-checkout"]);
    let Some(Name::Flag(named)) = &tracked[1].exposures[0].name else {
        panic!("named by {:?}", tracked[1].exposures);
    };
    let context: Vec<_> = named
        .context
        .iter()
        .flat_map(|context| context.fields.keys())
        .map(String::as_str)
        .collect();
    assert_eq!(
        (named.flag_key.as_str(), context),
        ("checkout", vec!["plan", "targetingKey"])
    );
}

#[tokio::test]
async fn several_values_for_several_exposures_are_one_event() {
    let place = Place::new();
    let world = World::new([("checkout", split()), ("plain", plain())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    let plain = client.boolean("plain", false, &user()).await;
    let other = Exposure::of_token("token-of-theme");
    let amounts_said = [("conversion", true.into()), ("revenue", 12.5.into())];
    client.track_all(&[&checkout, &plain, &other, &checkout], &amounts_said);
    let tracked = world.tracked(1).await;
    assert_eq!(tokens(&tracked[0].exposures), ["token-of-checkout", "token-of-theme"]);
    assert_eq!(amounts(&tracked[0].values), [("conversion", 1.0), ("revenue", 12.5)]);
}

#[tokio::test]
async fn without_a_rollout_or_a_value_nothing_is_tracked() {
    let place = Place::new();
    let world = World::new([("checkout", split()), ("plain", plain())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    client.boolean("plain", false, &user()).await.track("conversion", true);
    client
        .boolean("checkout", false, &user())
        .await
        .track("revenue", f64::NAN);
    client.close().await;
    assert!(world.tracked_so_far().is_empty());
    assert_eq!((client.dropped(), client.drops().values), (0, 1));
}

#[tokio::test]
async fn events_that_meet_a_full_queue_are_dropped_and_counted_and_leave_reports_alone() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.client(Options::default().deadline(PATIENT).queue(2));
    let checkout = client.boolean("checkout", false, &user()).await;
    // One thread and no await: the background task cannot take anything meanwhile.
    for _ in 0..5 {
        checkout.track("conversion", true);
    }
    checkout.report(Outcome::Ok);
    assert_eq!((client.drops().events, client.drops().reports), (3, 0));
    client.close().await;
    assert_eq!((world.tracked_so_far().len(), world.heard_so_far().len()), (2, 1));
}

#[tokio::test]
async fn events_made_while_the_agent_is_away_arrive_when_it_is_back() {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let agent = world.listen(&place.path);
    let client = place.patient();
    let checkout = client.boolean("checkout", false, &user()).await;
    agent.stop().await;
    checkout.track("conversion", true);
    let _back = world.listen(&place.path);
    assert_eq!(world.tracked(1).await.len(), 1);
    assert_eq!(client.dropped(), 0);
}
