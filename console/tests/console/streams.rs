//! What is followed goes on after a cut, shows nothing twice, and ends with Ctrl-C.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;

use proto::v1;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake, command};

type Stream = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::WatchChangesResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::changes_server::Changes for Fake {
    type WatchChangesStream = Stream;

    async fn watch_changes(&self, request: Request<v1::WatchChangesRequest>) -> Answer<Self::WatchChangesStream> {
        let mut state = self.state();
        let asked = request.into_inner();
        state
            .asked
            .push(format!("{} {}", asked.after_revision, asked.kinds.join(",")));
        if asked.after_revision == 1 {
            return Err(Status::out_of_range("changes after revision 1 are gone"));
        }
        let messages = state.streams.remove(0);
        let last = state.streams.is_empty();
        let sent = tokio_stream::iter(messages.into_iter().map(Ok));
        let stream: Stream = if last {
            Box::pin(sent.chain(tokio_stream::pending()))
        } else {
            Box::pin(sent.chain(tokio_stream::iter([Err(Status::unavailable("going away"))])))
        };
        Ok(Response::new(stream))
    }
}

fn change(complete: u64, revision: u64, key: &str) -> v1::WatchChangesResponse {
    v1::WatchChangesResponse {
        revision: complete,
        change: Some(v1::Change {
            at_us: 1_767_225_600_000_000,
            action: "flag.update".into(),
            kind: "flag".into(),
            key: key.into(),
            actor: "ann@desk".into(),
            reason: "first\nusers".into(),
            revision,
        }),
    }
}

fn sign_of_life(revision: u64) -> v1::WatchChangesResponse {
    v1::WatchChangesResponse { revision, change: None }
}

fn follow(fake: &Fake, line: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = command(&fake.address).args(line).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

async fn interrupt(child: Child) -> std::process::Output {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).stdin(Stdio::null()).status();
    assert!(sent.await.unwrap().success());
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn a_watch_goes_on_after_a_cut_and_ends_with_ctrl_c() {
    let fake = Fake::start().await;
    fake.state().streams = vec![
        vec![sign_of_life(4), change(4, 5, "a"), change(5, 5, "b"), change(5, 6, "a")],
        vec![sign_of_life(5), change(6, 6, "a"), change(7, 7, "c")],
    ];
    let (child, mut lines) = follow(&fake, &["watch", "--kind", "flag", "--kind", "segment"]);
    let mut shown = Vec::new();
    while shown.len() < 4 {
        shown.push(lines.next_line().await.unwrap().unwrap());
    }
    let line = |key: &str, revision: u64| {
        format!("2026-01-01 00:00:00Z flag.update {key} by ann@desk: first\\nusers (revision {revision})")
    };
    assert_eq!(shown, [line("a", 5), line("b", 5), line("a", 6), line("c", 7)]);
    let output = interrupt(child).await;
    assert_eq!(output.status.code(), Some(130));
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        err,
        "the connection was lost (going away); going on after revision 5 as soon as it is back\nconnected again\n"
    );
    assert_eq!(fake.state().asked, ["0 flag,segment", "5 flag,segment"]);
}

#[tokio::test]
async fn each_change_is_a_json_document_on_its_own_line() {
    let fake = Fake::start().await;
    fake.state().streams = vec![vec![sign_of_life(4), change(5, 5, "a")]];
    let (child, mut lines) = follow(&fake, &["watch", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!((&json["key"], &json["revision"]), (&"a".into(), &5.into()));
    assert_eq!(interrupt(child).await.status.code(), Some(130));
}

#[tokio::test]
async fn a_revision_that_is_gone_is_said_with_what_to_do() {
    let fake = Fake::start().await;
    let refused = fake.run(&["watch", "--after", "1"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("then follow from now on"), "{refused:?}");
}

#[tokio::test]
async fn a_fleet_is_shown_again_and_again_until_its_reader_leaves() {
    let fake = Fake::start().await;
    let (child, mut lines) = follow(&fake, &["fleet", "--watch", "--every", "1ms", "-o", "json"]);
    for _ in 0..3 {
        let json: serde_json::Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        assert_eq!(json["wanted_revision"], 7);
    }
    drop(lines);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "a reader that left is no failure: {output:?}"
    );
}

#[tokio::test]
async fn an_audit_that_is_followed_begins_now() {
    let fake = Fake::start().await;
    let refused = fake.run(&["audit", "--follow", "--since", "1h"]).await;
    assert!(refused.code == 2 && refused.err.contains("begins now"), "{refused:?}");
}
