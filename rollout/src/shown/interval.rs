//! Intervals of 95 %, for reading: of a rate less so many times another, and of an estimate with its variance.
//!
//! A rate has Wilson's interval, which stays within 0 and 1 and is right for few and for rare ones; a difference is put
//! together from the two by the square-and-add rule, which needs no normal approximation of the difference. Outcomes of
//! one unit are alike, so they count for as many as their spread between unit buckets says, and never for more than there
//! are. Sources: Wilson (1927); Newcombe (1998), method 10, and Zou and Donner (2008) for weighted sums; Korn and
//! Graubard (1998) for the effective number; Abramowitz and Stegun 26.7.5 for the quantile of t.

use crate::evidence::arm::Arm;

/// The normal quantile of 97.5 %.
const NORMAL: f64 = 1.959_963_984_540_054;

/// From a number to another, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Wilson's interval of a rate of so many; all of 0 to 1 if there are none.
fn wilson(rate: f64, count: f64) -> Interval {
    if count <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let square = NORMAL * NORMAL;
    let middle = rate + square / (2.0 * count);
    let reach = NORMAL * libm::sqrt(rate * (1.0 - rate) / count + square / (4.0 * count * count));
    let whole = 1.0 + square / count;
    Interval {
        low: ((middle - reach) / whole).max(0.0),
        high: ((middle + reach) / whole).min(1.0),
    }
}

/// How many independent outcomes tell as much as those of an arm: as many as would spread like its unit buckets.
fn effective(arm: &Arm) -> f64 {
    let rate = arm.rate();
    let chance = rate * (1.0 - rate);
    if arm.variance > 0.0 && chance > 0.0 {
        (chance / arm.variance).min(arm.den)
    } else {
        arm.den
    }
}

/// Treatment less `ratio` times control over strata, each by treatment's share, and the interval of it; none without a
/// stratum. Every arm must have outcomes.
pub(super) fn of_rates(strata: &[(Arm, Arm)], ratio: f64) -> Option<(f64, Interval)> {
    let treated: f64 = strata.iter().map(|(treatment, _)| treatment.den).sum();
    if strata.is_empty() || treated <= 0.0 {
        return None;
    }
    let (mut distance, mut below, mut above) = (0.0, 0.0, 0.0);
    for (treatment, control) in strata {
        let share = treatment.den / treated;
        let bounds = [treatment, control].map(|arm| wilson(arm.rate(), effective(arm)));
        distance += share * (treatment.rate() - ratio * control.rate());
        let down = [
            treatment.rate() - bounds[0].low,
            ratio * (bounds[1].high - control.rate()),
        ];
        let up = [
            bounds[0].high - treatment.rate(),
            ratio * (control.rate() - bounds[1].low),
        ];
        let squares = |ends: [f64; 2]| ends.iter().map(|end| share * share * end * end).sum::<f64>();
        below += squares(down);
        above += squares(up);
    }
    let interval = Interval {
        low: distance - libm::sqrt(below),
        high: distance + libm::sqrt(above),
    };
    Some((distance, interval))
}

/// The interval of an estimate with a variance of so many degrees of freedom.
pub(super) fn of_mean(estimate: f64, variance: f64, freedom: f64) -> Interval {
    let reach = quantile(freedom) * libm::sqrt(variance.max(0.0));
    Interval {
        low: estimate - reach,
        high: estimate + reach,
    }
}

/// The quantile of 97.5 % of t: off by a thousandth from 4 degrees on, by a tenth at a single one. The normal one where
/// there are no degrees to speak of.
fn quantile(freedom: f64) -> f64 {
    if !freedom.is_finite() || freedom < 1.0 {
        return if freedom < 1.0 { quantile(1.0) } else { NORMAL };
    }
    let z = NORMAL;
    let z2 = z * z;
    let terms = [
        z * (z2 + 1.0) / 4.0,
        z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0,
        z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0,
        z * ((((79.0 * z2 + 776.0) * z2 + 1_482.0) * z2 - 1_920.0) * z2 - 945.0) / 92_160.0,
    ];
    let mut power = 1.0;
    terms.iter().fold(z, |sum, term| {
        power /= freedom;
        sum + term * power
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::evidence::{arm::Buckets, limit::Kind};

    /// An arm whose units do not differ: so many bad ones of so many outcomes, which cannot be told apart by bucket.
    fn arm(bad: f64, all: f64) -> Arm {
        Arm {
            num: bad,
            den: all,
            variance: 0.0,
            effective: 64.0,
        }
    }

    fn close(actual: f64, expected: f64, within: f64) {
        assert!((actual - expected).abs() < within, "{actual}, expected {expected}");
    }

    #[test]
    fn wilsons_intervals_are_those_of_the_paper() {
        // Newcombe (1998), "Two-sided confidence intervals for the single proportion", method 3.
        for (bad, all, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            let interval = wilson(bad / all, all);
            close(interval.low, low, 1e-4);
            close(interval.high, high, 1e-4);
        }
        assert_eq!(wilson(0.0, 0.0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_intervals_of_a_difference_are_those_of_the_paper() {
        // Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.
        for ((bad, all), (other_bad, other), low, high) in [
            ((56.0, 70.0), (48.0, 80.0), 0.0524, 0.3339),
            ((9.0, 10.0), (3.0, 10.0), 0.1705, 0.8090),
            ((5.0, 56.0), (0.0, 29.0), -0.0381, 0.1926),
            ((0.0, 10.0), (0.0, 10.0), -0.2775, 0.2775),
        ] {
            let (distance, interval) = of_rates(&[(arm(bad, all), arm(other_bad, other))], 1.0).unwrap();
            close(distance, bad / all - other_bad / other, 1e-12);
            close(interval.low, low, 1e-4);
            close(interval.high, high, 1e-4);
        }
        assert_eq!(of_rates(&[], 1.0), None);
    }

    #[test]
    fn outcomes_of_few_units_tell_less() {
        let (mut alike, mut apart) = (Buckets::new(), Buckets::new());
        for bucket in 0..64 {
            alike.add(bucket, 2, 100);
            apart.add(bucket, if bucket % 32 == 0 { 64 } else { 0 }, 100);
        }
        let width = |buckets: &Buckets| {
            let arm = Arm::of(buckets, Kind::Rate);
            let (_, interval) = of_rates(&[(arm, self::arm(128.0, 6_400.0))], 1.0).unwrap();
            interval.high - interval.low
        };
        assert!(
            width(&apart) > 2.0 * width(&alike),
            "{} {}",
            width(&apart),
            width(&alike)
        );
    }

    #[test]
    fn few_degrees_of_freedom_widen_an_interval() {
        for (freedom, expected, within) in [
            (1.0, 12.706, 1.5),
            (4.0, 2.7764, 1e-3),
            (10.0, 2.2281, 1e-4),
            (30.0, 2.0423, 1e-4),
            (f64::INFINITY, NORMAL, 1e-12),
        ] {
            close(quantile(freedom), expected, within);
        }
        assert!(quantile(0.1) >= quantile(1.0));
        let interval = of_mean(3.0, 4.0, f64::INFINITY);
        close(interval.low, 3.0 - 2.0 * NORMAL, 1e-12);
    }
}
