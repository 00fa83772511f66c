//! A rule as one line that parses back.

use proto::v1::{
    self, AttributeType, Condition, ListQuantifier, Literal, NumberTest, condition::Test, date_test, literal,
    number_test::Comparison, serve,
};

use super::{
    condition::{RESERVED, shortest},
    cursor::{Place, stops},
};
use crate::{
    condition_document::{type_name, version_symbol},
    print,
};

/// The rule in one line.
pub(crate) fn show(rule: &v1::Rule) -> String {
    let conditions: Vec<String> = rule.conditions.iter().map(show_condition).collect();
    let serve = show_serve(rule.serve.as_ref());
    format!(
        "{}: {} -> {serve}",
        word(&rule.name, Place::Name),
        conditions.join(" and ")
    )
}

fn show_serve(serve: Option<&v1::Serve>) -> String {
    match serve.and_then(|serve| serve.kind.as_ref()) {
        Some(serve::Kind::Variant(variant)) if variant == "none" => quote(variant),
        Some(serve::Kind::Variant(variant)) => word(variant, Place::Value),
        Some(serve::Kind::Split(split)) => {
            let share = |share: &v1::Share| {
                let percent = print::percent(share.buckets);
                format!("{} {percent}", word(&share.variant, Place::Value))
            };
            split.shares.iter().map(share).collect::<Vec<_>>().join(", ")
        }
        Some(serve::Kind::CallerDefault(_)) | None => "none".into(),
    }
}

/// One condition, as a rule has it.
pub(crate) fn show_condition(condition: &Condition) -> String {
    let (mut attribute, mut not) = (word(&condition.attribute, Place::Attribute), condition.negated);
    if RESERVED.contains(&condition.attribute.as_str()) {
        attribute = quote(&condition.attribute);
    }
    let case = |ignore_case: bool| if ignore_case { "/i" } else { "" };
    let texts = |texts: &[String]| {
        texts
            .iter()
            .map(|text| word(text, Place::Value))
            .collect::<Vec<_>>()
            .join(",")
    };
    let shown = match &condition.test {
        Some(Test::OneOf(one_of)) => {
            let symbol = if not { "!=" } else { "=" };
            not = false;
            let case = if one_of.ignore_case { "/i " } else { "" };
            format!("{attribute}{symbol}{case}{}", literals(&one_of.literals))
        }
        Some(Test::Contains(test)) => format!("{attribute} contains{} {}", case(test.ignore_case), texts(&test.texts)),
        Some(Test::StartsWith(test)) => {
            format!(
                "{attribute} starts_with{} {}",
                case(test.ignore_case),
                texts(&test.texts)
            )
        }
        Some(Test::EndsWith(test)) => format!("{attribute} ends_with{} {}", case(test.ignore_case), texts(&test.texts)),
        Some(Test::Matches(pattern)) => format!("{attribute} matches {}", word(pattern, Place::Value)),
        Some(Test::Number(test)) => format!("{attribute} {}", number(test)),
        Some(Test::Version(test)) => {
            let symbol = version_symbol(test.comparison());
            format!("{attribute} version {symbol}{}", word(&test.version, Place::Value))
        }
        Some(Test::Date(test)) => match &test.comparison {
            Some(date_test::Comparison::Before(date)) => format!("{attribute} before {}", word(date, Place::Value)),
            Some(date_test::Comparison::After(date)) => format!("{attribute} after {}", word(date, Place::Value)),
            None => format!("{attribute} ?"),
        },
        Some(Test::InNetwork(test)) => format!("{attribute} in_network {}", texts(&test.networks)),
        Some(Test::Exists(_)) => format!("{attribute} exists"),
        Some(Test::TypeIs(number)) => {
            format!(
                "{attribute} type_is {}",
                type_name(AttributeType::try_from(*number).unwrap_or_default())
            )
        }
        Some(Test::List(test)) => {
            let one_of = test.literals.clone().unwrap_or_default();
            let name = quantifier(test.quantifier());
            format!(
                "{attribute} {name}{} {}",
                case(one_of.ignore_case),
                literals(&one_of.literals)
            )
        }
        Some(Test::Size(test)) => format!("{attribute} size {}", number(test)),
        Some(Test::InSegment(test)) => format!("in_segment {}", texts(&test.segments)),
        Some(Test::Variant(test)) => {
            format!("flag {}={}", word(&test.flag, Place::Attribute), texts(&test.variants))
        }
        None => format!("{attribute} ?"),
    };
    if not { format!("not {shown}") } else { shown }
}

fn quantifier(quantifier: ListQuantifier) -> &'static str {
    match quantifier {
        ListQuantifier::Any => "any_of",
        ListQuantifier::All => "all_of",
        ListQuantifier::None => "none_of",
        ListQuantifier::Unspecified => "?",
    }
}

fn number(test: &NumberTest) -> String {
    match test.comparison {
        Some(Comparison::Equal(number)) => format!("== {number}"),
        Some(Comparison::Less(number)) => format!("< {number}"),
        Some(Comparison::LessOrEqual(number)) => format!("<= {number}"),
        Some(Comparison::Greater(number)) => format!("> {number}"),
        Some(Comparison::GreaterOrEqual(number)) => format!(">= {number}"),
        Some(Comparison::Between(v1::NumberRange { from, to })) => format!("between {from},{to}"),
        None => "?".into(),
    }
}

fn literals(literals: &[Literal]) -> String {
    literals.iter().map(show_literal).collect::<Vec<_>>().join(",")
}

fn show_literal(literal: &Literal) -> String {
    match &literal.kind {
        Some(literal::Kind::Text(text)) if matches!(text.as_str(), "true" | "false") || shortest(text).is_some() => {
            quote(text)
        }
        Some(literal::Kind::Text(text)) => word(text, Place::Value),
        Some(literal::Kind::Number(number)) => number.to_string(),
        Some(literal::Kind::Boolean(boolean)) => boolean.to_string(),
        None => "?".into(),
    }
}

fn word(text: &str, place: Place) -> String {
    let special = text.is_empty()
        || text.contains(|c| stops(c, place))
        || text.contains("->")
        || (place == Place::Value && opens_operator(text));
    if special { quote(text) } else { text.into() }
}

/// Whether a value would be taken for the end of the operator before it.
fn opens_operator(text: &str) -> bool {
    text.starts_with(['/', '<', '>', '~', '=', '!'])
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
