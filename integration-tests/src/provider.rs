//! The unmodified OpenFeature flagd providers, driven over JSON lines (see `clients/`).

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::binaries;

/// A driver answers within its own deadline of 15 s, or not at all.
const DEADLINE: Duration = Duration::from_secs(40);

/// Which provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `openfeature-provider-flagd`.
    Python,
    /// `@openfeature/flagd-provider`.
    Node,
}

/// A process with one provider.
#[derive(Debug)]
pub struct Provider {
    language: Language,
    _child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    /// Starts the driver's process; nothing is connected yet.
    pub fn start(language: Language) -> Self {
        let clients = binaries::clients();
        let (program, script, made) = match language {
            Language::Python => (clients.join(".venv/bin/python"), "python/client.py", ".venv/.stamp"),
            Language::Node => ("node".into(), "node/client.mjs", "node/node_modules/.stamp"),
        };
        let made = clients.join(made);
        assert!(made.is_file(), "the OpenFeature clients are not installed: run `make clients` ({})", made.display());
        let mut child = command(&program, &clients.join(script)).spawn();
        let child = child.as_mut().unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let commands = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        todo_child(language, child, commands, answers)
    }
}
