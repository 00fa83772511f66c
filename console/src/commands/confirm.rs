//! A question before what cannot be taken back easily. Only a person at a terminal is asked; a script says `--yes`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::{error::Error, print};

/// Whether somebody is there to be asked, and did not say yes already. Only for what a script may do without saying so.
pub(crate) fn is_asked(yes: bool) -> bool {
    !yes && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Goes on if `yes` was given or the answer is yes.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(Error::usage(format!(
            "{question} Nobody is at a terminal to answer: add --yes"
        )));
    }
    let mut out = io::stderr().lock();
    let asked = write!(out, "{} [y/N] ", print::plain(question)).and_then(|()| out.flush());
    asked.map_err(Error::Output)?;
    let mut answer = String::new();
    input
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::usage(format!("no answer: {error}")))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::refused("not confirmed; nothing was done")),
    }
}
