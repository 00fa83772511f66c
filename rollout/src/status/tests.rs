#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn at(kind: Kind, percent: Option<u32>) -> Environment {
    Environment {
        kind,
        reached: percent.map(|percent| Share::new(percent * 1_000).unwrap()),
        of_some: false,
        serves_everybody: false,
    }
}

fn everybody(kind: Kind) -> Environment {
    Environment {
        of_some: false,
        serves_everybody: true,
        ..at(kind, None)
    }
}

#[test]
fn one_word_says_how_far_a_flag_has_come() {
    use Kind::{Development, Production, Staging};
    let cases: [(&[Environment], &str); 17] = [
        (&[], "unrolled"),
        (
            &[at(Development, None), at(Staging, None), at(Production, None)],
            "unrolled",
        ),
        (&[everybody(Development), at(Staging, None)], "unrolled"),
        (&[at(Development, Some(50))], "unrolled"),
        (&[at(Staging, Some(0))], "unrolled"),
        (&[at(Staging, Some(1))], "staging-only"),
        (&[at(Staging, Some(100)), at(Production, None)], "staging-only"),
        (&[everybody(Staging)], "staging-only"),
        (&[at(Staging, None), at(Production, Some(0))], "staging-only"),
        (&[at(Production, Some(10))], "canary-10%"),
        (&[everybody(Staging), at(Production, Some(99))], "canary-99%"),
        (&[at(Staging, Some(5)), at(Production, Some(100))], "prod-100%"),
        (&[at(Staging, None), everybody(Production)], "prod-100%"),
        (
            &[Environment {
                of_some: false,
                serves_everybody: true,
                ..at(Production, Some(25))
            }],
            "prod-100%",
        ),
        (&[everybody(Production), everybody(Production)], "prod-100%"),
        (&[everybody(Production), at(Production, None)], "canary-50%"),
        (
            &[at(Production, Some(10)), at(Production, Some(1)), at(Production, None)],
            "canary-3.666%",
        ),
    ];
    for (environments, word) in cases {
        assert_eq!(FlagState::of(environments).to_string(), word, "{environments:?}");
    }
}

#[test]
fn the_smallest_share_of_production_is_a_canary() {
    let least = Environment {
        reached: Share::new(1),
        ..at(Kind::Production, None)
    };
    assert_eq!(FlagState::of(&[least]).to_string(), "canary-0.001%");
    assert_eq!(
        FlagState::of(&[least, at(Kind::Production, None)]).to_string(),
        "canary-0.001%"
    );
}

#[test]
fn a_percentage_has_three_decimals_at_most_and_no_zeros_at_the_end() {
    for (share, word) in [
        (500, "canary-0.5%"),
        (12_345, "canary-12.345%"),
        (99_990, "canary-99.99%"),
    ] {
        assert_eq!(FlagState::Canary(Share::new(share).unwrap()).to_string(), word);
    }
}

#[test]
fn only_the_four_words_are_states() {
    let wrong = [
        "",
        "canary",
        "canary-%",
        "canary-0%",
        "canary-10",
        "canary-+1%",
        "canary-1.%",
        "canary-.5%",
        "canary-0.0001%",
        "canary-1e1%",
        "canary-1000%",
        "canary-101%",
        "Unrolled",
        "prod-50%",
        "prod-100% ",
    ];
    for text in wrong {
        assert_eq!(text.parse::<FlagState>(), Err(NoSuchState(text.into())));
    }
    assert_eq!(
        "canary-10.50%".parse(),
        Ok(FlagState::Canary(Share::new(10_500).unwrap()))
    );
}

#[test]
fn a_flag_that_stands_still_is_a_question_and_one_at_an_end_is_not() {
    let canary = FlagState::Canary(Share::new(10_000).unwrap());
    let staging = FlagState::StagingOnly;
    let threshold = Stuck::DEFAULT_THRESHOLD_US;
    let cases = [
        (
            canary,
            18 * DAY_US,
            threshold,
            Some("canary-10% for 18 days: advance or roll back?"),
        ),
        (
            canary,
            threshold,
            threshold,
            Some("canary-10% for 14 days: advance or roll back?"),
        ),
        (canary, threshold - 1, threshold, None),
        (canary, -DAY_US, threshold, None),
        (
            canary,
            DAY_US + 1,
            DAY_US,
            Some("canary-10% for 1 day: advance or roll back?"),
        ),
        (
            canary,
            5,
            5,
            Some("canary-10% for less than a day: advance or roll back?"),
        ),
        (
            staging,
            18 * DAY_US,
            threshold,
            Some("staging-only for 18 days: start in production or archive?"),
        ),
        (FlagState::Unrolled, Micros::MAX, threshold, None),
        (FlagState::Prod100, Micros::MAX, threshold, None),
    ];
    for (state, unchanged, threshold, question) in cases {
        let stuck = Stuck::of(state, unchanged, threshold).map(Stuck::question);
        assert_eq!(stuck.as_deref(), question, "{state} {unchanged}");
    }
}

proptest! {
    #[test]
    fn every_word_reads_back(share in 1..100_000_u32) {
        for state in [
            FlagState::Unrolled,
            FlagState::StagingOnly,
            FlagState::Prod100,
            FlagState::Canary(Share::new(share).unwrap()),
        ] {
            prop_assert_eq!(state.to_string().parse(), Ok(state));
        }
    }

    #[test]
    fn more_in_production_never_reads_as_less(low in 0..=100_000_u32, high in 0..=100_000_u32, staging in any::<bool>()) {
        let (low, high) = (low.min(high), low.max(high));
        let state = |share| FlagState::of(&[
            Environment { kind: Kind::Staging, reached: None, of_some: false, serves_everybody: staging },
            Environment { kind: Kind::Production, reached: Share::new(share), of_some: false, serves_everybody: false },
        ]);
        prop_assert!(state(low).deployed() <= state(high).deployed());
        prop_assert_eq!(state(high).deployed().get(), high);
    }
}

#[test]
fn a_hundred_percent_of_an_audience_is_not_everybody() {
    let production = |of_some| Environment {
        kind: Kind::Production,
        reached: Some(Share::ALL),
        of_some,
        serves_everybody: false,
    };
    let staff = FlagState::of(&[production(true)]);
    assert_eq!(staff, FlagState::Canary(Share::ALL));
    assert_eq!(staff.to_string(), "canary-100%");
    assert_eq!("canary-100%".parse(), Ok(staff));
    assert_eq!(FlagState::of(&[production(false)]), FlagState::Prod100);
}
