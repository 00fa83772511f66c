//! Documents in parts: each small enough for a transaction and a message, what is read before what reads it.
//!
//! A dry run writes nothing, so a part of it cannot lean on the part before: it brings along the documents that its own
//! read, whose results are known already.

use std::collections::BTreeMap;

use prost::Message as _;
use proto::v1::{self, document::Kind};

use crate::{
    commands::order::{self, Name},
    error::Error,
    view::change,
};

/// Documents of one part, at most: they are written together or not at all.
const DOCUMENTS: usize = 50;
/// Bytes of one part, at most; a message is 4 MiB, and one document below that fits alone.
const BYTES: usize = 3 * 1024 * 1024;

/// Documents that are sent together.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) documents: Vec<v1::Document>,
    /// So many at the beginning were answered in an earlier part.
    pub(super) repeated: usize,
    bytes: usize,
}

impl Part {
    fn push(&mut self, document: v1::Document) {
        self.bytes += document.encoded_len();
        self.documents.push(document);
    }

    /// A refusal that speaks of documents by their keys: nobody counts them.
    pub(super) fn named(&self, refusal: Error) -> Error {
        match refusal {
            Error::Refused(problems) => {
                Error::Refused(problems.into_iter().map(|problem| self.with_key(problem)).collect())
            }
            other => other,
        }
    }

    /// `documents[3].default: ...` as `flag checkout-v2: default: ...`.
    fn with_key(&self, problem: String) -> String {
        let numbered = problem.strip_prefix("documents[").and_then(|rest| {
            let (number, rest) = rest.split_once(']')?;
            let (kind, key) = name(self.documents.get(number.parse::<usize>().ok()?)?)?;
            let kind = change::kind(v1::DocumentKind::try_from(kind).unwrap_or_default());
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            // The part of the document is named by its kind again.
            let rest = rest.strip_prefix(&format!("{kind}.")).unwrap_or(rest);
            Some(format!("{kind} {key}: {}", rest.trim_start_matches([':', ' '])))
        });
        numbered.unwrap_or(problem)
    }

    fn takes(&self, documents: usize, bytes: usize) -> bool {
        self.documents.is_empty() || (self.documents.len() + documents <= DOCUMENTS && self.bytes + bytes <= BYTES)
    }
}

/// The parts of an apply: what is written, then what is deleted, in the order given.
pub(super) fn cut(documents: Vec<v1::Document>, deletions: Vec<v1::Document>) -> Vec<Part> {
    let mut parts = vec![Part::default()];
    let mut last = Part::default();
    for document in sorted(documents).into_iter().chain(deletions) {
        if !last.takes(1, document.encoded_len()) {
            parts.push(std::mem::take(&mut last));
        }
        last.push(document);
    }
    parts.push(last);
    parts.retain(|part| !part.documents.is_empty());
    parts
}

/// The parts of a dry run.
pub(super) fn dry(documents: Vec<v1::Document>, deletions: Vec<v1::Document>) -> Vec<Part> {
    let few = documents.len() + deletions.len() <= DOCUMENTS;
    if few {
        return cut(documents, deletions);
    }
    let documents = sorted(documents);
    let at: BTreeMap<Name, usize> = documents
        .iter()
        .enumerate()
        .filter_map(|(at, document)| Some((name(document)?, at)))
        .collect();
    let mut parts: Vec<Part> = Vec::new();
    // The documents of the last part, by their places.
    let mut held: Vec<usize> = Vec::new();
    for (own, document) in documents.iter().enumerate() {
        let support = support(own, &documents, &at);
        let fits = parts.last().is_some_and(|part| part.takes(1, document.encoded_len()))
            && support.iter().all(|one| held.contains(one));
        if !fits {
            let mut part = Part::default();
            for one in support.iter().copied().take(DOCUMENTS - 1) {
                part.push(documents[one].clone());
                part.repeated += 1;
            }
            held = support;
            parts.push(part);
        }
        held.push(own);
        if let Some(part) = parts.last_mut() {
            part.push(document.clone());
        }
    }
    parts.extend(cut(Vec::new(), deletions));
    parts
}

/// The documents that a document reads, and those that they read, in order.
fn support(own: usize, documents: &[v1::Document], at: &BTreeMap<Name, usize>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![own];
    while let Some(one) = open.pop() {
        for read in reads(&documents[one]).iter().filter_map(|name| at.get(name)) {
            if !found.contains(read) && *read != own {
                found.push(*read);
                open.push(*read);
            }
        }
    }
    found.sort_unstable();
    found
}

/// What is read comes before what reads it; segments before flags otherwise.
fn sorted(documents: Vec<v1::Document>) -> Vec<v1::Document> {
    let names: Vec<Name> = documents.iter().filter_map(name).collect();
    let reads = documents
        .iter()
        .filter_map(|document| Some((name(document)?, reads(document))))
        .collect();
    let mut by_name: BTreeMap<Name, v1::Document> = documents
        .into_iter()
        .filter_map(|document| Some((name(&document)?, document)))
        .collect();
    let names = names
        .into_iter()
        .map(|(kind, key)| v1::DocumentName { kind, key })
        .collect();
    let ordered = order::order(names, &reads).into_iter();
    ordered
        .filter_map(|name| by_name.remove(&(name.kind, name.key)))
        .collect()
}

fn name(document: &v1::Document) -> Option<Name> {
    Some(match document.kind.as_ref()? {
        Kind::Flag(flag) => (v1::DocumentKind::Flag.into(), flag.key.clone()),
        Kind::Segment(segment) => (v1::DocumentKind::Segment.into(), segment.key.clone()),
        Kind::Deleted(name) => (name.kind, name.key.clone()),
    })
}

fn reads(document: &v1::Document) -> Vec<Name> {
    match &document.kind {
        Some(Kind::Flag(flag)) => order::of_flag(flag),
        Some(Kind::Segment(segment)) => order::of_segment(segment),
        Some(Kind::Deleted(_)) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn flag(number: usize, needs: &[usize]) -> v1::Document {
        let key = |number: usize| format!("flag-{number}");
        let prerequisites = needs.iter().map(|need| v1::Prerequisite {
            flag: key(*need),
            variants: vec!["on".into()],
        });
        let flag = v1::Flag {
            key: key(number),
            prerequisites: prerequisites.collect(),
            ..Default::default()
        };
        v1::Document {
            kind: Some(Kind::Flag(flag)),
            expected_revision: 0,
        }
    }

    proptest! {
        #[test]
        fn every_document_is_written_once_after_what_it_reads(
            needs in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..200),
        ) {
            // A flag needs flags of higher numbers only: no cycles.
            let documents: Vec<v1::Document> = needs.iter().enumerate().map(|(at, needs_of)| {
                let later = needs.len() - at - 1;
                let needs_of: Vec<usize> = needs_of.iter().filter(|_| later > 0).map(|need| at + 1 + need.index(later)).collect();
                flag(at, &needs_of)
            }).collect();
            for (parts, leans) in [(cut(documents.clone(), Vec::new()), true), (dry(documents.clone(), Vec::new()), false)] {
                let mut written = BTreeSet::new();
                for part in &parts {
                    prop_assert!(part.documents.len() <= DOCUMENTS);
                    let within: BTreeSet<Name> = part.documents.iter().filter_map(name).collect();
                    for document in &part.documents[part.repeated..] {
                        for read in reads(document) {
                            prop_assert!(within.contains(&read) || (leans && written.contains(&read)) || part.repeated + 1 == DOCUMENTS);
                        }
                        prop_assert!(written.insert(name(document).unwrap_or_default()));
                    }
                }
                prop_assert_eq!(written.len(), documents.len());
            }
        }
    }

    #[test]
    fn a_refusal_names_the_document_by_its_key() {
        let mut part = Part::default();
        part.push(flag(7, &[]));
        let problems = [
            "documents[0].default: no variant",
            "documents[0].flag.key: odd",
            "documents[0]: gone",
            "documents[4]: x",
            "y",
        ];
        let Error::Refused(named) = part.named(Error::Refused(problems.map(str::to_owned).to_vec())) else {
            panic!("still a refusal")
        };
        let expected = [
            "flag flag-7: default: no variant",
            "flag flag-7: key: odd",
            "flag flag-7: gone",
            "documents[4]: x",
            "y",
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn a_part_fits_a_message() {
        let large = |number: usize| {
            let flag = v1::Flag {
                key: format!("f{number}"),
                description: "x".repeat(250_000),
                ..Default::default()
            };
            v1::Document {
                kind: Some(Kind::Flag(flag)),
                expected_revision: 0,
            }
        };
        let parts = cut((0..40).map(large).collect(), Vec::new());
        assert!(parts.iter().all(|part| part.bytes <= BYTES), "{}", parts.len());
        assert_eq!(parts.iter().map(|part| part.documents.len()).sum::<usize>(), 40);
    }
}
