//! The unmodified OpenFeature providers of flagd and OFREP, driven over JSON lines (see `clients/`).
//!
//! One process has one provider. Answers are passed on as the driver gave them, because what an SDK makes of an answer
//! is what is tested.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{binaries, process::Log};

/// A driver answers within its own deadline of 30 s, or not at all.
const DEADLINE: Duration = Duration::from_secs(40);
/// How long the driver waits for an event.
const EVENT_S: u64 = 30;

/// Which SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `openfeature-sdk` with `openfeature-provider-flagd` or `openfeature-provider-ofrep`.
    Python,
    /// `@openfeature/server-sdk` with `@openfeature/flagd-provider` or `@openfeature/ofrep-provider`.
    Node,
}

/// Which provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// flagd's evaluation protocol, over gRPC, with events.
    Flagd,
    /// OFREP, over HTTP, without events.
    Ofrep,
}

/// A process with one provider.
#[derive(Debug)]
pub struct Provider {
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _child: Child,
    _log: Log,
}

impl Provider {
    /// Starts the driver's process; nothing is connected yet.
    pub fn start(language: Language, folder: &Path) -> Self {
        let clients = binaries::clients();
        let (program, script, stamp) = match language {
            Language::Python => (clients.join(".venv/bin/python"), "python/client.py", ".venv/.stamp"),
            Language::Node => (PathBuf::from("node"), "node/client.mjs", "node/node_modules/.stamp"),
        };
        assert!(
            clients.join(stamp).is_file(),
            "the OpenFeature clients are not installed: run `make clients`"
        );
        let log = Log::new(&format!("{language:?}"), folder);
        let spawned = Command::new(&program)
            .arg(clients.join(script))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.open())
            .kill_on_drop(true)
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let commands = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self {
            commands,
            answers,
            _child: child,
            _log: log,
        }
    }

    /// Connects to an agent's flagd port and waits until the provider is READY; says the status that was reached.
    pub async fn ready(&mut self, agent: SocketAddr) -> Value {
        self.ready_over(Protocol::Flagd, agent).await
    }

    /// Connects to the port of a protocol and waits until the provider is READY; says the status that was reached.
    pub async fn ready_over(&mut self, protocol: Protocol, port: SocketAddr) -> Value {
        let protocol = match protocol {
            Protocol::Flagd => "flagd",
            Protocol::Ofrep => "ofrep",
        };
        let host = port.ip().to_string();
        let port = port.port();
        self.ask(json!({"op": "ready", "protocol": protocol, "host": host, "port": port, "timeout_s": EVENT_S}))
            .await
    }

    /// Evaluates a flag of a type (boolean, string, integer, float, object).
    pub async fn evaluate(
        &mut self,
        flag_type: &str,
        key: &str,
        default: Value,
        unit: &str,
        attributes: Value,
    ) -> Value {
        let command =
            json!({"op": flag_type, "key": key, "default": default, "targetingKey": unit, "attributes": attributes});
        self.ask(command).await
    }

    /// Evaluates a boolean flag.
    pub async fn boolean(&mut self, key: &str, default: bool, unit: &str) -> Value {
        self.ask(json!({"op": "boolean", "key": key, "default": default, "targetingKey": unit}))
            .await
    }

    /// Evaluates a string flag.
    pub async fn text(&mut self, key: &str, default: &str, unit: &str, attributes: Value) -> Value {
        let attributes =
            json!({"op": "string", "key": key, "default": default, "targetingKey": unit, "attributes": attributes});
        self.ask(attributes).await
    }

    /// Waits for a change event that names the flag; true if one came.
    pub async fn hears_of_a_change(&mut self, key: &str) -> bool {
        let answer = self
            .ask(json!({"op": "wait_change", "key": key, "timeout_s": EVENT_S}))
            .await;
        answer["changed"] == Value::Bool(true)
    }

    /// Sends a command and reads its answer.
    async fn ask(&mut self, command: Value) -> Value {
        let line = format!("{command}\n");
        self.commands
            .write_all(line.as_bytes())
            .await
            .expect("the driver reads its commands");
        let answer = tokio::time::timeout(DEADLINE, self.answers.next_line()).await;
        let answer = answer.unwrap_or_else(|_| panic!("no answer to {command} within {DEADLINE:?}"));
        let answer = answer
            .expect("the driver's output can be read")
            .expect("the driver has not ended");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}
