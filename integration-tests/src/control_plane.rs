//! A control plane: its process, its doors and its store, that outlives the process.
//!
//! Its addresses are its own for the whole test, so that agents find it again after a restart as they would find a
//! service behind its name.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{operator::Operator, ops, ports, process::Process, wait};

/// A control plane with a store and addresses of its own.
#[derive(Debug)]
pub struct ControlPlane {
    name: String,
    folder: PathBuf,
    /// Where gRPC is served.
    pub address: SocketAddr,
    /// Where probes and metrics are.
    pub ops: SocketAddr,
    options: Vec<String>,
    process: Process,
}

impl ControlPlane {
    /// Starts one with an empty store in `<folder>/<name>` and waits until it is ready.
    pub async fn start(name: &str, folder: &Path) -> Self {
        Self::start_with(name, folder, &[]).await
    }

    /// The same, with more options.
    pub async fn start_with(name: &str, folder: &Path, options: &[&str]) -> Self {
        let (address, ops) = (ports::free(), ports::free());
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let process = launch(name, name, folder, address, ops, &options);
        let control_plane = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            address,
            ops,
            options,
            process,
        };
        control_plane.ready().await;
        control_plane
    }

    /// Starts another process at an address and on a store, without waiting, because it may be unable to start.
    pub fn rival(&self, address: SocketAddr, store: &str) -> Process {
        launch("rival", store, &self.folder, address, ports::free(), &[])
    }

    /// The name of its store.
    pub fn store(&self) -> &str {
        &self.name
    }

    /// Starts it again on the same store and addresses, after it has ended.
    pub async fn restart(&mut self) {
        self.process = launch(
            &self.name,
            &self.name,
            &self.folder,
            self.address,
            self.ops,
            &self.options,
        );
        self.ready().await;
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) {
        let name = &self.name;
        wait::until(&format!("{name} to be ready"), async || ops::ready(self.ops).await).await;
    }

    /// A crash.
    pub async fn kill_9(&mut self) {
        self.process.kill_9().await;
    }

    /// An orderly end.
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

    /// An operator of an environment.
    pub fn operator(&self, environment: &str) -> Operator {
        Operator::new(self.address, environment)
    }

    /// One metric; 0 as long as nothing was counted.
    pub async fn metric(&self, series: &str) -> f64 {
        ops::metric(self.ops, series)
            .await
            .expect("a running control plane serves metrics")
    }

    /// The processor time that it has used.
    pub fn processor_time(&self) -> std::time::Duration {
        self.process.processor_time()
    }

    /// The memory that it holds, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.process.resident_bytes()
    }

    /// Whether the process lives.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Starts a process with the store `<folder>/<store>`.
fn launch(name: &str, store: &str, folder: &Path, address: SocketAddr, ops: SocketAddr, options: &[String]) -> Process {
    let data = folder.join(store);
    let fixed: [OsString; 6] = [
        "--listen".into(),
        address.to_string().into(),
        "--ops".into(),
        ops.to_string().into(),
        "--data".into(),
        data.into(),
    ];
    let options = options.iter().map(OsString::from);
    let arguments: Vec<_> = fixed.into_iter().chain(options).collect();
    Process::start(name, "tidegate-control-plane", &arguments, folder)
}
