//! `kill -9` of the control plane in the middle of everything: what was acknowledged is there, nothing is torn, nothing
//! counts twice, no stage is skipped. What becomes of an abort is in `interrupted_aborts.rs`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use integration_tests::{
    flags,
    operator::Operator,
    plans::{everybody, half_for_long, micros, plan, stage},
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1::{self, RolloutPhase};
use tokio::sync::mpsc;

/// A write that the control plane has answered.
#[derive(Debug, Clone)]
struct Acked {
    key: String,
    revision: u64,
    /// How often the flag had been written by then.
    version: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_amid_writes_loses_nothing_acknowledged_and_tears_nothing() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    let mut acked = Vec::new();
    for round in 0..3 {
        let (sender, mut acks) = mpsc::channel(1_000);
        let writers: Vec<_> = (0..4)
            .map(|writer| tokio::spawn(write(system.operator.clone(), round * 4 + writer, sender.clone())))
            .collect();
        drop(sender);
        for _ in 0..60 {
            acked.push(acks.recv().await.expect("writers write until the crash"));
        }
        system.control_plane.kill_9().await;
        while let Some(ack) = acks.recv().await {
            acked.push(ack);
        }
        for writer in writers {
            writer.await.unwrap();
        }
        system.control_plane.restart().await;
        everything_acknowledged_is_there(&system.operator, &acked).await;
    }
    system.operator.delivered(1).await;
    for ack in &acked {
        assert!(agent.evaluator().boolean(&ack.key, "user-1").await.is_ok(), "{ack:?}");
    }
}

/// Creates flags and writes each a second and a third time, until a write is not answered.
async fn write(operator: Operator, writer: u32, acks: mpsc::Sender<Acked>) {
    for number in 0.. {
        let flag = flags::boolean(&format!("flag-{writer}-{number}"));
        for version in 1..=3 {
            let flag = v1::Flag {
                description: version.to_string(),
                ..flag.clone()
            };
            let key = flag.key.clone();
            let written = if version == 1 {
                operator.try_create(flag).await
            } else {
                operator.try_update(flag, 0).await
            };
            let Ok(stored) = written else { return };
            let ack = Acked {
                key,
                revision: stored.revision,
                version,
            };
            if acks.send(ack).await.is_err() {
                return;
            }
        }
    }
}

/// Every acknowledged write is there, whole, with its audit record, and no record tells of a write that is not there.
async fn everything_acknowledged_is_there(operator: &Operator, acked: &[Acked]) {
    let stored: BTreeMap<String, v1::StoredFlag> = operator
        .list()
        .await
        .0
        .into_iter()
        .map(|flag| (key(&flag), flag))
        .collect();
    let mut audited: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in operator.audit("").await {
        audited.entry(record.key).or_default().push(record.revision);
    }
    for ack in acked {
        let flag = stored.get(&ack.key).unwrap_or_else(|| panic!("{ack:?} is lost"));
        assert!(
            flag.version >= ack.version && flag.revision >= ack.revision,
            "{ack:?} is lost: {flag:?}"
        );
        assert_eq!(
            flag.version == ack.version,
            flag.revision == ack.revision,
            "{ack:?}: {flag:?}"
        );
        let records = audited[&ack.key].iter().filter(|revision| **revision == ack.revision);
        assert_eq!(records.count(), 1, "audit records of {ack:?}");
    }
    nothing_is_torn(&stored, &audited);
}

/// Every flag is of its version, and as many acts are audited as happened.
fn nothing_is_torn(stored: &BTreeMap<String, v1::StoredFlag>, audited: &BTreeMap<String, Vec<u64>>) {
    for (key, flag) in stored {
        let document = flag.flag.as_ref().unwrap();
        assert_eq!(
            document.description,
            flag.version.to_string(),
            "the document is of its version: {flag:?}"
        );
        assert_eq!(
            audited[key].len(),
            flag.version as usize,
            "{key} has a record for each write"
        );
        assert_eq!(
            audited[key].first(),
            Some(&flag.revision),
            "the newest record is of the last write of {key}"
        );
    }
    assert_eq!(audited.len(), stored.len(), "no record is of a flag that is not there");
}

fn key(stored: &v1::StoredFlag) -> String {
    stored.flag.as_ref().map(|flag| flag.key.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_amid_a_stage_neither_skips_it_nor_counts_the_time_away() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let dwell = Duration::from_secs(4);
    let stages = [
        stage("canary", 20_000, dwell),
        stage("half", 50_000, Duration::ZERO),
        everybody(),
    ];
    system.operator.start(plan("checkout", &stages)).await;
    let soaks = |rollout: &v1::Rollout| rollout.soaked_us >= 2_000_000;
    let before = system
        .operator
        .rollout_until("two seconds of soak", "checkout#1", soaks)
        .await;
    system.control_plane.kill_9().await;
    let away = Instant::now();
    agent.notices_absence().await;
    // Away for longer than the whole stage lasts.
    wait::until("the absence to outlast the dwell", async || {
        wait::so(away.elapsed() > dwell, away.elapsed())
    })
    .await;
    let away_us = micros(away.elapsed());
    system.control_plane.restart().await;

    let after = system.operator.rollout("checkout#1").await;
    assert_eq!((after.stage, after.id.as_str()), (0, before.id.as_str()));
    assert!(
        after.soaked_us < before.soaked_us + 1_000_000,
        "{} then {}",
        before.soaked_us,
        after.soaked_us
    );
    assert!(
        after.soaked_us > before.soaked_us - 2_000_000,
        "soak is kept: {} then {}",
        before.soaked_us,
        after.soaked_us
    );
    let done = system.operator.phase("checkout#1", RolloutPhase::Completed).await;
    soaked_without_the_gap(&done, &stages[0], away_us);
    service.stop().await;
}

/// The first stage lasted its dwell and the time away, and every later one was entered in turn.
fn soaked_without_the_gap(done: &v1::Rollout, first: &v1::Stage, away_us: i64) {
    let at = |kind: &str, stage: u32| {
        let made = done
            .transitions
            .iter()
            .find(|made| made.kind == kind && made.stage == stage);
        made.unwrap_or_else(|| panic!("no {kind} {stage}: {done:#?}")).at_us
    };
    assert!(
        at("advanced", 1) - at("clock-started", 0) >= first.dwell_us + away_us,
        "{:#?}",
        done.transitions
    );
    let entered: Vec<u32> = done
        .transitions
        .iter()
        .filter(|made| made.kind == "advanced")
        .map(|made| made.stage)
        .collect();
    assert_eq!(entered, [1, 2], "one stage at a time");
    let sequences: Vec<u64> = done.transitions.iter().map(|made| made.sequence).collect();
    assert_eq!(
        sequences,
        (0..sequences.len() as u64).collect::<Vec<_>>(),
        "no transition is lost or made twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_amid_the_building_of_evidence_lose_no_outcome_and_count_none_twice() {
    let mut system = System::start().await;
    let mut agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout").failing(0.02, 0.02), &[&agents[0], &agents[1]]).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    let mut counted = 0;
    for crash in 0..4 {
        let grows = |rollout: &v1::Rollout| outcomes(rollout) > counted;
        let before = system
            .operator
            .rollout_until("more evidence", "checkout#1", grows)
            .await;
        system.control_plane.kill_9().await;
        system.control_plane.restart().await;
        counted = outcomes(&system.operator.rollout("checkout#1").await);
        assert!(counted >= outcomes(&before), "crash {crash} lost what was durable");
    }
    let seen = service.stop().await;
    assert_eq!((seen.dropped, &seen.failed), (0, &Vec::new()), "{:?}", seen.reasons);
    let exposures = seen.treatment + seen.control;
    let is_complete = |rollout: &v1::Rollout| exposed(rollout) >= exposures && outcomes(rollout) >= seen.counted;
    system
        .operator
        .rollout_until("all that was counted", "checkout#1", is_complete)
        .await;
    // An agent that ends says once more whatever it has not been told to forget.
    for agent in &mut agents {
        agent.terminate().await;
    }
    let rollout = system.operator.held("checkout#1", "no-agents").await;
    assert_eq!((exposed(&rollout), outcomes(&rollout)), (exposures, seen.counted));
    let counts = rollout.total_counts.unwrap();
    assert_eq!(counts.treatment.unwrap().exposures, seen.treatment);
    assert_eq!(counts.control.unwrap().exposures, seen.control);
}

fn outcomes(rollout: &v1::Rollout) -> u64 {
    arms(rollout).map(|arm| arm.outcomes).sum()
}

fn exposed(rollout: &v1::Rollout) -> u64 {
    arms(rollout).map(|arm| arm.exposures).sum()
}

fn arms(rollout: &v1::Rollout) -> impl Iterator<Item = v1::ArmCount> {
    let counts = rollout.total_counts.unwrap_or_default();
    counts.treatment.into_iter().chain(counts.control)
}
