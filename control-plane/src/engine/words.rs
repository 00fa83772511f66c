//! What happened, in words for people, and as the audit calls it.

use rollout::{
    AbortCause, HoldReason, Plan, RollbackCause, Signal, State as Progress, Transition,
    criterion::Criterion,
    duration,
    evidence::budget::{Ladder, Standing},
    state::Dismissal,
};

use crate::record::RolloutRecord;

/// The largest evidence that is written out; beyond it nobody reads the digits.
const LARGEST: f64 = 1e6;

/// A transition in words; `standing` is the evidence that it rests on, and `signals` what holds without evidence.
pub(super) fn detail(
    record: &RolloutRecord,
    progress: &Progress,
    transition: &Transition,
    standing: &Standing,
    signals: &[Signal],
) -> String {
    match transition {
        Transition::Submitted => "submitted".to_owned(),
        Transition::Approved(None) => "the start is approved".to_owned(),
        Transition::Approved(Some(at)) => format!("the gate of {} is approved", stage(record, *at)),
        Transition::StartAsked => "to be started".to_owned(),
        Transition::Started => format!("entering {}", stage(record, progress.stage)),
        Transition::ClockStarted => "99 % of the live agents have applied the stage".to_owned(),
        Transition::GateReached => format!("the dwell of {} is over", stage(record, progress.stage)),
        Transition::Extended { by_us, times } => {
            format!("{} longer ({times}. extension)", duration::about(*by_us))
        }
        Transition::Advanced { from, to } => {
            let policy = record.plan.stages.get(*from).map_or("", |stage| stage.policy.name());
            format!("gate {policy} is open; entering {}", stage(record, *to))
        }
        Transition::SteppedBack { from, to } => format!("from {} back to {}", stage(record, *from), stage(record, *to)),
        Transition::Held(reasons) => {
            let names = reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>();
            let names = names.join(", ");
            let evidence = found(record, standing).filter(|_| reasons.contains(&HoldReason::Evidence));
            let is_of = |signal: &&Signal| reasons.contains(&signal.reason);
            let rules = signals.iter().filter(is_of).filter_map(|signal| signal.guard);
            let rules = rules.map(|guard| harm(record, guard));
            match evidence.into_iter().chain(rules).collect::<Vec<_>>() {
                found if found.is_empty() => names,
                found => format!("{names}: {}", found.join("; ")),
            }
        }
        Transition::Paused => "the clock stands".to_owned(),
        Transition::Resumed => "what held it is gone".to_owned(),
        Transition::HorizonCut => "units count anew".to_owned(),
        Transition::BakeStarted => "the last gate is open; everybody keeps what they have for a while".to_owned(),
        Transition::RolledBack(RollbackCause::Criterion { stage, criterion }) => {
            let written = record
                .plan
                .stages
                .get(*stage)
                .and_then(|stage| stage.rollback.get(*criterion));
            let written = written.map(Criterion::to_string).unwrap_or_default();
            format!("rollback criterion holds: {written}")
        }
        Transition::RolledBack(RollbackCause::Person) => "rolled back by hand".to_owned(),
        Transition::Aborted(cause) => aborted(record, cause),
        Transition::AbortDelivered => "every live agent has the abort on disk".to_owned(),
        Transition::Completed => format!("{} is the flag's default", record.plan.treatment),
        Transition::Superseded => "an edit of the flag takes its place".to_owned(),
        Transition::Expired => "it was not started in 90 days".to_owned(),
        Transition::Ticked { item, .. } => format!("{item} is done"),
        Transition::Unticked { item, .. } => format!("{item} is open again"),
        Transition::IssueAdded { number, title } => format!("issue {number}: {title}"),
        Transition::IssueClosed { number } => format!("issue {number} is closed"),
        Transition::FixAsked => "the gate waits until every issue is closed".to_owned(),
        Transition::Dismissed(dismissals) => {
            let each = dismissals.iter().map(|dismissal| dismissed(record, dismissal));
            format!("dismissed {}", each.collect::<Vec<_>>().join(", "))
        }
        Transition::Acknowledged => "seen".to_owned(),
        Transition::Rebased => "a new version of the plan".to_owned(),
        Transition::Archived => "put away".to_owned(),
    }
}

/// Which guard's evidence is at the hold level, and how much it is.
fn found(record: &RolloutRecord, standing: &Standing) -> Option<String> {
    let alpha = record.plan.alpha;
    let (_, number) = standing.culprit(alpha).filter(|(rung, _)| *rung >= Ladder::Hold)?;
    Some(format!(
        "{}: evidence {} (hold at {:.0})",
        harm(record, number.guard),
        shown(number.log_evidence),
        0.5 / alpha
    ))
}

fn aborted(record: &RolloutRecord, cause: &AbortCause) -> String {
    match cause {
        AbortCause::Evidence {
            guard,
            horizon,
            log_evidence,
        } => {
            format!(
                "{}: evidence {} (abort at {:.0}), horizon {horizon}",
                harm(record, *guard),
                shown(*log_evidence),
                1.0 / record.plan.alpha
            )
        }
        AbortCause::Rule { guard } => format!("{}: a limit that needs no evidence", harm(record, *guard)),
        AbortCause::SpillOver { guard } => format!(
            "{}: spill-over suspected: both arms are beyond it since the stage changed, and have not recovered in five \
             minutes",
            harm(record, *guard)
        ),
        AbortCause::Person => "aborted by hand".to_owned(),
        AbortCause::Trigger(name) => format!("manual trigger {name}"),
    }
}

/// A signal that a person has judged to be no harm: `evidence 61 of p95 > 1x control`.
fn dismissed(record: &RolloutRecord, dismissal: &Dismissal) -> String {
    let size = dismissal.log_size.map(|log| format!(" {}", shown(log)));
    let of = dismissal.guard.map(|guard| format!(" of {}", harm(record, guard)));
    let stage = record.plan.stages.get(record.state.stage);
    let failing = dismissal.criterion.and_then(|position| stage?.success.get(position));
    let failing = failing.map(|written| format!(": {written}"));
    let name = dismissal.reason.name();
    [Some(name.to_owned()), size, of, failing]
        .into_iter()
        .flatten()
        .collect()
}

fn harm(record: &RolloutRecord, guard: usize) -> String {
    harm_of(&record.plan, guard)
}

/// What a guard says is harm, and what it is called.
pub(crate) fn harm_of(plan: &Plan, guard: usize) -> String {
    let Some(guard) = plan.guards.get(guard) else {
        return "harm".to_owned();
    };
    let harm = Criterion::Compare(guard.harm.clone()).to_string();
    match guard.name() {
        Some(name) => format!("{harm} ({name})"),
        None => harm,
    }
}

/// What a person did, as the audit calls it.
pub(super) fn action(transition: &Transition) -> &'static str {
    match transition {
        Transition::Submitted => "rollout.submit",
        Transition::Approved(_) => "rollout.approve",
        Transition::Extended { .. } => "rollout.extend",
        Transition::Held(_) => "rollout.hold",
        Transition::Paused => "rollout.pause",
        Transition::Resumed => "rollout.resume",
        Transition::Ticked { .. } | Transition::Unticked { .. } => "rollout.tick",
        Transition::IssueAdded { .. } => "rollout.add-issue",
        Transition::IssueClosed { .. } => "rollout.close-issue",
        Transition::FixAsked => "rollout.fix",
        Transition::Dismissed(_) => "rollout.dismiss",
        Transition::Acknowledged => "rollout.acknowledge",
        Transition::Rebased => "rollout.edit",
        Transition::Archived => "rollout.archive",
        Transition::StartAsked
        | Transition::Started
        | Transition::ClockStarted
        | Transition::GateReached
        | Transition::Advanced { .. }
        | Transition::SteppedBack { .. }
        | Transition::HorizonCut
        | Transition::BakeStarted
        | Transition::RolledBack(_)
        | Transition::Aborted(_)
        | Transition::AbortDelivered
        | Transition::Completed
        | Transition::Superseded
        | Transition::Expired => "rollout.move",
    }
}

fn stage(record: &RolloutRecord, position: usize) -> String {
    let stage = record.plan.stages.get(position);
    stage.map_or_else(String::new, |stage| {
        format!("{} at {} %", stage.name, record.plan.wanted(position))
    })
}

/// An evidence number in words; what decides stays a logarithm.
fn shown(log: f64) -> String {
    match log.exp() {
        evidence if evidence < LARGEST => format!("{evidence:.0}"),
        // A logarithm to the base of ten never overflows.
        _ => format!("10^{:.0}", (log / std::f64::consts::LN_10).floor()),
    }
}

#[cfg(test)]
mod tests {
    use rollout::{EvidenceNumber, Guard, Unit};

    use super::*;
    use crate::builders::{SECOND_US, rollout_of};

    #[test]
    fn a_hold_for_evidence_says_which_guard_found_it() {
        let mut record = rollout_of(Unit::Unit, &[50], SECOND_US);
        let mut plan = (*record.plan).clone();
        plan.guards.push(Guard::slower_than_control());
        record.plan = plan.into();
        let standing = Standing {
            hold: Some(EvidenceNumber {
                guard: 1,
                horizon: 1,
                log_evidence: 61.0_f64.ln(),
                is_doubted: false,
            }),
            ..Standing::default()
        };
        let transition = Transition::Held(vec![HoldReason::Evidence, HoldReason::Stale]);
        let said = |standing: &Standing| detail(&record, &record.state, &transition, standing, &[]);
        let expected = "evidence, stale: p95 > 1x control (slower than control): evidence 61 (hold at 50)";
        assert_eq!(said(&standing), expected);
        assert_eq!(said(&Standing::default()), "evidence, stale");
    }

    #[test]
    fn an_abort_by_a_spill_over_says_what_it_is() {
        let record = rollout_of(Unit::Unit, &[50], SECOND_US);
        let said = |cause| {
            detail(
                &record,
                &record.state,
                &Transition::Aborted(cause),
                &Standing::default(),
                &[],
            )
        };
        assert_eq!(
            said(AbortCause::SpillOver { guard: 0 }),
            "error-rate > 1x control: spill-over suspected: both arms are beyond it since the stage changed, and have \
             not recovered in five minutes"
        );
        assert_eq!(
            said(AbortCause::Rule { guard: 0 }),
            "error-rate > 1x control: a limit that needs no evidence"
        );
    }

    #[test]
    fn a_hold_for_a_rule_says_which_is_broken() {
        let record = rollout_of(Unit::Unit, &[50], SECOND_US);
        let transition = Transition::Held(vec![HoldReason::Rule, HoldReason::Stale]);
        let of = |reason| Signal {
            guard: Some(0),
            ..Signal::bare(reason)
        };
        let signals = [of(HoldReason::Rule), of(HoldReason::Incident)];
        let said = detail(&record, &record.state, &transition, &Standing::default(), &signals);
        assert_eq!(said, "rule, stale: error-rate > 1x control");
    }

    #[test]
    fn large_evidence_is_shown_by_its_size() {
        for (log, text) in [
            (0.0, "1"),
            (61.0_f64.ln(), "61"),
            (999_999.4_f64.ln(), "999999"),
            (2e6_f64.ln(), "10^6"),
            (610.0, "10^264"),
            (10_000.0, "10^4342"),
            (f64::INFINITY, "10^inf"),
        ] {
            assert_eq!(shown(log), text);
        }
    }
}
