//! Builds the parts of the control plane, binds its doors, and runs it until it is asked to stop.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use http::{HeaderName, HeaderValue};
use reqwest::Certificate;
use rollout::evidence::bases::SHORTEST_CAPTURE_US;
use runtime::{folder, listen, ops, readiness::Readiness, shutdown::Shutdown, telemetry};
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{service::Routes, transport::Server};
use tonic_web::GrpcWebLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{
    api::View,
    args::Args,
    change,
    engine::{Engine, facts::Sources, soaks::Soaks},
    events, feed, gauges,
    health::{self, collector::Collector},
    levels::Levels,
    metrics,
    prometheus::{self, Prometheus},
    publish::Publisher,
    push,
    register::Register,
    scheduler::Scheduler,
    services::{self, Parts},
    state::State,
    store::{
        Outcome, Store,
        redb::{OpenError, Redb},
    },
    sweep,
    sync::fleet::Fleet,
    truth::Truth,
    web::{self, Origin},
    webhooks::{self, Post, Webhooks, retry::Patience},
};

/// How long tasks may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the control plane.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init_logging(args.log_format, args.log.as_deref());
    let rendered = telemetry::init_metrics()?;
    metrics::describe();
    health::metrics::describe();
    prometheus::metrics::describe();
    webhooks::metrics::describe();
    let shutdown = Shutdown::new();
    let readiness = Readiness::new();
    let serving = readiness.condition("serving");
    serving.unmet("starting");

    if args.shortest_capture < SHORTEST_CAPTURE_US {
        tracing::warn!(
            "baselines may be captured from less than a quarter of an hour: for rehearsals, not to be trusted"
        );
    }
    let post = post(&args)?;
    let prometheus = prometheus(&args).await?;
    let folder = folder::prepare(&args.data)?;
    let listener = listen::tcp("the gRPC port", "--listen", args.listen).await?;
    let ops_listener = listen::tcp("the ops port", "--ops", args.ops).await?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    let file = folder.join("store.redb");
    let store: Arc<dyn Store> = Arc::new(open(&file)?);
    let state = Arc::new(begin(&*store).await?);
    tracing::info!(store = %file.display(), revision = state.revision, flags = state.flags.len(), "store is open");

    let failure = Failure::default();
    let fleet = Arc::new(Fleet::new());
    let register = Register::load(store.clone(), fleet.clone(), runtime::clock::now_us()).await?;
    shutdown.spawn("register", register.run(shutdown.clone()));
    let parts = start(store, state, fleet, (post, prometheus), &failure, &shutdown);
    let view = View::new(parts.truth.clone(), parts.sources.clone());
    let rendered = rendered.with(move || {
        let (rollouts, omitted) = view.under_way(gauges::MOST, runtime::clock::now_us());
        gauges::render(&rollouts, omitted)
    });
    failure.watch(
        "ops",
        &shutdown,
        ops::serve(ops_listener, readiness, rendered, shutdown.clone()),
    );
    let signals = shutdown.clone();
    shutdown.spawn("signals", async move { signals.on_signals().await });
    serving.met();
    tracing::info!(%address, ops = %ops_address, "control plane is ready");
    serve(
        services::routes(parts, args.shortest_capture, &shutdown),
        &args.web_origins,
        listener,
        &shutdown,
    )
    .await?;
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

async fn serve(
    routes: Routes,
    web_origins: &[Origin],
    listener: TcpListener,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let drain = shutdown.clone();
    let router = Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .tcp_nodelay(true)
        .layer(web::cors(web_origins))
        .layer(SetResponseHeaderLayer::overriding(
            HeaderName::from_static(proto::VERSION),
            HeaderValue::from_static(env!("CARGO_PKG_VERSION")),
        ))
        .layer(GrpcWebLayer::new())
        .layer(SetResponseHeaderLayer::overriding(
            HeaderName::from_static("grpc-status"),
            web::unreadable,
        ))
        .add_routes(routes);
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
    Redb::open(file, rand::random()).map_err(|error| {
        let advice = match error {
            OpenError::InUse => "is another control plane using it? stop it, or name another folder with --data",
            OpenError::Store(_) => {
                "it is left as it is; put a whole copy in its place, or name another folder with --data"
            }
        };
        anyhow::anyhow!("cannot open the store {}: {error}; {advice}", file.display())
    })
}

/// The way to the receivers of webhooks.
fn post(args: &Args) -> anyhow::Result<Post> {
    let settings = webhooks::Settings {
        allow_http: args.webhook_allow_http,
        authorities: authorities("--webhook-ca", args.webhook_ca.as_deref())?,
    };
    Post::new(settings, Patience::STANDARD.answer).context("the client for webhooks cannot be built")
}

/// The way to the Prometheus that levels are read from, if there is one.
async fn prometheus(args: &Args) -> anyhow::Result<Option<Prometheus>> {
    let Some(address) = &args.prometheus else {
        return Ok(None);
    };
    let settings = prometheus::Settings {
        address: address.clone(),
        token_file: args.prometheus_token_file.clone(),
        authorities: authorities("--prometheus-ca", args.prometheus_ca.as_deref())?,
    };
    let prometheus = Prometheus::new(settings).context("the client for Prometheus cannot be built")?;
    if let Some(file) = &args.prometheus_token_file {
        let reading = || format!("cannot use --prometheus-token-file {}", file.display());
        prometheus.check_token().await.with_context(reading)?;
        if address.is_in_the_clear() {
            tracing::warn!("whoever is on the way to Prometheus can read its token: use an https address");
        }
    }
    Ok(Some(prometheus))
}

/// The certificates of a file, which must hold one.
fn authorities(option: &str, file: Option<&Path>) -> anyhow::Result<Vec<Certificate>> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let reading = || format!("cannot read {option} {}", file.display());
    let pem = std::fs::read(file).with_context(reading)?;
    let found = Certificate::from_pem_bundle(&pem).with_context(reading)?;
    anyhow::ensure!(
        !found.is_empty(),
        "{option} {} holds no certificate in PEM",
        file.display()
    );
    Ok(found)
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

/// Builds all parts and starts their tasks.
fn start(
    store: Arc<dyn Store>,
    state: Arc<State>,
    fleet: Arc<Fleet>,
    (post, prometheus): (Post, Option<Prometheus>),
    failure: &Failure,
    shutdown: &Shutdown,
) -> Parts {
    let publisher = Arc::new(Publisher::new(store.lineage(), state.clone()));
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
    let sources = Sources {
        publisher: publisher.clone(),
        fleet: fleet.clone(),
        coverage,
        soaks: Soaks::default(),
        levels: Levels::new(prometheus.is_some()),
    };
    if let Some(prometheus) = prometheus {
        let asking = prometheus::run(truth.clone(), sources.levels.clone(), prometheus, shutdown.clone());
        shutdown.spawn("prometheus", asking);
    }
    let engine = Engine::new(truth.clone(), sources.clone());
    shutdown.spawn("engine", engine.run(shutdown.clone()));
    let scheduler = Scheduler::new(truth.clone());
    shutdown.spawn("scheduler", scheduler.run(shutdown.clone()));
    shutdown.spawn("chunk-sweep", sweep::run(truth.clone(), shutdown.clone()));
    shutdown.spawn("push-sweep", push::sweep::run(truth.clone(), shutdown.clone()));
    shutdown.spawn("event-sweep", events::sweep::run(truth.clone(), shutdown.clone()));
    let webhooks = Webhooks::start(&truth, post, Patience::STANDARD, shutdown);
    Parts {
        truth,
        publisher,
        fleet,
        sources,
        intake,
        webhooks,
    }
}
