//! Where configurations apply, in the order of promotion.

use evaluation::Key;
use prost_types::FieldMask;
use proto::v1;
use serde::Serialize;
use tonic::{Code, Status};

use super::confirm::confirm;
use crate::{
    args::{EnvironmentArgs, EnvironmentCommand, Global, KindArg},
    connect::Session,
    error::Error,
    nearest::nearest,
    print,
};

/// One environment, for programs.
#[derive(Debug, Serialize)]
struct Environment {
    key: String,
    kind: &'static str,
    order: u32,
    description: String,
    revision: u64,
}

impl Environment {
    fn of(environment: &v1::Environment) -> Self {
        Self {
            key: environment.key.clone(),
            kind: kind(environment.kind()),
            order: environment.order,
            description: environment.description.clone(),
            revision: environment.revision,
        }
    }
}

/// Runs one of the commands; without one, lists.
pub(super) async fn run(global: &Global, command: Option<EnvironmentCommand>) -> Result<(), Error> {
    match command {
        None | Some(EnvironmentCommand::List) => list(global).await,
        Some(EnvironmentCommand::Get(one)) => get(global, &one.key).await,
        Some(EnvironmentCommand::Create(options)) => create(global, &options).await,
        Some(EnvironmentCommand::Set(options)) => set(global, &options).await,
        Some(EnvironmentCommand::Delete(options)) => delete(global, &options.key, options.yes).await,
    }
}

/// All environments, as the control plane orders them.
pub(super) async fn all(session: &Session) -> Result<Vec<v1::Environment>, Status> {
    let request = session.call(v1::ListEnvironmentsRequest {});
    let response = session.environments().list_environments(request).await?;
    Ok(response.into_inner().environments)
}

async fn list(global: &Global) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let environments = all(&session).await.map_err(|status| session.error(&status))?;
    let values: Vec<Environment> = environments.iter().map(Environment::of).collect();
    print::show(global.output, &values, || table(&environments))
}

fn table(environments: &[v1::Environment]) -> String {
    let rows = environments.iter().map(|one| {
        [
            one.key.clone(),
            kind(one.kind()).into(),
            one.order.to_string(),
            one.description.clone(),
        ]
    });
    print::table(["KEY", "KIND", "ORDER", "DESCRIPTION"], rows)
}

async fn read(session: &Session, key: &Key) -> Result<v1::Environment, Error> {
    let request = v1::GetEnvironmentRequest { key: key.to_string() };
    match session.environments().get_environment(session.call(request)).await {
        Ok(response) => Ok(response.into_inner().environment.unwrap_or_default()),
        Err(status) => Err(missing(session, key, &status).await),
    }
}

async fn get(global: &Global, key: &Key) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let environment = read(&session, key).await?;
    show(global, &environment)
}

async fn create(global: &Global, options: &EnvironmentArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::CreateEnvironmentRequest {
        environment: Some(v1::Environment {
            key: options.key.to_string(),
            kind: wire_kind(options.kind.unwrap_or(KindArg::Development)).into(),
            order: options.order.unwrap_or_default(),
            description: options.description.clone().unwrap_or_default(),
            revision: 0,
        }),
    };
    let response = session.environments().create_environment(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    show(global, &response.into_inner().environment.unwrap_or_default())
}

/// Changes what is given, on condition that nobody writes meanwhile.
async fn set(global: &Global, options: &EnvironmentArgs) -> Result<(), Error> {
    let mut paths = Vec::new();
    paths.extend(options.kind.map(|_| "kind".to_owned()));
    paths.extend(options.order.map(|_| "order".to_owned()));
    paths.extend(options.description.as_ref().map(|_| "description".to_owned()));
    if paths.is_empty() {
        return Err(Error::usage("nothing to change: give --kind, --order or --description"));
    }
    let session = Session::open(global).await?;
    let present = read(&session, &options.key).await?;
    let request = v1::UpdateEnvironmentRequest {
        environment: Some(v1::Environment {
            key: options.key.to_string(),
            kind: options.kind.map_or(present.kind, |kind| wire_kind(kind).into()),
            order: options.order.unwrap_or(present.order),
            description: options.description.clone().unwrap_or(present.description),
            revision: present.revision,
        }),
        expected_revision: present.revision,
        update_mask: Some(FieldMask { paths }),
    };
    let response = session.environments().update_environment(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    show(global, &response.into_inner().environment.unwrap_or_default())
}

async fn delete(global: &Global, key: &Key, yes: bool) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let seen = read(&session, key).await?;
    confirm(&format!("Delete environment {key} ({})?", kind(seen.kind())), yes)?;
    let request = v1::DeleteEnvironmentRequest {
        key: key.to_string(),
        expected_revision: seen.revision,
    };
    let response = session.environments().delete_environment(session.call(request)).await;
    response.map_err(|status| session.error(&status))?;
    print::show(global.output, &Environment::of(&seen), || format!("{key}: deleted"))
}

fn show(global: &Global, environment: &v1::Environment) -> Result<(), Error> {
    print::show(global.output, &Environment::of(environment), || {
        print::pairs([
            ("key", environment.key.clone()),
            ("kind", kind(environment.kind()).into()),
            ("order", environment.order.to_string()),
            ("description", environment.description.clone()),
            ("revision", environment.revision.to_string()),
        ])
    })
}

async fn missing(session: &Session, key: &Key, status: &Status) -> Error {
    let refusal = session.error(status);
    let Error::Refused(mut problems) = refusal else {
        return refusal;
    };
    if status.code() == Code::NotFound {
        let environments = all(session).await.unwrap_or_default();
        if let Some(near) = nearest(key.as_str(), environments.iter().map(|one| one.key.as_str())) {
            problems.push(format!("did you mean {near}?"));
        }
    }
    Error::Refused(problems)
}

fn wire_kind(kind: KindArg) -> v1::EnvironmentKind {
    match kind {
        KindArg::Development => v1::EnvironmentKind::Development,
        KindArg::Staging => v1::EnvironmentKind::Staging,
        KindArg::Production => v1::EnvironmentKind::Production,
    }
}

fn kind(kind: v1::EnvironmentKind) -> &'static str {
    match kind {
        v1::EnvironmentKind::Unspecified => "unknown",
        v1::EnvironmentKind::Development => "development",
        v1::EnvironmentKind::Staging => "staging",
        v1::EnvironmentKind::Production => "production",
    }
}
