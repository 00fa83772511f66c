//! Builds the parts of the agent, binds, and runs until told to stop.
//!
//! Order matters twice. What is on disk is in use before anything listens, so that the first caller is answered without
//! the control plane. And everything binds before the control plane is dialled, so that a busy port is said at once.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use proto::token;
use runtime::{
    folder,
    listen::{self, BoundSocket},
    ops,
    readiness::Readiness,
    shutdown::Shutdown,
    telemetry,
};
use tokio::net::{TcpListener, UnixListener};
use tonic::service::Routes;

use crate::{
    args::Args,
    contact::Contact,
    disk::{self, Disk, Writer},
    evaluate::Evaluator,
    health::{
        carried::Carried,
        counters::Counters,
        observe::Observer,
        reporter::{Outboxes, Reporter},
    },
    identity::{self, AgentId, FolderLock, Identity},
    metrics::{self, Evaluations},
    serve::{self, DoorOpen, DoorsClosed},
    server_clock::ServerClock,
    snapshot::Holder,
    sync::{
        apply::{HeldBack, restore},
        client::Client,
    },
    upstream,
};

/// How long the process may take to end after a signal.
const DRAIN_DEADLINE: Duration = Duration::from_millis(4_500);
/// How often the age of the snapshot is shown.
const AGE_INTERVAL: Duration = Duration::from_secs(1);

/// What this agent keeps on disk; nothing of it if diskless.
#[derive(Debug, Default)]
struct Kept {
    folder: Option<PathBuf>,
    lock: Option<FolderLock>,
    id: Option<AgentId>,
    disk: Option<Disk>,
    writer: Option<Writer>,
    held_back: Vec<HeldBack>,
}

/// Where services are answered.
#[derive(Debug)]
struct Doors {
    port: TcpListener,
    ops: TcpListener,
    socket: Option<(UnixListener, BoundSocket)>,
}

/// What several parts share; each clone is a cheap handle.
#[derive(Debug, Clone)]
struct Shared {
    identity: Identity,
    holder: Holder,
    counters: Arc<Counters>,
    clock: ServerClock,
    contact: Contact,
}

/// Runs the agent; returns when it has drained.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let recorded = telemetry::init_metrics()?;
    metrics::describe();
    let holder = Holder::new(args.accept_empty);
    let mut kept = keep(&args, &holder)?;
    let doors = bind(&args, kept.folder.as_deref()).await?;
    let shared = share(&args, kept.id.take(), holder);
    tracing::info!(
        agent = %shared.identity.agent, environment = %args.environment, control_plane = %args.control_plane,
        listen = %args.listen, ops = %args.ops, data = ?kept.folder, "started"
    );
    let (readiness, shutdown) = (Readiness::new(), Shutdown::new());
    watch_snapshot(&readiness, &shared, &shutdown);
    let routes = routes(&args, &shared, &shutdown)?;
    let (door, closed) = serve::doors();
    let Doors { port, ops, socket } = doors;
    let socket = open(port, socket, routes, door, &shutdown);
    readiness.condition("listeners").met();
    serve_ops(ops, readiness, recorded, &shutdown);
    connect(&args, kept, shared, closed, &shutdown);

    shutdown.on_signals().await;
    shutdown.finished(DRAIN_DEADLINE).await;
    if let Some(socket) = socket {
        // It stays if a successor has bound its own there.
        socket.remove();
    }
    match shutdown.panicked() {
        Some(task) => anyhow::bail!("the task {task} panicked"),
        None => Ok(()),
    }
}

/// Who this process is, and what its parts share.
fn share(args: &Args, kept_id: Option<AgentId>, holder: Holder) -> Shared {
    let agent = kept_id.or_else(|| args.id.clone()).unwrap_or_else(AgentId::random);
    Shared {
        identity: Identity {
            agent,
            scope: args.scope(),
            epoch: rand::random(),
        },
        holder,
        counters: Arc::new(Counters::default()),
        clock: ServerClock::new(),
        contact: Contact::new(),
    }
}

/// The services, and their health.
fn routes(args: &Args, shared: &Shared, shutdown: &Shutdown) -> anyhow::Result<Routes> {
    let Shared {
        identity,
        holder,
        counters,
        clock,
        contact,
    } = shared.clone();
    let observer = Observer {
        holder: holder.clone(),
        counters: Arc::clone(&counters),
        clock: clock.clone(),
    };
    let evaluator = Evaluator {
        holder: holder.clone(),
        counters,
        clock,
        contact,
        stale_after: args.stale_after,
        minter: token::minter(identity.agent.as_str()),
        evaluations: Evaluations::new(),
    };
    let (routes, health) = serve::routes(Arc::new(evaluator), observer, shutdown)?;
    shutdown.spawn("grpc health", serve::report_health(health, holder, shutdown.clone()));
    Ok(routes)
}

/// Begins to keep in step with the control plane, and to report to it.
fn connect(args: &Args, kept: Kept, shared: Shared, doors: DoorsClosed, shutdown: &Shutdown) {
    let endpoint = upstream::endpoint(&args.control_plane);
    let Kept {
        lock,
        disk,
        writer,
        held_back,
        ..
    } = kept;
    if let Some(writer) = writer {
        shutdown.spawn("disk", write(writer, lock, shutdown.clone()));
    }
    let Shared {
        identity,
        holder,
        counters,
        clock,
        contact,
    } = shared;
    let reporter = Reporter {
        endpoint: endpoint.clone(),
        identity: identity.clone(),
        holder: holder.clone(),
        counters,
        clock: clock.clone(),
        outboxes: Outboxes::new(),
        carried: Carried::default(),
        doors,
    };
    shutdown.spawn("health reporter", reporter.run(shutdown.clone()));
    let client = Client {
        endpoint,
        identity,
        holder,
        disk,
        clock,
        contact,
        held_back,
    };
    shutdown.spawn("sync", client.run(shutdown.clone()));
}

/// Writes snapshots, and keeps the folder until the last of them is written.
async fn write(writer: Writer, lock: Option<FolderLock>, shutdown: Shutdown) {
    writer.run(shutdown).await;
    drop(lock);
}

/// Opens the data folder and puts the last good snapshot in use.
fn keep(args: &Args, holder: &Holder) -> anyhow::Result<Kept> {
    if args.diskless {
        return Ok(Kept::default());
    }
    let folder = folder::prepare(&args.data)?;
    let lock = identity::lock(&folder)?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => identity::kept_id(&folder)?,
    };
    let (disk, writer, stored) = disk::open(&folder, args.scope());
    let mut held_back = Vec::new();
    if let Some(stored) = stored {
        let (snapshot, not_understood) = restore(&stored);
        match holder.install(snapshot, stored.stamp.digest) {
            Ok(()) => {
                tracing::info!(revision = %stored.stamp.revision, held_back = not_understood.len(), "snapshot from disk in use");
                metrics::revision(stored.stamp.revision.number);
                metrics::held_back(not_understood.len());
                held_back = not_understood;
            }
            Err(refusal) => tracing::error!(%refusal, "the snapshot on disk is not used"),
        }
    }
    Ok(Kept {
        folder: Some(folder),
        lock: Some(lock),
        id: Some(id),
        disk: Some(disk),
        writer: Some(writer),
        held_back,
    })
}

/// Binds everything, or says what is in the way.
async fn bind(args: &Args, data: Option<&std::path::Path>) -> anyhow::Result<Doors> {
    let port = listen::tcp("the agent", "--listen", args.listen).await?;
    let ops = listen::tcp("the agent's ops port", "--ops", args.ops).await?;
    let socket = match args.socket(data) {
        Some(path) => {
            let listener = listen::unix("the agent's socket", "--socket", &path).await?;
            let bound = BoundSocket::at(path).context("the agent's socket")?;
            Some((listener, bound))
        }
        None => None,
    };
    Ok(Doors { port, ops, socket })
}

/// Begins to serve services; gives the socket that is to be removed in the end.
fn open(
    port: TcpListener,
    socket: Option<(UnixListener, BoundSocket)>,
    routes: Routes,
    door: DoorOpen,
    shutdown: &Shutdown,
) -> Option<BoundSocket> {
    shutdown.spawn("port", serve::tcp(port, routes.clone(), shutdown.clone(), door.clone()));
    socket.map(|(listener, bound)| {
        shutdown.spawn("socket", serve::unix(listener, routes, shutdown.clone(), door));
        bound
    })
}

/// Begins to serve operators.
fn serve_ops(listener: TcpListener, readiness: Readiness, recorded: telemetry::Metrics, shutdown: &Shutdown) {
    let ending = shutdown.clone();
    shutdown.spawn("ops", async move {
        let served = ops::serve(listener, readiness, recorded, ending.clone())
            .await
            .context("the ops port");
        if let Err(error) = served {
            tracing::error!(error = format!("{error:#}"), "no longer serving");
            ending.drain();
        }
    });
}

/// Keeps readiness and the age of the snapshot true.
fn watch_snapshot(readiness: &Readiness, shared: &Shared, shutdown: &Shutdown) {
    let condition = readiness.condition("snapshot");
    condition.unmet("no snapshot of the environment has been received or found on disk");
    let (holder, contact, ending) = (shared.holder.clone(), shared.contact.clone(), shutdown.clone());
    shutdown.spawn("snapshot watch", async move {
        let mut revision = holder.watch();
        let mut age = tokio::time::interval(AGE_INTERVAL);
        loop {
            if holder.holds_any() {
                condition.met();
            }
            metrics::age(contact.silence());
            tokio::select! {
                changed = revision.changed() => if changed.is_err() { return },
                _ = age.tick() => {}
                () = ending.draining() => return,
            }
        }
    });
}
