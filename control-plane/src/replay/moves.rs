//! The transitions that the evidence had a say in, held against what the replay knew at the time: a gate of a stage that
//! needs data opens only without evidence, a hold for evidence needs evidence at the hold level.
//!
//! The engine may have moved before the latest batch was in the state that it saw, so a move agrees if either of the
//! last two batches before it allows it. What a person did is a person's decision and is not held against anything; evidence
//! that a person had dismissed by then stands against no gate.

use std::sync::Arc;

use rollout::{EvidenceNumber, Ladder, Plan, state::Dismissal};

use super::Look;
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
    /// Whether the replay gives it; none: no batch tells, because it was made before the first or after the last.
    pub(crate) agrees: Option<bool>,
}

/// What the evidence must be for a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Below the warn level.
    Nothing,
    /// At the hold level at least.
    Hold,
}

/// A transition that is still ahead.
#[derive(Debug)]
struct Ahead {
    made: Move,
    needs: Needs,
    /// What a person had dismissed by then, in the visit that it was made in.
    dismissals: Vec<Dismissal>,
}

/// What was known after a batch.
#[derive(Debug)]
struct Known {
    ladder: Ladder,
    /// Of each guard, from the warn level on.
    numbers: Vec<EvidenceNumber>,
}

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
    /// Those of a log that the evidence had a say in.
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

    /// Takes the next look, and the evidence numbers of the guards: what was made before it rests on those before it.
    pub(super) fn pass(&mut self, look: &Look, numbers: Vec<EvidenceNumber>) {
        while let Some(ahead) = self.next.take_if(|ahead| ahead.made.at_us < look.at_us) {
            self.judge(ahead);
        }
        let ladder = look.ladder;
        self.before = self.last.replace(Known { ladder, numbers });
    }

    /// All of them, in their order.
    pub(super) fn finish(mut self) -> Vec<Move> {
        while let Some(ahead) = self.next.take() {
            self.judge(ahead);
        }
        self.judged
    }

    fn judge(&mut self, ahead: Ahead) {
        let Ahead {
            mut made,
            needs,
            dismissals,
        } = ahead;
        let looks = || [&self.last, &self.before].into_iter().flatten();
        let as_it_was = |known: &Known| known.ladder;
        let as_it_stood = |known: &Known| rollout::standing_rung(&self.plan, &dismissals, &known.numbers);
        made.rung = self.last.as_ref().map_or(Ladder::None, as_it_was);
        made.agrees = match needs {
            // Before the first batch there is no evidence.
            Needs::Nothing => {
                let is_none = |rung: Ladder| rung == Ladder::None;
                let agrees = looks().next().is_none() || looks().map(as_it_was).any(is_none);
                made.dismissed = !agrees && !dismissals.is_empty() && looks().map(as_it_stood).any(is_none);
                Some(agrees || made.dismissed)
            }
            Needs::Hold => {
                let holds = |known: &Known| known.ladder >= Ladder::Hold;
                self.last.as_ref().map(|_| looks().any(holds))
            }
        };
        self.judged.push(made);
        self.next = self.ahead.next();
    }
}

/// Whether a transition ends the visit that dismissals were for.
fn leaves_the_visit(made: &TransitionRecord) -> bool {
    matches!(
        made.kind.as_str(),
        "started" | "advanced" | "stepped-back" | "bake-started"
    )
}

/// What the evidence must have been for a transition of the engine; none: it had no say.
fn needs(plan: &Plan, made: &TransitionRecord) -> Option<Needs> {
    let stage = made.stage as usize;
    let left = match made.kind.as_str() {
        "advanced" => stage.checked_sub(1)?,
        "bake-started" | "completed" => stage,
        "held" => return is_for_evidence(&made.detail).then_some(Needs::Hold),
        _ => return None,
    };
    plan.stages.get(left)?.needs_data().then_some(Needs::Nothing)
}

/// Whether evidence is among the reasons of a hold; what was found follows them after a colon.
fn is_for_evidence(detail: &str) -> bool {
    let reasons = detail.split(": ").next().unwrap_or_default();
    reasons
        .split(", ")
        .any(|reason| reason == rollout::HoldReason::Evidence.name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::Unit;

    use super::*;
    use crate::builders::plan_of;

    fn made(sequence: u64, kind: &str, stage: u32, detail: &str) -> TransitionRecord {
        TransitionRecord {
            sequence,
            at_us: sequence as i64 * 10,
            kind: kind.to_owned(),
            stage,
            detail: detail.to_owned(),
            actor: ENGINE.to_owned(),
            dismissals: Vec::new(),
        }
    }

    fn look(at_us: i64, ladder: Ladder) -> Look {
        Look {
            batch: at_us as u64,
            at_us,
            number: None,
            ladder,
            culprit: None,
            rule: None,
            outcomes: 0,
            units: 0,
        }
    }

    /// Evidence of the first guard of this size is all that there is.
    fn replayed(log: &[TransitionRecord], looks: &[Look]) -> Vec<Move> {
        let plan = plan_of("checkout", Unit::Unit, &[5, 50], 1_000);
        let mut moves = Moves::of(plan.into(), log);
        for look in looks {
            let size = [0.0, 25.0, 60.0, 100.1][look.ladder as usize];
            let number = EvidenceNumber {
                guard: 0,
                horizon: 1,
                log_evidence: f64::ln(size),
            };
            moves.pass(look, vec![number]);
        }
        moves.finish()
    }

    fn judged(log: &[TransitionRecord], looks: &[Look]) -> Vec<(u64, Option<bool>)> {
        let moves = replayed(log, looks).into_iter();
        moves.map(|made| (made.sequence, made.agrees)).collect()
    }

    #[test]
    fn a_gate_that_opened_over_evidence_is_not_what_the_replay_says() {
        let log = [made(1, "started", 0, ""), made(3, "advanced", 1, "")];
        let calm = [look(25, Ladder::None), look(35, Ladder::Abort)];
        assert_eq!(judged(&log, &calm), [(3, Some(true))], "what comes later has no say");
        let harmful = [look(15, Ladder::Warn), look(25, Ladder::Warn), look(35, Ladder::None)];
        assert_eq!(judged(&log, &harmful), [(3, Some(false))]);
        let just_sealed = [look(15, Ladder::None), look(29, Ladder::Warn)];
        assert_eq!(
            judged(&log, &just_sealed),
            [(3, Some(true))],
            "the engine may not have seen it"
        );
    }

    #[test]
    fn a_hold_for_evidence_needs_evidence() {
        let found = "evidence, stale: error-rate > 1x control: evidence 61 (hold at 50)";
        let log = [made(2, "held", 0, found), made(4, "held", 0, "no-agents")];
        assert_eq!(judged(&log, &[look(15, Ladder::Hold)]), [(2, Some(true))]);
        assert_eq!(judged(&log, &[look(15, Ladder::Warn)]), [(2, Some(false))]);
        assert_eq!(judged(&log, &[]), [(2, None)]);
    }

    fn dismissed(sequence: u64, size: f64) -> TransitionRecord {
        let dismissal = Dismissal {
            reason: rollout::HoldReason::Evidence,
            guard: Some(0),
            log_size: Some(size.ln()),
            by: "ada".to_owned(),
            at_us: sequence as i64 * 10,
            why: "a known batch job".to_owned(),
        };
        TransitionRecord {
            dismissals: vec![dismissal],
            actor: "ada".to_owned(),
            ..made(sequence, "dismissed", 0, "")
        }
    }

    #[test]
    fn a_gate_that_opened_over_dismissed_evidence_agrees_because_of_the_dismissal() {
        let log = [dismissed(2, 59.0), made(4, "advanced", 1, "")];
        let agreed = &replayed(&log, &[look(15, Ladder::Hold), look(25, Ladder::Hold)])[0];
        assert_eq!(
            (agreed.agrees, agreed.dismissed, agreed.rung),
            (Some(true), true, Ladder::Hold)
        );
        let calm = &replayed(&log, &[look(15, Ladder::None)])[0];
        assert_eq!((calm.agrees, calm.dismissed), (Some(true), false), "it was not needed");
        for (log, why) in [
            (
                [dismissed(2, 29.0), made(4, "advanced", 1, "")].to_vec(),
                "the evidence had doubled by then",
            ),
            (
                [
                    dismissed(2, 59.0),
                    made(3, "stepped-back", 0, ""),
                    made(4, "advanced", 1, ""),
                ]
                .to_vec(),
                "it was for another visit",
            ),
        ] {
            let found = &replayed(&log, &[look(15, Ladder::Hold), look(25, Ladder::Hold)])[0];
            assert_eq!((found.agrees, found.dismissed), (Some(false), false), "{why}");
        }
        let harmful = [look(15, Ladder::Abort), look(25, Ladder::Abort)];
        assert_eq!(
            judged(&log, &harmful),
            [(4, Some(false))],
            "what aborts is dismissed by nobody"
        );
    }

    #[test]
    fn what_a_person_did_is_not_held_against_anything() {
        let mut advanced = made(3, "advanced", 1, "");
        advanced.actor = "ada".to_owned();
        assert_eq!(
            judged(&[advanced], &[look(15, Ladder::Abort), look(25, Ladder::Abort)]),
            []
        );
    }
}
