//! Buckets and positions behave as if drawn by chance: even, independent between salts, independent of each other.
//!
//! The units are fixed, so a result never changes from run to run; each limit is the 99.9 % quantile of chi-square.

use evaluation::{BUCKETS, Flag, Position, bucket};

use crate::builders::{compiled, nothing, rule, split, string, text, unit};

/// How many units are drawn.
const UNITS: u32 = 100_000;

/// How many of them are served by flags.
const SERVED: usize = 20_000;

/// How many rules and flags are compared with one.
const OTHERS: usize = 25;

/// 99.9 % quantile of chi-square with 2 degrees of freedom, and of the mean of 25 with 4.
const LIMIT_2: f64 = 13.82;
const LIMIT_MEAN_4: f64 = 5.97;

/// 99.9 % quantiles of chi-square with 99, 81 and 63 degrees of freedom.
const LIMIT_99: f64 = 148.23;
const LIMIT_81: f64 = 126.08;
const LIMIT_63: f64 = 103.44;

/// Names as services have them: a common beginning and a number.
fn units() -> impl Iterator<Item = String> {
    (0..UNITS).map(|number| format!("user-{number}"))
}

fn tenth(salt: &str, unit: &str) -> usize {
    (bucket(salt, unit) / (BUCKETS / 10)) as usize
}

/// Chi-square of counts against equal expectation.
fn evenness(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum()
}

/// Chi-square of a table against the product of its margins.
fn dependence<const ROWS: usize, const COLUMNS: usize>(table: [[u32; COLUMNS]; ROWS]) -> f64 {
    let sum = |counts: &mut dyn Iterator<Item = u32>| f64::from(counts.sum::<u32>());
    let total = sum(&mut table.iter().flatten().copied());
    let columns: [f64; COLUMNS] = std::array::from_fn(|column| sum(&mut table.iter().map(|row| row[column])));
    let cells = table.iter().flat_map(|row| {
        let row_sum = sum(&mut row.iter().copied());
        row.iter()
            .zip(columns)
            .map(move |(count, column)| (*count, row_sum * column / total))
    });
    cells
        .map(|(count, expected)| (f64::from(count) - expected).powi(2) / expected)
        .sum()
}

#[test]
fn buckets_are_even() {
    for salt in ["s", "k7q2m5xa3hd9wzt", "k7q2m5xa3hd9wzt/pros"] {
        let mut counts = [0; 100];
        units().for_each(|unit| counts[(bucket(salt, &unit) / 1_000) as usize] += 1);
        let found = evenness(&counts);
        assert!(found < LIMIT_99, "salt {salt}: {found}");
    }
}

#[test]
fn two_salts_draw_independently() {
    for (one, other) in [
        ("a", "b"),
        ("k7q2m5xa3hd9wzt", "k7q2m5xa3hd9wzu"),
        ("k7q2m5xa3hd9wzt", "k7q2m5xa3hd9wzt/pros"),
    ] {
        let mut table = [[0; 10]; 10];
        units().for_each(|unit| table[tenth(one, &unit)][tenth(other, &unit)] += 1);
        let found = dependence(table);
        assert!(found < LIMIT_81, "salts {one} and {other}: {found}");
    }
}

#[test]
fn unit_buckets_are_even_and_independent_of_the_arm() {
    let mut table = [[0; 64]; 2];
    for unit in units() {
        let arm = usize::from(bucket("k7q2m5xa3hd9wzt", &unit) < 25_000);
        table[arm][usize::from(Position::of(0x5eed, &unit).unit_bucket())] += 1;
    }
    let counts: [u32; 64] = std::array::from_fn(|group| table[0][group] + table[1][group]);
    let (even, dependent) = (evenness(&counts), dependence(table));
    assert!(even < LIMIT_63, "{even}");
    assert!(dependent < LIMIT_63, "{dependent}");
}

#[test]
fn one_unit_in_64_is_sampled() {
    let sampled = units().filter(|unit| Position::of(0x5eed, unit).sampled()).count();
    assert!((1_400..1_730).contains(&sampled), "{sampled}");
}

/// Which of the variants a, b and c a compiled flag serves to each unit: 20, 30 and 50 percent.
fn served(salt: &str, by_rule: Option<&str>) -> Vec<usize> {
    let serve = split(&[("a", 20_000), ("b", 30_000), ("c", 50_000)]);
    let flag = Flag {
        salt: salt.to_owned(),
        ..string("flag", &["a", "b", "c"])
    };
    let flag = compiled(&match by_rule {
        Some(name) => Flag {
            rules: vec![rule(name, "plan", &["pro"], serve)],
            ..flag
        },
        None => Flag { default: serve, ..flag },
    });
    let place = |name: String| {
        let context = unit(name).with("plan", text("pro"));
        let served = flag.evaluate(nothing(), &context).variant.unwrap_or_default();
        ["a", "b", "c"].iter().position(|variant| *variant == served).unwrap()
    };
    units().take(SERVED).map(place).collect()
}

#[test]
fn a_flag_serves_its_shares() {
    for (salt, by_rule) in [
        ("k7q2m5xa3hd9wzt", None),
        ("k7q2m5xa3hd9wzt", Some("pros")),
        ("w3mz8q1ty5ab0cd", None),
    ] {
        let mut counts = [0_u32; 3];
        served(salt, by_rule).iter().for_each(|place| counts[*place] += 1);
        let expected = [0.2, 0.3, 0.5].map(|share| share * SERVED as f64);
        let found: f64 = counts
            .iter()
            .zip(expected)
            .map(|(count, expected)| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        assert!(found < LIMIT_2, "{salt}: {found}");
    }
}

#[test]
fn what_one_flag_serves_says_nothing_about_others_or_about_its_own_rules() {
    let first = served("k7q2m5xa3hd9wzt", None);
    let mean = |other: &dyn Fn(usize) -> Vec<usize>| {
        let found = (0..OTHERS).map(|number| {
            let mut table = [[0; 3]; 3];
            first
                .iter()
                .zip(other(number))
                .for_each(|(one, other)| table[*one][other] += 1);
            dependence(table)
        });
        found.sum::<f64>() / OTHERS as f64
    };
    let rules = mean(&|number| served("k7q2m5xa3hd9wzt", Some(&format!("rule-{number}"))));
    let flags = mean(&|number| served(&format!("k7q2m5xa3hd9w{number:02}"), None));
    assert!(rules < LIMIT_MEAN_4, "rules: {rules}");
    assert!(flags < LIMIT_MEAN_4, "flags: {flags}");
}
