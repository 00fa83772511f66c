//! Files become an environment and an environment becomes files: read whole, written in parts, the same again.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs};

use proto::v1::{self, condition::Test, document::Kind};
use tonic::{Response, Status};

use crate::fake::{Answer, Fake, State};

/// Writes all documents or none, as the real one does; `poison` is refused.
pub(crate) fn apply(state: &mut State, asked: v1::ApplyRequest) -> Answer<v1::ApplyResponse> {
    let names: Vec<String> = asked.documents.iter().map(|document| name(document).key).collect();
    state.asked.push(format!(
        "apply {} {:?} {}",
        names.len(),
        asked.changeset,
        asked.validate_only
    ));
    if names.len() > 50 {
        return Err(Status::invalid_argument("at most 50 documents"));
    }
    for document in &asked.documents {
        check(state, document, &names)?;
    }
    let results = asked
        .documents
        .into_iter()
        .map(|document| write(state, document, asked.validate_only))
        .collect();
    Ok(Response::new(v1::ApplyResponse {
        results,
        changeset: "one-changeset".into(),
    }))
}

fn name(document: &v1::Document) -> v1::DocumentName {
    let name = |kind: v1::DocumentKind, key: &str| v1::DocumentName {
        kind: kind.into(),
        key: key.into(),
    };
    match document.kind.as_ref().unwrap() {
        Kind::Flag(flag) => name(v1::DocumentKind::Flag, &flag.key),
        Kind::Segment(segment) => name(v1::DocumentKind::Segment, &segment.key),
        Kind::Deleted(name) => name.clone(),
    }
}

/// Everything that a flag reads must be there, or come with it.
fn check(state: &State, document: &v1::Document, names: &[String]) -> Result<(), Status> {
    let Some(Kind::Flag(flag)) = &document.kind else {
        return Ok(());
    };
    if flag.key.contains("poison") {
        return Err(Status::failed_precondition("poison#1 holds the flag"));
    }
    let mut reads: Vec<&String> = flag.prerequisites.iter().map(|one| &one.flag).collect();
    for condition in flag.rules.iter().flat_map(|rule| &rule.conditions) {
        if let Some(Test::InSegment(test)) = &condition.test {
            reads.extend(&test.segments);
        }
    }
    let there = |key: &String| names.contains(key) || state.flags.contains_key(key) || state.segments.contains_key(key);
    match reads.into_iter().find(|key| !there(key)) {
        Some(key) => Err(Status::invalid_argument(format!(
            "{} reads {key}, which is not there",
            flag.key
        ))),
        None => Ok(()),
    }
}

fn write(state: &mut State, document: v1::Document, validate_only: bool) -> v1::DocumentResult {
    let name = name(&document);
    let action = |before: Option<bool>| match before {
        None => v1::DocumentAction::Created,
        Some(true) => v1::DocumentAction::Unchanged,
        Some(false) => v1::DocumentAction::Updated,
    };
    let action = match document.kind.unwrap() {
        Kind::Flag(flag) => {
            let before = state
                .flags
                .get(&flag.key)
                .map(|stored| stored.flag.as_ref() == Some(&flag));
            if !validate_only && before != Some(true) {
                state.revision += 1;
                let stored = v1::StoredFlag {
                    flag: Some(flag.clone()),
                    revision: state.revision,
                    ..Default::default()
                };
                state.flags.insert(flag.key, stored);
            }
            action(before)
        }
        Kind::Segment(mut segment) => {
            let present = state.segments.get(&segment.key).cloned();
            if let Some(present) = &present
                && segment.included.is_empty()
                && segment.excluded.is_empty()
            {
                (segment.included, segment.excluded) = (present.included.clone(), present.excluded.clone());
            }
            if !validate_only {
                state.segments.insert(segment.key.clone(), segment.clone());
            }
            action(present.map(|present| present == segment))
        }
        Kind::Deleted(name) => {
            if !validate_only {
                state.flags.remove(&name.key);
                state.segments.remove(&name.key);
            }
            v1::DocumentAction::Deleted
        }
    };
    v1::DocumentResult {
        name: Some(name),
        action: action.into(),
        ..Default::default()
    }
}

fn everything(fake: &Fake) -> (BTreeMap<String, v1::Flag>, BTreeMap<String, v1::Segment>) {
    let state = fake.state();
    let flags = state
        .flags
        .iter()
        .map(|(key, stored)| (key.clone(), stored.flag.clone().unwrap()))
        .collect();
    (flags, state.segments.clone())
}

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flags.yaml");

#[tokio::test]
async fn an_export_applied_to_an_empty_environment_is_the_same() {
    let fake = Fake::start().await;
    let applied = fake.run(&["apply", "-f", EXAMPLE]).await;
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied
            .out
            .ends_with("7 created, 0 updated, 0 deleted, 0 unchanged in production\n"),
        "{applied:?}"
    );
    let again = fake.run(&["apply", "-f", EXAMPLE]).await;
    assert_eq!(again.out, "7 unchanged in production: nothing to do\n", "{again:?}");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    for format in ["yaml", "json"] {
        let text = fake.run(&["export", "-o", format]).await;
        assert_eq!(text.code, 0, "{text:?}");
        let other = Fake::start().await;
        let applied = other.run_with_input(&["apply", "-f", "-"], &text.out).await;
        assert_eq!(applied.code, 0, "{applied:?}");
        assert_eq!(everything(&other), everything(&fake), "{format}");

        let files = format!("{folder}/{format}");
        assert_eq!(fake.run(&["export", "-o", format, "--folder", &files]).await.code, 0);
        let other = Fake::start().await;
        assert_eq!(other.run(&["apply", "-f", &files]).await.code, 0);
        assert_eq!(everything(&other), everything(&fake), "{format}");
    }
    let one = fake.run(&["export", "retries"]).await;
    assert!(
        one.out.starts_with("kind: flag\nkey: retries\n") && !one.out.contains("---"),
        "{one:?}"
    );
    let missing = fake.run(&["export", "gone", "--segment", "none"]).await;
    assert_eq!(
        (missing.code, missing.err.as_str()),
        (1, "error: no segment none in production\n")
    );
}

#[tokio::test]
async fn with_one_thing_wrong_anywhere_nothing_is_written() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), "key: a\n---\nkey: b\ncolour: red\n").unwrap();
    fs::write(folder.path().join("b.json"), "{\"key\": \"c\", \"percent\": 250}").unwrap();
    let refused = fake.run(&["apply", "-f", folder.path().to_str().unwrap()]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("a.yaml:4:1: colour: no such field"), "{refused:?}");
    assert!(
        refused
            .err
            .contains("b.json:1:25: percent: \"250\": a percentage lies between 0 and 100"),
        "{refused:?}"
    );
    assert!(refused.err.ends_with("nothing was written\n"), "{refused:?}");
    assert!(fake.state().asked.is_empty());
    let empty = fake
        .run_with_input(&["apply", "-f", "-", "--prune", "--yes"], "# nothing\n")
        .await;
    assert_eq!(
        (empty.code, empty.err.as_str()),
        (2, "error: no documents in the files\n")
    );
}

/// Flags in a row, each needing the next; the last reads a segment.
fn chain(count: usize) -> String {
    let flag = |at: usize| match at + 1 {
        next if next < count => format!("key: f{at:03}\nprerequisites: {{f{next:03}: on}}\n---\n"),
        _ => format!("key: f{at:03}\nrules: ['s: in_segment seg -> on']\n---\n"),
    };
    (0..count)
        .map(flag)
        .chain(["kind: segment\nkey: seg\nincluded: [u]\n".into()])
        .collect()
}

#[tokio::test]
async fn parts_are_written_in_an_order_that_works() {
    let fake = Fake::start().await;
    let text = chain(120);
    let dry = fake.run_with_input(&["apply", "-f", "-", "--dry-run"], &text).await;
    assert!(fake.state().flags.is_empty());
    let applied = fake.run_with_input(&["apply", "-f", "-"], &text).await;
    assert_eq!(applied.code, 0, "{applied:?}\n{dry:?}");
    let state = fake.state();
    assert_eq!((state.flags.len(), state.segments.len()), (120, 1));
    let parts: Vec<&String> = state.asked.iter().filter(|asked| asked.ends_with("false")).collect();
    assert_eq!(
        parts,
        [
            "apply 50 \"\" false",
            "apply 50 \"one-changeset\" false",
            "apply 21 \"one-changeset\" false"
        ]
    );
}

#[tokio::test]
async fn a_dry_run_of_many_brings_along_what_its_parts_read() {
    let fake = Fake::start().await;
    let flags: String = (0..130)
        .map(|at| format!("- {{key: f{at}, prerequisites: {{base: on}}, rules: ['s: in_segment seg -> on']}}\n"))
        .collect();
    let text = format!("- {{key: base}}\n- {{key: seg, members: [u]}}\n{flags}");
    let dry = fake
        .run_with_input(&["apply", "-f", "-", "--dry-run", "--exit-code"], &text)
        .await;
    assert_eq!(dry.code, 5, "{dry:?}");
    assert!(
        dry.out
            .ends_with("132 to create, 0 to update, 0 to delete, 0 unchanged in production; nothing was written\n"),
        "{dry:?}"
    );
    assert!(fake.state().flags.is_empty());
}

#[tokio::test]
async fn an_apply_that_ended_half_way_says_so_and_goes_on() {
    let fake = Fake::start().await;
    let flags = |names: &[&str]| -> String { names.iter().map(|key| format!("- {{key: {key}}}\n")).collect() };
    let many: Vec<String> = (0..60).map(|at| format!("f{at:02}")).collect();
    let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
    names.push("poison");
    let refused = fake.run_with_input(&["apply", "-f", "-"], &flags(&names)).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("poison#1 holds the flag"), "{refused:?}");
    assert!(
        refused.err.contains(
            "50 of 61 documents are as the files say, of which 50 were written under changeset one-changeset"
        ),
        "{refused:?}"
    );
    assert!(refused.err.contains("run it again to go on"), "{refused:?}");
    names.pop();
    let rest = fake.run_with_input(&["apply", "-f", "-"], &flags(&names)).await;
    assert!(
        rest.out
            .ends_with("10 created, 0 updated, 0 deleted, 50 unchanged in production\n"),
        "{rest:?}"
    );
}

#[tokio::test]
async fn a_prune_deletes_only_what_it_was_told_to() {
    let fake = Fake::start().await;
    let all =
        "- {key: a, flag_set: shop}\n- {key: b, flag_set: shop, tags: [old]}\n- {key: c}\n- {key: s, members: [u]}\n";
    fake.run_with_input(&["apply", "-f", "-"], all).await;
    let only_a = "- {key: a, flag_set: shop}\n";
    let asked = fake.run_with_input(&["apply", "-f", "-", "--prune"], only_a).await;
    assert_eq!(asked.code, 2, "nobody is at a terminal: {asked:?}");
    assert!(
        asked.err.contains("add --yes") && asked.err.contains("  - flag b\n"),
        "{asked:?}"
    );
    assert_eq!(fake.state().flags.len(), 3);
    let set = fake
        .run_with_input(&["apply", "-f", "-", "--prune", "--flag-set", "shop", "--yes"], only_a)
        .await;
    assert!(
        set.out.contains("- flag b (deleted)") && !set.out.contains("segment"),
        "{set:?}"
    );
    let keys = || fake.state().flags.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(), ["a", "c"]);
    let rest = fake
        .run_with_input(&["apply", "-f", "-", "--prune", "--yes"], only_a)
        .await;
    assert!(
        rest.out
            .ends_with("0 created, 0 updated, 2 deleted, 1 unchanged in production\n"),
        "{rest:?}"
    );
    assert_eq!((keys(), fake.state().segments.len()), (vec!["a".to_owned()], 0));
}

#[tokio::test]
async fn many_members_follow_their_segment_in_parts() {
    let fake = Fake::start().await;
    let document = |from: usize, to: usize| -> String {
        let units = (from..to).map(|at| format!("- unit-{at:08}-{}\n", "x".repeat(60)));
        format!("key: large\nincluded:\n{}", units.collect::<String>())
    };
    let applied = fake.run_with_input(&["apply", "-f", "-"], &document(0, 20_000)).await;
    assert!(
        applied.out.contains("~ members of large: 20,000 added, 0 removed"),
        "{applied:?}"
    );
    assert_eq!(fake.state().segments["large"].included.len(), 20_000);
    let moved = fake.run_with_input(&["apply", "-f", "-"], &document(100, 20_100)).await;
    assert!(
        moved.out.contains("~ members of large: 100 added, 100 removed"),
        "{moved:?}"
    );
    let again = fake.run_with_input(&["apply", "-f", "-"], &document(100, 20_100)).await;
    assert_eq!(again.out, "1 unchanged in production: nothing to do\n", "{again:?}");
}

#[tokio::test]
async fn what_other_systems_wrote_is_imported_or_refused_whole() {
    let fake = Fake::start().await;
    let flagd = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flags.flagd.json");
    let dry = fake.run(&["import", "flagd", flagd, "--dry-run"]).await;
    assert!(
        dry.out.starts_with("kind: flag\nkey: new-welcome\n") && fake.state().flags.is_empty(),
        "{dry:?}"
    );
    let imported = fake.run(&["import", "auto", flagd]).await;
    assert!(
        imported
            .out
            .ends_with("5 created, 0 updated, 0 deleted, 0 unchanged in production\n"),
        "{imported:?}"
    );
    let partly = r#"{"flags": {
        "good": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"},
        "odd": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"map": []}}}}"#;
    let refused = fake.run_with_input(&["import", "flagd", "-"], partly).await;
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .contains("-:3:76: flags.odd.targeting.map: operator `map` does not map to a rule"),
        "{refused:?}"
    );
    assert!(refused.err.contains("--skip-unmappable"), "{refused:?}");
    let skipped = fake
        .run_with_input(&["import", "flagd", "-", "--skip-unmappable"], partly)
        .await;
    assert!(
        skipped.code == 0 && skipped.err.contains("note: skipped: -:3:76"),
        "{skipped:?}"
    );
    let simple = "- {name: rolled, rollout_type: percentage, rollout_percentage: 25}\n";
    let simple = fake
        .run_with_input(&["import", "simple", "-", "--flag-set", "shop"], simple)
        .await;
    assert!(simple.code == 0 && simple.err.contains("note: -:1:"), "{simple:?}");
    assert_eq!(fake.flag("rolled").flag_set, "shop");
}
