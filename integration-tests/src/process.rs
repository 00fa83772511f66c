//! One process under test: started, killed, frozen and ended as an operating system does it.
//!
//! Its output goes to a file, that is printed when the test fails. It dies with the test, whatever happens to it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::process::{Child, Command};

use crate::binaries;

/// Of a long log the end is printed.
const LINES: usize = 120;

/// A running process, or one that has ended.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a built binary without any environment. Its log is `<folder>/<name>.log`, to which a later start adds.
    pub fn start(name: &str, binary: &str, arguments: &[OsString], folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = append(&log);
        let child = Command::new(binaries::binary(binary))
            .args(arguments)
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file handle can be doubled"))
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {binary}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Ends it as a crash would: no handler runs, nothing is flushed.
    pub async fn kill_9(&mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Asks it to end and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM").await;
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), self.child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{} did not end within 20 s of SIGTERM", self.name));
        ended.expect("a child can be waited for")
    }

    /// Stops it in its tracks, connections open.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All it has written, over all its starts.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap_or_else(|| panic!("{} has ended already", self.name));
        let script = format!("kill -s {signal} {id}");
        let sent = Command::new("/bin/sh").arg("-c").arg(script).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "{} cannot be sent SIG{signal}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let log = self.log();
        let lines = log.lines().count();
        println!("---- {} (the last {LINES} of {lines} lines)", self.name);
        for line in log.lines().skip(lines.saturating_sub(LINES)) {
            println!("{line}");
        }
    }
}

fn append(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()))
}
