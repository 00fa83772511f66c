//! Baselines: captured, imported, listed, shown, deleted.

use evaluation::Key;
use proto::v1;
use tonic::Status;

use super::{confirm::confirm, pages};
use crate::{
    args::{BaselineCommand, CaptureArgs, Global, ImportBaselineArgs},
    baseline_document::{self, BaselineDocument},
    connect::Session,
    document,
    error::Error,
    print,
    view::baseline::{self, BaselineView},
};

/// Baselines in one page of a list.
const PAGE: u32 = 200;

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: BaselineCommand) -> Result<(), Error> {
    match command {
        BaselineCommand::Capture(options) => capture(global, options).await,
        BaselineCommand::Import(options) => import(global, options).await,
        BaselineCommand::List => list(global).await,
        BaselineCommand::Show(baseline) => show(global, &baseline.key).await,
        BaselineCommand::Delete(options) => delete(global, &options.baseline.key, options.yes).await,
    }
}

async fn capture(global: &Global, options: CaptureArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let stage = named_stage(&session, &options).await?;
    let request = v1::CaptureBaselineRequest {
        environment: session.environment(),
        rollout: options.rollout,
        stage,
        key: options.name.map(|name| name.to_string()).unwrap_or_default(),
        description: options.description,
    };
    let response = session.baselines().capture_baseline(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?.into_inner();
    for left_out in &response.left_out {
        print::note(&format!("left out: {}", print::plain(left_out)));
    }
    stored(global, response.baseline)
}

/// The name of a stage that was said by its place in the plan; a name stays as it is.
async fn named_stage(session: &Session, options: &CaptureArgs) -> Result<String, Error> {
    let Ok(place) = options.stage.parse::<usize>() else {
        return Ok(options.stage.clone());
    };
    let request = v1::GetRolloutRequest {
        environment: session.environment(),
        rollout: options.rollout.clone(),
    };
    let response = session.rollouts().get_rollout(session.call(request)).await;
    let rollout = response.map_err(|status| session.error(&status))?.into_inner().rollout;
    let stages = rollout.and_then(|rollout| rollout.plan).unwrap_or_default().stages;
    // A stage may be called by a number.
    if stages.iter().any(|stage| stage.name == options.stage) {
        return Ok(options.stage.clone());
    }
    let named = stages.get(place).map(|stage| stage.name.clone());
    named.ok_or_else(|| {
        let last = stages.len().saturating_sub(1);
        Error::usage(format!("--stage {place}: the plan's stages are 0 to {last}"))
    })
}

async fn import(global: &Global, options: ImportBaselineArgs) -> Result<(), Error> {
    let document = match &options.file {
        Some(file) => {
            let text = document::text(file)?;
            baseline_document::parse(&file.display().to_string(), &text).map_err(Error::Usage)?
        }
        None => given(&options)?,
    };
    let key = match (&options.key, document.key.as_str()) {
        (Some(key), written) if !written.is_empty() && written != key.as_str() => {
            return Err(Error::usage(format!("the document is of {written}, not of {key}")));
        }
        (Some(key), _) => key.to_string(),
        (None, "") => {
            return Err(Error::usage(
                "the baseline has no key: write one into the document, or name it",
            ));
        }
        (None, written) => written.to_owned(),
    };
    if document.was_captured {
        print::note("its buckets of units and its hours are not imported: a document has the numbers alone");
    }
    let session = Session::open(global).await?;
    let request = v1::ImportBaselineRequest {
        environment: session.environment(),
        key,
        description: document.description,
        values: document.values,
    };
    let response = session.baselines().import_baseline(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?.into_inner();
    stored(global, response.baseline)
}

/// What the options say.
fn given(options: &ImportBaselineArgs) -> Result<BaselineDocument, Error> {
    let mut document = BaselineDocument {
        description: options.description.clone(),
        ..BaselineDocument::default()
    };
    for (metric, value) in &options.value {
        if document.values.insert(metric.clone(), value.clone()).is_some() {
            return Err(Error::usage(format!("--value {metric}: it is given twice")));
        }
    }
    Ok(document)
}

fn stored(global: &Global, stored: Option<v1::StoredBaseline>) -> Result<(), Error> {
    let stored = stored.unwrap_or_default();
    print::show(global.output, &BaselineView::of(&stored), || baseline::page(&stored))
}

async fn list(global: &Global) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let baselines = pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListBaselinesRequest {
            environment: session.environment(),
            page_size: PAGE,
            page_token,
        };
        let response = session.baselines().list_baselines(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.baselines, page.next_page_token))
    })
    .await
    .map_err(|status: Status| session.error(&status))?;
    let views: Vec<BaselineView> = baselines.iter().map(BaselineView::of).collect();
    print::show(global.output, &views, || match baselines.as_slice() {
        [] => format!("no baselines in {}", session.environment()),
        baselines => baseline::list(baselines),
    })
}

async fn read(session: &Session, key: &Key) -> Result<v1::StoredBaseline, Error> {
    let request = v1::GetBaselineRequest {
        environment: session.environment(),
        key: key.to_string(),
    };
    let response = session.baselines().get_baseline(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?.into_inner();
    Ok(response.baseline.unwrap_or_default())
}

async fn show(global: &Global, key: &Key) -> Result<(), Error> {
    let session = Session::open(global).await?;
    stored(global, Some(read(&session, key).await?))
}

/// Deletes a baseline, if whoever asks means it, and only the one that was seen.
async fn delete(global: &Global, key: &Key, yes: bool) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let seen = read(&session, key).await?;
    let question = format!("Delete the baseline {}?", baseline::line(&seen));
    confirm(&question, yes)?;
    let request = v1::DeleteBaselineRequest {
        environment: session.environment(),
        key: key.to_string(),
        expected_revision: seen.revision,
    };
    let response = session.baselines().delete_baseline(session.call(request)).await;
    response.map_err(|status| session.error(&status))?;
    print::show(global.output, &BaselineView::of(&seen), || {
        format!("{key}: deleted; rollouts keep what they took over")
    })
}
