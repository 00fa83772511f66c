//! A process that cannot start says why, in words that help, and takes nothing from the one that runs.
//!
//! And one that is asked to end does so well, whatever streams are open, and finds all of it again at its next start.

use integration_tests::{flags, ports, system::System};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_belongs_to_one_control_plane_at_a_time() {
    let system = System::start().await;
    let mut rival = system.control_plane.rival(ports::free(), system.control_plane.store());
    let ended = rival.ended().await;
    let log = rival.log();
    assert!(
        !ended.success() && log.contains("is another control plane using it?"),
        "{ended}: {log}"
    );
    system.operator.create(flags::boolean("checkout")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_is_named_with_the_option_that_moves_it() {
    let system = System::start().await;
    let mut rival = system
        .control_plane
        .rival(system.control_plane.address, "another-store");
    let ended = rival.ended().await;
    let (log, port) = (rival.log(), system.control_plane.address.port());
    let words = format!("port {port} is in use by another process; stop it or choose another with --listen");
    assert!(!ended.success() && log.contains(&words), "{ended}: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_cleanly_and_comes_back_as_it_was() {
    let mut system = System::start().await;
    let mut agent = system.agent("agent").await;
    let stored = system.operator.create(flags::boolean("checkout")).await;
    system.operator.delivered(1).await;
    // Both have open streams to each other.
    system.control_plane.terminate().await;
    system.control_plane.restart().await;
    assert_eq!(system.operator.get("checkout").await, stored);
    system.operator.delivered(1).await;
    agent.terminate().await;
    agent.restart();
    agent.ready().await;
    system.operator.delivered(1).await;
}
