//! The same answer everywhere: whichever wire a caller speaks, whichever process it asks, and whatever happened to that
//! process before.
//!
//! All flags of the catalogue are asked for all of its callers. What a wire cannot say it must leave out in the way that
//! its protocol describes, and nothing else may differ.

use std::collections::BTreeSet;

use integration_tests::{
    agent::Agent,
    answers::{self, Answer},
    catalogue, flags, records,
    system::{PRODUCTION, System},
};
use proto::v1::{self, Reason};
use serde_json::{Value, json};
use tonic::transport::Channel;

/// Every doors' channels of one agent.
struct Doors<'a> {
    agent: &'a Agent,
    tcp: Channel,
    socket: Channel,
}

impl<'a> Doors<'a> {
    fn of(agent: &'a Agent) -> Self {
        Self {
            agent,
            tcp: agent.evaluator().channel(),
            socket: answers::over_socket(&agent.socket()),
        }
    }

    /// Asks at every door; panics if two do not agree.
    async fn agree_on(&self, key: &str, caller: &Value) -> v1::Result {
        let result = answers::native(&self.tcp, key, caller).await;
        let socket = answers::native(&self.socket, key, caller).await;
        assert_eq!(result, socket, "{key} for {caller} over the socket");
        let (channels, port) = ([&self.tcp, &self.socket], self.agent.ofrep);
        for (wire, said) in answers::on_every_wire(channels, port, result.r#type(), key, caller).await {
            assert_eq!(
                said,
                Answer::as_said_on(wire, &result),
                "{key} for {caller} on {wire:?}"
            );
        }
        result
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wire_and_process_gives_the_same_answer_also_after_a_restart_without_the_control_plane() {
    let mut system = System::start().await;
    records::create_segment(&system.operator, catalogue::staff()).await;
    for flag in catalogue::flags() {
        system.operator.create(flag).await;
    }
    let mut agent = system.agent("agent").await;
    system.operator.delivered(1).await;

    let pairs = pairs();
    assert!(pairs.len() >= 200, "{}", pairs.len());
    let mut before = Vec::new();
    let doors = Doors::of(&agent);
    for (key, caller) in &pairs {
        let result = doors.agree_on(key, caller).await;
        let inspected = answers::inspected(&system.operator, PRODUCTION, key, caller).await;
        assert_eq!(result, inspected, "{key} for {caller} at the control plane");
        before.push(result);
    }
    in_bulk_too(&doors, &before).await;
    nothing_was_always_the_same(&before);

    system.control_plane.terminate().await;
    agent.terminate().await;
    agent.restart();
    agent.ready().await;
    let doors = Doors::of(&agent);
    for ((key, caller), before) in pairs.iter().zip(before) {
        let after = doors.agree_on(key, caller).await;
        assert_eq!(after, before, "{key} for {caller} after a restart");
    }
    agent.ready().await;
}

fn pairs() -> Vec<(String, Value)> {
    let callers = catalogue::callers();
    let keys = catalogue::flags().into_iter().map(|flag| flag.key);
    keys.flat_map(|key| callers.iter().map(move |caller| (key.clone(), caller.clone())))
        .collect()
}

/// All flags at once are each flag alone.
async fn in_bulk_too(doors: &Doors<'_>, results: &[v1::Result]) {
    let callers = catalogue::callers();
    for (place, caller) in callers.iter().enumerate() {
        let (all, _) = answers::all_native(&doors.socket, caller).await.unwrap();
        let mut alone: Vec<_> = results.iter().skip(place).step_by(callers.len()).cloned().collect();
        alone.sort_by(|a, b| a.flag_key.cmp(&b.flag_key));
        assert_eq!(all, alone, "all flags for {caller}");
    }
}

/// The catalogue would prove little if its flags served everybody the same: every reason and every prepared answer is
/// given to somebody.
fn nothing_was_always_the_same(results: &[v1::Result]) {
    let reasons: BTreeSet<&str> = results.iter().map(|result| result.reason().as_str_name()).collect();
    let all = [
        Reason::Static,
        Reason::Default,
        Reason::TargetingMatch,
        Reason::Split,
        Reason::Disabled,
        Reason::Error,
    ];
    assert_eq!(reasons, all.map(|reason| reason.as_str_name()).into());
    for flag in catalogue::flags().into_iter().filter(|flag| !flag.rules.is_empty()) {
        let of_it = results.iter().filter(|result| result.flag_key == flag.key);
        let variants: BTreeSet<&str> = of_it.map(|result| result.variant.as_str()).collect();
        assert!(variants.len() > 1, "{} serves everybody {variants:?}", flag.key);
    }
}

/// What the flags of the catalogue serve, by hand: caller by caller in the catalogue's order, `y` yes, `n` no.
const EXPECTED: &[(&str, &str)] = &[
    ("nested", "nyynnnnnn"),
    ("cased", "nynnynnnn"),
    ("not-german", "nnynnnnnn"),
    ("recent", "nyyynnnnn"),
    ("compatible", "nynnnnnnn"),
    ("inside", "nyyynnnnn"),
    ("early", "nyynnnnnn"),
    ("matching", "nynnnnnyn"),
    ("grown", "nynnynnnn"),
    ("any-role", "nyynnnnnn"),
    ("all-roles", "nynynnnnn"),
    ("many-roles", "nyynnnnnn"),
    ("typed", "nnnyynnnn"),
    ("known", "nynynnnnn"),
    ("staff-only", "yynyynnnn"),
    ("outsiders", "nnynnyyyy"),
    ("both", "nynnynnnn"),
    ("needs-wide", "yyyyyyyyy"),
    ("needs-staff", "yynyynnnn"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_operator_decides_as_its_words_say() {
    let system = System::start().await;
    records::create_segment(&system.operator, catalogue::staff()).await;
    for flag in catalogue::flags() {
        system.operator.create(flag).await;
    }
    let agent = system.agent("agent").await;
    let channel = agent.evaluator().channel();
    let mut wrong = Vec::new();
    for (key, expected) in EXPECTED {
        let mut said = String::new();
        for caller in catalogue::callers() {
            let result = answers::native(&channel, key, &caller).await;
            said.push(result.variant.chars().next().unwrap_or('-'));
        }
        if said != *expected {
            wrong.push(format!("{key}: {said}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_draws_the_bucket_of_the_first_unit_that_the_caller_has() {
    let system = System::start().await;
    for flag in catalogue::flags()
        .into_iter()
        .filter(|flag| flag.key.starts_with("by-company"))
    {
        system.operator.create(flag).await;
    }
    let agent = system.agent("agent").await;
    let channel = agent.evaluator().channel();
    for (caller, unit) in [
        (json!({"targetingKey": "ann", "companyId": "acme"}), Some("acme")),
        (json!({"targetingKey": "ann", "companyId": 1_234_567}), Some("1234567")),
        (json!({"targetingKey": "ann", "companyId": 0.1}), Some("0.1")),
        (json!({"targetingKey": "ann", "companyId": null}), Some("ann")),
        (json!({"targetingKey": "ann", "companyId": ["acme"]}), Some("ann")),
        (json!({"targetingKey": "Zoë ✓"}), Some("Zoë ✓")),
        (json!({"user": "ann"}), None),
    ] {
        let result = answers::native(&channel, "by-company", &caller).await;
        let expected = unit.map(|unit| evaluation::bucket("salt-of-by-company", unit));
        assert_eq!(result.bucket, expected, "{caller}: {result:?}");
        let variant = match expected {
            Some(..20_000) => "red",
            Some(..50_000) => "green",
            Some(_) => "blue",
            None => "",
        };
        assert_eq!(result.variant, variant, "{caller}: {result:?}");
        let error = if unit.is_some() {
            v1::ErrorCode::Unspecified
        } else {
            v1::ErrorCode::TargetingKeyMissing
        };
        assert_eq!(result.error_code(), error, "{caller}: {result:?}");
    }
    let alone = answers::native(&channel, "by-company-alone", &json!({"targetingKey": "ann"})).await;
    assert_eq!(alone.error_code(), v1::ErrorCode::TargetingKeyMissing, "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_split_moves_only_the_units_that_must_move() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let channel = agent.evaluator().channel();
    let shares = |red: u32, green: u32| v1::Flag {
        default_serve: Some(flags::split(&[
            ("red", red),
            ("green", green),
            ("blue", 100_000 - red - green),
        ])),
        ..flags::text("colour", &["red", "green", "blue"])
    };
    system.operator.create(shares(10_000, 10_000)).await;
    system.operator.delivered(1).await;
    let before = variants(&channel).await;
    system.operator.update(shares(20_000, 10_000)).await;
    system.operator.delivered(1).await;
    let after = variants(&channel).await;
    let moved: Vec<_> = before.iter().zip(&after).filter(|(was, is)| was != is).collect();
    assert!(
        moved
            .iter()
            .all(|(was, is)| (was.as_str(), is.as_str()) == ("blue", "red")),
        "{moved:?}"
    );
    // A tenth of 1,000 units; the buckets decide exactly how many.
    assert!((60..140).contains(&moved.len()), "{} units moved", moved.len());
}

async fn variants(channel: &Channel) -> Vec<String> {
    let mut variants = Vec::new();
    for user in 0..1_000 {
        let caller = json!({"targetingKey": format!("user-{user}")});
        variants.push(answers::native(channel, "colour", &caller).await.variant);
    }
    variants
}
