//! An agent: its process, its doors and its data folder, that outlives the process.
//!
//! Starting does not wait for readiness: whether an agent becomes ready, and with what, is often what a test asks.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{evaluator::Evaluator, ops, ports, process::Process, small_disk::SmallDisk, wait};

/// An agent with a data folder and addresses of its own.
#[derive(Debug)]
pub struct Agent {
    /// Its id, also the name of its data folder.
    pub id: String,
    /// Where flagd and Outcomes are served.
    pub address: SocketAddr,
    /// Where OFREP is served.
    pub ofrep: SocketAddr,
    /// Where probes and metrics are.
    pub ops: SocketAddr,
    folder: PathBuf,
    arguments: Vec<OsString>,
    process: Process,
}

impl Agent {
    /// Starts one of an environment, without waiting: it may have nothing to be ready with.
    pub fn start(id: &str, environment: &str, control_plane: SocketAddr, folder: &Path) -> Self {
        Self::start_with(id, environment, control_plane, folder, &[])
    }

    /// The same, with more options.
    pub fn start_with(id: &str, environment: &str, control_plane: SocketAddr, folder: &Path, options: &[&str]) -> Self {
        let begin = |arguments: &[OsString]| Process::start(id, "tidegate-agent", arguments, folder);
        Self::begun(id, environment, control_plane, folder, options, begin)
    }

    /// The same, with its spool on a disk of its own, which ends with the process: it is not for `restart`.
    pub fn start_on(disk: &SmallDisk, id: &str, environment: &str, control_plane: SocketAddr, folder: &Path) -> Self {
        let spool = disk.folder().to_str().expect("a folder of a test is text");
        let begin = |arguments: &[OsString]| Process::start_on(disk, id, "tidegate-agent", arguments, folder);
        Self::begun(id, environment, control_plane, folder, &["--spool", spool], begin)
    }

    fn begun(
        id: &str,
        environment: &str,
        control_plane: SocketAddr,
        folder: &Path,
        options: &[&str],
        begin: impl FnOnce(&[OsString]) -> Process,
    ) -> Self {
        let (address, ofrep, ops) = (ports::free(), ports::free(), ports::free());
        let fixed: [(&str, OsString); 8] = [
            ("--id", id.into()),
            ("--environment", environment.into()),
            ("--control-plane", format!("http://{control_plane}").into()),
            ("--listen", address.to_string().into()),
            ("--ofrep", ofrep.to_string().into()),
            ("--ops", ops.to_string().into()),
            ("--data", folder.join(id).into()),
            ("--socket", folder.join(format!("{id}.sock")).into()),
        ];
        let fixed = fixed.into_iter().flat_map(|(name, value)| [name.into(), value]);
        let arguments = fixed.chain(options.iter().map(OsString::from)).collect::<Vec<_>>();
        Self {
            id: id.to_owned(),
            address,
            ofrep,
            ops,
            folder: folder.to_owned(),
            process: begin(&arguments),
            arguments,
        }
    }

    /// Starts it again with the same folder and addresses, after it has ended; without waiting.
    pub fn restart(&mut self) {
        self.process = Process::start(&self.id, "tidegate-agent", &self.arguments, &self.folder);
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.id))
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) {
        wait::until(&format!("agent {} to be ready", self.id), async || {
            ops::ready(self.ops).await
        })
        .await;
    }

    /// Waits until it notices that the control plane is gone.
    pub async fn notices_absence(&self) {
        wait::until("the agent to lose its connection", async || {
            let connected = ops::metric(self.ops, "tidegate_agent_connected").await?;
            wait::so(connected == 0.0, connected)
        })
        .await;
    }

    /// A crash.
    pub async fn kill_9(&mut self) {
        self.process.kill_9().await;
    }

    /// An orderly end, at which it reports what it has counted.
    pub async fn terminate(&mut self) {
        self.process.terminate().await;
    }

    /// Stops it in its tracks, connections open.
    pub async fn freeze(&self) {
        self.process.freeze().await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.process.thaw().await;
    }

    /// A client of its flagd service.
    pub fn evaluator(&self) -> Evaluator {
        Evaluator::new(self.address)
    }

    /// One metric; 0 as long as nothing was counted.
    pub async fn metric(&self, series: &str) -> f64 {
        ops::metric(self.ops, series)
            .await
            .expect("a running agent serves metrics")
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join(&self.id)
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> std::time::Duration {
        self.process.processor_time()
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process lives.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its log, over all its starts.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
