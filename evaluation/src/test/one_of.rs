//! Literals that an attribute, or an element of a list, may equal.
//!
//! Types never convert. Long lists of texts become a hash set, short ones stay an array, which is faster to look through.

use super::Mute;
use crate::condition::{Literal, OneOf, Quantifier};
use crate::fold;
use crate::json::Json;
use crate::texts::TextSet;

/// What can equal a literal, in words.
pub(super) const ABOUT: &str = "a text, number or boolean";

/// Up to so many texts are compared one by one.
pub(crate) const FEW: usize = 8;

/// Whether a value is a text that passes.
#[inline]
pub(super) fn text(value: &Json, passes: impl FnOnce(&str) -> bool) -> Result<bool, Mute> {
    match value {
        Json::Text(text) => Ok(passes(text)),
        Json::Number(_) | Json::Boolean(_) => Ok(false),
        Json::Null | Json::List(_) | Json::Object(_) => Err(Mute::WrongType(ABOUT)),
    }
}

/// Whether so many of the elements are among the literals.
pub(super) fn elements(quantifier: Quantifier, literals: &CompiledOneOf, elements: &[Json]) -> bool {
    let mut among = elements.iter().map(|element| literals.contains(element) == Some(true));
    match quantifier {
        Quantifier::Any => among.any(|among| among),
        Quantifier::All => among.all(|among| among),
        Quantifier::NoneOf => !among.any(|among| among),
    }
}

/// The literals of a condition by type.
#[derive(Debug)]
pub(crate) struct CompiledOneOf {
    ignore_case: bool,
    texts: Texts,
    /// Ascending in `total_cmp`; zero is positive.
    numbers: Box<[f64]>,
    /// Whether false and whether true is among them.
    booleans: [bool; 2],
}

#[derive(Debug)]
enum Texts {
    Few(Box<[Box<str>]>),
    Many(TextSet),
}

impl CompiledOneOf {
    /// The compiled form of literals that were checked.
    pub(crate) fn new(one_of: &OneOf) -> CompiledOneOf {
        let (mut texts, mut numbers, mut booleans) = (Vec::new(), Vec::new(), [false; 2]);
        for literal in &one_of.literals {
            match literal {
                Literal::Text(text) => texts.push(fold::literal(text, one_of.ignore_case)),
                Literal::Number(number) => numbers.push(without_negative_zero(*number)),
                Literal::Boolean(boolean) => booleans[usize::from(*boolean)] = true,
            }
        }
        numbers.sort_unstable_by(f64::total_cmp);
        let texts = if texts.len() <= FEW {
            Texts::Few(texts.iter().map(|text| Box::from(&**text)).collect())
        } else {
            Texts::Many(TextSet::new(texts.iter().map(|text| &**text)))
        };
        CompiledOneOf {
            ignore_case: one_of.ignore_case,
            texts,
            numbers: numbers.into(),
            booleans,
        }
    }

    /// Whether a value equals one of the literals; none if it is neither text, number nor boolean.
    pub(crate) fn contains(&self, value: &Json) -> Option<bool> {
        match value {
            Json::Text(text) if self.ignore_case => Some(fold::folded(text, |text| self.texts.contain(text))),
            Json::Text(text) => Some(self.texts.contain(text)),
            Json::Number(number) => {
                let number = without_negative_zero(*number);
                let found = self.numbers.binary_search_by(|literal| literal.total_cmp(&number));
                Some(found.is_ok())
            }
            Json::Boolean(boolean) => Some(self.booleans[usize::from(*boolean)]),
            Json::Null | Json::List(_) | Json::Object(_) => None,
        }
    }
}

impl Texts {
    fn contain(&self, text: &str) -> bool {
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
