//! A small Tidegate of one test: a folder, a control plane, and what the test adds to it.
//!
//! Nothing is shared between tests, so they run side by side and a failure of one says nothing about another.

use std::path::Path;

use tempfile::TempDir;

use crate::{agent::Agent, console::Console, control_plane::ControlPlane, operator::Operator, proxy::Proxy};

/// The environment that most tests act in.
pub const PRODUCTION: &str = "production";

/// A control plane with an empty store, and a folder for everything of this test.
#[derive(Debug)]
pub struct System {
    /// The control plane. Before the folder, so that it has ended when the folder goes.
    pub control_plane: ControlPlane,
    /// An operator of production.
    pub operator: Operator,
    folder: TempDir,
}

impl System {
    /// Starts the control plane and waits until it is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with more options of the control plane.
    pub async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tidegate-")
            .tempdir()
            .expect("a temporary folder");
        let control_plane = ControlPlane::start_with("control-plane", folder.path(), options).await;
        let operator = control_plane.operator(PRODUCTION);
        Self {
            control_plane,
            operator,
            folder,
        }
    }

    /// Starts an agent of production and waits until it is ready.
    pub async fn agent(&self, id: &str) -> Agent {
        let agent = Agent::start(id, PRODUCTION, self.control_plane.address, self.folder.path());
        agent.ready().await;
        agent
    }

    /// Starts an agent of production that reaches the control plane through a proxy, and waits until it is ready.
    pub async fn agent_behind(&self, proxy: &Proxy, id: &str) -> Agent {
        let agent = Agent::start(id, PRODUCTION, proxy.address, self.folder.path());
        agent.ready().await;
        agent
    }

    /// A proxy before the control plane.
    pub async fn proxy(&self) -> Proxy {
        Proxy::start(self.control_plane.address).await
    }

    /// The command line, pointed at the control plane.
    pub fn console(&self) -> Console {
        Console::new(self.control_plane.address)
    }

    /// Where files of this test may go.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
