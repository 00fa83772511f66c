//! What is to be said about a plan before anything happens: lint, and walks in virtual time.
//!
//! Nothing here stores or starts anything.

use jiff::Timestamp;
use proto::v1;

use super::plans;
use crate::{
    args::{Global, LintArgs, PlanSimulateArgs, ScenarioArg, ScenarioArgs, SimulateArgs},
    connect::Session,
    error::{End, Error},
    plan_file,
    print::{self, Paint},
    view::{
        lint::{self, LintView},
        walk::{self, WalkView},
    },
};

/// Says all that is to be said about a plan; violations are not well.
pub(super) async fn lint(global: &Global, options: &LintArgs) -> Result<End, Error> {
    let plan = &options.what.plan;
    let document = options.what.path().map(plan_file::read).transpose()?;
    let session = Session::open(global).await?;
    let request = v1::LintPlanRequest {
        environment: session.environment(),
        plan: document,
        plan_key: plan.as_ref().map(ToString::to_string).unwrap_or_default(),
        start_at_us: options.start_at.unwrap_or_default(),
    };
    let response = session.plans().lint_plan(session.call(request)).await;
    let found = response.map_err(|status| session.error(&status))?.into_inner();
    print::show(global.output, &LintView::of(&found), || {
        lint::report(&found, Timestamp::now().as_microsecond(), Paint::of(global))
    })?;
    Ok(if found.violations.is_empty() {
        End::Done
    } else {
        End::Unhealthy
    })
}

/// Walks a plan in virtual time.
pub(super) async fn simulate(global: &Global, options: &PlanSimulateArgs) -> Result<(), Error> {
    let plan = &options.what.plan;
    let document = options.what.path().map(plan_file::read).transpose()?;
    let request = request(&options.scenario)?;
    let session = Session::open(global).await?;
    let plan = match (document, plan) {
        (Some(document), _) => Some(document),
        (None, Some(key)) => {
            let stored = plans::read(&session, key, 0).await;
            stored.map_err(|status| session.error(&status))?.plan
        }
        (None, None) => return Err(Error::usage("a document or --plan KEY is needed")),
    };
    walk(global, &session, v1::SimulateRolloutRequest { plan, ..request }).await
}

/// Walks on from where a rollout stands, in virtual time.
pub(super) async fn simulate_rollout(global: &Global, options: &SimulateArgs) -> Result<(), Error> {
    let request = v1::SimulateRolloutRequest {
        rollout: options.rollout.name.clone(),
        ..request(&options.scenario)?
    };
    let session = Session::open(global).await?;
    walk(global, &session, request).await
}

/// What happens on the way; from which rollout or plan is left to the caller.
fn request(options: &ScenarioArgs) -> Result<v1::SimulateRolloutRequest, Error> {
    let stage = options.stage.clone().unwrap_or_default();
    let is_harm = options.scenario == ScenarioArg::Harm;
    if is_harm == stage.is_empty() {
        return Err(Error::usage(
            "--scenario harm needs the stage in which the harm shows: --stage NAME; other scenarios have none",
        ));
    }
    Ok(v1::SimulateRolloutRequest {
        scenario: options.scenario.name().into(),
        stage,
        from_us: options.from.unwrap_or_default(),
        ..v1::SimulateRolloutRequest::default()
    })
}

async fn walk(global: &Global, session: &Session, request: v1::SimulateRolloutRequest) -> Result<(), Error> {
    let request = v1::SimulateRolloutRequest {
        environment: session.environment(),
        ..request
    };
    let from = match request.from_us {
        0 => Timestamp::now().as_microsecond(),
        from => from,
    };
    let response = session.rollouts().simulate_rollout(session.call(request)).await;
    let walked = response.map_err(|status| session.error(&status))?.into_inner();
    print::show(global.output, &WalkView::of(&walked), || walk::page(&walked, from))
}
