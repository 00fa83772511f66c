//! One guard as people look at it: treatment against control, how far from the limit, and when there will be a verdict.
//!
//! Of the present visit, from the sums that its test reads. Nothing is decided from it: an interval is for reading, the
//! evidence alone decides, and an estimate of time is no promise. What the evidence is, is [`crate::guards`]'s to say.

mod eta;
mod interval;

pub use eta::{Eta, Until};
pub use interval::Interval;

use crate::{
    Guard, Level, Micros, Plan, State, Unit,
    criterion::{Comparison, Limit as Written},
    evidence::{
        arm::{Arm, Buckets},
        estimate::{Estimate, Stratum},
        limit::{Kind, Limit, Rule, Side},
    },
    guards::{self, Finding, Levels, Missing, Seen, Test, strata, tests_of},
    measure::bound_of,
};

/// One guard in the present visit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shown {
    /// Which test judges it here: unit, request, robust, cap, level; empty: none.
    pub test: &'static str,
    /// Why none does.
    pub untested: &'static str,
    /// The number of the counting that it reads.
    pub metric: Option<u16>,
    /// What is compared of treatment: a fraction, a mean, events, a level. None: no data.
    pub treatment: Option<f64>,
    /// Of control, live.
    pub control: Option<f64>,
    /// What treatment may be at most, or at least, as things stand.
    pub limit: Option<f64>,
    /// Treatment less its limit, at 95 %.
    pub from_limit: Option<Interval>,
    /// Outcomes of treatment that it rests on.
    pub treatment_outcomes: u64,
    /// Outcomes of control.
    pub control_outcomes: u64,
    /// Of a limit by the hour: the hours of the week that are compared, and those in which there was data.
    pub hours: Option<(usize, usize)>,
    /// When there will be a verdict.
    pub eta: Option<Eta>,
}

/// What one look at a guard reads.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where the rollout stands.
    pub state: &'a State,
    /// What was sealed of it.
    pub seen: &'a Seen<'a>,
    /// Numbers that are read from outside.
    pub levels: &'a Levels,
    /// The present.
    pub now: Micros,
}

/// What was found of a guard, and the most that it may do.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    finding: Option<&'a Finding>,
    level: Level,
}

impl Look<'_> {
    /// One guard of the plan, by its position, and what was found of it, if anything was sealed.
    pub fn guard(&self, position: usize, finding: Option<&Finding>) -> Shown {
        let (Some(visit), Some(guard)) = (self.state.visits.last(), self.plan.guards.get(position)) else {
            return Shown::untested("not started");
        };
        let test = match self.test(guard) {
            Ok(test) => test,
            Err(why) => return Shown::untested(why),
        };
        let found = Found {
            finding,
            level: guard.level,
        };
        let key = (visit.stage as u8, visit.visit);
        let of = |metric, rule: Rule, is_complement| Compared {
            metric,
            rule,
            strata: strata(self.plan, self.seen, metric, key, is_complement),
            is_of_baseline: false,
        };
        match test {
            Test::Split { metric, ratio } => {
                let compared = of(metric, Rule::rate_above(Limit::Relative(ratio)), false);
                let name = match self.plan.unit {
                    Unit::Unit => "unit",
                    Unit::Request => "request",
                };
                self.compared(name, &compared, found, compared.of_rates())
            }
            Test::Relative {
                metric,
                rule,
                is_complement,
            }
            | Test::Absolute {
                metric,
                rule,
                is_complement,
            } => {
                let compared = of(metric, rule, is_complement);
                self.compared("robust", &compared, found, compared.of_estimate())
            }
            Test::Baseline { metric, by_hour, .. } => {
                let Some(compared) = guards::Compared::of(self.plan, self.seen, &test, key) else {
                    return Shown::untested(Missing::Baseline.name());
                };
                let with_baseline = compared.strata.len();
                let hours = by_hour.then(|| (with_baseline, self.seen.hours_of(key, metric).count()));
                if let Some((0, 1..)) = hours {
                    return Shown {
                        hours,
                        ..Shown::untested("no hour of it has a baseline")
                    };
                }
                let compared = Compared {
                    metric,
                    rule: compared.rule,
                    strata: compared.strata,
                    is_of_baseline: true,
                };
                Shown {
                    hours,
                    ..self.compared("robust", &compared, found, compared.of_estimate())
                }
            }
            Test::Cap {
                metric,
                most,
                window_us,
            } => Shown {
                test: "cap",
                treatment: Some(self.seen.events.within(metric, window_us, self.now)),
                limit: Some(most as f64),
                ..of(metric, Rule::rate_above(Limit::Absolute(0.0)), false).outcomes()
            },
            Test::Level => self.level(&guard.harm),
        }
    }

    /// The test of a guard in the present stage, by its position; none if nothing judges it.
    pub(crate) fn test_of(&self, position: usize) -> Option<Test> {
        self.test(self.plan.guards.get(position)?).ok()
    }

    /// The test of the present stage, or why there is none.
    fn test(&self, guard: &Guard) -> Result<Test, &'static str> {
        let tests = tests_of(self.plan, self.seen.counted, guard).map_err(Missing::name)?;
        let share = self.plan.wanted(self.state.stage);
        if share == crate::Share::NONE {
            return Err("nobody has the treatment");
        }
        tests.at(share.is_compared()).ok_or("no live control in this stage")
    }

    fn compared(
        &self,
        test: &'static str,
        compared: &Compared,
        found: Found<'_>,
        distance: Option<(f64, Interval)>,
    ) -> Shown {
        let treatment = compared.treatment();
        let shown = Shown {
            test,
            treatment,
            control: compared.control(),
            limit: treatment.zip(distance).map(|(rate, (distance, _))| rate - distance),
            from_limit: distance.map(|(_, interval)| interval),
            ..compared.outcomes()
        };
        Shown {
            eta: eta::eta(self, found, compared, &shown),
            ..shown
        }
    }

    /// A number that is read from outside.
    fn level(&self, harm: &Comparison) -> Shown {
        let level = self.levels.get(harm.metric.as_str());
        let estimates = level.map(|level| level.now).unwrap_or_default();
        let of_control = match harm.limit {
            Written::Times { factor, .. } => estimates.control.map(|control| control * factor.as_f64()),
            Written::Absolute(_) | Written::Plus { .. } => None,
        };
        let limit = bound_of(self.plan, harm).or(of_control);
        Shown {
            test: "level",
            treatment: estimates.treatment,
            control: estimates.control,
            limit,
            ..Shown::default()
        }
    }
}

impl Shown {
    fn untested(why: &'static str) -> Self {
        Self {
            untested: why,
            ..Self::default()
        }
    }
}

/// The arms that a rule compares.
struct Compared {
    metric: u16,
    rule: Rule,
    strata: Vec<Stratum>,
    /// What stands in for control is a captured baseline, which is not live and not shown as control.
    is_of_baseline: bool,
}

impl Compared {
    /// Of the strata that the rule can use: with a control, if it is relative to one.
    fn arms(&self) -> impl Iterator<Item = (&Buckets, Option<&Buckets>)> {
        let needs_control = matches!(self.rule.limit, Limit::Relative(_));
        let usable = move |stratum: &&Stratum| stratum.control.is_some() || !needs_control;
        let usable = self.strata.iter().filter(usable);
        usable.map(|stratum| (&stratum.treatment, stratum.control.as_ref()))
    }

    fn total<'b>(&self, arms: impl Iterator<Item = &'b Buckets>) -> Arm {
        let mut all = Buckets::new();
        arms.for_each(|buckets| all.merge(buckets));
        Arm::of(&all, self.rule.kind)
    }

    /// All of treatment.
    fn treated(&self) -> Arm {
        self.total(self.arms().map(|(treatment, _)| treatment))
    }

    /// All of control, also where the limit is a number by itself.
    fn controlled(&self) -> Arm {
        let live = self.arms().filter(|_| !self.is_of_baseline);
        self.total(live.filter_map(|(_, control)| control))
    }

    fn treatment(&self) -> Option<f64> {
        let arm = self.treated();
        (arm.den > 0.0).then(|| arm.rate())
    }

    fn control(&self) -> Option<f64> {
        let arm = self.controlled();
        (arm.den > 0.0).then(|| arm.rate())
    }

    fn outcomes(&self) -> Shown {
        Shown {
            metric: Some(self.metric),
            treatment_outcomes: self.treated().den as u64,
            control_outcomes: self.controlled().den as u64,
            ..Shown::default()
        }
    }

    /// Treatment less its limit, of a robust test: by its own variance, at the limit.
    fn of_estimate(&self) -> Option<(f64, Interval)> {
        let estimate = Estimate::of(&self.rule, self.rule.harm, &self.strata)?;
        let distance = self.rule.harm.sign() * estimate.difference;
        Some((
            distance,
            interval::of_mean(distance, estimate.variance, estimate.freedom),
        ))
    }

    /// Treatment less its limit, of rates against the live control.
    fn of_rates(&self) -> Option<(f64, Interval)> {
        let Limit::Relative(ratio) = self.rule.limit else {
            return None;
        };
        let pairs: Vec<(Arm, Arm)> = self
            .arms()
            .filter_map(|(treatment, control)| Some((Arm::of(treatment, Kind::Rate), Arm::of(control?, Kind::Rate))))
            .filter(|(treatment, control)| treatment.den > 0.0 && control.den > 0.0)
            .collect();
        interval::of_rates(&pairs, ratio)
    }
}

impl Rule {
    /// A rate whose rise is harm.
    fn rate_above(limit: Limit) -> Self {
        Self {
            kind: Kind::Rate,
            limit,
            harm: Side::Above,
        }
    }
}

#[cfg(test)]
mod tests;
