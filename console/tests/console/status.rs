//! Where flags stand, their blocks in Markdown, events and posteriors.
#![allow(clippy::unwrap_used)]

use std::{fs, process::Stdio};

use proto::v1;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake, command};

type Events = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::WatchEventsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::flag_status_server::FlagStatus for Fake {
    type WatchEventsStream = Events;

    async fn list_status(&self, request: Request<v1::ListStatusRequest>) -> Answer<v1::ListStatusResponse> {
        let asked = request.into_inner().flags;
        let fits = |status: &&v1::StatusOfFlag| asked.is_empty() || asked.contains(&status.flag);
        Ok(Response::new(v1::ListStatusResponse {
            flags: self.state().statuses.iter().filter(fits).cloned().collect(),
            ..Default::default()
        }))
    }

    async fn watch_events(&self, request: Request<v1::WatchEventsRequest>) -> Answer<Events> {
        let mut state = self.state();
        let request = request.into_inner();
        state.asked.push(format!(
            "events after={:?} types={:?} environment={:?}",
            request.after, request.types, request.environment
        ));
        let is_last = state.events.len() == 1;
        let sent = state.events.remove(0).into_iter().map(Ok);
        let sent = tokio_stream::iter(sent.collect::<Vec<_>>());
        if request.only_past {
            return Ok(Response::new(Box::pin(sent)));
        }
        Ok(Response::new(if is_last {
            Box::pin(sent.chain(tokio_stream::pending()))
        } else {
            Box::pin(sent.chain(tokio_stream::once(Err(Status::unavailable("cut")))))
        }))
    }

    async fn list_posteriors(&self, request: Request<v1::ListPosteriorsRequest>) -> Answer<v1::ListPosteriorsResponse> {
        let posterior = v1::Posterior {
            component: request.into_inner().component,
            pattern: "canary".into(),
            alpha: 1.1,
            beta: 1.0,
            mean: 0.523_8,
            low: 0.06,
            high: 0.95,
            outcomes: 1,
        };
        Ok(Response::new(v1::ListPosteriorsResponse {
            posteriors: vec![posterior],
        }))
    }
}

fn status(flag: &str) -> v1::StatusOfFlag {
    v1::StatusOfFlag {
        flag: flag.into(),
        state: "canary-10%".into(),
        deployed_pct: 10.0,
        last_changed_us: 1_779_235_200_000_000,
        cycle: format!("2026-06-{flag}"),
        ..Default::default()
    }
}

const BLOCK: &str = "<rollout_status>
cycle: 2026-06-checkout
state: canary-10%
deployed_pct: 10
flag_service: tidegate
last_changed: 2026-05-20
stuck: false
</rollout_status>
";

#[tokio::test]
async fn a_status_is_a_table_json_and_a_block() {
    let fake = Fake::start().await;
    let stuck = v1::StatusOfFlag {
        stuck: true,
        question: "canary-10% for 18 days: advance or roll back?".into(),
        ..status("search")
    };
    fake.state().statuses = vec![status("checkout"), stuck];
    let table = fake.run(&["status"]).await;
    assert_eq!(table.out.lines().count(), 4, "{table:?}");
    assert!(
        table
            .out
            .ends_with("search: canary-10% for 18 days: advance or roll back?\n"),
        "{table:?}"
    );
    let json = fake.run(&["status", "checkout", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (
            &json[0]["state"],
            &json[0]["last_changed"],
            json.as_array().unwrap().len()
        ),
        (&"canary-10%".into(), &"2026-05-20T00:00:00Z".into(), 1)
    );
    assert_eq!(fake.run(&["status", "checkout", "--block"]).await.out, BLOCK);
    let missing = fake.run(&["status", "chekout"]).await;
    assert_eq!(
        (missing.code, missing.err.as_str()),
        (1, "error: no flag chekout in any environment\n")
    );
}

#[tokio::test]
async fn a_block_is_written_in_place_and_nothing_else_changes() {
    let fake = Fake::start().await;
    fake.state().statuses = vec![status("checkout")];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkout.md");
    let old = BLOCK.replace("canary-10%", "staging-only").replace("pct: 10", "pct: 0");
    fs::write(&path, format!("# Checkout\n\n{old}\nMore.\n")).unwrap();
    let path_text = path.to_str().unwrap();
    let line = ["status", "checkout", "--write", path_text];
    let written = fake.run(&line).await;
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("# Checkout\n\n{BLOCK}\nMore.\n")
    );
    let again = fake.run(&line).await;
    assert!(again.err.contains("says so already"), "{again:?}");
    fs::write(&path, BLOCK.replace("2026-06-checkout", "another")).unwrap();
    let other = fake.run(&line).await;
    assert_eq!(
        other.code, 2,
        "a file that is about another cycle is left alone: {other:?}"
    );
    assert!(fs::read_to_string(&path).unwrap().contains("cycle: another"));
    let all = fake.run(&["status", "--write", path_text]).await;
    assert_eq!(all.code, 2, "which flag? {all:?}");
}

fn event(id: &str) -> v1::WatchEventsResponse {
    v1::WatchEventsResponse {
        id: id.into(),
        json: format!("{{\n  \"id\": \"{id}\", \"type\": \"rollout_started\"\n}}"),
    }
}

#[tokio::test]
async fn past_events_are_lines_of_json_and_say_where_to_go_on() {
    let fake = Fake::start().await;
    fake.state().events = vec![vec![event("7"), event("8")]];
    let line = ["events", "--after", "6", "--type", "rollout_started", "-e", "staging"];
    let events = fake.run(&line).await;
    let ids: Vec<serde_json::Value> = events
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["7", "8"], "{events:?}");
    assert_eq!(events.err, "go on behind these with: --after 8\n");
    assert_eq!(
        fake.state().asked.last().unwrap(),
        "events after=\"6\" types=[\"rollout_started\"] environment=\"staging\""
    );
}

#[tokio::test]
async fn followed_events_go_on_behind_the_last_one_after_a_cut() {
    let fake = Fake::start().await;
    fake.state().events = vec![vec![event("1"), event("2")], vec![event("3")]];
    let mut child = command(&fake.address)
        .args(["events", "--follow"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for id in ["1", "2", "3"] {
        let line = lines.next_line().await.unwrap().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["id"], id);
    }
    assert_eq!(
        fake.state().asked.last().unwrap(),
        "events after=\"2\" types=[] environment=\"\""
    );
    child.kill().await.unwrap();
}

#[tokio::test]
async fn posteriors_are_listed() {
    let fake = Fake::start().await;
    let list = fake.run(&["posteriors", "--component", "checkout"]).await;
    assert!(
        list.out.contains("checkout") && list.out.contains("52.4 %") && list.out.contains("Beta(1.1, 1)"),
        "{list:?}"
    );
}
