//! Builds the parts of the agent, binds, and runs until told to stop.
//!
//! Order matters twice. What is on disk is in use before anything listens, so that the first caller is answered without
//! the control plane. And everything binds before the control plane is dialled, so that a busy port is said at once.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use proto::token;
use runtime::{
    listen::{self, BoundSocket},
    ops,
    readiness::Readiness,
    shutdown::Shutdown,
    telemetry,
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    time::Instant,
};
use tonic::{service::Routes, transport::Endpoint};

use crate::{
    args::Args,
    contact::Contact,
    disk::Writer,
    evaluate::{Evaluator, derived::Derived},
    health::{
        backlog::Backlog,
        carried::Carried,
        counters::Counters,
        observe::Observer,
        otlp::Receiver,
        outboxes::Outboxes,
        reporter::Reporter,
        spool::{self, Dropped, Head, Spool},
    },
    identity::{AgentId, FolderLock, Identity},
    kept::{self, Kept},
    metrics::{self, Evaluations},
    serve::{
        self, DoorOpen, DoorsClosed,
        ofrep::{self, Pages},
    },
    server_clock::ServerClock,
    snapshot::Holder,
    sync::{client::Client, trouble::Trouble},
    upstream,
};

/// How long the process may take to end after a signal.
const DRAIN_DEADLINE: Duration = Duration::from_millis(4_500);
/// How often the age of the snapshot is shown.
const AGE_INTERVAL: Duration = Duration::from_secs(1);

/// Where services are answered.
#[derive(Debug)]
struct Doors {
    port: TcpListener,
    socket: Option<(UnixListener, BoundSocket)>,
    ofrep: Option<TcpListener>,
    otlp: Option<TcpListener>,
}

/// What is answered there.
#[derive(Debug)]
struct Services {
    grpc: Routes,
    ofrep: Router,
    otlp: Routes,
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
    let mut kept = kept::open(&args, &holder)?;
    let ops = listen::tcp("the agent's ops port", "--ops", args.ops).await?;
    let doors = bind(&args, kept.folder.as_deref()).await?;
    let shared = share(&args, kept.id.take(), holder);
    tracing::info!(
        agent = %shared.identity.agent, environment = %args.environment, control_plane = %args.control_plane,
        listen = %args.listen, ofrep = ?args.ofrep, otlp = ?args.otlp, ops = %args.ops, data = ?kept.folder, "started"
    );
    let (readiness, shutdown) = (Readiness::new(), Shutdown::new());
    watch_snapshot(&readiness, &shared, &shutdown);
    let services = services(&args, &shared, &shutdown)?;
    let (door, closed) = serve::doors();
    let socket = open(doors, services, door, &shutdown);
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
fn services(args: &Args, shared: &Shared, shutdown: &Shutdown) -> anyhow::Result<Services> {
    let observer = Observer {
        holder: shared.holder.clone(),
        counters: Arc::clone(&shared.counters),
        clock: shared.clock.clone(),
    };
    let telemetry = Arc::new(Receiver::new(observer.clone()));
    let evaluator = Arc::new(evaluator(args, shared));
    let pages = Pages {
        origins: args.ofrep_origin.clone(),
        events: args.ofrep_events,
    };
    let ofrep = ofrep::router(Arc::clone(&evaluator), pages, shutdown.clone());
    let otlp = serve::otlp_routes(Arc::clone(&telemetry));
    let (grpc, health) = serve::routes(Arc::clone(&evaluator), observer, Arc::clone(&telemetry), shutdown)?;
    let (holder, ending) = (shared.holder.clone(), shutdown.clone());
    shutdown.spawn("grpc health", serve::report_health(health, holder, ending.clone()));
    shutdown.spawn("staleness", serve::watch_staleness(evaluator, ending.clone()));
    shutdown.spawn("OTLP", async move { telemetry.run(ending).await });
    Ok(Services { grpc, ofrep, otlp })
}

/// Who answers evaluations.
fn evaluator(args: &Args, shared: &Shared) -> Evaluator {
    let Shared {
        identity,
        holder,
        counters,
        clock,
        contact,
    } = shared.clone();
    Evaluator {
        holder,
        counters,
        clock,
        contact,
        stale_after: args.stale_after,
        stale: watch::Sender::new(false),
        minter: token::minter(identity.agent.as_str()),
        derived: Derived::default(),
        evaluations: Evaluations::new(),
    }
}

/// Begins to keep in step with the control plane, and to report to it.
fn connect(args: &Args, kept: Kept, shared: Shared, doors: DoorsClosed, shutdown: &Shutdown) {
    let endpoint = upstream::endpoint(&args.control_plane);
    let Kept {
        lock,
        disk,
        writer,
        held_back,
        spool,
        ..
    } = kept;
    let spool = begin_to_keep(spool, &shared, &endpoint, shutdown);
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
        outboxes: Outboxes::new(&args.scope().environment, spool),
        carried: Carried::default(),
        doors,
        checkpoint: Instant::now(),
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
        transfer_limit: args.max_snapshot,
        trouble: Trouble::default(),
    };
    shutdown.spawn("sync", client.run(shutdown.clone()));
}

/// Begins to keep what is counted, and to send what former processes could not.
fn begin_to_keep(opened: Option<spool::Opened>, shared: &Shared, endpoint: &Endpoint, shutdown: &Shutdown) -> Spool {
    let Some(opened) = opened else {
        return Spool::none();
    };
    let Identity { agent, scope, epoch } = &shared.identity;
    let backlog = Backlog {
        endpoint: endpoint.clone(),
        environment: scope.environment.clone(),
        holder: shared.holder.clone(),
        clock: shared.clock.clone(),
        folder: Arc::clone(&opened.folder),
    };
    let head = Head {
        agent: agent.to_string(),
        epoch: *epoch,
        environment: scope.environment.clone(),
    };
    let dropped = Dropped::new(shared.holder.clone(), Arc::clone(&shared.counters));
    let (spool, keeper) = opened.begin(head, shared.clock.clone(), dropped);
    shutdown.spawn("spool", keeper.run());
    shutdown.spawn("backlog", backlog.run(shutdown.clone()));
    spool
}

/// Writes snapshots, and keeps the folder until the last of them is written.
async fn write(writer: Writer, lock: Option<FolderLock>, shutdown: Shutdown) {
    writer.run(shutdown).await;
    drop(lock);
}

/// Binds everything, or says what is in the way.
async fn bind(args: &Args, data: Option<&std::path::Path>) -> anyhow::Result<Doors> {
    let port = listen::tcp("the agent", "--listen", args.listen).await?;
    let ofrep = match args.ofrep {
        Some(address) => Some(listen::tcp("the agent's OFREP port", "--ofrep", address).await?),
        None => None,
    };
    let otlp = match args.otlp {
        Some(address) => Some(listen::tcp("the agent's OTLP port", "--otlp", address).await?),
        None => None,
    };
    let socket = match args.socket(data) {
        Some(path) => {
            let listener = listen::unix("the agent's socket", "--socket", &path).await?;
            let bound = BoundSocket::at(path).context("the agent's socket")?;
            Some((listener, bound))
        }
        None => None,
    };
    Ok(Doors {
        port,
        socket,
        ofrep,
        otlp,
    })
}

/// Begins to serve services; gives the socket that is to be removed in the end.
fn open(doors: Doors, services: Services, door: DoorOpen, shutdown: &Shutdown) -> Option<BoundSocket> {
    let Doors {
        port,
        socket,
        ofrep,
        otlp,
    } = doors;
    let grpc = services.grpc;
    shutdown.spawn("port", serve::tcp(port, grpc.clone(), shutdown.clone(), door.clone()));
    if let Some(listener) = ofrep {
        let serving = ofrep::serve(listener, services.ofrep, shutdown.clone(), door.clone());
        shutdown.spawn("OFREP", serving);
    }
    if let Some(listener) = otlp {
        shutdown.spawn(
            "OTLP port",
            serve::tcp(listener, services.otlp, shutdown.clone(), door.clone()),
        );
    }
    socket.map(|(listener, bound)| {
        shutdown.spawn("socket", serve::unix(listener, grpc, shutdown.clone(), door));
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
    const NOTHING: &str = "no snapshot of the environment has been received or found on disk";
    condition.unmet(NOTHING);
    let (holder, contact, ending) = (shared.holder.clone(), shared.contact.clone(), shutdown.clone());
    shutdown.spawn("snapshot watch", async move {
        let mut revision = holder.watch();
        let mut age = tokio::time::interval(AGE_INTERVAL);
        loop {
            if holder.holds_any() {
                condition.met();
            } else {
                condition.unmet(NOTHING);
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
