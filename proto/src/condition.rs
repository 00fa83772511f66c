//! Conditions between the wire and `evaluation`.
//!
//! A part that cannot be read is noted with its path and reads as its empty form, so that the places of the others do
//! not move and everything that is wrong is said at once.

use evaluation::{
    AttributeType, Condition, DateComparison, Literal, NumberTest, OneOf, Quantifier, Test, TextPart, VersionComparison,
};

use crate::{
    read::Reader,
    v1::{self, condition::Test as Wire},
};

impl From<&Condition> for v1::Condition {
    fn from(condition: &Condition) -> Self {
        Self {
            attribute: condition.attribute.clone(),
            test: Some(Wire::from(&condition.test)),
            negated: condition.negated,
        }
    }
}

impl From<&Test> for Wire {
    fn from(test: &Test) -> Self {
        match test {
            Test::OneOf(one_of) => Self::OneOf(v1::OneOf::from(one_of)),
            Test::Text {
                part,
                texts,
                ignore_case,
            } => {
                let test = v1::TextTest {
                    texts: texts.clone(),
                    ignore_case: *ignore_case,
                };
                match part {
                    TextPart::Contains => Self::Contains(test),
                    TextPart::StartsWith => Self::StartsWith(test),
                    TextPart::EndsWith => Self::EndsWith(test),
                }
            }
            Test::Matches(pattern) => Self::Matches(pattern.clone()),
            Test::Number(test) => Self::Number(v1::NumberTest::from(test)),
            Test::Version { comparison, version } => Self::Version(v1::VersionTest {
                comparison: v1::VersionComparison::from(*comparison).into(),
                version: version.clone(),
            }),
            Test::Date { comparison, date } => {
                let comparison = match comparison {
                    DateComparison::Before => v1::date_test::Comparison::Before(date.clone()),
                    DateComparison::After => v1::date_test::Comparison::After(date.clone()),
                };
                Self::Date(v1::DateTest {
                    comparison: Some(comparison),
                })
            }
            Test::InNetwork(networks) => Self::InNetwork(v1::NetworkTest {
                networks: networks.clone(),
            }),
            Test::Exists => Self::Exists(v1::ExistsTest {}),
            Test::TypeIs(attribute_type) => Self::TypeIs(v1::AttributeType::from(*attribute_type).into()),
            Test::List { quantifier, literals } => Self::List(v1::ListTest {
                quantifier: v1::ListQuantifier::from(*quantifier).into(),
                literals: Some(v1::OneOf::from(literals)),
            }),
            Test::Size(test) => Self::Size(v1::NumberTest::from(test)),
            Test::InSegment(segments) => Self::InSegment(v1::SegmentTest {
                segments: segments.clone(),
            }),
            Test::Variant { flag, variants } => Self::Variant(v1::VariantTest {
                flag: flag.clone(),
                variants: variants.clone(),
            }),
        }
    }
}

impl From<&OneOf> for v1::OneOf {
    fn from(one_of: &OneOf) -> Self {
        let literal = |literal: &Literal| v1::Literal {
            kind: Some(match literal {
                Literal::Text(text) => v1::literal::Kind::Text(text.clone()),
                Literal::Number(number) => v1::literal::Kind::Number(*number),
                Literal::Boolean(boolean) => v1::literal::Kind::Boolean(*boolean),
            }),
        };
        Self {
            literals: one_of.literals.iter().map(literal).collect(),
            ignore_case: one_of.ignore_case,
        }
    }
}

impl From<&NumberTest> for v1::NumberTest {
    fn from(test: &NumberTest) -> Self {
        use v1::number_test::Comparison;
        let comparison = match *test {
            NumberTest::Equal(number) => Comparison::Equal(number),
            NumberTest::Less(number) => Comparison::Less(number),
            NumberTest::LessOrEqual(number) => Comparison::LessOrEqual(number),
            NumberTest::Greater(number) => Comparison::Greater(number),
            NumberTest::GreaterOrEqual(number) => Comparison::GreaterOrEqual(number),
            NumberTest::Between(from, to) => Comparison::Between(v1::NumberRange { from, to }),
        };
        Self {
            comparison: Some(comparison),
        }
    }
}

impl From<VersionComparison> for v1::VersionComparison {
    fn from(comparison: VersionComparison) -> Self {
        match comparison {
            VersionComparison::Equal => Self::Equal,
            VersionComparison::Less => Self::Less,
            VersionComparison::LessOrEqual => Self::LessOrEqual,
            VersionComparison::Greater => Self::Greater,
            VersionComparison::GreaterOrEqual => Self::GreaterOrEqual,
            VersionComparison::Tilde => Self::Tilde,
            VersionComparison::Caret => Self::Caret,
        }
    }
}

impl From<AttributeType> for v1::AttributeType {
    fn from(attribute_type: AttributeType) -> Self {
        match attribute_type {
            AttributeType::Text => Self::Text,
            AttributeType::Number => Self::Number,
            AttributeType::Boolean => Self::Boolean,
            AttributeType::List => Self::List,
            AttributeType::Object => Self::Object,
            AttributeType::Null => Self::Null,
        }
    }
}

impl From<Quantifier> for v1::ListQuantifier {
    fn from(quantifier: Quantifier) -> Self {
        match quantifier {
            Quantifier::Any => Self::Any,
            Quantifier::All => Self::All,
            Quantifier::NoneOf => Self::None,
        }
    }
}

/// Reads the conditions of a rule or a group.
pub(crate) fn read_all(reader: &mut Reader, field: &str, conditions: Vec<v1::Condition>) -> Vec<Condition> {
    let numbered = conditions.into_iter().enumerate();
    numbered
        .map(|(at, condition)| read(reader, &format!("{field}[{at}]"), condition))
        .collect()
}

fn read(reader: &mut Reader, field: &str, condition: v1::Condition) -> Condition {
    let test = match condition.test {
        Some(test) => read_test(reader, field, test),
        None => {
            reader.wrong(field, "must have a test");
            Test::Exists
        }
    };
    Condition {
        attribute: condition.attribute,
        negated: condition.negated,
        test,
    }
}

fn read_test(reader: &mut Reader, field: &str, test: Wire) -> Test {
    let text = |part, test: v1::TextTest| Test::Text {
        part,
        texts: test.texts,
        ignore_case: test.ignore_case,
    };
    match test {
        Wire::OneOf(one_of) => Test::OneOf(read_one_of(reader, &format!("{field}.one_of"), one_of)),
        Wire::Contains(test) => text(TextPart::Contains, test),
        Wire::StartsWith(test) => text(TextPart::StartsWith, test),
        Wire::EndsWith(test) => text(TextPart::EndsWith, test),
        Wire::Matches(pattern) => Test::Matches(pattern),
        Wire::Number(test) => Test::Number(read_number(reader, &format!("{field}.number"), &test)),
        Wire::Version(test) => Test::Version {
            comparison: read_version_comparison(reader, &format!("{field}.version.comparison"), test.comparison),
            version: test.version,
        },
        Wire::Date(test) => read_date(reader, &format!("{field}.date"), test),
        Wire::InNetwork(test) => Test::InNetwork(test.networks),
        Wire::Exists(v1::ExistsTest {}) => Test::Exists,
        Wire::TypeIs(number) => Test::TypeIs(read_type(reader, &format!("{field}.type_is"), number)),
        Wire::List(test) => {
            let field = format!("{field}.list");
            Test::List {
                quantifier: read_quantifier(reader, &format!("{field}.quantifier"), test.quantifier),
                literals: read_one_of(reader, &field, test.literals.unwrap_or_default()),
            }
        }
        Wire::Size(test) => Test::Size(read_number(reader, &format!("{field}.size"), &test)),
        Wire::InSegment(test) => Test::InSegment(test.segments),
        Wire::Variant(test) => Test::Variant {
            flag: test.flag,
            variants: test.variants,
        },
    }
}

fn read_one_of(reader: &mut Reader, field: &str, one_of: v1::OneOf) -> OneOf {
    let mut literal = |(at, literal): (usize, v1::Literal)| match literal.kind {
        Some(v1::literal::Kind::Text(text)) => Literal::Text(text),
        Some(v1::literal::Kind::Number(number)) => Literal::Number(number),
        Some(v1::literal::Kind::Boolean(boolean)) => Literal::Boolean(boolean),
        None => {
            reader.wrong(format!("{field}[{at}]"), "must have a value");
            Literal::Boolean(false)
        }
    };
    OneOf {
        literals: one_of.literals.into_iter().enumerate().map(&mut literal).collect(),
        ignore_case: one_of.ignore_case,
    }
}

fn read_number(reader: &mut Reader, field: &str, test: &v1::NumberTest) -> NumberTest {
    use v1::number_test::Comparison;
    match test.comparison {
        Some(Comparison::Equal(number)) => NumberTest::Equal(number),
        Some(Comparison::Less(number)) => NumberTest::Less(number),
        Some(Comparison::LessOrEqual(number)) => NumberTest::LessOrEqual(number),
        Some(Comparison::Greater(number)) => NumberTest::Greater(number),
        Some(Comparison::GreaterOrEqual(number)) => NumberTest::GreaterOrEqual(number),
        Some(Comparison::Between(v1::NumberRange { from, to })) => NumberTest::Between(from, to),
        None => {
            reader.wrong(field, "must say how the number compares");
            NumberTest::Equal(0.0)
        }
    }
}

fn read_version_comparison(reader: &mut Reader, field: &str, number: i32) -> VersionComparison {
    match v1::VersionComparison::try_from(number).unwrap_or_default() {
        v1::VersionComparison::Equal => VersionComparison::Equal,
        v1::VersionComparison::Less => VersionComparison::Less,
        v1::VersionComparison::LessOrEqual => VersionComparison::LessOrEqual,
        v1::VersionComparison::Greater => VersionComparison::Greater,
        v1::VersionComparison::GreaterOrEqual => VersionComparison::GreaterOrEqual,
        v1::VersionComparison::Tilde => VersionComparison::Tilde,
        v1::VersionComparison::Caret => VersionComparison::Caret,
        v1::VersionComparison::Unspecified => {
            reader.wrong(field, "must be one of =, <, <=, >, >=, ~ and ^");
            VersionComparison::Equal
        }
    }
}

fn read_date(reader: &mut Reader, field: &str, test: v1::DateTest) -> Test {
    let (comparison, date) = match test.comparison {
        Some(v1::date_test::Comparison::Before(date)) => (DateComparison::Before, date),
        Some(v1::date_test::Comparison::After(date)) => (DateComparison::After, date),
        None => {
            reader.wrong(field, "must say before or after what");
            (DateComparison::Before, String::new())
        }
    };
    Test::Date { comparison, date }
}

fn read_type(reader: &mut Reader, field: &str, number: i32) -> AttributeType {
    match v1::AttributeType::try_from(number).unwrap_or_default() {
        v1::AttributeType::Text => AttributeType::Text,
        v1::AttributeType::Number => AttributeType::Number,
        v1::AttributeType::Boolean => AttributeType::Boolean,
        v1::AttributeType::List => AttributeType::List,
        v1::AttributeType::Object => AttributeType::Object,
        v1::AttributeType::Null => AttributeType::Null,
        v1::AttributeType::Unspecified => {
            reader.wrong(field, "must be text, number, boolean, list, object or null");
            AttributeType::Null
        }
    }
}

fn read_quantifier(reader: &mut Reader, field: &str, number: i32) -> Quantifier {
    match v1::ListQuantifier::try_from(number).unwrap_or_default() {
        v1::ListQuantifier::Any => Quantifier::Any,
        v1::ListQuantifier::All => Quantifier::All,
        v1::ListQuantifier::None => Quantifier::NoneOf,
        v1::ListQuantifier::Unspecified => {
            reader.wrong(field, "must be any, all or none");
            Quantifier::Any
        }
    }
}
