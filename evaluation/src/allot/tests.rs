#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Shares in percent.
fn shares(percents: &[(&str, u32)]) -> Vec<Share> {
    percents
        .iter()
        .map(|(variant, percent)| share(variant, percent * 1_000))
        .collect()
}

fn share(variant: &str, buckets: u32) -> Share {
    Share {
        variant: variant.to_owned(),
        buckets: Buckets::new(buckets).unwrap(),
    }
}

fn split(shares: Vec<Share>, ranges: Vec<Share>) -> Split {
    Split { shares, ranges }
}

/// The first letter of the variant that holds each bucket.
fn holders(split: &Split) -> Vec<u8> {
    let runs = runs_of(split).iter();
    runs.flat_map(|run| std::iter::repeat_n(run.variant.as_bytes()[0], run.buckets.get() as usize))
        .collect()
}

fn held(split: &Split, variant: &str) -> u32 {
    let of_variant = split.shares.iter().filter(|share| share.variant == variant);
    of_variant.map(|share| share.buckets.get()).sum()
}

/// A split after the shares were edited to `wanted`.
fn edited(present: &Split, wanted: Vec<Share>) -> Split {
    let ranges = allot(Some(present), &wanted);
    split(wanted, ranges)
}

#[test]
fn a_split_that_is_new_lies_in_the_order_written() {
    assert_eq!(allot(None, &shares(&[("b", 10), ("a", 90)])), []);
}

#[test]
fn a_tenth_moves_when_a_tenth_is_asked_for() {
    let before = split(shares(&[("a", 10), ("b", 10), ("c", 80)]), Vec::new());
    let after = edited(&before, shares(&[("a", 20), ("b", 10), ("c", 70)]));
    assert_eq!(after.ranges, shares(&[("a", 10), ("b", 10), ("a", 10), ("c", 70)]));
    let moved = holders(&before)
        .iter()
        .zip(holders(&after))
        .filter(|(was, is)| *was != is)
        .count();
    assert_eq!(moved, 10_000);
}

#[test]
fn going_back_needs_no_ranges() {
    let before = split(shares(&[("a", 10), ("b", 10), ("c", 80)]), Vec::new());
    let after = edited(&before, shares(&[("a", 20), ("b", 10), ("c", 70)]));
    assert_eq!(edited(&after, before.shares.clone()), before);
}

#[test]
fn a_percentage_that_grows_stays_two_runs() {
    let mut present = split(shares(&[("on", 0), ("off", 100)]), Vec::new());
    for percent in [1, 5, 25, 10, 100, 50] {
        present = edited(&present, shares(&[("on", percent), ("off", 100 - percent)]));
        assert_eq!(present.ranges, [], "{percent}");
    }
}

#[test]
fn a_variant_that_leaves_gives_all_it_had_to_those_that_grow() {
    let before = split(shares(&[("a", 25), ("b", 50), ("c", 25)]), Vec::new());
    let after = edited(&before, shares(&[("c", 50), ("a", 50)]));
    assert_eq!(after.ranges, shares(&[("a", 50), ("c", 50)]));
}

#[test]
fn shares_that_are_refused_are_not_laid() {
    let present = split(shares(&[("a", 50), ("b", 50)]), Vec::new());
    for wanted in [
        &[("a", 50)][..],
        &[("a", 50), ("a", 50)],
        &[("b", 20), ("c", 30), ("b", 50)],
    ] {
        assert_eq!(allot(Some(&present), &shares(wanted)), []);
    }
    let broken = split(shares(&[("a", 50)]), Vec::new());
    assert_eq!(allot(Some(&broken), &shares(&[("b", 40), ("a", 60)])), []);
}

/// Shares of some of a few variants, each named once.
fn any_shares() -> impl Strategy<Value = Vec<Share>> {
    let cuts = vec(0_u32..=100_000, 0..6);
    let names = Just(["a", "b", "c", "d", "e", "f"]).prop_shuffle();
    (cuts, names).prop_map(|(mut cuts, names)| {
        cuts.sort_unstable();
        cuts.push(100_000);
        let mut begin = 0;
        let runs = cuts.iter().zip(names).map(|(end, name)| {
            let share = share(name, end - begin);
            begin = *end;
            share
        });
        let mut shares: Vec<Share> = runs.collect();
        // With six cuts the last piece has no name left: it goes to the last share.
        let rest: u32 = 100_000 - shares.iter().map(|share| share.buckets.get()).sum::<u32>();
        if let Some(last) = shares.last_mut() {
            last.buckets = Buckets::new(last.buckets.get() + rest).unwrap();
        }
        shares
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_moves_the_fewest_buckets_and_growth_takes_nobody_out(edits in vec(any_shares(), 2..12)) {
        let mut present = split(edits[0].clone(), Vec::new());
        for wanted in &edits[1..] {
            let next = edited(&present, wanted.clone());
            let (was, is) = (holders(&present), holders(&next));
            prop_assert_eq!(is.len(), 100_000);
            let (mut counts, mut lost) = (BTreeMap::<u8, u32>::new(), BTreeMap::<u8, u32>::new());
            for (was, is) in was.iter().zip(&is) {
                *counts.entry(*is).or_default() += 1;
                *lost.entry(*was).or_default() += u32::from(was != is);
            }
            for name in ["a", "b", "c", "d", "e", "f"] {
                let of = |counts: &BTreeMap<u8, u32>| counts.get(&name.as_bytes()[0]).copied().unwrap_or(0);
                prop_assert_eq!(of(&counts), held(&next, name));
                prop_assert_eq!(of(&lost), held(&present, name).saturating_sub(held(&next, name)));
            }
            present = next;
        }
    }

    #[test]
    fn runs_stay_few_however_often_a_split_is_edited(edits in vec(any_shares(), 150)) {
        let mut present = split(edits[0].clone(), Vec::new());
        let mut most = 0;
        for wanted in &edits[1..] {
            present = edited(&present, wanted.clone());
            most = most.max(present.ranges.len());
        }
        prop_assert!(most <= 24, "{most} runs");
    }
}
