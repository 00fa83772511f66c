//! The unmodified OpenFeature flagd providers of Python and Node: ready, right, and told of changes.
//!
//! Both go through the same promise. Writes come from the command line, so this is the whole way from an operator's
//! hand to a value in a service.

use integration_tests::{
    flags,
    provider::{Language, Provider},
    system::System,
};
use proto::v1;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_python_provider_is_ready_evaluates_and_hears_of_changes() {
    a_provider_is_ready_evaluates_and_hears_of_changes(Language::Python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_provider_is_ready_evaluates_and_hears_of_changes() {
    a_provider_is_ready_evaluates_and_hears_of_changes(Language::Node).await;
}

async fn a_provider_is_ready_evaluates_and_hears_of_changes(language: Language) {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let banner = banner();
    for flag in [flags::boolean("checkout"), banner.clone(), disabled()] {
        system.operator.create(flag).await;
    }
    system.operator.delivered(1).await;
    let mut provider = Provider::start(language, system.folder());
    assert_eq!(provider.ready(agent.address).await["ready"], true);

    evaluates(&mut provider, &banner).await;
    errors_are_told(&mut provider).await;
    changes_are_heard(&mut provider, &system).await;
}

/// A string flag with everything that can decide: lists, a rule, a split.
fn banner() -> v1::Flag {
    v1::Flag {
        rules: vec![flags::rule("eu", "country", &["DE", "AT"], flags::variant("eu"))],
        allow: vec![flags::allow("vip", &["ann"])],
        deny: vec!["bob".to_owned()],
        default_serve: Some(flags::split(&[("blue", 30_000), ("green", 70_000)])),
        ..flags::text("banner", &["plain", "eu", "vip", "blue", "green"])
    }
}

/// A disabled flag without an off variant: the caller's default is served.
fn disabled() -> v1::Flag {
    v1::Flag {
        enabled: false,
        off_variant: String::new(),
        ..flags::text("resting", &["asleep", "awake"])
    }
}

async fn evaluates(provider: &mut Provider, banner: &v1::Flag) {
    let checkout = provider.boolean("checkout", true, "user-1").await;
    assert_eq!(
        (&checkout["value"], &checkout["variant"]),
        (&json!(false), &json!("off")),
        "{checkout}"
    );

    for (unit, country, expected) in [
        ("ann", "FR", "vip"),
        ("ann", "DE", "vip"),
        ("bob", "DE", "plain"),
        ("eve", "AT", "eu"),
    ] {
        let answer = provider.text("banner", "none", unit, json!({"country": country})).await;
        assert_eq!(answer["value"], expected, "{unit} in {country}: {answer}");
        assert_eq!(answer["reason"], "TARGETING_MATCH", "{answer}");
    }
    for user in 0..20 {
        let unit = format!("user-{user}");
        let expected = if evaluation::bucket(&banner.salt, &unit) < 30_000 {
            "blue"
        } else {
            "green"
        };
        let answer = provider.text("banner", "none", &unit, json!({"country": "FR"})).await;
        assert_eq!(
            (&answer["value"], &answer["variant"]),
            (&json!(expected), &json!(expected)),
            "{unit}: {answer}"
        );
    }
    let resting = provider.text("resting", "mine", "user-1", json!({})).await;
    assert_eq!(
        (&resting["value"], &resting["errorCode"]),
        (&json!("mine"), &Value::Null),
        "{resting}"
    );
}

async fn errors_are_told(provider: &mut Provider) {
    let unknown = provider.boolean("no-such-flag", true, "user-1").await;
    assert_eq!(
        (&unknown["value"], &unknown["errorCode"]),
        (&json!(true), &json!("FLAG_NOT_FOUND")),
        "{unknown}"
    );
    // Of a flag that is not STATIC: the Node provider answers those from its cache, whatever type is asked for.
    let mismatch = provider.boolean("banner", true, "user-1").await;
    assert_eq!(
        (&mismatch["value"], &mismatch["errorCode"]),
        (&json!(true), &json!("TYPE_MISMATCH")),
        "{mismatch}"
    );
}

async fn changes_are_heard(provider: &mut Provider, system: &System) {
    let console = system.console();
    console.succeeds(&["set", "checkout", "on"]).await;
    assert!(
        provider.hears_of_a_change("checkout").await,
        "no event named the flag that was set"
    );
    assert_eq!(provider.boolean("checkout", false, "user-1").await["value"], true);

    console.succeeds(&["kill", "checkout", "--reason", "it burns"]).await;
    assert!(
        provider.hears_of_a_change("checkout").await,
        "no event named the flag that was killed"
    );
    let killed = provider.boolean("checkout", true, "user-1").await;
    assert_eq!(
        (&killed["value"], &killed["reason"]),
        (&json!(false), &json!("DISABLED")),
        "{killed}"
    );

    console.succeeds(&["create", "newcomer"]).await;
    assert!(
        provider.hears_of_a_change("newcomer").await,
        "no event named the flag that was created"
    );
}
