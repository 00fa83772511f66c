//! How the requests of one arm turn out: how many fail and with which class, how long they take, what they are worth.
//!
//! What happens to a request is drawn from its number alone, so that a run can be repeated.

use proto::v1;

/// How the requests of one arm turn out.
#[derive(Debug, Clone, Default)]
pub struct Habit {
    /// The share that fails, 0 to 1.
    pub failing: f64,
    /// The class of failures; empty: none is told.
    pub class: String,
    /// How long a request takes; none: nobody says.
    pub takes_ms: Option<u64>,
    /// The share that takes `slow_ms`.
    pub slow: f64,
    /// How long a slow one takes.
    pub slow_ms: u64,
    /// Values: key, the share of requests that has it, and the number.
    pub values: Vec<(String, f64, f64)>,
    /// The share whose outcome is never told: the service dies of it.
    pub silent: f64,
}

impl Habit {
    /// So many fail.
    pub fn failing(failing: f64) -> Self {
        Self {
            failing,
            ..Self::default()
        }
    }

    /// Each request has this value.
    pub fn worth(key: &str, number: f64) -> Self {
        Self::sometimes(key, 1.0, number)
    }

    /// A share of the requests has this value.
    pub fn sometimes(key: &str, share: f64, number: f64) -> Self {
        Self {
            values: vec![(key.to_owned(), share, number)],
            ..Self::default()
        }
    }

    /// A share of the requests has 1 as a value, the others 0: what a judge says of each.
    pub fn judged(key: &str, share: f64) -> Self {
        let mut habit = Self::sometimes(key, share, 1.0);
        habit.values.push((key.to_owned(), share - 1.0, 0.0));
        habit
    }

    /// Requests take so long, a share of them longer.
    pub fn timed(takes_ms: u64, slow: f64, slow_ms: u64) -> Self {
        Self {
            takes_ms: Some(takes_ms),
            slow,
            slow_ms,
            ..Self::default()
        }
    }

    /// A share of the outcomes is never told.
    pub fn silent(silent: f64) -> Self {
        Self {
            silent,
            ..Self::default()
        }
    }

    /// What came of a request; none: nobody tells.
    pub(crate) fn outcome(&self, number: u64, exposure: v1::ExposureName) -> Option<v1::Observation> {
        if chance(number, 1) < self.silent {
            return None;
        }
        let fails = chance(number, 0) < self.failing;
        let duration_ms = self.takes_ms.map(|takes_ms| {
            if chance(number, 2) < self.slow {
                self.slow_ms
            } else {
                takes_ms
            }
        });
        let drawn = chance(number, 3);
        // A negative share is of those that the one before it left over.
        let has = |share: f64| {
            if share < 0.0 {
                drawn >= 1.0 + share
            } else {
                drawn < share
            }
        };
        let values = self.values.iter().filter(|(_, share, _)| has(*share));
        Some(v1::Observation {
            exposures: vec![exposure],
            outcome: if fails {
                v1::OutcomeKind::Error
            } else {
                v1::OutcomeKind::Ok
            }
            .into(),
            duration_us: duration_ms.map(|duration_ms| duration_ms as i64 * 1_000),
            values: values
                .map(|(metric, _, value)| v1::MetricValue {
                    metric: metric.clone(),
                    value: *value,
                })
                .collect(),
            error_class: if fails { self.class.clone() } else { String::new() },
            sampled: false,
        })
    }
}

/// A number in 0..1 that looks drawn, another for each question: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn chance(number: u64, question: u64) -> f64 {
    let mut mixed = (number + (question << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    // 53 bits are exact in a double.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}
