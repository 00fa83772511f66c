//! Builds the parts of the control plane, binds its doors, and runs it until it is asked to stop.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use proto::{
    DESCRIPTORS, MESSAGE_LIMIT,
    v1::{
        audit_server::AuditServer, environments_server::EnvironmentsServer, flags_server::FlagsServer,
        fleet_server::FleetServer, health_server::HealthServer, rollouts_server::RolloutsServer,
        sync_server::SyncServer,
    },
};
use runtime::{folder, listen, ops, readiness::Readiness, shutdown::Shutdown, telemetry};
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Server, server::Router};

use crate::{
    api,
    args::Args,
    change,
    engine::Engine,
    feed,
    health::{
        self,
        collector::{Collector, Intake},
        coverage::Coverage,
        service::HealthService,
    },
    metrics,
    publish::Publisher,
    state::State,
    store::{Outcome, Store, redb::Redb},
    sync::{fleet::Fleet, service::SyncService},
    truth::Truth,
};

/// How long tasks may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the control plane.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init_logging(args.log_format, args.log.as_deref());
    let rendered = telemetry::init_metrics()?;
    metrics::describe();
    health::metrics::describe();
    let shutdown = Shutdown::new();
    let readiness = Readiness::new();
    let serving = readiness.condition("serving");
    serving.unmet("starting");

    let folder = folder::prepare(&args.data)?;
    let listener = listen::tcp("the gRPC port", "--listen", args.listen).await?;
    let ops_listener = listen::tcp("the ops port", "--ops", args.ops).await?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    let file = folder.join("store.redb");
    let store: Arc<dyn Store> = Arc::new(open(&file)?);
    let state = Arc::new(begin(&*store).await?);
    tracing::info!(store = %file.display(), revision = state.revision, flags = state.flags.len(), "store is open");

    let failure = Failure::default();
    let parts = start(store, state, &failure, &shutdown);
    failure.watch(
        "ops",
        &shutdown,
        ops::serve(ops_listener, readiness, rendered, shutdown.clone()),
    );
    let signals = shutdown.clone();
    shutdown.spawn("signals", async move { signals.on_signals().await });
    serving.met();
    tracing::info!(%address, ops = %ops_address, "control plane is ready");
    serve(services(parts, &shutdown), listener, &shutdown).await?;
    shutdown.drain();
    if !shutdown.finished(DRAIN).await {
        tracing::warn!("some tasks did not end in time");
    }
    match shutdown.panicked() {
        Some(task) => anyhow::bail!("task {task} panicked; see the log"),
        None => failure.into_result(),
    }
}

/// Why the process stops, if a part of it failed: it must not end as if it had been asked to.
#[derive(Debug, Clone, Default)]
struct Failure(Arc<OnceLock<anyhow::Error>>);

impl Failure {
    /// Runs a part without which the process must not go on.
    fn watch<E>(
        &self,
        name: &'static str,
        shutdown: &Shutdown,
        part: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<anyhow::Error>,
    {
        let (failure, drain) = (self.clone(), shutdown.clone());
        shutdown.spawn(name, async move {
            let ended = tokio::select! {
                ended = part => ended,
                () = drain.draining() => return,
            };
            if let Err(error) = ended {
                let error = error.into().context(format!("{name} failed"));
                tracing::error!("{error:#}; stopping");
                // The first failure is the one to tell of.
                let _ = failure.0.set(error);
                drain.drain();
            }
        });
    }

    fn into_result(self) -> anyhow::Result<()> {
        match self.0.get() {
            Some(error) => Err(anyhow::anyhow!("{error:#}")),
            None => Ok(()),
        }
    }
}

async fn serve(router: Router, listener: TcpListener, shutdown: &Shutdown) -> anyhow::Result<()> {
    let drain = shutdown.clone();
    let server = router.serve_with_incoming_shutdown(incoming(listener), async move { drain.draining().await });
    tokio::select! {
        served = server => served.context("the gRPC server failed"),
        () = late(shutdown) => {
            tracing::warn!("connections were still open; they are cut");
            Ok(())
        }
    }
}

/// Ends a while after the drain began.
async fn late(shutdown: &Shutdown) {
    shutdown.draining().await;
    tokio::time::sleep(DRAIN).await;
}

fn open(file: &std::path::Path) -> anyhow::Result<Redb> {
    Redb::open(file, rand::random()).with_context(|| {
        format!(
            "cannot open the store {}: is another control plane using it? stop it, or name another folder with --data",
            file.display()
        )
    })
}

/// The state of the store; an empty store gets its environments first.
async fn begin(store: &dyn Store) -> anyhow::Result<State> {
    let state = feed::load(store).await?;
    if !state.environments.is_empty() {
        return Ok(state);
    }
    match store.txn(change::first_environments(rand::random)).await? {
        Outcome::Committed(_) => Ok(feed::load(store).await?),
        Outcome::Refused { .. } => anyhow::bail!("the store is being written by somebody else"),
    }
}

fn incoming(listener: TcpListener) -> impl tokio_stream::Stream<Item = std::io::Result<tokio::net::TcpStream>> {
    use tokio_stream::StreamExt as _;
    TcpListenerStream::new(listener).map(|accepted| {
        let stream = accepted?;
        stream.set_nodelay(true)?;
        Ok(stream)
    })
}

/// What the services stand on.
struct Parts {
    truth: Truth,
    publisher: Arc<Publisher>,
    fleet: Arc<Fleet>,
    coverage: Coverage,
    intake: Intake,
}

/// Builds all parts and starts their tasks.
fn start(store: Arc<dyn Store>, state: Arc<State>, failure: &Failure, shutdown: &Shutdown) -> Parts {
    let publisher = Arc::new(Publisher::new(store.lineage(), state.clone()));
    let fleet = Arc::new(Fleet::new());
    let (announced, states) = watch::channel(state);
    let truth = Truth::new(store.clone(), states.clone());
    {
        let (store, publisher) = (store.clone(), publisher.clone());
        failure.watch("feed", shutdown, async move {
            feed::follow(&*store, &publisher, &announced).await
        });
    }
    let (collector, intake, coverage) = Collector::new(store, states, fleet.clone());
    shutdown.spawn("health-collector", collector.run(shutdown.clone()));
    let engine = Engine::new(truth.clone(), publisher.clone(), fleet.clone(), coverage.clone());
    shutdown.spawn("engine", engine.run(shutdown.clone()));
    Parts {
        truth,
        publisher,
        fleet,
        coverage,
        intake,
    }
}

/// All services over their parts.
fn services(parts: Parts, shutdown: &Shutdown) -> Router {
    let Parts {
        truth,
        publisher,
        fleet,
        coverage,
        intake,
    } = parts;
    let (health_reporter, grpc_health) = tonic_health::server::health_reporter();
    shutdown.spawn("grpc-health", async move {
        health_reporter
            .set_service_status("", tonic_health::ServingStatus::Serving)
            .await;
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors were written by this build");
    let view = api::View::new(truth.clone(), publisher.clone(), fleet.clone(), coverage);
    let fleet_api = api::FleetApi::new(truth.clone(), publisher.clone(), fleet.clone());
    let rollouts = RolloutsServer::new(api::RolloutsApi::new(view, shutdown.clone()));
    let flags = FlagsServer::new(api::FlagsApi::new(truth.clone()));
    let sync = SyncServer::new(SyncService::new(publisher, fleet, shutdown.clone()));
    let health = HealthServer::new(HealthService::new(intake, truth.states(), shutdown.clone()));
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .tcp_nodelay(true)
        .add_service(grpc_health)
        .add_service(reflection)
        .add_service(EnvironmentsServer::new(api::EnvironmentsApi::new(truth.clone())))
        .add_service(AuditServer::new(api::AuditApi::new(truth)))
        .add_service(FleetServer::new(fleet_api))
        .add_service(flags.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(rollouts.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(sync.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(health.max_decoding_message_size(MESSAGE_LIMIT))
}
