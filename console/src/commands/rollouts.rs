//! Commands about rollouts, except following one (`watch.rs`).

use proto::v1;

use super::watch;
use crate::{
    args::{Global, RolloutCommand, StartArgs, UnitArg},
    connect::Session,
    document,
    error::{End, Error},
    plan_document::PlanDocument,
    print,
    view::{rollout::RolloutView, rollout_text},
};

/// Rollouts in one page of a list: each carries its plan and transitions, and a page is one message.
const PAGE: u32 = 50;

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: RolloutCommand) -> Result<End, Error> {
    match command {
        RolloutCommand::Start(options) => start(global, &options).await?,
        RolloutCommand::Get(rollout) => get(global, rollout.name).await?,
        RolloutCommand::List(options) => list(global, options.active, options.limit).await?,
        RolloutCommand::Watch(rollout) => return watch::follow(global, rollout.name).await,
        RolloutCommand::Abort(rollout) => abort(global, rollout.name).await?,
    }
    Ok(End::Done)
}

async fn start(global: &Global, options: &StartArgs) -> Result<(), Error> {
    let plan = plan(options)?;
    let session = Session::open(global).await?;
    let request = v1::StartRolloutRequest {
        environment: session.environment(),
        plan: Some(plan),
    };
    let response = session.rollouts().start_rollout(session.call(request)).await;
    let rollout = response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .rollout
        .unwrap_or_default();
    print::show(global.output, &RolloutView::of(&rollout), || {
        format!(
            "{}\nfollow it with: tidegate rollout watch '{}'",
            rollout_text::line(&rollout),
            rollout.name
        )
    })
}

fn plan(options: &StartArgs) -> Result<v1::Plan, Error> {
    let Some(file) = &options.file else {
        return Ok(plan_from_options(options));
    };
    let document: PlanDocument = document::read(file)?;
    let plan = document.to_wire().map_err(Error::Usage)?;
    match &options.flag {
        Some(flag) if flag.as_str() != plan.flag => Err(Error::usage(format!(
            "{}: the plan moves {}, not {flag}",
            file.display(),
            plan.flag
        ))),
        Some(_) | None => Ok(plan),
    }
}

/// What was not given stays 0 or empty: the control plane gives it its default.
fn plan_from_options(options: &StartArgs) -> v1::Plan {
    let stage = |stage: &v1::Stage| v1::Stage {
        minimum_outcomes: options.minimum_outcomes,
        minimum_units: options.minimum_units,
        ..stage.clone()
    };
    let guard = |limit| v1::Guard {
        metric: "error-rate".into(),
        limit,
        level: v1::GuardLevel::Abort.into(),
    };
    let unit = match options.unit {
        None => v1::SplittingUnit::Unspecified,
        Some(UnitArg::Unit) => v1::SplittingUnit::Unit,
        Some(UnitArg::Request) => v1::SplittingUnit::Request,
    };
    v1::Plan {
        key: String::new(),
        flag: options
            .flag
            .as_ref()
            .map(|flag| flag.as_str().to_owned())
            .unwrap_or_default(),
        description: String::new(),
        treatment: options.treatment.clone().unwrap_or_default(),
        control: options.control.clone().unwrap_or_default(),
        unit: unit.into(),
        stages: options.stage.iter().map(stage).collect(),
        guards: options.limit.map(guard).into_iter().collect(),
        alpha: options.alpha.unwrap_or_default(),
        max_control_rate: options.max_control_rate.unwrap_or_default(),
        lost_after_us: options.lost_after.unwrap_or_default(),
    }
}

async fn get(global: &Global, rollout: String) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::GetRolloutRequest {
        environment: session.environment(),
        rollout,
    };
    let response = session.rollouts().get_rollout(session.call(request)).await;
    let rollout = response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .rollout
        .unwrap_or_default();
    print::show(global.output, &RolloutView::of(&rollout), || {
        rollout_text::page(&rollout)
    })
}

async fn list(global: &Global, active_only: bool, limit: u32) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let mut rollouts: Vec<v1::Rollout> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListRolloutsRequest {
            environment: session.environment(),
            active_only,
            page_size: limit.min(PAGE),
            page_token,
        };
        let response = session.rollouts().list_rollouts(session.call(request)).await;
        let page = response.map_err(|status| session.error(&status))?.into_inner();
        rollouts.extend(page.rollouts);
        page_token = page.next_page_token;
        if page_token.is_empty() || rollouts.len() >= limit as usize {
            break;
        }
    }
    rollouts.truncate(limit as usize);
    let views: Vec<RolloutView> = rollouts.iter().map(RolloutView::of).collect();
    print::show(global.output, &views, || match rollouts.as_slice() {
        [] => format!(
            "no {}rollouts in {}",
            if active_only { "active " } else { "" },
            session.environment()
        ),
        rollouts => rollout_text::list(rollouts),
    })
}

async fn abort(global: &Global, rollout: String) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let environment = session.environment();
    // Sequence 0: an abort by hand is right wherever the rollout stands by now.
    let request = v1::AbortRolloutRequest {
        environment,
        rollout,
        expected_sequence: None,
    };
    let response = session.rollouts().abort_rollout(session.call(request)).await;
    let rollout = response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .rollout
        .unwrap_or_default();
    print::show(global.output, &RolloutView::of(&rollout), || {
        format!(
            "{}\nthe agents are being told; see the proof with: tidegate rollout watch '{}'",
            rollout_text::line(&rollout),
            rollout.name
        )
    })
}
