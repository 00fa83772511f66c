//! What is only listed: the audit page by page, the fleet with its revisions, the environments in their order.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake};

/// How many records the audit holds.
const RECORDS: u64 = 250;

/// Answers every list with fixed values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lists;

fn record(revision: u64) -> v1::AuditRecord {
    v1::AuditRecord {
        at_us: 1_767_225_600_000_000,
        actor: "ann@desk".into(),
        action: "flag.update".into(),
        kind: "flag".into(),
        key: "checkout".into(),
        reason: "first\nusers".into(),
        before: r#"{"percent": 5}"#.into(),
        after: "no json".into(),
        revision,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl v1::audit_server::Audit for Lists {
    async fn list_audit(&self, request: Request<v1::ListAuditRequest>) -> Answer<v1::ListAuditResponse> {
        let v1::ListAuditRequest {
            key,
            page_size,
            page_token,
            ..
        } = request.into_inner();
        if key == "missing" {
            return Err(Status::not_found("no records about missing"));
        }
        let start: u64 = page_token.parse().unwrap_or(0);
        let end = RECORDS.min(start + u64::from(page_size));
        let next_page_token = if end < RECORDS { end.to_string() } else { String::new() };
        let records = (start..end).map(|at| record(RECORDS - at)).collect();
        Ok(Response::new(v1::ListAuditResponse {
            records,
            next_page_token,
        }))
    }
}

#[tonic::async_trait]
impl v1::fleet_server::Fleet for Lists {
    async fn list_agents(&self, _: Request<v1::ListAgentsRequest>) -> Answer<v1::ListAgentsResponse> {
        let agent = |id: &str, live, applied_revision| v1::Agent {
            id: id.into(),
            live,
            applied_revision,
            wanted_revision: 7,
            ..Default::default()
        };
        let behind = v1::Agent {
            problems: vec!["flag a: not understood".into()],
            ..agent("b", true, 6)
        };
        let agents = vec![agent("a", true, 7), behind, agent("c", false, 7)];
        Ok(Response::new(v1::ListAgentsResponse {
            agents,
            wanted_revision: 7,
        }))
    }
}

#[tonic::async_trait]
impl v1::environments_server::Environments for Lists {
    async fn list_environments(&self, _: Request<v1::ListEnvironmentsRequest>) -> Answer<v1::ListEnvironmentsResponse> {
        let environment = |key: &str, kind: v1::EnvironmentKind, order| v1::Environment {
            key: key.into(),
            kind: kind.into(),
            order,
        };
        let environments = vec![
            environment("staging", v1::EnvironmentKind::Staging, 1),
            environment("production", v1::EnvironmentKind::Production, 2),
        ];
        Ok(Response::new(v1::ListEnvironmentsResponse { environments }))
    }
}

#[tokio::test]
async fn the_audit_is_read_page_by_page_up_to_its_limit() {
    let fake = Fake::start().await;
    for (limit, lines) in [("7", 8), ("150", 151), ("100000", 251)] {
        let audit = fake.run(&["audit", "checkout", "--limit", limit]).await;
        assert_eq!(audit.out.lines().count(), lines, "a header and the records: {audit:?}");
        assert!(audit.out.contains("ann@desk (unproved)"), "{audit:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&fake.run(&["audit", "-o", "json"]).await.out).unwrap();
    assert_eq!(
        (json[0]["revision"].as_u64(), json[49]["revision"].as_u64()),
        (Some(250), Some(201))
    );
    assert_eq!(
        (&json[0]["before"]["percent"], &json[0]["after"]),
        (&5.into(), &"no json".into())
    );
    assert_eq!(fake.run(&["audit", "missing"]).await.code, 1);
}

#[tokio::test]
async fn the_fleet_says_how_far_the_wanted_revision_has_come() {
    let fake = Fake::start().await;
    let fleet = fake.run(&["fleet"]).await;
    assert!(
        fleet.out.ends_with("revision 7: applied by 1 of 2 live agents\n"),
        "{fleet:?}"
    );
    assert!(fleet.out.contains("flag a: not understood"), "{fleet:?}");
    let yaml = fake.run(&["fleet", "-o", "yaml"]).await;
    assert!(yaml.out.starts_with("wanted_revision: 7\n"), "{yaml:?}");
}

#[tokio::test]
async fn environments_stand_in_the_order_of_promotion() {
    let environments = Fake::start().await.run(&["environments"]).await;
    let rows: Vec<Vec<&str>> = environments
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [
            ["KEY", "KIND", "ORDER"],
            ["staging", "staging", "1"],
            ["production", "production", "2"]
        ]
    );
}
