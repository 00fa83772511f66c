#![allow(clippy::unwrap_used)]

use std::time::Duration;

use evaluation::{Buckets, Condition, Flag, Key, Literal, Rule, Serve, Share, Test};
use proto::Token;
use tonic::Code;

use super::*;
use crate::samples::{Contents, ROLLOUT, TOKEN_KEY, boolean, evaluator, measurement, rolled_out, text};

fn flagd(contents: &Contents) -> Flagd {
    Flagd::new(Arc::new(evaluator(&contents.held(1))), Shutdown::new())
}

fn fields(fields: &[(&str, Kind)]) -> Option<Struct> {
    let value = |(name, kind): &(&str, Kind)| {
        (
            (*name).to_owned(),
            prost_types::Value {
                kind: Some(kind.clone()),
            },
        )
    };
    Some(Struct {
        fields: fields.iter().map(value).collect(),
    })
}

fn unit(unit: &str) -> Option<Struct> {
    fields(&[("targetingKey", Kind::StringValue(unit.to_owned()))])
}

async fn ask(flagd: &Flagd, key: &str, context: Option<Struct>) -> Result<ResolveBooleanResponse, Status> {
    let request = ResolveBooleanRequest {
        flag_key: key.to_owned(),
        context,
    };
    flagd
        .resolve_boolean(Request::new(request))
        .await
        .map(Response::into_inner)
}

async fn answered(flag: Flag, context: Option<Struct>) -> (Option<bool>, String, Option<String>) {
    let key = flag.key.to_string();
    let answer = ask(&flagd(&Contents::production().flag(&flag)), &key, context)
        .await
        .unwrap();
    assert!(answer.metadata.is_some(), "metadata is always present");
    (answer.value, answer.reason, answer.variant)
}

fn split() -> Serve {
    let share = |variant: &str, buckets| Share {
        variant: variant.to_owned(),
        buckets,
    };
    Serve::Split(vec![share("on", Buckets::ALL), share("off", Buckets::NONE)])
}

#[tokio::test]
async fn decisions_are_answered_in_the_words_of_flagd() {
    let rule = Rule {
        name: "staff".into(),
        conditions: vec![Condition {
            attribute: "staff".into(),
            test: Test::OneOf(vec![Literal::Boolean(true)]),
        }],
        serve: Serve::Variant("off".into()),
    };
    let staff = fields(&[("staff", Kind::BoolValue(true))]);
    let ruled = Flag {
        rules: vec![rule],
        ..boolean("f")
    };
    let denied = Flag {
        deny: vec!["ada".into()],
        off_variant: Some("off".into()),
        ..boolean("f")
    };
    let denied_without_off = Flag {
        off_variant: None,
        ..denied.clone()
    };
    let ruled_out = Flag {
        rules: vec![Rule {
            serve: Serve::CallerDefault,
            ..ruled.rules[0].clone()
        }],
        ..boolean("f")
    };
    let disabled = Flag {
        enabled: false,
        ..boolean("f")
    };
    let off = Flag {
        off_variant: Some("off".into()),
        ..disabled.clone()
    };
    for (flag, context, value, reason) in [
        (boolean("f"), None, Some(true), "STATIC"),
        (ruled.clone(), staff.clone(), Some(false), "TARGETING_MATCH"),
        (ruled, None, Some(true), "DEFAULT"),
        (denied, unit("ada"), Some(false), "TARGETING_MATCH"),
        (denied_without_off, unit("ada"), None, "DEFAULT"),
        (ruled_out, staff, None, "DEFAULT"),
        (
            Flag {
                default: split(),
                ..boolean("f")
            },
            unit("ada"),
            Some(true),
            "TARGETING_MATCH",
        ),
        (disabled, None, None, "DISABLED"),
        (off, None, Some(false), "DISABLED"),
        (
            Flag {
                default: Serve::CallerDefault,
                ..boolean("f")
            },
            None,
            None,
            "DEFAULT",
        ),
    ] {
        let variant = value.map(|value: bool| if value { "on" } else { "off" }.to_owned());
        assert_eq!(
            answered(flag.clone(), context).await,
            (value, reason.to_owned(), variant),
            "{flag:?}"
        );
    }
}

#[tokio::test]
async fn a_split_without_a_targeting_key_serves_the_callers_default_and_says_why() {
    let flag = Flag {
        default: split(),
        ..boolean("f")
    };
    let flagd = flagd(&Contents::production().flag(&flag));
    for context in [None, unit(""), fields(&[("targetingKey", Kind::NullValue(0))])] {
        let answer = ask(&flagd, "f", context).await.unwrap();
        assert_eq!(
            (answer.value, answer.reason.as_str(), answer.variant),
            (None, "DEFAULT", None)
        );
        let error = &answer.metadata.unwrap().fields["tidegate.error"];
        assert_eq!(error.kind, Some(Kind::StringValue("TARGETING_KEY_MISSING".into())));
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
    let Some(Kind::StringValue(token)) = &metadata["tidegate.token"].kind else {
        panic!("{metadata:?}")
    };
    let token = Token::from_text(token, TOKEN_KEY).unwrap();
    assert_eq!(
        (token.exposure.rollout, token.exposure.arm, token.minter),
        (ROLLOUT, Arm::Treatment, 1)
    );

    assert_eq!(
        ask(&flagd, "checkout", unit("bob")).await.unwrap().reason,
        "TARGETING_MATCH"
    );
    assert_eq!(ask(&flagd, "checkout", None).await.unwrap().reason, "DEFAULT");
    let drained = flagd
        .evaluator
        .counters
        .drain(&measurement(), flagd.evaluator.clock.tick());
    let exposures: u64 = drained
        .slices
        .iter()
        .flat_map(|slice| slice.cells.values())
        .map(|counts| counts.exposures)
        .sum();
    assert_eq!(exposures, 2);
}

#[tokio::test]
async fn at_zero_percent_everyone_is_counted_in_the_control() {
    let flagd = flagd(&Contents::production().rollout(Buckets::NONE));
    let answer = ask(&flagd, "checkout", unit("ada")).await.unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(false), "TARGETING_MATCH"));
    let arm = &answer.metadata.unwrap().fields["tidegate.arm"];
    assert_eq!(arm.kind, Some(Kind::StringValue("control".into())));
}

#[tokio::test]
async fn unknown_flags_and_wrong_types_are_the_statuses_that_providers_know() {
    let flagd = flagd(
        &Contents::production()
            .flag(&boolean("b"))
            .flag(&text("t"))
            .rollout(Buckets::ALL),
    );
    let status = ask(&flagd, "nowhere", None).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "Flag not found"));
    let status = ask(&flagd, "t", None).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "Type mismatch error")
    );

    let string = |key: &str| {
        Request::new(ResolveStringRequest {
            flag_key: key.into(),
            context: unit("ada"),
        })
    };
    let answer = flagd.resolve_string(string("t")).await.unwrap().into_inner();
    assert_eq!(
        (answer.value.as_deref(), answer.variant.as_deref()),
        (Some("text a"), Some("a"))
    );
    assert_eq!(
        flagd.resolve_string(string("b")).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(
        flagd.resolve_string(string("checkout")).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let drained = flagd
        .evaluator
        .counters
        .drain(&measurement(), flagd.evaluator.clock.tick());
    assert!(drained.slices.is_empty(), "what was not answered is no exposure");

    for (key, code) in [
        ("b", Code::InvalidArgument),
        ("t", Code::InvalidArgument),
        ("nowhere", Code::NotFound),
    ] {
        let flag_key = || key.to_owned();
        let int = ResolveIntRequest {
            flag_key: flag_key(),
            context: None,
        };
        let float = ResolveFloatRequest {
            flag_key: flag_key(),
            context: None,
        };
        let object = ResolveObjectRequest {
            flag_key: flag_key(),
            context: None,
        };
        assert_eq!(flagd.resolve_int(Request::new(int)).await.unwrap_err().code(), code);
        assert_eq!(flagd.resolve_float(Request::new(float)).await.unwrap_err().code(), code);
        assert_eq!(
            flagd.resolve_object(Request::new(object)).await.unwrap_err().code(),
            code
        );
    }
}

#[tokio::test]
async fn a_disabled_flag_of_another_type_is_disabled() {
    let flag = Flag {
        enabled: false,
        ..text("t")
    };
    assert_eq!(
        ask(&flagd(&Contents::production().flag(&flag)), "t", None)
            .await
            .unwrap()
            .reason,
        "DISABLED"
    );
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
        request
            .metadata_mut()
            .insert("flagd-selector", selector.parse().unwrap());
        flagd
            .resolve_boolean(request)
            .await
            .map(Response::into_inner)
            .map_err(|status| status.code())
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
async fn a_long_silence_of_the_control_plane_is_said_and_changes_nothing_else() {
    let mut evaluator = evaluator(&Contents::production().flag(&boolean("f")).held(1));
    evaluator.stale_after = Duration::ZERO;
    while evaluator.stale_s().is_none() {
        std::thread::yield_now();
    }
    let answer = ask(&Flagd::new(Arc::new(evaluator), Shutdown::new()), "f", None)
        .await
        .unwrap();
    assert_eq!((answer.value, answer.reason.as_str()), (Some(true), "STATIC"));
    assert!(answer.metadata.unwrap().fields.contains_key("tidegate.stale_s"));
}
