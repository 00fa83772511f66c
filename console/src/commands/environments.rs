//! Where configurations apply, in the order of promotion.

use proto::v1;
use serde::Serialize;

use crate::{args::Global, connect::Session, error::Error, print};

/// One environment, for programs.
#[derive(Debug, Serialize)]
struct Environment {
    key: String,
    kind: &'static str,
    order: u32,
}

/// Lists the environments.
pub(super) async fn list(global: &Global) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let response = session
        .environments()
        .list_environments(session.call(v1::ListEnvironmentsRequest {}))
        .await;
    let environments = response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .environments;
    let value = |environment: &v1::Environment| Environment {
        key: environment.key.clone(),
        kind: kind(environment.kind()),
        order: environment.order,
    };
    let values: Vec<Environment> = environments.iter().map(value).collect();
    print::show(global.output, &values, || {
        let rows = values
            .iter()
            .map(|one| [one.key.clone(), one.kind.into(), one.order.to_string()]);
        print::table(["KEY", "KIND", "ORDER"], rows)
    })
}

fn kind(kind: v1::EnvironmentKind) -> &'static str {
    match kind {
        v1::EnvironmentKind::Unspecified => "unknown",
        v1::EnvironmentKind::Development => "development",
        v1::EnvironmentKind::Staging => "staging",
        v1::EnvironmentKind::Production => "production",
    }
}
