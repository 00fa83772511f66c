//! What was known after one batch: the rung, who leads, and how much treatment had been seen by then.

use std::collections::BTreeMap;

use rollout::{
    EvidenceNumber, Guard, HoldReason, Ladder, Level, Plan,
    guards::{Beyond, Broken, Examination, Finding},
};

use crate::store::model::{SealedBatch, SealedCounts};

/// The number of the counting whose outcomes are all outcomes: the error rate.
const ERRORS: u32 = 0;
/// Of how many units one is sampled.
const SAMPLED: u64 = 64;

/// What was known after one batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// The batch, from 1.
    pub(crate) batch: u64,
    /// When it was sealed, microseconds since 1970 UTC.
    pub(crate) at_us: i64,
    /// The evidence number of the guards that may abort.
    pub(crate) number: Option<EvidenceNumber>,
    /// The rung that the evidence of all guards has reached.
    pub(crate) ladder: Ladder,
    /// The number that reached it.
    pub(crate) culprit: Option<EvidenceNumber>,
    /// What holds, warns or aborts without evidence, the gravest.
    pub(crate) rule: Option<Rule>,
    /// Outcomes of treatment by then.
    pub(crate) outcomes: u64,
    /// About how many units had the treatment by then: 64 times the sampled ones, and never more than outcomes.
    pub(crate) units: u64,
}

/// What stands against a rollout without evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// What it does.
    pub(crate) rung: Ladder,
    /// The guard that says so, by its position; none: it is of no guard.
    pub(crate) guard: Option<usize>,
    /// What it holds for, or would.
    pub(crate) reason: HoldReason,
}

/// Treatment that has been seen, in all visits.
#[derive(Debug, Default)]
pub(super) struct Exposed {
    /// Outcomes by visit.
    outcomes: BTreeMap<(u32, u32), u64>,
    /// Sampled units by visit.
    sampled: BTreeMap<(u32, u32), u64>,
}

impl Look {
    /// After a batch of which this was found.
    pub(super) fn of(batch: u64, at_us: i64, found: &Examination, plan: &Plan, exposed: &Exposed) -> Self {
        let culprit = found.standing.culprit(plan.alpha);
        Self {
            batch,
            at_us,
            number: found.standing.abort,
            ladder: culprit.map_or(Ladder::None, |(rung, _)| rung),
            culprit: culprit.map(|(_, number)| number),
            rule: Rule::of(found, plan),
            outcomes: exposed.outcomes(),
            units: exposed.units(),
        }
    }

    /// The rung that was reached, with evidence or without.
    pub(crate) fn rung(&self) -> Ladder {
        self.rule.map_or(Ladder::None, |rule| rule.rung).max(self.ladder)
    }

    /// What needs no evidence, if it leads: it aborts, or the evidence says less.
    pub(crate) fn leading_rule(&self) -> Option<Rule> {
        let leads = |rule: &Rule| rule.rung == Ladder::Abort || rule.rung > self.ladder;
        self.rule.filter(leads)
    }

    /// The guard that leads, by its position: the one whose limit is broken, or the one with the evidence.
    pub(crate) fn guard(&self) -> Option<usize> {
        match self.leading_rule() {
            Some(rule) => rule.guard,
            None => self.culprit.or(self.number).map(|number| number.guard),
        }
    }
}

impl Rule {
    /// The gravest of what was found; of equal ones the first guard's.
    fn of(found: &Examination, plan: &Plan) -> Option<Self> {
        if let Some(broken) = found.rule {
            return Some(Self {
                rung: Ladder::Abort,
                guard: Some(broken.guard()),
                reason: match broken {
                    Broken::Limit(_) => HoldReason::Rule,
                    Broken::SpillOver(_) => HoldReason::SpillOver,
                },
            });
        }
        if let Some(reason) = found.holds.first().copied() {
            let of_reason = found.signals.iter().find(|signal| signal.reason == reason);
            let both = found.both_beyond.first().and_then(|guard| usize::try_from(*guard).ok());
            return Some(Self {
                rung: Ladder::Hold,
                guard: match reason {
                    HoldReason::SpillOver => both,
                    _ => of_reason.and_then(|signal| signal.guard),
                },
                reason,
            });
        }
        // A cap or a level of level warn.
        let warns =
            |(guard, finding): (&Guard, &Finding)| finding.beyond == Beyond::Fired && guard.level == Level::Warn;
        let guard = plan.guards.iter().zip(&found.findings).position(warns)?;
        Some(Self {
            rung: Ladder::Warn,
            guard: Some(guard),
            reason: HoldReason::Rule,
        })
    }
}

impl Exposed {
    /// Adds what a batch saw of treatment.
    pub(super) fn add(&mut self, batch: &SealedBatch) {
        let errors = batch.counts.iter().filter(|counts| counts.metric == ERRORS);
        for arm in errors.flat_map(SealedCounts::treated) {
            let sum = self.outcomes.entry((arm.stage, arm.visit)).or_default();
            *sum = sum.saturating_add(arm.count());
        }
        for samples in &batch.samples {
            let sum = self.sampled.entry((samples.stage, samples.visit)).or_default();
            *sum = sum.saturating_add(samples.treatment);
        }
    }

    fn outcomes(&self) -> u64 {
        self.outcomes.values().fold(0, |sum, more| sum.saturating_add(*more))
    }

    /// Units of a stage are there in the next, so the largest visit tells.
    fn units(&self) -> u64 {
        let of_visit = |(visit, outcomes): (&(u32, u32), &u64)| {
            let sampled = self.sampled.get(visit).copied().unwrap_or_default();
            sampled.saturating_mul(SAMPLED).min(*outcomes)
        };
        self.outcomes.iter().map(of_visit).max().unwrap_or_default()
    }
}
