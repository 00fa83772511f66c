//! Configuration as files: applied, exported, copied, brought in from elsewhere; what is wrong is said with its place.

use std::fs;

use integration_tests::{
    answers::inspected,
    console::{Console, Ran},
    system::{PRODUCTION, System},
};
use serde_json::{Value, json};

const REFUSED: Option<i32> = Some(1);
const WRONG: Option<i32> = Some(2);
const DIFFERS: Option<i32> = Some(5);
const STAGING: &str = "staging";

const FLAGS: &str = "
# A percentage flag is one field.
key: checkout-v2
owner: payments
tags: [web]
percent: 25
allow: [user-7]
deny: [user-8]
---
key: search
variants: {classic: bm25, hybrid: h1, neural: n3}
off_variant: classic
default: {split: {neural: 10%, hybrid: 22.5%, classic: 67.5%}}
bucket_by: [accountId, targetingKey]
---
key: pricing
type: float
variants: {full: 1, half: 0.5}
off_variant: full
default: full
prerequisites: {checkout-v2: on}
rules:
- 'partners: in_segment partners -> half'
";
const SEGMENTS: &str = "
kind: segment
key: partners
included: [firm-1, firm-2]
excluded: [firm-3]
any_of:
- {attribute: contract, equals: partner}
";

/// A folder of files to apply.
fn files(system: &System) -> String {
    let folder = system.folder().join("files");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("flags.yaml"), FLAGS).unwrap();
    fs::write(folder.join("segments.yaml"), SEGMENTS).unwrap();
    folder.display().to_string()
}

fn file(system: &System, name: &str, text: &str) -> String {
    let path = system.folder().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

async fn revision(system: &System) -> u64 {
    system.operator.list().await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_applied_once_and_what_is_not_in_it_goes_only_when_told() {
    let system = System::start().await;
    let console = system.console();
    let folder = files(&system);
    let empty = revision(&system).await;
    let dry = console.run(&["apply", "-f", &folder, "--dry-run", "--exit-code"]).await;
    assert_eq!(dry.code, DIFFERS, "{dry:#?}");
    assert!(
        dry.out.contains("+ flag checkout-v2") && dry.out.contains("nothing was written"),
        "{dry:#?}"
    );
    assert_eq!(revision(&system).await, empty);

    let applied = console.succeeds(&["apply", "-f", &folder]).await;
    assert!(applied.out.contains("4 created"), "{applied:#?}");
    let written = revision(&system).await;
    let again = console.succeeds(&["apply", "-f", &folder]).await;
    assert!(
        again.out.contains("4 unchanged") && again.out.contains("nothing to do"),
        "{again:#?}"
    );
    console
        .succeeds(&["apply", "-f", &folder, "--dry-run", "--exit-code"])
        .await;
    assert_eq!(revision(&system).await, written, "an equal apply writes nothing");

    console.succeeds(&["create", "stray"]).await;
    console.succeeds(&["set", "checkout-v2", "on", "--percent", "50"]).await;
    console.succeeds(&["kill", "checkout-v2"]).await;
    let before = revision(&system).await;
    let prune = ["apply", "-f", &folder, "--prune"];
    let asked = console.run(&prune).await;
    assert_eq!(asked.code, WRONG, "nobody is there to answer: {asked:#?}");
    assert!(asked.err.contains("--yes"), "{asked:#?}");
    assert_eq!(
        revision(&system).await,
        before,
        "a prune that was not confirmed writes nothing"
    );
    let pruned = console.succeeds(&[&prune[..], &["--yes"]].concat()).await;
    assert!(
        pruned.out.contains("- flag stray") && pruned.out.contains("~ flag checkout-v2"),
        "{pruned:#?}"
    );
    let keys: Vec<_> = system
        .operator
        .list()
        .await
        .0
        .into_iter()
        .map(|flag| flag.flag.unwrap().key)
        .collect();
    assert_eq!(keys, ["checkout-v2", "pricing", "search"]);
    let checkout = system.operator.get("checkout-v2").await.flag.unwrap();
    assert!(checkout.killed, "a document revives nobody: {checkout:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_applied_elsewhere_is_the_same_export_there() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["apply", "-f", &files(&system)]).await;
    // Grown, so that its ranges are not those of a fresh split.
    for percent in ["30", "10", "55"] {
        console
            .succeeds(&["set", "search", "neural", "--percent", percent, "--rest", "classic"])
            .await;
    }
    for format in ["yaml", "json"] {
        let exported = console.succeeds(&["export", "-o", format]).await.out;
        let path = file(&system, &format!("all.{format}"), &exported);
        console.succeeds(&["apply", "-f", &path, "-e", STAGING]).await;
        assert_eq!(
            console.succeeds(&["export", "-e", STAGING, "-o", format]).await.out,
            exported
        );
        console
            .succeeds(&["apply", "-f", &path, "--dry-run", "--exit-code"])
            .await;
    }
    let folder = system.folder().join("exported");
    console
        .succeeds(&["export", "--folder", &folder.display().to_string()])
        .await;
    let development = ["apply", "-e", "development", "-f", &folder.display().to_string()];
    console.succeeds(&development).await;
    let same = [
        "diff",
        "-e",
        "development",
        "--to-environment",
        PRODUCTION,
        "--exit-code",
    ];
    console.succeeds(&same).await;
    served_alike(&system, "search", STAGING, PRODUCTION).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_shown_made_and_keeps_every_bucket() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["apply", "-e", STAGING, "-f", &files(&system)]).await;
    let diff = ["diff", "-e", STAGING, "--to-environment", PRODUCTION, "--exit-code"];
    let differs = console.run(&diff).await;
    assert_eq!(differs.code, DIFFERS, "{differs:#?}");
    let copy = ["copy", "--from", STAGING, "--to", PRODUCTION];
    let incomplete = console.run(&[&copy[..], &["pricing"]].concat()).await;
    assert_eq!(incomplete.code, REFUSED, "what it reads is not there: {incomplete:#?}");
    assert!(
        incomplete.err.contains("checkout-v2") && incomplete.err.contains("partners"),
        "{incomplete:#?}"
    );
    let before = revision(&system).await;
    console.succeeds(&[&copy[..], &["--all", "--dry-run"]].concat()).await;
    assert_eq!(revision(&system).await, before);
    console.succeeds(&[&copy[..], &["--all"]].concat()).await;
    console.succeeds(&diff).await;
    for key in ["search", "checkout-v2", "pricing"] {
        served_alike(&system, key, STAGING, PRODUCTION).await;
    }
}

/// Everybody is served the same in two environments.
async fn served_alike(system: &System, key: &str, one: &str, other: &str) {
    for user in 0..100 {
        let caller = json!({ "targetingKey": format!("user-{user}"), "contract": "partner" });
        let (one, other) = (
            inspected(&system.operator, one, key, &caller).await,
            inspected(&system.operator, other, key, &caller).await,
        );
        assert_eq!(one, other, "{key} for user-{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_documents_than_one_transaction_holds_go_in_parts_of_one_changeset() {
    let system = System::start().await;
    let console = system.console();
    let waits = |number: usize| match number {
        // Each part reads what stands in another, whatever the order.
        0 => String::new(),
        number => format!("prerequisites: {{flag-{}: on}}\n", number % 10 * (number / 100)),
    };
    let documents: Vec<_> = (0..130)
        .map(|number| format!("key: flag-{number}\npercent: 5\n{}", waits(number)))
        .collect();
    let path = file(&system, "many.yaml", &documents.join("---\n"));
    let applied = console.succeeds(&["apply", "-f", &path, "-o", "json"]).await.json();
    assert_eq!(applied["results"].as_array().unwrap().len(), 130, "{applied:#}");
    let records = system.operator.audit("").await;
    let changeset = applied["changeset"].as_str().unwrap();
    let joined = records.iter().filter(|record| record.changeset == changeset);
    assert_eq!(joined.count(), 130);
    let again = console.succeeds(&["apply", "-f", &path]).await;
    assert!(again.out.contains("130 unchanged"), "{again:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_in_files_is_said_at_once_with_its_place() {
    let system = System::start().await;
    let console = system.console();
    let before = revision(&system).await;
    let wrong = "key: a
percent: 12.3456
colour: red
---
key: a
percent: 101
---
key: b
variants: {x: 1, y: 2}
default: {split: {x: 50%, y: 49.999%}}
rules:
- {name: r, conditions: [{attribute: n, less: five}], serve: z}
";
    let path = file(&system, "wrong.yaml", wrong);
    let ran = console.run(&["apply", "-f", &path]).await;
    assert_eq!(ran.code, WRONG, "{ran:#?}");
    for (place, words) in [
        ("2:10", "3 decimal places"),
        ("3:1", "colour"),
        ("5:1", "flag a is written twice"),
        ("6:10", "100"),
        ("10:18", "99.999 %"),
        ("12:", "a number"),
        ("12:", "`z`"),
    ] {
        let said = ran
            .err
            .lines()
            .any(|line| line.contains(&format!("wrong.yaml:{place}")) && line.contains(words));
        assert!(said, "{place} {words}: {ran:#?}");
    }
    assert!(ran.err.contains("nothing was written"), "{ran:#?}");
    for (name, text, words) in [
        ("twice.yaml", "key: a\npercent: 5\npercent: 6\n", "twice.yaml:3:1"),
        (
            "twice.json",
            r#"{"key": "a", "percent": 5, "percent": 6}"#,
            "twice.json:1:28",
        ),
        ("torn.json", r#"{"key": "a", "#, "torn.json"),
        ("empty.yaml", "", "no documents"),
        ("list.yaml", "- 1\n- 2\n", "list.yaml:1:3"),
        ("bytes.yaml", "key: \u{0}\n", "bytes.yaml"),
    ] {
        let path = file(&system, name, text);
        let ran = console.run(&["apply", "-f", &path]).await;
        assert_eq!(ran.code, WRONG, "{name}: {ran:#?}");
        assert!(ran.err.contains(words), "{name}: {ran:#?}");
        assert!(
            !ran.err.contains("DuplicateKeyPolicy") && !ran.err.contains("panicked"),
            "{name}: {ran:#?}"
        );
    }
    // Only the control plane knows what else is there.
    let reading = "key: a\npercent: 5\nprerequisites: {nowhere: on}\nrules:\n- 'r: in_segment gamma -> on'\n";
    let path = file(&system, "reading.yaml", reading);
    let ran = console.run(&["apply", "-f", &path]).await;
    assert_eq!(ran.code, REFUSED, "{ran:#?}");
    assert!(ran.err.contains("nowhere") && ran.err.contains("gamma"), "{ran:#?}");
    assert_eq!(revision(&system).await, before, "nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_of_flagd_serve_what_they_served_before_or_are_refused_with_their_place() {
    let system = System::start().await;
    let console = system.console();
    let flagd = json!({
        "flags": {
            "welcome": {
                "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                "targeting": {"if": [{"or": [{"$ref": "staff"}, {"in": [{"var": "country"}, ["CH", "AT"]]}]}, "on"]}
            },
            "colour": {
                "state": "ENABLED", "variants": {"red": "#c00", "blue": "#00c", "green": "#0c0"}, "defaultVariant": "red",
                "targeting": {"if": [
                    {"sem_ver": [{"var": "app.version"}, ">=", "2.1.0"]}, "blue",
                    {"starts_with": [{"var": "email"}, "admin@"]}, "green"
                ]}
            },
            // As flagd has it since 2024: murmur3 over the text, times the sum of the weights, shifted by 32 bits.
            "split": {
                "state": "ENABLED", "variants": {"small": 10, "large": 100}, "defaultVariant": "small",
                "targeting": {"fractional": [{"cat": ["split:", {"var": "accountId"}]}, ["small", 75], ["large", 25]]}
            },
            "gone": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}
        },
        "$evaluators": {"staff": {"ends_with": [{"var": "email"}, "@example.org"]}}
    });
    let path = file(&system, "flags.flagd.json", &flagd.to_string());
    console.succeeds(&["import", "flagd", &path]).await;
    for (flag, context, expected) in [
        ("welcome", json!({"email": "ann@example.org"}), json!(true)),
        (
            "welcome",
            json!({"email": "ann@example.com", "country": "CH"}),
            json!(true),
        ),
        ("welcome", json!({"country": "DE"}), json!(false)),
        ("welcome", json!({}), json!(false)),
        ("colour", json!({"app": {"version": "2.1.0"}}), json!("#00c")),
        (
            "colour",
            json!({"app": {"version": "2.0.9"}, "email": "admin@example.com"}),
            json!("#0c0"),
        ),
        ("colour", json!({"app": {"version": "new"}}), json!("#c00")),
        // The hash of "split:acct-..." decides: 0..75,000 of 100,000 small, the rest large.
        ("split", json!({"accountId": "acct-1"}), bucketed("split:acct-1")),
        ("split", json!({"accountId": "acct-2"}), bucketed("split:acct-2")),
        ("split", json!({"accountId": "acct-3"}), bucketed("split:acct-3")),
        ("split", json!({"accountId": "acct-4"}), bucketed("split:acct-4")),
        ("split", json!({"accountId": "acct-5"}), bucketed("split:acct-5")),
    ] {
        assert_eq!(
            served(&console, flag, &context).await["value"],
            expected,
            "{flag} for {context}"
        );
    }
    assert_eq!(served(&console, "gone", &json!({})).await["reason"], "DISABLED");
    unmappable_flags_are_refused(&system, &console).await;
}

/// What flagd served: its hash, written a second time.
fn bucketed(text: &str) -> Value {
    let bucket = (u64::from(murmur3(text.as_bytes())) * 100_000) >> 32;
    json!(if bucket < 75_000 { 10 } else { 100 })
}

/// MurmurHash3 x86 32 with seed 0 (A. Appleby, SMHasher).
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |word: u32| word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, tail) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(0_u32, |hash, word| {
        (hash ^ mix(u32::from_le_bytes(*word)))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64)
    });
    let tail = tail
        .iter()
        .rev()
        .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
    hash ^= mix(tail) ^ bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

async fn served(console: &Console, flag: &str, context: &Value) -> Value {
    let context = context.to_string();
    let evaluated = console
        .succeeds(&["evaluate", flag, "--context", &context, "-o", "json"])
        .await;
    evaluated.json()
}

async fn unmappable_flags_are_refused(system: &System, console: &Console) {
    let before = revision(system).await;
    let flagd = r#"{"flags": {
  "fine": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
  "odd": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
    "targeting": {"if": [{"==": [{"%": [{"var": "n"}, 2]}, 0]}, "on", "off"]}}
}}"#;
    let path = file(system, "odd.flagd.json", flagd);
    let refused = console.run(&["import", "flagd", &path]).await;
    assert_eq!(refused.code, WRONG, "{refused:#?}");
    for words in [
        "odd.flagd.json:4:",
        "flags.odd.targeting",
        "`%`",
        "nothing was written",
        "--skip-unmappable",
    ] {
        assert!(refused.err.contains(words), "{words}: {refused:#?}");
    }
    assert_eq!(revision(system).await, before);
    console.succeeds(&["import", "flagd", &path, "--skip-unmappable"]).await;
    system.operator.get("fine").await;
    assert!(system.operator.try_get("odd").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_the_words_people_bring_are_mapped() {
    let system = System::start().await;
    let console = system.console();
    let words = "
key: checkout
rollout_type: percentage
rollout_percentage: 25
whitelist: [ann]
blacklist: [bob]
---
key: staff-only
rollout_type: whitelist
whitelist: [ann]
";
    let path = file(&system, "words.yaml", words);
    console.succeeds(&["import", "simple", &path]).await;
    let checkout = system.operator.get("checkout").await.flag.unwrap();
    let split = integration_tests::flags::split(&[("on", 25_000), ("off", 75_000)]);
    assert_eq!(checkout.default_serve, Some(split));
    assert_eq!(checkout.deny, ["bob"]);
    for (flag, unit, on) in [
        ("checkout", "ann", true),
        ("checkout", "bob", false),
        ("staff-only", "ann", true),
        ("staff-only", "eve", false),
    ] {
        assert_eq!(
            served(&console, flag, &json!({ "targetingKey": unit })).await["value"],
            on,
            "{flag} for {unit}"
        );
    }
    let wrong: Ran = console
        .run(&[
            "import",
            "simple",
            &file(&system, "bad.yaml", "key: a\nrollout_percentage: 101\n"),
        ])
        .await;
    assert_eq!(wrong.code, WRONG, "{wrong:#?}");
    assert!(wrong.err.contains("bad.yaml:2:21"), "{wrong:#?}");
}
