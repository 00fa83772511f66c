//! What a guard becomes: which test decides it, on which counting, with which limit (guard.md 10).

use crate::{
    Guard, Micros, Plan,
    catalogue::Kind,
    criterion::{Base, Limit as Written, Relation},
    evidence::{
        exceedance,
        limit::{self, Rule, Side},
        request,
    },
    measure::{self, CapturedArms, Counted, Counting, bound_of},
};

use super::OnsetKey;

/// A question that can be put to the sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// Bad units or bad requests against the live control, as the plan splits (4a, 4b).
    Split {
        /// Number of the counting.
        metric: u16,
        /// How many times control's is allowed.
        ratio: f64,
    },
    /// A rate or a mean against the live control (4c).
    Relative {
        /// Number of the counting.
        metric: u16,
        /// The rule.
        rule: Rule,
        /// The numerator is what is left of the counted one.
        is_complement: bool,
    },
    /// A rate or a mean against that of a captured baseline, whose unit buckets stand in for a control's (4c, 7).
    Baseline {
        /// Number of the counting.
        metric: u16,
        /// The rule; its limit is relative.
        rule: Rule,
        /// The numerator is what is left of the counted one, in the baseline too.
        is_complement: bool,
        /// Each hour of the week with the baseline's own.
        by_hour: bool,
    },
    /// A rate, a mean or an exceedance against a number (4c).
    Absolute {
        /// Number of the counting.
        metric: u16,
        /// The rule.
        rule: Rule,
        /// The numerator is what is left of the counted one.
        is_complement: bool,
    },
    /// More events in a window (4e).
    Cap {
        /// Number of the counting.
        metric: u16,
        /// How many are allowed.
        most: u64,
        /// None: over the whole rollout.
        window_us: Option<Micros>,
    },
    /// A level that is read from outside, as it is (4f).
    Level,
}

/// The tests of one guard.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tests {
    /// Where there is a live control.
    pub live: Option<Test>,
    /// Where there is none; also where there is one, if the guard has no other.
    pub fixed: Option<Test>,
}

/// Why a guard cannot be judged at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// Its limit is relative to a baseline that the plan does not have.
    Baseline,
    /// No test is known for such a limit.
    Test,
}

impl Missing {
    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Missing::Baseline => "no baseline",
            Missing::Test => "no test for such a limit",
        }
    }
}

impl Tests {
    /// The test for a stage with a live control, or for one without.
    pub fn at(&self, is_compared: bool) -> Option<Test> {
        if is_compared {
            self.live.or(self.fixed)
        } else {
            self.fixed
        }
    }
}

/// The tests of a guard; an error if there is none.
pub fn tests_of(plan: &Plan, counted: &[Counted], guard: &Guard) -> Result<Tests, Missing> {
    let harm = &guard.harm;
    let kind = plan.kind_of(harm.metric.as_str()).ok_or(Missing::Test)?;
    if measure::is_level(plan, harm.metric.as_str()) {
        return Ok(Tests {
            live: None,
            fixed: Some(Test::Level),
        });
    }
    let bound = bound_of(plan, harm);
    let needs_bound = matches!(kind, Kind::Quantile(_));
    if needs_bound && bound.is_none() {
        return Err(Missing::Baseline);
    }
    let wanted = crate::measure::of_comparison(plan, harm, &guard.except).ok_or(Missing::Test)?;
    let position = counted
        .iter()
        .position(|counted| *counted == wanted)
        .ok_or(Missing::Test)?;
    let metric = u16::try_from(position).map_err(|_| Missing::Test)?;
    let asked = Asked {
        metric,
        counting: &wanted.counting,
        side: side(harm.relation),
        kind,
        is_complement: matches!(wanted.counting, Counting::Lost),
    };
    let live = asked.live(&harm.limit);
    // "No slower than control" is about control alone: without one nothing is left to ask.
    let fixed = bound.filter(|_| !(needs_bound && live.is_some()));
    let tests = Tests {
        live,
        fixed: asked
            .against_captured(&plan.baseline.captured, &harm.limit)
            .or_else(|| asked.fixed(fixed?, harm.window)),
    };
    match tests {
        Tests {
            live: None,
            fixed: None,
        } if reads_baseline(&harm.limit) => Err(Missing::Baseline),
        Tests {
            live: None,
            fixed: None,
        } => Err(Missing::Test),
        tests => Ok(tests),
    }
}

/// A counting and what is asked of it.
struct Asked<'a> {
    metric: u16,
    counting: &'a Counting,
    side: Side,
    kind: Kind,
    is_complement: bool,
}

impl Asked<'_> {
    /// Against the live control: limits that are so many times control's, or a baseline's, which control lives on.
    fn live(&self, limit: &Written) -> Option<Test> {
        let Written::Times { base, factor } = limit else {
            return None;
        };
        let ratio = factor.as_f64();
        if matches!(self.kind, Kind::Quantile(_)) {
            return self.slower(*base, ratio);
        }
        if matches!(base, Base::Fixed(_)) {
            return None;
        }
        if self.counting.names_units() && self.side == Side::Above && !self.is_complement {
            return Some(Test::Split {
                metric: self.metric,
                ratio,
            });
        }
        Some(Test::Relative {
            metric: self.metric,
            rule: self.rule(limit::Limit::Relative(ratio)),
            is_complement: self.is_complement,
        })
    }

    /// A quantile against the live control: what exceeds the baseline's own quantile may not be more of treatment than of
    /// control (guard.md 4c). Twice control's quantile is another bound, and no ratio of what exceeds it follows.
    fn slower(&self, base: Base, ratio: f64) -> Option<Test> {
        let is_no_more = base == Base::Control && ratio == 1.0 && self.side == Side::Above;
        is_no_more.then_some(Test::Relative {
            metric: self.metric,
            rule: exceedance::SLOWER_THAN_CONTROL,
            is_complement: false,
        })
    }

    /// Against a captured baseline: limits that are so many times its rate or mean, if it has buckets of this very
    /// counting. What was imported or written is a number, and has no variance.
    fn against_captured(&self, captured: &CapturedArms, limit: &Written) -> Option<Test> {
        let (by_hour, factor) = match limit {
            Written::Times {
                base: Base::Baseline,
                factor,
            } => (false, factor),
            Written::Times {
                base: Base::BaselineSameHour,
                factor,
            } => (true, factor),
            Written::Absolute(_) | Written::Times { .. } | Written::Plus { .. } => return None,
        };
        let is_kept = if by_hour {
            captured.by_hour(self.counting).is_some()
        } else {
            captured.of(self.counting).is_some()
        };
        match self.kind {
            Kind::Rate | Kind::Mean if is_kept => Some(Test::Baseline {
                metric: self.metric,
                rule: self.rule(limit::Limit::Relative(factor.as_f64())),
                is_complement: self.is_complement,
                by_hour,
            }),
            Kind::Rate | Kind::Mean | Kind::Count | Kind::Quantile(_) | Kind::Gauge => None,
        }
    }

    /// Against a number in the base unit of the metric.
    fn fixed(&self, bound: f64, window_us: Option<Micros>) -> Option<Test> {
        match self.kind {
            Kind::Count if self.side == Side::Above => Some(Test::Cap {
                metric: self.metric,
                most: bound.max(0.0) as u64,
                window_us,
            }),
            Kind::Count => None,
            Kind::Quantile(_) if self.side == Side::Below => None,
            Kind::Quantile(thousandth) => Some(Test::Absolute {
                metric: self.metric,
                rule: exceedance::rule(1.0 - f64::from(thousandth) / 1_000.0),
                is_complement: false,
            }),
            Kind::Rate | Kind::Mean => Some(Test::Absolute {
                metric: self.metric,
                rule: self.rule(limit::Limit::Absolute(bound)),
                is_complement: self.is_complement,
            }),
            Kind::Gauge => None,
        }
    }

    fn rule(&self, limit: limit::Limit) -> Rule {
        Rule {
            kind: if self.counting.is_sum() {
                limit::Kind::Mean
            } else {
                limit::Kind::Rate
            },
            limit,
            harm: self.side,
        }
    }
}

/// The request tests that a plan needs: for each guard that is judged so, its key and w0 (guard.md 4b). Empty under a
/// unit split.
pub fn onsets(plan: &Plan, counted: &[Counted]) -> Vec<(OnsetKey, f64)> {
    if plan.unit != crate::Unit::Request {
        return Vec::new();
    }
    let mut onsets: Vec<(OnsetKey, f64)> = Vec::new();
    for guard in &plan.guards {
        if let Ok(Tests {
            live: Some(Test::Split { metric, ratio }),
            ..
        }) = tests_of(plan, counted, guard)
        {
            let key = onset_key(metric, ratio);
            if !onsets.iter().any(|(own, _)| *own == key) {
                onsets.push((key, request::w0(ratio, plan.max_control_rate)));
            }
        }
    }
    onsets
}

/// The key of the request test of a counting and a ratio.
pub(super) fn onset_key(metric: u16, ratio: f64) -> OnsetKey {
    (metric, (ratio * 1e6).round() as i64)
}

/// On which side of its limit a guard's metric is harm.
fn side(relation: Relation) -> Side {
    match relation {
        Relation::Above | Relation::AtLeast => Side::Above,
        Relation::Below | Relation::AtMost => Side::Below,
    }
}

fn reads_baseline(limit: &Written) -> bool {
    let is_baseline = |base: &Base| matches!(base, Base::Baseline | Base::BaselineSameHour | Base::Control);
    match limit {
        Written::Absolute(_) => false,
        Written::Times { base, .. } | Written::Plus { base, .. } => is_baseline(base),
    }
}

#[cfg(test)]
mod tests;
