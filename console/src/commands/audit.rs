//! Who did what, when and why. The table shows the acts; JSON and YAML also what was before and after.

use proto::v1;
use serde::Serialize;

use crate::{
    args::{AuditArgs, Global},
    connect::Session,
    error::Error,
    print,
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
    before: serde_json::Value,
    after: serde_json::Value,
    peer: String,
    revision: u64,
}

impl Record {
    fn of(record: v1::AuditRecord) -> Self {
        Self {
            before: document(&record.before),
            after: document(&record.after),
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
        }
    }
}

/// Absent for nothing, else the JSON as it is; text that is none stays text.
fn document(text: &str) -> serde_json::Value {
    match text {
        "" => serde_json::Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

/// Lists the newest records.
pub(super) async fn list(global: &Global, options: AuditArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let limit = options.limit as usize;
    let mut records: Vec<v1::AuditRecord> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListAuditRequest {
            environment: session.environment(),
            key: options.key.clone().unwrap_or_default(),
            page_size: options.limit.min(PAGE),
            page_token,
        };
        let response = session.audit().list_audit(session.call(request)).await;
        let page = response.map_err(|status| session.error(&status))?.into_inner();
        records.extend(page.records);
        page_token = page.next_page_token;
        if page_token.is_empty() || records.len() >= limit {
            break;
        }
    }
    records.truncate(limit);
    let table = table(&records);
    let values: Vec<Record> = records.into_iter().map(Record::of).collect();
    print::show(global.output, &values, || table)
}

fn table(records: &[v1::AuditRecord]) -> String {
    if records.is_empty() {
        return "no records".into();
    }
    let rows = records.iter().map(|record| {
        let claimed = if record.authenticated { "" } else { " (unproved)" };
        [
            print::moment(record.at_us),
            format!("{}{claimed}", record.actor),
            record.action.clone(),
            record.key.clone(),
            record.reason.clone(),
            record.revision.to_string(),
        ]
    });
    print::table(["AT", "ACTOR", "ACTION", "KEY", "REASON", "REVISION"], rows)
}
