//! The command line as people use it day by day: what it does, what it shows, and what it refuses in which words.
//!
//! Rollouts, kills and the plain life of a flag are in `console.rs`, files in `apply.rs`, what surrounds commands (where
//! they act, `doctor`, following) in `desk.rs`.

use std::fs;

use integration_tests::{
    answers::inspected,
    console::{Console, Ran},
    evaluator::Evaluator,
    system::{PRODUCTION, System},
    wait,
};
use serde_json::json;

/// Refused by the control plane, or not found.
pub(crate) const REFUSED: Option<i32> = Some(1);
/// The command line or a document is wrong.
pub(crate) const WRONG: Option<i32> = Some(2);
const DIFFERS: Option<i32> = Some(5);

/// A command that must be refused with this code and say all of these words.
pub(crate) async fn refused(console: &Console, arguments: &[&str], code: Option<i32>, words: &[&str]) -> Ran {
    let ran = console.run(arguments).await;
    assert_eq!(ran.code, code, "{arguments:?}: {ran:#?}");
    for words in words {
        assert!(ran.err.contains(words), "{arguments:?}: {words}: {ran:#?}");
    }
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_percentage_flag_is_one_line_and_a_misspelt_key_is_refused_with_the_nearest() {
    let system = System::start().await;
    let console = system.console();
    let agent = system.agent("agent").await;
    let line = [
        "set",
        "checkout-v2",
        "on",
        "--percent",
        "25",
        "--allow",
        "user-7",
        "--deny",
        "user-8",
        "-e",
        PRODUCTION,
    ];
    refused(&console, &line, REFUSED, &["checkout-v2 does not exist", "--create"]).await;
    console.succeeds(&[&line[..], &["--create"]].concat()).await;
    refused(
        &console,
        &["set", "chekout-v2", "on"],
        REFUSED,
        &["did you mean checkout-v2?", "--create"],
    )
    .await;
    refused(&console, &["set", "checkout-v2", "onn"], REFUSED, &["onn", "on"]).await;
    refused(
        &console,
        &["set", "checkout-v2", "on", "--percent", "12.3456"],
        WRONG,
        &["12.3456", "3 decimal places"],
    )
    .await;
    refused(
        &console,
        &["set", "checkout-v2", "on", "-e", "productoin"],
        REFUSED,
        &["productoin", PRODUCTION],
    )
    .await;

    system.operator.delivered(1).await;
    let door = agent.evaluator();
    let on = async |unit: &str| door.boolean("checkout-v2", unit).await.unwrap().value == Some(true);
    assert!(on("user-7").await && !on("user-8").await);
    let quarter = users_on(&door).await;
    assert!((150..350).contains(&quarter.len()), "{} of 1,000", quarter.len());
    // Whoever is in stays in as the share grows; once more the one line, and nothing else changes.
    console.succeeds(&["set", "checkout-v2", "on", "--percent", "50"]).await;
    system.operator.delivered(1).await;
    let half = users_on(&door).await;
    assert!(quarter.iter().all(|user| half.contains(user)));
    assert!(on("user-7").await && !on("user-8").await);
}

/// Which of `unit-0` to `unit-999` are served `true`.
async fn users_on(door: &Evaluator) -> Vec<u32> {
    let mut on = Vec::new();
    for user in 0..1_000 {
        let answer = door.boolean("checkout-v2", &format!("unit-{user}")).await.unwrap();
        on.extend((answer.value == Some(true)).then_some(user));
    }
    on
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_what_all_filters_fit() {
    let system = System::start().await;
    let console = system.console();
    for create in [
        &[
            "create",
            "checkout",
            "--tag",
            "web",
            "--tag",
            "q3",
            "--owner",
            "payments",
            "--flag-set",
            "shop",
        ][..],
        &[
            "create",
            "search",
            "--tag",
            "web",
            "--owner",
            "discovery",
            "--description",
            "Ranks what a shopper finds",
        ],
        &[
            "create",
            "limit",
            "--type",
            "integer",
            "--variant",
            "few=1",
            "--default",
            "few",
        ],
        &["create", "old"],
    ] {
        console.succeeds(create).await;
    }
    console.succeeds(&["archive", "old"]).await;
    for (filter, expected) in [
        (&[][..], &["checkout", "limit", "search"][..]),
        (&["--tag", "web"], &["checkout", "search"]),
        (&["--tag", "web", "--tag", "q3"], &["checkout"]),
        (&["--tag", "web", "--owner", "discovery"], &["search"]),
        (&["--text", "SHOPPER"], &["search"]),
        (&["--type", "integer"], &["limit"]),
        (&["--flag-set", "shop"], &["checkout"]),
        (&["--archived", "only"], &["old"]),
        (&["--archived"], &["checkout", "limit", "old", "search"]),
        (&["--owner", "nobody"], &[]),
    ] {
        let listed = console
            .succeeds(&[&["list", "-o", "json"], filter].concat())
            .await
            .json();
        let listed = listed.as_array().unwrap().iter();
        let keys: Vec<_> = listed.map(|flag| flag["flag"]["key"].as_str().unwrap()).collect();
        assert_eq!(keys, expected, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_shown_compared_and_restored_and_so_is_a_deleted_flag() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["create", "checkout", "--salt", "pepper"]).await;
    console
        .succeeds(&["set", "checkout", "on", "--percent", "25", "--reason", "a quarter"])
        .await;
    let diff = console.run(&["diff", "checkout", "--exit-code"]).await;
    assert_eq!(diff.code, DIFFERS, "{diff:#?}");
    assert!(diff.out.contains("on 25 %"), "{diff:#?}");
    let history = console.succeeds(&["history", "checkout"]).await.out;
    assert!(
        history.contains("a quarter") && history.contains("tester@"),
        "{history}"
    );
    console.succeeds(&["restore", "checkout", "--version", "1"]).await;
    refused(&console, &["restore", "checkout", "--version", "9"], REFUSED, &["9"]).await;

    refused(&console, &["delete", "checkout"], WRONG, &["--yes"]).await;
    let deleted = console.succeeds(&["delete", "checkout", "--yes"]).await;
    let advice = deleted
        .out
        .split("tidegate restore")
        .nth(1)
        .unwrap_or_else(|| panic!("no way back: {deleted:#?}"));
    refused(&console, &["get", "checkout"], REFUSED, &["does not exist"]).await;
    // What it advises is what works, word by word.
    let advice: Vec<_> = ["restore"].into_iter().chain(advice.split_whitespace()).collect();
    console.succeeds(&advice).await;
    assert_eq!(system.operator.get("checkout").await.flag.unwrap().salt, "pepper");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_or_held_is_neither_deleted_nor_archived_and_is_told_by_whom() {
    let system = System::start().await;
    let console = system.console();
    console
        .succeeds(&["segments", "create", "staff", "--include", "ann"])
        .await;
    console.succeeds(&["create", "billing"]).await;
    let reading = "key: checkout\npercent: 5\nprerequisites: {billing: on}\nrules: ['s: in_segment staff -> on']\n";
    assert_eq!(
        console.run_with_input(&["create", "-f", "-"], reading).await.code,
        Some(0)
    );
    for arguments in [
        &["delete", "billing", "--yes"][..],
        &["archive", "billing"],
        &["segments", "delete", "staff", "--yes"],
    ] {
        refused(&console, arguments, REFUSED, &["read by flag checkout"]).await;
    }
    let start = [
        "rollout",
        "start",
        "checkout",
        "--treatment",
        "on",
        "--control",
        "off",
        "--stage",
        "half:50%:1d",
    ];
    console.succeeds(&["set", "checkout", "off"]).await;
    console.succeeds(&start).await;
    for arguments in [&["delete", "checkout", "--yes"][..], &["archive", "checkout"]] {
        refused(&console, arguments, REFUSED, &["checkout#1"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_why_every_rule_did_or_did_not_match_and_no_values_when_redacted() {
    let system = System::start().await;
    let console = system.console();
    let flag = "
key: pricing
variants: {full: full, half: half}
off_variant: full
default: {split: {half: 10%, full: 90%}}
rules:
- 'germans: address.country=DE and seats >= 10 -> half'
- 'staff: email ends_with @example.org -> half'
";
    assert_eq!(console.run_with_input(&["create", "-f", "-"], flag).await.code, Some(0));
    let context = r#"{"targetingKey": "ann", "address": {"country": "DE"}, "seats": 3, "email": "ann@secret.net"}"#;
    let explain = ["explain", "pricing", "--context", context];
    let explained = console.succeeds(&[&explain[..], &["-o", "json"]].concat()).await.json();
    let caller = serde_json::from_str(context).unwrap();
    let served = inspected(&system.operator, PRODUCTION, "pricing", &caller).await;
    assert_eq!(explained["variant"], served.variant);
    assert_eq!(explained["bucket"], json!(served.bucket), "{explained:#}");
    let failed = |rule: usize, field: &str| explained["rules"][rule]["failed"][field].clone();
    assert_eq!(
        (failed(0, "condition"), failed(0, "attribute")),
        (json!(1), json!("seats")),
        "{explained:#}"
    );
    assert_eq!(
        (failed(1, "condition"), failed(1, "attribute")),
        (json!(0), json!("email")),
        "{explained:#}"
    );

    let shown = console.succeeds(&explain).await.out;
    assert!(
        shown.contains("ann@secret.net") && shown.contains("germans") && shown.contains("staff"),
        "{shown}"
    );
    for output in ["table", "json", "yaml"] {
        let redacted = console
            .succeeds(&[&explain[..], &["--redact", "-o", output]].concat())
            .await
            .out;
        assert!(!redacted.contains("secret") && redacted.contains("email"), "{redacted}");
    }
    refused(&console, &["explain", "pricing", "--context", "{"], WRONG, &["context"]).await;
    refused(&console, &["explain", "prising", "-u", "ann"], REFUSED, &["pricing"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_made_changed_and_go_only_when_they_are_empty() {
    let system = System::start().await;
    let console = system.console();
    console
        .succeeds(&[
            "environments",
            "create",
            "qa",
            "--kind",
            "staging",
            "--description",
            "before a release",
        ])
        .await;
    refused(
        &console,
        &["environments", "create", "qa", "--kind", "staging"],
        REFUSED,
        &["qa", "exists already"],
    )
    .await;
    console.succeeds(&["create", "checkout", "-e", "qa"]).await;
    refused(&console, &["environments", "delete", "qa"], WRONG, &["--yes"]).await;
    refused(
        &console,
        &["environments", "delete", "qa", "--yes"],
        REFUSED,
        &["1 flag"],
    )
    .await;
    console.succeeds(&["delete", "checkout", "-e", "qa", "--yes"]).await;
    console.succeeds(&["environments", "delete", "qa", "--yes"]).await;
    refused(&console, &["list", "-e", "qa"], REFUSED, &["qa", PRODUCTION]).await;
    let listed = console.succeeds(&["environments", "-o", "json"]).await.json();
    let listed = listed.as_array().unwrap().iter();
    let keys: Vec<_> = listed.map(|environment| environment["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["development", "staging", PRODUCTION]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_members_come_from_a_file_and_go_again() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["segments", "create", "beta"]).await;
    let member = |number: usize| format!("member-{number:06}");
    let units: Vec<_> = (0..100_000).map(member).collect();
    let path = system.folder().join("members.txt");
    fs::write(&path, units.join("\n")).unwrap();
    let path = path.display().to_string();
    let added = console.succeeds(&["segments", "add", "beta", "-f", &path]).await;
    assert!(
        added.out.contains("100000") || added.out.contains("100,000"),
        "{added:#?}"
    );
    console.succeeds(&["segments", "add", "beta", "ann", "bob"]).await;
    console
        .succeeds(&["segments", "remove", "beta", &member(7), "bob"])
        .await;
    let listed = console.succeeds(&["segments", "members", "beta"]).await.out;
    let expected: Vec<_> = ["ann".to_owned()]
        .into_iter()
        .chain(units.into_iter().filter(|unit| *unit != member(7)))
        .collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let shown = console
        .succeeds(&["segments", "get", "beta", "-o", "json"])
        .await
        .json();
    assert!(shown.to_string().contains("100000"), "{shown:#}");

    let removed = console.succeeds(&["segments", "remove", "beta", "-f", &path]).await;
    assert!(
        removed.out.contains("99999") || removed.out.contains("99,999"),
        "{removed:#?}"
    );
    assert_eq!(console.succeeds(&["segments", "members", "beta"]).await.out, "ann\n");
    refused(&console, &["segments", "add", "betta", "ann"], REFUSED, &["betta"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_scheduled_listed_cancelled_and_made() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["create", "checkout"]).await;
    let tomorrow = [
        "schedule", "set", "checkout", "on", "--in", "1d", "-o", "json", "--reason", "launch",
    ];
    let scheduled = console.succeeds(&tomorrow).await.json();
    let id = scheduled["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{scheduled:#}"))
        .to_owned();
    let listed = console.succeeds(&["schedule", "list"]).await.out;
    assert!(listed.contains(&id) && listed.contains("checkout"), "{listed}");
    console.succeeds(&["schedule", "cancel", &id]).await;
    refused(&console, &["schedule", "cancel", &id], REFUSED, &["cancelled"]).await;
    refused(
        &console,
        &["schedule", "set", "chekout", "on", "--in", "1d"],
        REFUSED,
        &["chekout"],
    )
    .await;
    refused(
        &console,
        &["schedule", "kill", "checkout", "--at", "yesterday"],
        WRONG,
        &["yesterday"],
    )
    .await;
    refused(
        &console,
        &["schedule", "kill", "checkout", "--at", "2020-01-01T00:00:00Z"],
        REFUSED,
        &["past"],
    )
    .await;

    console
        .succeeds(&["schedule", "set", "checkout", "on", "--percent", "50", "--in", "1s"])
        .await;
    wait::until("the change to be made", async || {
        let flag = system.operator.get("checkout").await;
        wait::so(flag.version == 2, flag)
    })
    .await;
    let split = integration_tests::flags::split(&[("on", 50_000), ("off", 50_000)]);
    assert_eq!(
        system.operator.get("checkout").await.flag.unwrap().default_serve,
        Some(split)
    );
}
