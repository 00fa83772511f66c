//! Versions and environments: history, differences, restores, copies in parts.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake};

fn version(number: u32, deleted: bool) -> v1::Version {
    v1::Version {
        version: number,
        at_us: 1_767_225_600_000_000,
        actor: "ann@desk".into(),
        action: if deleted { "flag.delete" } else { "flag.update" }.into(),
        reason: "first users".into(),
        revision: u64::from(number) * 10,
        deleted,
    }
}

fn changed() -> Vec<v1::FieldChange> {
    let change = |path: &str, before: &str, after: &str| v1::FieldChange {
        path: path.into(),
        before: before.into(),
        after: after.into(),
    };
    vec![
        change("enabled", "true", "false"),
        change("rules[\"staff\"]", "", r#"{"serve":"on"}"#),
    ]
}

#[tonic::async_trait]
impl v1::history_server::History for Fake {
    async fn list_versions(&self, request: Request<v1::ListVersionsRequest>) -> Answer<v1::ListVersionsResponse> {
        let asked = request.into_inner();
        let newest = match asked.key.as_str() {
            "gone" => version(3, true),
            "checkout" => version(3, false),
            other => return Err(Status::not_found(format!("no flag {other} in production"))),
        };
        let all = [newest, version(2, false), version(1, false)];
        let from: usize = asked.page_token.parse().unwrap_or(0);
        Ok(Response::new(v1::ListVersionsResponse {
            versions: all[from..=from].to_vec(),
            next_page_token: if from < 2 {
                (from + 1).to_string()
            } else {
                String::new()
            },
        }))
    }

    async fn get_version(&self, request: Request<v1::GetVersionRequest>) -> Answer<v1::GetVersionResponse> {
        let key = request.into_inner().key;
        let flag = self.state().flags.get(&key).cloned();
        Ok(Response::new(v1::GetVersionResponse {
            version: Some(version(2, flag.is_none())),
            document: flag.map(v1::get_version_response::Document::Flag),
        }))
    }

    async fn diff_versions(&self, request: Request<v1::DiffVersionsRequest>) -> Answer<v1::DiffVersionsResponse> {
        let equal = request.get_ref().from == 1;
        Ok(Response::new(v1::DiffVersionsResponse {
            from: Some(version(2, false)),
            to: Some(version(3, false)),
            changes: if equal { Vec::new() } else { changed() },
        }))
    }

    async fn restore_version(&self, request: Request<v1::RestoreVersionRequest>) -> Answer<v1::RestoreVersionResponse> {
        let asked = request.into_inner();
        self.state().asked.push(format!(
            "{} {} {} {}",
            asked.key, asked.version, asked.expected_revision, asked.validate_only
        ));
        Ok(Response::new(v1::RestoreVersionResponse {
            version: Some(version(4, false)),
            changes: changed(),
        }))
    }
}

fn name(key: &str) -> Option<v1::DocumentName> {
    Some(v1::DocumentName {
        kind: v1::DocumentKind::Flag.into(),
        key: key.into(),
    })
}

#[tonic::async_trait]
impl v1::configuration_server::Configuration for Fake {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Answer<v1::ApplyResponse> {
        crate::apply::apply(&mut self.state(), request.into_inner())
    }

    async fn compare(&self, request: Request<v1::CompareRequest>) -> Answer<v1::CompareResponse> {
        let asked = request.into_inner();
        if asked.target == "same" {
            return Ok(Response::new(v1::CompareResponse {
                equal: 3,
                ..Default::default()
            }));
        }
        let difference = |key: &str, action: v1::DocumentAction| v1::Difference {
            name: name(key),
            action: action.into(),
            changes: match action {
                v1::DocumentAction::Updated => changed(),
                _ => Vec::new(),
            },
        };
        let mut differences = vec![
            difference("old", v1::DocumentAction::Deleted),
            difference("checkout", v1::DocumentAction::Updated),
        ];
        differences.extend(
            self.state()
                .flags
                .keys()
                .map(|key| difference(key, v1::DocumentAction::Created)),
        );
        Ok(Response::new(v1::CompareResponse {
            differences,
            next_page_token: String::new(),
            equal: 1_204,
        }))
    }

    async fn copy(&self, request: Request<v1::CopyRequest>) -> Answer<v1::CopyResponse> {
        let asked = request.into_inner();
        let mut state = self.state();
        let keys: Vec<&str> = asked.names.iter().map(|name| name.key.as_str()).collect();
        state.asked.push(format!("{:?} {}", asked.changeset, keys.join(" ")));
        if let Some(refused) = keys.iter().find(|key| state.uncopied.iter().any(|one| one == *key)) {
            return Err(Status::failed_precondition(format!("{refused}#1 holds the flag")));
        }
        let result = |name: &v1::DocumentName| v1::DocumentResult {
            name: Some(name.clone()),
            action: if name.key == "same" {
                v1::DocumentAction::Unchanged
            } else {
                v1::DocumentAction::Created
            }
            .into(),
            changes: Vec::new(),
            revision: 9,
        };
        Ok(Response::new(v1::CopyResponse {
            results: asked.names.iter().map(result).collect(),
            changeset: "c1".into(),
        }))
    }
}

#[tokio::test]
async fn a_history_says_who_when_and_why_and_shows_one_version_whole() {
    let fake = Fake::start().await;
    let history = fake.run(&["history", "checkout"]).await;
    let expected = "\
VERSION  AT                    ACTOR     ACTION       REASON       REVISION
3        2026-01-01 00:00:00Z  ann@desk  flag.update  first users  30
2        2026-01-01 00:00:00Z  ann@desk  flag.update  first users  20
1        2026-01-01 00:00:00Z  ann@desk  flag.update  first users  10
";
    assert_eq!(history.out, expected, "{history:?}");
    assert_eq!(
        fake.run(&["history", "checkout", "--limit", "2"])
            .await
            .out
            .lines()
            .count(),
        3
    );
    fake.run(&["create", "checkout"]).await;
    let one = fake.run(&["history", "checkout", "--version", "2"]).await;
    assert!(
        one.out
            .starts_with("version 2 (2026-01-01 00:00:00Z, ann@desk, flag.update: first users)\n"),
        "{one:?}"
    );
    assert!(one.out.contains("off variant"), "{one:?}");
    let missing = fake.run(&["history", "chekout"]).await;
    assert!(
        missing.code == 1 && missing.err.contains("did you mean checkout?"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn two_versions_are_compared_line_by_line() {
    let fake = Fake::start().await;
    let diff = fake.run(&["diff", "checkout"]).await;
    let expected = "\
checkout
from version 2 (2026-01-01 00:00:00Z, ann@desk, flag.update: first users)
to   version 3 (2026-01-01 00:00:00Z, ann@desk, flag.update: first users)
~ enabled: true -> false
+ rules[\"staff\"]: {\"serve\":\"on\"}
";
    assert_eq!((diff.code, diff.out.as_str()), (0, expected), "{diff:?}");
    assert_eq!(fake.run(&["diff", "checkout", "--exit-code"]).await.code, 5);
    let equal = fake.run(&["diff", "checkout", "--from", "1", "--exit-code"]).await;
    assert!(equal.code == 0 && equal.out.ends_with("no difference\n"), "{equal:?}");
    assert_eq!(fake.run(&["diff", "a", "b"]).await.code, 2, "one at a time");
    let coloured = fake.run(&["diff", "checkout", "--color", "always"]).await;
    assert!(coloured.out.contains("\u{1b}[32m"), "{coloured:?}");
}

#[tokio::test]
async fn a_restore_expects_what_is_there_or_nothing_if_it_was_deleted() {
    let fake = Fake::start().await;
    let restored = fake.run(&["restore", "checkout", "--version", "1"]).await;
    assert!(
        restored.out.starts_with("checkout: version 1 restored as version 4\n"),
        "{restored:?}"
    );
    let dry = fake.run(&["restore", "gone", "--version", "2", "--dry-run"]).await;
    assert!(
        dry.out
            .starts_with("gone: version 2 would be restored; nothing was written\n"),
        "{dry:?}"
    );
    assert_eq!(fake.state().asked, ["checkout 1 30 false", "gone 2 0 true"]);
    let back = fake.run(&["restore", "gone"]).await;
    assert!(back.out.starts_with("gone: version 2 restored"), "{back:?}");
    let which = fake.run(&["restore", "checkout"]).await;
    assert!(which.code == 2 && which.err.contains("--version"), "{which:?}");
    assert_eq!(fake.state().asked.len(), 3);
}

#[tokio::test]
async fn two_environments_are_compared_as_a_copy_would_change_them() {
    let fake = Fake::start().await;
    let diff = fake
        .run(&["diff", "-e", "staging", "--to-environment", "production"])
        .await;
    let expected = "\
what a copy from staging would change in production
! flag old is only in production; a copy leaves it alone
~ flag checkout (updated)
    ~ enabled: true -> false
    + rules[\"staff\"]: {\"serve\":\"on\"}
1,204 equal
";
    assert_eq!((diff.code, diff.out.as_str()), (0, expected), "{diff:?}");
    let json = fake
        .run(&["diff", "-e", "staging", "--to-environment", "production", "-o", "json"])
        .await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["differences"][1]["changes"][0]["after"], false);
    let same = fake
        .run(&["diff", "-e", "staging", "--to-environment", "same", "--exit-code"])
        .await;
    assert_eq!((same.code, same.out.lines().last()), (0, Some("3 equal")), "{same:?}");
}

#[tokio::test]
async fn a_copy_goes_in_parts_under_one_changeset_and_what_is_read_goes_first() {
    let fake = Fake::start().await;
    for number in 0..60 {
        let key = format!("f{number:02}");
        let flag = v1::Flag {
            key: key.clone(),
            // Each needs the next one.
            prerequisites: vec![v1::Prerequisite {
                flag: format!("f{:02}", number + 1),
                variants: vec!["on".into()],
            }],
            ..Default::default()
        };
        let stored = v1::StoredFlag {
            flag: Some(flag),
            ..Default::default()
        };
        fake.state().flags.insert(key, stored);
    }
    let copied = fake
        .run(&["copy", "--all", "--from", "staging", "--to", "production"])
        .await;
    assert!(
        copied
            .out
            .ends_with("61 copied from staging to production, 0 were equal\n"),
        "{copied:?}"
    );
    let asked = fake.state().asked.clone();
    let parts: Vec<&String> = asked.iter().filter(|asked| asked.starts_with('"')).collect();
    assert_eq!(parts.len(), 2);
    assert!(parts[0].starts_with("\"\" checkout f59 f58 "), "{parts:?}");
    assert!(
        parts[1].starts_with("\"c1\" ") && parts[1].ends_with(" f01 f00"),
        "{parts:?}"
    );
    assert!(!asked.join(" ").contains(" old"), "what only the target has stays");

    fake.state().uncopied = vec!["f00".into()];
    let refused = fake
        .run(&["copy", "--all", "--from", "staging", "--to", "production"])
        .await;
    assert_eq!(refused.code, 1);
    for part in [
        "f00#1 holds the flag",
        "50 of 61 documents were copied before, under changeset c1",
    ] {
        assert!(refused.err.contains(part), "{refused:?}");
    }
}

#[tokio::test]
async fn a_dry_copy_says_what_would_happen() {
    let fake = Fake::start().await;
    let line = [
        "copy",
        "a",
        "same",
        "--from",
        "staging",
        "--to",
        "production",
        "--dry-run",
    ];
    let dry = fake.run(&line).await;
    let expected = "\
+ flag a (created)
= flag same (unchanged)
1 to copy from staging to production, 1 equal; nothing was written
";
    assert_eq!(dry.out, expected, "{dry:?}");
    let same = fake.run(&["copy", "a", "--from", "x", "--to", "x"]).await;
    assert!(same.code == 2 && same.err.contains("both x"), "{same:?}");
}
