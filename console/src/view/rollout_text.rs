//! How rollouts are shown: a line per change, a row in a list, a page of their own, their transitions and their end.
//!
//! Both arms stand side by side with the same numbers, because a number of one arm alone says nothing. The evidence
//! stands beside the levels that it is measured against.

use proto::v1;

use super::{plan, recovery};
use crate::{
    duration,
    print::{self, count, figure, percent, plain, rate},
};

/// Where a rollout stands, in a word.
pub(crate) fn phase(phase: v1::RolloutPhase) -> &'static str {
    match phase {
        v1::RolloutPhase::Unspecified => "unknown",
        v1::RolloutPhase::Delivering => "delivering",
        v1::RolloutPhase::Soaking => "soaking",
        v1::RolloutPhase::Held => "held",
        v1::RolloutPhase::Aborting => "aborting",
        v1::RolloutPhase::Aborted => "aborted",
        v1::RolloutPhase::Completed => "completed",
        v1::RolloutPhase::Draft => "draft",
        v1::RolloutPhase::Ready => "ready",
        v1::RolloutPhase::AwaitingStart => "awaiting-start",
        v1::RolloutPhase::Gate => "gate",
        v1::RolloutPhase::Paused => "paused",
        v1::RolloutPhase::Baking => "baking",
        v1::RolloutPhase::RolledBack => "rolled-back",
        v1::RolloutPhase::Superseded => "superseded",
        v1::RolloutPhase::Expired => "expired",
    }
}

/// What is split between the arms, in a word.
pub(crate) fn splitting_unit(unit: v1::SplittingUnit) -> &'static str {
    match unit {
        v1::SplittingUnit::Unspecified | v1::SplittingUnit::Unit => "unit",
        v1::SplittingUnit::Request => "request",
    }
}

/// One line: where it stands, how far it is delivered, how long it soaked, the evidence, and both arms in this stage.
pub(crate) fn line(rollout: &v1::Rollout) -> String {
    let mut parts = vec![format!("{} {}", rollout.name, standing(rollout))];
    parts.push(format!(
        "treatment {} wanted, {} acked",
        percent(rollout.wanted_buckets),
        percent(rollout.acked_buckets)
    ));
    if rollout.end.is_none() {
        parts.push(soaked(rollout));
    }
    if !rollout.waits.is_empty() && rollout.end.is_none() {
        parts.push(format!("waits for {}", waits(rollout)));
    }
    if rollout.evidence.is_some() {
        parts.push(format!("evidence {}", evidence_now(rollout)));
    }
    if let Some(counts) = &rollout.stage_counts {
        parts.push(format!("treatment {}", arm(counts.treatment.as_ref())));
        parts.push(format!("control {}", arm(counts.control.as_ref())));
    }
    plain(&parts.join(" | "))
}

/// The phase, the stage it is in, and why it is held.
fn standing(rollout: &v1::Rollout) -> String {
    let phase = phase(rollout.phase());
    let held = match (rollout.hold_reasons.as_slice(), rollout.hold_reason.as_str()) {
        ([], "") => String::new(),
        ([], reason) => format!(" ({reason})"),
        (reasons, _) => format!(" ({})", reasons.join(", ")),
    };
    match stage(rollout.plan.as_ref(), rollout.stage) {
        Some((name, of)) => format!("{phase}{held} {name} {}/{of}", rollout.stage + 1),
        None => format!("{phase}{held}"),
    }
}

/// What it waits for, in a word each.
fn waits(rollout: &v1::Rollout) -> String {
    let wait = |wait: &v1::Waiting| match (wait.kind.as_str(), wait.detail.as_str()) {
        (kind, "") => kind.to_owned(),
        (kind, detail) => format!("{kind} ({detail})"),
    };
    rollout.waits.iter().map(wait).collect::<Vec<_>>().join(", ")
}

/// A stage's name, and how many there are.
fn stage(plan: Option<&v1::Plan>, number: u32) -> Option<(&str, usize)> {
    let stages = &plan?.stages;
    stages
        .get(usize::try_from(number).ok()?)
        .map(|stage| (stage.name.as_str(), stages.len()))
}

/// The dwell of the present visit, in microseconds: as the control plane says it, or else as the plan does.
pub(crate) fn dwell_us(rollout: &v1::Rollout) -> i64 {
    if rollout.dwell_us != 0 {
        return rollout.dwell_us;
    }
    let plan = rollout.plan.as_ref();
    let stage = plan.and_then(|plan| plan.stages.get(usize::try_from(rollout.stage).ok()?));
    stage.map(|stage| stage.dwell_us).unwrap_or_default()
}

/// The dwell of the present visit: `48h`, `permanent`.
pub(crate) fn dwell(rollout: &v1::Rollout) -> String {
    if rollout.permanent {
        "permanent".into()
    } else {
        duration::exact(dwell_us(rollout))
    }
}

fn soaked(rollout: &v1::Rollout) -> String {
    match rollout.clock_started_at_us {
        0 => "clock not started".into(),
        _ if stage(rollout.plan.as_ref(), rollout.stage).is_none() => {
            format!("soaked {}", duration::rounded(rollout.soaked_us))
        }
        _ => format!("soaked {} of {}", duration::rounded(rollout.soaked_us), dwell(rollout)),
    }
}

/// The evidence beside its levels, and of which guard it is where that may not abort by it.
fn evidence_now(rollout: &v1::Rollout) -> String {
    let Some(evidence) = &rollout.evidence else {
        return String::new();
    };
    let shown = show_evidence(evidence);
    let guards = rollout.plan.iter().flat_map(|plan| &plan.guards);
    let mut leads = guards.skip(evidence.guard as usize).take(1);
    match leads.next().filter(|_| evidence.log_evidence.is_some()) {
        Some(guard) if matches!(guard.level(), v1::GuardLevel::Warn | v1::GuardLevel::Hold) => {
            let level = guard.level().as_str_name();
            let level = level.strip_prefix("GUARD_LEVEL_").unwrap_or(level);
            format!("{shown} of {}, level {}", guard.harm, level.to_ascii_lowercase())
        }
        Some(_) | None => shown,
    }
}

/// The evidence number beside its levels.
pub(crate) fn show_evidence(evidence: &v1::Evidence) -> String {
    let number = evidence.log_evidence.map_or_else(|| "none yet".into(), figure);
    let stale = if evidence.fresh { "" } else { ", not fresh" };
    format!(
        "{number} (warn {}, hold {}, abort {}: {}{stale})",
        figure(evidence.log_warn),
        figure(evidence.log_hold),
        figure(evidence.log_abort),
        if evidence.level.is_empty() {
            "none"
        } else {
            &evidence.level
        },
    )
}

fn arm(counts: Option<&v1::ArmCount>) -> String {
    let counts = counts.copied().unwrap_or_default();
    match counts.outcomes {
        0 => format!("no outcomes of {} exposures", count(counts.exposures)),
        outcomes => format!(
            "{} bad of {} ({})",
            count(counts.bad),
            count(outcomes),
            rate(counts.bad, outcomes)
        ),
    }
}

/// One transition.
pub(crate) fn transition(transition: &v1::Transition, plan: Option<&v1::Plan>) -> String {
    let at = print::moment(transition.at_us);
    let stage = stage(plan, transition.stage)
        .map(|(name, _)| format!(" [{name}]"))
        .unwrap_or_default();
    let detail = if transition.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", transition.detail)
    };
    let actor = if transition.actor.is_empty() {
        String::new()
    } else {
        format!(" by {}", transition.actor)
    };
    plain(format!("{at} {}{stage}{actor}{detail}", transition.kind).trim_start())
}

/// The end: who decided and why, the numbers at the decision, and the proof that the treatment is gone.
pub(crate) fn end(end: &v1::RolloutEnd) -> String {
    let mut parts = vec![format!(
        "{} by {}",
        end.outcome,
        if end.actor.is_empty() { &end.cause } else { &end.actor }
    )];
    if !end.reason.is_empty() {
        parts.push(end.reason.clone());
    }
    parts.extend(
        end.evidence
            .as_ref()
            .map(|evidence| format!("evidence {}", show_evidence(evidence))),
    );
    if let Some(treatment) = end.counts.as_ref().and_then(|counts| counts.treatment.as_ref()) {
        parts.push(format!(
            "about {} units were exposed to the treatment",
            count(treatment.units_estimate)
        ));
    }
    if end.time_to_trip_us != 0 {
        parts.push(format!("{} into its stage", duration::rounded(end.time_to_trip_us)));
    }
    if end.time_to_zero_us != 0 {
        parts.push(format!("time to zero {}", duration::rounded(end.time_to_zero_us)));
    }
    if end.outcome == "aborted" {
        let persisted = print::moment(end.persisted_at_us);
        parts.push(match persisted.as_str() {
            "" => "not yet persisted by every live agent".into(),
            at => format!("persisted by every live agent at {at}"),
        });
    }
    parts.extend(end.recovery.as_ref().map(|recovery| recovery::recovery(end, recovery)));
    plain(&parts.join(" | "))
}

/// A table, one rollout a row.
pub(crate) fn list(rollouts: &[v1::Rollout]) -> String {
    let rows = rollouts.iter().map(|rollout| {
        let level = rollout
            .evidence
            .as_ref()
            .and_then(|evidence| evidence.log_evidence.map(figure));
        [
            rollout.name.clone(),
            standing(rollout),
            percent(rollout.wanted_buckets),
            percent(rollout.acked_buckets),
            level.unwrap_or_default(),
            rollout.started_by.clone(),
            print::moment(rollout.started_at_us),
            rollout.end.as_ref().map(|end| end.reason.clone()).unwrap_or_default(),
        ]
    });
    print::table(
        [
            "ROLLOUT",
            "STATE",
            "WANTED",
            "ACKED",
            "EVIDENCE",
            "STARTED BY",
            "STARTED",
            "END",
        ],
        rows,
    )
}

/// Everything about one rollout; `tree` is its tree of stages.
pub(crate) fn page(rollout: &v1::Rollout, tree: &[String]) -> String {
    let plan = rollout.plan.as_ref();
    let transitions = rollout.transitions.iter().map(|one| transition(one, plan));
    let transitions = transitions.collect::<Vec<_>>().join("\n");
    [head(rollout), tree.join("\n"), counts(rollout), transitions]
        .join("\n\n")
        .trim_end()
        .to_owned()
}

/// Its plan in short, and where it stands.
fn head(rollout: &v1::Rollout) -> String {
    let plan = rollout.plan.clone().unwrap_or_default();
    let unit = splitting_unit(plan.unit());
    let treatment = percent(rollout.wanted_buckets);
    let acked = percent(rollout.acked_buckets);
    let started = print::moment(rollout.started_at_us);
    let delivery = rollout.delivery.as_ref().map(delivery).unwrap_or_default();
    let evidence = evidence_now(rollout);
    let (soaked, end) = match &rollout.end {
        None => (soaked(rollout), String::new()),
        Some(reached) => (String::new(), end(reached)),
    };
    print::pairs([
        ("rollout", rollout.name.clone()),
        ("id", rollout.id.clone()),
        ("flag", plan.flag.clone()),
        (
            "arms",
            format!("{} against {}, by {unit}", plan.treatment, plan.control),
        ),
        ("stages", stages(&plan)),
        ("plan", plan_version(rollout)),
        ("retry of", retry(rollout)),
        ("state", standing(rollout)),
        ("sequence", rollout.sequence.to_string()),
        ("soaked", soaked),
        ("treatment", format!("{treatment} wanted, {acked} acked")),
        ("delivery", delivery),
        ("evidence", evidence),
        ("started", format!("{started} by {}", rollout.started_by)),
        ("bake", print::moment(rollout.baking_since_us)),
        ("acknowledged", print::moment(rollout.acknowledged_at_us)),
        ("archived", if rollout.archived { "yes".into() } else { String::new() }),
        ("end", end),
    ])
}

fn plan_version(rollout: &v1::Rollout) -> String {
    match rollout.plan_version {
        0 => String::new(),
        version => format!("version {version}, hash {}", rollout.plan_hash),
    }
}

fn retry(rollout: &v1::Rollout) -> String {
    match (rollout.retry_of.as_str(), rollout.reshuffled) {
        ("", _) => String::new(),
        (of, false) => of.to_owned(),
        (of, true) => format!("{of}, with buckets of its own"),
    }
}

fn stages(plan: &v1::Plan) -> String {
    let show = |stage: &v1::Stage| format!("{} {} for {}", stage.name, percent(stage.buckets), plan::dwell(stage));
    plan.stages.iter().map(show).collect::<Vec<_>>().join(", ")
}

/// How far the wanted revision has come.
pub(crate) fn delivery(delivery: &v1::Delivery) -> String {
    let unreached = match delivery.unreached.as_slice() {
        [] => String::new(),
        agents => format!("; not reached: {}", agents.join(", ")),
    };
    format!(
        "revision {} applied by {} and persisted by {} of {} live agents{unreached}",
        delivery.wanted_revision, delivery.applied, delivery.persisted, delivery.live
    )
}

/// Both arms side by side, in this stage and in all.
fn counts(rollout: &v1::Rollout) -> String {
    arms([
        ("this stage".to_owned(), rollout.stage_counts.as_ref()),
        ("all stages".to_owned(), rollout.total_counts.as_ref()),
    ])
}

/// Both arms of each scope side by side.
pub(crate) fn arms<'c>(scopes: impl IntoIterator<Item = (String, Option<&'c v1::ArmCounts>)>) -> String {
    let known = scopes.into_iter().filter_map(|(scope, counts)| Some((scope, counts?)));
    let rows = known.flat_map(|(scope, counts)| {
        [
            arm_row(&scope, "treatment", counts.treatment.as_ref()),
            arm_row(&scope, "control", counts.control.as_ref()),
        ]
    });
    let header = [
        "IN",
        "ARM",
        "EXPOSURES",
        "OUTCOMES",
        "BAD",
        "ERROR RATE",
        "BAD UNITS",
        "UNITS",
    ];
    print::table(header, rows)
}

fn arm_row(scope: &str, arm: &str, counts: Option<&v1::ArmCount>) -> [String; 8] {
    let counts = counts.copied().unwrap_or_default();
    [
        scope.to_owned(),
        arm.to_owned(),
        count(counts.exposures),
        count(counts.outcomes),
        count(counts.bad),
        rate(counts.bad, counts.outcomes),
        count(counts.bad_units),
        format!("about {}", count(counts.units_estimate)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout() -> v1::Rollout {
        let stage = |name: &str, buckets, dwell_us| v1::Stage {
            name: name.into(),
            buckets,
            dwell_us,
            ..Default::default()
        };
        let arm = |bad, outcomes| v1::ArmCount {
            bad,
            outcomes,
            exposures: outcomes,
            ..Default::default()
        };
        v1::Rollout {
            name: "checkout#3".into(),
            phase: v1::RolloutPhase::Soaking.into(),
            plan: Some(v1::Plan {
                stages: vec![stage("canary", 5_000, 600_000_000), stage("all", 100_000, 0)],
                ..Default::default()
            }),
            clock_started_at_us: 1,
            soaked_us: 190_000_000,
            wanted_buckets: 5_000,
            acked_buckets: 5_000,
            evidence: Some(v1::Evidence {
                log_evidence: Some(1.3_f64.ln()),
                log_warn: 10_f64.ln(),
                log_hold: 31.6_f64.ln(),
                log_abort: 100_f64.ln(),
                level: "none".into(),
                fresh: true,
                ..Default::default()
            }),
            stage_counts: Some(v1::ArmCounts {
                treatment: Some(arm(3, 400)),
                control: Some(arm(50, 8_000)),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_line_shows_both_arms_and_the_levels() {
        assert_eq!(
            line(&rollout()),
            "checkout#3 soaking canary 1/2 | treatment 5 % wanted, 5 % acked | soaked 3m10s of 10m | \
             evidence 1.30 (warn 10.0, hold 31.6, abort 100: none) | treatment 3 bad of 400 (0.75 %) | \
             control 50 bad of 8,000 (0.62 %)"
        );
    }

    #[test]
    fn evidence_that_only_holds_says_of_which_guard_it_is() {
        let mut held = rollout();
        let guard = |harm: &str, level: v1::GuardLevel| v1::Guard {
            harm: harm.into(),
            level: level.into(),
            ..Default::default()
        };
        held.plan.as_mut().unwrap().guards = vec![
            guard("error-rate > 1x control", v1::GuardLevel::Abort),
            guard("p95 > 1x control", v1::GuardLevel::Hold),
        ];
        assert!(line(&held).contains("abort 100: none) |"), "{}", line(&held));
        let evidence = held.evidence.as_mut().unwrap();
        (evidence.guard, evidence.log_evidence) = (1, Some(61_f64.ln()));
        evidence.level = "hold".into();
        let expected = "evidence 61.0 (warn 10.0, hold 31.6, abort 100: hold) of p95 > 1x control, level hold |";
        assert!(line(&held).contains(expected), "{}", line(&held));
    }

    #[test]
    fn nothing_known_is_said_and_not_shown_as_zero() {
        let silent = v1::Rollout {
            phase: v1::RolloutPhase::Held.into(),
            hold_reason: "no data".into(),
            clock_started_at_us: 0,
            evidence: Some(v1::Evidence {
                log_evidence: None,
                ..Default::default()
            }),
            stage_counts: Some(v1::ArmCounts::default()),
            ..rollout()
        };
        let line = line(&silent);
        for part in [
            "held (no data) canary 1/2",
            "clock not started",
            "none yet",
            "not fresh",
            "no outcomes of 0",
        ] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn an_unknown_stage_or_an_empty_rollout_is_no_reason_to_panic() {
        let odd = v1::Rollout {
            stage: u32::MAX,
            ..rollout()
        };
        assert!(line(&odd).starts_with("checkout#3 soaking |"), "{}", line(&odd));
        let empty = v1::Rollout::default();
        assert!(!page(&empty, &[]).is_empty() && !list(&[empty]).is_empty());
    }

    #[test]
    fn an_abort_shows_its_numbers_and_its_proof() {
        let aborted = v1::RolloutEnd {
            outcome: "aborted".into(),
            actor: "tidegate".into(),
            reason: "error rate 3.1 times the control".into(),
            time_to_zero_us: 412_345,
            persisted_at_us: 1_767_225_600_000_000,
            counts: Some(v1::ArmCounts {
                treatment: Some(v1::ArmCount {
                    units_estimate: 1_216,
                    ..Default::default()
                }),
                control: None,
            }),
            ..Default::default()
        };
        assert_eq!(
            end(&aborted),
            "aborted by tidegate | error rate 3.1 times the control | about 1,216 units were exposed to the treatment \
             | time to zero 412ms | persisted by every live agent at 2026-01-01 00:00:00Z"
        );
    }
}
