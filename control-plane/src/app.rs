//! Builds the parts of the control plane, binds its doors, and runs it until it is asked to stop.

use std::{sync::Arc, time::Duration};

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
    health::{self, collector::Collector, service::HealthService},
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
    let file = folder.join("store.redb");
    let store: Arc<dyn Store> = Arc::new(open(&file)?);
    let state = Arc::new(begin(&*store).await?);
    tracing::info!(store = %file.display(), revision = state.revision, flags = state.flags.len(), "store is open");

    let router = build(store, state, &shutdown);
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    {
        let (readiness, drain) = (readiness.clone(), shutdown.clone());
        shutdown.spawn("ops", async move {
            if let Err(error) = ops::serve(ops_listener, readiness, rendered, drain).await {
                tracing::error!(%error, "the ops port failed");
            }
        });
    }
    let drain = shutdown.clone();
    let server = router.serve_with_incoming_shutdown(incoming(listener), async move { drain.draining().await });
    serving.met();
    tracing::info!(%address, ops = %ops_address, "control plane is ready");
    let signals = shutdown.clone();
    tokio::spawn(async move { signals.on_signals().await });
    tokio::select! {
        served = server => served.context("the gRPC server failed")?,
        () = late(&shutdown) => tracing::warn!("connections were still open; they are cut"),
    }
    shutdown.drain();
    if !shutdown.finished(DRAIN).await {
        tracing::warn!("some tasks did not end in time");
    }
    match shutdown.panicked() {
        Some(task) => anyhow::bail!("task {task} panicked; see the log"),
        None => Ok(()),
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

/// Builds all parts and starts their tasks; the services over them.
fn build(store: Arc<dyn Store>, state: Arc<State>, shutdown: &Shutdown) -> Router {
    let publisher = Arc::new(Publisher::new(store.lineage(), state.clone()));
    let fleet = Arc::new(Fleet::new());
    let (announced, states) = watch::channel(state);
    let truth = Truth::new(store.clone(), states.clone());
    {
        let (store, publisher, drain) = (store.clone(), publisher.clone(), shutdown.clone());
        shutdown.spawn("feed", async move {
            tokio::select! {
                ended = feed::follow(&*store, &publisher, &announced) => if let Err(error) = ended {
                    tracing::error!(%error, "the state can no longer follow the store; stopping");
                    drain.drain();
                },
                () = drain.draining() => {}
            }
        });
    }
    let (collector, intake, coverage) = Collector::new(store, states.clone(), fleet.clone());
    shutdown.spawn("health-collector", collector.run(shutdown.clone()));
    let engine = Engine::new(truth.clone(), publisher.clone(), fleet.clone(), coverage.clone());
    shutdown.spawn("engine", engine.run(shutdown.clone()));

    let view = api::View::new(truth.clone(), publisher.clone(), fleet.clone(), coverage);
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
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .tcp_nodelay(true)
        .add_service(grpc_health)
        .add_service(reflection)
        .add_service(FlagsServer::new(api::FlagsApi::new(truth.clone())).max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(EnvironmentsServer::new(api::EnvironmentsApi::new(truth.clone())))
        .add_service(AuditServer::new(api::AuditApi::new(truth.clone())))
        .add_service(FleetServer::new(api::FleetApi::new(
            truth,
            publisher.clone(),
            fleet.clone(),
        )))
        .add_service(
            RolloutsServer::new(api::RolloutsApi::new(view, shutdown.clone())).max_decoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            SyncServer::new(SyncService::new(publisher, fleet, shutdown.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(
            HealthServer::new(HealthService::new(intake, states, shutdown.clone()))
                .max_decoding_message_size(MESSAGE_LIMIT),
        )
}
