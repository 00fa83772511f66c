//! The stored form of a condition: one flat message, whose kind says which fields mean something.
//!
//! Numbers of kinds and comparisons are never given to another meaning.

use evaluation::{
    AttributeType, Condition, DateComparison, Literal, NumberTest, OneOf, Quantifier, Test, TextPart, VersionComparison,
};
use prost::{Message, Oneof};

use super::ModelError;

/// A condition as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredCondition {
    #[prost(string, tag = "1")]
    attribute: String,
    #[prost(message, repeated, tag = "2")]
    literals: Vec<StoredLiteral>,
    #[prost(bool, tag = "3")]
    negated: bool,
    #[prost(bool, tag = "4")]
    ignore_case: bool,
    #[prost(enumeration = "Kind", tag = "5")]
    kind: i32,
    #[prost(string, repeated, tag = "6")]
    texts: Vec<String>,
    #[prost(double, repeated, tag = "7")]
    numbers: Vec<f64>,
    /// Place in the kind's own table; 0 is the first.
    #[prost(uint32, tag = "8")]
    comparison: u32,
    #[prost(string, tag = "9")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredLiteral {
    #[prost(oneof = "LiteralKind", tags = "1, 2, 3")]
    kind: Option<LiteralKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum LiteralKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(bool, tag = "3")]
    Boolean(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Kind {
    OneOf = 0,
    Contains = 1,
    StartsWith = 2,
    EndsWith = 3,
    Matches = 4,
    Number = 5,
    Version = 6,
    Date = 7,
    InNetwork = 8,
    Exists = 9,
    TypeIs = 10,
    List = 11,
    Size = 12,
    InSegment = 13,
    Variant = 14,
}

const VERSIONS: [VersionComparison; 7] = [
    VersionComparison::Equal,
    VersionComparison::Less,
    VersionComparison::LessOrEqual,
    VersionComparison::Greater,
    VersionComparison::GreaterOrEqual,
    VersionComparison::Tilde,
    VersionComparison::Caret,
];
const DATES: [DateComparison; 2] = [DateComparison::Before, DateComparison::After];
const TYPES: [AttributeType; 6] = [
    AttributeType::Text,
    AttributeType::Number,
    AttributeType::Boolean,
    AttributeType::List,
    AttributeType::Object,
    AttributeType::Null,
];
const QUANTIFIERS: [Quantifier; 3] = [Quantifier::Any, Quantifier::All, Quantifier::NoneOf];

/// The place of a value in its table.
fn place<T: PartialEq>(table: &[T], value: &T) -> u32 {
    // Each table has every value of its type, and few of them.
    table.iter().position(|known| known == value).unwrap_or_default() as u32
}

fn at<T: Copy>(table: &[T], place: u32) -> Result<T, ModelError> {
    table
        .get(place as usize)
        .copied()
        .ok_or(ModelError::Field("conditions.comparison"))
}

impl From<&Condition> for StoredCondition {
    fn from(condition: &Condition) -> Self {
        let stored = Self {
            attribute: condition.attribute.clone(),
            negated: condition.negated,
            ..Self::default()
        };
        stored.with(&condition.test)
    }
}

impl StoredCondition {
    fn with(self, test: &Test) -> Self {
        match test {
            Test::OneOf(one_of) => self.of(Kind::OneOf).literals(one_of),
            Test::Text {
                part,
                texts,
                ignore_case,
            } => {
                let kind = match part {
                    TextPart::Contains => Kind::Contains,
                    TextPart::StartsWith => Kind::StartsWith,
                    TextPart::EndsWith => Kind::EndsWith,
                };
                let ignore_case = *ignore_case;
                Self {
                    ignore_case,
                    ..self.of(kind).texts(texts)
                }
            }
            Test::Matches(pattern) => self.of(Kind::Matches).text(pattern),
            Test::Number(test) => self.of(Kind::Number).number(test),
            Test::Version { comparison, version } => self
                .of(Kind::Version)
                .text(version)
                .compared(place(&VERSIONS, comparison)),
            Test::Date { comparison, date } => self.of(Kind::Date).text(date).compared(place(&DATES, comparison)),
            Test::InNetwork(networks) => self.of(Kind::InNetwork).texts(networks),
            Test::Exists => self.of(Kind::Exists),
            Test::TypeIs(attribute_type) => self.of(Kind::TypeIs).compared(place(&TYPES, attribute_type)),
            Test::List { quantifier, literals } => self
                .of(Kind::List)
                .literals(literals)
                .compared(place(&QUANTIFIERS, quantifier)),
            Test::Size(test) => self.of(Kind::Size).number(test),
            Test::InSegment(segments) => self.of(Kind::InSegment).texts(segments),
            Test::Variant { flag, variants } => self.of(Kind::Variant).text(flag).texts(variants),
        }
    }

    fn of(self, kind: Kind) -> Self {
        Self {
            kind: kind.into(),
            ..self
        }
    }

    fn texts(self, texts: &[String]) -> Self {
        let texts = texts.to_vec();
        Self { texts, ..self }
    }

    fn text(self, text: &str) -> Self {
        let text = text.to_owned();
        Self { text, ..self }
    }

    fn compared(self, comparison: u32) -> Self {
        Self { comparison, ..self }
    }

    fn literals(self, one_of: &OneOf) -> Self {
        let literal = |literal: &Literal| StoredLiteral {
            kind: Some(match literal {
                Literal::Text(text) => LiteralKind::Text(text.clone()),
                Literal::Number(number) => LiteralKind::Number(*number),
                Literal::Boolean(boolean) => LiteralKind::Boolean(*boolean),
            }),
        };
        Self {
            literals: one_of.literals.iter().map(literal).collect(),
            ignore_case: one_of.ignore_case,
            ..self
        }
    }

    fn number(self, test: &NumberTest) -> Self {
        let (comparison, numbers) = match *test {
            NumberTest::Equal(number) => (0, vec![number]),
            NumberTest::Less(number) => (1, vec![number]),
            NumberTest::LessOrEqual(number) => (2, vec![number]),
            NumberTest::Greater(number) => (3, vec![number]),
            NumberTest::GreaterOrEqual(number) => (4, vec![number]),
            NumberTest::Between(from, to) => (5, vec![from, to]),
        };
        Self {
            comparison,
            numbers,
            ..self
        }
    }

    /// The condition.
    pub(super) fn read(self) -> Result<Condition, ModelError> {
        Ok(Condition {
            attribute: self.attribute.clone(),
            negated: self.negated,
            test: self.read_test()?,
        })
    }

    fn read_test(self) -> Result<Test, ModelError> {
        let kind = Kind::try_from(self.kind).map_err(|_| ModelError::Field("conditions.kind"))?;
        Ok(match kind {
            Kind::OneOf => Test::OneOf(self.read_literals()?),
            Kind::Contains => self.read_text(TextPart::Contains),
            Kind::StartsWith => self.read_text(TextPart::StartsWith),
            Kind::EndsWith => self.read_text(TextPart::EndsWith),
            Kind::Matches => Test::Matches(self.text),
            Kind::Number => Test::Number(self.read_number()?),
            Kind::Version => Test::Version {
                comparison: at(&VERSIONS, self.comparison)?,
                version: self.text,
            },
            Kind::Date => Test::Date {
                comparison: at(&DATES, self.comparison)?,
                date: self.text,
            },
            Kind::InNetwork => Test::InNetwork(self.texts),
            Kind::Exists => Test::Exists,
            Kind::TypeIs => Test::TypeIs(at(&TYPES, self.comparison)?),
            Kind::List => Test::List {
                quantifier: at(&QUANTIFIERS, self.comparison)?,
                literals: self.read_literals()?,
            },
            Kind::Size => Test::Size(self.read_number()?),
            Kind::InSegment => Test::InSegment(self.texts),
            Kind::Variant => Test::Variant {
                flag: self.text,
                variants: self.texts,
            },
        })
    }

    fn read_text(self, part: TextPart) -> Test {
        Test::Text {
            part,
            texts: self.texts,
            ignore_case: self.ignore_case,
        }
    }

    fn read_literals(self) -> Result<OneOf, ModelError> {
        let literals = self.literals.into_iter().map(|literal| match literal.kind {
            Some(LiteralKind::Text(text)) => Ok(Literal::Text(text)),
            Some(LiteralKind::Number(number)) => Ok(Literal::Number(number)),
            Some(LiteralKind::Boolean(boolean)) => Ok(Literal::Boolean(boolean)),
            None => Err(ModelError::Field("conditions.literals")),
        });
        Ok(OneOf {
            literals: literals.collect::<Result<_, _>>()?,
            ignore_case: self.ignore_case,
        })
    }

    fn read_number(&self) -> Result<NumberTest, ModelError> {
        match (self.comparison, self.numbers.as_slice()) {
            (0, &[number]) => Ok(NumberTest::Equal(number)),
            (1, &[number]) => Ok(NumberTest::Less(number)),
            (2, &[number]) => Ok(NumberTest::LessOrEqual(number)),
            (3, &[number]) => Ok(NumberTest::Greater(number)),
            (4, &[number]) => Ok(NumberTest::GreaterOrEqual(number)),
            (5, &[from, to]) => Ok(NumberTest::Between(from, to)),
            _ => Err(ModelError::Field("conditions.numbers")),
        }
    }
}
