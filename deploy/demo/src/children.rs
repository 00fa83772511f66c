//! The processes that the demo starts, and their end.
//!
//! The binaries lie beside this one. Each child writes to a log file of its own and is in a process group of its own,
//! so that Ctrl-C reaches only the demo, which stops them in the reverse order of their start: SIGTERM, a wait, then
//! SIGKILL, always by process id. A child that is dropped is killed, so that a panic leaves no orphan.

use std::{
    env, fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
};

/// How long a child may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(8);
/// How often children are looked at.
const PACE: Duration = Duration::from_millis(50);
/// How many of a dead child's last log lines are shown.
const LAST_LINES: usize = 12;

/// Running children, in the order of their start.
#[derive(Debug)]
pub(crate) struct Children {
    folder: PathBuf,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    name: String,
    binary: PathBuf,
    child: Child,
    log: PathBuf,
}

/// A child that ended though nobody asked it to.
#[derive(Debug)]
pub(crate) struct Died {
    name: String,
    status: String,
    log: PathBuf,
    last_lines: String,
}

impl Children {
    /// None yet; their logs go into the folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            running: Vec::new(),
        }
    }

    /// Starts a binary under a name, which is also its log's.
    pub(crate) fn start(&mut self, name: &str, binary: &Path, arguments: &[String]) -> anyhow::Result<()> {
        let log = self.folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(binary);
        // No environment: settings of the shell (TIDEGATE_...) are not meant for the demo's parts.
        command
            .args(arguments)
            .env_clear()
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        self.running.push(Running {
            name: name.to_owned(),
            binary: binary.to_owned(),
            child,
            log,
        });
        Ok(())
    }

    /// Waits until one ends by itself.
    pub(crate) async fn death(&mut self) -> Died {
        loop {
            if let Some(died) = self.dead() {
                return died;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Ends all, the last started first, those that run the same binary together; says which had to be killed.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        let mut killed = Vec::new();
        while let Some(last) = self.running.last() {
            let binary = last.binary.clone();
            let mut together = JoinSet::new();
            while let Some(part) = self.running.pop_if(|part| part.binary == binary) {
                together.spawn(part.terminate());
            }
            killed.extend(together.join_all().await.into_iter().flatten());
        }
        killed
    }

    fn dead(&mut self) -> Option<Died> {
        self.running.iter_mut().find_map(|part| {
            let status = part.child.try_wait().transpose()?;
            Some(Died {
                name: part.name.clone(),
                status: shown(status),
                log: part.log.clone(),
                last_lines: last_lines(&fs::read(&part.log).unwrap_or_default()),
            })
        })
    }
}

impl Running {
    /// Ends it; its name, if it did not end when asked and was killed.
    async fn terminate(mut self) -> Option<String> {
        let id = self.child.id()?;
        let asked = Command::new("/bin/sh")
            .args(["-c", &format!("kill -s TERM {id}")])
            .status()
            .await;
        let ended = match asked {
            Ok(status) if status.success() => tokio::time::timeout(DRAIN, self.child.wait()).await.is_ok(),
            Ok(_) | Err(_) => false,
        };
        if !ended {
            // Fails only for a child that has just ended, which is what was wanted.
            let _ = self.child.kill().await;
        }
        (!ended).then_some(self.name)
    }
}

/// The path of one of our binaries.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("cannot find the folder of tidegate-demo")?;
    let path = own.with_file_name(name);
    if !path.is_file() {
        bail!("{} is not built: run make build (make run does both)", path.display());
    }
    Ok(path)
}

fn shown(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn last_lines(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    last.iter().map(|line| format!("  {line}\n")).collect()
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            status,
            log,
            last_lines,
        } = self;
        write!(
            f,
            "{name} ended unexpectedly ({status}); the end of its log, {}:\n{last_lines}",
            log.display()
        )
    }
}

impl std::error::Error for Died {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shell(script: &str) -> [String; 2] {
        ["-c".to_owned(), script.to_owned()]
    }

    #[tokio::test]
    async fn a_dead_child_is_named_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut children = Children::new(folder.path());
        children
            .start("agent-one", Path::new("/bin/sh"), &shell("echo no such port; exit 3"))
            .unwrap();
        let died = children.death().await.to_string();
        assert!(died.contains("agent-one ended unexpectedly (exit status: 3)"), "{died}");
        assert!(died.contains("  no such port\n"), "{died}");
    }

    #[tokio::test]
    async fn stopping_leaves_no_child() {
        let folder = tempfile::tempdir().unwrap();
        let mut children = Children::new(folder.path());
        for name in ["one", "two"] {
            children
                .start(name, Path::new("/bin/sh"), &shell("exec /bin/sleep 600"))
                .unwrap();
        }
        let ids: Vec<u32> = children.running.iter().filter_map(|part| part.child.id()).collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(children.stop().await, Vec::<String>::new());
        for id in ids {
            assert!(!Path::new(&format!("/proc/{id}")).exists(), "{id} lives");
        }
    }

    #[test]
    fn of_a_long_log_the_end_is_shown() {
        let log: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let shown = last_lines(log.as_bytes());
        assert_eq!(shown.lines().count(), LAST_LINES);
        assert!(shown.ends_with("  line 39\n"), "{shown}");
    }
}
