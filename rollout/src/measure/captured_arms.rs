//! What a captured baseline is to those that come after it: not a number but an arm, with the unit buckets that tell how
//! sure its number is (guard.md 7).
//!
//! Where sums are kept by the hour, the buckets of each hour of the week are kept too, of the first few countings. Kept
//! are the countings of rates and means; a quantile is counted by a limit that only the next plan writes. The one
//! rule: an arm is found by its very counting, so that a rate is never compared with one that was counted otherwise.

use std::collections::BTreeMap;

use super::{Counted, Counting, FEWEST_CAPTURED, Sums, Whose, captured::of_whom, readings::whole};
use crate::{
    Plan,
    catalogue::Kind,
    evidence::{
        arm::{Arm, Buckets},
        limit,
    },
};

/// Countings that are kept by the hour: 168 hours of them are half a megabyte.
pub const MOST_BY_HOUR: usize = 8;

/// The arms of a captured visit, one for each counting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapturedArms {
    /// About how many units there were.
    pub units: u64,
    /// In the order of the rollout's countings.
    pub arms: Vec<CapturedArm>,
}

/// One counting, as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedArm {
    /// What was counted, and for which metric.
    pub counted: Counted,
    /// What came of it, the strata added.
    pub buckets: Buckets,
    /// The same by hour of the week, of the hours that had data.
    pub hours: BTreeMap<u8, Buckets>,
}

impl CapturedArms {
    /// What came of a counting.
    pub fn of(&self, counting: &Counting) -> Option<&Buckets> {
        let arm = self.arms.iter().find(|arm| arm.counted.counting == *counting)?;
        Some(&arm.buckets)
    }

    /// What came of a counting in each hour of the week; none where nothing is kept by the hour.
    pub fn by_hour(&self, counting: &Counting) -> Option<&BTreeMap<u8, Buckets>> {
        let arm = self.arms.iter().find(|arm| arm.counted.counting == *counting)?;
        Some(&arm.hours).filter(|hours| !hours.is_empty())
    }

    /// How many buckets of a metric really speak (m of guard.md 4c); none: they are not kept.
    pub fn effective(&self, metric: &str) -> Option<f64> {
        let arm = self.arms.iter().find(|arm| arm.counted.metric == metric)?;
        Some(Arm::of(&arm.buckets, limit::Kind::Rate).effective)
    }

    /// Of how many hours of the week a metric has data of its own.
    pub fn hours(&self, metric: &str) -> u32 {
        let arm = self.arms.iter().find(|arm| arm.counted.metric == metric);
        arm.map_or(0, |arm| u32::try_from(arm.hours.len()).unwrap_or(u32::MAX))
    }

    /// Whether nothing is known but numbers.
    pub fn is_empty(&self) -> bool {
        self.arms.is_empty()
    }
}

/// The arms of a visit: of every rate and mean that enough outcomes have.
/// `hours`: the sums by hour of the week, as far as they are kept.
pub fn captured_arms(
    plan: &Plan,
    counted: &[Counted],
    (sums, hours): (&Sums, &[(u8, &Sums)]),
    whose: Whose,
    units: u64,
) -> CapturedArms {
    let mut by_hour = 0;
    let arms = (0..).zip(counted).filter_map(|(number, counted)| {
        if !is_arm(plan, counted) {
            return None;
        }
        let buckets = of_whom(&sums.total(number), whose);
        (whole(&buckets).1 >= FEWEST_CAPTURED).then(|| {
            by_hour += 1;
            let hours = hours.iter().filter(|_| by_hour <= MOST_BY_HOUR);
            let hours = hours.map(|(hour, sums)| (*hour, of_whom(&sums.total(number), whose)));
            CapturedArm {
                counted: counted.clone(),
                buckets,
                hours: hours.filter(|(_, buckets)| whole(buckets).1 > 0).collect(),
            }
        })
    });
    CapturedArms {
        units,
        arms: arms.collect(),
    }
}

/// Whether a counting has a rate or a mean by itself.
pub fn is_arm(plan: &Plan, counted: &Counted) -> bool {
    match (&counted.counting, plan.kind_of(&counted.metric)) {
        (Counting::Slower { .. } | Counting::Above { .. }, _) => false,
        (_, Some(Kind::Rate | Kind::Mean)) => true,
        (_, Some(Kind::Count | Kind::Quantile(_) | Kind::Gauge) | None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Arms, counted};

    fn sums(numbers: u16) -> Sums {
        let mut sums = Sums::default();
        for (number, stratum) in (0..numbers).flat_map(|number| [(number, 0), (number, 1)]) {
            let mut arms = Arms::default();
            arms.treatment.add(1, 9, 90);
            arms.control.add(2, 1, 60);
            sums.metrics.insert((number, stratum), arms);
        }
        sums
    }

    #[test]
    fn rates_and_means_are_kept_with_their_buckets_and_what_has_no_number_is_not() {
        let plan = Plan {
            observed: ["complaints", "cost-per-query"].map(str::to_owned).to_vec(),
            ..Plan::new("plan", "flag")
        };
        let counted = counted(&plan);
        let (of_all, of_one) = (sums(3), sums(1));
        let hours = [(9, &of_one)];
        let arms = captured_arms(&plan, &counted, (&of_all, &hours), Whose::Control, 7);
        let metrics: Vec<&str> = arms.arms.iter().map(|arm| arm.counted.metric.as_str()).collect();
        assert_eq!((arms.units, metrics), (7, vec!["error-rate", "cost-per-query"]));
        let mut control = Buckets::new();
        control.add(2, 2, 120);
        assert_eq!(arms.of(&counted[0].counting), Some(&control), "strata are added");
        let by_hour = arms.by_hour(&counted[0].counting);
        assert_eq!(by_hour, Some(&[(9, control.clone())].into()));
        assert_eq!((arms.hours("error-rate"), arms.hours("cost-per-query")), (1, 0));
        assert_eq!(
            arms.by_hour(&arms.arms[1].counted.counting),
            None,
            "it had no data by the hour"
        );
        let expected = vec!["Expected".to_owned()];
        assert_eq!(arms.of(&Counting::Errors { expected }), None, "another counting");
        let both = captured_arms(&plan, &counted, (&of_one, &[]), Whose::Both, 7);
        control.add(1, 18, 180);
        assert_eq!(both.of(&counted[0].counting), Some(&control));
        assert_eq!(both.arms.len(), 1, "of the rest there are no outcomes");
    }
}
