//! The two example plans, as they stand in the repository, walked to their end with real agents and a real client.
//!
//! Only time is another: dwells and the bake are divided, and freezes are left out, so that a week lasts a second on any
//! day. Every metric is measured; one that is relative to a baseline that nobody knows has *no data*, and a gate that asks
//! for it waits for a person.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use integration_tests::{
    acts::{closed, issue, simple, tick},
    agent::Agent,
    conditions::{condition, one_of},
    crowd::{Crowd, Member},
    flags,
    operator::Operator,
    records::create_segment,
    system::System,
};
use proto::v1::{self, RolloutPhase, condition::Test, number_test::Comparison};
use serde_json::json;
use tonic::Code;

/// By how much time is divided: a week is a second.
const DIVISOR: i64 = 604_800;
/// Members of the crowd in each class.
const EACH: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_an_ai_feature_walks_to_its_end() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    let operator = &system.operator;
    operator.create(flags::text("ai-feature-xyz", &["off", "on"])).await;
    operator.create(flags::boolean("ai-feature-xyz-killswitch")).await;
    let plan = written_through_the_console(&system, "ai-feature-xyz").await;
    assert_eq!(plan.kill_switch.as_ref().unwrap().flag, "ai-feature-xyz-killswitch");

    let name = Box::pin(started(operator, scaled(plan))).await;
    // Nobody asks for the flag yet: the first gate hears nothing, and waits.
    operator.held(&name, "no-traffic").await;
    operator.act(&name, issue("answers in the wrong language")).await;
    operator.act(&name, simple::FIX).await;
    operator.held(&name, "fix").await;
    let (members, buckets) = by_bucket("ai-feature-xyz", &[500, 5_000, 25_000, 100_000]);
    let crowd = Crowd::start("ai-feature-xyz", "on", members, &each(&agents));
    let has_data = |rollout: &v1::Rollout| {
        let treatment = rollout.stage_counts.unwrap_or_default().treatment.unwrap_or_default();
        treatment.outcomes >= 100
    };
    let heard = operator.rollout_until("data behind the issue", &name, has_data).await;
    assert_eq!(
        (heard.stage, heard.hold_reason.as_str()),
        (0, "fix"),
        "it waits for people"
    );
    assert_eq!(crowd.inside().await, below(&buckets, 500));
    operator.act(&name, closed(1, "the prompt says which")).await;

    for (stage, share) in [(1, 5_000), (2, 25_000)] {
        reached(operator, &name, stage, 2).await;
        let (inside, now) = (crowd.inside().await, operator.rollout(&name).await);
        assert!(inside.is_superset(&below(&buckets, share)), "stage {stage}: {inside:?}");
        // It goes on by itself, so it may be further by now.
        if now.stage == stage {
            assert_eq!(inside, below(&buckets, share), "stage {stage}");
        }
    }
    completed(operator, &name, &plan_exit(), &agents, "on").await;
    assert_eq!(crowd.inside().await, below(&buckets, 100_000), "everybody has it");
    let record = operator.record(&name).await;
    holds_each_exit(&record, 4);
    assert_eq!(record.rollout.unwrap().issues[0].resolution, "the prompt says which");
    crowd.stop().await.went_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_payments_walks_to_its_end() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    let operator = &system.operator;
    operator.create(flags::text("payments-v2", &["old", "new"])).await;
    for (key, held) in [
        ("internal-employees", condition("department", one_of(&["internal"]))),
        ("low-value-transactions", condition("amount", Test::Number(less(50.0)))),
    ] {
        let groups = vec![v1::ConditionGroup { conditions: vec![held] }];
        let segment = v1::Segment {
            key: key.to_owned(),
            groups,
            ..v1::Segment::default()
        };
        create_segment(operator, segment).await;
    }
    let mut plan = scaled(written_through_the_console(&system, "payments").await);
    plan.stages[4].approvals = 1;
    let stages = plan.stages.clone();
    let (members, transactions) = transactions();
    let crowd = Crowd::start("payments-v2", "new", members, &each(&agents));
    let name = Box::pin(started(operator, plan)).await;

    let mut expected = BTreeSet::new();
    for (number, stage) in (0..5).zip(&stages) {
        waits_for_unmeasured_metrics(operator, &name, number, stage).await;
        let joined = transactions.iter().filter(|transaction| transaction.is_in(stage));
        expected.extend(joined.map(|transaction| transaction.name.clone()));
        assert_eq!(crowd.inside().await, expected, "{}", stage.name);
        if stage.approvals > 0 {
            let refused = operator.try_act(&name, simple::ADVANCE).await.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
            assert!(refused.message().contains("approvals: 0 of 1"), "{refused}");
            operator.act(&name, simple::APPROVE).await;
        }
        operator.act(&name, simple::ADVANCE).await;
    }
    completed(operator, &name, &plan_exit(), &agents, "new").await;
    assert_eq!(crowd.inside().await.len(), transactions.len(), "everybody has it");
    let record = operator.record(&name).await;
    holds_each_exit(&record, 6);
    keeps_what_was_known(&record, &stages);
    crowd.stop().await.went_well();
}

/// Lints a document and creates its plan as a release manager does; the plan as it is stored.
async fn written_through_the_console(system: &System, key: &str) -> v1::Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document: PathBuf = folder.join("examples/plans").join(format!("{key}.yaml"));
    let document = document.to_str().unwrap();
    let console = system.console();
    console.succeeds(&["plan", "lint", document]).await;
    console
        .succeeds(&["plan", "create", document, "--reason", "release 42"])
        .await;
    system.operator.plan(key).await
}

/// The same plan in a shorter time, on any day.
fn scaled(plan: v1::Plan) -> v1::Plan {
    let stages = plan.stages.iter().map(|stage| v1::Stage {
        dwell_us: stage.dwell_us / DIVISOR,
        extension_us: stage.extension_us / DIVISOR,
        ..stage.clone()
    });
    v1::Plan {
        stages: stages.collect(),
        bake_us: plan.bake_us.map(|bake_us| bake_us / DIVISOR),
        freezes: [].into(),
        ..plan
    }
}

/// Starts a plan: it waits for its list, which people and automations tick. The rollout's name.
async fn started(operator: &Operator, plan: v1::Plan) -> String {
    let items = plan.preflight.clone();
    let rollout = operator.start(plan).await;
    let name = rollout.name.clone();
    assert_eq!(rollout.phase(), RolloutPhase::AwaitingStart, "{rollout:#?}");
    assert_eq!(
        rollout.waits.iter().map(|wait| wait.kind.as_str()).collect::<Vec<_>>(),
        ["items"]
    );
    for item in items.iter().filter(|item| item.by != "check") {
        let waiting = operator.rollout(&name).await;
        assert_eq!(
            (waiting.phase(), waiting.wanted_buckets),
            (RolloutPhase::AwaitingStart, 0)
        );
        operator.act(&name, tick("preflight", &item.name)).await;
    }
    name
}

/// Items that people tick at the end.
fn plan_exit() -> [&'static str; 2] {
    ["documentation-updated", "clean-up-scheduled"]
}

/// The rollout bakes, waits for the rest of its list, and makes treatment the default.
async fn completed(operator: &Operator, name: &str, exit: &[&str], agents: &[Agent], treatment: &str) {
    let waits_for_items = |rollout: &v1::Rollout| {
        let kinds = rollout.waits.iter().map(|wait| wait.kind.as_str());
        rollout.phase() == RolloutPhase::Baking && kinds.eq(["items"])
    };
    operator
        .rollout_until("the bake to wait for its list", name, waits_for_items)
        .await;
    for item in exit {
        operator.act(name, tick("exit", item)).await;
    }
    let done = operator.phase(name, RolloutPhase::Completed).await;
    operator.delivered(agents.len()).await;
    let flag = operator.get(&done.plan.unwrap().flag).await;
    assert_eq!(
        (flag.rollout.as_str(), flag.flag.unwrap().default_serve),
        ("", Some(flags::variant(treatment)))
    );
}

/// A stage is left with what was known of it, each once and in order.
fn holds_each_exit(record: &v1::GetRecordResponse, stages: u32) {
    let left: Vec<_> = record.exits.iter().map(|exit| (exit.stage, exit.visit)).collect();
    assert_eq!(left, (0..stages).map(|stage| (stage, 1)).collect::<Vec<_>>());
    let rollout = record.rollout.as_ref().unwrap();
    let plan = rollout.plan.as_ref().unwrap();
    for (exit, stage) in record.exits.iter().zip(&plan.stages) {
        assert!(exit.soaked_us >= stage.dwell_us, "{}: {exit:#?}", stage.name);
        assert!(exit.entered_at_us < exit.left_at_us, "{}: {exit:#?}", stage.name);
        let left_by = &rollout.transitions[usize::try_from(exit.sequence).unwrap()];
        assert_eq!(
            (left_by.sequence, left_by.at_us),
            (exit.sequence, exit.left_at_us),
            "{}",
            stage.name
        );
        assert!(
            exit.metrics.iter().any(|reading| reading.metric == "error-rate"),
            "{exit:#?}"
        );
    }
    let entered = rollout.transitions.iter().filter(|made| made.kind == "advanced");
    assert_eq!(
        entered.map(|made| made.stage).collect::<Vec<_>>(),
        (1..stages).collect::<Vec<_>>()
    );
    let sequences = rollout.transitions.iter().map(|made| made.sequence);
    assert!(
        sequences.eq(0..rollout.transitions.len() as u64),
        "no transition is lost or made twice"
    );
}

/// Criteria are kept as they were found when a person passed over them.
fn keeps_what_was_known(record: &v1::GetRecordResponse, stages: &[v1::Stage]) {
    for (exit, stage) in record.exits.iter().zip(stages) {
        let written = exit.criteria.iter().map(|found| &found.criterion);
        assert!(written.eq(&stage.success), "{}: {exit:#?}", stage.name);
        for found in &exit.criteria {
            // Nobody has said how many tickets there were before.
            let expected = if found.criterion.starts_with("tickets") {
                "no data"
            } else {
                "holds"
            };
            assert_eq!(found.finding, expected, "{}: {found:?}", stage.name);
        }
    }
    let passed = record.acts.iter().filter(|made| made.kind == "advanced");
    assert_eq!(passed.count(), 5, "{:#?}", record.acts);
}

/// Waits until the gate of a stage asks for nothing but what is not measured.
async fn waits_for_unmeasured_metrics(operator: &Operator, name: &str, number: u32, stage: &v1::Stage) {
    let wanted = if stage.approvals > 0 { 1 } else { 0 };
    let what = format!("the gate of {} to wait", stage.name);
    let waits = |rollout: &v1::Rollout| {
        let waits = &rollout.waits;
        let unmeasured = |wait: &&v1::Waiting| wait.kind == "criterion" && wait.detail.ends_with("no data");
        let approvals = waits.iter().filter(|wait| wait.kind == "approvals").count();
        let unmeasured = waits.iter().filter(unmeasured).count();
        rollout.stage == number
            && rollout.phase() == RolloutPhase::Gate
            && unmeasured > 0
            && approvals == wanted
            && waits.len() == unmeasured + approvals
    };
    operator.rollout_until(&what, name, waits).await;
}

/// Waits until a stage, or a later one, has reached the agents.
async fn reached(operator: &Operator, name: &str, stage: u32, agents: usize) {
    let is_there =
        |rollout: &v1::Rollout| rollout.stage > stage || (rollout.stage == stage && rollout.clock_started_at_us > 0);
    operator.rollout_until(&format!("stage {stage}"), name, is_there).await;
    operator.delivered(agents).await;
}

fn each(agents: &[Agent; 2]) -> [&Agent; 2] {
    agents.each_ref()
}

/// Users with their buckets: so many below each bound that are not below the one before.
fn by_bucket(flag: &str, bounds: &[u32]) -> (Vec<Member>, Vec<(String, u32)>) {
    let names = named_by_bucket(flag, "user", bounds, 3 * EACH);
    let member = |(name, _): &(String, u32)| Member {
        name: name.clone(),
        context: json!({"targetingKey": name}),
    };
    (names.iter().map(member).collect(), names)
}

fn named_by_bucket(flag: &str, kind: &str, bounds: &[u32], each: usize) -> Vec<(String, u32)> {
    let salt = format!("salt-of-{flag}");
    let mut found: Vec<Vec<(String, u32)>> = vec![Vec::new(); bounds.len()];
    for number in 0_u32.. {
        let name = format!("{kind}-{number}");
        let bucket = evaluation::bucket(&salt, &name);
        if let Some(class) = bounds.iter().position(|bound| bucket < *bound)
            && found[class].len() < each
        {
            found[class].push((name, bucket));
        }
        if found.iter().all(|class| class.len() == each) {
            break;
        }
    }
    found.concat()
}

fn below(buckets: &[(String, u32)], share: u32) -> BTreeSet<String> {
    let inside = buckets.iter().filter(|(_, bucket)| *bucket < share);
    inside.map(|(name, _)| name.clone()).collect()
}

/// A payment of somebody.
struct Transaction {
    name: String,
    bucket: u32,
    is_internal: bool,
    amount: f64,
}

impl Transaction {
    /// Whether a stage by itself gives it the treatment.
    fn is_in(&self, stage: &v1::Stage) -> bool {
        let in_audience = match stage.audience.first().map(String::as_str) {
            Some("internal-employees") => self.is_internal,
            Some("low-value-transactions") => self.amount < 50.0,
            Some(other) => panic!("{other} is no audience of this plan"),
            None => true,
        };
        in_audience && self.bucket < stage.buckets
    }
}

/// Payments of employees, of little value, and of others, in every class of buckets that the plan knows.
fn transactions() -> (Vec<Member>, Vec<Transaction>) {
    let bounds = [1_000, 5_000, 10_000, 25_000, 50_000, 100_000];
    let named = named_by_bucket("payments-v2", "transaction", &bounds, 3 * EACH);
    let transaction = |(number, (name, bucket)): (usize, (String, u32))| Transaction {
        name,
        bucket,
        is_internal: number % 3 == 0,
        amount: if number % 3 == 1 { 12.5 } else { 480.0 },
    };
    let all: Vec<_> = named.into_iter().enumerate().map(transaction).collect();
    // Customers come again: it is the transaction that is assigned.
    let member = |(number, transaction): (usize, &Transaction)| Member {
        name: transaction.name.clone(),
        context: json!({
            "targetingKey": format!("customer-{}", number % 7),
            "transactionId": transaction.name,
            "department": if transaction.is_internal { "internal" } else { "none" },
            "amount": transaction.amount,
        }),
    };
    (all.iter().enumerate().map(member).collect(), all)
}

fn less(than: f64) -> v1::NumberTest {
    v1::NumberTest {
        comparison: Some(Comparison::Less(than)),
    }
}
