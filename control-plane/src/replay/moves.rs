//! The transitions that the evidence had a say in, held against what the replay knew at the time: a gate of a stage that
//! needs data opens only without evidence, a hold for evidence needs evidence at the hold level.
//!
//! The engine may have moved before the latest batch was in the state that it saw, so a move agrees if either of the
//! last two batches before it allows it. What a person did is a person's decision and is not held against anything.

use rollout::{Ladder, Plan};

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

/// The transitions that are still ahead, and those that are judged.
#[derive(Debug)]
pub(super) struct Moves {
    ahead: std::vec::IntoIter<(Move, Needs)>,
    next: Option<(Move, Needs)>,
    judged: Vec<Move>,
    /// The last two looks.
    before: Option<Look>,
    last: Option<Look>,
}

impl Moves {
    /// Those of a log that the evidence had a say in.
    pub(super) fn of(plan: &Plan, log: &[TransitionRecord]) -> Self {
        let made = log.iter().filter(|made| made.actor == ENGINE);
        let told = made.filter_map(|made| {
            let ahead = Move {
                sequence: made.sequence,
                at_us: made.at_us,
                kind: made.kind.clone(),
                rung: Ladder::None,
                agrees: None,
            };
            Some((ahead, needs(plan, made)?))
        });
        let mut told: Vec<_> = told.collect();
        told.drain(..told.len().saturating_sub(MOST));
        let mut ahead = told.into_iter();
        Self {
            next: ahead.next(),
            ahead,
            judged: Vec::new(),
            before: None,
            last: None,
        }
    }

    /// Takes the next look: what was made before it rests on those before it.
    pub(super) fn pass(&mut self, look: &Look) {
        while let Some((made, needs)) = self.next.take_if(|(made, _)| made.at_us < look.at_us) {
            self.judge(made, needs);
        }
        self.before = self.last.replace(*look);
    }

    /// All of them, in their order.
    pub(super) fn finish(mut self) -> Vec<Move> {
        while let Some((made, needs)) = self.next.take() {
            self.judge(made, needs);
        }
        self.judged
    }

    fn judge(&mut self, mut made: Move, needs: Needs) {
        let looks = [self.last, self.before];
        let allows = |look: &Look| match needs {
            Needs::Nothing => look.ladder == Ladder::None,
            Needs::Hold => look.ladder >= Ladder::Hold,
        };
        made.rung = self.last.map_or(Ladder::None, |look| look.ladder);
        made.agrees = match needs {
            // Before the first batch there is no evidence.
            Needs::Nothing => Some(looks.iter().flatten().count() == 0 || looks.iter().flatten().any(allows)),
            Needs::Hold => self.last.map(|_| looks.iter().flatten().any(allows)),
        };
        self.judged.push(made);
        self.next = self.ahead.next();
    }
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

    fn judged(log: &[TransitionRecord], looks: &[Look]) -> Vec<(u64, Option<bool>)> {
        let mut moves = Moves::of(&plan_of("checkout", Unit::Unit, &[5, 50], 1_000), log);
        looks.iter().for_each(|look| moves.pass(look));
        let moves = moves.finish().into_iter();
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
