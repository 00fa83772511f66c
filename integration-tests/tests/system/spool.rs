//! What an agent has counted and the control plane does not have outlives the agent: `kill -9` while the control plane is
//! away, once and again, loses nothing that was on disk, and everything counts once. Files that a crash tore do not keep
//! an agent from starting, nor what is whole in them from being counted.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
};

use integration_tests::{
    agent::Agent,
    flags,
    operator::Operator,
    plans::{half_for_long, plan},
    service::{Seen, Service, Traffic},
    small_disk::SmallDisk,
    system::{PRODUCTION, System},
    wait,
};
use proto::v1;

/// What a process serves before something happens to it.
const OUTCOMES: u64 = 300;

/// A rollout of half the units, delivered to its one agent.
async fn under_rollout() -> (System, Agent) {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    (system, agent)
}

/// Some traffic, all of which the agent counted.
async fn served(agent: &Agent) -> Seen {
    let service = Service::start(Traffic::of("checkout").failing(0.02, 0.02), &[agent]).await;
    wait::until("traffic", async || {
        let seen = service.seen();
        wait::so(seen.counted >= OUTCOMES, seen)
    })
    .await;
    let seen = service.stop().await;
    assert_eq!(
        (seen.dropped, seen.unexposed, &seen.failed),
        (0, 0, &Vec::new()),
        "{:?}",
        seen.reasons
    );
    seen
}

/// Waits until everything that the agent has counted is on disk. A first look may have begun before the last count.
async fn is_on_disk(agent: &Agent) {
    const LOOKS: &str = "tidegate_agent_spool_checkpoints_total";
    let before = agent.metric(LOOKS).await;
    wait::until("the counts to be on disk", async || {
        let looks = agent.metric(LOOKS).await;
        wait::so(looks >= before + 2.0, looks)
    })
    .await;
}

/// Waits until the spool on this disk is larger than that.
async fn grown(disk: &SmallDisk, agent: &Agent, than: u64) {
    wait::until("more in the spool", async || {
        let bytes = disk.bytes_of(agent.process(), "frames");
        wait::so(bytes > than, bytes)
    })
    .await;
}

async fn killed_and_started(agent: &mut Agent) {
    agent.kill_9().await;
    agent.restart();
    agent.ready().await;
}

/// Exposures and outcomes.
fn totals(rollout: &v1::Rollout) -> (u64, u64) {
    let counts = rollout.total_counts.unwrap_or_default();
    let arms = counts.treatment.into_iter().chain(counts.control);
    arms.fold((0, 0), |(exposures, outcomes), arm| {
        (exposures + arm.exposures, outcomes + arm.outcomes)
    })
}

/// The totals when the agent, the only one, has said all that it had to say and is gone.
async fn settled(operator: &Operator, agent: &mut Agent) -> (u64, u64) {
    agent.terminate().await;
    totals(&operator.held("checkout#1", "no-agents").await)
}

/// The files that processes left.
fn spool_files(agent: &Agent) -> Vec<PathBuf> {
    let files = fs::read_dir(agent.data().join("spool")).expect("the spool is in the data folder");
    let paths = files.map(|file| file.expect("a file can be listed").path());
    let mut frames: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "frames"))
        .collect();
    frames.sort();
    frames
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_while_the_control_plane_was_away_counts_once_though_the_agent_was_killed() {
    let (mut system, mut agent) = under_rollout().await;
    let mut seen = vec![served(&agent).await];
    let first = |rollout: &v1::Rollout| totals(rollout).1 > 0;
    system.operator.rollout_until("evidence", "checkout#1", first).await;
    system.control_plane.kill_9().await;
    agent.notices_absence().await;
    for _ in 0..2 {
        seen.push(served(&agent).await);
        is_on_disk(&agent).await;
        killed_and_started(&mut agent).await;
    }
    assert!(!spool_files(&agent).is_empty());
    seen.push(served(&agent).await);
    system.control_plane.restart().await;

    let exposures = seen.iter().map(|seen| seen.treatment + seen.control).sum();
    let outcomes = seen.iter().map(|seen| seen.counted).sum();
    let is_complete = |rollout: &v1::Rollout| totals(rollout) >= (exposures, outcomes);
    system
        .operator
        .rollout_until("all that was counted", "checkout#1", is_complete)
        .await;
    wait::until("the spool of former processes to be empty", async || {
        let files = spool_files(&agent);
        wait::so(files.len() <= 1, files)
    })
    .await;
    assert_eq!(settled(&system.operator, &mut agent).await, (exposures, outcomes));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_ends_while_the_control_plane_is_away_leaves_what_it_counted_to_the_next() {
    let (mut system, mut agent) = under_rollout().await;
    system.control_plane.terminate().await;
    agent.notices_absence().await;
    let seen = served(&agent).await;
    // Nothing is waited for: whoever is asked to end writes down what it owes.
    agent.terminate().await;
    agent.restart();
    agent.ready().await;
    system.control_plane.restart().await;
    let expected = (seen.treatment + seen.control, seen.counted);
    let is_complete = |rollout: &v1::Rollout| totals(rollout) >= expected;
    system
        .operator
        .rollout_until("all that was counted", "checkout#1", is_complete)
        .await;
    assert_eq!(settled(&system.operator, &mut agent).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_torn_spool_what_is_whole_counts_and_the_rest_is_said() {
    let (mut system, mut agent) = under_rollout().await;
    system.control_plane.kill_9().await;
    agent.notices_absence().await;
    let mut seen = served(&agent).await.counted;
    is_on_disk(&agent).await;
    agent.kill_9().await;
    let [file] = &spool_files(&agent)[..] else {
        panic!("one process left something: {:?}", spool_files(&agent))
    };
    // As a crash of the machine leaves it: the end is missing, and something else stands there.
    let bytes = fs::read(file).unwrap();
    OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|file| file.set_len(bytes.len() as u64 - 7))
        .unwrap();
    fs::write(
        agent.data().join("spool/00000099-0000000000000001.frames"),
        "not a spool",
    )
    .unwrap();
    agent.restart();
    agent.ready().await;
    seen += served(&agent).await.counted;
    system.control_plane.restart().await;

    wait::until("the files of former processes to be gone", async || {
        let files = spool_files(&agent);
        wait::so(files.len() <= 1, files)
    })
    .await;
    let damaged = agent.metric("tidegate_agent_spool_total{result=\"damaged\"}").await;
    assert!(damaged >= 2.0, "{damaged}");
    assert!(agent.log().contains("torn or damaged"), "it is said");
    let (_, outcomes) = settled(&system.operator, &mut agent).await;
    assert!((1..=seen).contains(&outcomes), "{outcomes} of {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_to_make_room_for_what_is_counted_now_counts_as_dropped() {
    const SIZE: u64 = 1024 * 1024;
    let mut system = System::start().await;
    let address = system.control_plane.address;
    let options = ["--spool-size", "1MiB"];
    let mut agent = Agent::start_with("agent", PRODUCTION, address, system.folder(), &options);
    agent.ready().await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    system.control_plane.kill_9().await;
    agent.notices_absence().await;
    let lost = served(&agent).await.counted;
    is_on_disk(&agent).await;
    agent.kill_9().await;
    let [file] = &spool_files(&agent)[..] else {
        panic!("one process left something: {:?}", spool_files(&agent))
    };
    // All of the spool's size: whatever is counted from now on has no room beside it.
    OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|file| file.set_len(SIZE))
        .unwrap();
    agent.restart();
    agent.ready().await;
    let counted = served(&agent).await.counted;
    wait::until("the file to make room", async || {
        wait::so(!file.exists(), spool_files(&agent))
    })
    .await;
    system.control_plane.restart().await;

    let is_complete = |rollout: &v1::Rollout| {
        let dropped = rollout.side_by_side.as_ref().map_or(0, |side| side.dropped);
        (totals(rollout).1, dropped) == (counted, lost)
    };
    system
        .operator
        .rollout_until("what was counted, and what was dropped", "checkout#1", is_complete)
        .await;
    assert!(agent.log().contains("the spool is full"), "it is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_once_and_costs_nothing_but_what_a_kill_would() {
    const FAILED: &str = "tidegate_agent_spool_total{result=\"failed\"}";
    let mut system = System::start().await;
    let Some(disk) = SmallDisk::new(&system.folder().join("disk"), 1024 * 1024) else {
        eprintln!("skipped: this kernel gives users no namespaces, so there is no disk to fill");
        return;
    };
    let address = system.control_plane.address;
    let mut agent = Agent::start_on(&disk, "agent", PRODUCTION, address, system.folder());
    agent.ready().await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    system.control_plane.kill_9().await;
    agent.notices_absence().await;
    let mut seen = vec![served(&agent).await];
    grown(&disk, &agent, 0).await;

    disk.fill(agent.process());
    // The page that the file has still has room for a small frame; one that names a thousand units needs another.
    let traffic = Traffic {
        users: Some(20_011),
        ..Traffic::of("checkout").failing(0.3, 0.3)
    };
    let service = Service::start(traffic, &[&agent]).await;
    wait::until("a disk that takes nothing, however often it is tried", async || {
        let failed = agent.metric(FAILED).await;
        wait::so(failed >= 3.0, failed)
    })
    .await;
    seen.push(service.stop().await);
    seen.push(served(&agent).await);
    let said = |words: &str| agent.log().matches(words).count();
    assert_eq!(said("the spool cannot be written"), 1, "{}", agent.log());

    let full = disk.bytes_of(agent.process(), "frames");
    disk.clear(agent.process());
    wait::until("the disk to be written again", async || {
        wait::so(agent.log().contains("the spool is written again"), agent.log())
    })
    .await;
    grown(&disk, &agent, full).await;
    let dropped = agent.metric("tidegate_agent_spool_total{result=\"dropped\"}").await;
    assert_eq!(dropped, 0.0, "memory held it meanwhile");

    system.control_plane.restart().await;
    let exposures = seen.iter().map(|seen| seen.treatment + seen.control).sum();
    let outcomes = seen.iter().map(|seen| seen.counted).sum();
    let is_complete = |rollout: &v1::Rollout| totals(rollout) >= (exposures, outcomes);
    system
        .operator
        .rollout_until("all that was counted", "checkout#1", is_complete)
        .await;
    assert_eq!(settled(&system.operator, &mut agent).await, (exposures, outcomes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_serves_one_agent_and_must_be_writable() {
    let system = System::start().await;
    let _agent = system.agent("agent").await;
    let taken = system.folder().join("agent/spool");
    let file = system.folder().join("a-file");
    fs::write(&file, "").unwrap();
    for (id, spool, words) in [
        ("second", &taken, "another agent uses the spool"),
        ("third", &file, "--spool none keeps nothing"),
    ] {
        let spool = spool.to_str().unwrap();
        let address = system.control_plane.address;
        let mut refused = Agent::start_with(id, PRODUCTION, address, system.folder(), &["--spool", spool]);
        wait::until("the agent to refuse to start", async || {
            wait::so(!refused.is_running(), refused.log())
        })
        .await;
        assert!(refused.log().contains(words), "{}", refused.log());
    }
    let address = system.control_plane.address;
    let without = Agent::start_with("fourth", PRODUCTION, address, system.folder(), &["--spool", "none"]);
    without.ready().await;
    assert!(!without.data().join("spool").exists());
}
