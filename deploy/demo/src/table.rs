//! A rollout on one line, in columns that stand still: where it is, what is wanted and acknowledged, the evidence, and
//! both arms of the present stage side by side.

use std::time::Duration;

use proto::v1;

use crate::{
    ending::units,
    figures::{buckets, count, evidence, rate},
};

/// Names of the columns.
pub(crate) fn header() -> String {
    row(
        "time",
        "stage",
        "state",
        ["wanted", "acked", "soaked", "evidence"],
        ["treatment errors", "control errors"],
        "exposed",
    )
}

/// The rollout, so long after its start.
pub(crate) fn line(rollout: &v1::Rollout, since_start: Duration) -> String {
    let counts = rollout.stage_counts.unwrap_or_default();
    let treatment = counts.treatment.unwrap_or_default();
    let total = rollout.total_counts.unwrap_or_default().treatment.unwrap_or_default();
    row(
        &format!("{:.1} s", since_start.as_secs_f64()),
        stage_name(rollout, rollout.stage),
        phase(rollout.phase()),
        [
            &buckets(rollout.wanted_buckets),
            &buckets(rollout.acked_buckets),
            &soaked(rollout),
            &evidence_number(rollout),
        ],
        [&errors(treatment), &errors(counts.control.unwrap_or_default())],
        &count(units(total)),
    )
}

/// The name of a stage.
pub(crate) fn stage_name(rollout: &v1::Rollout, number: u32) -> &str {
    planned(rollout, number).map_or("?", |stage| &stage.name)
}

fn row(time: &str, stage: &str, state: &str, middle: [&str; 4], arms: [&str; 2], exposed: &str) -> String {
    let [wanted, acked, soaked, evidence] = middle;
    let [treatment, control] = arms;
    format!(
        "{time:>6}  {stage:<8} {state:<10} {wanted:>6} {acked:>6} {soaked:>7} {evidence:>9}  {treatment:>16}  \
         {control:>16}  {exposed:>7}"
    )
}

fn planned(rollout: &v1::Rollout, number: u32) -> Option<&v1::Stage> {
    rollout.plan.as_ref()?.stages.get(usize::try_from(number).ok()?)
}

fn soaked(rollout: &v1::Rollout) -> String {
    let whole_s = |us: i64| us / 1_000_000;
    match planned(rollout, rollout.stage) {
        Some(stage) if rollout.clock_started_at_us != 0 && rollout.end.is_none() => {
            format!("{}/{} s", whole_s(rollout.soaked_us), whole_s(stage.dwell_us))
        }
        Some(_) | None => "-".to_owned(),
    }
}

fn evidence_number(rollout: &v1::Rollout) -> String {
    let log = rollout.evidence.as_ref().and_then(|evidence| evidence.log_evidence);
    log.map_or_else(|| "-".to_owned(), evidence)
}

/// How many outcomes were errors, and of how many: `0.97 % of 412`.
fn errors(arm: v1::ArmCount) -> String {
    if arm.outcomes == 0 {
        return "-".to_owned();
    }
    format!("{} of {}", rate(arm.bad, arm.outcomes), count(arm.outcomes))
}

/// What a rollout waits for, in words.
pub(crate) fn waits(rollout: &v1::Rollout) -> String {
    let waits = rollout.waits.iter().map(|wait| wait.detail.as_str());
    waits.collect::<Vec<_>>().join("; ")
}

/// Where a rollout stands, in a word.
fn phase(phase: v1::RolloutPhase) -> &'static str {
    match phase {
        v1::RolloutPhase::Unspecified => "unknown",
        v1::RolloutPhase::Draft => "draft",
        v1::RolloutPhase::Ready => "ready",
        v1::RolloutPhase::AwaitingStart => "awaiting",
        v1::RolloutPhase::Delivering => "ramp",
        v1::RolloutPhase::Soaking => "soak",
        v1::RolloutPhase::Gate => "gate",
        v1::RolloutPhase::Paused => "paused",
        v1::RolloutPhase::Baking => "baking",
        v1::RolloutPhase::RolledBack => "rolled b.",
        v1::RolloutPhase::Superseded => "superseded",
        v1::RolloutPhase::Expired => "expired",
        v1::RolloutPhase::Held => "held",
        v1::RolloutPhase::Aborting => "aborting",
        v1::RolloutPhase::Aborted => "aborted",
        v1::RolloutPhase::Completed => "completed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout() -> v1::Rollout {
        let arm = |bad, outcomes| {
            Some(v1::ArmCount {
                bad,
                outcomes,
                exposures: 420,
                units_estimate: 371,
                ..v1::ArmCount::default()
            })
        };
        let counts = Some(v1::ArmCounts {
            treatment: arm(4, 412),
            control: arm(61, 7_820),
        });
        v1::Rollout {
            plan: Some(crate::plans::plan("checkout-v2")),
            phase: v1::RolloutPhase::Soaking.into(),
            wanted_buckets: 5_000,
            acked_buckets: 5_000,
            clock_started_at_us: 1,
            soaked_us: 3_400_000,
            evidence: Some(v1::Evidence {
                log_evidence: Some(0.0),
                ..v1::Evidence::default()
            }),
            stage_counts: counts,
            total_counts: counts,
            ..v1::Rollout::default()
        }
    }

    #[test]
    fn both_arms_stand_beside_the_evidence() {
        let line = line(&rollout(), Duration::from_millis(12_340));
        for part in [
            "12.3 s",
            "canary",
            "soak",
            "3/20 s",
            " 1 ",
            "0.97 % of 412",
            "0.78 % of 7,820",
            "371",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn columns_stand_still() {
        let ended = v1::Rollout {
            phase: v1::RolloutPhase::Completed.into(),
            stage: 2,
            ..rollout()
        };
        let empty = v1::Rollout {
            plan: ended.plan.clone(),
            ..v1::Rollout::default()
        };
        let lengths = [rollout(), ended, empty].map(|one| line(&one, Duration::ZERO).chars().count());
        assert_eq!(lengths, [header().chars().count(); 3]);
    }
}
