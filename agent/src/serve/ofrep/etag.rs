//! The ETag of a bulk answer: whatever can change the answer changes it.
//!
//! XXH3-128 of the content revision, the selector, the stale bit and the request's body as it came, which holds the
//! context. So it is known before the body is even parsed, and agents that hold the same revision give the same one.

use axum::http::{HeaderMap, header};
use evaluation::Revision;
use twox_hash::XxHash3_128;

use crate::evaluate::Selection;

/// The ETag, with its quotes.
pub(super) fn of(revision: Revision, selection: &Selection, body: &[u8], stale: bool) -> String {
    let mut hashed = Vec::with_capacity(96);
    hashed.extend_from_slice(&revision.lineage.0.to_be_bytes());
    hashed.extend_from_slice(&revision.number.to_be_bytes());
    hashed.extend_from_slice(&XxHash3_128::oneshot(body).to_be_bytes());
    hashed.push(u8::from(stale));
    match selection {
        Selection::All => hashed.push(0),
        Selection::Set(set) => {
            hashed.push(1);
            hashed.extend_from_slice(set.as_bytes());
        }
        Selection::Nothing => hashed.push(2),
    }
    format!("\"{:032x}\"", XxHash3_128::oneshot(&hashed))
}

/// Whether the caller says that it has this one. Weak and strong ones are the same to it.
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|held| held.strip_prefix("W/").unwrap_or(held) == etag)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use evaluation::Lineage;

    use super::*;

    fn revision(lineage: u128, number: u64) -> Revision {
        Revision {
            lineage: Lineage(lineage),
            number,
        }
    }

    #[test]
    fn whatever_can_change_the_answer_changes_the_etag() {
        let set = |set: &str| Selection::Set(set.to_owned());
        let etags = [
            of(revision(1, 1), &Selection::All, b"{}", false),
            of(revision(2, 1), &Selection::All, b"{}", false),
            of(revision(1, 2), &Selection::All, b"{}", false),
            of(revision(1, 1), &set(""), b"{}", false),
            of(revision(1, 1), &set("a"), b"{}", false),
            of(revision(1, 1), &Selection::Nothing, b"{}", false),
            of(revision(1, 1), &Selection::All, b"", false),
            of(revision(1, 1), &Selection::All, b"{}", true),
        ];
        assert_eq!(etags.iter().collect::<BTreeSet<_>>().len(), etags.len());
        assert!(
            etags
                .iter()
                .all(|etag| etag.len() == 34 && etag.starts_with('"') && etag.ends_with('"'))
        );
        assert_eq!(etags[0], of(revision(1, 1), &Selection::All, b"{}", false));
    }

    #[test]
    fn an_etag_is_known_alone_in_a_list_and_as_a_weak_one() {
        for (value, known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("\"b\",W/\"a\"", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
            ("*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
            assert_eq!(is_known(&headers, "\"a\""), known, "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"a\""));
    }
}
