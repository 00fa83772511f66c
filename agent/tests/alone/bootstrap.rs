//! A fresh machine whose control plane is away, on the real binary.

use std::process::{Command, Stdio};

use crate::machine::{Machine, snapshot_file};

#[tokio::test]
async fn a_fresh_machine_with_a_bootstrap_file_is_ready_without_its_control_plane() {
    let machine = Machine::start(&snapshot_file(3), &[]).await;
    machine
        .wait_for("/readyz", |answer| answer.starts_with("HTTP/1.1 200"))
        .await;
    machine
        .wait_for("/metrics", |shown| {
            [
                "tidegate_agent_revision 42\n",
                "tidegate_agent_connected 0\n",
                "tidegate_agent_bootstrap_total{result=\"used\"} 1\n",
                "tidegate_agent_sync_trouble{reason=\"unreachable\"} 1\n",
                "tidegate_agent_snapshot_age_seconds ",
                "tidegate_agent_disk_writes_total{result=\"written\"} 1\n",
            ]
            .iter()
            .all(|line| shown.contains(line))
        })
        .await;
    let (kept, given) = (machine.folder.path().join("data/snapshot"), machine.bootstrap());
    assert_eq!(std::fs::read(kept).unwrap().len(), std::fs::read(given).unwrap().len());
}

#[tokio::test]
async fn a_torn_bootstrap_file_is_counted_and_leaves_an_agent_that_waits_for_its_control_plane() {
    let mut file = snapshot_file(3);
    file.truncate(file.len() - 1);
    let machine = Machine::start(&file, &[]).await;
    machine
        .wait_for("/metrics", |shown| {
            shown.contains("tidegate_agent_bootstrap_total{result=\"refused\"} 1\n")
        })
        .await;
    assert!(machine.get("/readyz").unwrap().starts_with("HTTP/1.1 503"));
}

#[test]
fn a_bootstrap_path_where_nothing_is_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate-agent"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--ofrep",
            "none",
            "--ops",
            "127.0.0.1:0",
            "--socket",
            "none",
        ])
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--bootstrap")
        .arg(folder.path().join("nothing"))
        .stdin(Stdio::null())
        .output()
        .expect("the binary is built with the tests");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("there is no bootstrap file") && said.contains("--bootstrap"),
        "{said}"
    );
}
