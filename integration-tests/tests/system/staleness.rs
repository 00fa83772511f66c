//! Without the control plane: what is old says so, what is told to fall back does, and a fresh machine starts from the
//! file it was given.

use integration_tests::{
    agent::Agent,
    answers::{self, Answer, Wire},
    catalogue, flags, http,
    provider::{Language, Provider},
    records,
    system::{PRODUCTION, System},
    wait,
};
use proto::v1::{self, FlagType, Reason, when_stale};
use serde_json::{Value, json};
use tonic::transport::Channel;

fn when_stale(key: &str, kind: when_stale::Kind) -> v1::Flag {
    v1::Flag {
        default_serve: Some(flags::variant("fresh")),
        when_stale: Some(v1::WhenStale { kind: Some(kind) }),
        ..flags::text(key, &["off", "fresh", "safe"])
    }
}

fn caller() -> Value {
    json!({"targetingKey": "user-7", "country": "DE"})
}

/// Waits until the agent says that what it holds is stale.
async fn stale(channel: &Channel) {
    wait::until("the agent's answers to be stale", async || {
        let result = answers::native(channel, "keeps", &caller()).await;
        wait::so(result.stale_s.is_some(), result)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_says_so_on_every_wire_in_its_words_and_falls_back_where_it_is_told_to() {
    let mut system = System::start().await;
    for flag in flags_of_all_kinds() {
        system.operator.create(flag).await;
    }
    let agent = agent_with(&system, "agent", &["--stale-after", "1s"]);
    agent.ready().await;
    system.operator.delivered(1).await;
    system.control_plane.terminate().await;
    let channel = agent.evaluator().channel();
    stale(&channel).await;
    for (key, variant, native, on_others) in [
        ("keeps", "fresh", Reason::Stale, "STATIC"),
        ("falls-back", "safe", Reason::Stale, "DEFAULT"),
        ("turns-off", "off", Reason::Stale, "DEFAULT"),
        ("asleep", "off", Reason::Disabled, "DISABLED"),
        ("targets", "fresh", Reason::Stale, "TARGETING_MATCH"),
    ] {
        let said = answers::native(&channel, key, &caller()).await;
        assert_eq!((said.variant.as_str(), said.reason()), (variant, native), "{said:?}");
        assert!(said.stale_s.is_some_and(|seconds| seconds >= 1), "{said:?}");
        let (channels, port) = ([&channel, &channel], agent.ofrep);
        for (wire, said) in answers::on_every_wire(channels, port, FlagType::String, key, &caller()).await {
            let decided = (said.variant.as_str(), said.reason.as_str());
            assert_eq!(decided, (variant, on_others), "{key} on {wire:?}: {said:?}");
            let seconds = said.stale_s.unwrap_or(0);
            assert!(seconds >= 1, "{key} on {wire:?}: {said:?}");
        }
    }
    agent.ready().await;

    system.control_plane.restart().await;
    wait::until("the answers to be fresh again", async || {
        let result = answers::native(&channel, "falls-back", &caller()).await;
        wait::so((result.variant.as_str(), result.stale_s) == ("fresh", None), result)
    })
    .await;
}

/// Every way to be stale, and two ways to decide that do not mind.
fn flags_of_all_kinds() -> [v1::Flag; 5] {
    [
        when_stale("keeps", when_stale::Kind::Keep(v1::Keep {})),
        when_stale("falls-back", when_stale::Kind::Variant("safe".to_owned())),
        when_stale("turns-off", when_stale::Kind::Off(v1::Off {})),
        v1::Flag {
            enabled: false,
            ..when_stale("asleep", when_stale::Kind::Variant("safe".to_owned()))
        },
        v1::Flag {
            rules: vec![flags::rule("german", "country", &["DE"], flags::variant("fresh"))],
            ..flags::text("targets", &["off", "fresh"])
        },
    ]
}

fn agent_with(system: &System, id: &str, options: &[&str]) -> Agent {
    Agent::start_with(id, PRODUCTION, system.control_plane.address, system.folder(), options)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_cache_hear_when_what_they_hold_is_stale() {
    for_a_client_that_caches(Language::Node).await;
    for_a_client_that_caches(Language::Python).await;
}

/// A flag that is the same for everybody is cached by the providers of flagd until they are told otherwise; and a bulk
/// answer of OFREP by whoever has its ETag.
async fn for_a_client_that_caches(language: Language) {
    let mut system = System::start().await;
    let kind = when_stale::Kind::Variant("safe".to_owned());
    system.operator.create(when_stale("falls-back", kind)).await;
    // Longer than the control plane is ever silent by itself.
    let agent = agent_with(&system, "agent", &["--stale-after", "4s"]);
    agent.ready().await;
    system.operator.delivered(1).await;
    let mut provider = Provider::start(language, system.folder());
    assert_eq!(provider.ready(agent.address).await["ready"], true);
    serves(&mut provider, "fresh").await;
    let bulk = async |headers: &[(&str, &str)]| {
        let asked = json!({"context": caller()});
        http::post(agent.ofrep, "/ofrep/v1/evaluate/flags", headers, &asked).await
    };
    let etag = bulk(&[]).await.header("etag").to_owned();
    assert_eq!(bulk(&[("If-None-Match", &etag)]).await.status, 304);

    system.control_plane.terminate().await;
    assert!(
        provider.hears_of_a_change("falls-back").await,
        "nothing is said when answers become stale"
    );
    serves(&mut provider, "safe").await;
    let stale = bulk(&[("If-None-Match", &etag)]).await;
    assert_eq!(
        (stale.status, &stale.json()["flags"][0]["value"]),
        (200, &json!("safe")),
        "{stale:#?}"
    );

    system.control_plane.restart().await;
    assert!(
        provider.hears_of_a_change("falls-back").await,
        "nothing is said when answers are fresh again"
    );
    serves(&mut provider, "fresh").await;
}

async fn serves(provider: &mut Provider, expected: &str) {
    let evaluated = provider.text("falls-back", "none", "user-7", json!({})).await;
    assert_eq!(evaluated["value"], expected, "{evaluated}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_machine_with_a_bootstrap_file_is_ready_and_right_without_the_control_plane() {
    let mut system = System::start().await;
    records::create_segment(&system.operator, catalogue::staff()).await;
    for flag in catalogue::flags() {
        system.operator.create(flag).await;
    }
    let mut old = system.agent("old").await;
    system.operator.delivered(1).await;
    let bootstrap = system.folder().join("bootstrap");
    std::fs::copy(old.data().join("snapshot"), &bootstrap).unwrap();
    let before = everything(&old).await;
    system.control_plane.terminate().await;
    old.terminate().await;

    let options = ["--bootstrap", bootstrap.to_str().unwrap()];
    let control_plane = system.control_plane.address;
    let mut fresh = Agent::start_with("fresh", PRODUCTION, control_plane, system.folder(), &options);
    fresh.ready().await;
    assert_eq!(everything(&fresh).await, before);
    // Again, still without having met the control plane.
    fresh.kill_9().await;
    fresh.restart();
    fresh.ready().await;
    assert_eq!(everything(&fresh).await, before);

    system.control_plane.restart().await;
    system.operator.delivered_to("fresh").await;
    system.operator.create(flags::boolean("newcomer")).await;
    system.operator.delivered_to("fresh").await;
    assert!(fresh.evaluator().boolean("newcomer", "user-7").await.is_ok());
}

async fn everything(agent: &Agent) -> Vec<(Vec<v1::Result>, u64)> {
    let channel = agent.evaluator().channel();
    let mut everything = Vec::new();
    for caller in catalogue::callers() {
        everything.push(answers::all_native(&channel, &caller).await.unwrap());
    }
    everything
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_nothing_to_serve_says_so_and_is_not_ready() {
    let mut system = System::start().await;
    let control_plane = system.control_plane.address;
    system.control_plane.terminate().await;
    let broken = system.folder().join("broken");
    std::fs::write(&broken, b"no snapshot at all").unwrap();
    let options = ["--bootstrap", broken.to_str().unwrap()];
    let agent = Agent::start_with("agent", PRODUCTION, control_plane, system.folder(), &options);
    wait::until("the agent to answer that it holds nothing", async || {
        let path = "/ofrep/v1/evaluate/flags/checkout";
        let up = tokio::net::TcpStream::connect(agent.ofrep).await;
        up.map_err(|error| error.to_string())?;
        let answer = http::post(agent.ofrep, path, &[], &json!({})).await;
        wait::so(answer.status == 503, answer)
    })
    .await;
    let ready = integration_tests::ops::ready(agent.ops).await;
    assert!(ready.is_err(), "ready with nothing");
    let result = answers::native(&agent.evaluator().channel(), "checkout", &caller()).await;
    assert_eq!(
        (result.reason(), result.error_code()),
        (Reason::Error, v1::ErrorCode::General),
        "{result:?}"
    );
    let said = Answer::as_said_on(Wire::FlagdV2, &result);
    assert_eq!(said.value, None);
    system.control_plane.restart().await;
    agent.ready().await;
}
