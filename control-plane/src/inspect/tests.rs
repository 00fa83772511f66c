#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Condition, Context, Prerequisite, Rule, Serve, Test};

use super::*;
use crate::{
    builders::{flag, key, production},
    trial::Trial,
};

/// Serves new to whoever is in a segment.
fn for_segment(name: &str, segment: &str) -> Flag {
    let condition = Condition {
        attribute: String::new(),
        test: Test::InSegment(vec![segment.to_owned()]),
        negated: false,
    };
    Flag {
        rules: vec![Rule {
            name: "segment".to_owned(),
            conditions: vec![condition],
            serve: Serve::Variant("new".to_owned()),
            salt: String::new(),
        }],
        ..flag(name)
    }
}

fn segment(name: &str, included: &[&str], groups: Vec<Vec<Condition>>) -> evaluation::Segment {
    evaluation::Segment {
        key: key(name),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: included.iter().map(|unit| (*unit).to_owned()).collect(),
        excluded: Vec::new(),
        groups,
    }
}

async fn variant(trial: &Trial, name: &str, unit: &str, revision: Option<u64>) -> Result<String, InspectError> {
    let documents = documents(&trial.truth, &production(), &key(name), revision).await?;
    let snapshot = documents.snapshot()?;
    let context = Context::new().with_targeting_key(unit);
    let decision = snapshot.flag(name).unwrap().evaluate(&snapshot, &context);
    Ok(decision.variant.unwrap_or("none").to_owned())
}

#[tokio::test]
async fn all_that_a_flag_reads_is_there_and_nothing_else() {
    let trial = Trial::new().await;
    let condition = Condition {
        attribute: String::new(),
        test: Test::InSegment(vec!["inner".to_owned()]),
        negated: false,
    };
    trial.write_segment(segment("inner", &["ada"], Vec::new())).await;
    trial.write_segment(segment("outer", &[], vec![vec![condition]])).await;
    trial.write(for_segment("first", "outer")).await;
    let mut second = for_segment("second", "inner");
    second.prerequisites = vec![Prerequisite {
        flag: "first".to_owned(),
        variants: vec!["new".to_owned()],
    }];
    second.off_variant = Some("old".to_owned());
    trial.write(second).await;
    trial.write(flag("elsewhere")).await;
    for revision in [None, Some(trial.truth.state().revision)] {
        let documents = documents(&trial.truth, &production(), &key("second"), revision)
            .await
            .unwrap();
        let snapshot = documents.snapshot().unwrap();
        assert_eq!(snapshot.index().len(), 4);
        assert_eq!(variant(&trial, "second", "ada", revision).await.unwrap(), "new");
        assert_eq!(variant(&trial, "second", "ben", revision).await.unwrap(), "old");
    }
}

#[tokio::test]
async fn an_old_revision_answers_as_it_did_then() {
    let trial = Trial::new().await;
    let empty = trial.truth.state().revision;
    let members = trial
        .write_segment(segment("staff", &["ada"], Vec::new()))
        .await
        .revision;
    let first = trial.write(for_segment("checkout", "staff")).await.revision;
    let moved = trial
        .write_segment(segment("staff", &["ben"], Vec::new()))
        .await
        .revision;
    let mut killed = for_segment("checkout", "staff");
    killed.killed = true;
    killed.off_variant = Some("old".to_owned());
    let killed = trial.write(killed).await.revision;
    let deleted = trial.delete(&key("checkout")).await.revision;
    trial.delete_segment(&key("staff")).await;
    let again = trial.write(flag("checkout")).await.revision;
    let ask = async |unit: &str, revision: u64| variant(&trial, "checkout", unit, Some(revision)).await;
    for revision in [empty, members] {
        assert!(matches!(ask("ada", revision).await, Err(InspectError::NoFlag)));
    }
    assert_eq!(ask("ada", first).await.unwrap(), "new");
    assert_eq!(ask("ben", first).await.unwrap(), "old");
    assert_eq!(ask("ada", moved).await.unwrap(), "old");
    assert_eq!(ask("ben", moved).await.unwrap(), "new");
    assert_eq!(ask("ben", killed).await.unwrap(), "old");
    assert!(matches!(ask("ada", deleted).await, Err(InspectError::NoFlag)));
    assert_eq!(ask("ada", again).await.unwrap(), "old");
    assert!(matches!(ask("ada", again + 1).await, Err(InspectError::Future { .. })));
    // The same after a restart.
    let trial = trial.again().await;
    assert_eq!(variant(&trial, "checkout", "ben", Some(moved)).await.unwrap(), "new");
}

#[tokio::test]
async fn an_archived_flag_is_not_what_agents_have() {
    let trial = Trial::new().await;
    let before = trial.write(flag("checkout")).await.revision;
    let archived = trial.archive(&key("checkout")).await.revision;
    for revision in [None, Some(archived)] {
        let found = variant(&trial, "checkout", "ada", revision).await;
        assert!(matches!(found, Err(InspectError::Archived)), "{found:?}");
    }
    assert_eq!(variant(&trial, "checkout", "ada", Some(before)).await.unwrap(), "old");
}
