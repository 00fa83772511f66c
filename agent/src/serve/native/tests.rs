#![allow(clippy::unwrap_used)]

use evaluation::{Buckets, Flag, Prerequisite, RolloutStep, Serve, Value, WhenStale};
use futures::StreamExt as _;
use prost_types::{Struct, value::Kind};
use proto::{Token, v1::evaluation_server::Evaluation as _};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    samples::{
        Contents, ROLLOUT, TOKEN_KEY, boolean, evaluator, for_staff, measurement, object, split_to_on, stale_evaluator,
        step, text, valued,
    },
    snapshot::Holder,
};

fn over(evaluator: Evaluator) -> Native {
    Native::new(Arc::new(evaluator), Shutdown::new())
}

fn native(contents: &Contents) -> Native {
    over(evaluator(&contents.held(9)))
}

fn context_of(fields: &[(&str, Kind)]) -> Option<Struct> {
    let value = |(name, kind): &(&str, Kind)| {
        let kind = Some(kind.clone());
        ((*name).to_owned(), prost_types::Value { kind })
    };
    Some(Struct {
        fields: fields.iter().map(value).collect(),
    })
}

fn unit(unit: &str) -> Option<Struct> {
    context_of(&[("targetingKey", Kind::StringValue(unit.to_owned()))])
}

async fn ask(native: &Native, key: &str, context: Option<Struct>, wanted: v1::FlagType) -> v1::Result {
    let request = v1::ResolveRequest {
        flag_key: key.to_owned(),
        context,
        r#type: wanted.into(),
    };
    let response = native.resolve(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(response.revision, 9);
    response.result.unwrap()
}

async fn any(native: &Native, context: Option<Struct>) -> v1::Result {
    ask(native, "f", context, v1::FlagType::Unspecified).await
}

#[tokio::test]
async fn each_type_has_its_own_value_and_no_other_is_taken_for_it() {
    let types = [
        v1::FlagType::Boolean,
        v1::FlagType::String,
        v1::FlagType::Integer,
        v1::FlagType::Float,
        v1::FlagType::Object,
    ];
    for (flag, is) in [
        (boolean("f"), v1::FlagType::Boolean),
        (text("f"), v1::FlagType::String),
        (valued("f", Value::Integer(i64::MAX)), v1::FlagType::Integer),
        (valued("f", Value::Float(10.0)), v1::FlagType::Float),
        (valued("f", object()), v1::FlagType::Object),
    ] {
        let native = native(&Contents::production().flag(&flag));
        let Serve::Variant(variant) = &flag.default else {
            panic!("{flag:?}")
        };
        let value = v1::Value::from(&flag.variants[variant]);
        for wanted in types {
            let result = ask(&native, "f", None, wanted).await;
            assert_eq!(result.r#type(), is);
            if wanted == is {
                assert_eq!(result.value, Some(value.clone()));
                assert_eq!((result.reason(), &result.variant), (v1::Reason::Static, variant));
            } else {
                assert_eq!((result.value.as_ref(), result.reason()), (None, v1::Reason::Error));
                assert_eq!(result.error_code(), v1::ErrorCode::TypeMismatch);
                let both = [is, wanted].map(|of| flag_type(of).unwrap().as_str());
                assert!(
                    both.iter().all(|name| result.error_message.contains(name)),
                    "{result:?}"
                );
            }
        }
        assert_eq!(any(&native, None).await.value, Some(value));
    }
}

#[tokio::test]
async fn nothing_of_a_result_is_lost() {
    let ruled = Flag {
        rules: vec![for_staff(Serve::Variant("off".into()))],
        ..boolean("f")
    };
    let staff = context_of(&[("staff", Kind::BoolValue(true))]);
    let result = any(&native(&Contents::production().flag(&ruled)), staff).await;
    assert_eq!(
        (result.reason(), result.rule.as_str()),
        (v1::Reason::TargetingMatch, "staff")
    );

    let split = Flag {
        default: split_to_on(),
        ..boolean("f")
    };
    let native_split = native(&Contents::production().flag(&split));
    let result = any(&native_split, unit("ada")).await;
    assert_eq!((result.reason(), result.bucket.is_some()), (v1::Reason::Split, true));
    let result = any(&native_split, None).await;
    assert_eq!((result.reason(), result.value), (v1::Reason::Error, None));
    assert_eq!(result.error_code, i32::from(v1::ErrorCode::TargetingKeyMissing));
    assert!(result.error_message.contains("targeting key"));

    let waiting = Flag {
        prerequisites: vec![Prerequisite {
            flag: "other".into(),
            variants: vec!["off".into()],
        }],
        off_variant: Some("off".into()),
        ..boolean("f")
    };
    let contents = Contents::production().flag(&waiting).flag(&boolean("other"));
    let result = any(&native(&contents), None).await;
    assert_eq!(
        (result.variant.as_str(), result.prerequisite.as_str()),
        ("off", "other")
    );

    let disabled = Flag {
        enabled: false,
        ..boolean("f")
    };
    let result = any(&native(&Contents::production().flag(&disabled)), None).await;
    assert_eq!((result.reason(), result.value), (v1::Reason::Disabled, None));
}

#[tokio::test]
async fn a_rollout_in_shadow_tells_the_arm_and_serves_the_control() {
    let shadow = RolloutStep {
        shadow: true,
        ..step(Buckets::ALL)
    };
    let native = native(&Contents::production().rollout_for_some(&shadow));
    let result = ask(&native, "checkout", unit("ada"), v1::FlagType::Boolean).await;
    assert_eq!(
        (result.shadow, result.arm.as_str(), result.variant.as_str()),
        (true, "treatment", "off")
    );
    let nobody = ask(&native, "checkout", None, v1::FlagType::Boolean).await;
    assert!(!nobody.shadow && nobody.token.is_empty());
}

#[tokio::test]
async fn a_rollout_names_each_exposure_and_counts_it() {
    let native = native(&Contents::production().rollout(Buckets::ALL));
    let result = ask(&native, "checkout", unit("ada"), v1::FlagType::Boolean).await;
    assert_eq!((result.reason(), result.arm.as_str()), (v1::Reason::Split, "treatment"));
    assert_eq!(
        (result.stage, result.bucket.is_some(), result.shadow),
        (Some(0), true, false)
    );
    let token = Token::from_text(&result.token, TOKEN_KEY).unwrap();
    assert_eq!((token.exposure.rollout, token.tick > 0), (ROLLOUT, true));

    let page = page(&native, "", 0).await;
    assert_eq!(page.results.len(), 1);
    let request = v1::ResolveAllRequest {
        context: unit("ada"),
        ..v1::ResolveAllRequest::default()
    };
    let page = native.resolve_all(Request::new(request)).await.unwrap().into_inner();
    let token = Token::from_text(&page.results[0].token, TOKEN_KEY).unwrap();
    assert_eq!(token.tick, 0);

    ask(&native, "checkout", unit("ada"), v1::FlagType::String).await;
    assert_eq!(
        exposures(&native),
        1,
        "pages count nothing, nor does what was not answered"
    );
}

/// Exposures counted so far; to be asked once.
fn exposures(native: &Native) -> u64 {
    let tick = native.evaluator.clock.tick();
    let drained = native.evaluator.counters.drain(&measurement(), tick);
    let cells = drained.slices.iter().flat_map(|slice| slice.cells.values());
    cells.map(|counts| counts.exposures).sum()
}

#[tokio::test]
async fn a_flag_that_cannot_be_answered_is_a_result() {
    let native = native(&Contents::production());
    let result = any(&native, None).await;
    assert_eq!(
        (result.flag_key.as_str(), result.reason(), result.error_code()),
        ("f", v1::Reason::Error, v1::ErrorCode::FlagNotFound)
    );
    let empty = over(evaluator(&Holder::new(false)));
    let request = v1::ResolveRequest {
        flag_key: "f".into(),
        ..v1::ResolveRequest::default()
    };
    let response = empty.resolve(Request::new(request)).await.unwrap().into_inner();
    let result = response.result.unwrap();
    assert_eq!((response.revision, result.error_code()), (0, v1::ErrorCode::General));
    assert!(result.error_message.contains("no snapshot"), "{result:?}");
}

#[tokio::test]
async fn a_stale_answer_says_so_unless_it_would_be_the_same_in_any_snapshot() {
    let flag = |when_stale| Flag {
        when_stale,
        off_variant: Some("off".into()),
        ..boolean("f")
    };
    let disabled = Flag {
        enabled: false,
        ..flag(WhenStale::Keep)
    };
    let split = Flag {
        default: split_to_on(),
        ..boolean("f")
    };
    for (flag, reason, variant) in [
        (flag(WhenStale::Keep), v1::Reason::Stale, "on"),
        (flag(WhenStale::Off), v1::Reason::Stale, "off"),
        (flag(WhenStale::Variant("off".into())), v1::Reason::Stale, "off"),
        (disabled, v1::Reason::Disabled, "off"),
        (split, v1::Reason::Error, ""),
    ] {
        let native = over(stale_evaluator(&Contents::production().flag(&flag).held(9)));
        let result = any(&native, None).await;
        assert_eq!(
            (result.reason(), result.variant.as_str()),
            (reason, variant),
            "{flag:?}"
        );
        assert!(result.stale_s.is_some());
    }
    let fresh = any(&native(&Contents::production().flag(&boolean("f"))), None).await;
    assert_eq!(fresh.stale_s, None);
}

async fn page(native: &Native, token: &str, size: u32) -> v1::ResolveAllResponse {
    let request = v1::ResolveAllRequest {
        page_size: size,
        page_token: token.to_owned(),
        ..v1::ResolveAllRequest::default()
    };
    native.resolve_all(Request::new(request)).await.unwrap().into_inner()
}

/// Keys of all flags, page by page, and how many pages there were.
async fn pages(native: &Native, size: u32) -> (Vec<String>, usize) {
    let (mut keys, mut count, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = page(native, &token, size).await;
        assert!(page.encoded_len() <= MESSAGE_LIMIT);
        keys.extend(page.results.into_iter().map(|result| result.flag_key));
        (count, token) = (count + 1, page.next_page_token);
        if token.is_empty() {
            return (keys, count);
        }
    }
}

#[tokio::test]
async fn all_flags_come_in_key_order_page_by_page() {
    let keys: Vec<String> = (0..2_500).map(|number| format!("f{number:04}")).collect();
    let contents = keys
        .iter()
        .rev()
        .fold(Contents::production(), |contents, key| contents.flag(&boolean(key)));
    let native = native(&contents);
    for (size, expected) in [(0, 3), (1_000, 3), (5_000, 3), (2_500, 3), (700, 4), (1, 2_500)] {
        let (found, count) = pages(&native, size).await;
        assert_eq!((found == keys, count), (true, expected), "{size}");
    }
    assert_eq!(
        pages(&super::tests::native(&Contents::production()), 0).await,
        (Vec::new(), 1)
    );
}

#[tokio::test]
async fn a_page_of_large_values_stays_below_what_clients_accept() {
    let large = Value::String("x".repeat(65_000).into());
    let contents = (0..200).fold(Contents::production(), |contents, number| {
        contents.flag(&valued(&format!("f{number:03}"), large.clone()))
    });
    let (keys, count) = pages(&native(&contents), 0).await;
    assert_eq!(keys.len(), 200);
    assert!(count > 3, "{count}");
}

#[tokio::test]
async fn a_flag_set_is_all_that_is_listed() {
    let of = |key: &str, set: &str| Flag {
        set: Some(Key::parse(set).unwrap()),
        ..boolean(key)
    };
    let native = native(
        &Contents::production()
            .flag(&of("a", "one"))
            .flag(&of("b", "two"))
            .flag(&of("c", "one")),
    );
    let request = |token: &str| v1::ResolveAllRequest {
        flag_set: "one".into(),
        page_size: 1,
        page_token: token.into(),
        context: None,
    };
    let first = native
        .resolve_all(Request::new(request("")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (first.results[0].flag_key.as_str(), first.next_page_token.as_str()),
        ("a", "a")
    );
    let last = native
        .resolve_all(Request::new(request("a")))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (last.results[0].flag_key.as_str(), last.next_page_token.as_str()),
        ("c", "")
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_named() {
    let native = native(&Contents::production());
    let request = v1::ResolveAllRequest {
        page_token: "no key".into(),
        ..v1::ResolveAllRequest::default()
    };
    let wrong_token = native.resolve_all(Request::new(request)).await.unwrap_err();
    let request = v1::ResolveRequest {
        r#type: 77,
        ..v1::ResolveRequest::default()
    };
    let wrong_type = native.resolve(Request::new(request)).await.unwrap_err();
    for (status, field) in [(wrong_token, "page_token"), (wrong_type, "type")] {
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, field);
    }
}

#[tokio::test]
async fn a_watch_says_at_once_what_is_held_and_then_what_changed() {
    let before = Contents::production().flag(&boolean("a")).flag(&boolean("b"));
    let holder = before.held(1);
    let native = over(evaluator(&holder));
    let request = Request::new(v1::WatchRequest::default());
    let mut watch = native.watch(request).await.unwrap().into_inner();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!((first.revision, first.flags), (1, Vec::new()));
    let between = before.flag(&boolean("gone")).without("a");
    between.install(&holder, 2);
    between
        .without("gone")
        .flag(&text("b"))
        .flag(&text("c"))
        .install(&holder, 3);
    let second = watch.next().await.unwrap().unwrap();
    assert_eq!(
        (second.revision, second.flags),
        (3, ["a", "b", "c"].map(str::to_owned).into())
    );
    native.shutdown.drain();
    assert_eq!(watch.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_watch_of_an_agent_that_holds_nothing_begins_at_once_too() {
    let holder = Holder::new(false);
    let native = over(evaluator(&holder));
    let request = v1::WatchRequest { flag_set: "one".into() };
    let mut watch = native.watch(Request::new(request)).await.unwrap().into_inner();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!((first.revision, first.flags), (0, Vec::new()));
    let of_set = Flag {
        set: Some(Key::parse("one").unwrap()),
        ..boolean("a")
    };
    Contents::production()
        .flag(&of_set)
        .flag(&boolean("b"))
        .install(&holder, 4);
    let second = watch.next().await.unwrap().unwrap();
    assert_eq!((second.revision, second.flags), (4, vec!["a".to_owned()]));
}
