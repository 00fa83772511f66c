//! The conditions of rules and groups: checked, compiled, and laid out one after the other.
//!
//! What a test needs is read here, once: an expression, a version, a network or a date that cannot be read is a
//! violation, and no evaluation ever meets it.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use super::scope::Scope;
use crate::attribute::AttributeName;
use crate::condition::{Condition, Literal, NumberTest, OneOf, Test, TextPart};
use crate::explain::condition_in_words;
use crate::limits;
use crate::pool::{self, PoolBuilder};
use crate::test::{
    CompiledCondition, CompiledOneOf, CompiledPart, CompiledTest, Conditions, Moment, NameIndex, Networks, Run,
    SegmentTest, VariantTest, Version, date, network::Network, number, one_of,
};
use crate::violation::quoted;
use crate::within::Name;

/// The conditions so far.
#[derive(Debug, Default)]
pub(super) struct Written {
    runs: Vec<Run>,
    all: Vec<CompiledCondition>,
    words: Vec<Box<str>>,
    names: Vec<AttributeName>,
    places: HashMap<String, NameIndex>,
    pool: PoolBuilder,
    patterns: usize,
}

impl Written {
    /// Checks and appends the conditions of one rule or group. `field` is their list.
    pub(super) fn add(&mut self, scope: &mut Scope<'_>, field: &str, conditions: &[Condition]) {
        scope.count(&field, "conditions", conditions.len(), limits::CONDITIONS);
        let first = self.end();
        for (at, condition) in conditions.iter().take(limits::CONDITIONS).enumerate() {
            if let Some(test) = self.test(scope, &format!("{field}[{at}]"), condition) {
                let attribute = (!is_of_context(&condition.test)).then(|| self.name(&condition.attribute));
                self.all.push(CompiledCondition {
                    test,
                    attribute,
                    negated: condition.negated,
                });
                self.words.push(condition_in_words(condition).into());
            }
        }
        self.runs.push(Run { first, end: self.end() });
    }

    /// A name beside those of the conditions.
    pub(super) fn other_name(&mut self, name: &str) -> AttributeName {
        AttributeName::new(name, &mut self.pool)
    }

    /// All of them, and the same in words.
    pub(super) fn finish(self, scope: &mut Scope<'_>) -> (Conditions, Box<[Box<str>]>) {
        if self.pool.overflowed {
            scope.violations.add("", "the conditions have more than 4 GiB of texts");
        }
        let conditions = Conditions::new(self.runs, self.all, self.names, self.pool.finish());
        (conditions, self.words.into())
    }

    /// An index into the conditions: there are at most 200 x 50 of them.
    fn end(&self) -> u32 {
        self.all.len() as u32
    }

    /// The place of a name; there are at most as many as conditions.
    fn name(&mut self, name: &str) -> NameIndex {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = NameIndex(self.names.len() as u16);
        self.names.push(AttributeName::new(name, &mut self.pool));
        self.places.insert(name.to_owned(), place);
        place
    }

    /// Checks and compiles one condition; none: what is wrong was noted.
    fn test(&mut self, scope: &mut Scope<'_>, field: &str, condition: &Condition) -> Option<CompiledTest> {
        if is_of_context(&condition.test) {
            no_attribute(scope, field, &condition.attribute);
        } else {
            scope.name(&format_args!("{field}.attribute"), &condition.attribute);
        }
        match &condition.test {
            Test::OneOf(literals) => Some(self.one_of(scope, &format!("{field}.one_of"), literals)),
            Test::Text {
                part,
                texts,
                ignore_case,
            } => text_part(scope, field, *part, texts, *ignore_case),
            Test::Matches(pattern) => self.matches(scope, &format!("{field}.matches"), pattern),
            Test::Number(test) => {
                check_number(scope, &format!("{field}.number"), test);
                Some(number::compiled(test))
            }
            Test::Version { comparison, version } => {
                let found = read_version(scope, &format!("{field}.version.version"), version)?;
                Some(CompiledTest::Version(*comparison, Box::new(found)))
            }
            Test::Date { comparison, date } => {
                let found = read_date(scope, &format!("{field}.date"), date)?;
                Some(CompiledTest::Date(*comparison, Box::new(found)))
            }
            Test::InNetwork(networks) => Some(in_network(scope, &format!("{field}.in_network"), networks)),
            Test::Exists => Some(CompiledTest::Exists),
            Test::TypeIs(attribute_type) => Some(CompiledTest::TypeIs(*attribute_type)),
            Test::List { quantifier, literals } => {
                check_literals(scope, &format!("{field}.list"), literals);
                Some(CompiledTest::List(*quantifier, Box::new(CompiledOneOf::new(literals))))
            }
            Test::Size(test) => {
                check_number(scope, &format!("{field}.size"), test);
                Some(CompiledTest::Size(Box::new(*test)))
            }
            Test::InSegment(segments) => Some(in_segment(scope, &format!("{field}.in_segment"), segments)),
            Test::Variant { flag, variants } => {
                let test = variant_test(scope, &format!("{field}.variant"), flag, variants);
                Some(CompiledTest::Variant(Box::new(test)))
            }
        }
    }

    /// Literals; a few texts lie in the pool, where the usual conditions find them at once.
    fn one_of(&mut self, scope: &mut Scope<'_>, field: &str, one_of: &OneOf) -> CompiledTest {
        check_literals(scope, field, one_of);
        let few = one_of.literals.len() <= one_of::FEW && !one_of.ignore_case;
        let texts = one_of.literals.iter().filter_map(|literal| match literal {
            Literal::Text(text) => Some(text.as_str()),
            Literal::Number(_) | Literal::Boolean(_) => None,
        });
        let texts: Vec<&str> = texts.take(one_of::FEW).collect();
        match texts[..] {
            _ if !few || texts.len() < one_of.literals.len() => {
                CompiledTest::OneOf(Box::new(CompiledOneOf::new(one_of)))
            }
            [text] => match pool::short(text.as_bytes()) {
                Some(word) => CompiledTest::EqualsShort(word),
                None => CompiledTest::Equals(self.pool.text(text)),
            },
            _ => CompiledTest::Few(self.pool.list(texts.into_iter())),
        }
    }

    fn matches(&mut self, scope: &mut Scope<'_>, field: &str, pattern: &str) -> Option<CompiledTest> {
        self.patterns += 1;
        if self.patterns > limits::PATTERNS {
            let most = limits::PATTERNS;
            let description = format!("is one of more than {most} regular expressions");
            scope.violations.add(field, description);
            return None;
        }
        expression(scope, field, pattern)
    }
}

/// Whether a test looks at the whole context instead of an attribute.
fn is_of_context(test: &Test) -> bool {
    matches!(test, Test::InSegment(_) | Test::Variant { .. })
}

/// A test of the whole context names no attribute.
fn no_attribute(scope: &mut Scope<'_>, field: &str, attribute: &str) {
    if !attribute.is_empty() {
        let description = format!("must be empty: the test is not about {}", quoted(attribute));
        scope.violations.add(format_args!("{field}.attribute"), description);
    }
}

fn in_segment(scope: &mut Scope<'_>, field: &str, segments: &[String]) -> CompiledTest {
    scope.some(&field, "segments", segments.len(), limits::VARIANTS);
    let segments = segments.iter().take(limits::VARIANTS).enumerate();
    let names = segments.map(|(at, segment)| {
        scope.name(&format_args!("{field}[{at}]"), segment);
        Name::of_segment(segment)
    });
    CompiledTest::InSegment(Box::new(SegmentTest {
        segments: names.collect(),
    }))
}

/// Another flag and its variants, as a condition or prerequisite names them. Whether they exist is for
/// `check_references`.
pub(super) fn variant_test(scope: &mut Scope<'_>, field: &str, flag: &str, variants: &[String]) -> VariantTest {
    scope.name(&format_args!("{field}.flag"), flag);
    let field = format!("{field}.variants");
    scope.some(&field, "variants", variants.len(), limits::VARIANTS);
    for (at, variant) in variants.iter().take(limits::VARIANTS).enumerate() {
        scope.name(&format_args!("{field}[{at}]"), variant);
    }
    VariantTest {
        flag: Name::of_flag(flag),
        variants: variants
            .iter()
            .take(limits::VARIANTS)
            .map(|variant| variant.as_str().into())
            .collect(),
    }
}

fn check_literals(scope: &mut Scope<'_>, field: &str, one_of: &OneOf) {
    scope.some(&field, "literals", one_of.literals.len(), limits::LITERALS);
    for (at, literal) in one_of.literals.iter().take(limits::LITERALS).enumerate() {
        match literal {
            Literal::Text(text) => scope.bytes(&format_args!("{field}[{at}]"), text, limits::VALUE_BYTES),
            Literal::Number(number) => scope.finite(&format_args!("{field}[{at}]"), *number),
            Literal::Boolean(_) => {}
        }
    }
}

fn text_part(
    scope: &mut Scope<'_>,
    field: &str,
    part: TextPart,
    texts: &[String],
    ignore_case: bool,
) -> Option<CompiledTest> {
    let field = match part {
        TextPart::Contains => format!("{field}.contains"),
        TextPart::StartsWith => format!("{field}.starts_with"),
        TextPart::EndsWith => format!("{field}.ends_with"),
    };
    scope.some(&field, "texts", texts.len(), limits::LITERALS);
    let texts = &texts[..texts.len().min(limits::LITERALS)];
    for (at, text) in texts.iter().enumerate() {
        if text.is_empty() {
            scope
                .violations
                .add(format_args!("{field}[{at}]"), "cannot be empty: every text has it");
        }
        scope.bytes(&format_args!("{field}[{at}]"), text, limits::VALUE_BYTES);
    }
    match CompiledPart::new(part, texts, ignore_case) {
        Some(part) => Some(CompiledTest::Part(Box::new(part))),
        None => {
            scope
                .violations
                .add(&field, "the texts are too many and too long to be looked for");
            None
        }
    }
}

fn expression(scope: &mut Scope<'_>, field: &str, pattern: &str) -> Option<CompiledTest> {
    scope.bytes(&field, pattern, limits::PATTERN_BYTES);
    if pattern.len() > limits::PATTERN_BYTES {
        return None;
    }
    let regex: Result<Regex, regex::Error> = RegexBuilder::new(pattern)
        .size_limit(limits::PATTERN_COMPILED_BYTES)
        .dfa_size_limit(limits::PATTERN_COMPILED_BYTES)
        .nest_limit(limits::PATTERN_LEVELS)
        .build();
    match regex {
        Ok(regex) => Some(CompiledTest::Matches(Box::new(regex))),
        Err(regex::Error::CompiledTooBig(most)) => {
            let description = format!("{} needs more than {most} bytes when compiled", quoted(pattern));
            scope.violations.add(field, description);
            None
        }
        Err(error) => {
            // The parser draws a picture over several lines; its last one says what is wrong.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let description = format!("{} is not a regular expression: {reason}", quoted(pattern));
            scope.violations.add(field, description);
            None
        }
    }
}

fn read_version(scope: &mut Scope<'_>, field: &str, text: &str) -> Option<Version> {
    scope.readable(&field, text, Version::parse(text), "a version such as 1.2.3")
}

fn read_date(scope: &mut Scope<'_>, field: &str, text: &str) -> Option<Moment> {
    let what = "a date such as 2026-11-21 or 2026-11-21T09:00:00Z";
    scope.readable(&field, text, date::parse(text), what)
}

fn check_number(scope: &mut Scope<'_>, field: &str, test: &NumberTest) {
    match *test {
        NumberTest::Equal(number)
        | NumberTest::Less(number)
        | NumberTest::LessOrEqual(number)
        | NumberTest::Greater(number)
        | NumberTest::GreaterOrEqual(number) => scope.finite(&field, number),
        NumberTest::Between(from, to) => {
            scope.finite(&format_args!("{field}.between.from"), from);
            scope.finite(&format_args!("{field}.between.to"), to);
            if from > to {
                let description = format!("{from} is greater than {to}: no number is between");
                scope.violations.add(format_args!("{field}.between"), description);
            }
        }
    }
}

fn in_network(scope: &mut Scope<'_>, field: &str, networks: &[String]) -> CompiledTest {
    scope.some(&field, "networks", networks.len(), limits::LITERALS);
    let texts = networks.iter().take(limits::LITERALS).enumerate();
    let read: Vec<Network> = texts
        .filter_map(|(at, text)| {
            let network = Network::parse(text);
            scope.readable(
                &format!("{field}[{at}]"),
                text,
                network,
                "a network such as 10.0.0.0/8 or 2001:db8::/32",
            )
        })
        .collect();
    CompiledTest::InNetwork(Box::new(Networks::new(&read)))
}
