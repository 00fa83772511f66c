//! Records with good defaults for the tests of this crate, so that a test shows only what differs; what keeps and shows
//! them is in `world`.

#![allow(clippy::unwrap_used)]

mod world;

use std::{collections::BTreeMap, sync::Arc};

use evaluation::{Environment, EnvironmentKind, Flag, FlagType, HashScheme, Key, Serve, Value, WhenStale};
use proto::tick;
use rollout::{
    Horizon, Phase, Plan, Share, Stage, Unit, Visit,
    duration::Dwell,
    evidence::{
        arm::{BUCKETS, Buckets},
        limit::Side,
    },
    measure::{CapturedArm, CapturedArms},
    recovery::Bar,
};
use uuid::Uuid;

use crate::{
    change::rollout::{self as changes, Count},
    engine::{facts::Sources, soaks::Soaks},
    events::{Event, Kind, position::Position},
    evidence::Counts,
    health::coverage::Coverage,
    identity::Actor,
    levels::Levels,
    publish::Publisher,
    publish::Subscription,
    record::{End, EndCause, EnvironmentRecord, FlagRecord, Recovery, RolloutRecord, TransitionRecord},
    state::State,
    store::{Txn, keys, model},
    sync::fleet::{Fleet, Introduction},
    webhooks::{delivery::Delivery, secret::Secret, webhook::WebhookRecord},
};

pub(crate) use world::{Shelf, Touched, World};

pub(crate) const SECOND_US: i64 = 1_000_000;
/// The tick in which every rollout here starts.
pub(crate) const START_TICK: u32 = 200_000_000;
/// When every rollout here starts.
pub(crate) const START_US: i64 = tick::EPOCH_US + START_TICK as i64 * SECOND_US;
/// The index of every rollout that stands alone.
pub(crate) const INDEX: u32 = 7;

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(crate) fn production() -> Key {
    key("production")
}

/// Somebody with a reason.
pub(crate) fn actor() -> Actor {
    Actor {
        name: "ada".to_owned(),
        reason: "because".to_owned(),
        peer: String::new(),
        at_us: START_US,
    }
}

/// An enabled flag with the variants new and old that serves old.
pub(crate) fn flag(name: &str) -> Flag {
    let variants = ["new", "old"].map(|variant| (variant.to_owned(), Value::String(variant.into())));
    Flag {
        key: key(name),
        flag_type: FlagType::String,
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        set: None,
        enabled: true,
        killed: false,
        salt: format!("salt-of-{name}"),
        variants: variants.into(),
        off_variant: None,
        default: Serve::Variant("old".to_owned()),
        deny: Vec::new(),
        allow: BTreeMap::new(),
        rules: Vec::new(),
        prerequisites: Vec::new(),
        hash: HashScheme::Murmur3,
        bucket_by: Vec::new(),
        when_stale: WhenStale::Keep,
    }
}

/// A plan for a flag with stages of these shares (in percent).
pub(crate) fn plan_of(flag: &str, unit: Unit, percents: &[u32], dwell_us: i64) -> Plan {
    let stage = |percent: &u32| {
        let share = Share::new(percent * 1_000).unwrap();
        Stage::new(format!("at-{percent}"), share, Dwell::For(dwell_us))
    };
    Plan {
        treatment: "new".to_owned(),
        control: "old".to_owned(),
        unit,
        stages: percents.iter().map(stage).collect(),
        bake_us: 0,
        ..Plan::new(format!("new-{flag}"), flag)
    }
}

/// A captured error rate of 1 %, of so many outcomes in each bucket of units.
pub(crate) fn captured(outcomes: u64) -> Arc<CapturedArms> {
    let mut buckets = Buckets::new();
    (0..BUCKETS).for_each(|bucket| buckets.add(bucket, outcomes as i64 / 100, outcomes));
    let counted = rollout::measure::counted(&Plan::new("plan", "flag")).remove(0);
    Arc::new(CapturedArms {
        units: 10_000,
        arms: vec![CapturedArm {
            counted,
            buckets,
            hours: BTreeMap::new(),
        }],
    })
}

/// A rollout in its first stage.
pub(crate) fn started(plan: Plan, index: u32) -> RolloutRecord {
    RolloutRecord {
        id: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + u128::from(index)),
        environment: production(),
        index,
        number: 1,
        state: first_stage(),
        counted: rollout::measure::counted(&plan).into(),
        plan: Arc::new(plan),
        plan_version: 1,
        acked_buckets: 0,
        retry_of: None,
        reshuffled: false,
        standing: false,
        recovery_of: None,
        measuring_key: 1,
        salt: "salt".to_owned(),
        started_by: "ada".to_owned(),
        started_at_us: START_US,
        transitions: Vec::new(),
        end: None,
        revision: 1,
    }
}

/// A rollout's state in its first stage, which no agent has yet.
pub(crate) fn first_stage() -> rollout::State {
    let mut state = rollout::State::draft(7, START_US);
    state.phase = Phase::Ramp;
    state.visits.push(Visit {
        stage: 0,
        visit: 1,
        entered_at_us: START_US,
    });
    state.horizons.push(Horizon {
        stage: 0,
        started_at_us: START_US,
    });
    state
}

/// A rollout that is created and in its first stage by one transaction.
pub(crate) fn started_by(record: &RolloutRecord, flag: &FlagRecord, count: Count, actor: &Actor) -> Txn {
    let txn = changes::take(changes::create(record, count, actor), record, flag);
    let buckets = record.plan.wanted(0).get();
    txn.put(
        keys::exposure(&record.environment, record.id),
        model::write_exposure(0, buckets),
    )
}

/// What knows of a state that no agent has heard of.
pub(crate) fn sources(state: &State) -> Sources {
    Sources {
        publisher: Arc::new(Publisher::new(7, Arc::new(state.clone()))),
        fleet: Arc::new(Fleet::new()),
        coverage: Coverage::default(),
        soaks: Soaks::default(),
        levels: Levels::new(false),
    }
}

/// Stages of these shares (in percent), all of which the rollout has reached, a horizon for each.
pub(crate) fn rollout_of(unit: Unit, percents: &[u32], dwell_us: i64) -> RolloutRecord {
    let mut record = started(plan_of("checkout", unit, percents, dwell_us), INDEX);
    for stage in 1..percents.len() {
        enter(&mut record, stage);
    }
    record
}

/// Units, at 5 % and then 50 %.
pub(crate) fn rollout() -> RolloutRecord {
    rollout_of(Unit::Unit, &[5, 50], 60 * SECOND_US)
}

fn enter(record: &mut RolloutRecord, stage: usize) {
    record.state.stage = stage;
    record.state.visits.push(Visit {
        stage,
        visit: 1,
        entered_at_us: START_US,
    });
    record.state.horizons.push(Horizon {
        stage,
        started_at_us: START_US,
    });
}

/// A rollout after a transition into a phase.
pub(crate) fn moved(before: &RolloutRecord, phase: Phase, kind: &str) -> RolloutRecord {
    let mut after = before.clone();
    after.state.phase = phase;
    after.state.sequence += 1;
    after.push(TransitionRecord {
        sequence: after.state.sequence,
        at_us: START_US,
        kind: kind.to_owned(),
        stage: after.state.stage as u32,
        detail: String::new(),
        actor: "tidegate".to_owned(),
        dismissals: Vec::new(),
    });
    after
}

/// What an agent that holds all flags says of itself.
pub(crate) fn introduction(environment: &Key, agent: &str) -> Introduction {
    Introduction {
        agent: agent.into(),
        subscription: Subscription {
            environment: environment.clone(),
            set: None,
        },
        version: String::new(),
        address: None,
        diskless: false,
    }
}

/// How a rollout ended, of which nothing more is known yet.
pub(crate) fn end(cause: EndCause, decided_at_us: i64) -> End {
    End {
        decided_at_us,
        cause,
        actor: String::new(),
        reason: String::new(),
        evidence: None,
        counts: Counts::default(),
        published_at_us: None,
        applied_at_us: None,
        persisted_at_us: None,
        last_treatment_exposure_us: None,
        time_to_zero_us: None,
        rule: None,
        batches: 0,
        readings: 0,
        fresh: true,
        awaited: Vec::new(),
        recovery: None,
    }
}

/// A recovery that is watched: the error rate was 30 %, and is to be 2 %.
pub(crate) fn recovery() -> Recovery {
    Recovery {
        harm: "error-rate > 1x control".to_owned(),
        bar: Bar {
            metric: 0,
            is_complement: false,
            side: Side::Above,
            value: 0.02,
            harmed: 0.3,
        },
        reading: None,
        outcome: None,
    }
}

/// A rollout in its next stage.
pub(crate) fn advanced(before: &RolloutRecord) -> RolloutRecord {
    let mut record = before.clone();
    enter(&mut record, before.state.stage + 1);
    moved(&record, Phase::Ramp, "advanced")
}

/// A webhook of all events of all environments.
pub(crate) fn webhook(name: &str) -> WebhookRecord {
    WebhookRecord {
        key: key(name),
        id: Uuid::now_v7(),
        url: "http://127.0.0.1:9/".to_owned(),
        description: String::new(),
        kinds: [].into(),
        least_severity: None,
        environments: [].into(),
        disabled: false,
        disabled_reason: String::new(),
        secret: Secret::draw(),
        previous: None,
        secrets: 1,
        begins_after: 0,
        created_at_us: START_US,
        updated_at_us: START_US,
        revision: 1,
    }
}

/// An event of a rollout on its way to a webhook.
pub(crate) fn delivery(revision: u64, rollout: u128) -> Delivery {
    Delivery {
        position: Position { revision, index: 0 },
        environment: production(),
        rollout: Uuid::from_u128(rollout),
        event_id: format!("{rollout}.{revision}.rollout_held"),
        event: Event {
            kind: Kind::Held,
            json: format!(r#"{{"id":"{rollout}.{revision}.rollout_held"}}"#),
        },
        queued_at_us: START_US,
        attempts: 0,
        attempted_at_us: 0,
        due_us: 0,
        status: 0,
        answer: String::new(),
        ended: None,
    }
}

/// A state with one environment and these rollouts.
pub(crate) fn state(rollouts: impl IntoIterator<Item = RolloutRecord>) -> State {
    let kind = EnvironmentKind::Production;
    let environment = EnvironmentRecord {
        environment: Environment {
            key: production(),
            kind,
            order: 2,
            token_key: 1,
        },
        description: String::new(),
        revision: 1,
    };
    let rollouts: Vec<RolloutRecord> = rollouts.into_iter().collect();
    let indices = rollouts
        .iter()
        .map(|rollout| ((production(), rollout.index), rollout.id));
    let runs = rollouts
        .iter()
        .map(|rollout| (production(), key(&rollout.plan.flag), rollout.id));
    State {
        runs: Arc::new(runs.collect()),
        environments: Arc::new([(production(), Arc::new(environment))].into()),
        indices: Arc::new(indices.collect()),
        rollouts: Arc::new(
            rollouts
                .into_iter()
                .map(|rollout| ((production(), rollout.id), Arc::new(rollout)))
                .collect(),
        ),
        ..State::default()
    }
}
