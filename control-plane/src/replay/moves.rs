//! The transitions that the guards had a say in, held against what the replay knew at the time: a gate of a stage that
//! needs data opens only when nothing stands against it, a hold needs what it names, and what was held goes on when
//! that is gone. Rules count as evidence does: caps, levels, what both arms suffer, arms that are not as large as their
//! shares.
//!
//! The engine may have moved before the latest batch was in the state that it saw, so a move agrees if either of the
//! last two batches before it allows it, or what was known at its moment: rules move with time and with readings alone.
//! What a person did is a person's decision and is not held against anything; what a person had dismissed by then
//! stands against nothing. Holds that rest on more than batches and readings are named, and not judged.

use std::sync::Arc;

use rollout::{Facts, HoldReason, Ladder, Plan, guards::Examination, state::Dismissal};

use crate::{identity::ENGINE, record::TransitionRecord};

/// The most that are looked at, the newest.
const MOST: usize = 1_000;

/// A transition of the engine, and whether the replay gives it as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    /// Its sequence.
    pub(crate) sequence: u64,
    /// When it was made.
    pub(crate) at_us: i64,
    /// What, in a word.
    pub(crate) kind: String,
    /// The rung that the evidence had reached by then.
    pub(crate) rung: Ladder,
    /// Whether it agrees only because of what a person had dismissed.
    pub(crate) dismissed: bool,
    /// Whether the replay gives it; none: no batch tells, because nothing was known, or because it rests on more.
    pub(crate) agrees: Option<bool>,
}

/// What must have been known for a transition.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Needs {
    /// Nothing stood against the gate: no evidence from the warn level on, nothing that holds.
    OpenGate {
        /// An estimate that is early shuts it as well; not the end of a bake.
        early: bool,
    },
    /// Nothing held: no evidence at the hold level, no rule.
    NothingHeld,
    /// Each of these held; of no other reason does a replay know.
    Held(Vec<HoldReason>),
}

/// A transition that is still ahead.
#[derive(Debug)]
struct Ahead {
    made: Move,
    needs: Needs,
    /// What a person had dismissed by then, in the visit that it was made in.
    dismissals: Vec<Dismissal>,
}

/// What the guards said at a moment.
#[derive(Debug)]
pub(super) struct Known(Facts);

/// The transitions that are still ahead, and those that are judged.
#[derive(Debug)]
pub(super) struct Moves {
    plan: Arc<Plan>,
    ahead: std::vec::IntoIter<Ahead>,
    next: Option<Ahead>,
    judged: Vec<Move>,
    /// After the last two batches.
    before: Option<Known>,
    last: Option<Known>,
}

impl Moves {
    /// Those of a log that the guards had a say in.
    pub(super) fn of(plan: Arc<Plan>, log: &[TransitionRecord]) -> Self {
        let mut dismissals: Vec<Dismissal> = Vec::new();
        let mut told = Vec::new();
        for made in log {
            if let Some(needs) = needs(&plan, made).filter(|_| made.actor == ENGINE) {
                told.push(Ahead {
                    made: Move {
                        sequence: made.sequence,
                        at_us: made.at_us,
                        kind: made.kind.clone(),
                        rung: Ladder::None,
                        dismissed: false,
                        agrees: None,
                    },
                    needs,
                    dismissals: dismissals.clone(),
                });
            }
            if leaves_the_visit(made) {
                dismissals.clear();
            }
            dismissals.extend(made.dismissals.iter().cloned());
        }
        told.drain(..told.len().saturating_sub(MOST));
        let mut ahead = told.into_iter();
        Self {
            plan,
            next: ahead.next(),
            ahead,
            judged: Vec::new(),
            before: None,
            last: None,
        }
    }

    /// When the next was made, if before a time.
    pub(super) fn next_before(&self, until_us: i64) -> Option<i64> {
        let next = self.next.as_ref().map(|ahead| ahead.made.at_us);
        next.filter(|at_us| *at_us < until_us)
    }

    /// Takes what was known after the next batch.
    pub(super) fn pass(&mut self, known: Known) {
        self.before = self.last.replace(known);
    }

    /// All of them that were judged, in their order.
    pub(super) fn finish(self) -> Vec<Move> {
        self.judged
    }

    /// Judges the next, with what was known at its moment.
    pub(super) fn judge(&mut self, then: Option<Known>) {
        let Some(ahead) = self.next.take() else {
            return;
        };
        let Ahead {
            mut made,
            needs,
            dismissals,
        } = ahead;
        let known: Vec<&Known> = [&then, &self.last, &self.before].into_iter().flatten().collect();
        made.rung = known.first().map_or(Ladder::None, |known| known.rung(&self.plan, &[]));
        let plan = &*self.plan;
        made.agrees = match &needs {
            // Before the first batch nothing is known, and nothing stands against anything.
            Needs::OpenGate { .. } | Needs::NothingHeld if known.is_empty() => Some(true),
            Needs::OpenGate { .. } | Needs::NothingHeld => {
                let is_free =
                    |dismissals: &[Dismissal]| known.iter().any(|known| known.allows(plan, dismissals, &needs));
                let agrees = is_free(&[]);
                made.dismissed = !agrees && !dismissals.is_empty() && is_free(&dismissals);
                Some(agrees || made.dismissed)
            }
            Needs::Held(reasons) if reasons.is_empty() || known.is_empty() => None,
            Needs::Held(reasons) => {
                let was_raised = |reason: &HoldReason| known.iter().any(|known| known.raises(plan, *reason));
                Some(reasons.iter().all(was_raised))
            }
        };
        self.judged.push(made);
        self.next = self.ahead.next();
    }
}

impl Known {
    /// What was found.
    pub(super) fn of(found: Examination) -> Self {
        Self(Facts {
            evidence: found.standing.abort,
            concerns: found.into(),
            ..Facts::default()
        })
    }

    /// The rung that the evidence had reached, without what was dismissed.
    fn rung(&self, plan: &Plan, dismissals: &[Dismissal]) -> Ladder {
        rollout::standing_rung(plan, dismissals, &self.0.concerns.numbers)
    }

    /// Whether a transition could be made that needs this.
    fn allows(&self, plan: &Plan, dismissals: &[Dismissal], needs: &Needs) -> bool {
        let rung = self.rung(plan, dismissals);
        let left = rollout::undismissed(plan, dismissals, &self.0);
        let concerns = &left.concerns;
        let is_free = concerns.holds.is_empty() && concerns.rule.is_none();
        match needs {
            Needs::OpenGate { early } => is_free && rung == Ladder::None && !(*early && concerns.is_early),
            Needs::NothingHeld => is_free && rung < Ladder::Hold,
            Needs::Held(_) => true,
        }
    }

    /// Whether it held for a reason, dismissed or not.
    fn raises(&self, plan: &Plan, reason: HoldReason) -> bool {
        match reason {
            HoldReason::Evidence => self.rung(plan, &[]) >= Ladder::Hold,
            HoldReason::Early => self.0.concerns.is_early,
            other => self.0.concerns.holds.contains(&other),
        }
    }
}

/// Whether a transition ends the visit that dismissals were for.
fn leaves_the_visit(made: &TransitionRecord) -> bool {
    matches!(
        made.kind.as_str(),
        "started" | "advanced" | "stepped-back" | "bake-started"
    )
}

/// What must have been known for a transition of the engine; none: the guards had no say.
fn needs(plan: &Plan, made: &TransitionRecord) -> Option<Needs> {
    let stage = made.stage as usize;
    let (left, early) = match made.kind.as_str() {
        "advanced" => (stage.checked_sub(1)?, true),
        "bake-started" => (stage, true),
        "completed" => (stage, false),
        "resumed" => return Some(Needs::NothingHeld),
        "held" => return held(&made.detail),
        _ => return None,
    };
    plan.stages.get(left)?.needs_data().then_some(Needs::OpenGate { early })
}

/// The reasons of a hold that guards raise, of those that its detail names; what was found follows them after a colon.
/// None if it is for nothing that was measured.
fn held(detail: &str) -> Option<Needs> {
    let named: Vec<&str> = detail.split(": ").next().unwrap_or_default().split(", ").collect();
    let reasons = HoldReason::ALL
        .into_iter()
        .filter(|reason| named.contains(&reason.name()));
    let reasons: Vec<HoldReason> = reasons.filter(|reason| replayed(*reason) != Replayed::Never).collect();
    let known = reasons
        .iter()
        .copied()
        .filter(|reason| replayed(*reason) == Replayed::Always);
    (!reasons.is_empty()).then(|| Needs::Held(known.collect()))
}

/// How far a replay can tell whether a reason stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replayed {
    /// From the batches and the readings.
    Always,
    /// It rests on what was measured, and on more than that: it is named, and not judged.
    Named,
    /// It is no matter of measurements.
    Never,
}

fn replayed(reason: HoldReason) -> Replayed {
    match reason {
        HoldReason::Evidence
        | HoldReason::Rule
        | HoldReason::Incident
        | HoldReason::SpillOver
        | HoldReason::SampleRatio
        | HoldReason::Early => Replayed::Always,
        // Outcomes that were dropped, and criteria with a stage's minimum and soak, are in no batch.
        HoldReason::Telemetry
        | HoldReason::Inconclusive
        | HoldReason::NoTraffic
        | HoldReason::NoTreatmentTraffic
        | HoldReason::TooFewOutcomes
        | HoldReason::TooFewUnits => Replayed::Named,
        HoldReason::FlagOff | HoldReason::Person | HoldReason::Fix | HoldReason::NoAgents | HoldReason::Stale => {
            Replayed::Never
        }
    }
}

#[cfg(test)]
mod tests;
