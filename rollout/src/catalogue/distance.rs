//! Which known name was meant by one that is not known.
//!
//! Levenshtein's distance: how many letters must be added, dropped or changed. A name is near enough when a third of
//! the longer one or less is wrong; farther away a suggestion would be a guess, and none is better.

/// The value whose name is nearest to what was wanted, the first among equals; none if all are too far.
pub(super) fn nearest<'a, T>(wanted: &str, names: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let wanted: Vec<char> = wanted.chars().collect();
    let mut best: Option<(usize, T)> = None;
    for (name, value) in names {
        let name: Vec<char> = name.chars().collect();
        let allowed = name.len().max(wanted.len()) / 3;
        if name.len().abs_diff(wanted.len()) > allowed {
            continue;
        }
        let distance = distance(&wanted, &name);
        if distance <= allowed && best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, value));
        }
    }
    best.map(|(_, value)| value)
}

/// Edits between two names, in one row of the table: memory for the shorter use, time for the product of the lengths.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.iter().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        row[0] = before;
        for (cell, to) in row[1..].iter_mut().zip(right) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            before = changed.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
    }
    row[right.len()]
}
