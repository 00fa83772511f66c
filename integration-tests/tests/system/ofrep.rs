//! OFREP over bare HTTP: what its specification says of single and bulk answers, statuses and ETags.
//!
//! What released providers make of it is in `providers.rs`.

use integration_tests::{
    agent::Agent,
    flags,
    http::{self, Answer, Events},
    system::{PRODUCTION, System},
};
use proto::v1;
use serde_json::{Value, json};

const BULK: &str = "/ofrep/v1/evaluate/flags";
/// How many flags a bulk answer has here.
const FLAGS: usize = 300;

fn context(unit: &str) -> Value {
    json!({"context": {"targetingKey": unit, "plan": "pro"}})
}

async fn bulk(agent: &Agent, headers: &[(&str, &str)], asked: &Value) -> Answer {
    http::post(agent.ofrep, BULK, headers, asked).await
}

/// Many flags of every kind of answer: the same for all, a split, a rule, disabled.
fn flag(number: usize) -> v1::Flag {
    let key = format!("flag-{number:03}");
    match number % 4 {
        0 => flags::boolean(&key),
        1 => v1::Flag {
            default_serve: Some(flags::split(&[("on", 25_000), ("off", 75_000)])),
            ..flags::boolean(&key)
        },
        2 => v1::Flag {
            rules: vec![flags::rule("pro", "plan", &["pro"], flags::variant("on"))],
            flag_set: "shop".to_owned(),
            ..flags::boolean(&key)
        },
        _ => v1::Flag {
            enabled: false,
            ..flags::boolean(&key)
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_answer_has_every_flag_as_a_single_answer_has_it() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    for number in 0..FLAGS {
        system.operator.create(flag(number)).await;
    }
    system.operator.delivered(1).await;
    let asked = context("user-7");
    let all = bulk(&agent, &[], &asked).await;
    assert_eq!((all.status, all.header("content-type")), (200, "application/json"));
    let all = all.json();
    let all = all["flags"].as_array().unwrap();
    assert_eq!(all.len(), FLAGS);
    for (number, bulk) in all.iter().enumerate() {
        let key = format!("flag-{number:03}");
        assert_eq!(bulk["key"], key, "in key order");
        let single = http::post(agent.ofrep, &format!("{BULK}/{key}"), &[], &asked).await;
        assert_eq!((single.status, &single.json()), (200, bulk), "{key}");
        let bucket = evaluation::bucket(&format!("salt-of-{key}"), "user-7");
        let (value, reason) = match number % 4 {
            0 => (false, "STATIC"),
            1 => (bucket < 25_000, "SPLIT"),
            2 => (true, "TARGETING_MATCH"),
            _ => (false, "DISABLED"),
        };
        assert_eq!(
            (&bulk["value"], &bulk["reason"]),
            (&json!(value), &json!(reason)),
            "{bulk}"
        );
    }
    let shop = bulk_of_set(&agent, &asked).await;
    assert_eq!(shop.len(), FLAGS / 4);
    assert!(shop.iter().all(|flag| flag["reason"] == "TARGETING_MATCH"), "{shop:#?}");
}

async fn bulk_of_set(agent: &Agent, asked: &Value) -> Vec<Value> {
    let answer = bulk(agent, &[("Flagd-Selector", "flagSetId=shop")], asked).await;
    answer.json()["flags"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_has_the_answer_already_is_told_so_until_something_changes() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.delivered(1).await;
    let asked = context("user-7");
    let first = bulk(&agent, &[], &asked).await;
    let etag = first.header("etag").to_owned();
    assert_eq!(
        bulk(&agent, &[], &asked).await.header("etag"),
        etag,
        "the same answer has the same ETag"
    );

    for held in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}")] {
        let again = bulk(&agent, &[("If-None-Match", &held)], &asked).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{held}");
        assert_eq!(again.header("etag"), etag);
    }
    let somebody_else = bulk(&agent, &[("If-None-Match", &etag)], &context("user-8")).await;
    assert_eq!(somebody_else.status, 200, "another context is another answer");
    assert_ne!(somebody_else.header("etag"), etag);
    let selected = [("If-None-Match", etag.as_str()), ("Flagd-Selector", "flagSetId=shop")];
    assert_eq!(
        bulk(&agent, &selected, &asked).await.status,
        200,
        "another selection is another answer"
    );

    let on = v1::Flag {
        default_serve: Some(flags::variant("on")),
        ..flags::boolean("checkout")
    };
    system.operator.update(on).await;
    system.operator.delivered(1).await;
    let changed = bulk(&agent, &[("If-None-Match", &etag)], &asked).await;
    assert_eq!(
        (changed.status, &changed.json()["flags"][0]["value"]),
        (200, &json!(true))
    );
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_said_with_its_status_and_code() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let split = v1::Flag {
        default_serve: Some(flags::split(&[("on", 25_000), ("off", 75_000)])),
        ..flags::boolean("checkout")
    };
    system.operator.create(split).await;
    system.operator.delivered(1).await;
    let unit = || context("user-7");
    for (path, asked, status, code) in [
        ("/flags/no-such-flag", unit(), 404, json!("FLAG_NOT_FOUND")),
        (
            "/flags/checkout",
            json!({"context": {}}),
            400,
            json!("TARGETING_KEY_MISSING"),
        ),
        ("/flags/checkout", json!({}), 400, json!("TARGETING_KEY_MISSING")),
        (
            "/flags/checkout",
            json!({"context": "ann"}),
            400,
            json!("INVALID_CONTEXT"),
        ),
        ("/flags/checkout", json!([1]), 400, json!("INVALID_CONTEXT")),
        ("/flags", json!({"context": [1]}), 400, json!("INVALID_CONTEXT")),
        ("/nothing", unit(), 404, Value::Null),
    ] {
        let path = format!("/ofrep/v1/evaluate{path}");
        let answer = http::post(agent.ofrep, &path, &[], &asked).await;
        assert_eq!(
            (answer.status, &answer.json()["errorCode"]),
            (status, &code),
            "{path} {asked}: {answer:#?}"
        );
        assert!(
            answer.json()["errorDetails"]
                .as_str()
                .is_some_and(|details| !details.is_empty()),
            "{answer:#?}"
        );
    }
    // In bulk one flag that cannot decide spoils nothing.
    let all = bulk(&agent, &[], &json!({"context": {}})).await;
    let flag = &all.json()["flags"][0];
    assert_eq!(
        (all.status, &flag["errorCode"]),
        (200, &json!("TARGETING_KEY_MISSING")),
        "{all:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_and_the_agent_goes_on() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.delivered(1).await;
    let large = json!({"context": {"targetingKey": "user-7", "text": "x".repeat(900_000)}});
    assert_eq!(bulk(&agent, &[], &large).await.status, 200);
    let too_large = json!({"context": {"targetingKey": "user-7", "text": "x".repeat(1_100_000)}});
    let refused = bulk(&agent, &[], &too_large).await;
    assert_eq!(refused.status, 413, "{refused:#?}");
    assert_eq!(bulk(&agent, &[], &context("user-7")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_that_a_bulk_answer_names_says_when_to_ask_again() {
    let system = System::start().await;
    let options = ["--ofrep-events"];
    let agent = Agent::start_with(
        "agent",
        PRODUCTION,
        system.control_plane.address,
        system.folder(),
        &options,
    );
    agent.ready().await;
    system.operator.create(flags::boolean("checkout")).await;
    let set = v1::Flag {
        flag_set: "shop".to_owned(),
        ..flags::boolean("cart")
    };
    system.operator.create(set).await;
    system.operator.delivered(1).await;
    let stream_of = async |selector: &[(&str, &str)]| {
        let answer = bulk(&agent, selector, &context("user-7")).await.json();
        let stream = answer["eventStreams"][0].clone();
        assert_eq!(stream["type"], "sse", "{answer}");
        let path = stream["endpoint"]["requestUri"].as_str().unwrap().to_owned();
        Events::open(agent.ofrep, &path).await
    };
    let mut all = stream_of(&[]).await;
    let mut shop = stream_of(&[("Flagd-Selector", "flagSetId=shop")]).await;
    let switch_on = async |key: &str| {
        let on = v1::Flag {
            default_serve: Some(flags::variant("on")),
            ..system.operator.get(key).await.flag.unwrap()
        };
        let revision = system.operator.update(on).await.revision;
        format!("id: {revision}\nevent: message\ndata: {{\"type\":\"refetchEvaluation\"}}\n\n")
    };
    let of_checkout = switch_on("checkout").await;
    all.until(&of_checkout).await;
    let of_cart = switch_on("cart").await;
    all.until(&of_cart).await;
    // The first that the set hears of is its own flag.
    shop.until("id: ").await;
    shop.until(of_cart.trim_start_matches("id: ")).await;
}
