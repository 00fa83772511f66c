//! A rollout is started from options or a document and followed to its end, which is the exit code.
#![allow(clippy::unwrap_used)]

use proto::v1;

use crate::fake::Fake;

fn rollout(phase: v1::RolloutPhase, wanted_buckets: u32, transitions: &[&str]) -> v1::Rollout {
    let transition = |(at, kind): (usize, &&str)| v1::Transition {
        sequence: at as u64 + 1,
        kind: (*kind).into(),
        ..Default::default()
    };
    v1::Rollout {
        name: "checkout#1".into(),
        phase: phase.into(),
        wanted_buckets,
        transitions: transitions.iter().enumerate().map(transition).collect(),
        ..Default::default()
    }
}

fn ended(phase: v1::RolloutPhase, outcome: &str) -> v1::Rollout {
    let end = v1::RolloutEnd {
        outcome: outcome.into(),
        cause: outcome.into(),
        ..Default::default()
    };
    v1::Rollout {
        end: Some(end),
        ..rollout(phase, 0, &["started", outcome])
    }
}

#[tokio::test]
async fn options_and_a_document_start_the_same_rollout() {
    let fake = Fake::start().await;
    let line = [
        "rollout",
        "start",
        "checkout",
        "--treatment",
        "on",
        "--control",
        "off",
        "--stage",
        "canary:5%:10m",
        "--stage",
        "all:100%:0s",
        "--limit",
        "1.2",
        "--alpha",
        "0.02",
        "--lost-after",
        "45s",
        "--unit",
        "request",
        "--minimum-units",
        "7",
    ];
    let started = fake.run(&line).await;
    assert_eq!(started.code, 0, "{started:?}");
    assert!(
        started.out.contains("tidegate rollout watch 'checkout#1'"),
        "{started:?}"
    );
    let document = "
flag: checkout
treatment: on
control: off
unit: request
stages:
  - {name: canary, percent: 5, dwell: 10m, minimum_units: 7}
  - {name: all, percent: 100, dwell: 0s, minimum_units: 7}
guards: [{metric: error-rate, limit: 1.2, level: abort}]
alpha: 0.02
lost_after: 45s
";
    assert_eq!(
        fake.run_with_input(&["rollout", "start", "-f", "-"], document)
            .await
            .code,
        0
    );
    let plans = fake.state().plans.clone();
    assert_eq!(plans[0], plans[1]);
    assert_eq!(
        fake.run_with_input(&["rollout", "start", "search", "-f", "-"], document)
            .await
            .code,
        2
    );
}

#[tokio::test]
async fn what_lint_warns_of_is_said_at_a_start_that_asks_nobody() {
    let fake = Fake::start().await;
    fake.state().lint = v1::LintPlanResponse {
        warnings: vec![v1::LintNote {
            field: "guards[1].harm".into(),
            description: "p99 > 2x baseline needs a baseline of p99".into(),
        }],
        ..Default::default()
    };
    let document = "{flag: checkout, treatment: on, control: off, stages: [{name: all, percentage: 100, dwell: 0s}]}";
    for command in [
        &["rollout", "start", "-f", "-", "--yes"][..],
        &["rollout", "create", "-f", "-"],
    ] {
        let run = fake.run_with_input(command, document).await;
        assert_eq!(run.code, 0, "{run:?}");
        let said = "warning: guards[1].harm: p99 > 2x baseline needs a baseline of p99";
        assert!(run.err.contains(said), "{run:?}");
    }
}

#[tokio::test]
async fn a_watch_ends_as_the_rollout_ends() {
    let fake = Fake::start().await;
    let soaking = rollout(v1::RolloutPhase::Soaking, 5_000, &["started"]);
    let cases = [
        (
            vec![soaking.clone(), ended(v1::RolloutPhase::Completed, "completed")],
            0,
        ),
        (vec![soaking.clone(), ended(v1::RolloutPhase::Aborted, "aborted")], 3),
        (vec![ended(v1::RolloutPhase::Aborting, "aborted")], 3),
        (vec![soaking.clone()], 4),
        (Vec::new(), 4),
    ];
    for (changes, code) in cases {
        fake.state().changes = changes;
        let watch = fake.run(&["rollout", "watch", "checkout"]).await;
        assert_eq!(watch.code, code, "{watch:?}");
    }
}

#[tokio::test]
async fn a_watch_writes_each_change_once() {
    let fake = Fake::start().await;
    let soaking = rollout(v1::RolloutPhase::Soaking, 5_000, &["started"]);
    let end = ended(v1::RolloutPhase::Aborted, "aborted");
    fake.state().changes = vec![soaking.clone(), soaking.clone(), soaking, end];
    let watch = fake.run(&["rollout", "watch", "checkout#1"]).await;
    assert_eq!(
        watch.out.lines().count(),
        5,
        "two transitions, two states, one end: {watch:?}"
    );
    let json = fake.run(&["rollout", "watch", "checkout#1", "-o", "json"]).await;
    let phases: Vec<String> = json
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["phase"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!((phases, json.code), (vec!["soaking".into(), "aborted".into()], 3));
}

#[tokio::test]
async fn an_abort_that_comes_too_late_is_refused_in_words() {
    let fake = Fake::start().await;
    let refused = fake.run(&["rollout", "abort", "checkout#1"]).await;
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (1, "error: checkout#1 has ended\n")
    );
    let missing = fake.run(&["rollout", "get", "search"]).await;
    assert_eq!((missing.code, missing.err.as_str()), (1, "error: no rollout search\n"));
    let empty = fake.run(&["rollout", "list", "--active"]).await;
    assert_eq!(
        (empty.code, empty.out.as_str()),
        (0, "no active rollouts in production\n")
    );
}

#[tokio::test]
async fn a_stored_plan_and_a_created_rollout_are_started_by_their_names() {
    let fake = Fake::start().await;
    let document = "{key: checkout-plan, flag: checkout, treatment: on, control: off, \
                    stages: [{name: all, percent: 100, dwell: 0s}]}";
    fake.run_with_input(&["plan", "create", "-"], document).await;
    let cases: [(&[&str], &str); 3] = [
        (
            &["--plan", "checkout-plan"],
            "start plan_key=\"checkout-plan\" rollout=\"\" sequence=None",
        ),
        (
            &["checkout#3"],
            "start plan_key=\"\" rollout=\"checkout#3\" sequence=None",
        ),
        (
            &["checkout#3", "--sequence", "4", "--yes"],
            "start plan_key=\"\" rollout=\"checkout#3\" sequence=Some(4)",
        ),
    ];
    for (line, asked) in cases {
        let started = fake.run(&[&["rollout", "start"], line].concat()).await;
        assert_eq!(started.code, 0, "{started:?}");
        assert_eq!(fake.state().asked.last().unwrap(), asked);
    }
    let refusals: [(&[&str], &str); 5] = [
        (&["checkout"], "with which plan?"),
        (&["checkout#3", "--plan", "checkout-plan"], "has its plan already"),
        (
            &[
                "checkout",
                "--sequence",
                "4",
                "--treatment",
                "on",
                "--control",
                "off",
                "--stage",
                "a:1%:1h",
            ],
            "created",
        ),
        (&["search!", "--plan", "checkout-plan"], "a key has ASCII letters"),
        (
            &["search", "--plan", "checkout-plan"],
            "the plan moves checkout, not search",
        ),
    ];
    for (line, part) in refusals {
        let refused = fake.run(&[&["rollout", "start"], line].concat()).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(part), "{refused:?}");
    }
}

#[tokio::test]
async fn a_drafted_plan_is_shown_and_asked_for_before_it_is_started() {
    let fake = Fake::start().await;
    fake.run(&["create", "checkout"]).await;
    let line = ["rollout", "start", "checkout", "--strategy", "progressive"];
    let asked = fake.run(&line).await;
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(
        asked.err.contains("on against off") && asked.err.contains("checkout from off to on in production?"),
        "{asked:?}"
    );
    assert!(fake.state().plans.is_empty());
    let started = fake.run(&[&line[..], &["--yes"]].concat()).await;
    assert_eq!(started.code, 0, "{started:?}");
    assert_eq!(fake.state().plans[0].strategy, "progressive");
    fake.state().plans.clear();
    fake.state().lint.violations = vec![v1::LintNote {
        field: "stages".into(),
        description: "no".into(),
    }];
    let refused = fake.run(&[&line[..], &["--yes"]].concat()).await;
    assert!(refused.err.ends_with("error: stages: no\n"), "{refused:?}");
    assert!(fake.state().plans.is_empty());
}

#[tokio::test]
async fn a_rollout_is_created_as_a_draft_and_given_another_plan() {
    let fake = Fake::start().await;
    let document = "
flag: checkout
treatment: on
control: off
stages: [{name: all, percent: 100, dwell: 0s}]
";
    let created = fake.run_with_input(&["rollout", "create", "-f", "-"], document).await;
    assert_eq!(
        created.out.lines().last(),
        Some("submit it with: tidegate rollout submit 'checkout#1'"),
        "{created:?}"
    );
    assert!(created.out.starts_with("checkout#1 draft"), "{created:?}");
    fake.state().changes = vec![rollout(v1::RolloutPhase::Draft, 0, &["created"])];
    let edited = fake
        .run_with_input(&["rollout", "edit", "checkout#1", "-", "--sequence", "1"], document)
        .await;
    assert_eq!(edited.code, 0, "{edited:?}");
    assert_eq!(fake.state().asked.last().unwrap(), "edit Some(1)");
    let plans = fake.state().plans.clone();
    assert_eq!(plans[0], plans[1]);
}

#[tokio::test]
async fn every_end_but_completion_ends_a_watch_with_3() {
    let fake = Fake::start().await;
    let cases = [
        (v1::RolloutPhase::RolledBack, "rolled-back"),
        (v1::RolloutPhase::Superseded, "superseded"),
        (v1::RolloutPhase::Expired, "expired"),
    ];
    for (phase, outcome) in cases {
        fake.state().changes = vec![ended(phase, outcome)];
        let watch = fake.run(&["rollout", "watch", "checkout"]).await;
        assert_eq!(watch.code, 3, "{watch:?}");
        assert!(
            !watch.out.contains('\u{1b}'),
            "off a terminal nothing is drawn: {watch:?}"
        );
    }
}

#[tokio::test]
async fn a_page_has_the_tree_of_stages_and_json_all_that_is_known() {
    let fake = Fake::start().await;
    fake.state().changes = vec![v1::Rollout {
        plan: Some(v1::Plan {
            flag: "checkout".into(),
            stages: vec![
                v1::Stage {
                    name: "canary".into(),
                    buckets: 5_000,
                    ..Default::default()
                },
                v1::Stage {
                    name: "all".into(),
                    buckets: 100_000,
                    ..Default::default()
                },
            ],
            ..Default::default()
        }),
        waits: vec![v1::Waiting {
            kind: "approvals".into(),
            detail: "1 of 2".into(),
            until_us: 0,
        }],
        measured_buckets: Some(4_900),
        ..rollout(v1::RolloutPhase::Gate, 5_000, &["started"])
    }];
    let page = fake.run(&["rollout", "get", "checkout"]).await;
    for part in [
        "├─ ▶ canary",
        "waits for approvals: 1 of 2",
        "└─ · all",
        "4.9 % of all units measured",
    ] {
        assert!(page.out.contains(part), "{part}: {page:?}");
    }
    let json = fake.run(&["rollout", "get", "checkout", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["phase"], &json["waits"][0]["kind"], &json["measured_percent"]),
        (&"gate".into(), &"approvals".into(), &4.9.into())
    );
    let list = fake.run(&["rollout", "list"]).await;
    assert!(list.out.contains("gate canary 1/2"), "{list:?}");
}

#[tokio::test]
async fn a_record_is_all_that_a_report_needs() {
    let fake = Fake::start().await;
    fake.state().record = v1::GetRecordResponse {
        rollout: Some(ended(v1::RolloutPhase::Completed, "completed")),
        exits: vec![v1::StageExit {
            visit: 1,
            sequence: 2,
            ..Default::default()
        }],
        acts: Vec::new(),
    };
    let page = fake.run(&["rollout", "record", "checkout"]).await;
    assert!(
        page.out.contains("left stage 1:") && page.out.contains("2 completed"),
        "{page:?}"
    );
    let json = fake.run(&["rollout", "record", "checkout", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["rollout"]["end"]["outcome"], &json["exits"][0]["sequence"]),
        (&"completed".into(), &2.into())
    );
}
