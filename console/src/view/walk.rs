//! Steps that would be made, and what is waited for: each with its time, and how far off that is.

use proto::v1;
use serde::Serialize;

use super::desk::{StepView, WaitingView};
use crate::{
    duration,
    print::{self, plain},
};

/// A walk in virtual time, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct WalkView {
    steps: Vec<StepView>,
    phase: String,
    waits: Vec<WaitingView>,
}

impl WalkView {
    /// Of a walk that the control plane made.
    pub(crate) fn of(walk: &v1::SimulateRolloutResponse) -> Self {
        Self {
            steps: walk.steps.iter().map(StepView::of).collect(),
            phase: walk.phase.clone(),
            waits: walk.waits.iter().map(WaitingView::of).collect(),
        }
    }
}

/// A walk: its steps, the phase at its end, and what it waits for there.
pub(crate) fn page(walk: &v1::SimulateRolloutResponse, now_us: i64) -> String {
    let mut parts = vec![steps(&walk.steps, now_us)];
    parts.extend(end(&walk.phase, &walk.waits, now_us));
    parts.join("\n\n")
}

/// A table, one step a row.
pub(crate) fn steps(steps: &[v1::PlannedStep], now_us: i64) -> String {
    if steps.is_empty() {
        return "no step".into();
    }
    let rows = steps.iter().map(|step| {
        [
            print::moment(step.at_us),
            off(step.at_us, now_us),
            step.kind.clone(),
            step.stage.clone(),
            step.phase.clone(),
        ]
    });
    print::table(["AT", "IN", "STEP", "STAGE", "PHASE"], rows)
}

/// Where a walk ends, and what it waits for there; nothing if that is not said.
pub(crate) fn end(phase: &str, waits: &[v1::Waiting], now_us: i64) -> Option<String> {
    if phase.is_empty() {
        return None;
    }
    let mut lines = vec![format!("ends {}", plain(phase))];
    lines.extend(
        waits
            .iter()
            .map(|wait| format!("  waits for {}", waiting(wait, now_us))),
    );
    Some(lines.join("\n"))
}

/// One thing that is waited for, and until when: `approvals: 1 of 2`, `soak until 2026-06-01 09:00:00Z (in 3h)`.
pub(crate) fn waiting(waiting: &v1::Waiting, now_us: i64) -> String {
    let detail = match waiting.detail.as_str() {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    let until = match waiting.until_us {
        0 => String::new(),
        until => format!(", until {} ({})", print::moment(until), away(until, now_us)),
    };
    plain(&format!("{}{detail}{until}", waiting.kind))
}

/// How far off a moment is: `in 3h12m`, `now`, `5m ago`.
pub(crate) fn away(at_us: i64, now_us: i64) -> String {
    match at_us.saturating_sub(now_us) {
        ahead if ahead >= 1_000_000 => format!("in {}", duration::about(ahead)),
        behind if behind <= -1_000_000 => format!("{} ago", duration::about(behind)),
        _ => "now".into(),
    }
}

/// As `away`, for a column that says "in" already.
fn off(at_us: i64, now_us: i64) -> String {
    let away = away(at_us, now_us);
    away.strip_prefix("in ").map(str::to_owned).unwrap_or(away)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn what_is_waited_for_says_until_when_if_time_tells() {
        let wait = |detail: &str, until_us| v1::Waiting {
            kind: "soak".into(),
            detail: detail.into(),
            until_us,
        };
        let now = 1_767_225_600_000_000;
        assert_eq!(
            waiting(&wait("", now + 27 * HOUR), now),
            "soak, until 2026-01-02 03:00:00Z (in 1d3h)"
        );
        assert_eq!(waiting(&wait("1 of 2", 0), now), "soak: 1 of 2");
        assert!(!waiting(&wait("\u{1b}[2J", 0), now).contains('\u{1b}'));
    }

    #[test]
    fn a_moment_is_ahead_now_or_behind() {
        assert_eq!(
            [away(HOUR, 0), away(400_000, 0), away(0, 90_000_000)],
            ["in 1h", "now", "1m30s ago"]
        );
    }

    #[test]
    fn a_walk_shows_its_steps_and_where_it_ends() {
        let step = v1::PlannedStep {
            at_us: HOUR,
            kind: "advanced".into(),
            stage: "beta".into(),
            phase: "delivering".into(),
        };
        let walk = v1::SimulateRolloutResponse {
            steps: vec![step],
            phase: "gate".into(),
            waits: vec![v1::Waiting {
                kind: "approvals".into(),
                detail: "0 of 1".into(),
                until_us: 0,
            }],
        };
        let page = page(&walk, 0);
        for part in ["advanced", "beta", "1h", "ends gate", "waits for approvals: 0 of 1"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(super::page(&v1::SimulateRolloutResponse::default(), 0), "no step");
    }
}
