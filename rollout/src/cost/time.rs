//! From treated requests to time, and back: what a stage's traffic gives.
//!
//! A stage treats `requests a day * audience * share` requests a day, on average over the day: nights and weekends are
//! the caller's to think of. A unit split is taken to spread requests as it spreads units.

use crate::Micros;
use crate::plan::DAY_US;

/// What reaches a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Requests a day that evaluate the flag.
    pub requests_per_day: f64,
    /// The part of them that the stage's audience makes, 0..=1.
    pub audience: f64,
    /// Treatment's share of that audience, 0..=1.
    pub share: f64,
}

impl Traffic {
    /// Treated requests a day; 0 for numbers that are none.
    pub fn treated_per_day(&self) -> f64 {
        let treated = self.requests_per_day * self.audience * self.share;
        if treated.is_finite() { treated.max(0.0) } else { 0.0 }
    }

    /// Treated requests within a time.
    pub fn treated_within(&self, time_us: Micros) -> f64 {
        self.treated_per_day() * (time_us.max(0) as f64 / DAY_US as f64)
    }

    /// How long it takes until so many requests were treated, rounded up.
    ///
    /// `None` means never: there is no traffic, or it takes longer than a time can say.
    pub fn time_for(&self, treated: f64) -> Option<Micros> {
        let per_day = self.treated_per_day();
        if per_day == 0.0 || treated.is_nan() {
            return None;
        }
        let time_us = libm::ceil(treated.max(0.0) / per_day * DAY_US as f64);
        // Micros::MAX as a float is the power of two above it, so what is below it fits.
        (time_us < Micros::MAX as f64).then_some(time_us as Micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CANARY: Traffic = Traffic {
        requests_per_day: 100_000.0,
        audience: 0.5,
        share: 0.05,
    };

    #[test]
    fn a_stage_takes_as_long_as_its_part_of_the_traffic_needs() {
        assert_eq!(CANARY.treated_per_day(), 2_500.0);
        assert_eq!(CANARY.time_for(2_500.0), Some(DAY_US));
        assert_eq!(CANARY.time_for(0.0), Some(0));
        assert_eq!(CANARY.time_for(1.0), Some(DAY_US / 2_500));
        assert_eq!(CANARY.treated_within(DAY_US / 2), 1_250.0);
        assert_eq!(CANARY.treated_within(-1), 0.0);
    }

    #[test]
    fn without_traffic_it_takes_forever() {
        for traffic in [
            Traffic {
                requests_per_day: 0.0,
                ..CANARY
            },
            Traffic {
                audience: 0.0,
                ..CANARY
            },
            Traffic { share: 0.0, ..CANARY },
            Traffic {
                share: f64::NAN,
                ..CANARY
            },
            Traffic {
                requests_per_day: -1.0,
                ..CANARY
            },
        ] {
            assert_eq!(traffic.time_for(1_000.0), None, "{traffic:?}");
            assert_eq!(traffic.treated_within(DAY_US), 0.0, "{traffic:?}");
        }
        assert_eq!(CANARY.time_for(f64::INFINITY), None);
        assert_eq!(CANARY.time_for(f64::NAN), None);
        assert_eq!(CANARY.time_for(1e300), None);
    }

    proptest! {
        #[test]
        fn more_traffic_or_a_larger_share_takes_no_longer(requests_per_day in 1.0..1e9f64, share in 0.001..0.5f64, treated in 1.0..1e6f64) {
            let traffic = Traffic { requests_per_day, audience: 1.0, share };
            let time = traffic.time_for(treated).unwrap();
            let busier = Traffic { requests_per_day: requests_per_day * 1.5, ..traffic };
            let wider = Traffic { share: share * 1.5, ..traffic };
            prop_assert!(busier.time_for(treated).unwrap() <= time);
            prop_assert!(wider.time_for(treated).unwrap() <= time);
            prop_assert!(traffic.treated_within(time) >= treated * (1.0 - 1e-9));
        }
    }
}
