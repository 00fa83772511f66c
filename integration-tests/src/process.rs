//! One process under test: started, killed, frozen and ended as an operating system does it.
//!
//! Its output goes to a file, that is printed when the test fails. It dies with the test, whatever happens to it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::{Child, Command};

use crate::{binaries, small_disk::SmallDisk};

/// Of a long log the end is printed.
const LINES: usize = 120;
/// How long a process may take to end.
const DRAIN: Duration = Duration::from_secs(20);

/// A running process, or one that has ended.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Log,
}

/// The file that a process writes to; printed when it is dropped by a test that fails.
#[derive(Debug)]
pub struct Log {
    name: String,
    path: PathBuf,
}

impl Process {
    /// Starts a built binary without any environment. Its log is `<folder>/<name>.log`, to which a later start adds.
    pub fn start(name: &str, binary: &str, arguments: &[OsString], folder: &Path) -> Self {
        Self::run(name, Command::new(binaries::binary(binary)), arguments, folder)
    }

    /// The same, on a disk of its own.
    pub fn start_on(disk: &SmallDisk, name: &str, binary: &str, arguments: &[OsString], folder: &Path) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(disk.around(&binaries::binary(binary)));
        Self::run(name, command, arguments, folder)
    }

    fn run(name: &str, mut command: Command, arguments: &[OsString], folder: &Path) -> Self {
        let log = Log::new(name, folder);
        command
            .args(arguments)
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .current_dir(folder)
            .stdin(Stdio::null());
        let child = command.stdout(log.open()).stderr(log.open()).kill_on_drop(true).spawn();
        Self {
            child: child.unwrap_or_else(|error| panic!("cannot start {name}: {error}")),
            log,
        }
    }

    /// Ends it as a crash would: no handler runs, nothing is flushed.
    pub async fn kill_9(&mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Asks it to end and waits until it has, which it must do well.
    pub async fn terminate(&mut self) {
        self.signal("TERM").await;
        let ended = self.ended().await;
        assert!(ended.success(), "{} ended with {ended}", self.log.name);
    }

    /// Waits until it has ended by itself or was asked to.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(DRAIN, self.child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{} did not end within {DRAIN:?}", self.log.name));
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

    /// Its number in the operating system; it must not have ended.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process has not ended")
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All it has written, over all its starts.
    pub fn log(&self) -> String {
        self.log.read()
    }

    /// The processor time that it has used, its own and the kernel's for it, to a hundredth of a second.
    pub fn processor_time(&self) -> Duration {
        processor_time_of(self.id())
    }

    /// The memory that it holds, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let id = self.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no VmRSS in {status}")) * 1_024
    }

    async fn signal(&self, signal: &str) {
        let id = self
            .child
            .id()
            .unwrap_or_else(|| panic!("{} has ended already", self.log.name));
        let script = format!("kill -s {signal} {id}");
        let sent = Command::new("/bin/sh").arg("-c").arg(script).status().await;
        assert!(
            sent.is_ok_and(|status| status.success()),
            "{} cannot be sent SIG{signal}",
            self.log.name
        );
    }
}

impl Log {
    /// The log `<folder>/<name>.log`, to which more is added.
    pub fn new(name: &str, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: folder.join(format!("{name}.log")),
        }
    }

    /// A handle for a child to write to.
    pub fn open(&self) -> File {
        let opened = OpenOptions::new().create(true).append(true).open(&self.path);
        opened.unwrap_or_else(|error| panic!("cannot write {}: {error}", self.path.display()))
    }

    /// All that was written.
    pub fn read(&self) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let log = self.read();
        let lines = log.lines().count();
        println!("---- {} (the last {LINES} of {lines} lines)", self.name);
        for line in log.lines().skip(lines.saturating_sub(LINES)) {
            println!("{line}");
        }
    }
}

/// The processor time that a running process has used, its own and the kernel's for it, to a hundredth of a second.
pub fn processor_time_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process has a stat");
    // The name, in brackets, may hold anything; the fields are counted behind it.
    let fields = stat
        .rsplit_once(") ")
        .expect("a stat has a name")
        .1
        .split(' ')
        .collect::<Vec<_>>();
    let ticks = |position: usize| fields[position].parse::<u64>().expect("a time is a number");
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
