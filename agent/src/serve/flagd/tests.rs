#![allow(clippy::unwrap_used)]

use evaluation::{Buckets, Flag, Key, Prerequisite, RolloutStep, Serve, Value, WhenStale};
use proto::{
    Token,
    flagd::{
        evaluation_v1::{self, any_flag, service_server::Service as _},
        evaluation_v2::{
            ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatRequest, ResolveIntRequest,
            ResolveObjectRequest, ResolveStringRequest, service_server::Service as _,
        },
    },
};
use tonic::{Code, Request, Response};

use super::*;
use crate::samples::{
    Contents, ROLLOUT, TOKEN_KEY, boolean, evaluator, for_staff, measurement, object, rolled_out, split_to_on,
    stale_evaluator, step, step_for_some, text, valued,
};

fn flagd(contents: &Contents) -> Flagd {
    Flagd::new(Arc::new(evaluator(&contents.held(1))), Shutdown::new())
}

fn fields(fields: &[(&str, Kind)]) -> Option<Struct> {
    let value = |(name, kind): &(&str, Kind)| {
        let kind = Some(kind.clone());
        ((*name).to_owned(), prost_types::Value { kind })
    };
    Some(Struct {
        fields: fields.iter().map(value).collect(),
    })
}

fn unit(unit: &str) -> Option<Struct> {
    fields(&[("targetingKey", Kind::StringValue(unit.to_owned()))])
}

fn staff() -> Option<Struct> {
    fields(&[("staff", Kind::BoolValue(true))])
}

async fn ask(flagd: &Flagd, key: &str, context: Option<Struct>) -> Result<ResolveBooleanResponse, Status> {
    let request = ResolveBooleanRequest {
        flag_key: key.to_owned(),
        context,
    };
    V2(flagd.clone())
        .resolve_boolean(Request::new(request))
        .await
        .map(Response::into_inner)
}

async fn ask_v1(
    flagd: &Flagd,
    key: &str,
    context: Option<Struct>,
) -> Result<evaluation_v1::ResolveBooleanResponse, Status> {
    let request = evaluation_v1::ResolveBooleanRequest {
        flag_key: key.to_owned(),
        context,
    };
    V1(flagd.clone())
        .resolve_boolean(Request::new(request))
        .await
        .map(Response::into_inner)
}

fn off(flag: Flag) -> Flag {
    Flag {
        off_variant: Some("off".into()),
        ..flag
    }
}

#[tokio::test]
async fn decisions_are_answered_in_the_words_of_flagd() {
    let ruled = |serve| Flag {
        rules: vec![for_staff(serve)],
        ..boolean("f")
    };
    let denied = Flag {
        deny: vec!["ada".into()],
        ..boolean("f")
    };
    let disabled = Flag {
        enabled: false,
        ..boolean("f")
    };
    let served = |default| Flag {
        default,
        ..boolean("f")
    };
    let to_off = ruled(Serve::Variant("off".into()));
    for (flag, context, value, reason) in [
        (boolean("f"), None, Some(true), "STATIC"),
        (to_off.clone(), staff(), Some(false), "TARGETING_MATCH"),
        (to_off, None, Some(true), "DEFAULT"),
        (off(denied.clone()), unit("ada"), Some(false), "TARGETING_MATCH"),
        (denied, unit("ada"), None, "DEFAULT"),
        (ruled(Serve::CallerDefault), staff(), None, "DEFAULT"),
        (served(split_to_on()), unit("ada"), Some(true), "TARGETING_MATCH"),
        (disabled.clone(), None, None, "DISABLED"),
        (off(disabled), None, Some(false), "DISABLED"),
        (served(Serve::CallerDefault), None, None, "DEFAULT"),
    ] {
        let flagd = flagd(&Contents::production().flag(&flag));
        let answer = ask(&flagd, "f", context.clone()).await.unwrap();
        let variant = value.map(|value: bool| if value { "on" } else { "off" });
        assert_eq!(
            (answer.value, answer.reason.as_str(), answer.variant.as_deref()),
            (value, reason, variant),
            "{flag:?}"
        );
        assert!(answer.metadata.is_some(), "metadata is always present");
        let answer = ask_v1(&flagd, "f", context).await;
        if value.is_none() && reason != "DISABLED" {
            let status = answer.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::NotFound, "Flag not found"));
        } else {
            let answer = answer.unwrap();
            assert_eq!(
                (answer.value, answer.reason.as_str(), answer.variant.as_str()),
                (value.unwrap_or_default(), reason, variant.unwrap_or_default()),
                "{flag:?}"
            );
            assert!(answer.metadata.is_some(), "metadata is always present");
        }
    }
}

#[tokio::test]
async fn a_split_without_a_targeting_key_serves_the_callers_default_and_says_why() {
    let flag = Flag {
        default: split_to_on(),
        ..boolean("f")
    };
    let flagd = flagd(&Contents::production().flag(&flag));
    for context in [None, unit(""), fields(&[("targetingKey", Kind::NullValue(0))])] {
        let answer = ask(&flagd, "f", context.clone()).await.unwrap();
        assert_eq!(
            (answer.value, answer.reason.as_str(), answer.variant),
            (None, "DEFAULT", None)
        );
        let error = &answer.metadata.unwrap().fields["tidegate.error"];
        assert_eq!(error.kind, Some(Kind::StringValue("TARGETING_KEY_MISSING".into())));
        assert_eq!(ask_v1(&flagd, "f", context).await.unwrap_err().code(), Code::NotFound);
    }
}

#[tokio::test]
async fn a_rollout_names_each_exposure_and_counts_it() {
    let flagd = flagd(&Contents::production().rollout(Buckets::ALL));
    let answer = ask(&flagd, "checkout", unit("ada")).await.unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(true), "TARGETING_MATCH"));
    let metadata = answer.metadata.unwrap().fields;
    assert_eq!(
        metadata["tidegate.arm"].kind,
        Some(Kind::StringValue("treatment".into()))
    );
    assert_eq!(metadata["tidegate.stage"].kind, Some(Kind::NumberValue(0.0)));
    assert_eq!(metadata["version"].kind, Some(Kind::StringValue("r7.0.0".into())));
    let Some(Kind::StringValue(token)) = &metadata["tidegate.token"].kind else {
        panic!("{metadata:?}")
    };
    let token = Token::from_text(token, TOKEN_KEY).unwrap();
    assert_eq!((token.exposure.rollout, token.minter), (ROLLOUT, 1));

    let answer = ask_v1(&flagd, "checkout", unit("bob")).await.unwrap();
    assert_eq!(answer.reason, "TARGETING_MATCH");
    assert!(answer.metadata.unwrap().fields.contains_key("tidegate.token"));
    assert_eq!(ask(&flagd, "checkout", None).await.unwrap().reason, "DEFAULT");
    assert_eq!(exposures(&flagd), 2);
}

/// Exposures counted so far; to be asked once.
fn exposures(flagd: &Flagd) -> u64 {
    let tick = flagd.evaluator.clock.tick();
    let drained = flagd.evaluator.counters.drain(&measurement(), tick);
    let cells = drained.slices.iter().flat_map(|slice| slice.cells.values());
    cells.map(|counts| counts.exposures).sum()
}

#[tokio::test]
async fn in_shadow_the_arm_is_told_and_counted_and_the_control_is_served() {
    let shadow = RolloutStep {
        shadow: true,
        ..step(Buckets::ALL)
    };
    let flagd = flagd(&Contents::production().rollout_for_some(&shadow));
    let answer = ask(&flagd, "checkout", unit("ada")).await.unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(false), "TARGETING_MATCH"));
    let metadata = answer.metadata.unwrap().fields;
    let is = |name: &str, kind: Kind| metadata[name].kind == Some(kind);
    assert!(is("tidegate.shadow", Kind::BoolValue(true)), "{metadata:?}");
    assert!(
        is("tidegate.arm", Kind::StringValue("treatment".into())),
        "{metadata:?}"
    );
    assert!(metadata.contains_key("tidegate.token"));
    assert_eq!(exposures(&flagd), 1);
    let metadata = ask(&flagd, "checkout", None).await.unwrap().metadata.unwrap();
    assert!(metadata.fields.is_empty(), "nobody is drawn: {metadata:?}");
}

#[tokio::test]
async fn who_is_in_no_audience_of_a_rollout_gets_the_default_without_a_token() {
    let flagd = flagd(&Contents::production().rollout_for_some(&step_for_some()));
    let caller = |name: &str| {
        let account = Kind::StringValue("acme".into());
        fields(&[("targetingKey", Kind::StringValue(name.into())), ("account", account)])
    };
    let answer = ask(&flagd, "checkout", caller("zoe")).await.unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(false), "DEFAULT"));
    assert!(answer.metadata.unwrap().fields.is_empty());
    for (name, stratum) in [("ada", 0), ("bob", 0), ("eve", 1)] {
        let metadata = ask(&flagd, "checkout", caller(name)).await.unwrap().metadata.unwrap();
        let Some(Kind::StringValue(token)) = &metadata.fields["tidegate.token"].kind else {
            panic!("{metadata:?}")
        };
        let exposure = Token::from_text(token, TOKEN_KEY).unwrap().exposure;
        assert_eq!((exposure.stage, exposure.stratum), (1, stratum), "{name}");
        assert!(!metadata.fields.contains_key("tidegate.shadow"));
    }
    assert_eq!(exposures(&flagd), 3);
}

#[tokio::test]
async fn at_zero_percent_everyone_is_counted_in_the_control() {
    let flagd = flagd(&Contents::production().rollout(Buckets::NONE));
    let answer = ask(&flagd, "checkout", unit("ada")).await.unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(false), "TARGETING_MATCH"));
    let arm = &answer.metadata.unwrap().fields["tidegate.arm"];
    assert_eq!(arm.kind, Some(Kind::StringValue("control".into())));
}

/// One flag of each type, and what each call answers for it; None: a type mismatch.
fn typed() -> [(Flag, [Option<&'static str>; 5]); 7] {
    let only = |value| valued("f", value);
    [
        (boolean("f"), [Some("true"), None, None, None, None]),
        (text("f"), [None, Some("text a"), None, None, None]),
        (only(Value::Integer(10)), [None, None, Some("10"), Some("10.0"), None]),
        (only(Value::Float(10.0)), [None, None, Some("10"), Some("10.0"), None]),
        (only(Value::Float(0.5)), [None, None, None, Some("0.5"), None]),
        (
            only(Value::Integer(i64::MAX)),
            [None, None, Some("9223372036854775807"), None, None],
        ),
        (only(object()), [None, None, None, None, Some("half,list,n")]),
    ]
}

/// An object by the names of its fields.
fn names(object: Struct) -> String {
    object.fields.into_keys().collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn each_type_is_answered_and_every_other_is_a_mismatch_in_version_2() {
    for (flag, expected) in typed() {
        let v2 = V2(flagd(&Contents::production().flag(&flag)));
        let (flag_key, context) = (|| "f".to_owned(), None::<Struct>);
        let boolean = v2.resolve_boolean(Request::new(ResolveBooleanRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let string = v2.resolve_string(Request::new(ResolveStringRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let int = v2.resolve_int(Request::new(ResolveIntRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let float = v2.resolve_float(Request::new(ResolveFloatRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let object = v2.resolve_object(Request::new(ResolveObjectRequest {
            flag_key: flag_key(),
            context,
        }));
        let answers = [
            boolean
                .await
                .map(|answer| answer.into_inner().value.unwrap().to_string()),
            string.await.map(|answer| answer.into_inner().value.unwrap()),
            int.await.map(|answer| answer.into_inner().value.unwrap().to_string()),
            float
                .await
                .map(|answer| format!("{:?}", answer.into_inner().value.unwrap())),
            object.await.map(|answer| names(answer.into_inner().value.unwrap())),
        ];
        check(&flag, answers, expected);
    }
}

#[tokio::test]
async fn each_type_is_answered_and_every_other_is_a_mismatch_in_version_1() {
    use evaluation_v1::{
        ResolveBooleanRequest, ResolveFloatRequest, ResolveIntRequest, ResolveObjectRequest, ResolveStringRequest,
    };
    for (flag, expected) in typed() {
        let v1 = V1(flagd(&Contents::production().flag(&flag)));
        let (flag_key, context) = (|| "f".to_owned(), None::<Struct>);
        let boolean = v1.resolve_boolean(Request::new(ResolveBooleanRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let string = v1.resolve_string(Request::new(ResolveStringRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let int = v1.resolve_int(Request::new(ResolveIntRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let float = v1.resolve_float(Request::new(ResolveFloatRequest {
            flag_key: flag_key(),
            context: context.clone(),
        }));
        let object = v1.resolve_object(Request::new(ResolveObjectRequest {
            flag_key: flag_key(),
            context,
        }));
        let answers = [
            boolean.await.map(|answer| answer.into_inner().value.to_string()),
            string.await.map(|answer| answer.into_inner().value),
            int.await.map(|answer| answer.into_inner().value.to_string()),
            float.await.map(|answer| format!("{:?}", answer.into_inner().value)),
            object.await.map(|answer| names(answer.into_inner().value.unwrap())),
        ];
        check(&flag, answers, expected);
    }
}

fn check(flag: &Flag, answers: [Result<String, Status>; 5], expected: [Option<&'static str>; 5]) {
    for (answer, expected) in answers.into_iter().zip(expected) {
        match (answer, expected) {
            (Ok(value), Some(expected)) => assert_eq!(value, expected, "{flag:?}"),
            (Err(status), None) => assert_eq!(
                (status.code(), status.message()),
                (Code::InvalidArgument, "Type mismatch error"),
                "{flag:?}"
            ),
            (answer, expected) => panic!("{flag:?}: {answer:?} instead of {expected:?}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_flag_is_not_found_and_what_is_not_answered_is_no_exposure() {
    let flagd = flagd(&Contents::production().rollout(Buckets::ALL));
    for status in [
        ask(&flagd, "nowhere", None).await.unwrap_err(),
        ask_v1(&flagd, "nowhere", None).await.unwrap_err(),
    ] {
        assert_eq!((status.code(), status.message()), (Code::NotFound, "Flag not found"));
    }
    let request = ResolveStringRequest {
        flag_key: "checkout".into(),
        context: unit("ada"),
    };
    let status = V2(flagd.clone())
        .resolve_string(Request::new(request))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(exposures(&flagd), 0);
}

#[tokio::test]
async fn a_disabled_flag_of_another_type_is_disabled() {
    let flag = Flag {
        enabled: false,
        ..text("t")
    };
    let flagd = flagd(&Contents::production().flag(&flag));
    assert_eq!(ask(&flagd, "t", None).await.unwrap().reason, "DISABLED");
    let answer = ask_v1(&flagd, "t", None).await.unwrap();
    assert_eq!((answer.value, answer.variant.as_str()), (false, ""));
}

#[tokio::test]
async fn an_unmet_prerequisite_is_named() {
    let flag = off(Flag {
        prerequisites: vec![Prerequisite {
            flag: "other".into(),
            variants: vec!["off".into()],
        }],
        ..boolean("f")
    });
    let flagd = flagd(&Contents::production().flag(&flag).flag(&boolean("other")));
    let answer = ask(&flagd, "f", None).await.unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(false), "TARGETING_MATCH"));
    let prerequisite = &answer.metadata.unwrap().fields["tidegate.prerequisite"];
    assert_eq!(prerequisite.kind, Some(Kind::StringValue("other".into())));
}

#[tokio::test]
async fn a_selector_restricts_what_is_found() {
    let of = |key: &str, set: &str| Flag {
        set: Some(Key::parse(set).unwrap()),
        ..boolean(key)
    };
    let flagd = flagd(&Contents::production().flag(&of("a", "one")).flag(&rolled_out()));
    let resolve = async |selector: &'static str, key: &str| {
        let mut request = Request::new(ResolveBooleanRequest {
            flag_key: key.to_owned(),
            context: None,
        });
        let selector = selector.parse().unwrap();
        request.metadata_mut().insert("flagd-selector", selector);
        let answer = V2(flagd.clone()).resolve_boolean(request).await;
        answer.map(Response::into_inner).map_err(|status| status.code())
    };
    let answer = resolve("flagSetId=one", "a").await.unwrap();
    assert_eq!(
        answer.metadata.unwrap().fields["flagSetId"].kind,
        Some(Kind::StringValue("one".into()))
    );
    assert!(resolve("", "a").await.is_ok());
    assert!(resolve("flagSetId=", "checkout").await.is_ok());
    for (selector, key, code) in [
        ("flagSetId=one", "checkout", Code::NotFound),
        ("flagSetId=two", "a", Code::NotFound),
        ("flagSetId=", "a", Code::NotFound),
        ("a-source", "a", Code::NotFound),
        ("source=a", "a", Code::NotFound),
        ("set=one", "a", Code::InvalidArgument),
    ] {
        assert_eq!(resolve(selector, key).await, Err(code), "{selector}");
    }
}

#[tokio::test]
async fn a_long_silence_of_the_control_plane_is_said_and_changes_what_falls_back_only() {
    let falling_back = |when_stale| Flag {
        when_stale,
        ..off(boolean("f"))
    };
    for (flag, value, reason) in [
        (boolean("f"), Some(true), "STATIC"),
        (falling_back(WhenStale::Off), Some(false), "DEFAULT"),
        (falling_back(WhenStale::Variant("off".into())), Some(false), "DEFAULT"),
        (
            Flag {
                when_stale: WhenStale::Off,
                ..boolean("f")
            },
            None,
            "DEFAULT",
        ),
        (
            Flag {
                enabled: false,
                ..falling_back(WhenStale::Variant("on".into()))
            },
            Some(false),
            "DISABLED",
        ),
    ] {
        let evaluator = stale_evaluator(&Contents::production().flag(&flag).held(1));
        let flagd = Flagd::new(Arc::new(evaluator), Shutdown::new());
        let answer = ask(&flagd, "f", None).await.unwrap();
        assert_eq!((answer.value, answer.reason.as_str()), (value, reason), "{flag:?}");
        assert!(answer.metadata.unwrap().fields.contains_key("tidegate.stale_s"));
    }
}

async fn all(flagd: &Flagd, selector: &'static str, context: Option<Struct>) -> evaluation_v1::ResolveAllResponse {
    let mut request = Request::new(evaluation_v1::ResolveAllRequest { context });
    request
        .metadata_mut()
        .insert("flagd-selector", selector.parse().unwrap());
    V1(flagd.clone()).resolve_all(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn all_flags_are_answered_with_the_value_of_their_type() {
    let disabled = Flag {
        enabled: false,
        ..valued("disabled", Value::Integer(3))
    };
    let callers = Flag {
        default: Serve::CallerDefault,
        ..boolean("callers")
    };
    let split = Flag {
        default: split_to_on(),
        ..boolean("split")
    };
    let contents = [
        boolean("boolean"),
        text("string"),
        valued("integer", Value::Integer(10)),
        valued("float", Value::Float(0.5)),
        valued("large", Value::Integer(i64::MAX)),
        valued("object", object()),
        disabled,
        callers,
        split,
    ]
    .iter()
    .fold(Contents::production(), |contents, flag| contents.flag(flag));
    let all = all(&flagd(&contents), "", None).await;
    assert_eq!(all.metadata, Some(Struct::default()));
    let answers: Vec<_> = all
        .flags
        .iter()
        .map(|(key, any)| {
            let value = match any.value.as_ref().unwrap() {
                any_flag::Value::BoolValue(value) => value.to_string(),
                any_flag::Value::StringValue(value) => value.clone(),
                any_flag::Value::DoubleValue(value) => value.to_string(),
                any_flag::Value::ObjectValue(value) => names(value.clone()),
            };
            (key.as_str(), value, any.reason.as_str(), any.variant.as_str())
        })
        .collect();
    let expected = [
        ("boolean", "true", "STATIC", "on"),
        ("disabled", "0", "DISABLED", ""),
        ("float", "0.5", "STATIC", "only"),
        ("integer", "10", "STATIC", "only"),
        ("large", "0", "ERROR", "only"),
        ("object", "half,list,n", "STATIC", "only"),
        ("split", "false", "ERROR", ""),
        ("string", "text a", "STATIC", "a"),
    ];
    assert_eq!(
        answers,
        expected.map(|(key, value, reason, variant)| (key, value.to_owned(), reason, variant))
    );
    let why = &all.flags["split"].metadata.as_ref().unwrap().fields["tidegate.error"];
    assert_eq!(why.kind, Some(Kind::StringValue("TARGETING_KEY_MISSING".into())));
}

#[tokio::test]
async fn a_bulk_answer_names_exposures_without_counting_them() {
    let of_set = Flag {
        set: Some(Key::parse("one").unwrap()),
        ..boolean("a")
    };
    let flagd = flagd(&Contents::production().rollout(Buckets::ALL).flag(&of_set));
    let answer = all(&flagd, "", unit("ada")).await;
    let metadata = answer.flags["checkout"].metadata.clone().unwrap();
    let Some(Kind::StringValue(token)) = &metadata.fields["tidegate.token"].kind else {
        panic!("{metadata:?}")
    };
    assert_eq!(Token::from_text(token, TOKEN_KEY).unwrap().tick, 0);
    assert_eq!(exposures(&flagd), 0);

    let answer = all(&flagd, "flagSetId=one", None).await;
    assert!(answer.flags.keys().eq(["a"]));
    assert_eq!(
        answer.metadata.unwrap().fields["flagSetId"].kind,
        Some(Kind::StringValue("one".into()))
    );
}

#[tokio::test]
async fn more_than_a_message_can_hold_is_refused_with_the_way_out() {
    let large = Value::String("x".repeat(65_000).into());
    let contents = (0..70).fold(Contents::production(), |contents, number| {
        contents.flag(&valued(&format!("f{number}"), large.clone()))
    });
    let request = Request::new(evaluation_v1::ResolveAllRequest { context: None });
    let status = V1(flagd(&contents)).resolve_all(request).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("flagd-selector"), "{status}");
}
