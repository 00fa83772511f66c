//! The switch of the injected fault: tells every running service how often a path fails.

use std::net::SocketAddr;

use anyhow::bail;
use axum::http::Method;

use crate::{args::FaultArgs, http::Http};

/// Tells all services; an error if one cannot be told.
pub(crate) async fn run(args: FaultArgs) -> anyhow::Result<()> {
    for (service, answer) in set(&args.services, &args.path, args.rate).await? {
        println!("{service}: {answer}");
    }
    Ok(())
}

/// Sets how often a path fails at these services; what each answered.
pub(crate) async fn set(services: &[SocketAddr], path: &str, rate: f64) -> anyhow::Result<Vec<(SocketAddr, String)>> {
    let http = Http::new();
    let mut answers = Vec::with_capacity(services.len());
    for service in services {
        let place = format!("/faults/{path}?rate={rate}");
        match http.call(Method::PUT, *service, &place).await {
            Ok((status, body)) if status.is_success() => answers.push((*service, body.trim().to_owned())),
            Ok((status, body)) => bail!("{service} refused ({status}): {}", body.trim()),
            Err(error) => bail!("no service to tell: {error}; does the demo run, and on these ports?"),
        }
    }
    Ok(answers)
}
