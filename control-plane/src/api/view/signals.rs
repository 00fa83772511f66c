//! What stands against a rollout at this moment, and what of it a person has dismissed: one line for each signal.
//!
//! Of the same facts that the engine reads. A dismissal that has lapsed is shown with its signal, as raised.

use proto::v1;
use rollout::{Facts, Plan, Signal, State, state::Dismissal};

use crate::engine::harm_of;

/// The signals that are raised, and those that are dismissed though nothing raises them now.
pub(super) fn signals(plan: &Plan, progress: &State, known: &Facts) -> Vec<v1::Signal> {
    if !progress.is_live() {
        return Vec::new();
    }
    let raised = rollout::raised(plan, progress, known);
    let given = &progress.desk.dismissals;
    let is_of =
        |dismissal: &Dismissal, signal: &Signal| (dismissal.reason, dismissal.guard) == (signal.reason, signal.guard);
    let mut shown: Vec<v1::Signal> = raised
        .iter()
        .map(|signal| {
            let last = given.iter().rfind(|dismissal| is_of(dismissal, signal));
            let shown = v1::Signal {
                log_size: signal.log_size,
                raised: true,
                dismissed: rollout::is_dismissed(progress, signal),
                ..named(plan, signal)
            };
            with(shown, last)
        })
        .collect();
    let unraised = given
        .iter()
        .filter(|dismissal| !raised.iter().any(|signal| is_of(dismissal, signal)));
    for dismissal in unraised {
        let signal = Signal {
            reason: dismissal.reason,
            guard: dismissal.guard,
            log_size: None,
        };
        let dismissed = v1::Signal {
            dismissed: true,
            ..named(plan, &signal)
        };
        // The latest of several about the same.
        shown.retain(|other| (&other.signal, other.guard) != (&dismissed.signal, dismissed.guard));
        shown.push(with(dismissed, Some(dismissal)));
    }
    shown
}

fn named(plan: &Plan, signal: &Signal) -> v1::Signal {
    v1::Signal {
        signal: signal.reason.name().to_owned(),
        guard: signal.guard.map(|guard| guard as u32),
        harm: signal.guard.map(|guard| harm_of(plan, guard)).unwrap_or_default(),
        ..v1::Signal::default()
    }
}

fn with(shown: v1::Signal, dismissal: Option<&Dismissal>) -> v1::Signal {
    let Some(dismissal) = dismissal else { return shown };
    v1::Signal {
        dismissed_log_size: dismissal.log_size,
        by: dismissal.by.clone(),
        at_us: dismissal.at_us,
        why: dismissal.why.clone(),
        ..shown
    }
}
