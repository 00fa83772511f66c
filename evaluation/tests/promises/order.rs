//! The order in which a flag decides, step by step: off, deny, allow, rules, default. The rollout has its own file.

use std::collections::BTreeMap;

use evaluation::{Context, EvaluationError, Flag, Json, Reason, Serve, Value, bucket};

use crate::builders::{SALT, boolean, buckets, compiled, nothing, on_for, rule, split, step, string, unit, variant};

/// A flag in which every step could decide for ada, each in its own way.
fn contested() -> Flag {
    Flag {
        off_variant: Some("off".into()),
        deny: vec!["mallory".into()],
        allow: BTreeMap::from([("listed".into(), vec!["ada".into()])]),
        rules: vec![
            rule("first", "plan", &["pro", "team"], variant("ruled")),
            rule("second", "plan", &["pro"], variant("late")),
        ],
        default: variant("default"),
        ..string("contested", &["default", "late", "listed", "off", "ruled"])
    }
}

fn pro(name: &str) -> Context {
    unit(name).with("plan", Json::Text("pro".into()))
}

#[test]
fn each_step_decides_before_the_next() {
    let flag = contested();
    let disabled = Flag {
        enabled: false,
        ..contested()
    };
    let killed = Flag {
        killed: true,
        ..contested()
    };
    let cases = [
        (&disabled, pro("ada"), "off", Reason::Disabled, None),
        (&killed, pro("ada"), "off", Reason::Disabled, None),
        (&killed, pro("mallory"), "off", Reason::Disabled, None),
        (&flag, pro("mallory"), "off", Reason::TargetingMatch, None),
        (&flag, pro("ada"), "listed", Reason::TargetingMatch, None),
        (&flag, pro("bob"), "ruled", Reason::TargetingMatch, Some("first")),
        (&flag, unit("bob"), "default", Reason::Default, None),
        (&flag, Context::new(), "default", Reason::Default, None),
    ];
    for (flag, context, expected, reason, rule) in cases {
        let compiled = compiled(flag);
        let decision = compiled.evaluate(nothing(), &context);
        assert_eq!(
            (decision.variant, decision.reason, decision.rule),
            (Some(expected), reason, rule),
            "{context:?}"
        );
        assert_eq!(decision.value, Some(&Value::String(expected.into())));
        assert_eq!((decision.exposure, decision.bucket, decision.error), (None, None, None));
    }
}

#[test]
fn without_an_off_variant_the_caller_keeps_its_default() {
    for flag in [
        Flag {
            off_variant: None,
            enabled: false,
            ..boolean("a")
        },
        Flag {
            off_variant: None,
            deny: vec!["ada".into()],
            ..boolean("a")
        },
    ] {
        let compiled = compiled(&flag);
        let decision = compiled.evaluate(nothing(), &unit("ada"));
        assert_eq!((decision.value, decision.variant), (None, None));
    }
}

#[test]
fn only_a_flag_that_nothing_else_could_decide_is_static() {
    let reason = |flag: Flag| compiled(&flag).evaluate(nothing(), &unit("ada")).reason;
    assert_eq!(reason(boolean("a")), Reason::Static);
    assert_eq!(
        reason(Flag {
            deny: vec!["bob".into()],
            ..boolean("a")
        }),
        Reason::Default
    );
    assert_eq!(
        reason(Flag {
            allow: BTreeMap::from([("on".into(), vec!["bob".into()])]),
            ..boolean("a")
        }),
        Reason::Default
    );
    assert_eq!(
        reason(Flag {
            rules: vec![rule("r", "plan", &["pro"], variant("on"))],
            ..boolean("a")
        }),
        Reason::Default
    );
    assert_eq!(
        reason(Flag {
            default: Serve::CallerDefault,
            ..boolean("a")
        }),
        Reason::Default
    );
    assert_eq!(
        reason(Flag {
            default: on_for(100_000),
            ..boolean("a")
        }),
        Reason::Split
    );
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let mut both = rule("both", "plan", &["pro"], variant("on"));
    both.conditions
        .push(crate::builders::condition("country", &["NL", "DE"]));
    let flag = compiled(&Flag {
        rules: vec![both],
        ..boolean("a")
    });
    let text = |text: &str| Json::Text(text.into());
    let value = |context: &Context| flag.evaluate(nothing(), context).value.cloned();
    assert_eq!(
        value(&Context::new().with("plan", text("pro")).with("country", text("DE"))),
        Some(Value::Boolean(true))
    );
    assert_eq!(
        value(&Context::new().with("plan", text("pro"))),
        Some(Value::Boolean(false))
    );
    assert_eq!(
        value(&Context::new().with("country", text("DE"))),
        Some(Value::Boolean(false))
    );
}

#[test]
fn a_split_follows_the_bucket_of_its_salt() {
    let default = compiled(&Flag {
        default: on_for(25_000),
        ..boolean("a")
    });
    let ruled = compiled(&Flag {
        rules: vec![rule("pros", "plan", &["pro"], on_for(25_000))],
        ..boolean("a")
    });
    for number in 0..1_000 {
        let unit = format!("user-{number}");
        let by_default = default.evaluate(nothing(), &pro(&unit));
        assert_eq!(
            (by_default.bucket, by_default.reason),
            (Some(bucket(SALT, &unit)), Reason::Split)
        );
        assert_eq!(by_default.value, Some(&Value::Boolean(bucket(SALT, &unit) < 25_000)));
        let by_rule = ruled.evaluate(nothing(), &pro(&unit));
        assert_eq!(
            (by_rule.bucket, by_rule.rule),
            (Some(bucket(&format!("{SALT}/pros"), &unit)), Some("pros"))
        );
        assert_eq!(by_rule.reason, Reason::Split);
    }
}

#[test]
fn a_split_without_a_targeting_key_is_the_callers_default_and_says_why() {
    let by_default = compiled(&Flag {
        default: on_for(50_000),
        ..boolean("a")
    });
    let by_rule = compiled(&Flag {
        rules: vec![rule("pros", "plan", &["pro"], on_for(1))],
        ..boolean("a")
    });
    let context = Context::new().with("plan", Json::Text("pro".into()));
    for (flag, rule) in [(&by_default, None), (&by_rule, Some("pros"))] {
        let decision = flag.evaluate(nothing(), &context);
        assert_eq!(
            (decision.value, decision.reason, decision.rule),
            (None, Reason::Error, rule)
        );
        assert_eq!(decision.error, Some(EvaluationError::TargetingKeyMissing));
    }
}

#[test]
fn a_share_of_nothing_serves_nobody_and_a_share_of_all_everybody() {
    let nobody = compiled(&Flag {
        default: split(&[("on", 0), ("off", 100_000)]),
        ..boolean("a")
    });
    let everybody = compiled(&Flag {
        default: on_for(buckets(100_000).get()),
        ..boolean("a")
    });
    for number in 0..2_000 {
        let context = unit(number.to_string());
        assert_eq!(nobody.evaluate(nothing(), &context).variant, Some("off"));
        assert_eq!(everybody.evaluate(nothing(), &context).variant, Some("on"));
    }
}

#[test]
fn a_flag_tells_its_name_type_set_and_rollout() {
    let set = evaluation::Key::parse("web").unwrap();
    let flag = compiled(&Flag {
        set: Some(set),
        ..boolean("a")
    });
    assert_eq!(
        (flag.key().as_str(), flag.flag_type()),
        ("a", evaluation::FlagType::Boolean)
    );
    assert_eq!((flag.set(), flag.under_rollout()), (Some("web"), false));
    assert!(crate::builders::rolled_out(&boolean("a"), &step(0)).under_rollout());
}
