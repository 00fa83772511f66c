//! Completion scripts, and the version.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde::Serialize;

use crate::{
    args::{Arguments, Global},
    error::Error,
    print,
};

/// The version, for programs.
#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
}

/// Writes the script of a shell.
pub(super) fn write(shell: Shell) -> Result<(), Error> {
    let script = String::from_utf8(script(shell)).map_err(|error| Error::usage(error.to_string()))?;
    print::line(script.trim_end())
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tidegate", &mut script);
    script
}

/// Writes the version of this console; that of a control plane is `doctor`'s to find out.
pub(super) fn version(global: &Global) -> Result<(), Error> {
    let version = env!("CARGO_PKG_VERSION");
    print::show(global.output, &Version { version }, || format!("tidegate {version}"))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap_or_default();
            for command in ["schedule", "completion", "segments"] {
                assert!(script.contains(command), "{shell}");
            }
        }
    }
}
