//! A replay: whether all is as it was recorded, when each rung was reached, and what other limits would have done.

use proto::v1;
use serde::Serialize;

use crate::{
    duration,
    print::{self, Paint, Tone, count, figure, plain},
};

/// The rungs, in the order in which they are reached.
const RUNGS: [&str; 3] = ["warn", "hold", "abort"];

/// A replay, for programs. Logarithms stay logarithms.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayView {
    rollout: String,
    batches: u64,
    sealed: u64,
    /// None: all agree to the last bit.
    differs_at: Option<u64>,
    decision: String,
    decision_detail: String,
    edited: bool,
    own: Option<CourseView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<CourseView>,
    moves: Vec<MoveView>,
}

#[derive(Debug, Serialize)]
struct CourseView {
    reached: Vec<ReachedView>,
    peak: Option<ReachedView>,
}

#[derive(Debug, Serialize)]
struct ReachedView {
    rung: String,
    batch: u64,
    at: Option<String>,
    log_evidence: Option<f64>,
    guard: u32,
    harm: String,
    outcomes: u64,
    units: u64,
}

#[derive(Debug, Serialize)]
struct MoveView {
    sequence: u64,
    at: Option<String>,
    kind: String,
    rung: String,
    agrees: Option<bool>,
    dismissed: bool,
}

impl ReplayView {
    /// Of what the control plane answered.
    pub(crate) fn of(replay: &v1::ReplayRolloutResponse) -> Self {
        Self {
            rollout: replay.rollout.clone(),
            batches: replay.batches,
            sealed: replay.sealed,
            differs_at: (replay.differs_at != 0).then_some(replay.differs_at),
            decision: replay.decision.clone(),
            decision_detail: replay.decision_detail.clone(),
            edited: replay.edited,
            own: replay.own.as_ref().map(CourseView::of),
            other: replay.other.as_ref().map(CourseView::of),
            moves: replay.moves.iter().map(MoveView::of).collect(),
        }
    }
}

impl CourseView {
    fn of(course: &v1::Course) -> Self {
        Self {
            reached: course.reached.iter().map(ReachedView::of).collect(),
            peak: course.peak.as_ref().map(ReachedView::of),
        }
    }
}

impl ReachedView {
    fn of(reached: &v1::Reached) -> Self {
        Self {
            rung: reached.rung.clone(),
            batch: reached.batch,
            at: print::timestamp(reached.at_us),
            log_evidence: reached.log_evidence,
            guard: reached.guard,
            harm: reached.harm.clone(),
            outcomes: reached.outcomes,
            units: reached.units,
        }
    }
}

impl MoveView {
    fn of(made: &v1::ReplayedMove) -> Self {
        Self {
            sequence: made.sequence,
            at: print::timestamp(made.at_us),
            kind: made.kind.clone(),
            rung: made.rung.clone(),
            agrees: made.agrees,
            dismissed: made.dismissed,
        }
    }
}

/// Whether nothing differs from what was recorded.
pub(crate) fn is_same(replay: &v1::ReplayRolloutResponse) -> bool {
    replay.differs_at == 0 && replay.decision != "differs" && replay.moves.iter().all(|made| made.agrees != Some(false))
}

/// A replay by the rollout's own plan.
pub(crate) fn page(replay: &v1::ReplayRolloutResponse, paint: Paint) -> String {
    let mut parts = vec![head(replay, paint), reached(replay.own.as_ref())];
    parts.extend(other_moves(replay));
    parts.join("\n\n")
}

/// A replay by other limits beside one by the rollout's own.
pub(crate) fn what_if(replay: &v1::ReplayRolloutResponse) -> String {
    let (own, other) = (replay.own.clone().unwrap_or_default(), replay.other.clone());
    let other = other.unwrap_or_default();
    let rows = RUNGS.iter().map(|rung| {
        let (own, other) = (find(&own, rung), find(&other, rung));
        [
            (*rung).to_owned(),
            short(own),
            short(other),
            difference(own, other),
            other.map(|reached| reached.harm.clone()).unwrap_or_default(),
        ]
    });
    let table = print::table(["RUNG", "OWN PLAN", "OTHER LIMITS", "DIFFERENCE", "BY"], rows);
    let peak = |course: &v1::Course| match course.peak.as_ref().and_then(|peak| peak.log_evidence) {
        Some(log) => figure(log),
        None => "none".into(),
    };
    format!(
        "{} of {} batches of {}; nothing was changed\nstrongest evidence: {} by its own plan, {} by other limits\n\n{table}",
        count(replay.batches),
        count(replay.sealed),
        plain(&replay.rollout),
        peak(&own),
        peak(&other),
    )
}

fn head(replay: &v1::ReplayRolloutResponse, paint: Paint) -> String {
    let (good, bad) = (
        |text: &str| paint.tone(Tone::Good, text),
        |text: &str| paint.tone(Tone::Bad, text),
    );
    let name = plain(&replay.rollout);
    let batches = match replay.differs_at {
        0 => good("all evidence agrees to the last bit"),
        batch => bad(&format!("the evidence differs from batch {} on", count(batch))),
    };
    let judged = format!(
        "{name}: {} of {} batches judged again",
        count(replay.batches),
        count(replay.sealed)
    );
    let detail = plain(&replay.decision_detail);
    let decision = match replay.decision.as_str() {
        "same" => good("as the replay says"),
        "differs" => bad(&format!("not as the replay says: {detail}")),
        _ => paint.tone(Tone::Warning, &format!("not replayed: {detail}")),
    };
    let mut lines = vec![format!("{judged}: {batches}"), format!("how it went: {decision}")];
    if replay.edited {
        lines.push("its plan was edited under way: it is judged by the latest version".into());
    }
    lines.join("\n")
}

/// When each rung was reached, and the strongest evidence.
fn reached(course: Option<&v1::Course>) -> String {
    let course = course.cloned().unwrap_or_default();
    let peak = course.peak.iter().map(|peak| ("strongest", Some(peak)));
    let rungs = RUNGS.iter().map(|rung| (*rung, find(&course, rung)));
    let rows = rungs.chain(peak).map(|(name, reached)| match reached {
        None => {
            let mut row = <[String; 7]>::default();
            row[0] = name.to_owned();
            row[1] = "never".to_owned();
            row
        }
        Some(reached) => [
            name.to_owned(),
            print::moment(reached.at_us),
            count(reached.batch),
            reached.log_evidence.map_or_else(|| "rule".into(), figure),
            count(reached.outcomes),
            units(reached.units),
            reached.harm.clone(),
        ],
    });
    print::table(
        ["RUNG", "AT", "BATCH", "EVIDENCE", "TREATMENT OUTCOMES", "UNITS", "BY"],
        rows,
    )
}

/// The transitions that are not as the replay says; what is known of the rest.
fn other_moves(replay: &v1::ReplayRolloutResponse) -> Option<String> {
    let is_other = |made: &&v1::ReplayedMove| made.agrees == Some(false);
    let other: Vec<_> = replay.moves.iter().filter(is_other).collect();
    match (other.as_slice(), replay.moves.len()) {
        ([], 0) => None,
        ([], moves) => {
            let dismissed = replay.moves.iter().filter(|made| made.dismissed).count();
            let over = match dismissed {
                0 => String::new(),
                count => format!("; {count} over what a person had dismissed"),
            };
            let unjudged = match replay.moves.iter().filter(|made| made.agrees.is_none()).count() {
                0 => String::new(),
                count => format!("; {count} not judged: what they rest on is in no batch"),
            };
            Some(format!(
                "transitions that the guards had a say in: {moves}, none differs{over}{unjudged}"
            ))
        }
        (other, _) => {
            let rows = other.iter().map(|made| {
                [
                    made.sequence.to_string(),
                    print::moment(made.at_us),
                    made.kind.clone(),
                    made.rung.clone(),
                ]
            });
            let table = print::table(["SEQUENCE", "AT", "KIND", "EVIDENCE THEN"], rows);
            Some(format!("transitions that the replay does not make:\n{table}"))
        }
    }
}

fn find<'c>(course: &'c v1::Course, rung: &str) -> Option<&'c v1::Reached> {
    course.reached.iter().find(|reached| reached.rung == rung)
}

fn short(reached: Option<&v1::Reached>) -> String {
    reached.map_or_else(
        || "never".into(),
        |reached| {
            format!(
                "{}, after {} outcomes",
                print::moment(reached.at_us),
                count(reached.outcomes)
            )
        },
    )
}

/// How much later or earlier the other limits get there.
fn difference(own: Option<&v1::Reached>, other: Option<&v1::Reached>) -> String {
    let (own, other) = match (own, other) {
        (None, None) => return String::new(),
        (None, Some(_)) => return "only by other limits".into(),
        (Some(_), None) => return "only by its own plan".into(),
        (Some(own), Some(other)) => (own, other),
    };
    if own.batch == other.batch {
        return "the same batch".into();
    }
    let word = if other.batch > own.batch { "later" } else { "earlier" };
    let outcomes = count(other.outcomes.abs_diff(own.outcomes));
    let units = match other.units.abs_diff(own.units) {
        0 => String::new(),
        more => format!(", about {} units", count(more)),
    };
    let time = duration::about(other.at_us.saturating_sub(own.at_us).saturating_abs());
    format!("{time}, {outcomes} outcomes{units} {word}")
}

fn units(units: u64) -> String {
    match units {
        0 => "-".into(),
        units => format!("about {}", count(units)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_767_268_800_000_000;

    fn reached(rung: &str, batch: u64) -> v1::Reached {
        v1::Reached {
            rung: rung.into(),
            batch,
            at_us: NOON + batch as i64 * 10_000_000,
            log_evidence: Some(20_f64.ln() + batch as f64 / 100.0),
            harm: "error-rate > 1x control".into(),
            outcomes: batch * 60,
            units: batch * 12,
            ..Default::default()
        }
    }

    fn replay() -> v1::ReplayRolloutResponse {
        v1::ReplayRolloutResponse {
            rollout: "checkout#3".into(),
            batches: 1_204,
            sealed: 1_204,
            decision: "same".into(),
            own: Some(v1::Course {
                reached: vec![reached("warn", 10), reached("hold", 12)],
                peak: Some(reached("hold", 14)),
            }),
            moves: vec![v1::ReplayedMove {
                sequence: 7,
                at_us: NOON,
                kind: "advanced".into(),
                rung: "none".into(),
                agrees: Some(true),
                dismissed: false,
            }],
            ..Default::default()
        }
    }

    #[test]
    fn a_replay_says_that_all_agrees_and_when_each_rung_was_reached() {
        assert!(is_same(&replay()));
        assert_eq!(
            page(&replay(), Paint::PLAIN),
            "checkout#3: 1,204 of 1,204 batches judged again: all evidence agrees to the last bit\n\
             how it went: as the replay says\n\
             \n\
             RUNG       AT                    BATCH  EVIDENCE  TREATMENT OUTCOMES  UNITS      BY\n\
             warn       2026-01-01 12:01:40Z  10     22.1      600                 about 120  error-rate > 1x control\n\
             hold       2026-01-01 12:02:00Z  12     22.5      720                 about 144  error-rate > 1x control\n\
             abort      never\n\
             strongest  2026-01-01 12:02:20Z  14     23.0      840                 about 168  error-rate > 1x control\n\
             \n\
             transitions that the guards had a say in: 1, none differs"
        );
    }

    #[test]
    fn whatever_differs_is_said_and_is_not_well() {
        let batches = v1::ReplayRolloutResponse {
            differs_at: 17,
            ..replay()
        };
        let decision = v1::ReplayRolloutResponse {
            decision: "differs".into(),
            decision_detail: "the replay aborts after batch 3 of 9, and the rollout is soaking".into(),
            ..replay()
        };
        let mut moved = replay();
        moved.moves[0].agrees = Some(false);
        for (replay, part) in [
            (batches, "the evidence differs from batch 17 on"),
            (decision, "not as the replay says: the replay aborts after batch 3 of 9"),
            (moved, "transitions that the replay does not make:\nSEQUENCE"),
        ] {
            assert!(!is_same(&replay), "{part}");
            let page = page(&replay, Paint::PLAIN);
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn other_limits_stand_beside_the_plans_own() {
        let asked = v1::ReplayRolloutResponse {
            other: Some(v1::Course {
                reached: vec![reached("warn", 15)],
                peak: Some(reached("warn", 15)),
            }),
            ..replay()
        };
        let text = what_if(&asked);
        for part in [
            "1,204 of 1,204 batches of checkout#3; nothing was changed",
            "50s, 300 outcomes, about 60 units later",
            "only by its own plan",
            "never",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn an_empty_answer_is_no_reason_to_panic() {
        let empty = v1::ReplayRolloutResponse::default();
        assert!(!page(&empty, Paint::PLAIN).is_empty() && !what_if(&empty).is_empty());
    }
}
