#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use evaluation::{Buckets, Condition, Flag, Literal, OneOf, Rule, Segment, Serve, Share, Split, Test};
use prost_types::ListValue;
use tonic::Code;

use super::*;
use crate::{
    builders::{flag, key, plan_of, production, started},
    change::rollout as changes,
    trial::Trial,
};

fn text(text: &str) -> prost_types::Value {
    prost_types::Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    }
}

fn context(fields: &[(&str, &str)]) -> Struct {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
    Struct {
        fields: fields.collect(),
    }
}

async fn explain(
    api: &InspectionApi,
    fields: &[(&str, &str)],
    edit: impl FnOnce(&mut v1::ExplainRequest),
) -> Result<v1::ExplainResponse, Status> {
    let mut request = v1::ExplainRequest {
        environment: "production".to_owned(),
        flag_key: "checkout".to_owned(),
        context: Some(context(fields)),
        ..v1::ExplainRequest::default()
    };
    edit(&mut request);
    let evaluated = api.evaluate(Request::new(v1::EvaluateRequest {
        environment: request.environment.clone(),
        flag_key: request.flag_key.clone(),
        context: request.context.clone(),
        revision: request.revision,
    }));
    let evaluated = evaluated.await.map(Response::into_inner);
    let explained = api.explain(Request::new(request)).await.map(Response::into_inner);
    // Whatever is asked, both give one answer.
    match (&evaluated, &explained) {
        (Ok(evaluated), Ok(explained)) => assert_eq!(evaluated.result, explained.result),
        (Err(one), Err(other)) => assert_eq!((one.code(), one.message()), (other.code(), other.message())),
        (one, other) => panic!("{one:?} but {other:?}"),
    }
    explained
}

/// Staff by list, readers of a segment, a rule on an attribute, then 25 % new.
fn checkout() -> Flag {
    let rule = |name: &str, attribute: &str, test: Test| Rule {
        name: name.to_owned(),
        conditions: vec![Condition {
            attribute: attribute.to_owned(),
            test,
            negated: false,
        }],
        serve: Serve::Variant("new".to_owned()),
        salt: String::new(),
    };
    let plans = Test::OneOf(OneOf {
        literals: vec![Literal::Text("gold".to_owned())],
        ignore_case: false,
    });
    let share = |variant: &str, buckets: u32| Share {
        variant: variant.to_owned(),
        buckets: Buckets::new(buckets).unwrap(),
    };
    Flag {
        rules: vec![
            rule("staff", "", Test::InSegment(vec!["staff".to_owned()])),
            rule("gold", "plan", plans),
        ],
        deny: vec!["mallory".to_owned()],
        default: Serve::Split(Split {
            shares: vec![share("new", 25_000), share("old", 75_000)],
            ranges: Vec::new(),
        }),
        ..flag("checkout")
    }
}

async fn site() -> (Trial, InspectionApi) {
    let trial = Trial::new().await;
    let staff = Segment {
        key: key("staff"),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: vec!["ada".to_owned()],
        excluded: Vec::new(),
        groups: Vec::new(),
    };
    trial.write_segment(staff).await;
    trial.write(checkout()).await;
    let api = InspectionApi::new(trial.truth.clone());
    (trial, api)
}

#[tokio::test]
async fn every_rule_says_whether_it_matched_or_what_failed_first() {
    let (_trial, api) = site().await;
    let answer = explain(&api, &[("targetingKey", "ben"), ("plan", "silver")], |_| {})
        .await
        .unwrap();
    let explanation = answer.explanation.unwrap();
    let [staff, gold] = &explanation.rules[..] else {
        panic!("two rules are explained");
    };
    assert!(!staff.matched && staff.condition.contains("staff"), "{staff:?}");
    assert_eq!(
        (gold.name.as_str(), gold.attribute.as_str(), gold.value.as_str()),
        ("gold", "plan", r#""silver""#)
    );
    let result = answer.result.unwrap();
    assert_eq!(result.reason(), v1::Reason::Split);
    assert!(result.bucket.is_some());
    let last = explanation.steps.last().unwrap();
    assert_eq!(
        (last.kind(), last.decided, last.bucket),
        (v1::StepKind::Default, true, result.bucket)
    );
}

#[tokio::test]
async fn lists_segments_and_rules_decide_as_they_do_at_agents() {
    let (_trial, api) = site().await;
    for (fields, variant, rule, reason) in [
        (
            &[("targetingKey", "ada")][..],
            "new",
            "staff",
            v1::Reason::TargetingMatch,
        ),
        (
            &[("targetingKey", "ben"), ("plan", "gold")],
            "new",
            "gold",
            v1::Reason::TargetingMatch,
        ),
        (
            &[("targetingKey", "mallory"), ("plan", "gold")],
            "",
            "",
            v1::Reason::TargetingMatch,
        ),
        (&[], "", "", v1::Reason::Error),
    ] {
        let result = explain(&api, fields, |_| {}).await.unwrap().result.unwrap();
        assert_eq!(
            (result.variant.as_str(), result.rule.as_str(), result.reason()),
            (variant, rule, reason)
        );
        assert_eq!(result.r#type(), v1::FlagType::String);
    }
    let nobody = explain(&api, &[], |_| {}).await.unwrap().result.unwrap();
    assert_eq!(nobody.error_code(), v1::ErrorCode::TargetingKeyMissing);
}

#[tokio::test]
async fn values_of_attributes_are_left_out_on_request() {
    let (_trial, api) = site().await;
    let fields = [("targetingKey", "hidden-unit"), ("plan", "hidden-plan")];
    let answer = explain(&api, &fields, |request| request.redact = true).await.unwrap();
    let words = format!("{:?}", answer.explanation.unwrap());
    assert!(!words.contains("hidden"), "{words}");
    let told = explain(&api, &fields, |_| {}).await.unwrap();
    assert!(format!("{told:?}").contains("hidden-plan"));
}

#[tokio::test]
async fn a_long_value_is_not_sent_back() {
    let (_trial, api) = site().await;
    let long = "x".repeat(100_000);
    let answer = explain(&api, &[("targetingKey", "ben"), ("plan", &long)], |_| {})
        .await
        .unwrap();
    let rules = answer.explanation.unwrap().rules;
    assert_eq!(rules[1].value, r#"{"omitted_bytes":100002}"#);
}

#[tokio::test]
async fn a_rollout_is_said_with_its_stage_and_arm_and_without_a_token() {
    let (trial, api) = site().await;
    let plain = trial.write(flag("checkout")).await.revision;
    let plan = plan_of("checkout", ::rollout::Unit::Unit, &[50, 100], 60_000_000);
    let record = started(plan, 1);
    let count = changes::Count {
        value: 0,
        revision: None,
    };
    let state = trial.truth.state();
    let checkout = state.flag(&production(), &key("checkout")).unwrap();
    let txn = crate::builders::started_by(&record, checkout, count, &Trial::somebody("ada"));
    trial.commit(txn).await;
    let mut arms = BTreeMap::<String, usize>::new();
    for unit in 0..64 {
        let unit = unit.to_string();
        let answer = explain(&api, &[("targetingKey", &unit)], |_| {}).await.unwrap();
        let result = answer.result.unwrap();
        assert_eq!((result.stage, result.token.as_str()), (Some(0), ""));
        let variant = if result.arm == "treatment" { "new" } else { "old" };
        assert_eq!(result.variant, variant);
        *arms.entry(result.arm).or_default() += 1;
        // At an old revision rollouts are left out.
        let then = explain(&api, &[("targetingKey", &unit)], |request| request.revision = plain).await;
        let then = then.unwrap().result.unwrap();
        assert_eq!((then.stage, then.variant.as_str()), (None, "old"));
    }
    assert_eq!(arms.keys().collect::<Vec<_>>(), ["control", "treatment"]);
}

#[tokio::test]
async fn an_old_revision_is_asked_like_the_present_one() {
    let (trial, api) = site().await;
    let first = trial.truth.state().revision;
    trial.delete(&key("checkout")).await;
    let now = explain(&api, &[("targetingKey", "ada")], |_| {}).await.unwrap_err();
    assert_eq!(now.code(), Code::NotFound);
    let then = explain(&api, &[("targetingKey", "ada")], |request| request.revision = first)
        .await
        .unwrap();
    assert_eq!(then.result.unwrap().rule, "staff");
    let before = explain(&api, &[], |request| request.revision = 1).await.unwrap_err();
    assert_eq!(before.code(), Code::NotFound);
    assert!(before.message().contains("at revision 1"), "{before}");
    let future = explain(&api, &[], |request| request.revision = 1_000)
        .await
        .unwrap_err();
    assert_eq!(future.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let (_trial, api) = site().await;
    let code = async |edit: fn(&mut v1::ExplainRequest)| explain(&api, &[], edit).await.unwrap_err().code();
    assert_eq!(
        code(|request| request.flag_key = "no spaces".to_owned()).await,
        Code::InvalidArgument
    );
    assert_eq!(
        code(|request| request.flag_key = "never".to_owned()).await,
        Code::NotFound
    );
    assert_eq!(
        code(|request| request.environment = "nowhere".to_owned()).await,
        Code::NotFound
    );
    let large = |request: &mut v1::ExplainRequest| {
        request.context = Some(context(&[("note", &"x".repeat(CONTEXT_LIMIT))]));
    };
    assert_eq!(code(large).await, Code::InvalidArgument);
    let deep = |request: &mut v1::ExplainRequest| {
        let nested = (0..DEPTH_LIMIT).fold(text("end"), |inner, _| prost_types::Value {
            kind: Some(Kind::ListValue(ListValue { values: vec![inner] })),
        });
        request.context = Some(Struct {
            fields: [("note".to_owned(), nested)].into(),
        });
    };
    assert_eq!(code(deep).await, Code::InvalidArgument);
}
