//! A machine with one agent that has no control plane: the real binary, started from a snapshot file that is written
//! here by the layout as it is documented, and not by the agent's own code.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use evaluation::{
    EntryKind, Environment, EnvironmentKind, Flag, FlagType, HashScheme, Key, Serve, Value, WhenStale, entry_hash,
};
use proto::entry::{encode_environment, encode_flag, frame};
use tempfile::TempDir;
use twox_hash::XxHash3_128;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// An agent's process and its data.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
    ops: SocketAddr,
    process: Option<Ended>,
}

/// A process that ends with its owner.
struct Ended(Child);

/// The file of a snapshot of the environment production with so many flags.
pub(crate) fn snapshot_file(flags: usize) -> Vec<u8> {
    let environment = Environment {
        key: Key::parse("production").unwrap(),
        kind: EnvironmentKind::Production,
        order: 2,
        token_key: 1,
    };
    let mut entries = vec![(
        EntryKind::Environment,
        "production".to_owned(),
        encode_environment(&environment),
    )];
    for number in 0..flags {
        let flag = boolean(&format!("team-{}.flag-{number:05}", number % 20));
        entries.push((EntryKind::Flag, flag.key.to_string(), encode_flag(&flag, None)));
    }
    let mut digest = 0u128;
    let mut framed = Vec::new();
    for (kind, key, body) in &entries {
        digest = digest.wrapping_add(entry_hash(*kind, key, body));
        framed.extend(frame(*kind, key, Some(body)));
    }
    let mut checked = Vec::new();
    checked.extend(10u16.to_be_bytes());
    checked.extend(b"production");
    checked.extend(0u16.to_be_bytes());
    checked.extend(7u128.to_be_bytes());
    checked.extend(42u64.to_be_bytes());
    checked.extend(digest.to_be_bytes());
    checked.extend((framed.len() as u64).to_be_bytes());
    checked.extend(framed);
    let sum = XxHash3_128::oneshot(&checked).to_be_bytes();
    [&b"tg-snap\x02"[..], &sum, &checked].concat()
}

fn boolean(key: &str) -> Flag {
    let variants = [("off", false), ("on", true)].map(|(name, value)| (name.to_owned(), Value::Boolean(value)));
    Flag {
        key: Key::parse(key).unwrap(),
        flag_type: FlagType::Boolean,
        description: String::new(),
        owner: String::new(),
        tags: Default::default(),
        set: None,
        enabled: true,
        killed: false,
        salt: "abcdefghijklmno".to_owned(),
        variants: variants.into(),
        off_variant: Some("off".to_owned()),
        default: Serve::Variant("on".to_owned()),
        deny: Vec::new(),
        allow: Default::default(),
        rules: Vec::new(),
        prerequisites: Vec::new(),
        hash: HashScheme::Murmur3,
        bucket_by: Vec::new(),
        when_stale: WhenStale::Keep,
    }
}

impl Machine {
    /// Starts an agent without a control plane, with this bootstrap file.
    pub(crate) async fn start(bootstrap: &[u8], more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bootstrap"), bootstrap).unwrap();
        let mut machine = Self {
            folder,
            ops: SocketAddr::from(([127, 0, 0, 1], 0)),
            process: None,
        };
        let until = Instant::now() + PATIENCE;
        // A port that was free a moment ago may be taken by now: then the agent ends, and the next one is tried.
        while !machine.attempt(more).await {
            assert!(Instant::now() < until, "the agent does not start");
        }
        machine
    }

    /// The file that the agent is started from.
    pub(crate) fn bootstrap(&self) -> PathBuf {
        self.folder.path().join("bootstrap")
    }

    async fn attempt(&mut self, more: &[&str]) -> bool {
        self.ops = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_tidegate-agent"))
            .args(["--control-plane", "http://127.0.0.1:1", "--environment", "production"])
            .args(["--listen", "127.0.0.1:0", "--ofrep", "127.0.0.1:0", "--socket", "none"])
            .args(["--ops", &self.ops.to_string(), "--data"])
            .arg(self.folder.path().join("data"))
            .arg("--bootstrap")
            .arg(self.bootstrap())
            .args(more)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is built with the tests");
        let process = self.process.insert(Ended(process));
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if process.0.try_wait().unwrap().is_some() {
                return false;
            }
            if get(self.ops, "/livez").is_some() {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("the agent neither lives nor ends");
    }

    /// What the ops port answers, if it does.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        get(self.ops, path)
    }

    /// Waits until the ops port answers so.
    pub(crate) async fn wait_for(&self, path: &str, answers: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !self.get(path).is_some_and(|answer| answers(&answer)) {
            assert!(Instant::now() < until, "{path} still answers {:?}", self.get(path));
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().map(|process| process.0.id()).unwrap()
    }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
