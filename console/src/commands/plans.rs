//! Plans are stored, shown, listed and deleted; metrics are listed. What lint says and what a walk shows is in
//! `lint.rs`.
//!
//! A plan that lint refuses is not stored: every violation comes with its path, one a line.

use evaluation::Key;
use proto::v1;
use serde::Serialize;
use tonic::Status;

use super::{confirm::confirm, draft, lint, pages, series};
use crate::{
    args::{Global, MetricsCommand, PlanCommand, PlanDeleteArgs, PlanGetArgs, PlanUpdateArgs},
    connect::Session,
    error::{End, Error},
    plan_document::PlanDocument,
    plan_file,
    print::{self, Format},
    view::{
        lint::note_line,
        plan::{self, StoredPlanView},
    },
};

/// Plans in one page: they are documents, and a page is one message.
const PAGE: u32 = 100;

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: PlanCommand) -> Result<End, Error> {
    match command {
        PlanCommand::Create(document) => create(global, plan_file::read(document.path()?)?).await?,
        PlanCommand::Update(options) => update(global, &options).await?,
        PlanCommand::Get(options) => get(global, &options).await?,
        PlanCommand::List => list(global).await?,
        PlanCommand::Delete(options) => delete(global, &options).await?,
        PlanCommand::Lint(options) => return lint::lint(global, &options).await,
        PlanCommand::Draft(options) => draft::run(global, &options).await?,
        PlanCommand::History(plan) => history(global, &plan.key).await?,
        PlanCommand::Simulate(options) => lint::simulate(global, &options).await?,
    }
    Ok(End::Done)
}

async fn create(global: &Global, plan: v1::Plan) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let request = v1::CreatePlanRequest {
        environment: session.environment(),
        plan: Some(plan),
    };
    let response = session.plans().create_plan(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?.into_inner();
    stored(global, &session, response.plan, &response.notes)
}

async fn update(global: &Global, options: &PlanUpdateArgs) -> Result<(), Error> {
    let plan = plan_file::read(options.document.path()?)?;
    let session = Session::open(global).await?;
    let request = v1::UpdatePlanRequest {
        environment: session.environment(),
        plan: Some(plan),
        expected_revision: options.revision.unwrap_or_default(),
    };
    let response = session.plans().update_plan(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?.into_inner();
    stored(global, &session, response.plan, &response.notes)
}

/// Shows a plan that was written; what lint has to say besides goes to standard error.
fn stored(
    global: &Global,
    session: &Session,
    stored: Option<v1::StoredPlan>,
    notes: &[v1::LintNote],
) -> Result<(), Error> {
    let stored = stored.unwrap_or_default();
    for note in notes {
        print::note(&note_line(note));
    }
    print::show(global.output, &StoredPlanView::of(&stored), || {
        let key = stored.plan.as_ref().map(plan::key).unwrap_or_default();
        format!(
            "{}\nstart it with: tidegate rollout start --plan {} -e {}",
            plan::line(&stored),
            print::plain(key),
            session.environment()
        )
    })
}

/// A stored plan; version 0 is the present one.
pub(super) async fn read(session: &Session, key: &Key, version: u32) -> Result<v1::StoredPlan, Status> {
    let request = v1::GetPlanRequest {
        environment: session.environment(),
        key: key.to_string(),
        version,
    };
    let response = session.plans().get_plan(session.call(request)).await?;
    Ok(response.into_inner().plan.unwrap_or_default())
}

async fn get(global: &Global, options: &PlanGetArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let stored = read(&session, &options.plan.key, options.version.unwrap_or_default()).await;
    let stored = stored.map_err(|status| session.error(&status))?;
    match global.output {
        // The document alone, so that it can be edited and given back.
        Format::Yaml => {
            let plan = stored.plan.clone().unwrap_or_default();
            print::show(Format::Yaml, &PlanDocument::from_wire(&plan), String::new)
        }
        Format::Table | Format::Json => print::show(global.output, &StoredPlanView::of(&stored), || {
            plan::stored_page(&stored)
        }),
    }
}

async fn list(global: &Global) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let plans = pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListPlansRequest {
            environment: session.environment(),
            page_size: PAGE,
            page_token,
        };
        let response = session.plans().list_plans(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.plans, page.next_page_token))
    })
    .await
    .map_err(|status: Status| session.error(&status))?;
    let views: Vec<StoredPlanView> = plans.iter().map(StoredPlanView::of).collect();
    print::show(global.output, &views, || match plans.as_slice() {
        [] => format!("no plans in {}", session.environment()),
        plans => plan::list(plans),
    })
}

async fn history(global: &Global, key: &Key) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let versions = pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListPlanVersionsRequest {
            environment: session.environment(),
            key: key.to_string(),
            page_size: PAGE,
            page_token,
        };
        let response = session.plans().list_plan_versions(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.plans, page.next_page_token))
    })
    .await
    .map_err(|status: Status| session.error(&status))?;
    let views: Vec<StoredPlanView> = versions.iter().map(StoredPlanView::of).collect();
    print::show(global.output, &views, || plan::history(&versions))
}

/// Deletes a plan, if whoever asks means it, and only at the version that was seen.
async fn delete(global: &Global, options: &PlanDeleteArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let key = &options.plan.key;
    let seen = read(&session, key, 0).await;
    let seen = seen.map_err(|status| session.error(&status))?;
    confirm(&format!("Delete the plan {}?", plan::line(&seen)), options.yes)?;
    let request = v1::DeletePlanRequest {
        environment: session.environment(),
        key: key.to_string(),
        expected_revision: seen.revision,
    };
    let response = session.plans().delete_plan(session.call(request)).await;
    response.map_err(|status| session.error(&status))?;
    print::show(global.output, &StoredPlanView::of(&seen), || {
        format!("{key}: deleted; rollouts of it go on with their own copy")
    })
}

/// A metric, for programs.
#[derive(Debug, Serialize)]
struct MetricView {
    key: String,
    name: String,
    aliases: Vec<String>,
    kind: String,
    unit: String,
    better: String,
    source: String,
    description: String,
}

/// Runs one of the commands about metrics.
pub(super) async fn metrics(global: &Global, command: MetricsCommand) -> Result<(), Error> {
    match command {
        MetricsCommand::List => list_metrics(global).await,
        MetricsCommand::Series(options) => series::series(global, &options).await,
    }
}

async fn list_metrics(global: &Global) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let response = session
        .plans()
        .list_metrics(session.call(v1::ListMetricsRequest {}))
        .await;
    let metrics = response.map_err(|status| session.error(&status))?.into_inner().metrics;
    let views: Vec<MetricView> = metrics
        .iter()
        .cloned()
        .map(|metric| MetricView {
            key: metric.key,
            name: metric.name,
            aliases: metric.aliases,
            kind: metric.kind,
            unit: metric.unit,
            better: metric.better,
            source: metric.source,
            description: metric.description,
        })
        .collect();
    print::show(global.output, &views, || {
        let rows = metrics.into_iter().map(|metric| {
            [
                metric.key,
                metric.kind,
                metric.unit,
                metric.better,
                metric.aliases.join(", "),
                metric.description,
            ]
        });
        print::table(["METRIC", "KIND", "UNIT", "BETTER", "ALSO", "SAYS"], rows)
    })
}
