//! The command line against a real control plane: what it does, what it says, and its exit codes.
//!
//! Scripts depend on exit codes and on the JSON, people on the words of a refusal; each is checked where it matters.

use integration_tests::{
    console::{Console, Ran},
    plans::{half_for_long, plan},
    ports,
    service::{Service, Traffic},
    system::System,
};
use proto::v1;
use serde_json::{Value, json};

const DONE: Option<i32> = Some(0);
const REFUSED: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const ABORTED: Option<i32> = Some(3);
const UNREACHABLE: Option<i32> = Some(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_is_created_changed_killed_and_revived_and_all_of_it_is_audited() {
    let system = System::start().await;
    let console = system.console();
    console
        .succeeds(&["create", "checkout", "--owner", "payments", "--allow", "ann"])
        .await;
    console
        .succeeds(&["set", "checkout", "on", "--percent", "12.5", "--deny", "bob"])
        .await;
    let flag = shown(&console, "checkout").await;
    assert_eq!(
        (&flag["killed"], &flag["version"]),
        (&json!(false), &json!(2)),
        "{flag}"
    );
    let stored = system.operator.get("checkout").await.flag.unwrap();
    assert_eq!(
        stored.default_serve,
        Some(integration_tests::flags::split(&[("on", 12_500), ("off", 87_500)]))
    );
    assert_eq!(
        (stored.deny, stored.owner),
        (vec!["bob".to_owned()], "payments".to_owned())
    );

    console
        .succeeds(&["kill", "checkout", "--actor", "ann@desk", "--reason", "it burns"])
        .await;
    assert_eq!(shown(&console, "checkout").await["killed"], true);
    console.succeeds(&["revive", "checkout"]).await;
    assert_eq!(shown(&console, "checkout").await["killed"], false);

    all_of_it_is_audited(&console).await;
}

async fn all_of_it_is_audited(console: &Console) {
    let audit = console.succeeds(&["audit", "checkout", "-o", "json"]).await.json();
    let records = audit.as_array().unwrap();
    let actions: Vec<_> = records
        .iter()
        .map(|record| record["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["flag.revive", "flag.kill", "flag.update", "flag.create"]);
    let kill = &records[1];
    assert_eq!(
        (&kill["actor"], &kill["reason"]),
        (&json!("ann@desk"), &json!("it burns")),
        "{kill}"
    );
    assert_eq!(kill["authenticated"], false);
    assert!(
        records[0]["actor"].as_str().unwrap().starts_with("tester@"),
        "user@host by default: {}",
        records[0]
    );
}

async fn shown(console: &Console, key: &str) -> Value {
    console.succeeds(&["get", key, "-o", "json"]).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_travels_as_a_document_and_comes_back_the_same() {
    let system = System::start().await;
    let console = system.console();
    let document = "
key: banner
type: string
variants: {plain: hello, eu: hallo}
off_variant: plain
default: plain
rules:
  - {name: eu, conditions: [{attribute: country, one_of: [DE, AT]}], serve: eu}
";
    let created = console.run_with_input(&["create", "-f", "-"], document).await;
    assert_eq!(created.code, DONE, "{created:#?}");
    let shown = shown(&console, "banner").await["flag"].clone();
    let staging = ["create", "-f", "-", "-e", "staging"];
    let copied = console.run_with_input(&staging, &shown.to_string()).await;
    assert_eq!(copied.code, DONE, "{copied:#?}");
    let (here, there) = (
        system.operator.get("banner").await,
        system.operator.within("staging").get("banner").await,
    );
    assert_eq!(here.flag, there.flag, "salt included, so a unit keeps its bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_agents_and_environments_are_listed() {
    let system = System::start().await;
    let console = system.console();
    let _agent = system.agent("agent-7").await;
    for key in ["checkout", "banner"] {
        console.succeeds(&["create", key]).await;
    }
    system.operator.delivered(1).await;
    let list = console.succeeds(&["list", "-o", "json"]).await.json();
    let keys: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| flag["flag"]["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["banner", "checkout"]);
    let fleet = console.succeeds(&["fleet", "-o", "json"]).await.json();
    let agent = &fleet["agents"][0];
    assert_eq!(
        (&agent["id"], &agent["live"]),
        (&json!("agent-7"), &json!(true)),
        "{fleet}"
    );
    assert_eq!(agent["persisted_revision"], agent["wanted_revision"], "{fleet}");
    let fleet = console.succeeds(&["fleet"]).await.out;
    assert!(
        fleet.contains("agent-7") && fleet.contains("1 of 1 live agents"),
        "{fleet}"
    );
    let environments = console.succeeds(&["environments"]).await.out;
    let places = ["development", "staging", "production"].map(|name| environments.find(name).expect(name));
    assert!(places.is_sorted(), "in the order of promotion: {environments}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_mistakes_and_absence_have_their_own_exit_codes_and_words() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["create", "checkout"]).await;
    let cases: [(&[&str], Option<i32>, &str); 9] = [
        (&["create", "checkout"], REFUSED, "exists already"),
        (&["get", "chekout"], REFUSED, "did you mean checkout?"),
        (&["set", "checkout", "purple"], REFUSED, "purple"),
        (&["list", "-e", "nowhere"], REFUSED, "production"),
        (&["rollout", "get", "checkout"], REFUSED, "has no rollout"),
        (&["rollout", "watch", "checkout#9"], REFUSED, "does not exist"),
        (
            &["set", "checkout", "on", "--percent", "101"],
            USAGE,
            "between 0 and 100",
        ),
        (&["get", "no key!"], USAGE, "a key has ASCII letters"),
        (
            &[
                "rollout",
                "start",
                "checkout",
                "--treatment",
                "on",
                "--control",
                "off",
                "--stage",
                "x:5%",
            ],
            USAGE,
            "NAME:PERCENT:DWELL",
        ),
    ];
    for (arguments, code, words) in cases {
        let ran = console.run(arguments).await;
        assert_eq!(ran.code, code, "{arguments:?}: {ran:#?}");
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{arguments:?}: {ran:#?}");
    }
    let nobody = Console::new(ports::free()).run(&["list"]).await;
    assert_eq!(nobody.code, UNREACHABLE, "{nobody:#?}");
    assert!(nobody.err.contains("cannot reach the control plane"), "{nobody:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_started_watched_to_its_completion_and_listed() {
    let system = System::start().await;
    let console = system.console();
    let agent = system.agent("agent").await;
    console.succeeds(&["create", "checkout"]).await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let start = [
        "rollout",
        "start",
        "checkout",
        "--treatment",
        "on",
        "--control",
        "off",
        "--limit",
        "1.2",
        "--stage",
        "half:50%:1s",
        "--stage",
        "all:100%:0s",
        "--bake",
        "0s",
        "--minimum-outcomes",
        "20",
    ];
    let started = console.succeeds(&start).await;
    assert!(started.out.contains("checkout#1"), "{started:#?}");
    let again = console.run(&start).await;
    assert_eq!(again.code, REFUSED, "{again:#?}");
    assert!(again.err.contains("checkout#1"), "{again:#?}");

    let watched = console
        .succeeds(&["rollout", "watch", "checkout", "--timeout", "30s"])
        .await;
    tells_in_order(&watched, &["clock-started", "advanced", "completed"]);
    is_listed_as_completed(&console).await;
    service.stop().await;
}

async fn is_listed_as_completed(console: &Console) {
    let list = console.succeeds(&["rollout", "list", "-o", "json"]).await.json();
    assert_eq!(
        (&list[0]["name"], &list[0]["phase"]),
        (&json!("checkout#1"), &json!("completed")),
        "{list}"
    );
    let active = console
        .succeeds(&["rollout", "list", "--active", "-o", "json"])
        .await
        .json();
    assert_eq!(active, json!([]));
    let rollout = console
        .succeeds(&["rollout", "get", "checkout#1", "-o", "json"])
        .await
        .json();
    assert_eq!(
        (&rollout["plan"]["guards"][0]["limit"], &rollout["end"]["outcome"]),
        (&json!(1.2), &json!("completed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_a_harmful_rollout_ends_with_the_proof_and_exit_code_3() {
    let system = System::start().await;
    let console = system.console();
    let agent = system.agent("agent").await;
    console.succeeds(&["create", "checkout"]).await;
    let document = "
flag: checkout
treatment: 'on'
control: 'off'
stages:
  - {name: half, percent: 50, dwell: 1d}
  - {name: all, percent: 100, dwell: 0s}
guards: [{metric: error-rate, limit: 1.0, level: abort}]
";
    let started = console.run_with_input(&["rollout", "start", "-f", "-"], document).await;
    assert_eq!(started.code, DONE, "{started:#?}");
    let service = Service::start(Traffic::of("checkout").failing(0.4, 0.01), &[&agent]).await;
    let watched = console.run(&["rollout", "watch", "checkout", "-o", "json"]).await;
    assert_eq!(watched.code, ABORTED, "{watched:#?}");
    let last = watched.json_lines().pop().unwrap();
    assert_eq!(
        (&last["phase"], &last["end"]["cause"]),
        (&json!("aborted"), &json!("evidence")),
        "{last:#}"
    );
    assert!(
        last["end"]["time_to_zero_us"].as_i64().is_some_and(|us| us > 0),
        "{last:#}"
    );
    assert!(
        last["end"]["counts"]["treatment"]["bad_units"]
            .as_u64()
            .is_some_and(|units| units > 0),
        "{last:#}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_by_hand_is_told_once_and_watched_to_its_proof() {
    let system = System::start().await;
    let console = system.console();
    let _agent = system.agent("agent").await;
    console.succeeds(&["create", "checkout"]).await;
    system
        .operator
        .start(plan(
            "checkout",
            &[v1::Stage {
                name: "half".to_owned(),
                ..half_for_long()
            }],
        ))
        .await;
    system.operator.delivered(1).await;
    let aborted = console
        .succeeds(&["rollout", "abort", "checkout", "--reason", "the phones ring"])
        .await;
    assert!(aborted.out.contains("rollout watch 'checkout#1'"), "{aborted:#?}");
    let watched = console.run(&["rollout", "watch", "checkout#1"]).await;
    assert_eq!(watched.code, ABORTED, "{watched:#?}");
    assert!(watched.out.contains("the phones ring"), "{watched:#?}");
    let again = console.run(&["rollout", "abort", "checkout"]).await;
    assert_eq!(again.code, REFUSED, "{again:#?}");
    assert!(again.err.contains("already"), "{again:#?}");
}

/// The words stand in the output in this order.
fn tells_in_order(ran: &Ran, words: &[&str]) {
    let mut rest = ran.out.as_str();
    for word in words {
        let at = rest
            .find(word)
            .unwrap_or_else(|| panic!("no {word} in its place: {ran:#?}"));
        rest = &rest[at..];
    }
}
