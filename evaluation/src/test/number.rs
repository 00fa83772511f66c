//! Comparisons of numbers, as IEEE 754 has them: what is not a number compares to nothing.

use super::CompiledTest;
use crate::condition::NumberTest;

/// How a number compares with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberComparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl NumberComparison {
    /// Whether `number` compares so with `literal`.
    #[inline]
    pub(super) fn holds(self, number: f64, literal: f64) -> bool {
        match self {
            NumberComparison::Equal => number == literal,
            NumberComparison::Less => number < literal,
            NumberComparison::LessOrEqual => number <= literal,
            NumberComparison::Greater => number > literal,
            NumberComparison::GreaterOrEqual => number >= literal,
        }
    }
}

/// The compiled form of a comparison with an attribute.
pub(crate) fn compiled(test: &NumberTest) -> CompiledTest {
    match *test {
        NumberTest::Equal(literal) => CompiledTest::Number(NumberComparison::Equal, literal),
        NumberTest::Less(literal) => CompiledTest::Number(NumberComparison::Less, literal),
        NumberTest::LessOrEqual(literal) => CompiledTest::Number(NumberComparison::LessOrEqual, literal),
        NumberTest::Greater(literal) => CompiledTest::Number(NumberComparison::Greater, literal),
        NumberTest::GreaterOrEqual(literal) => CompiledTest::Number(NumberComparison::GreaterOrEqual, literal),
        NumberTest::Between(from, to) => CompiledTest::Between(Box::new((from, to))),
    }
}

/// Whether `number` compares as `test` says.
pub(super) fn compare(test: &NumberTest, number: f64) -> bool {
    match *test {
        NumberTest::Equal(literal) => NumberComparison::Equal.holds(number, literal),
        NumberTest::Less(literal) => NumberComparison::Less.holds(number, literal),
        NumberTest::LessOrEqual(literal) => NumberComparison::LessOrEqual.holds(number, literal),
        NumberTest::Greater(literal) => NumberComparison::Greater.holds(number, literal),
        NumberTest::GreaterOrEqual(literal) => NumberComparison::GreaterOrEqual.holds(number, literal),
        NumberTest::Between(from, to) => (from..=to).contains(&number),
    }
}
