//! Reference values of 4d: are the arms as large as they should be?

use rollout::evidence::balance::{Sampled, grid, log_e};
use serde::Deserialize;

use crate::{assert_close, vectors};

#[derive(Deserialize)]
pub(crate) struct Balance {
    grid: Vec<f64>,
    counts: Vec<Counts>,
}

#[derive(Deserialize)]
struct Counts {
    pi: Vec<f64>,
    counts: Vec<[u64; 2]>,
    log_e: f64,
}

#[test]
fn the_grid_of_balance_lies_on_both_sides_of_one() {
    for (actual, expected) in grid().iter().zip(vectors().balance.grid) {
        assert_close(*actual, expected, "ratio");
    }
}

#[test]
fn evidence_of_imbalance_follows_from_its_counts() {
    for Counts {
        pi,
        counts,
        log_e: expected,
    } in vectors().balance.counts
    {
        let sampled: Vec<Sampled> = pi
            .iter()
            .zip(&counts)
            .map(|(&share, &[treatment, control])| Sampled {
                share,
                treatment,
                control,
            })
            .collect();
        assert_close(log_e(&sampled), expected, &format!("{counts:?} at {pi:?}"));
    }
}
