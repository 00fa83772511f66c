//! Buckets and positions behave as if drawn by chance: even, independent between salts, independent of each other.
//!
//! The units are fixed, so a result never changes from run to run; each limit is the 99.9 % quantile of chi-square.

use evaluation::{BUCKETS, Position, bucket};

/// How many units are drawn.
const UNITS: u32 = 100_000;

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
