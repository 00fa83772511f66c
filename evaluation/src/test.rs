//! A condition as it is evaluated: typed, flat, and with an answer for every context.
//!
//! A test answers yes or no, or nothing if the attribute is not what the test is about; without an answer a condition is
//! not met, negated or not. What takes work (expressions, versions, networks) was done when it was compiled.

pub(crate) mod date;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod one_of;
mod part;
pub(crate) mod version;

use regex::Regex;

pub(crate) use self::date::Moment;
pub(crate) use self::network::Networks;
pub(crate) use self::number::NumberComparison;
pub(crate) use self::one_of::CompiledOneOf;
pub(crate) use self::part::CompiledPart;
pub(crate) use self::version::Version;
use crate::attribute::AttributeName;
use crate::condition::{AttributeType, DateComparison, NumberTest, Quantifier, VersionComparison};
use crate::json::Json;
use crate::pool::{self, Pool, Text};
use crate::within::{Name, Within};

/// The conditions of a flag or segment: flat arrays, and one pool for their short texts.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    /// The conditions of each rule or group.
    runs: Box<[Run]>,
    all: Box<[CompiledCondition]>,
    names: Box<[AttributeName]>,
    pub(crate) pool: Pool,
}

/// A condition as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledCondition {
    pub(crate) test: CompiledTest,
    /// The place of the attribute's name; none for a test of the whole context.
    pub(crate) attribute: Option<NameIndex>,
    pub(crate) negated: bool,
}

/// The place of a name among those of the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameIndex(pub(crate) u16);

/// Neighbours in the array of conditions: those of one rule or group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Index of the first.
    pub(crate) first: u32,
    /// Index after the last.
    pub(crate) end: u32,
}

/// The values of the first few attributes that were looked up for one decision: rules often ask for the same ones.
#[derive(Debug, Default)]
pub(crate) struct Seen<'c> {
    /// One bit for each name that was looked up.
    asked: u8,
    values: [Option<&'c Json>; u8::BITS as usize],
}

/// The segments, one of which must hold the caller.
#[derive(Debug)]
pub(crate) struct SegmentTest {
    pub(crate) segments: Box<[Name]>,
}

/// What another flag must serve.
#[derive(Debug)]
pub(crate) struct VariantTest {
    /// The flag.
    pub(crate) flag: Name,
    /// Its variants.
    pub(crate) variants: Box<[Box<str>]>,
}

/// What is tested. Two words long: what needs more lies in a box.
#[derive(Debug)]
pub(crate) enum CompiledTest {
    /// It is exactly this text of at most 7 bytes, which stands here itself.
    EqualsShort(u64),
    /// It is exactly this text.
    Equals(Text),
    /// It is exactly one of these few texts.
    Few(Text),
    OneOf(Box<CompiledOneOf>),
    Part(Box<CompiledPart>),
    Matches(Box<Regex>),
    Number(NumberComparison, f64),
    /// A number from the first to the second.
    Between(Box<(f64, f64)>),
    Version(VersionComparison, Box<Version>),
    Date(DateComparison, Box<Moment>),
    InNetwork(Box<Networks>),
    Exists,
    TypeIs(AttributeType),
    List(Quantifier, Box<CompiledOneOf>),
    Size(Box<NumberTest>),
    /// The whole context: it is in one of these segments.
    InSegment(Box<SegmentTest>),
    /// The whole context: this flag serves it one of these variants.
    Variant(Box<VariantTest>),
}

/// Why a test has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mute {
    /// The attribute is missing.
    Missing,
    /// The attribute is of a type that the test is not about.
    WrongType(&'static str),
    /// The attribute cannot be read as what the test is about.
    Unreadable(&'static str),
    /// Too many flags and segments would have to be asked.
    TooDeep,
}

impl Conditions {
    /// Conditions with the names and texts that they point to.
    pub(crate) fn new(
        runs: Vec<Run>,
        all: Vec<CompiledCondition>,
        names: Vec<AttributeName>,
        pool: Pool,
    ) -> Conditions {
        Conditions {
            runs: runs.into(),
            all: all.into(),
            names: names.into(),
            pool,
        }
    }

    /// The conditions of each rule or group.
    #[inline]
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The place in its run, from 0, of the first condition that does not hold; none: all hold.
    #[inline]
    pub(crate) fn first_failed<'c>(&self, run: Run, within: &Within<'_, 'c>, seen: &mut Seen<'c>) -> Option<usize> {
        let run = &self.all[run.first as usize..run.end as usize];
        run.iter()
            .position(|condition| self.answer(condition, within, seen) != Ok(!condition.negated))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CompiledCondition> {
        self.all.iter()
    }

    /// The condition at this place of a run.
    pub(crate) fn get(&self, run: Run, place: usize) -> &CompiledCondition {
        &self.all[run.first as usize + place]
    }

    /// The name of the attribute that a condition looks at.
    pub(crate) fn name(&self, condition: &CompiledCondition) -> Option<AttributeName> {
        condition.attribute.map(|index| self.names[usize::from(index.0)])
    }

    /// Whether the test of a condition passes, or why it has no answer.
    #[inline]
    pub(crate) fn answer<'c>(
        &self,
        condition: &CompiledCondition,
        within: &Within<'_, 'c>,
        seen: &mut Seen<'c>,
    ) -> Result<bool, Mute> {
        let Some(index) = condition.attribute else {
            return condition.test.of_context(within);
        };
        let look_up = || self.names[usize::from(index.0)].find(&self.pool, within.context);
        match seen.value(index, look_up) {
            Some(value) => condition.test.of_value(&self.pool, value),
            None if matches!(condition.test, CompiledTest::Exists) => Ok(false),
            None => Err(Mute::Missing),
        }
    }
}

impl<'c> Seen<'c> {
    /// What the name stands for: known, or looked up and kept if there is a place.
    #[inline]
    fn value(&mut self, index: NameIndex, look_up: impl FnOnce() -> Option<&'c Json>) -> Option<&'c Json> {
        let place = usize::from(index.0);
        let Some(kept) = self.values.get_mut(place) else {
            return look_up();
        };
        let bit = 1 << place;
        if self.asked & bit == 0 {
            self.asked |= bit;
            *kept = look_up();
        }
        *kept
    }
}

impl CompiledTest {
    /// The segments that the test asks.
    pub(crate) fn segments(&self) -> &[Name] {
        if let CompiledTest::InSegment(test) = self {
            &test.segments
        } else {
            &[]
        }
    }

    /// The flag that the test asks.
    pub(crate) fn flag(&self) -> Option<&Name> {
        if let CompiledTest::Variant(test) = self {
            Some(&test.flag)
        } else {
            None
        }
    }

    /// Whether the whole context passes, or why there is no answer.
    fn of_context(&self, within: &Within<'_, '_>) -> Result<bool, Mute> {
        match self {
            CompiledTest::InSegment(test) => any_of(&test.segments, |segment| within.in_segment(segment)),
            CompiledTest::Variant(test) => within
                .served_by(&test.flag)
                .map(|served| served.is_some_and(|served| test.variants.iter().any(|variant| **variant == *served)))
                .ok_or(Mute::TooDeep),
            // Every other test has an attribute, whose value it looks at.
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
            | CompiledTest::Exists
            | CompiledTest::TypeIs(_)
            | CompiledTest::List(..)
            | CompiledTest::Size(_) => Err(Mute::Missing),
        }
    }

    /// Whether the value passes, or why there is no answer.
    #[inline]
    fn of_value(&self, pool: &Pool, value: &Json) -> Result<bool, Mute> {
        match self {
            CompiledTest::EqualsShort(literal) => {
                one_of::text(value, |text| pool::short(text.as_bytes()) == Some(*literal))
            }
            CompiledTest::Equals(literal) => one_of::text(value, |text| pool.text(*literal) == text.as_bytes()),
            CompiledTest::Few(literals) => one_of::text(value, |text| pool.list_has(*literals, text.as_bytes())),
            CompiledTest::OneOf(one_of) => one_of.contains(value).ok_or(Mute::WrongType(one_of::ABOUT)),
            CompiledTest::Part(part) => text(value).map(|text| part.is_in(text)),
            CompiledTest::Matches(regex) => text(value).map(|text| regex.is_match(text)),
            CompiledTest::Number(comparison, literal) => number(value).map(|number| comparison.holds(number, *literal)),
            CompiledTest::Between(range) => number(value).map(|number| (range.0..=range.1).contains(&number)),
            CompiledTest::Version(comparison, version) => {
                version::test(*comparison, version, text(value)?).ok_or(Mute::Unreadable("a version"))
            }
            CompiledTest::Date(comparison, date) => date::test(*comparison, **date, value),
            CompiledTest::InNetwork(networks) => {
                networks.contain(text(value)?).ok_or(Mute::Unreadable("an IP address"))
            }
            CompiledTest::Exists => Ok(*value != Json::Null),
            CompiledTest::TypeIs(attribute_type) => Ok(type_of(value) == *attribute_type),
            CompiledTest::List(quantifier, literals) => Ok(one_of::elements(*quantifier, literals, list(value)?)),
            CompiledTest::Size(test) => list(value).map(|list| number::compare(test, list.len() as f64)),
            // These have no attribute, whose value could be looked at.
            CompiledTest::InSegment(_) | CompiledTest::Variant(_) => Err(Mute::Missing),
        }
    }
}

/// Whether one of the segments holds the caller; no answer only if none does and one has none.
fn any_of(segments: &[Name], mut has: impl FnMut(&Name) -> Option<bool>) -> Result<bool, Mute> {
    let mut mute = false;
    for segment in segments {
        match has(segment) {
            Some(true) => return Ok(true),
            Some(false) => {}
            None => mute = true,
        }
    }
    if mute { Err(Mute::TooDeep) } else { Ok(false) }
}

/// The type of a value.
pub(crate) fn type_of(value: &Json) -> AttributeType {
    match value {
        Json::Null => AttributeType::Null,
        Json::Boolean(_) => AttributeType::Boolean,
        Json::Number(_) => AttributeType::Number,
        Json::Text(_) => AttributeType::Text,
        Json::List(_) => AttributeType::List,
        Json::Object(_) => AttributeType::Object,
    }
}

fn text(value: &Json) -> Result<&str, Mute> {
    match value {
        Json::Text(text) => Ok(text),
        Json::Null | Json::Boolean(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => {
            Err(Mute::WrongType("a text"))
        }
    }
}

fn number(value: &Json) -> Result<f64, Mute> {
    match value {
        Json::Number(number) => Ok(*number),
        Json::Null | Json::Boolean(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            Err(Mute::WrongType("a number"))
        }
    }
}

fn list(value: &Json) -> Result<&[Json], Mute> {
    match value {
        Json::List(list) => Ok(list),
        Json::Null | Json::Boolean(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) => {
            Err(Mute::WrongType("a list"))
        }
    }
}

#[cfg(test)]
mod tests;
