//! The unmodified OpenFeature providers of Python and Node, of flagd and of OFREP: ready, right, and told of changes.
//!
//! All go through the same promises. Writes of the first come from the command line, so it is the whole way from an
//! operator's hand to a value in a service; the second asks for the catalogue of all that flags can decide by.

use integration_tests::{
    catalogue, flags,
    json::doubles,
    provider::{Language, Protocol, Provider},
    records,
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

#[tokio::test(flavor = "multi_thread")]
async fn the_python_flagd_provider_gets_every_value_and_every_reason() {
    a_provider_gets_every_value_and_every_reason(Language::Python, Protocol::Flagd).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_flagd_provider_gets_every_value_and_every_reason() {
    a_provider_gets_every_value_and_every_reason(Language::Node, Protocol::Flagd).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_ofrep_provider_gets_every_value_and_every_reason() {
    a_provider_gets_every_value_and_every_reason(Language::Python, Protocol::Ofrep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_ofrep_provider_gets_every_value_and_every_reason() {
    a_provider_gets_every_value_and_every_reason(Language::Node, Protocol::Ofrep).await;
}

async fn a_provider_gets_every_value_and_every_reason(language: Language, protocol: Protocol) {
    let system = System::start().await;
    records::create_segment(&system.operator, catalogue::staff()).await;
    for flag in catalogue::flags() {
        system.operator.create(flag).await;
    }
    let agent = system.agent("agent").await;
    system.operator.delivered(1).await;
    let mut provider = Provider::start(language, system.folder());
    let port = match protocol {
        Protocol::Flagd => agent.address,
        Protocol::Ofrep => agent.ofrep,
    };
    assert_eq!(provider.ready_over(protocol, port).await["ready"], true);

    values_of_every_type(&mut provider).await;
    targeting(&mut provider).await;
    splits(&mut provider, protocol).await;
    defaults_and_errors(&mut provider, language, protocol).await;
    if protocol == Protocol::Flagd {
        a_new_member_is_heard_of(&mut provider, &system).await;
    }
}

/// A segment is no flag, so what changed is every flag that it decides, also through another flag.
async fn a_new_member_is_heard_of(provider: &mut Provider, system: &System) {
    let before = provider.text("needs-staff", "none", "newcomer", json!({})).await;
    assert_eq!(before["value"], "no", "{before}");
    records::try_add_member(&system.operator, "staff", "newcomer")
        .await
        .unwrap();
    for key in ["staff-only", "needs-staff"] {
        assert!(provider.hears_of_a_change(key).await, "no event named {key}");
        let answer = provider.text(key, "none", "newcomer", json!({})).await;
        assert_eq!(answer["value"], "yes", "{answer}");
    }
}

async fn values_of_every_type(provider: &mut Provider) {
    let theme = json!({"colour": "#000", "sizes": [1, 2.5], "nested": {"on": true, "none": null}});
    for (flag_type, key, default, value, variant) in [
        ("boolean", "wide", json!(false), json!(true), "on"),
        ("string", "title", json!("none"), json!("Zürich ✓"), "long"),
        ("integer", "limit", json!(1), json!(9_000_000_000_i64), "high"),
        ("float", "ratio", json!(0.5), json!(0.1), "part"),
        ("object", "theme", json!({}), theme, "dark"),
    ] {
        let answer = provider.evaluate(flag_type, key, default, "user-1", json!({})).await;
        assert_eq!(doubles(answer["value"].clone()), doubles(value), "{key}: {answer}");
        assert_eq!(
            (&answer["variant"], &answer["reason"]),
            (&json!(variant), &json!("STATIC")),
            "{key}: {answer}"
        );
        assert_eq!(answer["errorCode"], Value::Null, "{key}: {answer}");
    }
    // A float without decimals is a float all the same, though JSON would not say so.
    let whole = provider
        .evaluate("float", "whole", json!(0.5), "user-1", json!({}))
        .await;
    assert_eq!(
        (&whole["errorCode"], whole["value"].as_f64()),
        (&Value::Null, Some(2.0)),
        "{whole}"
    );
}

/// Nested attributes, versions, segments, prerequisites, lists: `yes` and `no` of callers of the catalogue.
async fn targeting(provider: &mut Provider) {
    let bob = json!({"address": {"country": "DE"}, "version": "2.1.0", "email": "bob@example.com", "age": 30,
        "roles": ["admin"]});
    let eve = json!({"address": {"country": "FR"}, "version": "2.0.1-rc.1", "email": "eve@example.org", "roles": []});
    for (key, of_bob, of_eve) in [
        ("nested", "yes", "no"),
        ("compatible", "yes", "no"),
        ("recent", "yes", "yes"),
        ("matching", "yes", "yes"),
        ("staff-only", "yes", "no"),
        ("outsiders", "no", "yes"),
        ("needs-wide", "yes", "yes"),
        ("needs-staff", "yes", "no"),
        ("any-role", "yes", "no"),
        ("lists", "denied", "rest"),
    ] {
        for (unit, attributes, expected) in [("bob", &bob, of_bob), ("eve", &eve, of_eve)] {
            let answer = provider.text(key, "none", unit, attributes.clone()).await;
            assert_eq!(
                (&answer["value"], &answer["variant"]),
                (&json!(expected), &json!(expected)),
                "{key} for {unit}: {answer}"
            );
            // A prerequisite that is met decides nothing; one that is not decides as a list does.
            let decided = match key {
                "needs-wide" | "needs-staff" => expected == "no",
                _ => matches!(expected, "yes" | "denied"),
            };
            let reason = if decided { "TARGETING_MATCH" } else { "DEFAULT" };
            assert_eq!(answer["reason"], reason, "{key} for {unit}: {answer}");
        }
    }
}

async fn splits(provider: &mut Provider, protocol: Protocol) {
    let reason = match protocol {
        Protocol::Flagd => "TARGETING_MATCH",
        Protocol::Ofrep => "SPLIT",
    };
    for user in 0..20 {
        let unit = format!("user-{user}");
        let colour = |salt: &str, unit: &str| match evaluation::bucket(salt, unit) {
            ..20_000 => "red",
            20_000..50_000 => "green",
            _ => "blue",
        };
        let attributes = json!({"companyId": 1_000 + user, "age": 18});
        for (key, expected) in [
            ("colour", colour("salt-of-colour", &unit)),
            ("by-company", colour("salt-of-by-company", &format!("{}", 1_000 + user))),
            ("adults-split", colour("salt-of-adults-split/adults", &unit)),
        ] {
            let answer = provider.text(key, "none", &unit, attributes.clone()).await;
            assert_eq!(
                (&answer["value"], &answer["reason"]),
                (&json!(expected), &json!(reason)),
                "{key} {unit}: {answer}"
            );
        }
    }
}

/// What the caller's own default is served for, and what is said then.
async fn defaults_and_errors(provider: &mut Provider, language: Language, protocol: Protocol) {
    let without_unit = match protocol {
        // flagd has no status for it.
        Protocol::Flagd => Value::Null,
        Protocol::Ofrep => json!("TARGETING_KEY_MISSING"),
    };
    for (key, reason) in [("resting", "DISABLED"), ("theirs", "DEFAULT")] {
        let answer = provider.text(key, "mine", "user-1", json!({})).await;
        assert_eq!(answer["value"], "mine", "{key}: {answer}");
        // The OFREP provider of Node takes an answer without a value for none, and serves the default all the same.
        let (reason, error) = match (language, protocol) {
            (Language::Node, Protocol::Ofrep) => ("ERROR", json!("GENERAL")),
            (Language::Python, Protocol::Ofrep) | (_, Protocol::Flagd) => (reason, Value::Null),
        };
        assert_eq!(
            (&answer["reason"], &answer["errorCode"]),
            (&json!(reason), &error),
            "{key}: {answer}"
        );
    }
    let unknown = provider.text("no-such-flag", "mine", "user-1", json!({})).await;
    assert_eq!(
        (&unknown["value"], &unknown["errorCode"]),
        (&json!("mine"), &json!("FLAG_NOT_FOUND")),
        "{unknown}"
    );
    let asleep = provider.boolean("asleep", true, "user-1").await;
    assert_eq!(
        (&asleep["value"], &asleep["reason"]),
        (&json!(false), &json!("DISABLED")),
        "{asleep}"
    );
    let nobody = provider.text("by-company-alone", "mine", "user-1", json!({})).await;
    assert_eq!(
        (&nobody["value"], &nobody["errorCode"]),
        (&json!("mine"), &without_unit),
        "{nobody}"
    );
    // Of a flag that is not STATIC: the Node provider of flagd answers those from its cache, whatever is asked for.
    let mismatch = provider.boolean("nested", true, "user-1").await;
    assert_eq!(
        (&mismatch["value"], &mismatch["errorCode"]),
        (&json!(true), &json!("TYPE_MISMATCH")),
        "{mismatch}"
    );
}
