//! All guards together: one look at everything that was sealed.

use super::{
    Beyond, Broken, Compared, Finding, Levels, Missing, Seen, Test, Tests, balance,
    horizons::{self, Entry},
    lately::Lately,
    levels, tests_of,
};
use crate::{
    EvidenceNumber, Guard, HoldReason, Ladder, Level, Micros, Plan, Signal, State,
    evidence::{
        bases::{self, Comparison, Decision, Sighting},
        budget::{self, GuardEvidence, Standing},
        count,
    },
    state::Planned,
    verdict,
};

/// What all guards say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Examination {
    /// One for each guard of the plan.
    pub findings: Vec<Finding>,
    /// The evidence numbers, by level.
    pub standing: Standing,
    /// The first guard that aborts without evidence.
    pub rule: Option<Broken>,
    /// Reasons to hold, the gravest first.
    pub holds: Vec<HoldReason>,
    /// A guard's estimate is beyond its limit, on too little data to believe it: no gate passes.
    pub is_early: bool,
    /// The evidence number of each guard by itself, from the warn level on.
    pub numbers: Vec<EvidenceNumber>,
    /// Who raises what holds without evidence, and who is early.
    pub signals: Vec<Signal>,
    /// Guards, by position, under which both arms are beyond the limit.
    pub both_beyond: Vec<u32>,
}

/// Asks all guards. `levels` are numbers that are read from outside.
pub fn examine(plan: &Plan, state: &State, seen: &Seen<'_>, levels: &Levels, now: Micros) -> Examination {
    let tests: Vec<_> = plan
        .guards
        .iter()
        .map(|guard| tests_of(plan, seen.counted, guard))
        .collect();
    let weights = weights(plan, &tests);
    let examiner = Examiner {
        plan,
        state,
        planned: state.planned(plan),
        seen,
        levels,
        now,
    };
    let mut examination = Examination::default();
    for (position, ((guard, tests), weight)) in plan.guards.iter().zip(tests).zip(weights).enumerate() {
        let finding = match tests {
            Err(missing) => Finding::missing(missing),
            Ok(tests) => examiner.ask(guard, tests, weight),
        };
        examination.add(state, seen, (position, guard), finding, now);
    }
    let evidence = examination.evidence(plan);
    examination.standing = budget::standing(&evidence);
    examination.numbers = budget::numbers(&evidence);
    let speaks = |number: &EvidenceNumber| verdict::rung(plan, number) != Ladder::None;
    examination.numbers.retain(speaks);
    let visit = state.visits.last().map(|visit| (visit.stage as u8, visit.visit));
    if let Some(doubt) = visit.and_then(|visit| balance::doubt(plan, seen, visit)) {
        examination.hold(HoldReason::SampleRatio, None, Some(doubt));
    }
    examination.holds.sort_unstable();
    examination.holds.dedup();
    examination
}

/// Each guard's share of the budget of its level. Rules that need no evidence stand beside the ladder, and what cannot
/// be judged spends nothing.
fn weights(plan: &Plan, tests: &[Result<Tests, Missing>]) -> Vec<f64> {
    let given = plan.guards.iter().zip(tests).map(|(guard, tests)| {
        let is_weighed = match tests {
            Ok(Tests { live: Some(_), .. }) => true,
            Ok(Tests { fixed, .. }) => matches!(fixed, Some(Test::Absolute { .. } | Test::Baseline { .. })),
            Err(_) => false,
        };
        (guard.level, Some(if is_weighed { guard.weight } else { 0.0 }))
    });
    budget::guard_weights(&given.collect::<Vec<_>>())
}

/// One look.
struct Examiner<'a> {
    plan: &'a Plan,
    state: &'a State,
    planned: Planned,
    seen: &'a Seen<'a>,
    levels: &'a Levels,
    now: Micros,
}

impl Examiner<'_> {
    fn ask(&self, guard: &Guard, tests: Tests, weight: f64) -> Finding {
        let entries = horizons::entries(self.plan, self.state, self.seen, &tests);
        let mut finding = Finding {
            tests: Ok(tests),
            log_e: entries.iter().map(Entry::log_e).collect(),
            doubted: entries.iter().map(Entry::is_doubted).collect(),
            planned: horizons::planned(&self.planned, &tests),
            weight,
            beyond: Beyond::Unknown,
            estimate: None,
        };
        match tests.fixed {
            Some(Test::Cap {
                metric,
                most,
                window_us,
            }) => {
                let events = self.seen.events.within(metric, window_us, self.now);
                let fires = count::cap_fires(most, events as u64);
                finding.beyond = if fires { Beyond::Fired } else { Beyond::Within };
            }
            Some(Test::Level) => finding.beyond = self.level(guard),
            _ => self.stands(&tests, &entries, &mut finding),
        }
        // Half of all that is equal looks slower at first: what is asked without a margin is believed on evidence alone.
        if finding.beyond == Beyond::Early && guard.is_slower_than_control() {
            finding.beyond = Beyond::Within;
        }
        finding
    }

    /// A number that is read from outside; no number is no verdict.
    fn level(&self, guard: &Guard) -> Beyond {
        let metric = guard.harm.metric.as_str();
        let baseline = self.plan.baseline.values.get(metric).map(|value| value.as_f64());
        levels::beyond(&guard.harm, self.levels.get(metric), baseline)
    }

    /// How the current visit stands. Where the guard is judged against control, a number that the plan knows of the
    /// time before is still looked at: what both arms suffer is seen by it alone. It is over once the last minute says
    /// so.
    fn stands(&self, tests: &Tests, entries: &[Entry], finding: &mut Finding) {
        let fixed = self.beside_control(tests, finding);
        let entry = fixed.as_ref().or(entries.last());
        if let Some(Entry::Visit { finding: found, .. }) = entries.last() {
            finding.estimate = found.estimate().copied();
        }
        finding.beyond = match entry {
            None => Beyond::Unknown,
            Some(Entry::Split { .. }) => Beyond::Within,
            Some(Entry::Visit {
                finding: found,
                is_shared,
                ..
            }) => {
                let is_beyond = found.estimate().is_some_and(|estimate| estimate.is_beyond());
                let is_sure = self.is_sure(found.log_e(), finding);
                match found {
                    crate::evidence::robust::Finding::Silent => Beyond::Unknown,
                    _ if *is_shared && is_sure => self.lately(tests).map_or(Beyond::Both, Lately::beyond),
                    crate::evidence::robust::Finding::Early(_) if is_beyond => Beyond::Early,
                    _ if fixed.is_some() && is_sure => Beyond::Early,
                    _ => Beyond::Within,
                }
            }
        };
    }

    /// How both arms stood in the last minute; none on too little data.
    fn lately(&self, tests: &Tests) -> Option<Lately> {
        let visit = self.state.visits.last()?;
        let key = (visit.stage as u8, visit.visit);
        Lately::of(self.plan, self.seen, tests.fixed.as_ref()?, key)
    }

    /// Whether the evidence is at the hold level within the weight of the guard.
    fn is_sure(&self, log_e: Option<f64>, finding: &Finding) -> bool {
        let horizon = finding.log_e.len().max(1);
        let weighted = log_e.map(|log_e| {
            log_e + libm::log(finding.weight) + libm::log(budget::horizon_weight(finding.planned, horizon))
        });
        weighted.is_some_and(|number| budget::level(number, self.plan.alpha) >= budget::Ladder::Hold)
    }

    /// The test of the current visit against a number or a captured baseline, of a guard that is judged against control
    /// there. Against a captured baseline control is worse only if its own evidence says so.
    fn beside_control(&self, tests: &Tests, finding: &Finding) -> Option<Entry> {
        let (Some(_), Some(fixed)) = (tests.live, tests.fixed) else {
            return None;
        };
        let visit = self.state.visits.last()?;
        if !self.plan.wanted(visit.stage).is_compared() {
            return None;
        }
        let key = (visit.stage as u8, visit.visit);
        let compared = Compared::of(self.plan, self.seen, &fixed, key)?;
        let mut entry = compared.entry();
        if let (Entry::Visit { is_shared, .. }, Some(control)) = (&mut entry, compared.of_control()) {
            *is_shared &= self.is_sure(control.log_e(), finding);
        }
        Some(entry)
    }
}

impl Examination {
    /// Takes the finding of a guard in.
    fn add(
        &mut self,
        state: &State,
        seen: &Seen<'_>,
        (position, guard): (usize, &Guard),
        finding: Finding,
        now: Micros,
    ) {
        match finding.beyond {
            Beyond::Unknown | Beyond::Within => {}
            Beyond::Early => self.early(position),
            Beyond::Fired => {
                let log_size = log_events(seen, &finding, now);
                self.fire(Broken::Limit(position), guard.level, log_size);
            }
            Beyond::Both => {
                let number = u32::try_from(position).unwrap_or(u32::MAX);
                self.both_beyond.push(number);
                let since_us = seen.worse_since.get(&number).copied().unwrap_or(now);
                match shared(state, since_us, now) {
                    Decision::Abort => self.fire(Broken::SpillOver(position), guard.level, None),
                    Decision::SpillOver { .. } => self.holds.push(HoldReason::SpillOver),
                    Decision::SharedIncident | Decision::Alert => {
                        self.hold(HoldReason::Incident, Some(position), None);
                    }
                    Decision::Proceed => {}
                }
            }
        }
        self.findings.push(finding);
    }

    fn fire(&mut self, broken: Broken, level: Level, log_size: Option<f64>) {
        match level {
            Level::Abort => self.rule = self.rule.or(Some(broken)),
            Level::Hold => self.hold(HoldReason::Rule, Some(broken.guard()), log_size),
            Level::Warn => self.early(broken.guard()),
        }
    }

    fn hold(&mut self, reason: HoldReason, guard: Option<usize>, log_size: Option<f64>) {
        self.holds.push(reason);
        self.signals.push(Signal {
            guard,
            log_size,
            ..Signal::bare(reason)
        });
    }

    fn early(&mut self, position: usize) {
        self.is_early = true;
        self.signals.push(Signal {
            guard: Some(position),
            ..Signal::bare(HoldReason::Early)
        });
    }

    /// As the budget reads it.
    fn evidence(&self, plan: &Plan) -> Vec<GuardEvidence> {
        let guards = plan.guards.iter().zip(&self.findings);
        let evidence = guards.map(|(guard, finding)| finding.evidence(guard.level));
        evidence.collect()
    }

    /// ln of the evidence of one guard, as the budget weighs it; none before it speaks.
    pub fn log_evidence(&self, guard: usize) -> Option<f64> {
        self.number(guard).map(|number| number.log_evidence)
    }

    /// The rung that the evidence of one guard has reached, within its level; no higher than hold while the split on which
    /// it rests is in doubt.
    pub fn rung(&self, plan: &Plan, guard: usize) -> Ladder {
        let (Some(finding), Some(known)) = (self.findings.get(guard), plan.guards.get(guard)) else {
            return Ladder::None;
        };
        let standing = budget::standing(&[finding.evidence(Level::Abort)]);
        standing.ladder(plan.alpha).min(known.level.cap())
    }

    fn number(&self, guard: usize) -> Option<EvidenceNumber> {
        let finding = self.findings.get(guard)?;
        budget::numbers(&[finding.evidence(Level::Abort)]).pop()
    }
}

/// ln of the events that broke a cap; none: it is no cap.
fn log_events(seen: &Seen<'_>, finding: &Finding, now: Micros) -> Option<f64> {
    match finding.tests {
        Ok(Tests {
            fixed: Some(Test::Cap { metric, window_us, .. }),
            ..
        }) => Some(libm::log(seen.events.within(metric, window_us, now))),
        Ok(_) | Err(_) => None,
    }
}

/// What follows when both arms are beyond a limit, and treatment is not worse than control.
fn shared(state: &State, worse_since_us: Micros, now: Micros) -> Decision {
    let sighting = Sighting {
        against_control: Some(Comparison::Equal),
        treatment: Comparison::Worse,
        control: Comparison::Worse,
        worse_since_us,
        stage_changed_at_us: state
            .visits
            .last()
            .map_or(state.entered_at_us, |visit| visit.entered_at_us),
        aborts_always: false,
    };
    bases::decide(&sighting, now)
}

#[cfg(test)]
mod tests;
