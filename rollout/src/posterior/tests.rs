#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::{incomplete_beta::regularised, *};

fn posterior(wins: u64, losses: u64) -> Posterior {
    Posterior { wins, losses }
}

fn shares() -> impl Strategy<Value = Share> {
    (0..=100_000_u32).prop_map(|share| Share::new(share).unwrap())
}

#[test]
fn nothing_known_is_every_chance_alike() {
    assert_eq!(Posterior::default(), Posterior::PRIOR);
    assert_eq!((Posterior::PRIOR.alpha(), Posterior::PRIOR.beta()), (1.0, 1.0));
    assert_eq!(Posterior::PRIOR.mean(), 0.5);
}

#[test]
fn a_win_that_reached_a_tenth_counts_a_tenth() {
    let mut known = Posterior::PRIOR;
    known.add(true, Share::new(10_000).unwrap());
    assert_eq!((known.alpha(), known.beta()), (1.1, 1.0));
    known.add(false, Share::ALL);
    assert_eq!((known.alpha(), known.beta()), (1.1, 2.0));
    known.add(true, Share::NONE);
    assert_eq!(
        (known.wins_per_100_000(), known.losses_per_100_000()),
        (10_000, 100_000)
    );
}

/// Expected values: mpmath's `betainc`, 40 digits.
#[test]
fn the_incomplete_beta_function_agrees_with_known_values() {
    let cases = [
        (2.0, 3.0, 0.25, 0.261_718_75),
        (1.1, 1.0, 0.1, 0.079_432_823_472_428_15),
        (50.0, 50.0, 0.5, 0.5),
        (200.0, 3.0, 0.99, 0.671_238_171_038_389_4),
        (1_000.0, 1_000.0, 0.52, 0.963_220_516_721_360_3),
    ];
    for (a, b, x, expected) in cases {
        let found = regularised(a, b, x);
        assert!((found - expected).abs() < 1e-11, "I({a}, {b}, {x}) = {found}");
    }
}

/// Expected values: mpmath's `betainc`, 40 digits, inverted by bisection.
#[test]
fn nine_tenths_lie_where_known_values_say() {
    let cases = [
        (0, 0, 0.05, 0.95),
        (100_000, 0, 0.223_606_797_749_978_97, 0.974_679_434_480_896_4),
        (0, 100_000, 0.025_320_565_519_103_61, 0.776_393_202_250_021),
        (10_000, 0, 0.065_651_621_724_394_2, 0.954_440_219_810_675_4),
        (50_000, 150_000, 0.062_412_523_857_915_034, 0.764_465_958_557_377_1),
        (300_001, 100_000, 0.342_592_523_799_984_6, 0.923_559_774_073_770_7),
        (1_000_000, 200_000, 0.589_901_395_166_183_8, 0.933_950_432_786_690_4),
        (10_000_000, 5_000_000, 0.600_444_981_206_645_9, 0.726_033_455_042_925_8),
        (100_000_000, 825_000, 0.985_428_624_209_451_4, 0.995_160_192_871_356_9),
        (2_950_000, 6_925_000, 0.230_062_492_904_259_25, 0.379_871_033_693_647_9),
    ];
    for (wins, losses, low, high) in cases {
        let found = posterior(wins, losses).interval(0.9);
        assert!((found.0 - low).abs() < 1e-11, "{wins} {losses}: {found:?}");
        assert!((found.1 - high).abs() < 1e-11, "{wins} {losses}: {found:?}");
    }
}

#[test]
fn an_interval_of_any_mass_is_between_nothing_and_everything() {
    let known = posterior(370_000, 120_000);
    for whole in [1.0, 7.0, f64::INFINITY] {
        assert_eq!(known.interval(whole), (0.0, 1.0));
    }
    for nothing in [0.0, -1.0, f64::NAN] {
        let (low, high) = known.interval(nothing);
        assert!((high - low).abs() < 1e-12, "the median alone, not {low}..{high}");
    }
}

#[test]
fn the_largest_counts_still_have_an_interval() {
    let (low, high) = posterior(u64::MAX, 0).interval(0.9);
    assert!(low > 0.999_999 && low <= high && high <= 1.0, "{low}..{high}");
    let mut full = posterior(u64::MAX, 0);
    full.add(true, Share::ALL);
    assert_eq!(full, posterior(u64::MAX, 0));
}

#[test]
fn what_was_never_rolled_out_has_the_prior() {
    let mut all = Posteriors::default();
    all.add("checkout", "canary", true, Share::ALL);
    all.add("checkout", "canary", false, Share::new(1_000).unwrap());
    all.add("checkout", "big-bang", false, Share::ALL);
    assert_eq!(all.of("checkout", "canary"), posterior(100_000, 1_000));
    assert_eq!(all.of("search", "canary"), Posterior::PRIOR);
    let names: Vec<_> = all.iter().map(|(component, pattern, _)| (component, pattern)).collect();
    assert_eq!(names, [("checkout", "big-bang"), ("checkout", "canary")]);
}

proptest! {
    #[test]
    fn the_order_of_outcomes_never_shows(
        outcomes in prop::collection::vec((any::<bool>(), shares()), 0..40),
        split in 0..40_usize,
    ) {
        let count = |outcomes: &mut dyn Iterator<Item = &(bool, Share)>| {
            let mut known = Posterior::PRIOR;
            outcomes.for_each(|(won, deployed)| known.add(*won, *deployed));
            known
        };
        let forward = count(&mut outcomes.iter());
        prop_assert_eq!(forward, count(&mut outcomes.iter().rev()));
        let (first, second) = outcomes.split_at(split.min(outcomes.len()));
        prop_assert_eq!(forward, count(&mut first.iter()).and(count(&mut second.iter())));
    }

    #[test]
    fn an_interval_holds_its_mass_and_lies_in_a_wider_one(
        wins in 0..50_000_000_u64, losses in 0..50_000_000_u64, mass in 0.01..0.98_f64,
    ) {
        let known = posterior(wins, losses);
        let (low, high) = known.interval(mass);
        let held = regularised(known.alpha(), known.beta(), high) - regularised(known.alpha(), known.beta(), low);
        prop_assert!((held - mass).abs() < 1e-9, "{} instead of {}", held, mass);
        let (wider_low, wider_high) = known.interval(mass + 0.01);
        prop_assert!(wider_low < low && high < wider_high);
    }

    #[test]
    fn a_win_raises_and_a_loss_lowers(wins in 0..50_000_000_u64, losses in 0..50_000_000_u64, share in 1..=100_000_u32) {
        let known = posterior(wins, losses);
        let (mut won, mut lost) = (known, known);
        won.add(true, Share::new(share).unwrap());
        lost.add(false, Share::new(share).unwrap());
        prop_assert!(won.mean() > known.mean() && known.mean() > lost.mean());
        prop_assert!(won.interval(0.9).0 > lost.interval(0.9).0);
    }
}
