//! The reference values of the evidence: every vector that these tests of harm are specified with.
//!
//! The file was made by other hands in another language. Values are met to 1e-9, relative or absolute, whichever is
//! larger: the two differ in the order of their sums and in the last bits of `exp` and `ln`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod balance;
mod robust;

use rollout::evidence::budget::{self, Ladder};
use rollout::evidence::grid::grid;
use rollout::evidence::request::{BatchCounts, Onset, log_lr};
use rollout::evidence::unit::{self, Positions, Stratum, newly_bad};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    log_lr: Vec<LogLr>,
    trajectory: Trajectory,
    unit: UnitVectors,
    robust: robust::Robust,
    balance: balance::Balance,
    budget: Budget,
}

#[derive(Deserialize)]
struct LogLr {
    n_t: u64,
    k_t: u64,
    n_c: u64,
    k_c: u64,
    w0: f64,
    r: f64,
    log_lr: f64,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct Trajectory {
    batches: Vec<[u64; 4]>,
    w0: f64,
    H: u64,
    log_e: Vec<f64>,
}

#[derive(Deserialize)]
struct UnitVectors {
    grid: Vec<f64>,
    factors: Vec<Factors>,
    counts: Vec<Counts>,
    trajectory: UnitTrajectory,
}

#[derive(Deserialize)]
struct Factors {
    pi: f64,
    rho: f64,
    j: usize,
    ln_treatment: f64,
    ln_control: f64,
}

#[derive(Deserialize)]
struct Counts {
    pi: Vec<f64>,
    rho: f64,
    counts: Vec<[u64; 2]>,
    log_e: f64,
}

#[derive(Deserialize)]
struct UnitTrajectory {
    pi: Vec<f64>,
    rho: f64,
    batches: Vec<UnitBatch>,
}

#[derive(Deserialize)]
struct UnitBatch {
    news: Vec<News>,
    counts: Vec<[u64; 2]>,
    log_e: f64,
}

#[derive(Deserialize)]
struct News {
    stratum: usize,
    treatment: Vec<u32>,
    control: Vec<u32>,
}

#[derive(Deserialize)]
struct Budget {
    weights: Vec<Weights>,
    evidence: Vec<Evidence>,
}

#[derive(Deserialize)]
struct Weights {
    n: usize,
    w: Vec<f64>,
}

#[derive(Deserialize)]
struct Evidence {
    v: Vec<f64>,
    n: usize,
    log_e: Vec<Vec<Number>>,
    log_evidence: Number,
    guard: Option<usize>,
    horizon: Option<usize>,
    level: String,
}

/// A float, or the text "-inf".
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Text(String),
}

impl Number {
    fn value(&self) -> f64 {
        match self {
            Number::Finite(value) => *value,
            Number::Text(text) => text.parse().unwrap(),
        }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../data/harm-eprocess-vectors.json")).unwrap()
}

#[track_caller]
fn assert_close(actual: f64, expected: f64, what: &str) {
    let tolerance = 1e-9 * expected.abs().max(1.0);
    assert!(
        (actual - expected).abs() <= tolerance,
        "{what}: {actual}, expected {expected}"
    );
}

fn strata(pi: &[f64], counts: &[[u64; 2]]) -> Vec<Stratum> {
    let stratum = |(&share, &[bad_treatment, bad_control]): (&f64, &[u64; 2])| Stratum {
        share,
        bad_treatment,
        bad_control,
    };
    pi.iter().zip(counts).map(stratum).collect()
}

#[test]
fn the_grid_is_the_specified_one() {
    for (actual, expected) in grid().iter().zip(vectors().unit.grid) {
        assert_close(*actual, expected, "ratio");
    }
}

#[test]
fn likelihood_ratios_of_requests_are_exact() {
    for vector in vectors().log_lr {
        let LogLr {
            n_t,
            k_t,
            n_c,
            k_c,
            w0,
            r,
            log_lr: expected,
        } = vector;
        assert_close(
            log_lr(n_t, k_t, n_c, k_c, w0, r),
            expected,
            &format!("{k_t}/{n_t} against {k_c}/{n_c}"),
        );
    }
}

#[test]
fn evidence_of_requests_follows_its_batches() {
    let Trajectory {
        batches,
        w0,
        H: planned,
        log_e,
    } = vectors().trajectory;
    let mut onset = Onset::new();
    assert_eq!(onset.log_e(planned), 0.0);
    for (batch, expected) in batches.into_iter().zip(log_e) {
        let [n_t, k_t, n_c, k_c] = batch;
        onset.update(planned, &[BatchCounts { n_t, k_t, n_c, k_c }], w0);
        assert_close(onset.log_e(planned), expected, "log e");
    }
}

#[test]
fn factors_of_units_are_the_specified_ones() {
    for Factors {
        pi,
        rho,
        j,
        ln_treatment,
        ln_control,
    } in vectors().unit.factors
    {
        let factors = unit::log_factors(pi, rho, grid()[j]);
        assert_close(factors.treatment, ln_treatment, "treatment");
        assert_close(factors.control, ln_control, "control");
    }
}

#[test]
fn evidence_of_units_follows_from_their_counts() {
    for Counts { pi, rho, counts, log_e } in vectors().unit.counts {
        assert_close(
            unit::log_e(rho, &strata(&pi, &counts)),
            log_e,
            &format!("{counts:?} at {pi:?}"),
        );
    }
}

#[test]
fn evidence_of_units_counts_each_position_once() {
    let UnitTrajectory { pi, rho, batches } = vectors().unit.trajectory;
    let mut seen = vec![Positions::new(); pi.len()];
    let mut counts = vec![[0, 0]; pi.len()];
    for batch in batches {
        for News {
            stratum,
            treatment,
            control,
        } in batch.news
        {
            let is_compared = pi[stratum] > 0.0 && pi[stratum] < 1.0;
            let (bad_treatment, bad_control) = newly_bad(&mut seen[stratum], &treatment, &control);
            if is_compared {
                counts[stratum][0] += bad_treatment;
                counts[stratum][1] += bad_control;
            }
        }
        assert_eq!(counts, batch.counts);
        assert_close(unit::log_e(rho, &strata(&pi, &counts)), batch.log_e, "log e");
    }
}

#[test]
fn the_budget_weighs_horizons_as_specified() {
    for Weights { n, w } in vectors().budget.weights {
        for (position, expected) in w.into_iter().enumerate() {
            assert_close(
                budget::horizon_weight(n, position + 1),
                expected,
                &format!("horizon {} of {n}", position + 1),
            );
        }
    }
}

#[test]
fn the_evidence_number_names_its_culprit() {
    for vector in vectors().budget.evidence {
        let log_e: Vec<Vec<f64>> = vector
            .log_e
            .iter()
            .map(|guard| guard.iter().map(Number::value).collect())
            .collect();
        let number = budget::evidence_number(&vector.v, vector.n, &log_e);
        assert_eq!(number.map(|number| number.guard), vector.guard);
        assert_eq!(number.map(|number| number.horizon), vector.horizon);
        let log_evidence = number.map_or(f64::NEG_INFINITY, |number| number.log_evidence);
        match number {
            Some(number) => assert_close(number.log_evidence, vector.log_evidence.value(), "log evidence"),
            None => assert_eq!(f64::NEG_INFINITY, vector.log_evidence.value()),
        }
        assert_eq!(budget::level(log_evidence, 0.01).name(), vector.level);
    }
    assert_eq!(budget::level(100_f64.ln() + 1e-12, 0.01), Ladder::Abort);
}
