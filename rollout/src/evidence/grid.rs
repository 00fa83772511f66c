//! The grid of ratios: how much worse treatment might be.
//!
//! Nobody knows the size of a harm beforehand, so each test weighs sixteen of them alike and takes the mean. The price
//! is ln 16 at most, and about 1 in practice; in return a doubling and a tenfold are both found early.

use std::sync::LazyLock;

/// How many ratios the grid holds.
pub const SIZE: usize = 16;

const LOWEST: f64 = 1.25;
const HIGHEST: f64 = 12.0;

static GRID: LazyLock<[f64; SIZE]> = LazyLock::new(|| log_spaced(LOWEST, HIGHEST));

/// The ratios, ascending: exp(ln 1.25 + j (ln 12 - ln 1.25) / 15) for j = 0..15 (guard.md 4: R).
pub fn grid() -> [f64; SIZE] {
    *GRID
}

/// Sixteen ratios from `lowest` to `highest`, evenly spaced in their logarithms.
pub(super) fn log_spaced(lowest: f64, highest: f64) -> [f64; SIZE] {
    let (from, to) = (libm::log(lowest), libm::log(highest));
    let mut ratios = [0.0; SIZE];
    let mut position = 0.0;
    for ratio in &mut ratios {
        *ratio = libm::exp(from + position * (to - from) / 15.0);
        position += 1.0;
    }
    ratios
}
