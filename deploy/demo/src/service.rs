//! The small service beside each agent: a checkout with an old path and two newer ones, each behind its flag.
//!
//! What a real service does with Tidegate, and no more: it evaluates, takes the path that it is told, and reports what
//! came of it. The paths differ only in how often they fail, which can be changed while it runs.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, put},
};
use rand::Rng as _;
use tidegate_client::{Client, Context, Evaluation, Exposed, Outcome};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    args::ServiceArgs,
    faults::{Faults, PATHS},
    signals,
};

/// How long the work of a request takes, at least and at most.
const WORK_MS: std::ops::Range<u64> = 1..5;

/// What a checkout that works earns, in dollars.
const REVENUE: f64 = 12.5;
/// What the assistant of a checkout costs, in dollars.
const COST: f64 = 0.04;

#[derive(Debug)]
struct Service {
    tidegate: Client,
    faults: Faults,
}

/// Who checks out.
#[derive(Debug, serde::Deserialize)]
struct Checkout {
    user: String,
}

/// How often a path fails from now on.
#[derive(Debug, serde::Deserialize)]
struct NewRate {
    rate: f64,
}

/// Serves until it is asked to stop, then sends the last reports.
pub(crate) async fn run(args: ServiceArgs) -> anyhow::Result<()> {
    let faults = Faults::default();
    for (path, rate) in &args.faults {
        faults.set(path, *rate)?;
    }
    let tidegate = Client::connect(args.agent)?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("serving on {}", args.listen);
    let service = Arc::new(Service {
        tidegate: tidegate.clone(),
        faults,
    });
    let routes = Router::new()
        .route("/checkout", get(checkout))
        .route("/faults/{path}", put(fault))
        .route("/livez", get(async || "alive\n"))
        .with_state(service);
    let stopped = async {
        // Without signals it could not be asked to stop at all; then it does not start.
        let _ = signals::stop().await;
    };
    axum::serve(listener, routes).with_graceful_shutdown(stopped).await?;
    tidegate.close().await;
    println!("stopped; {} reports were dropped", tidegate.dropped());
    Ok(())
}

async fn checkout(State(service): State<Arc<Service>>, Query(who): Query<Checkout>) -> (StatusCode, &'static str) {
    let begun = Instant::now();
    let (path, evaluations) = service.choose(&Context::user(who.user)).await;
    let worked = service.work(path).await;
    let exposed: Vec<&dyn Exposed> = evaluations
        .iter()
        .map(|evaluation| evaluation as &dyn Exposed)
        .collect();
    let mut report = Outcome::of(&worked).value("cost-per-query", COST);
    if worked.is_ok() {
        report = report.value("revenue", REVENUE);
    }
    service.tidegate.report_all(&exposed, report, Some(begun.elapsed()));
    match worked {
        Ok(()) => (StatusCode::OK, PATHS[path]),
        Err(Fault) => (StatusCode::INTERNAL_SERVER_ERROR, PATHS[path]),
    }
}

async fn fault(
    State(service): State<Arc<Service>>,
    Path(path): Path<String>,
    Query(new): Query<NewRate>,
) -> Result<String, (StatusCode, String)> {
    let refused = |error: crate::faults::FaultError| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    service.faults.set(&path, new.rate).map_err(refused)?;
    println!("{path} now fails in {} of its requests", new.rate);
    Ok(format!("{path} fails in {} of its requests\n", new.rate))
}

/// The injected fault struck.
#[derive(Debug)]
struct Fault;

impl Service {
    /// The newest path whose flag says yes, and all that was evaluated on the way to it.
    async fn choose(&self, context: &Context) -> (usize, Vec<Evaluation<bool>>) {
        let mut evaluations = Vec::with_capacity(PATHS.len());
        for (path, flag) in PATHS.iter().enumerate().skip(1).rev() {
            let evaluation = self.tidegate.boolean(flag, false, context).await;
            let chosen = evaluation.value;
            evaluations.push(evaluation);
            if chosen {
                return (path, evaluations);
            }
        }
        (0, evaluations)
    }

    /// The work of a path: it takes a while, and fails as often as it was told to.
    async fn work(&self, path: usize) -> Result<(), Fault> {
        let (took_ms, failed) = {
            let mut random = rand::rng();
            (random.random_range(WORK_MS), random.random_bool(self.faults.rate(path)))
        };
        tokio::time::sleep(Duration::from_millis(took_ms)).await;
        if failed { Err(Fault) } else { Ok(()) }
    }
}
