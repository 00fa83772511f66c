//! Decisions and conditions in words, for people who ask why.
//!
//! A condition is put into words when it is compiled, while its literals still stand as they were written; the rest when
//! somebody asks. Long lists and texts are cut.

use std::fmt;

use crate::compiled::{CompiledFlag, State};
use crate::condition::{
    AttributeType, Condition, DateComparison, Literal, NumberTest, OneOf, Quantifier, Test, TextPart, VersionComparison,
};
use crate::decision::Decision;
use crate::exposure::Arm;
use crate::percentage::Buckets;
use crate::step::{CompiledStep, Stratum};
use crate::test::{CompiledTest, Mute, VariantTest};
use crate::violation::quoted;
use crate::within::{Name, Within};

/// How many items of a list are shown.
const SHOWN: usize = 5;

impl CompiledFlag {
    /// Whether the flag is on.
    pub(crate) fn state_in_words(&self) -> String {
        match self.state {
            State::On => "the flag is enabled",
            State::Disabled => "the flag is disabled",
            State::Killed => "the flag is killed",
        }
        .to_owned()
    }

    /// What the default served.
    pub(crate) fn default_in_words(&self, decision: &Decision<'_>) -> String {
        match (decision.variant, decision.error) {
            (Some(variant), _) => format!("serves {variant}"),
            (None, Some(error)) => error.to_string(),
            (None, None) => "serves the caller's default".to_owned(),
        }
    }
}

impl CompiledStep {
    /// What the rollout gave, and which reached stage gave it.
    pub(crate) fn in_words(&self, stratum: Stratum, segment: Option<&Name>, arm: Arm) -> String {
        let verb = match (self.shadow, arm) {
            (false, Arm::Treatment) => "serves the treatment",
            (false, Arm::Control) => "serves the control",
            (true, Arm::Treatment) => "assigns the treatment, in shadow of the control",
            (true, Arm::Control) => "assigns the control, in shadow",
        };
        let audience = match segment {
            Some(segment) => format!("segment {}", cut(segment.as_str())),
            None => "everybody".to_owned(),
        };
        let share = Buckets::new(stratum.share).unwrap_or_default();
        format!(
            "stage {} {verb}; the treatment's share is {share} %, by reached stage {} for {audience}",
            self.stage, stratum.stage
        )
    }

    /// Why the rollout did not decide.
    pub(crate) fn passed_in_words(&self) -> String {
        let segments: Vec<String> = self.segments().map(|segment| cut(segment.as_str())).collect();
        let segments = list(segments.into_iter());
        format!("the context is in the audience of no reached stage: segment {segments}")
    }
}

impl VariantTest {
    /// What was served instead of what is wanted.
    pub(crate) fn unmet_in_words(&self, served: Option<Option<&str>>) -> String {
        let served = match served {
            None => "is asked for too deep",
            Some(None) => "serves none of its variants",
            Some(Some(variant)) => &format!("serves {variant}"),
        };
        let wanted = list(self.variants.iter().map(|variant| variant.to_string()));
        format!("prerequisite {} {served}, wanted {wanted}", self.flag.as_str())
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mute::Missing => out.write_str("the attribute is missing"),
            Mute::WrongType(about) => write!(out, "the test is about {about}, and the attribute is none"),
            Mute::Unreadable(about) => write!(out, "the attribute's text is not {about}"),
            Mute::TooDeep => out.write_str("too many flags and segments would have to be asked"),
        }
    }
}

/// Why a test did not pass.
pub(super) fn failure(test: &CompiledTest, within: &Within<'_, '_>) -> String {
    match test {
        CompiledTest::Exists => "the attribute is missing or null".to_owned(),
        CompiledTest::InSegment(_) => "the context is in none of them".to_owned(),
        CompiledTest::Variant(test) => match within.served_by(&test.flag).flatten() {
            Some(served) => format!("{} serves {served}", test.flag.as_str()),
            None => format!("{} serves none of its variants", test.flag.as_str()),
        },
        CompiledTest::EqualsShort(_)
        | CompiledTest::Equals(_)
        | CompiledTest::Few(_)
        | CompiledTest::OneOf(_)
        | CompiledTest::Part(_)
        | CompiledTest::Matches(_)
        | CompiledTest::Number(..)
        | CompiledTest::Between(_)
        | CompiledTest::Version(..)
        | CompiledTest::Date(..)
        | CompiledTest::InNetwork(_)
        | CompiledTest::TypeIs(_)
        | CompiledTest::List(..)
        | CompiledTest::Size(_) => "the test does not pass".to_owned(),
    }
}

/// A condition in words, such as: plan is not one of "free", "trial".
pub(crate) fn condition(condition: &Condition) -> String {
    let (attribute, not) = (&condition.attribute, if condition.negated { "not " } else { "" });
    match &condition.test {
        Test::OneOf(one_of) => format!("{attribute} is {not}{}", literals(one_of)),
        Test::Text {
            part,
            texts,
            ignore_case,
        } => format!("{attribute} {not}{}", text_part(*part, texts, *ignore_case)),
        Test::Matches(pattern) => format!("{attribute} {not}matches /{}/", cut(pattern)),
        Test::Number(test) => format!("{attribute} is {not}{}", number(test)),
        Test::Version { comparison, version } => {
            let version = cut(version);
            format!(
                "{attribute} is {not}a version {} {version}",
                version_comparison(*comparison)
            )
        }
        Test::Date { comparison, date } => {
            let comparison = match comparison {
                DateComparison::Before => "before",
                DateComparison::After => "after",
            };
            format!("{attribute} is {not}{comparison} {}", cut(date))
        }
        Test::InNetwork(networks) => format!("{attribute} is {not}in {}", list(networks.iter().map(|text| cut(text)))),
        Test::Exists => format!("{attribute} is {not}there"),
        Test::TypeIs(attribute_type) => format!("{attribute} is {not}{}", type_in_words(*attribute_type)),
        Test::List {
            quantifier,
            literals: one_of,
        } => {
            let negated = if condition.negated { "it is not so that " } else { "" };
            format!(
                "{negated}{} element of {attribute} is {}",
                quantity(*quantifier),
                literals(one_of)
            )
        }
        Test::Size(test) => format!("the size of {attribute} is {not}{}", number(test)),
        Test::InSegment(segments) => {
            format!(
                "the context is {not}in segment {}",
                list(segments.iter().map(|text| cut(text)))
            )
        }
        Test::Variant { flag, variants } => {
            let negated = if condition.negated { "does not serve" } else { "serves" };
            let variants = list(variants.iter().map(|text| cut(text)));
            format!("flag {} {negated} {variants}", cut(flag))
        }
    }
}

fn literals(one_of: &OneOf) -> String {
    let literal = |literal: &Literal| match literal {
        Literal::Text(text) => quoted(text),
        Literal::Number(number) => number.to_string(),
        Literal::Boolean(boolean) => boolean.to_string(),
    };
    let any = if one_of.literals.len() > 1 { "one of " } else { "" };
    format!(
        "{any}{}{}",
        list(one_of.literals.iter().map(literal)),
        regardless(one_of.ignore_case)
    )
}

fn text_part(part: TextPart, texts: &[String], ignore_case: bool) -> String {
    let verb = match part {
        TextPart::Contains => "has",
        TextPart::StartsWith => "begins with",
        TextPart::EndsWith => "ends with",
    };
    let any = if texts.len() > 1 { "any of " } else { "" };
    let texts = list(texts.iter().map(|text| quoted(text)));
    format!("{verb} {any}{texts}{}", regardless(ignore_case))
}

fn quantity(quantifier: Quantifier) -> &'static str {
    match quantifier {
        Quantifier::Any => "any",
        Quantifier::All => "every",
        Quantifier::NoneOf => "no",
    }
}

fn regardless(ignore_case: bool) -> &'static str {
    if ignore_case { ", regardless of case" } else { "" }
}

fn number(test: &NumberTest) -> String {
    match test {
        NumberTest::Equal(number) => format!("= {number}"),
        NumberTest::Less(number) => format!("< {number}"),
        NumberTest::LessOrEqual(number) => format!("<= {number}"),
        NumberTest::Greater(number) => format!("> {number}"),
        NumberTest::GreaterOrEqual(number) => format!(">= {number}"),
        NumberTest::Between(from, to) => format!("from {from} to {to}"),
    }
}

fn version_comparison(comparison: VersionComparison) -> &'static str {
    match comparison {
        VersionComparison::Equal => "=",
        VersionComparison::Less => "<",
        VersionComparison::LessOrEqual => "<=",
        VersionComparison::Greater => ">",
        VersionComparison::GreaterOrEqual => ">=",
        VersionComparison::Tilde => "~",
        VersionComparison::Caret => "^",
    }
}

fn type_in_words(attribute_type: AttributeType) -> &'static str {
    match attribute_type {
        AttributeType::Text => "a text",
        AttributeType::Number => "a number",
        AttributeType::Boolean => "a boolean",
        AttributeType::List => "a list",
        AttributeType::Object => "an object",
        AttributeType::Null => "null",
    }
}

/// The first items, and how many more there are.
fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(SHOWN);
    let shown: Vec<String> = items.take(SHOWN).collect();
    let shown = shown.join(", ");
    if more > 0 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

/// Somebody's text without quotation marks, cut like those with them.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN * 12) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
