#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const NAMES: Names<'_> = Names {
    arm: "treatment",
    variant: "on",
    flag: "checkout",
    environment: "production",
    rollout: "checkout#3",
};

fn filled(text: &str) -> String {
    Template::parse(text).unwrap().fill(&NAMES)
}

/// What is wrong with a text, in words.
fn wrong(text: &str) -> Vec<String> {
    let found = Template::parse(text).unwrap_err();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn placeholders_stand_for_the_names_of_the_arm() {
    for (text, expected) in [
        ("vector(1)", "vector(1)"),
        (r#"max(depth{variant="{{variant}}"})"#, r#"max(depth{variant="on"})"#),
        (
            "sum(rate(x{a='{{arm}}', f='{{ flag }}', e='{{environment}}', r='{{rollout}}'}[5m]))",
            "sum(rate(x{a='treatment', f='checkout', e='production', r='checkout#3'}[5m]))",
        ),
        (
            r#"x{pod=~"{{flag}}-{{variant}}-.+"} # {{what}} ( ever"#,
            r#"x{pod=~"checkout-on-.+"} # {{what}} ( ever"#,
        ),
        (
            r#"x{p=~`a{2}\d(`, q="\"{{arm}}\""}"#,
            r#"x{p=~`a{2}\d(`, q="\"treatment\""}"#,
        ),
        (
            r#"{"http.server.duration", v="{{arm}}"}"#,
            r#"{"http.server.duration", v="treatment"}"#,
        ),
    ] {
        assert_eq!(filled(text), expected);
        assert_eq!(Template::parse(text).unwrap().to_string(), text, "as it was written");
    }
}

#[test]
fn a_name_cannot_end_its_text_or_mean_anything_else() {
    let names = Names {
        variant: "a\"} or vector(1) or x{b=\"",
        flag: "it's \\ \n\u{7}",
        ..NAMES
    };
    let template = Template::parse(r#"x{v="{{variant}}",w='{{variant}}',f="{{flag}}",g='{{flag}}'}"#).unwrap();
    let expected = concat!(
        r#"x{v="a\"} or vector(1) or x{b=\"","#,
        r#"w='a"} or vector(1) or x{b="',"#,
        r#"f="it's \\ \n\u0007","#,
        r#"g='it\'s \\ \n\u0007'}"#
    );
    assert_eq!(template.fill(&names), expected);
}

#[test]
fn a_template_tells_arms_apart_if_it_names_them() {
    for (text, expected) in [
        ("x{a=\"{{arm}}\"}", true),
        ("x{a=\"{{variant}}\"}", true),
        ("x{a=\"{{flag}}\"}", false),
        ("x # {{arm}}", false),
    ] {
        assert_eq!(Template::parse(text).unwrap().tells_arms_apart(), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_said_with_its_place() {
    for (text, expected) in [
        ("", "must be a query in PromQL"),
        (" \n # x{a=\"{{arm}}\"}", "must be a query in PromQL"),
        ("sum(x", "the ( at character 4 is never closed"),
        ("x[5m", "the [ at character 2 is never closed"),
        ("x{a=\"b\"", "the { at character 2 is never closed"),
        ("sum(x))", "the ) at character 7 closes nothing"),
        (
            "x{a=\"b}",
            "the text that begins with \" at character 5 is never closed",
        ),
        (
            "x{a='b\n'}",
            "the text that begins with ' at character 5 is never closed",
        ),
        ("x{a=`b", "the text that begins with ` at character 5 is never closed"),
        (
            "x{a=\"b\\",
            "the text that begins with \" at character 5 is never closed",
        ),
        (
            "x{a=\"{{varient}}\"}",
            "{{varient}} at character 6 is no placeholder; there are {{arm}}, {{variant}}, {{flag}}, {{environment}}, {{rollout}}",
        ),
        (
            "x{a=\"{{arm}\"}",
            "the placeholder that begins with {{ at character 6 is never closed with }}",
        ),
        ("x{a={{arm}}}", "the placeholder at character 5 must stand within"),
        ("x{a=`{{arm}}`}", "the placeholder at character 6 must stand within"),
        ("x{a=\"\u{1}\"}", "holds the control character '\\u{1}' at character 6"),
    ] {
        let found = wrong(text);
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{text}: {found:?}"
        );
    }
    let long = format!("vector({})", "1".repeat(LONGEST_BYTES));
    assert_eq!(Template::parse(&long), Err(vec![TemplateError::TooLong(long.len())]));
    let most = format!("vector({})", "1".repeat(LONGEST_BYTES - 8));
    assert!(Template::parse(&most).is_ok());
}

#[test]
fn everything_that_is_wrong_with_a_template_is_said_at_once() {
    let found = Template::parse("sum(x{a=\"{{who}}\", b={{arm}}}]").unwrap_err();
    assert_eq!(
        found,
        [
            TemplateError::Unknown {
                name: "who".to_owned(),
                at: 10
            },
            TemplateError::Unquoted(22),
            TemplateError::Unopened(']', 30),
            TemplateError::OpenBracket('(', 4),
        ]
    );
}

#[test]
fn an_answer_stands_for_three_intervals_unless_it_is_said() {
    assert_eq!(Query::default_standing_us(Query::DEFAULT_INTERVAL_US), 90_000_000);
    assert!(Query::INTERVALS_US.contains(&Query::DEFAULT_INTERVAL_US));
    let longest = Query::least_standing_us(*Query::INTERVALS_US.end());
    assert!(longest <= Query::LONGEST_STANDING_US, "the longest interval can be had");
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "[ -~\n\u{e9}]{0,80}") {
        if let Ok(template) = Template::parse(&text) {
            prop_assert_eq!(template.as_str(), &text);
            template.fill(&NAMES);
        }
    }

    /// Whatever a name is, the filled-in query has the brackets and quotes of the template and is one itself.
    #[test]
    fn a_query_has_the_form_of_its_template(name in "\\PC{0,20}") {
        // Braces of a name mean nothing within a text, but this reads the query as a template again.
        let name = name.replace('{', "(");
        let template = Template::parse("x{a=\"{{variant}}\", b='{{variant}}'}").unwrap();
        let query = template.fill(&Names { variant: &name, ..NAMES });
        prop_assert!(Template::parse(&query).is_ok(), "{}", query);
    }
}
