//! The grid of ratios: how much worse treatment might be.
//!
//! Nobody knows the size of a harm beforehand, so each test weighs sixteen of them alike and takes the mean. The price
//! is ln 16 at most, and about 1 in practice; in return a doubling and a tenfold are both found early.

use std::sync::LazyLock;

/// How many ratios the grid holds.
pub const SIZE: usize = 16;

const LOWEST: f64 = 1.25;
const HIGHEST: f64 = 12.0;

static GRID: LazyLock<[f64; SIZE]> = LazyLock::new(|| {
    let (from, to) = (libm::log(LOWEST), libm::log(HIGHEST));
    let mut ratios = [0.0; SIZE];
    let mut position = 0.0;
    for ratio in &mut ratios {
        *ratio = libm::exp(from + position * (to - from) / 15.0);
        position += 1.0;
    }
    ratios
});

/// The ratios, ascending: exp(ln 1.25 + j (ln 12 - ln 1.25) / 15) for j = 0..15 (guard.md 4: R).
pub fn grid() -> [f64; SIZE] {
    *GRID
}
