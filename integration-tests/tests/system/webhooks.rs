//! Webhooks: what happens while a receiver is away and the control plane dies is delivered when both are back, once, in
//! order, and signed so that the code of the documentation takes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
};

use integration_tests::{
    acts::simple,
    flags,
    plans::{half_for_long, plan},
    receiver::{Message, Receiver},
    system::System,
    wait,
};
use proto::v1;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Flags with a rollout each.
const ROLLOUTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_a_receiver_is_away_comes_once_and_in_order_over_crashes() {
    let mut system = System::start().await;
    let mut receiver = Receiver::away();
    receiver.comes().await;
    let url = receiver.url();
    let added = system
        .console()
        .succeeds(&["webhooks", "add", "pager", "--url", &url, "-o", "json"])
        .await;
    let secret = added.json()["secret"].as_str().unwrap().to_owned();
    system.console().succeeds(&["webhooks", "test", "pager"]).await;
    assert_eq!(receiver.messages().remove(0).event()["type"], "webhook_test");

    receiver.goes().await;
    for number in 0..ROLLOUTS {
        let flag = format!("checkout-{number}");
        system.operator.create(flags::boolean(&flag)).await;
        system.operator.start(plan(&flag, &[half_for_long()])).await;
    }
    pauses_and_resumes(&system).await;
    waiting(&system, |waiting| waiting > 0).await;
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    pauses_and_resumes(&system).await;
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    all_are_aborted(&system).await;
    let told = events(&system, ROLLOUTS * 4).await;
    waiting(&system, |waiting| waiting == told.len() as u64).await;

    receiver.comes().await;
    // That it is back is heard at once, and not at the time of the next try.
    system.console().succeeds(&["webhooks", "test", "pager"]).await;
    waiting(&system, |waiting| waiting == 0).await;
    let came: Vec<_> = receiver.messages().into_iter().filter(is_no_test).collect();
    assert_eq!(came.len(), told.len(), "each once: {came:#?}");
    are_all_in_order(&came, &told);
    are_signed(&came, &secret).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_amid_deliveries_repeat_only_what_has_the_same_name() {
    let mut system = System::start().await;
    let mut receiver = Receiver::away();
    receiver.comes().await;
    let url = receiver.url();
    system
        .console()
        .succeeds(&["webhooks", "add", "pager", "--url", &url])
        .await;
    for number in 0..ROLLOUTS {
        let flag = format!("checkout-{number}");
        system.operator.create(flags::boolean(&flag)).await;
        system.operator.start(plan(&flag, &[half_for_long()])).await;
    }
    for _ in 0..3 {
        let before = receiver.messages().len();
        pauses_and_resumes(&system).await;
        wait::until("a delivery", async || {
            wait::so(receiver.messages().len() > before, before)
        })
        .await;
        system.control_plane.kill_9().await;
        system.control_plane.restart().await;
    }
    all_are_aborted(&system).await;
    let told = events(&system, ROLLOUTS * 5).await;
    let named = |came: &[Message]| {
        let names = came.iter().map(|message| message.header("webhook-id").to_owned());
        names.collect::<BTreeSet<_>>().len()
    };
    wait::until("all of it", async || {
        let came = receiver.messages();
        wait::so(named(&came) == told.len(), (named(&came), told.len()))
    })
    .await;
    let mut first = BTreeMap::new();
    let mut firsts = Vec::new();
    for message in receiver.messages() {
        let before = first.insert(message.header("webhook-id").to_owned(), message.body.clone());
        match before {
            Some(body) => assert_eq!(body, message.body, "a name is of one event"),
            None => firsts.push(message),
        }
    }
    are_all_in_order(&firsts, &told);
}

/// Each rollout is held and goes on.
async fn pauses_and_resumes(system: &System) {
    for number in 0..ROLLOUTS {
        let name = format!("checkout-{number}");
        let started = |rollout: &v1::Rollout| rollout.transitions.iter().any(|made| made.kind == "started");
        system.operator.rollout_until("it to start", &name, started).await;
        system.operator.act(&name, simple::PAUSE).await;
        system.operator.act(&name, simple::RESUME).await;
    }
}

/// Each rollout is aborted: nothing is told of it afterwards.
async fn all_are_aborted(system: &System) {
    for number in 0..ROLLOUTS {
        system.operator.try_abort(&format!("checkout-{number}")).await.unwrap();
    }
}

/// Waits until so many events wait for the webhook.
async fn waiting(system: &System, holds: impl Fn(u64) -> bool) {
    wait::until("what waits for the webhook", async || {
        let shown = system.console().run(&["webhooks", "show", "pager", "-o", "json"]).await;
        let waiting = shown.json()["progress"]["waiting"].as_u64().unwrap();
        wait::so(holds(waiting), shown)
    })
    .await;
}

/// Rollout and id of all events of the stream, of which there are at least so many; the last thing that is told of each
/// rollout is the alert of its abort.
async fn events(system: &System, least: usize) -> Vec<(String, String)> {
    let told = wait::until("the events", async || {
        let told = system.operator.past_events(&[]).await;
        let alerts = told.iter().filter(|told| told.event["type"] == "alert").count();
        wait::so(told.len() >= least && alerts >= ROLLOUTS, &told).map(|()| told)
    })
    .await;
    told.iter().map(|told| named(&told.event)).collect()
}

/// The rollout and the id of an event.
fn named(event: &Value) -> (String, String) {
    let text = |field: &str| event[field].as_str().unwrap().to_owned();
    (text("subject"), text("id"))
}

fn is_no_test(message: &Message) -> bool {
    message.event()["type"] != "webhook_test"
}

/// What came is what was told, of each rollout in its order.
fn are_all_in_order(came: &[Message], told: &[(String, String)]) {
    let by_rollout = |all: Vec<(String, String)>| {
        let mut by_rollout = BTreeMap::<String, Vec<String>>::new();
        for (rollout, id) in all {
            by_rollout.entry(rollout).or_default().push(id);
        }
        by_rollout
    };
    let came = came.iter().map(|message| named(&message.event())).collect();
    assert_eq!(by_rollout(came), by_rollout(told.to_vec()));
}

/// The code of the documentation says that the secret has signed each message, and that another has not.
async fn are_signed(messages: &[Message], secret: &str) {
    let documentation = include_str!("../../../docs/webhooks.md");
    let (_, rest) = documentation.split_once("```python\n").unwrap();
    let (code, _) = rest.split_once("```").unwrap();
    let check = "
import json, sys
given = json.load(sys.stdin)
other = 'whsec_' + base64.b64encode(bytes(32)).decode()
for message in given['messages']:
    body = message['body'].encode()
    assert is_tidegates(given['secret'], message['headers'], body), message
    assert not is_tidegates(other, message['headers'], body), message
    assert not is_tidegates(given['secret'], message['headers'], body + b' '), message
    assert not is_tidegates(given['secret'], message['headers'], body, tolerance_s=-1), message
";
    let messages: Vec<_> = messages
        .iter()
        .map(|message| serde_json::json!({ "headers": message.headers, "body": message.body }))
        .collect();
    let given = serde_json::json!({ "secret": secret, "messages": messages }).to_string();
    let mut python = Command::new("python3")
        .args(["-c", &format!("{code}{check}")])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(given.as_bytes()).await.unwrap();
    drop(stdin);
    let output = python.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
