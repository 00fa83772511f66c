//! One command: connects, asks, shows. Each file beside this one holds the commands of one gRPC service, or of none.

mod acts;
mod apply;
mod audit;
mod baselines;
mod changes;
mod completion;
mod configuration;
mod confirm;
mod contexts;
mod doctor;
mod draft;
mod edit;
mod environments;
mod events;
mod export;
mod flags;
mod fleet;
mod follow;
mod history;
mod import;
mod inspection;
mod lifecycle;
mod lint;
mod members;
mod order;
mod pages;
mod plans;
mod push;
mod replay;
mod rollouts;
mod schedule;
mod segments;
mod series;
mod start;
mod status;
mod watch;
mod webhooks;

use crate::{
    args::{Arguments, Command, DiffArgs, Global},
    commands::lifecycle::Act,
    error::{End, Error},
};

/// Runs the command to its end. What can be refused without the control plane is refused before connecting.
pub(crate) async fn run(arguments: Arguments) -> Result<End, Error> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Create(options) => flags::create(&global, &options).await?,
        Command::Set(options) => edit::set(&global, *options).await?,
        Command::Get(flag) => flags::get(&global, &flag.key).await?,
        Command::List(options) => flags::list(&global, &options).await?,
        Command::Enable(flag) => edit::enable(&global, &flag.key).await?,
        Command::Disable(flag) => edit::disable(&global, &flag.key).await?,
        Command::Kill(flag) => lifecycle::act(&global, &flag.key, Act::Kill).await?,
        Command::Revive(flag) => lifecycle::act(&global, &flag.key, Act::Revive).await?,
        Command::Archive(flag) => lifecycle::act(&global, &flag.key, Act::Archive).await?,
        Command::Unarchive(flag) => lifecycle::act(&global, &flag.key, Act::Unarchive).await?,
        Command::Delete(options) => lifecycle::delete(&global, &options).await?,
        Command::History(options) => history::history(&global, options).await?,
        Command::Diff(options) => return diff(&global, &options).await,
        Command::Restore(options) => history::restore(&global, &options).await?,
        Command::Copy(options) => configuration::copy(&global, &options).await?,
        Command::Apply(options) => return apply::run(&global, &options).await,
        Command::Export(options) => export::run(&global, &options).await?,
        Command::Import(command) => import::run(&global, command).await?,
        Command::Evaluate(options) => inspection::evaluate(&global, &options).await?,
        Command::Explain(options) => inspection::explain(&global, &options).await?,
        Command::Schedule(command) => schedule::run(&global, command).await?,
        Command::Plan(command) => return plans::run(&global, command).await,
        Command::Baseline(command) => baselines::run(&global, command).await?,
        Command::Push(options) => push::run(&global, *options).await?,
        Command::Metrics(command) => plans::metrics(&global, command).await?,
        Command::Status(options) => status::run(&global, &options).await?,
        Command::Events(options) => return events::run(&global, &options).await,
        Command::Webhooks(command) => return webhooks::run(&global, command).await,
        Command::Posteriors(options) => status::posteriors(&global, &options).await?,
        Command::Rollout(command) => return rollouts::run(&global, command).await,
        Command::Segments(command) => segments::run(&global, command).await?,
        Command::Environments { command } => environments::run(&global, command).await?,
        Command::Audit(options) => return audit::run(&global, &options).await,
        Command::Watch(options) => return changes::watch(&global, &options).await,
        Command::Fleet(options) => return fleet::run(&global, &options).await,
        Command::Context(command) => contexts::run(&global, command)?,
        Command::Doctor(options) => return doctor::run(&global, &options).await,
        Command::Completion(options) => completion::write(options.shell)?,
        Command::Version => completion::version(&global)?,
    }
    Ok(End::Done)
}

/// Two versions, or two environments.
async fn diff(global: &Global, options: &DiffArgs) -> Result<End, Error> {
    match (&options.to_environment, options.key.as_slice()) {
        (Some(target), _) => configuration::diff(global, target, options).await,
        (None, [key]) => history::diff(global, key, options).await,
        (None, _) => Err(Error::usage(
            "versions of one flag are compared at a time: name one key (and versions with --from 1 --to 2), or --to-environment",
        )),
    }
}
