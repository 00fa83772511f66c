//! Bad reports: observations that cannot be counted never fail a service, frames that are malformed are never counted.
//!
//! Two doors with opposite manners: the agent takes anything from the service beside it and says what it dropped; the
//! control plane takes a message of frames whole or not at all.

use futures::stream::iter;
use integration_tests::{
    agent::Agent,
    evaluator::context,
    flags,
    plans::{half_for_long, plan},
    stream,
    system::{PRODUCTION, System},
};
use proto::v1::{self, exposure_name::Name, outcomes_client::OutcomesClient};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A system with a rollout of half the units, delivered to its one agent.
async fn under_rollout() -> (System, Agent) {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.create(flags::boolean("search")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    (system, agent)
}

fn observation(name: Option<Name>, outcome: v1::OutcomeKind) -> v1::Observation {
    let exposures = vec![v1::ExposureName { name }];
    v1::Observation {
        exposures,
        outcome: outcome.into(),
        ..v1::Observation::default()
    }
}

fn token(text: &str) -> Option<Name> {
    Some(Name::Token(text.to_owned()))
}

fn named(flag: &str) -> Option<Name> {
    Some(Name::Flag(v1::FlagContext {
        flag_key: flag.to_owned(),
        context: Some(context("user-1", &[])),
    }))
}

async fn observe(agent: &Agent, observations: Vec<v1::Observation>) -> v1::ObserveResponse {
    let messages = iter([v1::ObserveRequest { observations }]);
    let mut outcomes = OutcomesClient::new(agent.evaluator().channel());
    outcomes
        .observe(messages)
        .await
        .expect("observing never fails")
        .into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn observations_that_cannot_be_counted_are_dropped_with_a_reason_and_never_fail() {
    let (system, mut agent) = under_rollout().await;
    let minted = agent
        .evaluator()
        .boolean("checkout", "user-1")
        .await
        .unwrap()
        .token
        .unwrap();
    let ok = v1::OutcomeKind::Ok;
    let cases = [
        ("no token", token(""), ok, "not 22 characters"),
        ("another version", token("AAAAAAAAAAAAAAAAAAAAAA"), ok, ""),
        (
            "a forged token",
            token(&forged(&minted)),
            ok,
            "not minted in this environment",
        ),
        ("an unknown flag", named("no-such-flag"), ok, "does not hold the flag"),
        (
            "a flag outside every rollout",
            named("search"),
            ok,
            "outside every rollout",
        ),
        ("nothing named", None, ok, "neither a token nor a flag"),
        (
            "no outcome",
            token(&minted),
            v1::OutcomeKind::Unspecified,
            "no known outcome",
        ),
    ];
    for (what, name, outcome, reason) in cases {
        let answer = observe(&agent, vec![observation(name, outcome)]).await;
        assert_eq!(
            (answer.counted, answer.dropped, answer.reasons.len()),
            (0, 1, 1),
            "{what}: {answer:?}"
        );
        assert!(answer.reasons[0].contains(reason), "{what}: {answer:?}");
    }
    assert!(agent.is_running());
    assert_eq!(totals(&system.operator.rollout("checkout#1").await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn good_observations_count_beside_bad_ones_by_token_or_by_flag_and_context() {
    let (system, agent) = under_rollout().await;
    let minted = agent
        .evaluator()
        .boolean("checkout", "user-1")
        .await
        .unwrap()
        .token
        .unwrap();
    let ok = v1::OutcomeKind::Ok;
    let mixed = vec![
        observation(token("damaged"), ok),
        observation(token(&minted), ok),
        observation(named("checkout"), v1::OutcomeKind::Error),
        observation(token(&minted), v1::OutcomeKind::Cancelled),
    ];
    let answer = observe(&agent, mixed).await;
    assert_eq!((answer.counted, answer.dropped), (2, 1), "{answer:?}");
    let counted = |rollout: &v1::Rollout| totals(rollout).0 == 2;
    let rollout = system
        .operator
        .rollout_until("the two outcomes", "checkout#1", counted)
        .await;
    assert_eq!(totals(&rollout), (2, 1));
}

/// The token with its last character changed: another signature.
fn forged(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 2);
    format!("{rest}{}", if last == "AA" { "BA" } else { "AA" })
}

/// (Outcomes, bad outcomes) over both arms.
fn totals(rollout: &v1::Rollout) -> (u64, u64) {
    let counts = rollout.total_counts.unwrap_or_default();
    let arms = [counts.treatment.unwrap_or_default(), counts.control.unwrap_or_default()];
    (
        arms.iter().map(|arm| arm.outcomes).sum(),
        arms.iter().map(|arm| arm.bad).sum(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_frame_is_refused_with_every_field_named_and_nothing_of_its_message_counts() {
    let (mut system, _agent) = under_rollout().await;
    let good = frame(&system.operator.rollout("checkout#1").await);
    for (number, (what, wrong, fields)) in (2..).zip(wrong_frames(&good)) {
        // Each message begins with a good frame that was never sent before.
        let beside = v1::Frame {
            sequence: number,
            ..good.clone()
        };
        let status = report(&system, "raw", vec![beside, wrong]).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        let named: Vec<_> = violations.iter().map(|violation| violation.field.clone()).collect();
        let expected: Vec<_> = fields.iter().map(|field| format!("frames[1].{field}")).collect();
        assert_eq!(named, expected, "{what}: {status}");
    }
    report(&system, "raw", vec![good]).await.unwrap();
    assert_eq!(counted(&system).await, (5, 2), "the last good frame alone");
    assert!(system.control_plane.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_must_say_from_which_agent_and_environment_it_is() {
    let (system, _agent) = under_rollout().await;
    let good = frame(&system.operator.rollout("checkout#1").await);
    let nowhere = v1::Frame {
        environment: "nowhere".to_owned(),
        ..good.clone()
    };
    let status = report(&system, "raw", vec![nowhere]).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
    let status = report(&system, "", vec![good.clone()]).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    // The agent lives in production.
    let elsewhere = v1::Frame {
        environment: "staging".to_owned(),
        ..good
    };
    let status = report(&system, "agent", vec![elsewhere]).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("serves environment production"), "{status}");
    for reason in ["no_environment", "malformed", "other_environment"] {
        let series = format!("tidegate_health_messages_refused_total{{reason=\"{reason}\"}}");
        assert!(system.control_plane.metric(&series).await >= 1.0, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_counts_once_however_often_it_is_sent() {
    let (system, _agent) = under_rollout().await;
    let first = frame(&system.operator.rollout("checkout#1").await);
    report(&system, "raw", vec![first.clone()]).await.unwrap();
    assert_eq!(counted(&system).await, (5, 2));
    report(&system, "raw", vec![first.clone(), first.clone()])
        .await
        .unwrap();
    let second = v1::Frame {
        sequence: 2,
        ..first.clone()
    };
    report(&system, "raw", vec![second, first]).await.unwrap();
    let twice = |rollout: &v1::Rollout| totals(rollout).0 > 5;
    let rollout = system
        .operator
        .rollout_until("the second frame", "checkout#1", twice)
        .await;
    assert_eq!(totals(&rollout), (10, 4));
}

async fn report(system: &System, agent: &str, frames: Vec<v1::Frame>) -> Result<v1::ReportResponse, Status> {
    let request = v1::ReportRequest {
        agent: agent.to_owned(),
        epoch: 1,
        frames,
    };
    stream::report(system.operator.channel(), request).await
}

/// The totals once anything was counted.
async fn counted(system: &System) -> (u64, u64) {
    let any = |rollout: &v1::Rollout| totals(rollout).0 > 0;
    totals(&system.operator.rollout_until("outcomes", "checkout#1", any).await)
}

/// A frame as an agent cuts it: five outcomes of treatment in one unit bucket, two of them bad.
fn frame(rollout: &v1::Rollout) -> v1::Frame {
    let tick = proto::tick::at(rollout.started_at_us);
    let metric = v1::MetricCell {
        metric: 0,
        buckets: vec![9],
        num: vec![2],
        den: vec![5],
        bad_positions: vec![9 << 12],
    };
    let cell = v1::Cell {
        arm: 1,
        exposures: 5,
        outcomes: 5,
        metrics: vec![metric],
        exposed_positions: vec![64],
        last_exposure_us: rollout.started_at_us,
        ..v1::Cell::default()
    };
    v1::Frame {
        rollout: rollout.index,
        sequence: 1,
        first_tick: tick,
        last_tick: tick,
        horizon: 1,
        cells: vec![cell],
        dropped: 0,
        environment: PRODUCTION.to_owned(),
        urgent: false,
    }
}

/// What is wrong, the frame, and the fields to name.
fn wrong_frames(good: &v1::Frame) -> Vec<(&'static str, v1::Frame, Vec<&'static str>)> {
    let with_cell = |edit: fn(&mut v1::Cell)| {
        let mut frame = good.clone();
        edit(&mut frame.cells[0]);
        frame
    };
    vec![
        (
            "no sequence",
            v1::Frame {
                sequence: 0,
                ..good.clone()
            },
            vec!["sequence"],
        ),
        (
            "an end before its beginning",
            v1::Frame {
                last_tick: good.first_tick - 1,
                ..good.clone()
            },
            vec!["last_tick"],
        ),
        (
            "the future",
            v1::Frame {
                last_tick: good.last_tick + 100_000,
                ..good.clone()
            },
            vec!["last_tick"],
        ),
        (
            "a horizon that has not begun",
            v1::Frame {
                horizon: 7,
                ..good.clone()
            },
            vec!["horizon"],
        ),
        ("a third arm", with_cell(|cell| cell.arm = 2), vec!["cells[0].arm"]),
        (
            "stages that were not reached",
            with_cell(|cell| (cell.stage, cell.stratum) = (3, 4)),
            vec!["cells[0].stage", "cells[0].stratum"],
        ),
        (
            "positions that are none",
            with_cell(|cell| {
                cell.exposed_positions = vec![1];
                cell.metrics[0].bad_positions = vec![1 << 18];
            }),
            vec!["cells[0].exposed_positions", "cells[0].metrics[0].bad_positions"],
        ),
        (
            "more bad than all",
            with_cell(|cell| cell.metrics[0].num = vec![6]),
            vec!["cells[0].metrics[0].num[0]"],
        ),
        (
            "more units that failed than failures",
            with_cell(|cell| cell.metrics[0].bad_positions = (9 << 12..).take(3).collect()),
            vec!["cells[0].metrics[0].bad_positions"],
        ),
        (
            "more of a sample than all",
            with_cell(|cell| cell.sampled_outcomes = 6),
            vec!["cells[0].sampled_outcomes"],
        ),
        (
            "buckets without counts",
            with_cell(|cell| cell.metrics[0].den.clear()),
            vec!["cells[0].metrics[0].buckets"],
        ),
        (
            "a metric that is not measured",
            with_cell(|cell| cell.metrics[0].metric = 3),
            vec!["cells[0].metrics[0].metric"],
        ),
        (
            "another environment",
            v1::Frame {
                environment: "staging".to_owned(),
                ..good.clone()
            },
            vec!["environment"],
        ),
    ]
}
