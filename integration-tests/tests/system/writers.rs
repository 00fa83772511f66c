//! Several operators write the same flag at once, over gRPC and with the command line: every success is in the history
//! exactly once, every refusal says what is there by now, and nobody's edit is overwritten unseen.

use std::collections::BTreeSet;

use integration_tests::{console::Console, flags, operator::Operator, records, system::System};
use proto::v1::{self, document, value::Kind};
use serde_json::json;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::writing::{PAIR, pair};

/// How many edits each operator makes over gRPC.
const EDITS: u32 = 25;
/// How many commands each operator runs.
const COMMANDS: u32 = 10;

/// What operators have done and been refused.
#[derive(Debug, Default)]
struct Done {
    /// Their marks on the flag, with the revisions where these are told.
    marks: BTreeSet<String>,
    revisions: Vec<u64>,
    writes: usize,
    refused: usize,
}

impl Done {
    fn and(mut self, other: Self) -> Self {
        self.marks.extend(other.marks);
        self.revisions.extend(other.revisions);
        self.writes += other.writes;
        self.refused += other.refused;
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_on_grpc_and_two_on_the_command_line_lose_no_edit_of_one_flag() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    let mut operators = JoinSet::new();
    for operator in 0..2 {
        operators.spawn(edit_over_grpc(system.operator.clone(), operator));
        operators.spawn(edit_by_command(system.console(), operator));
    }
    let done = operators.join_all().await.into_iter().fold(Done::default(), Done::and);
    assert!(done.refused > 0, "nobody met anybody: {done:?}");

    let stored = system.operator.get("checkout").await;
    let flag = stored.flag.unwrap();
    let allowed = flag.allow.iter().flat_map(|list| list.units.iter().cloned());
    let marks: BTreeSet<String> = flag.tags.iter().cloned().chain(allowed).collect();
    assert_eq!(marks, done.marks, "an edit is lost, or one that was refused was made");
    let versions = records::versions(&system.operator, "flag", "checkout").await;
    assert_eq!(versions.len(), 1 + done.writes, "{versions:#?}");
    for revision in &done.revisions {
        let found = versions.iter().filter(|version| version.revision == *revision).count();
        assert_eq!(found, 1, "revision {revision} in {versions:#?}");
    }
    assert_eq!(stored.version as usize, versions.len());
}

/// Reads the flag, adds a tag, and writes it if nobody else has; until all tags are there.
async fn edit_over_grpc(operator: Operator, who: u32) -> Done {
    let mut done = Done::default();
    for edit in 0..EDITS {
        let tag = format!("tag-{who}-{edit}");
        loop {
            let read = operator.get("checkout").await;
            let mut flag = read.flag.unwrap();
            flag.tags.push(tag.clone());
            match operator.try_update(flag, read.revision).await {
                Ok(stored) => {
                    done.revisions.push(stored.revision);
                    break;
                }
                Err(status) => {
                    tells_the_current_revision(&status, "checkout", read.revision);
                    done.refused += 1;
                }
            }
        }
        done.marks.insert(tag);
        done.writes += 1;
    }
    done
}

/// Lets units in, one command after the other.
async fn edit_by_command(console: Console, who: u32) -> Done {
    let mut done = Done::default();
    for command in 0..COMMANDS {
        let unit = format!("unit-{who}-{command}");
        let ran = console.run(&["set", "checkout", "on", "--allow", &unit]).await;
        match ran.code {
            Some(0) => {
                done.marks.insert(unit);
                done.writes += 1;
            }
            // It tries again by itself where that is sound, but not for ever.
            Some(1) => {
                assert!(ran.err.contains("changed"), "{ran:#?}");
                done.refused += 1;
            }
            _ => panic!("{ran:#?}"),
        }
    }
    done
}

/// FAILED_PRECONDITION, about this document, with a revision that is newer than the one that was expected.
fn tells_the_current_revision(status: &Status, key: &str, expected: u64) {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    let details = status.get_error_details();
    let violations = &details
        .precondition_failure()
        .expect("what was violated is told")
        .violations;
    let about = violations.iter().find(|violation| violation.subject == key);
    let about = about.unwrap_or_else(|| panic!("nothing about {key}: {violations:?}"));
    assert_eq!(about.r#type, "REVISION", "{violations:?}");
    let current = about.description.split("at revision ").nth(1);
    let current = current.and_then(|rest| rest.split(',').next()?.parse::<u64>().ok());
    assert!(current.is_some_and(|current| current > expected), "{violations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_in_two_flags_that_four_operators_apply_at_once_miss_no_step() {
    let system = System::start().await;
    records::try_apply(&system.operator, pair(0)).await.unwrap();
    let mut operators = JoinSet::new();
    for _ in 0..4 {
        operators.spawn(count(system.operator.clone()));
    }
    let refused: u32 = operators.join_all().await.into_iter().sum();
    assert!(refused > 0, "nobody met anybody");
    for key in PAIR {
        let stored = system.operator.get(key).await;
        assert_eq!(number_of(&stored), 4 * i64::from(EDITS), "{stored:?}");
        let versions = records::versions(&system.operator, "flag", key).await;
        assert_eq!(versions.len(), 1 + 4 * EDITS as usize, "{versions:#?}");
    }
}

/// Reads both flags, adds one to both, and writes both or neither; so many times. How often it was refused.
async fn count(operator: Operator) -> u32 {
    let (mut made, mut refused) = (0, 0);
    while made < EDITS {
        let left = operator.get(PAIR[0]).await;
        let right = operator.get(PAIR[1]).await;
        let read = [left.revision, right.revision];
        let next = pair(number_of(&left).min(number_of(&right)) + 1);
        let documents = next
            .into_iter()
            .zip(read)
            .map(|(flag, expected_revision)| v1::Document {
                kind: Some(document::Kind::Flag(flag)),
                expected_revision,
            });
        match records::try_apply_documents(&operator, documents.collect()).await {
            Ok(applied) => {
                assert!(
                    applied.results.iter().all(|result| result.revision > read[0]),
                    "{applied:?}"
                );
                made += 1;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
                assert!(status.message().contains("read it again"), "{status}");
                refused += 1;
            }
        }
    }
    refused
}

fn number_of(stored: &v1::StoredFlag) -> i64 {
    match stored.flag.as_ref().unwrap().variants["value"].kind {
        Some(Kind::Integer(number)) => number,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_two_operators_apply_at_once_are_each_written_whole_and_once() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    let mut operators = JoinSet::new();
    for who in ["ann", "bob"] {
        let (console, folder) = (system.console(), system.folder().to_owned());
        operators.spawn(async move {
            let mut updated = 0;
            for number in 0..COMMANDS {
                let file = folder.join(format!("{who}.json"));
                let text = format!("{who} {number}");
                let document = json!({"key": "checkout", "type": "boolean", "description": text, "owner": text});
                std::fs::write(&file, document.to_string()).unwrap();
                let ran = console
                    .succeeds(&["apply", "-f", file.to_str().unwrap(), "-o", "json"])
                    .await;
                let results = ran.json();
                assert_eq!(results["results"].as_array().unwrap().len(), 1, "{ran:#?}");
                assert_eq!(results["results"][0]["action"], "updated", "{ran:#?}");
                updated += 1;
            }
            updated
        });
    }
    let updated: usize = operators.join_all().await.into_iter().sum();
    let versions = records::versions(&system.operator, "flag", "checkout").await;
    assert_eq!(versions.len(), 1 + updated, "{versions:#?}");
    for version in 2..=u32::try_from(versions.len()).unwrap() {
        let stored = records::flag_version(&system.operator, "checkout", version).await;
        let flag = stored.flag.unwrap();
        assert_eq!(flag.description, flag.owner, "a mix of two files");
    }
    let last = system.operator.get("checkout").await.flag.unwrap().description;
    assert!(last.ends_with(&(COMMANDS - 1).to_string()), "{last}");
}
