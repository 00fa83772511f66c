//! What a person does to a rollout: one call each, the rollout as it is then in one line.
//!
//! What lowers exposure asks nothing and expects nothing: it is right wherever the rollout stands by now. What raises it
//! is confirmed by whoever saw where it stands, and is refused if the rollout has moved meanwhile.

use std::time::Duration;

use proto::v1::{self, act_request::Act};

use super::{confirm::confirm, rollouts};
use crate::{
    args::{ActArgs, CertainArgs, Global, IssueCommand, RolloutCommand, TickArgs},
    connect::Session,
    error::Error,
    nearest::nearest,
    view::rollout_text,
};

/// What to type after an end by hand.
const PROOF: &str = "the agents are being told; see the proof with: tidegate rollout watch";

/// Runs one of the acts; other commands about rollouts are none.
pub(super) async fn run(global: &Global, command: RolloutCommand) -> Result<(), Error> {
    const NOTHING: v1::Nothing = v1::Nothing {};
    match command {
        RolloutCommand::Submit(of) => act(global, &of, Act::Submit(NOTHING)).await,
        RolloutCommand::Approve(of) => act(global, &of, Act::Approve(NOTHING)).await,
        RolloutCommand::Pause(of) => act(global, &of, Act::Pause(NOTHING)).await,
        RolloutCommand::Resume(of) => act(global, &of, Act::Resume(NOTHING)).await,
        RolloutCommand::Advance(of) => certain(global, &of, "Advance", Act::Advance(NOTHING)).await,
        RolloutCommand::Hold(of) => act(global, &of, Act::Hold(NOTHING)).await,
        RolloutCommand::Fix(of) => act(global, &of, Act::Fix(NOTHING)).await,
        RolloutCommand::Extend(options) => {
            let by_us = options.by.map(microseconds).unwrap_or_default();
            act(global, &options.act, Act::Extend(v1::Extend { by_us })).await
        }
        RolloutCommand::StepBack(options) => {
            let stage = options.to;
            act(global, &options.act, Act::StepBack(v1::StepBack { stage })).await
        }
        RolloutCommand::RollBack(of) => end(global, &of, Act::RollBack(NOTHING)).await,
        RolloutCommand::Abort(of) => abort(global, &of).await,
        RolloutCommand::Trigger(options) => {
            let name = options.trigger;
            end(global, &options.act, Act::Trigger(v1::Trigger { name })).await
        }
        RolloutCommand::Tick(options) => tick(global, options, false).await,
        RolloutCommand::Untick(options) => tick(global, options, true).await,
        RolloutCommand::Issue(IssueCommand::Add(options)) => {
            let title = options.title;
            act(global, &options.act, Act::AddIssue(v1::Found { title })).await
        }
        RolloutCommand::Issue(IssueCommand::Close(options)) => {
            let closing = v1::Closing {
                number: options.number,
                resolution: options.resolution,
            };
            act(global, &options.act, Act::CloseIssue(closing)).await
        }
        RolloutCommand::Dismiss(options) => {
            if global.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                return Err(Error::usage(
                    "say why with --reason: a dismissal is kept with its reason",
                ));
            }
            let dismissing = v1::Dismissing {
                signal: options.signal.name().to_owned(),
                guard: options.guard,
            };
            act(global, &options.act, Act::Dismiss(dismissing)).await
        }
        RolloutCommand::Acknowledge(of) => act(global, &of, Act::Acknowledge(NOTHING)).await,
        RolloutCommand::Complete(of) => certain(global, &of, "Complete", Act::Complete(NOTHING)).await,
        RolloutCommand::Archive(of) => act(global, &of, Act::Archive(NOTHING)).await,
        RolloutCommand::Create(_)
        | RolloutCommand::Edit(_)
        | RolloutCommand::Start(_)
        | RolloutCommand::Retry(_)
        | RolloutCommand::Simulate(_)
        | RolloutCommand::Replay(_)
        | RolloutCommand::WhatIf(_)
        | RolloutCommand::List(_)
        | RolloutCommand::Get(_)
        | RolloutCommand::Watch(_)
        | RolloutCommand::Record(_) => Err(Error::usage("this is no act")),
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

async fn act(global: &Global, of: &ActArgs, act: Act) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let rollout = call(&session, of.rollout.name.clone(), of.sequence, act).await?;
    rollouts::show(global, &rollout, "")
}

/// An act after which the treatment is at 0 %.
async fn end(global: &Global, of: &ActArgs, act: Act) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let rollout = call(&session, of.rollout.name.clone(), of.sequence, act).await?;
    rollouts::show(global, &rollout, PROOF)
}

/// An act that is asked for, of the rollout that was seen.
async fn certain(global: &Global, options: &CertainArgs, verb: &str, act: Act) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let seen = rollouts::read(&session, &options.act.rollout.name).await?;
    let question = format!(
        "{verb} in {}: {} (sequence {})?",
        session.environment(),
        rollout_text::line(&seen),
        seen.sequence
    );
    confirm(&question, options.yes)?;
    let expected = options.act.sequence.unwrap_or(seen.sequence);
    let rollout = call(&session, seen.id, Some(expected), act).await?;
    rollouts::show(global, &rollout, "")
}

async fn call(session: &Session, rollout: String, sequence: Option<u64>, act: Act) -> Result<v1::Rollout, Error> {
    let request = v1::ActRequest {
        environment: session.environment(),
        rollout,
        expected_sequence: sequence,
        act: Some(act),
    };
    let response = session.rollouts().act(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    Ok(response.into_inner().rollout.unwrap_or_default())
}

async fn abort(global: &Global, of: &ActArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::AbortRolloutRequest {
        environment: session.environment(),
        rollout: of.rollout.name.clone(),
        expected_sequence: of.sequence,
    };
    let response = session.rollouts().abort_rollout(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    rollouts::show(global, &response.into_inner().rollout.unwrap_or_default(), PROOF)
}

/// Ticks an item, or takes the tick back. The list may be left out if it is clear.
async fn tick(global: &Global, options: TickArgs, undone: bool) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let TickArgs { act, item, list } = options;
    let list = match list {
        Some(list) => list.name().to_owned(),
        None => list_of(&rollouts::read(&session, &act.rollout.name).await?, &item)?,
    };
    let ticking = Act::Tick(v1::Ticking { list, item, undone });
    let rollout = call(&session, act.rollout.name, act.sequence, ticking).await?;
    rollouts::show(global, &rollout, "")
}

/// The one list that has the item.
fn list_of(rollout: &v1::Rollout, item: &str) -> Result<String, Error> {
    let found: Vec<&str> = rollout
        .items
        .iter()
        .filter(|state| state.item == item)
        .map(|state| state.list.as_str())
        .collect();
    match found.as_slice() {
        [list] => Ok((*list).to_owned()),
        [] => {
            let hint = match nearest(item, rollout.items.iter().map(|state| state.item.as_str())) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => String::new(),
            };
            Err(Error::refused(format!(
                "{}: no item `{item}` matters now{hint}",
                rollout.name
            )))
        }
        lists => Err(Error::usage(format!(
            "`{item}` is on several lists: say which with --list {}",
            lists.join(" or --list ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_item_finds_its_list_or_says_why_not() {
        let item = |list: &str, item: &str| v1::ItemState {
            list: list.into(),
            item: item.into(),
            ..Default::default()
        };
        let rollout = v1::Rollout {
            name: "checkout#1".into(),
            items: vec![
                item("preflight", "tests passing"),
                item("stage", "dashboards"),
                item("exit", "dashboards"),
            ],
            ..Default::default()
        };
        assert_eq!(list_of(&rollout, "tests passing").unwrap(), "preflight");
        let refusal = |text: &str| list_of(&rollout, text).unwrap_err().to_string();
        assert!(refusal("tests pasing").contains("did you mean `tests passing`?"));
        assert!(refusal("dashboards").contains("--list stage or --list exit"));
    }
}
