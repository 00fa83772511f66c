//! What needs no control plane, and what the output is like when there is no terminal.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;

use tokio::net::TcpListener;

use crate::fake::{Fake, command};

#[tokio::test]
async fn every_shell_gets_its_completion() {
    for (shell, part) in [
        ("bash", "complete -F _tidegate"),
        ("zsh", "#compdef tidegate"),
        ("fish", "complete -c tidegate"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[tidegate]"),
    ] {
        let output = command("").args(["completion", shell]).output().await.unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && out.contains(part), "{shell}");
    }
}

#[tokio::test]
async fn the_version_is_one_line_or_a_document() {
    let version = command("").arg("version").output().await.unwrap();
    let expected = format!("tidegate {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), expected);
    let json = command("").args(["version", "-o", "json"]).output().await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn help_teaches_by_example_and_promises_the_exit_codes() {
    let help = command("").arg("--help").output().await.unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for part in [
        "tidegate set checkout-v2 on --percent 25",
        "Exit codes:",
        "130  interrupted",
    ] {
        assert!(help.contains(part), "{help}");
    }
    let set = command("").args(["set", "--help"]).output().await.unwrap();
    assert!(String::from_utf8(set.stdout).unwrap().contains("Examples:"));
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_quiet() {
    let fake = Fake::start().await;
    for key in ["a", "b", "c"] {
        fake.run(&["create", key]).await;
    }
    let line = format!("{} list | head -1", env!("CARGO_BIN_EXE_tidegate"));
    let output = tokio::process::Command::new("sh")
        .args(["-c", &line])
        .env("TIDEGATE_SERVER", &fake.address)
        .env("TIDEGATE_CONFIG", "/no/such/contexts.toml")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(output.stdout.starts_with(b"KEY"), "{output:?}");
}

#[tokio::test]
async fn a_doctor_without_a_control_plane_says_what_to_do_and_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let output = command(&address).arg("doctor").output().await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}");
    for part in [
        "wrong    control plane",
        "-> start it with tidegate-control-plane",
        "(environment variable TIDEGATE_SERVER)",
    ] {
        assert!(out.contains(part), "{out}");
    }
}

#[tokio::test]
async fn a_doctor_looks_at_services_environment_clock_and_agents() {
    let fake = Fake::start().await;
    let ask = async |environment: &str| -> serde_json::Value {
        let mut command = command(&fake.address);
        let output = command.args(["doctor", "-o", "json", "-e", environment]).output();
        serde_json::from_slice(&output.await.unwrap().stdout).unwrap()
    };
    let json = ask("prodution").await;
    assert_eq!(json["healthy"], false);
    let find = |json: &serde_json::Value, what: &str| {
        let findings = json["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["what"] == what).cloned()
    };
    assert_eq!(find(&json, "agents"), None, "an environment that is none has none");
    let finding = |what| find(&json, what).unwrap();
    assert_eq!(finding("control plane")["state"], "good");
    assert_eq!(
        finding("health")["state"],
        "warning",
        "the fake answers no health checks"
    );
    assert_eq!(finding("services")["state"], "warning", "nor reflection");
    assert_eq!(finding("clock")["state"], "good");
    assert!(
        finding("environment")["advice"]
            .as_str()
            .unwrap()
            .contains("did you mean production?")
    );
    assert!(
        find(&ask("production").await, "agents").unwrap()["found"]
            .as_str()
            .unwrap()
            .starts_with("2 of 3 away, behind or with problems: b, c")
    );
}
