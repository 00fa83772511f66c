//! One command: connects, asks, shows. Each file beside this one holds the commands of one gRPC service.

mod audit;
mod edit;
mod environments;
mod flags;
mod fleet;
mod nearest;
mod rollouts;
mod watch;

use crate::{
    args::{Arguments, Command},
    error::{End, Error},
};

/// Runs the command to its end. What can be refused without the control plane is refused before connecting.
pub(crate) async fn run(arguments: Arguments) -> Result<End, Error> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Create(options) => flags::create(&global, &options).await?,
        Command::Set(options) => edit::set(&global, *options).await?,
        Command::Get(flag) => flags::get(&global, &flag.key).await?,
        Command::List => flags::list(&global).await?,
        Command::Enable(flag) => edit::enable(&global, &flag.key).await?,
        Command::Disable(flag) => edit::disable(&global, &flag.key).await?,
        Command::Kill(flag) => flags::kill(&global, &flag.key).await?,
        Command::Revive(flag) => flags::revive(&global, &flag.key).await?,
        Command::Rollout(command) => return rollouts::run(&global, command).await,
        Command::Audit(options) => audit::list(&global, options).await?,
        Command::Fleet => fleet::list(&global).await?,
        Command::Environments => environments::list(&global).await?,
    }
    Ok(End::Done)
}
