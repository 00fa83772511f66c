//! What an idle agent costs its machine. Of a release build: `cargo test --release -p agent --test alone memory`.

use crate::machine::{Machine, snapshot_file};

/// What an idle agent with 1,000 flags may hold in memory, in KiB.
const LIMIT_KIB: u64 = 15 * 1024;

#[tokio::test]
#[cfg(target_os = "linux")]
#[cfg_attr(debug_assertions, ignore = "a debug build says nothing about memory")]
async fn an_idle_agent_with_a_thousand_flags_stays_below_its_limit() {
    let machine = Machine::start(&snapshot_file(1_000), &[]).await;
    machine
        .wait_for("/readyz", |answer| answer.starts_with("HTTP/1.1 200"))
        .await;
    machine
        .wait_for("/metrics", |shown| {
            shown.contains("tidegate_agent_disk_writes_total{result=\"written\"} 1\n")
        })
        .await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", machine.pid())).unwrap();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap();
    let resident: u64 = line("VmRSS:").split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("{}; {}; {}", line("VmRSS:"), line("RssAnon:"), line("RssFile:"));
    assert!(
        resident < LIMIT_KIB,
        "{resident} KiB are resident, {LIMIT_KIB} are allowed"
    );
}
