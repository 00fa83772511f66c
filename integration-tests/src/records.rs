//! What the control plane keeps beside flags: versions, segments and their members, schedules, and many documents at
//! once.
//!
//! Calls that a test expects to succeed panic otherwise; those whose refusal, or silence, is a case are named `try_...`.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use proto::v1::{
    self, configuration_client::ConfigurationClient, history_client::HistoryClient, schedules_client::SchedulesClient,
    segments_client::SegmentsClient,
};
use tonic::Status;

use crate::{operator::Operator, system::PRODUCTION};

/// Every version of a document, the newest first.
pub async fn versions(operator: &Operator, kind: &str, key: &str) -> Vec<v1::Version> {
    let (mut versions, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListVersionsRequest {
            environment: PRODUCTION.to_owned(),
            kind: kind.to_owned(),
            key: key.to_owned(),
            page_size: 1_000,
            page_token,
        };
        let page = HistoryClient::new(operator.channel()).list_versions(request).await;
        let page = page.unwrap_or_else(|status| panic!("versions of {kind} {key}: {status}"));
        let page = page.into_inner();
        versions.extend(page.versions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return versions;
        }
    }
}

/// One version of a flag, whole.
pub async fn flag_version(operator: &Operator, key: &str, version: u32) -> v1::StoredFlag {
    let request = v1::GetVersionRequest {
        environment: PRODUCTION.to_owned(),
        kind: "flag".to_owned(),
        key: key.to_owned(),
        version,
    };
    let response = HistoryClient::new(operator.channel()).get_version(request).await;
    let response = response.unwrap_or_else(|status| panic!("version {version} of {key}: {status}"));
    match response.into_inner().document {
        Some(v1::get_version_response::Document::Flag(flag)) => flag,
        other => panic!("version {version} of {key} is {other:?}"),
    }
}

/// Creates a segment.
pub async fn create_segment(operator: &Operator, segment: v1::Segment) -> v1::StoredSegment {
    let request = v1::CreateSegmentRequest {
        environment: PRODUCTION.to_owned(),
        segment: Some(segment),
        validate_only: false,
    };
    let response = SegmentsClient::new(operator.channel()).create_segment(request).await;
    let response = response.unwrap_or_else(|status| panic!("create segment: {status}"));
    response.into_inner().segment.expect("a created segment is given back")
}

/// Puts a unit on a segment's list of those that are in.
pub async fn try_add_member(operator: &Operator, segment: &str, unit: &str) -> Result<v1::StoredSegment, Status> {
    let request = v1::AddSegmentMembersRequest {
        environment: PRODUCTION.to_owned(),
        key: segment.to_owned(),
        list: v1::MemberList::Included.into(),
        units: vec![unit.to_owned()],
    };
    let response = SegmentsClient::new(operator.channel())
        .add_segment_members(request)
        .await?;
    Ok(response.into_inner().segment.expect("a written segment is given back"))
}

/// The units that are in a segment by its list.
pub async fn members(operator: &Operator, segment: &str) -> BTreeSet<String> {
    let (mut units, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = v1::ListSegmentMembersRequest {
            environment: PRODUCTION.to_owned(),
            key: segment.to_owned(),
            list: v1::MemberList::Included.into(),
            page_size: 10_000,
            page_token,
        };
        let page = SegmentsClient::new(operator.channel())
            .list_segment_members(request)
            .await;
        let page = page.unwrap_or_else(|status| panic!("members of {segment}: {status}"));
        let page = page.into_inner();
        units.extend(page.units);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return units;
        }
    }
}

/// Writes several flags in one transaction.
pub async fn try_apply(operator: &Operator, flags: Vec<v1::Flag>) -> Result<v1::ApplyResponse, Status> {
    let documents = flags.into_iter().map(|flag| v1::Document {
        kind: Some(v1::document::Kind::Flag(flag)),
        expected_revision: 0,
    });
    try_apply_documents(operator, documents.collect()).await
}

/// Writes several documents in one transaction.
pub async fn try_apply_documents(
    operator: &Operator,
    documents: Vec<v1::Document>,
) -> Result<v1::ApplyResponse, Status> {
    let request = v1::ApplyRequest {
        environment: PRODUCTION.to_owned(),
        documents,
        ..v1::ApplyRequest::default()
    };
    let response = ConfigurationClient::new(operator.channel()).apply(request).await?;
    Ok(response.into_inner())
}

/// Schedules a change of a flag's description, this many microseconds from now.
pub async fn try_schedule_description(
    operator: &Operator,
    flag: &str,
    description: &str,
    after_us: i64,
) -> Result<v1::Schedule, Status> {
    let patch = v1::FlagPatch {
        flag: Some(v1::Flag {
            key: flag.to_owned(),
            description: description.to_owned(),
            ..v1::Flag::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["description".to_owned()],
        }),
    };
    let schedule = v1::Schedule {
        environment: PRODUCTION.to_owned(),
        flag: flag.to_owned(),
        at_us: now_us() + after_us,
        change: Some(v1::ScheduledChange {
            kind: Some(v1::scheduled_change::Kind::Patch(patch)),
        }),
        ..v1::Schedule::default()
    };
    let request = v1::CreateScheduleRequest {
        schedule: Some(schedule),
    };
    let response = SchedulesClient::new(operator.channel())
        .create_schedule(request)
        .await?;
    Ok(response
        .into_inner()
        .schedule
        .expect("a created schedule is given back"))
}

/// Every schedule, those that ended as well.
pub async fn try_schedules(operator: &Operator) -> Result<Vec<v1::Schedule>, Status> {
    let (mut schedules, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListSchedulesRequest {
            environment: PRODUCTION.to_owned(),
            ended: true,
            page_size: 1_000,
            page_token,
            ..v1::ListSchedulesRequest::default()
        };
        let page = SchedulesClient::new(operator.channel()).list_schedules(request).await?;
        let page = page.into_inner();
        schedules.extend(page.schedules);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(schedules);
        }
    }
}

/// The time by this machine's clock, which is that of the processes under test too.
#[allow(clippy::disallowed_methods)]
pub fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("1970 is over");
    i64::try_from(now.as_micros()).expect("now fits for 290,000 years")
}
