//! Texts that an attribute has in it, begins with or ends with.
//!
//! However many texts are looked for, the attribute is read once: beginnings and ends are found by binary search among
//! texts none of which begins another, and parts by an Aho-Corasick automaton, which knows them all.

use std::cmp::Ordering;

use aho_corasick::AhoCorasick;

use crate::condition::TextPart;
use crate::fold;

/// Up to so many texts are looked for one by one.
const FEW: usize = 4;

/// A part of a text, as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledPart {
    ignore_case: bool,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Few(Box<[Box<str>]>),
    Many(Box<AhoCorasick>),
    /// Ascending; none begins with another.
    Starts(Box<[Box<str>]>),
    /// Ascending when read backwards; none ends with another.
    Ends(Box<[Box<str>]>),
}

impl CompiledPart {
    /// The compiled form of texts that were checked. None if they need too large an automaton.
    pub(crate) fn new(part: TextPart, texts: &[String], ignore_case: bool) -> Option<CompiledPart> {
        let texts = texts.iter().map(|text| Box::from(&*fold::literal(text, ignore_case)));
        let search = match part {
            TextPart::Contains if texts.len() <= FEW => Search::Few(texts.collect()),
            TextPart::Contains => Search::Many(Box::new(automaton(texts)?)),
            TextPart::StartsWith => Search::Starts(shortest(texts.collect(), str::cmp, |text, start| {
                text.starts_with(start)
            })),
            TextPart::EndsWith => Search::Ends(shortest(texts.collect(), backwards, |text, end| text.ends_with(end))),
        };
        Some(CompiledPart { ignore_case, search })
    }

    /// Whether one of the texts is such a part of `text`.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if self.ignore_case {
            fold::folded(text, |text| self.search.finds(text))
        } else {
            self.search.finds(text)
        }
    }
}

impl Search {
    fn finds(&self, text: &str) -> bool {
        match self {
            Search::Few(parts) => parts.iter().any(|part| text.contains(&**part)),
            Search::Many(automaton) => automaton.is_match(text),
            Search::Starts(starts) => {
                last_not_after(starts, text, str::cmp).is_some_and(|start| text.starts_with(start))
            }
            Search::Ends(ends) => last_not_after(ends, text, backwards).is_some_and(|end| text.ends_with(end)),
        }
    }
}

/// Finds any of the texts; its tables are as small as they can be.
fn automaton(texts: impl Iterator<Item = Box<str>>) -> Option<AhoCorasick> {
    let texts: Vec<Box<str>> = texts.collect();
    let kind = aho_corasick::AhoCorasickKind::ContiguousNFA;
    let texts = texts.iter().map(|text| text.as_bytes());
    AhoCorasick::builder().kind(Some(kind)).build(texts).ok()
}

/// The texts in order, without those that have another as their part: finding that one is enough.
fn shortest(
    mut texts: Vec<Box<str>>,
    order: fn(&str, &str) -> Ordering,
    has: impl Fn(&str, &str) -> bool,
) -> Box<[Box<str>]> {
    texts.sort_unstable_by(|one, other| order(one, other));
    // A text sorts directly after its beginning and the others with that beginning.
    texts.dedup_by(|text, kept| has(text, kept));
    texts.into()
}

/// The only one of the texts that can be a part: the last that does not sort after `text`.
fn last_not_after<'t>(texts: &'t [Box<str>], text: &str, order: fn(&str, &str) -> Ordering) -> Option<&'t str> {
    let after = texts.partition_point(|part| order(part, text) != Ordering::Greater);
    texts.get(after.checked_sub(1)?).map(|part| &**part)
}

/// The order of texts read backwards.
fn backwards(one: &str, other: &str) -> Ordering {
    one.bytes().rev().cmp(other.bytes().rev())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_texts_are_found_as_one_by_one(
            texts in prop::collection::vec("[abAB]{1,3}", 1..30), text in "[abAB]{0,6}", ignore_case in any::<bool>(),
        ) {
            let found = |part| CompiledPart::new(part, &texts, ignore_case).unwrap().is_in(&text);
            let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
            let any = |is_part: fn(&str, &str) -> bool| texts.iter().any(|part| is_part(&fold(&text), &fold(part)));
            prop_assert_eq!(found(TextPart::Contains), any(|text, part| text.contains(part)));
            prop_assert_eq!(found(TextPart::StartsWith), any(|text, part| text.starts_with(part)));
            prop_assert_eq!(found(TextPart::EndsWith), any(|text, part| text.ends_with(part)));
        }
    }
}
