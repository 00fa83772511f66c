//! The demo as a whole: ports and folder, parts, story, things to try, and the end of it all.
//!
//! Whatever happens (the story ends, a child dies, Ctrl-C, an error) goes through one place that stops the children.

use std::process::ExitCode;

use crate::{
    args::DemoArgs, children::Children, folder::Folder, parts, ports::Ports, screen::Screen, signals, story, tries,
};

/// Runs it. Success: the story went as it should, or a person stopped it; a run that was only to tell the story has
/// failed if it was stopped.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let ports = args.ports_from.unwrap_or_else(Ports::standard);
    ports.check()?;
    let folder = Folder::open(&args.data, args.reset)?;
    let screen = Screen::new();
    let mut children = Children::new(folder.path());
    let ended = tokio::select! {
        ended = demonstrate(&mut children, &ports, &args, &folder, &screen) => ended,
        stopped = signals::stop() => stopped.map(|()| ending(!args.once)).map_err(Into::into),
    };
    screen.title("Stopping the parts");
    for name in children.stop().await {
        screen.bad(format_args!("{name} did not end when asked, and was killed"));
    }
    screen.line(format_args!(
        "stopped; {} is kept, and --reset empties it",
        args.data.display()
    ));
    ended
}

async fn demonstrate(
    children: &mut Children,
    ports: &Ports,
    args: &DemoArgs,
    folder: &Folder,
    screen: &Screen,
) -> anyhow::Result<ExitCode> {
    screen.title("1  The parts, each a process of its own");
    screen.line(format_args!("data and logs in {}", folder.path().display()));
    parts::start(children, ports, args, screen).await?;
    let as_expected = tokio::select! {
        told = story::tell(ports, args, screen) => told?,
        died = children.death() => return Err(died.into()),
    };
    screen.aside(format_args!("told in {}", crate::figures::took(screen.elapsed())));
    if args.once {
        return Ok(ending(as_expected));
    }
    tries::print(ports, args.base_rate, folder.path(), screen)?;
    Err(children.death().await.into())
}

fn ending(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
