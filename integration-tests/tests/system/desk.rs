//! What surrounds an operator's commands: where they act, whether all is well, what happens meanwhile, and a shell that
//! completes them.

use std::{fs, process::Stdio, time::Duration};

use integration_tests::{
    console::Console,
    ports,
    system::{PRODUCTION, System},
    wait,
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::cli::{REFUSED, WRONG, refused};

const UNREACHABLE: Option<i32> = Some(4);
const INTERRUPTED: Option<i32> = Some(130);

#[tokio::test(flavor = "multi_thread")]
async fn doctor_is_content_with_what_is_well_and_says_what_to_do_about_what_is_not() {
    let mut system = System::start().await;
    let console = system.console();
    let _agent = system.agent("agent").await;
    let well = console.succeeds(&["doctor"]).await.out;
    assert!(
        well.contains("nothing is wrong") && well.contains("reachable"),
        "{well}"
    );
    let report = console.succeeds(&["doctor", "-o", "json"]).await.json();
    assert_eq!(report["healthy"], true, "{report:#}");
    let lost = console.run(&["doctor", "-e", "nowhere"]).await;
    assert_eq!(lost.code, REFUSED, "{lost:#?}");
    assert!(
        lost.out.contains("nowhere") && lost.out.contains(PRODUCTION),
        "{lost:#?}"
    );

    system.control_plane.terminate().await;
    let down = console.run(&["doctor"]).await;
    assert_eq!(down.code, REFUSED, "{down:#?}");
    for words in ["cannot be reached", "tidegate-control-plane", "--server"] {
        assert!(down.out.contains(words), "{words}: {down:#?}");
    }
    refused(
        &console,
        &["list"],
        UNREACHABLE,
        &["cannot reach", "tidegate-control-plane"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_say_where_commands_act_and_options_say_it_louder() {
    let system = System::start().await;
    let console = system.console().at_home(system.folder());
    let server = format!("http://{}", system.control_plane.address);
    let nobody = format!("http://{}", ports::free());
    console
        .succeeds(&[
            "context",
            "set",
            "here",
            "--server",
            &server,
            "--environment",
            "staging",
            "--use",
        ])
        .await;
    console.succeeds(&["context", "set", "away", "--server", &nobody]).await;
    console.succeeds(&["create", "checkout"]).await;
    assert_eq!(
        system.operator.within("staging").get("checkout").await.version,
        1,
        "where the context says"
    );
    let shown = console.succeeds(&["context", "show", "-o", "json"]).await.out;
    assert!(shown.contains("staging") && shown.contains("here"), "{shown}");
    refused(
        &console,
        &["get", "checkout", "-e", PRODUCTION],
        REFUSED,
        &["does not exist", PRODUCTION],
    )
    .await;
    refused(&console, &["context", "use", "hre"], WRONG, &["did you mean here?"]).await;
    console.succeeds(&["context", "use", "away"]).await;
    refused(&console, &["list"], UNREACHABLE, &[&nobody]).await;
    console.succeeds(&["list", "--context-name", "here"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_completion_of_bash_completes_commands_in_a_real_bash() {
    let script = Console::new(ports::free()).succeeds(&["completion", "bash"]).await.out;
    let ask = "\nCOMP_WORDS=(tidegate sched); COMP_CWORD=1; COMP_LINE='tidegate sched'; COMP_POINT=14\n\
               completion=$(complete -p tidegate | sed -E 's/.*-F ([^ ]+).*/\\1/')\n\
               $completion tidegate sched tidegate; echo \"${COMPREPLY[@]}\"\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ask.sh");
    fs::write(&path, script + ask).unwrap();
    let bash = Command::new("bash")
        .arg("--norc")
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let completed = String::from_utf8(bash.stdout).unwrap();
    assert_eq!(
        completed.trim(),
        "schedule",
        "{}",
        String::from_utf8_lossy(&bash.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_for_programs_has_no_colours_and_what_is_for_people_only_on_a_terminal() {
    let system = System::start().await;
    let console = system.console();
    console.succeeds(&["create", "checkout"]).await;
    for arguments in [
        &["list"][..],
        &["get", "checkout"],
        &["history", "checkout"],
        &["doctor"],
        &["get", "nothing"],
    ] {
        let plain = console.run(arguments).await;
        assert!(
            !plain.out.contains('\u{1b}') && !plain.err.contains('\u{1b}'),
            "{arguments:?}: {plain:#?}"
        );
    }
    let coloured = console.run(&["doctor", "--color", "always"]).await;
    assert!(coloured.out.contains('\u{1b}'), "{coloured:#?}");
    let json = console
        .succeeds(&["get", "checkout", "-o", "json", "--color", "always"])
        .await;
    assert_eq!(json.json()["flag"]["key"], "checkout");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_and_watch_follow_what_is_done_across_a_restart_of_the_control_plane() {
    let mut system = System::start().await;
    let console = system.console();
    console.succeeds(&["create", "before"]).await;
    let (_, from) = system.operator.list().await;
    let mut watch = console.follow(&["watch", "-o", "json", "--after", &from.to_string()]);
    let mut audit = console.follow(&["audit", "--follow", "-o", "json", "--action", "flag.kill"]);
    console.succeeds(&["create", "checkout"]).await;
    told(&watch.json().await, "flag.create", "checkout");
    // The audit follows from when it is there: what was done before may be told or not.
    let mut audited = None;
    wait::until("the audit to be followed", async || {
        console.succeeds(&["kill", "checkout", "--reason", "it burns"]).await;
        told(&watch.json().await, "flag.kill", "checkout");
        audited = tokio::time::timeout(Duration::from_millis(200), audit.json())
            .await
            .ok();
        console.succeeds(&["revive", "checkout"]).await;
        told(&watch.json().await, "flag.revive", "checkout");
        wait::so(audited.is_some(), "nothing")
    })
    .await;
    let audited = audited.unwrap();
    told(&audited, "flag.kill", "checkout");
    assert_eq!(audited["reason"], "it burns");

    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    console.succeeds(&["create", "search"]).await;
    told(&watch.json().await, "flag.create", "search");
    console.succeeds(&["kill", "search"]).await;
    told(&watch.json().await, "flag.kill", "search");
    told(&audit.json().await, "flag.kill", "search");
    assert_eq!(watch.interrupt().await, INTERRUPTED);
    assert_eq!(audit.interrupt().await, INTERRUPTED);
}

fn told(record: &Value, action: &str, key: &str) {
    assert_eq!(
        (&record["action"], &record["key"]),
        (&json!(action), &json!(key)),
        "{record:#}"
    );
}
