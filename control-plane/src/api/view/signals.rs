//! What stands against a rollout at this moment, and what of it a person has dismissed: one line for each signal.
//!
//! Of the same facts that the engine reads. A dismissal that has lapsed is shown with its signal, as raised.

use proto::v1;
use rollout::{Facts, HoldReason, Plan, Signal, State, state::Dismissal};

use crate::engine::harm_of;

/// The signals that are raised, and those that are dismissed though nothing raises them now.
pub(super) fn signals(plan: &Plan, progress: &State, known: &Facts) -> Vec<v1::Signal> {
    if !progress.is_live() {
        return Vec::new();
    }
    let raised = rollout::raised(plan, progress, known);
    let given = &progress.desk.dismissals;
    let is_of = |dismissal: &Dismissal, signal: &Signal| about(signal) == about(&dismissal.signal());
    let mut shown: Vec<v1::Signal> = raised
        .iter()
        .map(|signal| {
            let last = given.iter().rfind(|dismissal| is_of(dismissal, signal));
            let shown = v1::Signal {
                log_size: signal.log_size,
                raised: true,
                dismissed: rollout::is_dismissed(plan, progress, signal),
                ..named(plan, progress, signal)
            };
            with(shown, last)
        })
        .collect();
    for (at, dismissal) in given.iter().enumerate() {
        let signal = dismissal.signal();
        let is_raised = raised.iter().any(|raised| about(raised) == about(&signal));
        // The latest of several about the same.
        let is_said_again = given[at + 1..].iter().any(|later| is_of(later, &signal));
        if !is_raised && !is_said_again {
            let dismissed = v1::Signal {
                dismissed: true,
                ..named(plan, progress, &signal)
            };
            shown.push(with(dismissed, Some(dismissal)));
        }
    }
    shown
}

/// What tells signals apart, whatever their size.
fn about(signal: &Signal) -> (HoldReason, Option<usize>, Option<usize>) {
    (signal.reason, signal.guard, signal.criterion)
}

fn named(plan: &Plan, progress: &State, signal: &Signal) -> v1::Signal {
    let stage = plan.stages.get(progress.stage);
    let criterion = signal.criterion.and_then(|position| stage?.success.get(position));
    v1::Signal {
        signal: signal.reason.name().to_owned(),
        guard: signal.guard.map(|guard| guard as u32),
        harm: signal.guard.map(|guard| harm_of(plan, guard)).unwrap_or_default(),
        criterion: criterion.map(ToString::to_string).unwrap_or_default(),
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
