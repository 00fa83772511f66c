//! Samples and their quantiles.

use std::time::Duration;

/// Durations of one case.
#[derive(Debug, Default)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// The quantile at a fraction; zero of an empty sample.
    pub(crate) fn quantile(&self, fraction: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * fraction).round() as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The median in milliseconds, as text.
    pub(crate) fn median_ms(&self) -> String {
        ms(self.quantile(0.5))
    }

    /// The 99th percentile in milliseconds, as text.
    pub(crate) fn p99_ms(&self) -> String {
        ms(self.quantile(0.99))
    }
}

/// How many times as long one took as the other, at a quantile.
pub(crate) fn ratio(ours: &Sample, bare: &Sample, fraction: f64) -> f64 {
    ours.quantile(fraction).as_secs_f64() / bare.quantile(fraction).as_secs_f64()
}

/// Milliseconds with two decimals.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1_000.0)
}

/// The median of numbers; zero of none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
