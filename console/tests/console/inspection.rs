//! What a flag serves to somebody, and why.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake};

fn result(key: &str) -> v1::Result {
    v1::Result {
        flag_key: key.into(),
        value: Some(v1::Value {
            kind: Some(v1::value::Kind::Boolean(true)),
        }),
        variant: "on".into(),
        reason: v1::Reason::Split.into(),
        bucket: Some(12_345),
        r#type: v1::FlagType::Boolean.into(),
        ..Default::default()
    }
}

fn explanation() -> v1::Explanation {
    let step = |kind: v1::StepKind, decided, detail: &str, bucket| v1::ExplainedStep {
        kind: kind.into(),
        decided,
        detail: detail.into(),
        bucket,
    };
    v1::Explanation {
        steps: vec![
            step(v1::StepKind::Off, false, "enabled", None),
            step(v1::StepKind::Rules, false, "no rule of 2 matches", None),
            step(v1::StepKind::Default, true, "on 25 %, off 75 %", Some(12_345)),
        ],
        rules: vec![
            v1::ExplainedRule {
                name: "eu".into(),
                failed_condition: 1,
                condition: "country one of DE, AT".into(),
                attribute: "country".into(),
                value: "\"FR\"".into(),
                failure: "it is none of them".into(),
                ..Default::default()
            },
            v1::ExplainedRule {
                name: "staff".into(),
                matched: true,
                bucket: Some(7),
                ..Default::default()
            },
        ],
    }
}

#[tonic::async_trait]
impl v1::inspection_server::Inspection for Fake {
    async fn evaluate(&self, request: Request<v1::EvaluateRequest>) -> Answer<v1::EvaluateResponse> {
        let asked = request.into_inner();
        if asked.revision == 1 || !self.state().flags.contains_key(&asked.flag_key) {
            return Err(Status::not_found(format!("no flag {}", asked.flag_key)));
        }
        let result = match asked.context.unwrap().fields.contains_key("targetingKey") {
            true if asked.flag_key == "shadowed" => v1::Result {
                stage: Some(2),
                arm: "treatment".into(),
                shadow: true,
                ..result(&asked.flag_key)
            },
            true => result(&asked.flag_key),
            false => v1::Result {
                flag_key: asked.flag_key,
                reason: v1::Reason::Error.into(),
                error_code: v1::ErrorCode::TargetingKeyMissing.into(),
                error_message: "the context has no targetingKey".into(),
                ..Default::default()
            },
        };
        Ok(Response::new(v1::EvaluateResponse { result: Some(result) }))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Answer<v1::ExplainResponse> {
        let asked = request.into_inner();
        let fields: Vec<String> = asked.context.unwrap().fields.into_keys().collect();
        let noted = format!("{} {} {}", fields.join(","), asked.revision, asked.redact);
        self.state().asked.push(noted);
        Ok(Response::new(v1::ExplainResponse {
            result: Some(result(&asked.flag_key)),
            explanation: Some(explanation()),
        }))
    }
}

#[tokio::test]
async fn an_evaluation_is_one_line() {
    let fake = Fake::start().await;
    fake.run(&["create", "checkout"]).await;
    let served = fake.run(&["evaluate", "checkout", "--unit", "user-7"]).await;
    assert_eq!(served.out, "checkout: on = true (SPLIT, bucket 12,345)\n", "{served:?}");
    fake.run(&["create", "shadowed"]).await;
    let shadowed = fake.run(&["evaluate", "shadowed", "--unit", "user-7"]).await;
    assert_eq!(
        shadowed.out,
        "shadowed: on = true (SPLIT, bucket 12,345, treatment of stage 2, in shadow)\n"
    );
    let nobody = fake.run(&["evaluate", "checkout"]).await;
    assert_eq!(
        nobody.out,
        "checkout: the caller's default (ERROR, TARGETING_KEY_MISSING, the context has no targetingKey)\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&fake.run(&["eval", "checkout", "-u", "x", "-o", "json"]).await.out).unwrap();
    assert_eq!(
        (&json["value"], &json["reason"], &json["bucket"]),
        (&true.into(), &"SPLIT".into(), &12_345.into())
    );
    let missing = fake.run(&["evaluate", "chekout", "-u", "x"]).await;
    assert!(
        missing.code == 1 && missing.err.contains("did you mean checkout?"),
        "{missing:?}"
    );
    // It is there, and was not at that revision: nothing is misspelt.
    fake.run(&["create", "checkouts"]).await;
    let young = fake.run(&["evaluate", "checkout", "-u", "x", "--at", "1"]).await;
    assert!(young.code == 1 && !young.err.contains("did you mean"), "{young:?}");
}

#[tokio::test]
async fn an_explanation_shows_every_step_and_why_a_rule_did_not_match() {
    let fake = Fake::start().await;
    let line = [
        "explain",
        "checkout",
        "--context",
        r#"{"country": "FR"}"#,
        "--unit",
        "user-7",
    ];
    let explained = fake
        .run(&[&line[..], &["-a", "plan=pro", "--at", "12", "--redact"]].concat())
        .await;
    let expected = "\
checkout: on = true (SPLIT, bucket 12,345)

   off            enabled
   rules          no rule of 2 matches
=> default        on 25 %, off 75 % [bucket 12,345]

rules:
- eu: condition 2 does not hold: country one of DE, AT: it is none of them; country is \"FR\"
+ staff: matches [bucket 7]
";
    assert_eq!(explained.out, expected, "{explained:?}");
    assert_eq!(fake.state().asked, ["country,plan,targetingKey 12 true"]);
    let json: serde_json::Value =
        serde_json::from_str(&fake.run(&["explain", "checkout", "-u", "x", "-o", "json"]).await.out).unwrap();
    assert_eq!(json["rules"][0]["failed"]["value"], "FR");
    assert_eq!(json["steps"][2]["decided"], true);
}

#[tokio::test]
async fn a_context_that_is_none_is_refused_before_anything_is_asked() {
    let fake = Fake::start().await;
    for (context, part) in [
        ("[1]", "a context is a JSON object"),
        ("{", "--context: EOF"),
        ("@no-file", "no-file: "),
    ] {
        let refused = fake.run(&["explain", "a", "--context", context]).await;
        assert!(refused.code == 2 && refused.err.contains(part), "{refused:?}");
    }
    let refused = fake.run_with_input(&["explain", "a", "--context", "-"], "true").await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(fake.state().asked.is_empty());
}
