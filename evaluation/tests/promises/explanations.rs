//! Explanations: every step up to the one that decided, and for every rule whether it matched or what failed.

use evaluation::{Context, Explanation, Flag, Json, NumberTest, Snapshot, StepKind, Test, VersionComparison, bucket};

use crate::builders::{
    SALT, boolean, compiled, condition, in_segment, nothing, on_for, prerequisite, rolled_out, rule, rule_of, serves,
    snapshot, step, test, text, texts, unit, variant,
};

fn explained<'s>(snapshot: &'s Snapshot, key: &str, context: &Context) -> Explanation<'s> {
    snapshot.flag(key).unwrap().explain(snapshot, context)
}

fn steps(explanation: &Explanation<'_>) -> Vec<(StepKind, bool, String)> {
    let steps = explanation.steps.iter();
    steps
        .map(|step| (step.kind, step.decided, step.detail.clone()))
        .collect()
}

fn is(kind: StepKind, decided: bool, detail: &str) -> (StepKind, bool, String) {
    (kind, decided, detail.to_owned())
}

#[test]
fn every_step_that_the_flag_has_is_told_up_to_the_one_that_decided() {
    use StepKind::{Default, Lists, Off, Prerequisites, Rollout, Rules};
    let flag = Flag {
        prerequisites: vec![prerequisite("billing", &["on"])],
        deny: texts(&["eve"]),
        rules: vec![rule("pros", "plan", &["pro"], variant("on"))],
        default: on_for(25_000),
        ..boolean("a")
    };
    let billing = |serve: &str| Flag {
        default: variant(serve),
        ..boolean("billing")
    };
    let all = |serve| snapshot(vec![compiled(&flag), compiled(&billing(serve))], vec![]);
    let on = all("on");
    let told = explained(&on, "a", &unit("ada"));
    let served = told.decision.variant.unwrap_or_default();
    let expected = [
        is(Off, false, "the flag is enabled"),
        is(Prerequisites, false, "all are met"),
        is(Lists, false, "no list has the targeting key"),
        is(Rules, false, "no rule matches"),
        is(Default, true, &format!("serves {served}")),
    ];
    assert_eq!(steps(&told), expected);
    assert_eq!(told.steps[4].bucket, Some(bucket(SALT, "ada")));
    let told = explained(&on, "a", &unit("ada").with("plan", text("pro")));
    assert_eq!(steps(&told)[3..], [is(Rules, true, "rule pros matches")]);
    assert_eq!(
        steps(&explained(&on, "a", &unit("eve")))[2..],
        [is(Lists, true, "the deny list has the targeting key")]
    );
    let off = all("off");
    assert_eq!(
        steps(&explained(&off, "a", &unit("ada")))[1..],
        [is(Prerequisites, true, "prerequisite billing serves off, wanted on")]
    );
    let killed = compiled(&Flag {
        killed: true,
        ..boolean("a")
    });
    assert_eq!(
        steps(&killed.explain(nothing(), &unit("ada"))),
        [is(Off, true, "the flag is killed")]
    );
    let rolling = rolled_out(&boolean("a"), &step(100_000));
    let told = rolling.explain(nothing(), &unit("ada"));
    assert_eq!(
        steps(&told)[1..],
        [is(
            Rollout,
            true,
            "stage 0 serves the treatment; the treatment's share is 100 %, by reached stage 0 for everybody"
        )]
    );
}

/// What is told of the one rule of a flag: the condition, the failure, the value.
fn failure(condition: evaluation::Condition, context: &Context) -> (String, String, Option<Json>) {
    let flag = compiled(&Flag {
        rules: vec![rule_of(
            "r",
            vec![test("always", Test::Exists), condition],
            variant("on"),
        )],
        ..boolean("a")
    });
    let context = context.clone().with("always", Json::Boolean(true));
    let told = flag.explain(nothing(), &context);
    let rule = &told.rules[0];
    assert_eq!((rule.matched, rule.failed_condition), (false, Some(1)));
    (rule.condition.clone(), rule.failure.clone(), rule.value.clone())
}

#[test]
fn the_first_condition_that_failed_is_told_in_words() {
    let version = Test::Version {
        comparison: VersionComparison::Caret,
        version: "1.2".into(),
    };
    let cases = [
        (
            condition("plan", &["pro", "team"]),
            r#"plan is one of "pro", "team""#,
            "the attribute is missing",
        ),
        (
            test("app", version),
            "app is a version ^ 1.2",
            "the attribute's text is not a version",
        ),
        (
            test("app", Test::Number(NumberTest::Between(1.0, 2.5))),
            "app is from 1 to 2.5",
            "the test is about a number, and the attribute is none",
        ),
        (condition("app", &["x"]), r#"app is "x""#, "the test does not pass"),
        (
            in_segment(&["staff"]),
            "the context is in segment staff",
            "the context is in none of them",
        ),
        (
            serves("b", &["on"]),
            "flag b serves on",
            "b serves none of its variants",
        ),
        (
            test("gone", Test::Exists),
            "gone is there",
            "the attribute is missing or null",
        ),
    ];
    for (condition, words, reason) in cases {
        let told = failure(condition, &unit("ada").with("app", text("secret")));
        assert_eq!((told.0.as_str(), told.1.as_str()), (words, reason));
        assert!(!told.1.contains("secret"));
    }
    let negated = evaluation::Condition {
        negated: true,
        ..condition("app", &["secret"])
    };
    let (words, reason, value) = failure(negated, &unit("ada").with("app", text("secret")));
    assert_eq!(words, r#"app is not "secret""#);
    assert_eq!(reason, "the test passes, and the condition is that it does not");
    assert_eq!(value, Some(text("secret")));
}

#[test]
fn rules_after_the_one_that_decided_are_told_too() {
    let flag = compiled(&Flag {
        rules: vec![
            rule("first", "plan", &["free"], variant("on")),
            rule("second", "plan", &["pro"], on_for(25_000)),
            rule("third", "team", &["core"], variant("on")),
        ],
        ..boolean("a")
    });
    let told = flag.explain(nothing(), &unit("ada").with("plan", text("pro")));
    let rules: Vec<_> = told
        .rules
        .iter()
        .map(|rule| (rule.name.as_str(), rule.matched, rule.bucket))
        .collect();
    let drawn = Some(bucket(&format!("{SALT}/second"), "ada"));
    assert_eq!(
        rules,
        [("first", false, None), ("second", true, drawn), ("third", false, None)]
    );
    assert_eq!(told.rules[0].attribute, "plan");
    let denied = compiled(&Flag {
        deny: texts(&["ada"]),
        rules: vec![rule("first", "plan", &["pro"], variant("on"))],
        ..boolean("a")
    });
    let told = denied.explain(nothing(), &unit("ada"));
    assert_eq!(told.rules.len(), 1);
}

#[test]
fn long_lists_are_cut() {
    let many: Vec<String> = (0..1_000).map(|number| format!("plan-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (words, ..) = failure(condition("plan", &many), &unit("ada"));
    assert_eq!(
        words,
        r#"plan is one of "plan-0", "plan-1", "plan-2", "plan-3", "plan-4" and 995 more"#
    );
    let (words, ..) = failure(condition("plan", &[&"x".repeat(60_000)]), &unit("ada"));
    assert!(words.len() < 200);
}
