//! Commands about rollouts that show them, make them and give them plans. What a person does to one is in `acts.rs`,
//! a start in `start.rs`, following one in `watch.rs`, walks in virtual time in `lint.rs`, judging one again in `replay.rs`.

use jiff::Timestamp;
use proto::v1;
use tonic::Status;

use super::{acts, confirm::confirm, lint, pages, replay, start, watch};
use crate::{
    args::{CreateRolloutArgs, EditArgs, Global, RetryArgs, RolloutCommand},
    connect::Session,
    error::{End, Error},
    plan_file,
    print::{self, Paint},
    view::{
        record::{self, RecordView},
        rollout::RolloutView,
        rollout_text, rollout_tree,
    },
};

/// Rollouts in one page of a list: each carries its plan and transitions, and a page is one message.
const PAGE: u32 = 50;

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: RolloutCommand) -> Result<End, Error> {
    match command {
        RolloutCommand::Create(options) => create(global, &options).await?,
        RolloutCommand::Edit(options) => edit(global, &options).await?,
        RolloutCommand::Start(options) => start::start(global, &options).await?,
        RolloutCommand::Retry(options) => retry(global, &options).await?,
        RolloutCommand::Simulate(options) => lint::simulate_rollout(global, &options).await?,
        RolloutCommand::Get(rollout) => get(global, rollout.name).await?,
        RolloutCommand::List(options) => list(global, options.active, options.limit).await?,
        RolloutCommand::Watch(rollout) => return watch::follow(global, rollout.name).await,
        RolloutCommand::Record(rollout) => show_record(global, rollout.name).await?,
        RolloutCommand::Replay(rollout) => return replay::replay(global, rollout.name).await,
        RolloutCommand::WhatIf(options) => replay::what_if(global, &options).await?,
        act => acts::run(global, act).await?,
    }
    Ok(End::Done)
}

/// The rollout as it is now.
pub(super) async fn read(session: &Session, rollout: &str) -> Result<v1::Rollout, Error> {
    let request = v1::GetRolloutRequest {
        environment: session.environment(),
        rollout: rollout.to_owned(),
    };
    let response = session.rollouts().get_rollout(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    Ok(response.into_inner().rollout.unwrap_or_default())
}

/// Shows a rollout in a line, and what to type next.
pub(super) fn show(global: &Global, rollout: &v1::Rollout, next: &str) -> Result<(), Error> {
    print::show(global.output, &RolloutView::of(rollout), || {
        let line = rollout_text::line(rollout);
        match next {
            "" => line,
            next => format!("{line}\n{next} '{}'", print::plain(&rollout.name)),
        }
    })
}

async fn create(global: &Global, options: &CreateRolloutArgs) -> Result<(), Error> {
    let flag = options.flag.as_ref();
    let wanted = start::plan(flag, &options.source)?;
    let session = Session::open(global).await?;
    let ready = start::ready(global, &session, flag, wanted).await?;
    start::warn(&session, &ready).await?;
    let (plan, plan_key) = ready.into_wire();
    let request = v1::CreateRolloutRequest {
        environment: session.environment(),
        plan,
        plan_key,
    };
    let response = session.rollouts().create_rollout(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    let rollout = response.into_inner().rollout.unwrap_or_default();
    show(global, &rollout, "submit it with: tidegate rollout submit")
}

async fn edit(global: &Global, options: &EditArgs) -> Result<(), Error> {
    let plan = plan_file::read(options.document.path()?)?;
    let session = Session::open(global).await?;
    let request = v1::EditRolloutRequest {
        environment: session.environment(),
        rollout: options.act.rollout.name.clone(),
        expected_sequence: options.act.sequence,
        plan: Some(plan),
    };
    let response = session.rollouts().edit_rollout(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    show(global, &response.into_inner().rollout.unwrap_or_default(), "")
}

async fn retry(global: &Global, options: &RetryArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let ended = read(&session, &options.rollout.name).await?;
    let buckets = if options.reshuffle {
        "with buckets of its own: other units than before get the treatment first"
    } else {
        "with the same buckets: the same units get the treatment first"
    };
    let question = format!(
        "Start a new run of {} ({}) in {}, {buckets}?",
        ended.name,
        rollout_text::phase(ended.phase()),
        session.environment()
    );
    confirm(&question, options.yes)?;
    let request = v1::RetryRolloutRequest {
        environment: session.environment(),
        // The one that was seen: a flag's key may name another by now.
        rollout: ended.id,
        reshuffle: options.reshuffle,
    };
    let response = session.rollouts().retry_rollout(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    let rollout = response.into_inner().rollout.unwrap_or_default();
    show(global, &rollout, start::FOLLOW)
}

async fn get(global: &Global, rollout: String) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let rollout = read(&session, &rollout).await?;
    print::show(global.output, &RolloutView::of(&rollout), || {
        let now_us = Timestamp::now().as_microsecond();
        let tree = rollout_tree::lines(&rollout, now_us, 0, Paint::of(global));
        rollout_text::page(&rollout, &tree)
    })
}

async fn list(global: &Global, active_only: bool, limit: u32) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let rollouts = pages::collect(limit as usize, async |page_token| {
        let request = v1::ListRolloutsRequest {
            environment: session.environment(),
            active_only,
            page_size: limit.min(PAGE),
            page_token,
        };
        let response = session.rollouts().list_rollouts(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.rollouts, page.next_page_token))
    })
    .await
    .map_err(|status: Status| session.error(&status))?;
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

async fn show_record(global: &Global, rollout: String) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::GetRecordRequest {
        environment: session.environment(),
        rollout,
    };
    let response = session.rollouts().get_record(session.call(request)).await;
    let record = response.map_err(|status| session.error(&status))?.into_inner();
    print::show(global.output, &RecordView::of(&record), || record::page(&record))
}
