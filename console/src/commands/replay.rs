//! A rollout judged again, by its own plan or by other limits. The rollout itself does not move.

use proto::v1;

use crate::{
    args::{Global, WhatIfArgs},
    connect::Session,
    error::{End, Error},
    print::{self, Paint},
    view::replay::{self, ReplayView},
};

/// Judges a rollout again by its own plan; anything that is not as it was recorded is not well.
pub(super) async fn replay(global: &Global, rollout: String) -> Result<End, Error> {
    let replayed = ask(global, rollout, None).await?;
    print::show(global.output, &ReplayView::of(&replayed), || {
        replay::page(&replayed, Paint::of(global))
    })?;
    Ok(if replay::is_same(&replayed) {
        End::Done
    } else {
        End::Unhealthy
    })
}

/// Judges a rollout again by other limits.
pub(super) async fn what_if(global: &Global, options: &WhatIfArgs) -> Result<(), Error> {
    let guard = |harm: &String| v1::Guard {
        harm: harm.clone(),
        ..v1::Guard::default()
    };
    let other = v1::OtherLimits {
        guards: options.guard.iter().map(guard).collect(),
        alpha: options.alpha.unwrap_or_default(),
        max_control_rate: options.max_control_rate.unwrap_or_default(),
    };
    let replayed = ask(global, options.rollout.name.clone(), Some(other)).await?;
    print::show(global.output, &ReplayView::of(&replayed), || replay::what_if(&replayed))
}

async fn ask(
    global: &Global,
    rollout: String,
    other: Option<v1::OtherLimits>,
) -> Result<v1::ReplayRolloutResponse, Error> {
    let session = Session::open(global).await?;
    let request = v1::ReplayRolloutRequest {
        environment: session.environment(),
        rollout,
        other,
    };
    let response = session.rollouts().replay_rollout(session.call(request)).await;
    Ok(response.map_err(|status| session.error(&status))?.into_inner())
}
