//! The order in which documents of one environment are written in parts: what is read comes before what reads it.
//!
//! Flags read flags (prerequisites, conditions on another flag's variant) and segments, segments read flags and segments.
//! There are no cycles in a valid environment; if there is one, its documents come in the order given, and the control
//! plane says what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use proto::v1::{self, condition::Test};

use super::{flags, segments};
use crate::{connect::Session, error::Error};

/// A document's place among the others: kind and key.
pub(super) type Name = (i32, String);

/// Which documents each document reads.
#[derive(Debug, Default)]
pub(super) struct Reads(BTreeMap<Name, Vec<Name>>);

/// The names, each after those that its document in `environment` reads, and what each reads.
pub(super) async fn sorted(
    session: &Session,
    environment: &str,
    names: Vec<v1::DocumentName>,
) -> Result<(Vec<v1::DocumentName>, Reads), Error> {
    let there = session.elsewhere(environment);
    let mut reads: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    let stored = flags::all(&there).await.map_err(|status| session.error(&status))?;
    for flag in stored.into_iter().filter_map(|stored| stored.flag) {
        reads.insert((v1::DocumentKind::Flag.into(), flag.key.clone()), of_flag(&flag));
    }
    let stored = segments::all(&there).await.map_err(|status| session.error(&status))?;
    for segment in stored.into_iter().filter_map(|stored| stored.segment) {
        let read = of_segment(&segment);
        reads.insert((v1::DocumentKind::Segment.into(), segment.key), read);
    }
    Ok((order(names, &reads), Reads(reads)))
}

/// Parts of at most `most` documents that each hold all that their own documents read, as far as it is named at all: a
/// dry run writes nothing that a later part could read. With each part the places of its own documents.
pub(super) fn closed(
    names: &[v1::DocumentName],
    reads: &Reads,
    most: usize,
) -> Vec<(Vec<v1::DocumentName>, Vec<usize>)> {
    let wanted: BTreeSet<Name> = names.iter().map(|name| (name.kind, name.key.clone())).collect();
    let mut parts: Vec<(Vec<Name>, BTreeSet<Name>)> = Vec::new();
    for name in names {
        let own = (name.kind, name.key.clone());
        let needed = needed(&own, &wanted, reads);
        match parts.last_mut() {
            Some((part, owned)) if part.len() + needed.iter().filter(|one| !part.contains(one)).count() <= most => {
                part.extend(needed.into_iter().filter(|one| !part.contains(one)).collect::<Vec<_>>());
                owned.insert(own);
            }
            Some(_) | None => parts.push((needed, BTreeSet::from([own]))),
        }
    }
    let named = |(part, owned): (Vec<Name>, BTreeSet<Name>)| {
        let own = part.iter().enumerate().filter(|(_, name)| owned.contains(*name));
        let own = own.map(|(at, _)| at).collect();
        let part = part.into_iter().map(|(kind, key)| v1::DocumentName { kind, key });
        (part.collect(), own)
    };
    parts.into_iter().map(named).collect()
}

/// All that a document reads, directly or not, and itself.
fn needed(name: &Name, wanted: &BTreeSet<Name>, reads: &Reads) -> Vec<Name> {
    let mut needed = vec![name.clone()];
    let mut at = 0;
    while let Some(next) = needed.get(at) {
        let read = reads.0.get(next).into_iter().flatten();
        let new: Vec<Name> = read
            .filter(|one| wanted.contains(*one) && !needed.contains(one))
            .cloned()
            .collect();
        needed.extend(new);
        at += 1;
    }
    needed
}

/// What a flag reads.
pub(super) fn of_flag(flag: &v1::Flag) -> Vec<Name> {
    let prerequisites = flag.prerequisites.iter().map(|one| flag_name(&one.flag));
    let conditions = flag.rules.iter().flat_map(|rule| &rule.conditions);
    prerequisites.chain(conditions.flat_map(of_condition)).collect()
}

/// What a segment reads.
pub(super) fn of_segment(segment: &v1::Segment) -> Vec<Name> {
    let conditions = segment.groups.iter().flat_map(|group| &group.conditions);
    conditions.flat_map(of_condition).collect()
}

fn of_condition(condition: &v1::Condition) -> Vec<Name> {
    match &condition.test {
        Some(Test::Variant(test)) => vec![flag_name(&test.flag)],
        Some(Test::InSegment(test)) => {
            let name = |key: &String| (v1::DocumentKind::Segment.into(), key.clone());
            test.segments.iter().map(name).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

fn flag_name(key: &str) -> Name {
    (v1::DocumentKind::Flag.into(), key.to_owned())
}

/// The names, each after those that it reads. Depth first, without recursion: a chain of documents may be long.
pub(super) fn order(names: Vec<v1::DocumentName>, reads: &BTreeMap<Name, Vec<Name>>) -> Vec<v1::DocumentName> {
    let wanted: BTreeSet<Name> = names.iter().map(|name| (name.kind, name.key.clone())).collect();
    let mut seen: BTreeSet<Name> = BTreeSet::new();
    let mut ordered = Vec::with_capacity(names.len());
    for name in names {
        let mut path = vec![((name.kind, name.key), false)];
        while let Some((name, done)) = path.pop() {
            if done {
                ordered.push(v1::DocumentName {
                    kind: name.0,
                    key: name.1,
                });
            } else if seen.insert(name.clone()) {
                let read = reads.get(&name).into_iter().flatten().rev();
                let read: Vec<Name> = read.filter(|one| wanted.contains(*one)).cloned().collect();
                path.push((name, true));
                path.extend(read.into_iter().map(|one| (one, false)));
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: v1::DocumentKind, key: &str) -> v1::DocumentName {
        v1::DocumentName {
            kind: kind.into(),
            key: key.into(),
        }
    }

    fn flag(key: &str) -> v1::DocumentName {
        name(v1::DocumentKind::Flag, key)
    }

    fn keys(names: &[v1::DocumentName]) -> Vec<&str> {
        names.iter().map(|name| name.key.as_str()).collect()
    }

    #[test]
    fn what_is_read_comes_first_and_everything_comes_once() {
        let segment = (v1::DocumentKind::Segment.into(), "s".to_owned());
        let reads = BTreeMap::from([
            (flag_name("a"), vec![flag_name("b"), segment.clone()]),
            (flag_name("b"), vec![flag_name("c"), flag_name("not asked for")]),
            (segment, vec![flag_name("c")]),
        ]);
        let names = vec![
            flag("a"),
            flag("b"),
            flag("c"),
            name(v1::DocumentKind::Segment, "s"),
            flag("d"),
        ];
        assert_eq!(keys(&order(names, &reads)), ["c", "b", "s", "a", "d"]);
    }

    #[test]
    fn a_closed_part_holds_what_its_documents_read() {
        let reads = Reads(BTreeMap::from([
            (flag_name("b"), vec![flag_name("a")]),
            (flag_name("d"), vec![flag_name("b"), flag_name("elsewhere")]),
        ]));
        let parts = closed(&[flag("a"), flag("b"), flag("c"), flag("d")], &reads, 3);
        let parts: Vec<(Vec<&str>, &[usize])> = parts.iter().map(|(part, own)| (keys(part), own.as_slice())).collect();
        assert_eq!(
            parts,
            [(vec!["a", "b", "c"], &[0, 1, 2][..]), (vec!["d", "b", "a"], &[0])]
        );
    }

    #[test]
    fn a_cycle_ends() {
        let reads = BTreeMap::from([
            (flag_name("a"), vec![flag_name("b")]),
            (flag_name("b"), vec![flag_name("a")]),
        ]);
        assert_eq!(keys(&order(vec![flag("a"), flag("b")], &reads)), ["b", "a"]);
    }
}
