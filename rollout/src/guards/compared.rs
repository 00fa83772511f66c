//! What a test of sums compares in one visit: the arms, and the rule between them.
//!
//! A limit relative to a captured baseline has the baseline's buckets in the place of control's, so that what is unsure
//! of the baseline is in the variance (guard.md 7). They are one arm for all strata: its error is the same in each, so
//! treatment's strata are added up before they are compared with it. By the hour each hour has an arm of its own, so
//! hours are strata; those that the baseline lacks are left out.

use super::{
    Seen, Test, VisitKey,
    horizons::{Entry, complement, strata},
};
use crate::{
    Plan,
    evidence::{
        arm::{Arm, Buckets},
        estimate::{Estimate, Stratum},
        limit::{Limit, Rule, Side},
        robust::{self, Finding},
    },
    measure::{Arms, Counting},
};

/// The arms of one visit as a test sees them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compared {
    /// What is asked.
    pub(crate) rule: Rule,
    /// What it is asked of.
    pub(crate) strata: Vec<Stratum>,
    /// Of a test against a captured baseline.
    beside: Option<Beside>,
}

/// The live control beside a captured baseline.
#[derive(Debug, Clone, PartialEq)]
struct Beside {
    /// Control in the place of treatment, against the baseline.
    control: Vec<Stratum>,
    /// Treatment with the live control, where there is one.
    live: Vec<Stratum>,
}

impl Compared {
    /// What a test compares in a visit; none for a test that reads something else than sums.
    pub(crate) fn of(plan: &Plan, seen: &Seen<'_>, test: &Test, key: (u8, u32)) -> Option<Compared> {
        match *test {
            Test::Relative {
                metric,
                rule,
                is_complement,
            }
            | Test::Absolute {
                metric,
                rule,
                is_complement,
            } => Some(Compared {
                rule,
                strata: strata(plan, seen, metric, key, is_complement),
                beside: None,
            }),
            Test::Baseline {
                metric,
                rule,
                is_complement,
                by_hour,
            } => {
                let live = strata(plan, seen, metric, key, is_complement);
                let counting = &seen.counted.get(usize::from(metric))?.counting;
                let turned = |buckets: &Buckets| turned(buckets, is_complement);
                let pairs = if by_hour {
                    hours(plan, seen, metric, counting, key)
                } else {
                    let captured = plan.baseline.captured.of(counting);
                    captured.map(|captured| vec![(seen.total(key, metric), captured)])
                };
                let pairs = pairs.unwrap_or_default();
                let against = |arm: &dyn Fn(&Arms) -> &Buckets| {
                    let strata = pairs.iter().map(|(arms, captured)| Stratum {
                        treatment: turned(arm(arms)),
                        control: Some(turned(captured)),
                    });
                    strata.collect::<Vec<_>>()
                };
                Some(Compared {
                    rule,
                    strata: against(&|arms| &arms.treatment),
                    beside: Some(Beside {
                        control: against(&|arms| &arms.control),
                        live,
                    }),
                })
            }
            Test::Split { .. } | Test::Cap { .. } | Test::Level => None,
        }
    }

    /// Whether treatment is compared with a captured baseline.
    pub(crate) fn is_of_baseline(&self) -> bool {
        self.beside.is_some()
    }

    /// What the test says of the visit. Where control is beyond the limit too, the e-value that counts is the smaller of
    /// "beyond the limit" and "worse than control".
    pub(super) fn entry(&self) -> Entry {
        let finding = robust::judge(&self.rule, &self.strata);
        let alone = finding.log_e().unwrap_or(f64::NEG_INFINITY);
        let is_shared = self.is_control_beyond();
        let log_e = if is_shared {
            let against_control = Rule {
                limit: Limit::Relative(1.0),
                ..self.rule
            };
            let worse = robust::judge(&against_control, self.live()).log_e();
            alone.min(worse.unwrap_or(f64::NEG_INFINITY))
        } else {
            alone
        };
        Entry::Visit {
            finding,
            log_e,
            is_shared,
        }
    }

    /// What the test against a captured baseline says of the live control; none of another test.
    pub(super) fn of_control(&self) -> Option<Finding> {
        let beside = self.beside.as_ref()?;
        Some(robust::judge(&self.rule, &beside.control))
    }

    /// As far as anybody can tell, whether the live control is beyond the limit as well.
    fn is_control_beyond(&self) -> bool {
        match (self.rule.limit, &self.beside) {
            (Limit::Absolute(limit), _) => {
                let live = self.live().iter().filter_map(|stratum| stratum.control.as_ref());
                let rate = Arm::of(&merged(live), self.rule.kind).rate();
                match self.rule.harm {
                    Side::Above => rate > limit,
                    Side::Below => rate < limit,
                }
            }
            (Limit::Relative(_), Some(beside)) => {
                let estimate = Estimate::of(&self.rule, self.rule.harm, &beside.control);
                estimate.is_some_and(|estimate| estimate.is_beyond())
            }
            (Limit::Relative(_), None) => false,
        }
    }

    /// The strata of the visit.
    fn live(&self) -> &[Stratum] {
        self.beside.as_ref().map_or(&self.strata, |beside| &beside.live)
    }
}

/// Each hour of a visit of which the baseline has data as well, in the order of the week.
fn hours<'p>(
    plan: &'p Plan,
    seen: &Seen<'_>,
    metric: u16,
    counting: &Counting,
    key: VisitKey,
) -> Option<Vec<(Arms, &'p Buckets)>> {
    let captured = plan.baseline.captured.by_hour(counting)?;
    let seen = seen.hours.range((key, 0)..=(key, u8::MAX));
    let common = seen.filter_map(|((_, hour), sums)| Some((sums.total(metric), captured.get(hour)?)));
    Some(common.collect())
}

pub(super) fn turned(buckets: &Buckets, is_complement: bool) -> Buckets {
    if is_complement {
        complement(buckets)
    } else {
        buckets.clone()
    }
}

fn merged<'b>(strata: impl Iterator<Item = &'b Buckets>) -> Buckets {
    let mut all = Buckets::new();
    strata.for_each(|buckets| all.merge(buckets));
    all
}
