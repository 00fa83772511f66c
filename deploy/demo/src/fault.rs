//! The switch of the injected fault: tells every running service how often a path fails.

use anyhow::bail;
use axum::http::Method;

use crate::{args::FaultArgs, http::Http};

/// Tells all services; an error if one cannot be told.
pub(crate) async fn run(args: FaultArgs) -> anyhow::Result<()> {
    let http = Http::new();
    for service in args.services {
        match http
            .call(
                Method::PUT,
                service,
                &format!("/faults/{}?rate={}", args.path, args.rate),
            )
            .await
        {
            Ok((status, body)) if status.is_success() => println!("{service}: {}", body.trim()),
            Ok((status, body)) => bail!("{service} refused ({status}): {}", body.trim()),
            Err(error) => bail!("no service to tell: {error}; does the demo run, and on these ports?"),
        }
    }
    Ok(())
}
