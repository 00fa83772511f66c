//! The command line as an operator runs it: arguments in; exit code, output and errors out.
//!
//! The environment is cleared, so that the settings of whoever runs the tests do not matter; the server's address comes
//! by its variable, so that arguments read as an operator types them.

use std::{net::SocketAddr, path::Path, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::binaries;

/// The command line, pointed at one control plane.
#[derive(Debug, Clone)]
pub struct Console {
    /// Its environment variables.
    variables: Vec<(String, String)>,
}

/// A command that goes on until it is interrupted.
#[derive(Debug)]
pub struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
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
        let variables = [
            ("TIDEGATE_SERVER", format!("http://{server}")),
            ("USER", "tester".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            variables: variables.into(),
        }
    }

    /// The same with a home folder, where contexts are kept, and without the server's variable.
    #[must_use]
    pub fn at_home(mut self, home: &Path) -> Self {
        self.variables.retain(|(name, _)| name != "TIDEGATE_SERVER");
        self.variables.push(("HOME".to_owned(), home.display().to_string()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::binary("tidegate"));
        command.args(arguments).env_clear().kill_on_drop(true);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped());
        command
    }

    /// Begins a command that writes lines until it is interrupted.
    pub fn follow(&self, arguments: &[&str]) -> Following {
        let mut child = self
            .command(arguments)
            .spawn()
            .expect("the command line can be started");
        let stdout = child.stdout.take().expect("it is piped");
        Following {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "").await
    }

    /// Runs a command with something on standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
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

impl Following {
    /// The next line.
    pub async fn line(&mut self) -> String {
        let line = self.lines.next_line().await.expect("lines are UTF-8");
        line.expect("it goes on until it is interrupted")
    }

    /// The next line, as JSON.
    pub async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Interrupts it as Ctrl-C does; its exit code.
    pub async fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().expect("it runs");
        let script = format!("kill -s INT {id}");
        let sent = Command::new("/bin/sh").arg("-c").arg(script).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "it cannot be interrupted");
        self.child.wait().await.expect("a child can be waited for").code()
    }
}
