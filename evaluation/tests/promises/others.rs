//! Flags that ask others: prerequisites, variants that another flag serves, segments; and what is served when stale.

use evaluation::{Context, Flag, Json, Reason, Rule, Segment, Serve, Snapshot, Test, WhenStale, bucket};

use crate::builders::{
    SALT, boolean, compiled, compiled_segment, condition, in_segment, nothing, on_for, prerequisite, rolled_out, rule,
    rule_of, segment, serves, snapshot, step, string, text, texts, unit, variant,
};

/// Serves `on` to those who meet the condition.
fn if_met(key: &str, condition: evaluation::Condition) -> Flag {
    Flag {
        rules: vec![rule_of("r", vec![condition], variant("on"))],
        ..boolean(key)
    }
}

fn not(mut condition: evaluation::Condition) -> evaluation::Condition {
    condition.negated = true;
    condition
}

fn served<'s>(snapshot: &'s Snapshot, key: &str, context: &Context) -> Option<&'s str> {
    snapshot.flag(key).unwrap().evaluate(snapshot, context).variant
}

#[test]
fn a_flag_waits_for_its_prerequisites() {
    let waiting = |wanted: &[&str]| Flag {
        default: variant("on"),
        prerequisites: vec![prerequisite("first", &["on"]), prerequisite("second", wanted)],
        ..boolean("waiting")
    };
    let first = || Flag {
        default: variant("on"),
        ..boolean("first")
    };
    let both = |wanted| {
        snapshot(
            vec![
                compiled(&waiting(wanted)),
                compiled(&first()),
                compiled(&boolean("second")),
            ],
            vec![],
        )
    };
    let met = both(&["on", "off"]);
    let decision = met.flag("waiting").unwrap().evaluate(&met, &unit("ada"));
    assert_eq!(
        (decision.variant, decision.reason, decision.prerequisite),
        (Some("on"), Reason::Default, None)
    );
    let unmet = both(&["on"]);
    let decision = unmet.flag("waiting").unwrap().evaluate(&unmet, &unit("ada"));
    assert_eq!(
        (decision.variant, decision.reason, decision.prerequisite),
        (Some("off"), Reason::TargetingMatch, Some("second"))
    );
}

#[test]
fn a_prerequisite_that_is_not_there_is_unmet() {
    let waiting = compiled(&Flag {
        default: variant("on"),
        prerequisites: vec![prerequisite("absent", &["on"])],
        ..boolean("waiting")
    });
    let decision = waiting.evaluate(nothing(), &Context::new());
    assert_eq!((decision.variant, decision.prerequisite), (Some("off"), Some("absent")));
}

#[test]
fn another_flag_is_asked_with_the_same_context_and_exposes_nobody() {
    let waiting = Flag {
        default: variant("on"),
        prerequisites: vec![prerequisite("rolling", &["on"])],
        ..boolean("waiting")
    };
    let all = snapshot(
        vec![compiled(&waiting), rolled_out(&boolean("rolling"), &step(30_000))],
        vec![],
    );
    for number in 0..200 {
        let name = format!("user-{number}");
        let decision = all.flag("waiting").unwrap().evaluate(&all, &unit(&*name));
        assert_eq!(decision.variant == Some("on"), bucket(SALT, &name) < 30_000, "{name}");
        assert_eq!(decision.exposure, None);
    }
}

#[test]
fn a_condition_asks_what_another_flag_serves() {
    let colour = Flag {
        rules: vec![rule("pros", "plan", &["pro"], variant("red"))],
        ..string("colour", &["blue", "red"])
    };
    let all = snapshot(
        vec![
            compiled(&if_met("reds", serves("colour", &["red", "green"]))),
            compiled(&if_met("others", not(serves("colour", &["red"])))),
            compiled(&if_met("of-none", serves("absent", &["red"]))),
            compiled(&if_met("not-of-none", not(serves("absent", &["red"])))),
            compiled(&colour),
        ],
        vec![],
    );
    let (pro, free) = (unit("ada").with("plan", text("pro")), unit("ada"));
    assert_eq!(
        (served(&all, "reds", &pro), served(&all, "reds", &free)),
        (Some("on"), Some("off"))
    );
    assert_eq!(
        (served(&all, "others", &pro), served(&all, "others", &free)),
        (Some("off"), Some("on"))
    );
    assert_eq!(
        (served(&all, "of-none", &pro), served(&all, "not-of-none", &pro)),
        (Some("off"), Some("on"))
    );
}

#[test]
fn a_segment_has_whom_it_includes_but_nobody_whom_it_excludes() {
    let staff = Segment {
        included: texts(&["ada", "bob"]),
        excluded: texts(&["eve"]),
        groups: vec![
            vec![condition("plan", &["pro"]), condition("country", &["NL"])],
            vec![condition("team", &["core"])],
        ],
        ..segment("staff")
    };
    let all = snapshot(
        vec![
            compiled(&if_met("in", in_segment(&["absent", "staff"]))),
            compiled(&if_met("out", not(in_segment(&["staff"])))),
        ],
        vec![compiled_segment(&staff)],
    );
    let core = |context: Context| context.with("team", text("core"));
    let pro = |context: Context| context.with("plan", text("pro"));
    let cases = [
        (unit("ada"), true),
        (unit("eve"), false),
        (core(unit("eve")), false),
        (core(unit("zoe")), true),
        (core(Context::new()), true),
        (pro(unit("zoe")), false),
        (pro(unit("zoe")).with("country", text("NL")), true),
        (unit("zoe"), false),
        (Context::new(), false),
    ];
    for (context, is_in) in cases {
        let expected = if is_in {
            (Some("on"), Some("off"))
        } else {
            (Some("off"), Some("on"))
        };
        assert_eq!(
            (served(&all, "in", &context), served(&all, "out", &context)),
            expected,
            "{context:?}"
        );
    }
}

#[test]
fn a_hundred_thousand_members_are_found() {
    let large = Segment {
        included: (0..100_000).map(|number| format!("user-{number}")).collect(),
        ..segment("large")
    };
    let all = snapshot(
        vec![compiled(&if_met("in", in_segment(&["large"])))],
        vec![compiled_segment(&large)],
    );
    for number in (0..200_000).step_by(997) {
        let expected = if number < 100_000 { "on" } else { "off" };
        assert_eq!(served(&all, "in", &unit(format!("user-{number}"))), Some(expected));
    }
}

/// Flags that each wait for the next; the last serves `on`.
fn chain(length: usize) -> Snapshot {
    let flag = |at: usize| Flag {
        default: variant("on"),
        prerequisites: if at < length {
            vec![prerequisite(&format!("f{}", at + 1), &["on"])]
        } else {
            Vec::new()
        },
        ..boolean(&format!("f{at}"))
    };
    snapshot((0..=length).map(|at| compiled(&flag(at))).collect(), vec![])
}

#[test]
fn sixteen_flags_are_asked_one_after_the_other_and_no_more() {
    assert_eq!(served(&chain(16), "f0", &Context::new()), Some("on"));
    assert_eq!(served(&chain(17), "f0", &Context::new()), Some("off"));
    assert_eq!(served(&chain(17), "f1", &Context::new()), Some("on"));
}

#[test]
fn flags_and_segments_that_go_in_a_circle_end() {
    let asks = |key: &str, other: &str| if_met(key, serves(other, &["on"]));
    let circle = Segment {
        groups: vec![vec![in_segment(&["two"])]],
        ..segment("one")
    };
    let back = Segment {
        groups: vec![vec![serves("c", &["on"])]],
        ..segment("two")
    };
    let all = snapshot(
        vec![
            compiled(&asks("a", "b")),
            compiled(&asks("b", "a")),
            compiled(&if_met("c", in_segment(&["one"]))),
            compiled(&if_met("d", not(in_segment(&["one"])))),
        ],
        vec![compiled_segment(&circle), compiled_segment(&back)],
    );
    for key in ["a", "b", "c"] {
        assert_eq!(served(&all, key, &unit("ada")), Some("off"), "{key}");
    }
    assert!(served(&all, "d", &unit("ada")).is_some());
}

#[test]
fn flags_that_ask_very_many_others_end_all_the_same() {
    let flag = |at: usize| {
        let next = format!("f{}", at + 1);
        Flag {
            default: variant("on"),
            rules: (0..40)
                .map(|number| rule_of(&number.to_string(), vec![serves(&next, &["off"])], variant("off")))
                .collect(),
            ..boolean(&format!("f{at}"))
        }
    };
    let all = snapshot((0..16).map(|at| compiled(&flag(at))).collect(), vec![]);
    let first = all.flag("f0").unwrap();
    let decision = first.evaluate(&all, &Context::new());
    assert_eq!(first.explain(&all, &Context::new()).decision, decision);
}

#[test]
fn the_unit_is_the_first_bucketing_attribute_that_the_context_has() {
    let by = |names: &[&str]| {
        compiled(&Flag {
            default: on_for(50_000),
            bucket_by: texts(names),
            ..boolean("a")
        })
    };
    let account = by(&["account.id", "targetingKey"]);
    let object = |id: Json| Json::Object([("id".to_owned(), id)].into());
    let drawn = |context: Context| account.evaluate(nothing(), &context).bucket;
    assert_eq!(
        drawn(unit("ada").with("account", object(text("acme")))),
        Some(bucket(SALT, "acme"))
    );
    assert_eq!(
        drawn(unit("ada").with("account", object(Json::Number(42.0)))),
        Some(bucket(SALT, "42"))
    );
    assert_eq!(
        drawn(unit("ada").with("account", object(Json::Number(-0.5)))),
        Some(bucket(SALT, "-0.5"))
    );
    assert_eq!(
        drawn(unit("ada").with("account", object(Json::Boolean(true)))),
        Some(bucket(SALT, "ada"))
    );
    assert_eq!(
        drawn(unit("ada").with("account", object(text("")))),
        Some(bucket(SALT, "ada"))
    );
    assert_eq!(drawn(unit("ada")), Some(bucket(SALT, "ada")));
    assert_eq!(account.evaluate(nothing(), &Context::new()).reason, Reason::Error);
    assert_eq!(by(&["account"]).evaluate(nothing(), &unit("ada")).reason, Reason::Error);
    assert_eq!(
        by(&["targetingKey"]).evaluate(nothing(), &unit("ada")).bucket,
        Some(bucket(SALT, "ada"))
    );
}

#[test]
fn a_rollout_draws_the_same_unit_as_the_splits() {
    let flag = Flag {
        bucket_by: texts(&["account"]),
        ..boolean("a")
    };
    let flag = rolled_out(&flag, &step(30_000));
    for number in 0..200 {
        let context = unit("ada").with("account", Json::Number(f64::from(number)));
        let decision = flag.evaluate(nothing(), &context);
        assert_eq!(decision.bucket, Some(bucket(SALT, &number.to_string())));
        let position = evaluation::Position::of(0x5eed, &number.to_string());
        assert_eq!(decision.exposure.map(|exposure| exposure.position), Some(position));
    }
    assert_eq!(flag.evaluate(nothing(), &unit("ada")).exposure, None);
}

#[test]
fn a_flag_that_only_names_its_unit_differently_is_static() {
    let flag = compiled(&Flag {
        bucket_by: texts(&["account"]),
        ..boolean("a")
    });
    assert_eq!(flag.evaluate(nothing(), &Context::new()).reason, Reason::Static);
}

#[test]
fn a_rule_with_its_own_salt_draws_with_that() {
    let flag = compiled(&Flag {
        rules: vec![Rule {
            salt: "own".into(),
            ..rule("r", "plan", &["pro"], on_for(50_000))
        }],
        ..boolean("a")
    });
    let decision = flag.evaluate(nothing(), &unit("ada").with("plan", text("pro")));
    assert_eq!(decision.bucket, Some(bucket("own", "ada")));
}

#[test]
fn a_stale_flag_serves_what_it_says_for_that_case() {
    let with = |when_stale| Flag {
        default: variant("default"),
        off_variant: Some("off".into()),
        when_stale,
        ..string("a", &["default", "fallback", "off"])
    };
    let stale = |flag: &Flag, step: Option<u32>| {
        let flag = match step {
            Some(share) => rolled_out(&boolean("a"), &super::builders::step(share)),
            None => compiled(flag),
        };
        let decision = flag.evaluate_stale(nothing(), &unit("ada"));
        (decision.variant.map(str::to_owned), decision.reason)
    };
    let is = |variant: &str, reason| (Some(variant.to_owned()), reason);
    assert_eq!(stale(&with(WhenStale::Keep), None), is("default", Reason::Static));
    assert_eq!(
        stale(&with(WhenStale::Variant("fallback".into())), None),
        is("fallback", Reason::Stale)
    );
    assert_eq!(stale(&with(WhenStale::Off), None), is("off", Reason::Stale));
    assert_eq!(stale(&with(WhenStale::Keep), Some(100_000)), is("on", Reason::Split));
    for when_stale in [WhenStale::Keep, WhenStale::Off, WhenStale::Variant("fallback".into())] {
        let killed = Flag {
            killed: true,
            ..with(when_stale)
        };
        assert_eq!(stale(&killed, None), is("off", Reason::Disabled));
    }
    assert!(compiled(&with(WhenStale::Off)).falls_back_when_stale());
    assert!(!compiled(&with(WhenStale::Keep)).falls_back_when_stale());
}

#[test]
fn a_fallback_of_a_stale_rollout_exposes_nobody() {
    let flag = Flag {
        when_stale: WhenStale::Off,
        ..boolean("a")
    };
    let decision = rolled_out(&flag, &step(100_000))
        .evaluate_stale(nothing(), &unit("ada"))
        .exposure;
    assert_eq!(decision, None);
}

#[test]
fn a_flag_lists_its_variants() {
    let flag = compiled(&Flag {
        default: Serve::CallerDefault,
        rules: vec![rule_of(
            "r",
            vec![crate::builders::test("a", Test::Exists)],
            variant("b"),
        )],
        ..string("f", &["b", "a"])
    });
    assert_eq!(flag.variants().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(flag.value_of("b").is_some() && flag.value_of("c").is_none());
}
