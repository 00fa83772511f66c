//! A start: of a plan from a document, from options or from those that are stored, or of a rollout that was created.
//!
//! A person at a terminal sees what will be started, what lint has to say, and is asked. A script that names a plan
//! means it: it is asked nothing, and told what lint warns of.

use evaluation::Key;
use jiff::Timestamp;
use proto::v1;
use rollout::strategy::Strategy;

use super::{
    confirm::{confirm, is_asked},
    draft, plans, rollouts,
};
use crate::{
    args::{self, Global, InlinePlan, PlanSource, StartArgs, UnitArg},
    connect::Session,
    error::Error,
    plan_file,
    print::{self, Paint},
    view::{lint, plan as plan_view, rollout_tree},
};

/// What to type after a start.
pub(super) const FOLLOW: &str = "follow it with: tidegate rollout watch";

/// A plan that is to be executed, as it was asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    /// This one.
    Plan(Box<v1::Plan>),
    /// The stored one of this key.
    Stored(Key),
    /// One of this strategy, for this flag, between these arms.
    Drafted {
        flag: Key,
        strategy: Strategy,
        treatment: Option<String>,
        control: Option<String>,
    },
}

/// A plan that the control plane can be asked to execute.
#[derive(Debug)]
pub(super) enum Ready {
    /// This one.
    Plan(Box<v1::Plan>),
    /// The stored one of this key.
    Stored(Key, Box<v1::Plan>),
}

impl Ready {
    /// The plan and the key of a request, one of which is empty.
    pub(super) fn into_wire(self) -> (Option<v1::Plan>, String) {
        match self {
            Self::Plan(plan) => (Some(*plan), String::new()),
            Self::Stored(key, _) => (None, key.to_string()),
        }
    }

    fn plan(&self) -> &v1::Plan {
        match self {
            Self::Plan(plan) | Self::Stored(_, plan) => plan,
        }
    }
}

/// Starts it, and shows the rollout.
pub(super) async fn start(global: &Global, options: &StartArgs) -> Result<(), Error> {
    let request = match named_rollout(options)? {
        Some(rollout) => {
            let session = Session::open(global).await?;
            let expected_sequence = created(global, &session, rollout, options).await?;
            let request = v1::StartRolloutRequest {
                rollout: rollout.to_owned(),
                expected_sequence,
                ..v1::StartRolloutRequest::default()
            };
            (session, request)
        }
        None => {
            let flag = options
                .target
                .as_deref()
                .map(args::key)
                .transpose()
                .map_err(Error::usage)?;
            let wanted = plan(flag.as_ref(), &options.source)?;
            let session = Session::open(global).await?;
            let is_drafted = matches!(wanted, Wanted::Drafted { .. });
            let ready = ready(global, &session, flag.as_ref(), wanted).await?;
            // What nobody wrote, somebody must have seen.
            if is_drafted || is_asked(options.yes) {
                shown(global, &session, &ready).await?;
                ask(&session, ready.plan(), options.yes)?;
            } else {
                warn(&session, &ready).await?;
            }
            let (plan, plan_key) = ready.into_wire();
            let request = v1::StartRolloutRequest {
                plan,
                plan_key,
                ..v1::StartRolloutRequest::default()
            };
            (session, request)
        }
    };
    let (session, request) = request;
    begin(global, &session, request).await
}

/// Asks the control plane for a start.
async fn begin(global: &Global, session: &Session, request: v1::StartRolloutRequest) -> Result<(), Error> {
    let request = v1::StartRolloutRequest {
        environment: session.environment(),
        ..request
    };
    let response = session.rollouts().start_rollout(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    rollouts::show(global, &response.into_inner().rollout.unwrap_or_default(), FOLLOW)
}

/// The rollout that is named, if no plan is given in any other way.
fn named_rollout(options: &StartArgs) -> Result<Option<&str>, Error> {
    let has_plan = options.source.file.is_some()
        || options.source.plan.is_some()
        || options.source.strategy.is_some()
        || !options.source.inline.stage.is_empty();
    match &options.target {
        Some(target) if !has_plan && is_rollout(target) => Ok(Some(target)),
        Some(target) if !has_plan => Err(Error::usage(format!(
            "{target}: with which plan? -f FILE, --plan KEY, --strategy NAME, or --treatment, --control and --stage; a rollout that was \
             created is named by its display name, such as {target}#1"
        ))),
        Some(target) if is_rollout(target) => Err(Error::usage(format!(
            "{target} has its plan already: start it without another, or give it one with: tidegate rollout edit"
        ))),
        Some(_) | None => match options.sequence {
            Some(_) => Err(Error::usage("--sequence is of a rollout that was created: name it")),
            None => Ok(None),
        },
    }
}

/// Whether this names a rollout and no flag: a display name, or an id in its usual form.
fn is_rollout(target: &str) -> bool {
    let is_id = || {
        let groups: Vec<&str> = target.split('-').collect();
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups
                .iter()
                .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    target.contains('#') || is_id()
}

/// Shows a rollout that was created and asks; gives the sequence to expect.
async fn created(global: &Global, session: &Session, rollout: &str, options: &StartArgs) -> Result<Option<u64>, Error> {
    if !is_asked(options.yes) {
        return Ok(options.sequence);
    }
    let seen = rollouts::read(session, rollout).await?;
    let now_us = Timestamp::now().as_microsecond();
    print::aside(&rollout_tree::lines(&seen, now_us, 0, Paint::of(global)).join("\n"));
    confirm(&format!("Start {} in {}?", seen.name, session.environment()), false)?;
    Ok(Some(options.sequence.unwrap_or(seen.sequence)))
}

/// The plan that is wanted; a document must move the flag that is named.
pub(super) fn plan(flag: Option<&Key>, source: &PlanSource) -> Result<Wanted, Error> {
    match (&source.file, &source.plan, flag) {
        (Some(file), _, flag) => {
            let plan = plan_file::read(file)?;
            match flag {
                Some(flag) if flag.as_str() != plan.flag => Err(Error::usage(format!(
                    "{}: the plan moves {}, not {flag}",
                    file.display(),
                    plan.flag
                ))),
                Some(_) | None => Ok(Wanted::Plan(Box::new(plan))),
            }
        }
        (None, Some(key), _) => Ok(Wanted::Stored(key.clone())),
        (None, None, Some(flag)) if !source.inline.stage.is_empty() => {
            Ok(Wanted::Plan(Box::new(from_options(flag, &source.inline))))
        }
        (None, None, Some(flag)) if source.strategy.is_some() => Ok(Wanted::Drafted {
            flag: flag.clone(),
            strategy: source.strategy.unwrap_or_default(),
            treatment: source.inline.treatment.clone(),
            control: source.inline.control.clone(),
        }),
        (None, None, _) => Err(Error::usage(
            "a plan is needed: -f FILE, --plan KEY, or a flag with --strategy NAME or --treatment, --control and --stage",
        )),
    }
}

/// The plan, read or drafted; a stored one must move the flag that is named.
pub(super) async fn ready(
    global: &Global,
    session: &Session,
    flag: Option<&Key>,
    wanted: Wanted,
) -> Result<Ready, Error> {
    match wanted {
        Wanted::Plan(plan) => Ok(Ready::Plan(plan)),
        Wanted::Drafted {
            flag,
            strategy,
            treatment,
            control,
        } => {
            let (treatment, control) = (treatment.as_deref(), control.as_deref());
            let plan = draft::of_strategy(global, session, &flag, strategy, treatment, control).await?;
            Ok(Ready::Plan(Box::new(plan)))
        }
        Wanted::Stored(key) => {
            let stored = plans::read(session, &key, 0).await;
            let stored = stored.map_err(|status| session.error(&status))?;
            let plan = stored.plan.unwrap_or_default();
            match flag {
                Some(flag) if plan.flag != flag.as_str() => {
                    Err(Error::usage(format!("{key}: the plan moves {}, not {flag}", plan.flag)))
                }
                Some(_) | None => Ok(Ready::Stored(key, Box::new(plan))),
            }
        }
    }
}

/// What was not given stays 0 or empty: the control plane gives it its default.
fn from_options(flag: &Key, options: &InlinePlan) -> v1::Plan {
    let stage = |stage: &v1::Stage| v1::Stage {
        minimum_outcomes: options.minimum_outcomes,
        minimum_units: options.minimum_units,
        ..stage.clone()
    };
    let guard = |limit| v1::Guard {
        metric: "error-rate".into(),
        limit,
        level: v1::GuardLevel::Abort.into(),
        ..v1::Guard::default()
    };
    let unit = match options.unit {
        None => v1::SplittingUnit::Unspecified,
        Some(UnitArg::Unit) => v1::SplittingUnit::Unit,
        Some(UnitArg::Request) => v1::SplittingUnit::Request,
    };
    v1::Plan {
        flag: flag.to_string(),
        treatment: options.treatment.clone().unwrap_or_default(),
        control: options.control.clone().unwrap_or_default(),
        unit: unit.into(),
        stages: options.stage.iter().map(stage).collect(),
        guards: options.limit.map(guard).into_iter().collect(),
        alpha: options.alpha.unwrap_or_default(),
        max_control_rate: options.max_control_rate.unwrap_or_default(),
        lost_after_us: options.lost_after.unwrap_or_default(),
        bake_us: options.bake,
        ..v1::Plan::default()
    }
}

/// What lint has to say of a plan.
async fn linted(session: &Session, ready: &Ready) -> Result<v1::LintPlanResponse, Error> {
    let (plan, plan_key) = match ready {
        Ready::Plan(plan) => (Some(plan.as_ref().clone()), String::new()),
        Ready::Stored(key, _) => (None, key.to_string()),
    };
    let request = v1::LintPlanRequest {
        environment: session.environment(),
        plan,
        plan_key,
        start_at_us: 0,
    };
    let found = session.plans().lint_plan(session.call(request)).await;
    Ok(found.map_err(|status| session.error(&status))?.into_inner())
}

/// Says what is worth a second thought, such as a guard without its baseline, where nobody is asked. What is refused is
/// left to the call that follows.
pub(super) async fn warn(session: &Session, ready: &Ready) -> Result<(), Error> {
    match linted(session, ready).await {
        Ok(found) => {
            for warning in &found.warnings {
                print::note(&format!("warning: {}", lint::note_line(warning)));
            }
            Ok(())
        }
        Err(Error::Refused(_) | Error::Usage(_)) => Ok(()),
        Err(error @ (Error::Unreachable { .. } | Error::Unanswered { .. } | Error::Output(_))) => Err(error),
    }
}

/// Shows a plan and what lint has to say to whoever is asked; what lint refuses is refused.
async fn shown(global: &Global, session: &Session, ready: &Ready) -> Result<(), Error> {
    print::aside(&format!("{}\n", plan_view::page(ready.plan())));
    let found = linted(session, ready).await?;
    if !found.violations.is_empty() {
        return Err(Error::Refused(found.violations.iter().map(lint::note_line).collect()));
    }
    let now_us = Timestamp::now().as_microsecond();
    print::aside(&format!("{}\n", lint::report(&found, now_us, Paint::of(global))));
    Ok(())
}

fn ask(session: &Session, plan: &v1::Plan, yes: bool) -> Result<(), Error> {
    let question = format!(
        "Start it: {} from {} to {} in {}?",
        plan.flag,
        plan.control,
        plan.treatment,
        session.environment()
    );
    confirm(&question, yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_told_from_a_flag() {
        for rollout in ["checkout#3", "0192f3c4-7a1b-7c3d-8e5f-0123456789ab"] {
            assert!(is_rollout(rollout), "{rollout}");
        }
        for flag in [
            "checkout",
            "checkout-v2-new-one-x-y",
            "0192f3c4-7a1b-7c3d-8e5f-0123456789xy",
        ] {
            assert!(!is_rollout(flag), "{flag}");
        }
    }
}
