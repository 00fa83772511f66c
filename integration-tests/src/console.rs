//! The command line as an operator runs it: arguments in; exit code, output and errors out.
//!
//! The environment is cleared, so that the settings of whoever runs the tests do not matter; the server's address comes
//! by its variable, so that arguments read as an operator types them.

use std::{net::SocketAddr, process::Stdio};

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::binaries;

/// The command line, pointed at one control plane.
#[derive(Debug, Clone)]
pub struct Console {
    server: String,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// The output as JSON; panics, with all there was, if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The output as JSON, one value a line.
    pub fn json_lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(read).collect()
    }
}

impl Console {
    /// Of a control plane.
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server: format!("http://{server}"),
        }
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "").await
    }

    /// Runs a command with something on standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(binaries::binary("tidegate"))
            .args(arguments)
            .env_clear()
            .env("TIDEGATE_SERVER", &self.server)
            .env("USER", "tester")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the command line can be started");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that does not read its input may close it before all is written.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("its output can be read");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command line writes UTF-8");
        Ran {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Runs a command that must succeed.
    pub async fn succeeds(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments).await;
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:#?}");
        ran
    }
}
