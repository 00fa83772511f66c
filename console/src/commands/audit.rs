//! Who did what, when and why. The table shows the acts; JSON and YAML also what was before and after.

use proto::v1;
use serde::Serialize;
use serde_json::Value as Json;
use tonic::Status;

use super::{
    follow::{self, Said},
    pages,
};
use crate::{
    args::{AuditArgs, Global},
    connect::Session,
    error::{End, Error},
    json, print,
};

/// Records in one page: they carry documents, and a page is one message.
const PAGE: u32 = 100;

/// One act, for programs.
#[derive(Debug, Serialize)]
struct Record {
    id: String,
    at: Option<String>,
    actor: String,
    authenticated: bool,
    action: String,
    kind: String,
    key: String,
    reason: String,
    before: Option<Json>,
    after: Option<Json>,
    peer: String,
    revision: u64,
    changeset: String,
}

impl Record {
    fn of(record: v1::AuditRecord) -> Self {
        Self {
            before: json::of_text(&record.before),
            after: json::of_text(&record.after),
            at: print::timestamp(record.at_us),
            id: record.id,
            actor: record.actor,
            authenticated: record.authenticated,
            action: record.action,
            kind: record.kind,
            key: record.key,
            reason: record.reason,
            peer: record.peer,
            revision: record.revision,
            changeset: record.changeset,
        }
    }
}

/// Lists the newest records that fit, or follows them.
pub(super) async fn run(global: &Global, options: &AuditArgs) -> Result<End, Error> {
    let session = Session::open(global).await?;
    if options.follow {
        return follow(global, &session, options).await;
    }
    let records = matching(&session, global, options)
        .await
        .map_err(|status| session.error(&status))?;
    let table = table(&records);
    let values: Vec<Record> = records.into_iter().map(Record::of).collect();
    print::show(global.output, &values, || table)?;
    Ok(End::Done)
}

/// Whose acts: the option only, for the variable says who acts here.
fn actor(global: &Global) -> String {
    global.actor.clone().unwrap_or_default()
}

async fn matching(session: &Session, global: &Global, options: &AuditArgs) -> Result<Vec<v1::AuditRecord>, Status> {
    pages::collect(options.limit as usize, async |page_token| {
        let request = v1::ListAuditRequest {
            environment: session.environment(),
            key: options.key.clone().unwrap_or_default(),
            page_size: options.limit.min(PAGE),
            page_token,
            actor: actor(global),
            action: options.action.clone().unwrap_or_default(),
            since_us: options.since.unwrap_or_default(),
            until_us: options.until.unwrap_or_default(),
            changeset: options.changeset.clone().unwrap_or_default(),
        };
        let response = session.audit().list_audit(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.records, page.next_page_token))
    })
    .await
}

fn table(records: &[v1::AuditRecord]) -> String {
    if records.is_empty() {
        return "no records".into();
    }
    let rows = records.iter().map(|record| {
        [
            print::moment(record.at_us),
            who(record),
            record.action.clone(),
            record.key.clone(),
            record.reason.clone(),
            record.revision.to_string(),
        ]
    });
    print::table(["AT", "ACTOR", "ACTION", "KEY", "REASON", "REVISION"], rows)
}

fn who(record: &v1::AuditRecord) -> String {
    let claimed = if record.authenticated { "" } else { " (unproved)" };
    format!("{}{claimed}", record.actor)
}

async fn follow(global: &Global, session: &Session, options: &AuditArgs) -> Result<End, Error> {
    if options.since.is_some() {
        return Err(Error::usage(
            "--follow begins now; list what came before with --since and without --follow",
        ));
    }
    let open = async |after_revision| {
        let request = v1::FollowAuditRequest {
            environment: session.environment(),
            key: options.key.clone().unwrap_or_default(),
            actor: actor(global),
            action: options.action.clone().unwrap_or_default(),
            after_revision,
        };
        let response = session.audit().follow_audit(session.follow(request)).await?;
        Ok(response.into_inner())
    };
    let show = |record: v1::AuditRecord| {
        let text = line(&record);
        print::show_change(global.output, &Record::of(record), &text)
    };
    follow::follow(session, 0, open, said, show).await
}

fn said(message: v1::FollowAuditResponse) -> Said<v1::AuditRecord> {
    Said {
        complete: message.revision,
        news: message
            .record
            .map(|record| (record.revision, record.id.clone(), record)),
    }
}

fn line(record: &v1::AuditRecord) -> String {
    let reason = if record.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", record.reason)
    };
    print::plain(&format!(
        "{} {} {} by {}{reason} (revision {})",
        print::moment(record.at_us),
        record.action,
        record.key,
        who(record),
        record.revision
    ))
}
