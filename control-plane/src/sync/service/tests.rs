#![allow(clippy::unwrap_used, clippy::expect_used)]

use proto::v1::sync_request;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::sync::builders::{Agent, Harbour, hello};

async fn refused(harbour: &Harbour, hello: v1::Hello) -> Status {
    Agent::open(harbour, hello).await.err().expect("refused")
}

#[tokio::test]
async fn a_hello_is_answered_with_everything_that_is_wrong_with_it() {
    let wrong = v1::Hello {
        agent: "a".repeat(201),
        environment: "no spaces".to_owned(),
        flag_set: "/".to_owned(),
        revision: Some(v1::Revision {
            lineage: vec![1; 3].into(),
            number: 1,
        }),
        ..v1::Hello::default()
    };
    let status = refused(&Harbour::new(), wrong).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let fields = status.get_details_bad_request().unwrap().field_violations;
    let fields = fields.into_iter().map(|found| found.field).collect::<Vec<_>>();
    assert_eq!(
        fields,
        [
            "hello.agent",
            "hello.environment",
            "hello.flag_set",
            "hello.revision.lineage"
        ]
    );
}

#[tokio::test]
async fn a_revision_without_its_digest_is_refused() {
    let half = v1::Hello {
        revision: Some(v1::Revision {
            lineage: vec![1; 16].into(),
            number: 1,
        }),
        ..hello("a")
    };
    let status = refused(&Harbour::new(), half).await;
    assert!(status.message().contains("hello.digest"), "{}", status.message());
}

#[tokio::test]
async fn an_unknown_environment_is_not_found_and_says_what_to_do() {
    let harbour = Harbour::new();
    let nowhere = v1::Hello {
        environment: "nowhere".to_owned(),
        ..hello("a")
    };
    let status = refused(&harbour, nowhere).await;
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("--environment"), "{}", status.message());
    assert_eq!(harbour.fleet.connections(), 0);
}

#[tokio::test]
async fn whoever_does_not_begin_with_hello_is_refused() {
    let heartbeat = sync_request::Message::Heartbeat(v1::AgentHeartbeat { agent_time_us: 1 });
    let refused = Agent::begin(&Harbour::new(), heartbeat).await.err().expect("refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_not_waited_for() {
    let refused = Agent::silent(&Harbour::new()).await.err().expect("refused");
    assert_eq!(refused.code(), Code::DeadlineExceeded);
}
