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
    type FollowAuditStream = tokio_stream::Pending<Result<v1::FollowAuditResponse, Status>>;

    async fn follow_audit(&self, _: Request<v1::FollowAuditRequest>) -> Answer<Self::FollowAuditStream> {
        Ok(Response::new(tokio_stream::pending()))
    }

    async fn list_audit(&self, request: Request<v1::ListAuditRequest>) -> Answer<v1::ListAuditResponse> {
        let asked = request.into_inner();
        let v1::ListAuditRequest {
            key,
            page_size,
            page_token,
            actor,
            action,
            ..
        } = asked.clone();
        if !actor.is_empty() {
            assert_eq!(
                (actor.as_str(), action.as_str(), asked.since_us),
                ("ann@desk", "flag", 1_796_083_200_000_000)
            );
            return Ok(Response::new(v1::ListAuditResponse {
                records: vec![record(1)],
                next_page_token: String::new(),
            }));
        }
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
            summary: Some(v1::FleetSummary {
                live: 2,
                applied: 1,
                persisted: 1,
                away: 1,
                lag: Some(v1::LagPercentiles {
                    p50_us: 1_000,
                    p90_us: 2_000,
                    p99_us: 3_000,
                    max_us: 1_500_000,
                    agents: 2,
                }),
            }),
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
            description: String::new(),
            revision: 3,
        };
        let environments = vec![
            environment("staging", v1::EnvironmentKind::Staging, 1),
            environment("production", v1::EnvironmentKind::Production, 2),
        ];
        Ok(Response::new(v1::ListEnvironmentsResponse { environments }))
    }

    async fn get_environment(&self, request: Request<v1::GetEnvironmentRequest>) -> Answer<v1::GetEnvironmentResponse> {
        let listed = self
            .list_environments(Request::new(v1::ListEnvironmentsRequest {}))
            .await?;
        let key = request.into_inner().key;
        let environment = listed.into_inner().environments.into_iter().find(|one| one.key == key);
        match environment {
            Some(environment) => Ok(Response::new(v1::GetEnvironmentResponse {
                environment: Some(environment),
            })),
            None => Err(Status::not_found(format!("environment {key} does not exist"))),
        }
    }

    async fn create_environment(
        &self,
        request: Request<v1::CreateEnvironmentRequest>,
    ) -> Answer<v1::CreateEnvironmentResponse> {
        let environment = request.into_inner().environment;
        Ok(Response::new(v1::CreateEnvironmentResponse { environment }))
    }

    async fn update_environment(
        &self,
        request: Request<v1::UpdateEnvironmentRequest>,
    ) -> Answer<v1::UpdateEnvironmentResponse> {
        let asked = request.into_inner();
        assert_eq!(asked.update_mask.unwrap().paths, ["description"]);
        assert_eq!(asked.expected_revision, 3);
        Ok(Response::new(v1::UpdateEnvironmentResponse {
            environment: asked.environment,
        }))
    }

    async fn delete_environment(
        &self,
        request: Request<v1::DeleteEnvironmentRequest>,
    ) -> Answer<v1::DeleteEnvironmentResponse> {
        assert_eq!(request.get_ref().expected_revision, 3);
        Ok(Response::new(v1::DeleteEnvironmentResponse {}))
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
        fleet.out.ends_with(
            "revision 7: applied by 1 of 2 live agents, on disk at 1, 1 away\n\
             lag: half within 1ms, 90 % 2ms, 99 % 3ms, all 1.5s\n"
        ),
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
            vec!["KEY", "KIND", "ORDER", "DESCRIPTION"],
            vec!["staging", "staging", "1"],
            vec!["production", "production", "2"]
        ]
    );
}

#[tokio::test]
async fn the_audit_is_filtered_by_actor_action_and_time() {
    let fake = Fake::start().await;
    let line = [
        "audit",
        "--actor",
        "ann@desk",
        "--action",
        "flag",
        "--since",
        "2026-12-01",
    ];
    let audit = fake.run(&line).await;
    assert_eq!((audit.code, audit.out.lines().count()), (0, 2), "{audit:?}");
}

#[tokio::test]
async fn only_agents_that_need_a_look_are_shown_if_asked() {
    let fleet = Fake::start().await.run(&["fleet", "--behind", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&fleet.out).unwrap();
    let ids: Vec<_> = json["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| &agent["id"])
        .collect();
    assert_eq!(ids, ["b", "c"]);
}

#[tokio::test]
async fn an_environment_is_created_changed_and_deleted() {
    let fake = Fake::start().await;
    let created = fake
        .run(&["environments", "create", "canary", "--kind", "production", "-o", "json"])
        .await;
    let json: serde_json::Value = serde_json::from_str(&created.out).unwrap();
    assert_eq!((&json["key"], &json["kind"]), (&"canary".into(), &"production".into()));
    let set = fake
        .run(&["environments", "set", "staging", "--description", "first"])
        .await;
    assert_eq!(set.code, 0, "{set:?}");
    assert!(set.out.contains("first") && set.out.contains("staging"), "{set:?}");
    let nothing = fake.run(&["environments", "set", "staging"]).await;
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let unsure = fake.run(&["environments", "delete", "staging"]).await;
    assert!(unsure.code == 2 && unsure.err.contains("add --yes"), "{unsure:?}");
    assert_eq!(
        fake.run(&["environments", "delete", "staging", "--yes"]).await.out,
        "staging: deleted\n"
    );
    let missing = fake.run(&["environments", "get", "stagin"]).await;
    assert!(
        missing.code == 1 && missing.err.contains("did you mean staging?"),
        "{missing:?}"
    );
}
