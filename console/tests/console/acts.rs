//! What a person does to a rollout: which act is sent, based on which sequence, and with which reason.
#![allow(clippy::unwrap_used)]

use proto::v1::{self, act_request::Act};

use crate::fake::Fake;

const NOTHING: v1::Nothing = v1::Nothing {};

fn soaking() -> v1::Rollout {
    v1::Rollout {
        id: "0192f3c4-7a1b-7c3d-8e5f-0123456789ab".into(),
        name: "checkout#1".into(),
        phase: v1::RolloutPhase::Soaking.into(),
        sequence: 12,
        items: vec![v1::ItemState {
            list: "stage".into(),
            item: "dashboards".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

async fn fake() -> Fake {
    let fake = Fake::start().await;
    fake.state().changes = vec![soaking()];
    fake
}

#[tokio::test]
async fn every_act_is_sent_by_its_name_with_its_reason() {
    let fake = fake().await;
    let cases: [(&[&str], Act); 19] = [
        (&["submit", "checkout"], Act::Submit(NOTHING)),
        (&["approve", "checkout"], Act::Approve(NOTHING)),
        (&["pause", "checkout"], Act::Pause(NOTHING)),
        (&["resume", "checkout"], Act::Resume(NOTHING)),
        (&["advance", "checkout", "--yes"], Act::Advance(NOTHING)),
        (&["hold", "checkout"], Act::Hold(NOTHING)),
        (&["fix", "checkout"], Act::Fix(NOTHING)),
        (
            &["extend", "checkout", "--by", "2h"],
            Act::Extend(v1::Extend { by_us: 7_200_000_000 }),
        ),
        (
            &["step-back", "checkout", "--to", "canary"],
            Act::StepBack(v1::StepBack { stage: "canary".into() }),
        ),
        (&["roll-back", "checkout"], Act::RollBack(NOTHING)),
        (
            &["trigger", "checkout", "data loss"],
            Act::Trigger(v1::Trigger {
                name: "data loss".into(),
            }),
        ),
        (
            &["tick", "checkout", "tests passing", "--list", "preflight"],
            Act::Tick(v1::Ticking {
                list: "preflight".into(),
                item: "tests passing".into(),
                undone: false,
            }),
        ),
        (
            &["issue", "add", "checkout", "wrong tax"],
            Act::AddIssue(v1::Found {
                title: "wrong tax".into(),
            }),
        ),
        (
            &["issue", "close", "checkout", "1", "--resolution", "fixed"],
            Act::CloseIssue(v1::Closing {
                number: 1,
                resolution: "fixed".into(),
            }),
        ),
        (
            &["dismiss", "checkout", "--signal", "evidence", "--guard", "p95"],
            Act::Dismiss(v1::Dismissing {
                signal: "evidence".into(),
                guard: "p95".into(),
            }),
        ),
        (
            &["dismiss", "checkout", "--signal", "sample-ratio"],
            Act::Dismiss(v1::Dismissing {
                signal: "sample-ratio".into(),
                guard: String::new(),
            }),
        ),
        (&["acknowledge", "checkout"], Act::Acknowledge(NOTHING)),
        (&["complete", "checkout", "--yes"], Act::Complete(NOTHING)),
        (&["archive", "checkout"], Act::Archive(NOTHING)),
    ];
    for (line, act) in cases {
        let line = [&["rollout"], line, &["--reason", "because"]].concat();
        let done = fake.run(&line).await;
        assert_eq!(done.code, 0, "{line:?}: {done:?}");
        let sent = fake.state().acts.pop().unwrap();
        assert_eq!(sent.act, Some(act), "{line:?}");
        let call = fake.state().calls.pop().unwrap();
        assert_eq!(
            call,
            ("ann@desk".into(), "because".into(), "production".into()),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn what_raises_exposure_is_asked_for_and_only_done_to_what_was_seen() {
    let fake = fake().await;
    for verb in ["advance", "complete"] {
        let unasked = fake.run(&["rollout", verb, "checkout"]).await;
        assert_eq!(unasked.code, 2, "{unasked:?}");
        assert!(
            unasked.err.contains("checkout#1 soaking") && unasked.err.contains("add --yes"),
            "{unasked:?}"
        );
    }
    assert!(fake.state().acts.is_empty());
    fake.run(&["rollout", "advance", "checkout", "--yes"]).await;
    let sent = fake.state().acts.pop().unwrap();
    assert_eq!(
        (sent.rollout.as_str(), sent.expected_sequence),
        ("0192f3c4-7a1b-7c3d-8e5f-0123456789ab", Some(12))
    );
}

#[tokio::test]
async fn an_act_on_another_sequence_is_refused_with_the_present_state() {
    let fake = fake().await;
    for line in [
        &["rollout", "pause", "checkout", "--sequence", "11"][..],
        &["rollout", "advance", "checkout", "--yes", "--sequence", "11"],
    ] {
        let refused = fake.run(line).await;
        assert_eq!(
            (refused.code, refused.err.as_str()),
            (1, "error: checkout#1 is soaking at sequence 12\n"),
            "{refused:?}"
        );
    }
    assert_eq!(
        fake.run(&["rollout", "pause", "checkout", "--sequence", "12"])
            .await
            .code,
        0
    );
    assert_eq!(
        fake.run(&["rollout", "pause", "checkout"]).await.code,
        0,
        "wherever it stands"
    );
    assert_eq!(fake.state().acts.last().unwrap().expected_sequence, None);
}

#[tokio::test]
async fn an_item_is_ticked_on_the_list_that_has_it() {
    let fake = fake().await;
    assert_eq!(fake.run(&["rollout", "untick", "checkout", "dashboards"]).await.code, 0);
    let ticking = v1::Ticking {
        list: "stage".into(),
        item: "dashboards".into(),
        undone: true,
    };
    assert_eq!(fake.state().acts.pop().unwrap().act, Some(Act::Tick(ticking)));
    let unknown = fake.run(&["rollout", "tick", "checkout", "dashbords"]).await;
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.err.contains("did you mean `dashboards`?"), "{unknown:?}");
}

#[tokio::test]
async fn a_retry_is_of_the_run_that_was_seen() {
    let fake = fake().await;
    assert_eq!(
        fake.run(&["rollout", "retry", "checkout"]).await.code,
        2,
        "it is asked for"
    );
    let retried = fake
        .run(&["rollout", "retry", "checkout", "--reshuffle", "--yes"])
        .await;
    assert!(
        retried.out.contains("tidegate rollout watch 'checkout#2'"),
        "{retried:?}"
    );
    assert_eq!(
        fake.state().asked.last().unwrap(),
        "retry 0192f3c4-7a1b-7c3d-8e5f-0123456789ab"
    );
    let json = fake
        .run(&["rollout", "retry", "checkout", "--reshuffle", "--yes", "-o", "json"])
        .await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["retry_of"], &json["reshuffled"], &json["phase"]),
        (&"checkout#1".into(), &true.into(), &"awaiting-start".into())
    );
}

#[tokio::test]
async fn a_dismissal_needs_a_reason_and_a_signal_that_can_be_dismissed() {
    let fake = fake().await;
    for (line, why) in [
        (&["--signal", "evidence"][..], "--reason"),
        (&["--signal", "person", "--reason", "odd"], "resume ends it"),
        (
            &["--signal", "no-agents", "--reason", "odd"],
            "an agent that holds the flag must be live",
        ),
        (&["--signal", "noise", "--reason", "odd"], "evidence, rule, incident"),
        (&["--reason", "odd"], "--signal"),
    ] {
        let line = [&["rollout", "dismiss", "checkout"], line].concat();
        let refused = fake.run(&line).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains(why), "{refused:?}");
    }
    assert!(fake.state().acts.is_empty());
}
