//! Flags are created, set and shown; nothing of anybody else's is undone; refusals say what to do.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tokio::net::TcpListener;
use tonic::Status;

use crate::fake::{Fake, command};

fn served(flag: &v1::Flag) -> Vec<(String, u32)> {
    match flag.default_serve.clone().unwrap().kind.unwrap() {
        v1::serve::Kind::Variant(variant) => vec![(variant, 100_000)],
        v1::serve::Kind::Split(split) => split
            .shares
            .into_iter()
            .map(|share| (share.variant, share.buckets))
            .collect(),
        v1::serve::Kind::CallerDefault(_) => Vec::new(),
    }
}

fn split(on: u32) -> Vec<(String, u32)> {
    vec![("on".into(), on), ("off".into(), 100_000 - on)]
}

#[tokio::test]
async fn a_flag_is_created_set_and_shown() {
    let fake = Fake::start().await;
    let created = fake.run(&["create", "checkout-v2", "--owner", "payments"]).await;
    assert_eq!(
        (created.code, created.out.as_str()),
        (0, "checkout-v2: off (revision 1)\n"),
        "{created:?}"
    );

    let line = [
        "set",
        "checkout-v2",
        "on",
        "--percent",
        "25",
        "--allow",
        "user-7",
        "--deny",
        "user-8",
    ];
    let set = fake
        .run(&[&line[..], &["-e", "production", "--reason", "first users"]].concat())
        .await;
    assert_eq!(set.out, "checkout-v2: on 25 %, off 75 % (revision 2)\n", "{set:?}");
    let flag = fake.flag("checkout-v2");
    assert_eq!(served(&flag), split(25_000));
    assert_eq!(
        (flag.allow[0].units.as_slice(), flag.deny.as_slice()),
        (&["user-7".into()][..], &["user-8".into()][..])
    );
    assert_eq!(flag.owner, "payments", "an edit keeps the rest of the document");
    let call = ("ann@desk".into(), "first users".into(), "production".into());
    assert_eq!(fake.state().calls.last(), Some(&call));

    let page = fake.run(&["get", "checkout-v2"]).await;
    for part in ["on 25 %, off 75 %", "user-7", "user-8", "payments", "enabled"] {
        assert!(page.out.contains(part), "{page:?}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&fake.run(&["get", "checkout-v2", "-o", "json"]).await.out).unwrap();
    assert_eq!(json["flag"]["default"]["split"]["on"], "25%");
    assert_eq!(json["revision"], 2);
}

#[tokio::test]
async fn a_document_that_was_shown_creates_the_same_flag() {
    let fake = Fake::start().await;
    let rule = "eu: country=DE,AT and age=42 -> on";
    fake.run(&[
        "create",
        "a",
        "--percent",
        "0.125",
        "--rule",
        rule,
        "--tag",
        "web",
        "--salt",
        "s",
    ])
    .await;
    let shown = fake.run(&["get", "a", "-o", "json"]).await;
    // Cut out as it is written: the order of a split is the order of its buckets.
    let (_, document) = shown.out.split_once("\"flag\": ").unwrap();
    let document = &document[..document.find("\n  }").unwrap() + 4];
    let original = fake.flag("a");
    fake.state().flags.clear();
    let created = fake.run_with_input(&["create", "-f", "-"], document).await;
    assert_eq!(created.code, 0, "{created:?}");
    assert_eq!(fake.flag("a"), original);
}

#[tokio::test]
async fn a_document_from_a_file_is_checked_before_anything_is_sent() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flag.yaml");
    std::fs::write(
        &file,
        "key: a\ntype: boolean\nvariants: {on: yes, off: false}\ndefault: off\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    let refused = fake.run(&["create", "-f", path]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused
            .err
            .contains("variants.on: text; a boolean flag's value is true or false"),
        "{refused:?}"
    );
    std::fs::write(
        &file,
        "key: a\ntype: boolean\nvariants: {on: true, off: false}\ndefault: off\n",
    )
    .unwrap();
    assert_eq!(
        fake.run(&["create", "b", "-f", path]).await.code,
        2,
        "another key than the document's"
    );
    assert_eq!(fake.run(&["create", "a", "-f", path]).await.code, 0);
    assert_eq!(served(&fake.flag("a")), [("off".into(), 100_000)]);
    let missing = fake.run(&["create", "-f", "no-such-file.yaml"]).await;
    assert!(
        missing.code == 2 && missing.err.contains("no-such-file.yaml"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_missing_key_is_refused_with_the_nearest_one() {
    let fake = Fake::start().await;
    for key in ["billing", "checkout-v2", "search"] {
        fake.run(&["create", key]).await;
    }
    let refused = fake.run(&["set", "chekout-v2", "on"]).await;
    assert_eq!(refused.code, 1);
    for part in ["no flag chekout-v2", "did you mean checkout-v2?", "add --create"] {
        assert!(refused.err.contains(part), "{refused:?}");
    }
    for command in ["get", "kill", "revive", "enable", "disable"] {
        let refused = fake.run(&[command, "searchh"]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains("did you mean search?"), "{refused:?}");
    }
    let created = fake
        .run(&["set", "chekout-v2", "on", "--percent", "5", "--create"])
        .await;
    assert_eq!(created.code, 0, "{created:?}");
    assert_eq!(served(&fake.flag("chekout-v2")), split(5_000));
}

#[tokio::test]
async fn an_edit_is_repeated_once_if_it_still_applies() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    fake.state().interferences = vec![|flag| flag.description = "somebody else's".into()];
    let set = fake.run(&["set", "a", "on", "--percent", "25"]).await;
    assert_eq!(set.code, 0, "{set:?}");
    let flag = fake.flag("a");
    assert_eq!(
        (served(&flag), flag.description.as_str()),
        (split(25_000), "somebody else's")
    );

    fake.state().interferences = vec![|flag| flag.owner = "x".into(), |flag| flag.owner = "y".into()];
    let refused = fake.run(&["set", "a", "on", "--percent", "50"]).await;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(served(&fake.flag("a")), split(25_000), "once only");
}

#[tokio::test]
async fn an_edit_never_undoes_a_decision_that_nobody_compared_it_with() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    fake.state().interferences = vec![|flag| {
        flag.default_serve = Some(v1::Serve {
            kind: Some(v1::serve::Kind::Variant("on".into())),
        })
    }];
    let refused = fake.run(&["set", "a", "on", "--percent", "25"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("changed by somebody else meanwhile"),
        "{refused:?}"
    );
    assert_eq!(served(&fake.flag("a")), [("on".into(), 100_000)]);
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_revision_is_shown_as_it_is() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    fake.state().refusal = Some(Status::failed_precondition("a#1 holds the flag; abort it first"));
    let refused = fake.run(&["disable", "a"]).await;
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (1, "error: a#1 holds the flag; abort it first\n")
    );
    fake.state().refusal = None;
    let unknown = fake.run(&["set", "a", "onn"]).await;
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (1, "error: no variant `onn`; there are off, on\n")
    );
}

#[tokio::test]
async fn violations_come_one_a_line() {
    let fake = Fake::start().await;
    let document = r#"{"key": "a", "type": "boolean", "variants": {}, "default": null}"#;
    let refused = fake.run_with_input(&["create", "-f", "-"], document).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("variants: at least one is needed\n"),
        "{refused:?}"
    );
    assert!(refused.err.contains("default_serve: one is needed\n"), "{refused:?}");
}

#[tokio::test]
async fn flags_are_switched_killed_revived_and_listed_over_all_pages() {
    let fake = Fake::start().await;
    for key in ["a", "b", "c", "d", "e"] {
        fake.run(&["create", key]).await;
    }
    fake.run(&["disable", "a"]).await;
    assert!(!fake.flag("a").enabled);
    fake.run(&["enable", "a"]).await;
    assert!(fake.flag("a").enabled);
    let killed = fake
        .run(&["kill", "b", "--reason", "es brennt, größer als gedacht"])
        .await;
    assert!(killed.out.starts_with("b: killed, everybody gets off"), "{killed:?}");
    assert_eq!(fake.state().calls.last().unwrap().1, "es brennt, größer als gedacht");
    let list = fake.run(&["list"]).await;
    assert_eq!(list.out.lines().count(), 6, "{list:?}");
    fake.run(&["revive", "b"]).await;
    assert!(!fake.flag("b").killed);
    let json: Vec<serde_json::Value> = serde_json::from_str(&fake.run(&["list", "-o", "json"]).await.out).unwrap();
    assert_eq!(json.len(), 5);
}

#[tokio::test]
async fn nobody_listening_is_said_with_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let output = command(&address).arg("list").output().await.unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4));
    let start = format!("error: cannot reach the control plane at {address}: is it running? start it with");
    assert!(err.starts_with(&start), "{err}");
}

#[tokio::test]
async fn a_reader_that_left_is_no_failure() {
    let fake = Fake::start().await;
    fake.run(&["create", "a"]).await;
    let mut child = command(&fake.address).args(["list"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[tokio::test]
async fn a_page_shows_all_parts_of_a_flag() {
    let fake = Fake::start().await;
    let document = "key: a\npercent: 25\nprerequisites: {billing: on}\nbucket_by: [account, targetingKey]\n\
                    when_stale: off\nrules:\n- {name: eu, conditions: [{attribute: country, equals: DE}], serve: on}\n";
    let created = fake.run_with_input(&["create", "-f", "-"], document).await;
    assert_eq!(created.code, 0, "{created:?}");
    let page = fake.run(&["get", "a"]).await;
    let expected = "\
key          a
type         boolean
state        enabled
default      on 25 %, off 75 %
off variant  off
variants     off=false, on=true
rules        eu: country=DE -> on
needs        billing serves on
bucketed by  account, else targetingKey
when stale   off: off
revision     1 (version 0)
";
    assert_eq!(page.out, expected, "{page:?}");
}

#[tokio::test]
async fn flags_are_filtered_archived_and_deleted() {
    let fake = Fake::start().await;
    for (key, tag) in [("a", "web"), ("b", "web"), ("c", "app")] {
        fake.run(&["create", key, "--tag", tag, "--owner", "ann"]).await;
    }
    let archived = fake.run(&["archive", "b"]).await;
    assert_eq!(
        archived.out, "b: archived, no agent holds it any more (revision 2)\n",
        "{archived:?}"
    );
    let keys = async |line: &[&str]| -> Vec<String> {
        let list = fake.run(&[&["list", "-o", "json"], line].concat()).await;
        let flags: Vec<serde_json::Value> = serde_json::from_str(&list.out).unwrap();
        flags
            .iter()
            .map(|flag| flag["flag"]["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&[]).await, ["a", "c"]);
    assert_eq!(keys(&["--tag", "web"]).await, ["a"]);
    assert_eq!(keys(&["--archived"]).await, ["a", "b", "c"]);
    assert_eq!(keys(&["--archived", "only"]).await, ["b"]);
    let list = fake.run(&["list", "--archived", "only"]).await;
    assert!(list.out.contains("b    boolean  archived"), "{list:?}");
    keys(&["--search", "x", "--type", "string", "--flag-set", "s", "--owner", "ann"]).await;
    let asked = fake.state().asked.last().unwrap().clone();
    for part in ["text: \"x\"", "String", "flag_set: \"s\"", "owner: \"ann\""] {
        assert!(asked.contains(part), "{asked}");
    }
    assert_eq!(
        fake.run(&["list", "--owner", "nobody"]).await.out,
        "no such flags in production\n"
    );
    assert_eq!(fake.run(&["unarchive", "b"]).await.code, 0);
    assert_eq!(keys(&[]).await, ["a", "b", "c"]);

    let unsure = fake.run(&["delete", "a"]).await;
    assert!(
        unsure.code == 2 && unsure.err.contains("Delete a: off (revision 1) in production?"),
        "{unsure:?}"
    );
    let deleted = fake.run(&["delete", "a", "--yes", "--reason", "done"]).await;
    assert!(
        deleted
            .out
            .starts_with("a: deleted; bring it back with: tidegate restore a --version"),
        "{deleted:?}"
    );
    assert!(fake.run(&["delete", "a", "--yes"]).await.code == 1);
}
