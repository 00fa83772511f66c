#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A unit that weighs much, so that few of them fill a chunk.
fn heavy(number: u32) -> String {
    format!("{number:0900}")
}

fn units(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(heavy).collect()
}

/// A list beside what it should hold, and all chunks there ever were.
#[derive(Default)]
struct Model {
    members: Members,
    chunks: Chunks,
    expected: BTreeSet<String>,
}

impl Model {
    /// Edits both; how many came and went.
    fn edit(&mut self, add: &[String], remove: &[String]) -> (usize, usize) {
        let edited = self.members.edited(&self.chunks, add, remove).unwrap();
        let before = self.expected.clone();
        self.expected.retain(|unit| !remove.contains(unit));
        self.expected.extend(add.iter().cloned());
        let added = self.expected.difference(&before).count();
        let removed = before.difference(&self.expected).count();
        assert_eq!((edited.added, edited.removed), (added, removed));
        self.chunks.extend(edited.fresh);
        self.members = edited.members;
        (added, removed)
    }

    fn check(&self) {
        let units = self.members.units(&self.chunks).unwrap();
        assert_eq!(units.len(), self.expected.len());
        assert_eq!(units.into_iter().collect::<BTreeSet<_>>(), self.expected);
        assert_eq!(self.members.count(), self.expected.len());
        let bytes = self.expected.iter().map(String::len).sum::<usize>();
        assert_eq!(self.members.bytes(), bytes);
        for part in self.members.parts() {
            let chunk = &self.chunks[&part.chunk];
            assert_eq!(chunk.id(), part.chunk);
            assert_eq!(
                (chunk.count(), chunk.text().len()),
                (part.count as usize, part.bytes as usize)
            );
        }
        let again = Members::from_parts(self.members.parts().to_vec());
        assert_eq!(again.as_ref(), Some(&self.members));
    }
}

/// All units of a list, page by page.
fn paged(members: &Members, chunks: &Chunks, size: usize) -> Vec<String> {
    let mut all = Vec::<String>::new();
    loop {
        let (after, mut page) = (all.last().cloned(), Vec::new());
        let more = members.page(chunks, after.as_deref(), |unit| {
            let fits = page.len() < size;
            if fits {
                page.push(unit.to_owned());
            }
            fits
        });
        all.append(&mut page);
        if !more.unwrap() {
            return all;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_list_holds_what_a_set_holds_whatever_comes_and_goes(
        edits in proptest::collection::vec(
            (proptest::collection::vec(0..400u32, 0..150), proptest::collection::vec(0..400u32, 0..150)),
            1..8,
        ),
        asked in 0..400u32,
    ) {
        let mut model = Model::default();
        for (add, remove) in edits {
            model.edit(&units(add), &units(remove));
            model.check();
            let has = model.members.contains(&model.chunks, &heavy(asked)).unwrap();
            prop_assert_eq!(has, model.expected.contains(&heavy(asked)));
            let inverse = Members::of(&model.expected.iter().rev().cloned().collect::<Vec<_>>());
            prop_assert_eq!(&inverse.members, &model.members, "the way to a set shows in its layout");
        }
        let listed = paged(&model.members, &model.chunks, 37);
        prop_assert_eq!(listed, model.expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn adding_one_unit_writes_one_chunk_or_splits_it(numbers in proptest::collection::btree_set(0..5_000u32, 1..600)) {
        let first = *numbers.iter().next().unwrap();
        let rest = units(numbers.iter().copied().skip(1));
        let before = Members::of(&rest);
        let edited = before.members.edited(&before.fresh, &[heavy(first)], &[]).unwrap();
        prop_assert!(edited.fresh.len() <= 3, "{} chunks were written", edited.fresh.len());
        let kept = before.members.chunks().collect::<BTreeSet<_>>();
        let kept = edited.members.chunks().filter(|id| kept.contains(id)).count();
        prop_assert!(kept + 1 >= before.members.parts().len());
    }

    #[test]
    fn whatever_is_stored_is_a_chunk_or_refused(text in ".{0,60}", lengths in proptest::collection::vec(0..20u32, 0..8)) {
        if let Some(chunk) = Chunk::from_parts(text.clone(), &lengths) {
            prop_assert_eq!(chunk.units().collect::<String>(), text);
            prop_assert_eq!(chunk.count(), lengths.len());
        }
    }
}

#[test]
fn an_empty_list_has_no_chunk() {
    let empty = Members::of(&[]);
    assert_eq!(
        (empty.members.count(), empty.members.parts().len(), empty.fresh.len()),
        (0, 0, 0)
    );
    let one = Members::of(&["user-1".to_owned()]);
    let gone = one.members.edited(&one.fresh, &[], &["user-1".to_owned()]).unwrap();
    assert_eq!(gone.members, empty.members);
}

#[test]
fn no_chunk_is_larger_than_its_limit() {
    for (count, width) in [(40_000usize, 12usize), (2_000, 1_024)] {
        let units = (0..count).map(|number| format!("{number:0width$}")).collect::<Vec<_>>();
        let edited = Members::of(&units);
        assert_eq!(edited.members.count(), count);
        for chunk in edited.fresh.values() {
            assert!(chunk.text().len() <= 32 * 1024);
        }
        // Neither are they crumbs.
        assert!(edited.fresh.len() < 4 * (count * (width + 4)) / (32 * 1024) + 4);
    }
}

#[test]
fn equal_chunks_have_one_name_and_others_another() {
    let chunk = |units: &[&str]| Chunk::of(units).id();
    assert_eq!(chunk(&["a", "bc"]), chunk(&["a", "bc"]));
    assert_ne!(chunk(&["a", "bc"]), chunk(&["ab", "c"]));
    assert_ne!(chunk(&["abc"]), chunk(&["ab", "c"]));
}

#[test]
fn a_chunk_that_is_not_at_hand_is_named() {
    let edited = Members::of(&["user-1".to_owned()]);
    let missing = MissingChunk(edited.members.parts()[0].chunk);
    let nothing = Chunks::new();
    assert_eq!(edited.members.units(&nothing), Err(missing));
    assert_eq!(edited.members.contains(&nothing, "user-1"), Err(missing));
    assert_eq!(edited.members.page(&nothing, None, |_| true), Err(missing));
}

#[test]
fn parts_that_overlap_or_are_out_of_order_are_no_list() {
    let sound = Members::of(&units(0..200)).members.parts().to_vec();
    assert!(sound.len() > 2 && Members::from_parts(sound.clone()).is_some());
    let broken: [fn(&mut Vec<Part>); 4] = [
        |parts| parts.reverse(),
        |parts| parts[0].bits = 0,
        |parts| parts[0].count = 0,
        |parts| parts[0].bits = 33,
    ];
    for break_it in broken {
        let mut parts = sound.clone();
        break_it(&mut parts);
        assert_eq!(Members::from_parts(parts), None);
    }
}
