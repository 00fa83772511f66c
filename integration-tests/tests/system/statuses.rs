//! Where flags stand across environments, what machines outside are told of rollouts, and what is learned from them:
//! over gRPC and through the console, across crashes.

use std::{collections::BTreeSet, fs, time::Duration};

use integration_tests::{
    acts::simple,
    flags,
    operator::Operator,
    plans::{everybody, half_for_long, plan, stage},
    statuses::Told,
    system::System,
    wait,
};
use proto::v1::{self, RolloutPhase};
use tokio::sync::watch;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_goes_from_unrolled_over_staging_and_a_canary_to_everybody() {
    let system = System::start().await;
    let _agent = system.agent("agent").await;
    let (production, staging) = (&system.operator, system.operator.within("staging"));
    production.create(flags::boolean("checkout")).await;
    says(&system, "unrolled", 0.0).await;
    staging.create(flags::boolean("checkout")).await;
    says(&system, "unrolled", 0.0).await;
    staging.start(labelled(&[half_for_long()])).await;
    says(&system, "staging-only", 0.0).await;

    let stages = [stage("tiny", 500, DAY), stage("canary", 10_000, DAY), everybody()];
    production.start(labelled(&stages)).await;
    says(&system, "canary-0.5%", 0.5).await;
    soaking(production, 0).await;
    production.act("checkout#1", simple::ADVANCE).await;
    says(&system, "canary-10%", 10.0).await;
    let status = production.status("checkout").await;
    assert_eq!(
        (
            status.cycle.as_str(),
            status.component.as_str(),
            status.pattern.as_str()
        ),
        ("2026-06-checkout-redesign", "checkout", "redesign")
    );
    let there: Vec<_> = status.environments.iter().filter(|there| there.exists).collect();
    let seen: Vec<_> = there
        .iter()
        .map(|there| (there.environment.as_str(), there.stage.as_str(), there.percentage))
        .collect();
    assert_eq!(seen, [("staging", "half", 50.0), ("production", "canary", 10.0)]);

    soaking(production, 1).await;
    production.act("checkout#1", simple::ADVANCE).await;
    production.phase("checkout#1", RolloutPhase::Completed).await;
    says(&system, "prod-100%", 100.0).await;
    // Withdrawn, nobody in production has it, and somebody once had.
    production.update(flags::boolean("checkout")).await;
    says(&system, "staging-only", 0.0).await;
}

/// What the console and the control plane say of where the flag stands.
async fn says(system: &System, state: &str, deployed_pct: f64) {
    let told = wait::until(&format!("it to be {state}"), async || {
        let told = system.operator.status("checkout").await;
        if told.state == state {
            Ok(told)
        } else {
            Err(format!("{told:#?}"))
        }
    })
    .await;
    assert_eq!(
        (told.deployed_pct, told.stuck, told.question.as_str()),
        (deployed_pct, false, "")
    );
    let shown = system
        .console()
        .succeeds(&["status", "checkout", "-o", "json"])
        .await
        .json();
    let [shown] = shown.as_array().unwrap().as_slice() else {
        panic!("one flag: {shown:#}");
    };
    assert_eq!(
        (shown["flag"].as_str(), shown["state"].as_str()),
        (Some("checkout"), Some(state))
    );
    assert_eq!(shown["deployed_pct"].as_f64(), Some(deployed_pct), "{shown:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_keeps_a_block_in_a_file_and_nothing_else_of_the_file() {
    let system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let stages = [stage("canary", 10_000, DAY), everybody()];
    system.operator.start(labelled(&stages)).await;
    let file = system.folder().join("checkout.md");
    let (before, after) = ("# Checkout\r\n\nWhat we know:\n\n", "\n## Later\n\nA cycle: none.  \n");
    let old = "<rollout_status>\ncycle: 2026-06-checkout-redesign\nstate: unrolled\ndeployed_pct: 0\n\
               flag_service: tidegate\nlast_changed: 2026-05-20\nstuck: false\n</rollout_status>\n";
    fs::write(&file, [before, old, after].concat()).unwrap();
    let path = file.to_str().unwrap();
    let write = ["status", "checkout", "--write", path];
    system.console().succeeds(&write).await;
    let written = fs::read_to_string(&file).unwrap();
    let block = written.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let block = block.unwrap_or_else(|| panic!("the rest stays as it was: {written:?}"));
    holds(block, "canary-10%", "10");
    system.console().succeeds(&write).await;
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        written,
        "what is true already is not written again"
    );

    soaking(&system.operator, 0).await;
    system.operator.act("checkout#1", simple::ADVANCE).await;
    system.operator.phase("checkout#1", RolloutPhase::Completed).await;
    system.console().succeeds(&write).await;
    let written = fs::read_to_string(&file).unwrap();
    let block = written.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    holds(block.unwrap(), "prod-100%", "100");
    let shown = system.console().succeeds(&["status", "checkout", "--block"]).await;
    assert_eq!(shown.out.trim_end(), block.unwrap().trim_end());
}

/// A block says this, line by line, and a day.
fn holds(block: &str, state: &str, deployed_pct: &str) {
    let lines: Vec<&str> = block.lines().collect();
    let [begin, cycle, word, deployed, service, changed, stuck, end] = lines.as_slice() else {
        panic!("eight lines: {block}");
    };
    assert_eq!((*begin, *end), ("<rollout_status>", "</rollout_status>"));
    assert_eq!(*cycle, "cycle: 2026-06-checkout-redesign");
    assert_eq!(*word, format!("state: {state}"));
    assert_eq!(*deployed, format!("deployed_pct: {deployed_pct}"));
    assert_eq!((*service, *stuck), ("flag_service: tidegate", "stuck: false"));
    let day = changed.strip_prefix("last_changed: ").unwrap();
    assert!(day.len() == 10 && day != "2026-05-20", "{day}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_resumes_over_crashes_misses_no_event_and_hears_none_twice() {
    let mut system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let (streams, opened) = watch::channel(0);
    let reader = reads_until_the_outcome(system.operator.clone(), streams);
    let (heard, ()) = tokio::join!(reader, walks_over_crashes(&mut system, opened));
    assert_eq!(heard, system.operator.past_events(&[]).await, "all of them, in order");
    let ids: BTreeSet<_> = heard.iter().map(|told| told.event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), heard.len(), "each once");
    let moves: Vec<_> = heard
        .iter()
        .filter(|told| told.kind() != "rollout_held")
        .map(Told::kind)
        .collect();
    let expected = [
        "rollout_started",
        "rollout_advanced",
        "rollout_advanced",
        "rollout_completed",
        "verify_outcome",
    ];
    assert_eq!(moves, expected);
    for told in &heard {
        assert_eq!(told.event["specversion"], "1.0", "{:#}", told.event);
        assert_eq!(told.event["subject"], "checkout#1", "{:#}", told.event);
        let text = told.event.to_string();
        assert!(
            !text.contains("ann@desk") && !text.contains("the plan says so"),
            "no person is in it: {text}"
        );
    }
}

/// Walks a plan to its end; the control plane dies right behind each advance.
async fn walks_over_crashes(system: &mut System, mut opened: watch::Receiver<usize>) {
    let stages = [stage("canary", 10_000, DAY), stage("half", 50_000, DAY), everybody()];
    system.operator.start(labelled(&stages)).await;
    for (number, streams) in [(0, 1), (1, 2)] {
        soaking(&system.operator, number).await;
        opened.wait_for(|opened| *opened >= streams).await.unwrap();
        system.operator.act("checkout#1", simple::ADVANCE).await;
        system.control_plane.kill_9().await;
        system.control_plane.restart().await;
    }
    system.operator.phase("checkout#1", RolloutPhase::Completed).await;
}

/// Reads as a machine does: whenever it is cut off it goes on behind what it heard last. Tells how many streams it opened.
async fn reads_until_the_outcome(operator: Operator, streams: watch::Sender<usize>) -> Vec<Told> {
    let mut heard: Vec<Told> = Vec::new();
    loop {
        let after = heard.last().map(|told| told.id.clone()).unwrap_or_default();
        let mut events = wait::until("the stream of events", async || {
            let events = operator.try_events_after(&after).await;
            events.map_err(|status| status.to_string())
        })
        .await;
        streams.send_modify(|opened| *opened += 1);
        while let Ok(told) = events.next().await {
            let is_last = told.kind() == "verify_outcome";
            heard.push(told);
            if is_last {
                return heard;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_win_and_a_loss_are_told_with_how_far_they_came_and_remembered_over_a_restart() {
    let mut system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let stages = [stage("canary", 10_000, DAY), stage("half", 50_000, DAY), everybody()];
    system.operator.start(labelled(&stages)).await;
    soaking(&system.operator, 0).await;
    system.operator.try_abort("checkout#1").await.unwrap();
    system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    let [lost] = outcomes(&system.operator).await.try_into().unwrap();
    let data = |told: &Told| {
        let data = &told.event["data"];
        let text = |name: &str| data[name].as_str().unwrap().to_owned();
        (
            [text("component"), text("pattern"), text("source")],
            data["won"].as_bool().unwrap(),
            data["deployed_pct"].as_f64().unwrap(),
            data["weight"].as_f64().unwrap(),
        )
    };
    let labels = || ["checkout", "redesign", "tidegate"].map(str::to_owned);
    assert_eq!(
        data(&lost),
        (labels(), false, 10.0, 0.1),
        "the share that agents had acknowledged"
    );

    let second = system.operator.retry("checkout#1", false).await;
    assert_eq!(second.name, "checkout#2");
    for number in [0, 1] {
        let soaks = |rollout: &v1::Rollout| rollout.stage == number && rollout.phase() == RolloutPhase::Soaking;
        system.operator.rollout_until("it to soak", "checkout#2", soaks).await;
        system.operator.act("checkout#2", simple::ADVANCE).await;
    }
    system.operator.phase("checkout#2", RolloutPhase::Completed).await;
    let [_, won] = outcomes(&system.operator).await.try_into().unwrap();
    assert_eq!(data(&won), (labels(), true, 100.0, 1.0));
    let learned = system.operator.posteriors().await;
    let [posterior] = learned.as_slice() else {
        panic!("of one component and pattern: {learned:#?}");
    };
    assert_eq!(
        (posterior.component.as_str(), posterior.pattern.as_str()),
        ("checkout", "redesign")
    );
    assert_eq!((posterior.alpha, posterior.beta, posterior.outcomes), (2.0, 1.1, 2));
    assert!(
        posterior.low < posterior.mean && posterior.mean < posterior.high,
        "{posterior:?}"
    );

    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    assert_eq!(system.operator.posteriors().await, learned, "to the last bit");
    assert_eq!(outcomes(&system.operator).await, [lost, won]);
}

async fn outcomes(operator: &Operator) -> Vec<Told> {
    operator.past_events(&["verify_outcome"]).await
}

/// A plan of the flag `checkout` that says what it tries.
fn labelled(stages: &[v1::Stage]) -> v1::Plan {
    let labels = [
        ("component", "checkout"),
        ("pattern", "redesign"),
        ("cycle", "2026-06-checkout-redesign"),
    ];
    v1::Plan {
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..plan("checkout", stages)
    }
}

/// Waits until a stage soaks at live agents; after a crash they have to come back.
async fn soaking(operator: &Operator, stage: u32) {
    let soaks = |rollout: &v1::Rollout| {
        let is_applied = rollout.waits.iter().all(|wait| wait.kind != "agents");
        rollout.stage == stage && rollout.phase() == RolloutPhase::Soaking && is_applied
    };
    operator
        .rollout_until(&format!("stage {stage} to soak"), "checkout#1", soaks)
        .await;
}
