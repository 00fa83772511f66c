//! Stored plans: as values for programs, as a page, as rows of a list and of a history.
//!
//! For programs a plan is its document, so that what is shown can be written again; the page puts what people decide on
//! first: the stages, what stops the plan, and who is asked.

use proto::v1;
use serde::Serialize;

use super::rollout_text;
use crate::{
    duration,
    plan_document::PlanDocument,
    print::{self, count, percent},
};

/// A plan as it is stored, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct StoredPlanView {
    environment: String,
    version: u32,
    revision: u64,
    hash: String,
    created_at: Option<String>,
    updated_at: Option<String>,
    updated_by: String,
    reason: String,
    plan: Option<PlanDocument>,
}

impl StoredPlanView {
    /// Of a plan that the control plane sent.
    pub(crate) fn of(stored: &v1::StoredPlan) -> Self {
        Self {
            environment: stored.environment.clone(),
            version: stored.version,
            revision: stored.revision,
            hash: stored.hash.clone(),
            created_at: print::timestamp(stored.created_at_us),
            updated_at: print::timestamp(stored.updated_at_us),
            updated_by: stored.updated_by.clone(),
            reason: stored.reason.clone(),
            plan: stored.plan.as_ref().map(PlanDocument::from_wire),
        }
    }
}

/// How long a stage must soak: `48h`, `permanent`.
pub(crate) fn dwell(stage: &v1::Stage) -> String {
    if stage.permanent {
        "permanent".into()
    } else {
        duration::exact(stage.dwell_us)
    }
}

fn level(guard: &v1::Guard) -> &'static str {
    match guard.level() {
        v1::GuardLevel::Warn => "warn",
        v1::GuardLevel::Hold => "hold",
        v1::GuardLevel::Unspecified | v1::GuardLevel::Abort => "abort",
    }
}

/// One line: `checkout-v2: version 3, revision 1204`.
pub(crate) fn line(stored: &v1::StoredPlan) -> String {
    print::plain(&format!(
        "{}: version {}, revision {} in {}",
        stored.plan.as_ref().map(key).unwrap_or_default(),
        stored.version,
        stored.revision,
        stored.environment
    ))
}

/// The plan's own key, or its flag's.
pub(crate) fn key(plan: &v1::Plan) -> &str {
    if plan.key.is_empty() { &plan.flag } else { &plan.key }
}

/// Everything about a stored plan.
pub(crate) fn stored_page(stored: &v1::StoredPlan) -> String {
    let about = print::pairs([
        ("plan", line(stored)),
        ("hash", stored.hash.clone()),
        ("written", by(stored)),
    ]);
    let plan = stored.plan.as_ref().map(page).unwrap_or_default();
    format!("{about}\n\n{plan}")
}

fn by(stored: &v1::StoredPlan) -> String {
    let reason = match stored.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!(
        "{} by {}{reason}",
        print::moment(stored.updated_at_us),
        stored.updated_by
    )
}

/// What a plan says, for people.
pub(crate) fn page(plan: &v1::Plan) -> String {
    let mut parts = vec![head(plan), stages(plan)];
    parts.extend(Some(limits(plan)).filter(|limits| !limits.is_empty()));
    parts.join("\n\n")
}

fn head(plan: &v1::Plan) -> String {
    let people = plan.people.clone().unwrap_or_default();
    print::pairs([
        ("flag", plan.flag.clone()),
        ("about", plan.description.clone()),
        (
            "arms",
            format!(
                "{} against {}, by {}",
                plan.treatment,
                plan.control,
                rollout_text::splitting_unit(plan.unit())
            ),
        ),
        ("strategy", plan.strategy.clone()),
        ("risk", plan.risk.as_ref().map(risk).unwrap_or_default()),
        ("not before", print::moment(plan.start_at_us)),
        ("windows", plan.windows.join("; ")),
        ("freezes", freezes(plan)),
        ("owner", people.owner),
        ("approvers", people.approvers.join(", ")),
        ("before the start", items(&plan.preflight)),
        ("before the end", items(&plan.exit)),
        ("bake", plan.bake_us.map(duration::exact).unwrap_or_default()),
        (
            "holdback",
            match plan.holdback_buckets {
                0 => String::new(),
                buckets => percent(buckets),
            },
        ),
        (
            "kill switch",
            plan.kill_switch.as_ref().map(kill_switch).unwrap_or_default(),
        ),
        ("manual triggers", plan.manual_triggers.join(", ")),
    ])
}

fn risk(risk: &v1::Risk) -> String {
    let rated = [
        ("user impact", &risk.user_impact),
        ("revenue impact", &risk.revenue_impact),
        ("criticality", &risk.criticality),
        ("reversibility", &risk.reversibility),
    ];
    let known = rated
        .into_iter()
        .filter_map(|(name, rated)| Some((name, rated.as_ref()?)));
    known
        .map(|(name, rated)| format!("{name} {}", rated.level))
        .collect::<Vec<_>>()
        .join(", ")
}

fn freezes(plan: &v1::Plan) -> String {
    let mut freezes: Vec<_> = plan.freezes.iter().collect();
    freezes.sort();
    let freezes = freezes.into_iter().map(|(name, window)| format!("{name}: {window}"));
    freezes.collect::<Vec<_>>().join("; ")
}

fn items(items: &[v1::Item]) -> String {
    items
        .iter()
        .map(|item| item.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn kill_switch(switch: &v1::KillSwitch) -> String {
    let flag = if switch.flag.is_empty() {
        "its own flag"
    } else {
        &switch.flag
    };
    let trips = match (switch.auto_trip, switch.conditions.as_slice()) {
        (_, []) => String::new(),
        (true, conditions) => format!(", trips by itself at {}", conditions.join(" or ")),
        (false, conditions) => format!(", to be tripped at {}", conditions.join(" or ")),
    };
    format!("{flag}{trips}")
}

fn stages(plan: &v1::Plan) -> String {
    let rows = plan.stages.iter().map(|stage| {
        let shadow = if stage.shadow { " (shadow)" } else { "" };
        let approvals = match stage.approvals {
            0 => String::new(),
            approvals => approvals.to_string(),
        };
        [
            format!("{}{shadow}", stage.name),
            percent(stage.buckets),
            audience(stage),
            dwell(stage),
            stage.gate.clone(),
            stage.success.join(" and "),
            stage.rollback.join(" or "),
            approvals,
        ]
    });
    print::table(
        [
            "STAGE",
            "PERCENT",
            "OF",
            "DWELL",
            "GATE",
            "PROCEEDS IF",
            "ROLLS BACK IF",
            "APPROVALS",
        ],
        rows,
    )
}

/// Whose percentage it is.
pub(crate) fn audience(stage: &v1::Stage) -> String {
    if stage.audience.is_empty() {
        "everybody".into()
    } else {
        stage.audience.join(" or ")
    }
}

fn limits(plan: &v1::Plan) -> String {
    let guards = plan.guards.iter().map(|guard| {
        let harm = match guard.harm.as_str() {
            "" => format!("{} > {}x control", guard.metric, ratio(guard.limit)),
            harm => harm.to_owned(),
        };
        format!("{}: {harm}", level(guard))
    });
    let warning = plan.warning.iter().map(|criterion| format!("WARNING: {criterion}"));
    let critical = plan.critical.iter().map(|criterion| format!("CRITICAL: {criterion}"));
    guards
        .chain(warning)
        .chain(critical)
        .map(|line| print::plain(&line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What 0 means on the wire.
fn ratio(limit: f64) -> f64 {
    if limit == 0.0 { 1.0 } else { limit }
}

/// A table, one plan a row.
pub(crate) fn list(plans: &[v1::StoredPlan]) -> String {
    let rows = plans.iter().map(|stored| {
        let plan = stored.plan.clone().unwrap_or_default();
        [
            key(&plan).to_owned(),
            plan.flag.clone(),
            plan.strategy.clone(),
            count(plan.stages.len() as u64),
            stored.version.to_string(),
            stored.updated_by.clone(),
            print::moment(stored.updated_at_us),
        ]
    });
    print::table(
        ["PLAN", "FLAG", "STRATEGY", "STAGES", "VERSION", "WRITTEN BY", "WRITTEN"],
        rows,
    )
}

/// A table, one version a row.
pub(crate) fn history(versions: &[v1::StoredPlan]) -> String {
    let rows = versions.iter().map(|stored| {
        [
            stored.version.to_string(),
            print::moment(stored.updated_at_us),
            stored.updated_by.clone(),
            stored.reason.clone(),
            stored.revision.to_string(),
            print::shortened(&stored.hash, 12),
        ]
    });
    print::table(["VERSION", "AT", "ACTOR", "REASON", "REVISION", "HASH"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_what_moves_it_and_what_stops_it() {
        let stage = v1::Stage {
            name: "canary".into(),
            buckets: 5_000,
            dwell_us: 172_800_000_000,
            audience: vec!["staff".into(), "beta".into()],
            success: vec!["error-rate < 1 %".into()],
            rollback: vec!["p99 > 2x baseline".into()],
            approvals: 2,
            ..Default::default()
        };
        let plan = v1::Plan {
            flag: "checkout".into(),
            treatment: "on".into(),
            control: "off".into(),
            stages: vec![stage],
            guards: vec![v1::Guard {
                metric: "error-rate".into(),
                ..Default::default()
            }],
            critical: vec!["revenue < -5 %".into()],
            freezes: [("lunch".to_owned(), "11:00-14:00".to_owned())].into(),
            ..Default::default()
        };
        let page = page(&plan);
        for part in [
            "on against off, by unit",
            "staff or beta",
            "2d",
            "error-rate < 1 %",
            "p99 > 2x baseline",
            "abort: error-rate > 1x control",
            "CRITICAL: revenue < -5 %",
            "lunch: 11:00-14:00",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("holdback"), "what is not there is not shown: {page}");
    }

    #[test]
    fn an_empty_plan_is_no_reason_to_panic() {
        let empty = v1::StoredPlan::default();
        assert!(
            !stored_page(&empty).is_empty()
                && !list(std::slice::from_ref(&empty)).is_empty()
                && !history(&[empty]).is_empty()
        );
    }
}
