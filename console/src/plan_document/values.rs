//! Words of a closed set, counts, percentages, probabilities and ratios of plan documents.
//!
//! Percentages are read as the text that they were written with, so that three decimals mean what they say. Where 0 on
//! the wire means "the default", a written 0 is refused: whoever writes one means something else.

use proto::v1;

use crate::{
    document::{Fields, Kind, Node, Problems, Tree},
    flag_document::Percent,
    nearest::nearest,
};

/// The names of a closed set.
pub(super) fn names<T: Copy, const N: usize>(all: &[T; N], name: fn(T) -> &'static str) -> [&'static str; N] {
    all.map(name)
}

/// A word of a closed set, as the set spells it; empty if it is absent.
pub(super) fn word(
    fields: &mut Fields<'_>,
    name: &'static str,
    words: &[&'static str],
    problems: &mut Problems,
) -> String {
    let node = fields.take(name);
    node.and_then(|node| word_of(node, &fields.path(name), words, problems))
        .unwrap_or_default()
}

/// A word of a closed set, as the set spells it.
pub(super) fn word_of(node: &Node, field: &str, words: &[&'static str], problems: &mut Problems) -> Option<String> {
    let Kind::Text(text) = &node.kind else {
        problems.expected(node, field, &format!("one of {}", words.join(", ")));
        return None;
    };
    let found = find(text, words);
    if found.is_none() {
        let what = match nearest(text, words.iter().copied()) {
            Some(near) => format!("no `{text}`; did you mean `{near}`?"),
            None => format!("no `{text}`; one of {}", words.join(", ")),
        };
        problems.wrong(node.place, field, what);
    }
    found.map(str::to_owned)
}

/// The word that a text means, whatever its case, spaces and hyphens: `Roll back` is `roll-back`.
pub(super) fn find(text: &str, words: &[&'static str]) -> Option<&'static str> {
    let letters = |text: &str| -> String {
        let counts = |letter: &char| !letter.is_whitespace() && !matches!(letter, '-' | '_');
        text.chars().filter(counts).flat_map(char::to_lowercase).collect()
    };
    let wanted = letters(text);
    words.iter().copied().find(|word| letters(word) == wanted)
}

/// A whole number that is not negative.
pub(super) fn count<T: TryFrom<u64>>(
    fields: &mut Fields<'_>,
    name: &'static str,
    problems: &mut Problems,
) -> Option<T> {
    let node = fields.take(name)?;
    let number = match &node.kind {
        Kind::Number(number) => number.written.parse::<u64>().ok(),
        Kind::Text(text) => text.trim().parse::<u64>().ok(),
        Kind::Null | Kind::Boolean(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    let fits = number.and_then(|number| T::try_from(number).ok());
    if fits.is_none() {
        let bits = 8 * size_of::<T>();
        let what = format!("{}; expected a whole number from 0 on, of {bits} bits", node.what());
        problems.wrong(node.place, &fields.path(name), what);
    }
    fits
}

/// A count as a document has it; nothing for 0.
pub(super) fn write_count(count: impl Into<u64>) -> Option<Tree> {
    let count = count.into();
    (count != 0).then(|| write_whole(count))
}

/// A count as a document has it, 0 too.
pub(super) fn write_whole(count: u64) -> Tree {
    i64::try_from(count).map_or_else(|_| Tree::Text(count.to_string()), Tree::Whole)
}

/// A percentage with three decimals, as buckets; the first of the names is its name.
pub(super) fn percentage(fields: &mut Fields<'_>, names: &[&'static str], problems: &mut Problems) -> Option<u32> {
    let (name, node) = fields.take_any(names, problems)?;
    Percent::read(node, &fields.path(name), problems)
}

/// A percentage as a document has it; nothing for 0.
pub(super) fn write_percentage(buckets: u32) -> Option<Tree> {
    (buckets != 0).then(|| percent(buckets))
}

/// A percentage as a document has it, 0 too.
pub(super) fn percent(buckets: u32) -> Tree {
    // Five digits over a thousand: the nearest double shows the same digits.
    Tree::number(f64::from(buckets) / 1_000.0)
}

/// A chance between 0 and 1, both excluded, as a number or as a percentage (`1 %`); 0 if it is absent.
pub(super) fn probability(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> f64 {
    let write = "a number between 0 and 1, such as 0.01, or a percentage: 1 %";
    number(fields, name, write, |number| number > 0.0 && number < 1.0, problems)
}

/// A finite number above 0; 0 if it is absent.
pub(super) fn ratio(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> f64 {
    number(
        fields,
        name,
        "a number above 0, such as 1.5",
        |number| number > 0.0 && number.is_finite(),
        problems,
    )
}

fn number(
    fields: &mut Fields<'_>,
    name: &'static str,
    write: &str,
    fits: fn(f64) -> bool,
    problems: &mut Problems,
) -> f64 {
    let Some(node) = fields.take(name) else {
        return 0.0;
    };
    let (said, number) = match &node.kind {
        Kind::Number(number) => (number.written.as_str(), Some(number.value)),
        Kind::Text(text) => (text.as_str(), parse(text)),
        Kind::Null | Kind::Boolean(_) | Kind::List(_) | Kind::Map(_) => (node.what(), None),
    };
    match number.filter(|number| fits(*number)) {
        Some(number) => number,
        None => {
            problems.wrong(node.place, &fields.path(name), format!("{said}; write {write}"));
            0.0
        }
    }
}

/// A decimal, or a percentage as the part of 1 nearest to it.
fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_suffix('%').map_or(text, str::trim_end);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    // The exponent is part of what is parsed, so that 0.7 % is the double that 0.007 is.
    let exponent = if digits.len() < text.len() { "e-2" } else { "" };
    format!("{digits}{exponent}").parse().ok()
}

/// A number as a document has it; nothing for 0.
pub(super) fn write_number(number: f64) -> Option<Tree> {
    (number != 0.0).then(|| Tree::number(number))
}

/// A guard's level as documents write it; none for the default.
pub(super) fn level_name(level: v1::GuardLevel) -> Option<&'static str> {
    match level {
        v1::GuardLevel::Unspecified => None,
        v1::GuardLevel::Warn => Some("warn"),
        v1::GuardLevel::Hold => Some("hold"),
        v1::GuardLevel::Abort => Some("abort"),
    }
}
