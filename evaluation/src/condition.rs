//! A condition: one test of one attribute of the context.
//!
//! Types never convert: a text equals a text only, a number a number. A missing attribute, a list or a map equals
//! nothing. Long lists become a hash set, short ones stay an array, which is faster to look through.

use std::collections::HashSet;

use crate::context::{Attribute, Context};
use crate::names::BuildNameHasher;

/// The attribute that names the unit.
pub const TARGETING_KEY: &str = "targetingKey";

/// Up to so many texts are compared one by one.
const FEW: usize = 8;

/// One test of one attribute, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The attribute's name, 1 to 200 bytes; `targetingKey` is the targeting key.
    pub attribute: String,
    /// What must be true of it.
    pub test: Test,
}

/// What must be true of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It equals one of these, 1 to 10,000. With one literal: equals.
    OneOf(Vec<Literal>),
}

/// A value that an attribute is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Equal as UTF-8 bytes; at most 64 KiB.
    Text(String),
    /// Equal as an IEEE 754 double; finite.
    Number(f64),
    /// Equal as a boolean.
    Boolean(bool),
}

/// A condition as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledCondition {
    subject: Subject,
    one_of: OneOf,
}

/// What a condition looks at.
#[derive(Debug)]
enum Subject {
    TargetingKey,
    Attribute(Box<str>),
}

/// The literals of a condition by type.
#[derive(Debug)]
struct OneOf {
    texts: Texts,
    /// Ascending in `total_cmp`; zero is positive.
    numbers: Box<[f64]>,
    /// Whether false and whether true is among them.
    booleans: [bool; 2],
}

#[derive(Debug)]
enum Texts {
    Few(Box<[Box<str>]>),
    Many(HashSet<Box<str>, BuildNameHasher>),
}

impl CompiledCondition {
    /// The compiled form of a condition that was checked.
    pub(crate) fn new(condition: &Condition) -> CompiledCondition {
        let subject = match condition.attribute.as_str() {
            TARGETING_KEY => Subject::TargetingKey,
            name => Subject::Attribute(name.into()),
        };
        let one_of = match &condition.test {
            Test::OneOf(literals) => OneOf::new(literals),
        };
        CompiledCondition { subject, one_of }
    }

    /// Whether it holds in `context`.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        match &self.subject {
            Subject::TargetingKey => context
                .targeting_key()
                .is_some_and(|unit| self.one_of.texts.contains(unit)),
            Subject::Attribute(name) => context
                .attribute(name)
                .is_some_and(|attribute| self.one_of.contains(attribute)),
        }
    }
}

impl OneOf {
    fn new(literals: &[Literal]) -> OneOf {
        let (mut texts, mut numbers, mut booleans) = (Vec::new(), Vec::new(), [false; 2]);
        for literal in literals {
            match literal {
                Literal::Text(text) => texts.push(Box::from(text.as_str())),
                Literal::Number(number) => numbers.push(without_negative_zero(*number)),
                Literal::Boolean(boolean) => booleans[usize::from(*boolean)] = true,
            }
        }
        numbers.sort_unstable_by(f64::total_cmp);
        OneOf {
            texts: Texts::new(texts),
            numbers: numbers.into(),
            booleans,
        }
    }

    fn contains(&self, attribute: &Attribute) -> bool {
        match attribute {
            Attribute::Text(text) => self.texts.contains(text),
            Attribute::Number(number) => {
                let number = without_negative_zero(*number);
                self.numbers
                    .binary_search_by(|literal| literal.total_cmp(&number))
                    .is_ok()
            }
            Attribute::Boolean(boolean) => self.booleans[usize::from(*boolean)],
            Attribute::Other => false,
        }
    }
}

impl Texts {
    fn new(texts: Vec<Box<str>>) -> Texts {
        if texts.len() <= FEW {
            Texts::Few(texts.into())
        } else {
            Texts::Many(texts.into_iter().collect())
        }
    }

    fn contains(&self, text: &str) -> bool {
        match self {
            Texts::Few(texts) => texts.iter().any(|literal| **literal == *text),
            Texts::Many(texts) => texts.contains(text),
        }
    }
}

/// The number, with the two zeros of IEEE 754 made one: they are equal.
fn without_negative_zero(number: f64) -> f64 {
    number + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(attribute: Option<Attribute>, literals: Vec<Literal>) -> bool {
        let condition = Condition {
            attribute: "plan".into(),
            test: Test::OneOf(literals),
        };
        let context = Context::new();
        let context = match attribute {
            Some(attribute) => context.with("plan", attribute),
            None => context,
        };
        CompiledCondition::new(&condition).holds(&context)
    }

    fn text(text: impl ToString) -> Literal {
        Literal::Text(text.to_string())
    }

    #[test]
    fn types_never_convert() {
        let literals = || vec![text("1"), text("true"), Literal::Number(2.0), Literal::Boolean(false)];
        let cases = [
            (Attribute::Text("1".into()), true),
            (Attribute::Text("true".into()), true),
            (Attribute::Text("2".into()), false),
            (Attribute::Text("false".into()), false),
            (Attribute::Number(2.0), true),
            (Attribute::Number(1.0), false),
            (Attribute::Number(f64::NAN), false),
            (Attribute::Boolean(false), true),
            (Attribute::Boolean(true), false),
            (Attribute::Other, false),
        ];
        for (attribute, expected) in cases {
            assert_eq!(holds(Some(attribute.clone()), literals()), expected, "{attribute:?}");
        }
    }

    #[test]
    fn a_missing_attribute_equals_nothing() {
        assert!(!holds(
            None,
            vec![text(""), Literal::Number(0.0), Literal::Boolean(false)]
        ));
    }

    #[test]
    fn both_zeros_are_equal() {
        assert!(holds(Some(Attribute::Number(-0.0)), vec![Literal::Number(0.0)]));
        assert!(holds(Some(Attribute::Number(0.0)), vec![Literal::Number(-0.0)]));
    }

    #[test]
    fn a_long_list_finds_what_a_short_one_finds() {
        for length in [1, FEW, FEW + 1, 1_000] {
            let literals: Vec<Literal> = (0..length).map(text).collect();
            assert!(
                holds(Some(Attribute::Text((length - 1).to_string())), literals.clone()),
                "{length}"
            );
            assert!(!holds(Some(Attribute::Text(length.to_string())), literals), "{length}");
        }
    }

    #[test]
    fn the_targeting_key_is_an_attribute_to_test() {
        let condition = Condition {
            attribute: TARGETING_KEY.into(),
            test: Test::OneOf(vec![text("ada")]),
        };
        let condition = CompiledCondition::new(&condition);
        assert!(condition.holds(&Context::new().with_targeting_key("ada")));
        assert!(!condition.holds(&Context::new().with_targeting_key("bob")));
        assert!(!condition.holds(&Context::new()));
    }
}
