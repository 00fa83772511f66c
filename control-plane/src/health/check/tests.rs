#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Arm;
use rollout::evidence::unit::POSITIONS;

use super::{cells::SAMPLES_LIMIT, faults::LISTED, *};
use crate::health::{builders::*, frames::MetricCell};

const NOW_US: i64 = START_US + 10 * SECOND_US;

fn check_one(edit: impl FnOnce(&mut v1::Frame)) -> Result<Vec<Checked>, Vec<Violation>> {
    let mut frame = wire_frame(1);
    edit(&mut frame);
    check(&state([rollout()]), &production(), vec![frame], NOW_US)
}

/// The fields that are refused.
fn fields(edit: impl FnOnce(&mut v1::Frame)) -> Vec<String> {
    check_one(edit)
        .unwrap_err()
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

fn cell(frame: &mut v1::Frame) -> &mut v1::Cell {
    &mut frame.cells[0]
}

fn metric(frame: &mut v1::Frame) -> &mut v1::MetricCell {
    &mut frame.cells[0].metrics[0]
}

#[test]
fn a_frame_becomes_what_it_counts() {
    let checked = check_one(|_| {}).unwrap();
    let [Checked::Counted(frame)] = checked.as_slice() else {
        panic!("{checked:?}")
    };
    assert_eq!(
        (frame.rollout, frame.index, frame.sequence, frame.horizon),
        (rollout().id, INDEX, 1, 1)
    );
    let cell = &frame.cells[0];
    assert_eq!(cell.place, place(0, 0, Arm::Treatment));
    assert_eq!((cell.exposures, cell.outcomes, &cell.sampled), (6, 5, &vec![0, 64]));
    let metric = MetricCell {
        metric: 0,
        buckets: vec![(0, 2, 2), (63, 0, 3)],
        bad: vec![5, 9],
    };
    assert_eq!(cell.metrics, [metric]);
}

#[test]
fn counts_belong_to_the_latest_visit_of_their_stage() {
    let mut twice = rollout();
    twice.state.visits.push(rollout::Visit {
        stage: 0,
        visit: 2,
        entered_at_us: START_US,
    });
    let checked = check(&state([twice]), &production(), vec![wire_frame(1)], NOW_US).unwrap();
    let [Checked::Counted(frame)] = checked.as_slice() else {
        panic!("{checked:?}")
    };
    assert_eq!(frame.cells[0].place.visit, 2);
}

#[test]
fn a_stratum_is_any_stage_that_was_reached_by_the_stage_of_its_cell() {
    // The stages 0, 1 and 2, then back to 1: nobody can have had the share of 2 in stage 0.
    let mut back = rollout_of(rollout::Unit::Unit, &[5, 50, 80], 60 * SECOND_US);
    back.state.visits.push(rollout::Visit {
        stage: 1,
        visit: 2,
        entered_at_us: START_US,
    });
    for (stage, stratum, visit) in [
        (0, 0, Some(1)),
        (0, 1, None),
        (0, 2, None),
        (1, 0, Some(2)),
        (1, 1, Some(2)),
        (1, 2, Some(2)),
        (2, 0, Some(1)),
        (2, 1, Some(1)),
        (2, 2, Some(1)),
        (2, 3, None),
    ] {
        let mut frame = wire_frame(1);
        (cell(&mut frame).stage, cell(&mut frame).stratum) = (stage, stratum);
        let checked = check(&state([back.clone()]), &production(), vec![frame], NOW_US);
        match visit {
            Some(visit) => {
                let checked = checked.unwrap();
                let [Checked::Counted(frame)] = checked.as_slice() else {
                    panic!("{checked:?}")
                };
                let place = frame.cells[0].place;
                assert_eq!(
                    (u32::from(place.stage), u32::from(place.stratum), place.visit),
                    (stage, stratum, visit)
                );
            }
            None => {
                let fields = checked.unwrap_err().into_iter().map(|violation| violation.field);
                let fields = fields.collect::<Vec<_>>();
                assert_eq!(
                    fields,
                    ["frames[0].cells[0].stratum"],
                    "stage {stage}, stratum {stratum}"
                );
            }
        }
    }
}

#[test]
fn every_malformed_field_is_named() {
    type Edit = fn(&mut v1::Frame);
    let cases: [(&str, Edit); 37] = [
        ("frames[0].environment", |frame| {
            frame.environment = "staging".to_owned()
        }),
        ("frames[0].sequence", |frame| frame.sequence = 0),
        ("frames[0].last_tick", |frame| frame.first_tick = frame.last_tick + 1),
        ("frames[0].last_tick", |frame| frame.last_tick = START_TICK + 71),
        ("frames[0].horizon", |frame| frame.horizon = 0),
        ("frames[0].horizon", |frame| frame.horizon = 3),
        ("frames[0].dropped", |frame| frame.dropped = u64::MAX),
        ("frames[0].cells[1]", |frame| frame.cells.push(frame.cells[0].clone())),
        ("frames[0].cells[0].stage", |frame| cell(frame).stage = 2),
        ("frames[0].cells[0].stage", |frame| cell(frame).stage = 256),
        ("frames[0].cells[0].stratum", |frame| cell(frame).stratum = 2),
        ("frames[0].cells[0].arm", |frame| cell(frame).arm = 2),
        ("frames[0].cells[0].arm", |frame| cell(frame).arm = 257),
        ("frames[0].cells[0].exposures", |frame| {
            cell(frame).exposures = COUNT_LIMIT + 1
        }),
        ("frames[0].cells[0].outcomes", |frame| cell(frame).outcomes = u64::MAX),
        ("frames[0].cells[0].lost", |frame| cell(frame).lost = u64::MAX),
        ("frames[0].cells[0].exposed_positions", |frame| {
            cell(frame).exposed_positions = vec![1]
        }),
        ("frames[0].cells[0].exposed_positions", |frame| {
            cell(frame).exposed_positions = vec![POSITIONS]
        }),
        ("frames[0].cells[0].exposed_positions", |frame| {
            cell(frame).exposures = 10_000;
            cell(frame).exposed_positions = vec![0; SAMPLES_LIMIT + 1]
        }),
        ("frames[0].cells[0].exposed_positions", |frame| {
            cell(frame).exposures = 1
        }),
        ("frames[0].cells[0].sampled_outcomes", |frame| {
            cell(frame).sampled_outcomes = cell(frame).outcomes + 1
        }),
        ("frames[0].cells[0].classes", |frame| {
            let class = "declined".to_owned();
            cell(frame).classes = vec![v1::ClassCount { class, count: 6 }]
        }),
        ("frames[0].cells[0].durations.counts", |frame| {
            cell(frame).durations = Some(v1::Durations {
                scale: 16,
                buckets: vec![1, 2],
                counts: vec![3, 3],
            })
        }),
        ("frames[0].cells[0].last_exposure_us", |frame| {
            cell(frame).last_exposure_us = -1
        }),
        ("frames[0].cells[0].last_exposure_us", |frame| {
            cell(frame).last_exposure_us = i64::MAX
        }),
        ("frames[0].cells[0].metrics[0].metric", |frame| metric(frame).metric = 1),
        ("frames[0].cells[0].metrics[1].metric", |frame| {
            let repeated = metric(frame).clone();
            cell(frame).metrics.push(repeated);
        }),
        ("frames[0].cells[0].metrics[0].buckets", |frame| {
            metric(frame).buckets = vec![0, 64]
        }),
        ("frames[0].cells[0].metrics[0].buckets", |frame| {
            metric(frame).buckets = vec![5, 5]
        }),
        ("frames[0].cells[0].metrics[0].buckets", |frame| {
            metric(frame).num = vec![1]
        }),
        ("frames[0].cells[0].metrics[0].num[1]", |frame| {
            metric(frame).num = vec![2, 4]
        }),
        ("frames[0].cells[0].metrics[0].num[0]", |frame| {
            metric(frame).bad_positions = Vec::new();
            metric(frame).num = vec![-1, 0]
        }),
        ("frames[0].cells[0].metrics[0].den[1]", |frame| {
            metric(frame).den = vec![2, u64::MAX]
        }),
        ("frames[0].cells[0].metrics[0].bad_positions", |frame| {
            metric(frame).bad_positions = vec![9, 5]
        }),
        ("frames[0].cells[0].metrics[0].bad_positions", |frame| {
            metric(frame).bad_positions = vec![POSITIONS]
        }),
        ("frames[0].cells[0].metrics[0].bad_positions", |frame| {
            metric(frame).bad_positions = vec![1, 5, 9]
        }),
        ("frames[0].cells[0].metrics[0].bad_positions", |frame| {
            metric(frame).bad_positions = vec![5 << 12]
        }),
    ];
    for (number, (field, edit)) in cases.into_iter().enumerate() {
        assert_eq!(fields(edit), [field], "case {number}");
    }
}

#[test]
fn all_violations_are_told_at_once_but_not_without_end() {
    let both = fields(|frame| {
        frame.sequence = 0;
        cell(frame).arm = 9;
    });
    assert_eq!(both, ["frames[0].sequence", "frames[0].cells[0].arm"]);
    let many = check_one(|frame| {
        frame.cells = vec![
            v1::Cell {
                arm: 9,
                ..frame.cells[0].clone()
            };
            500
        ]
    })
    .unwrap_err();
    assert_eq!(many.len(), LISTED + 1);
    assert_eq!(many[LISTED].description, "480 more violations");
}

#[test]
fn one_message_holds_256_frames() {
    let frames = |count: u64| {
        (1..=count)
            .map(|sequence| v1::Frame {
                cells: Vec::new(),
                ..wire_frame(sequence)
            })
            .collect()
    };
    let now_us = NOW_US + 300 * SECOND_US;
    assert_eq!(
        check(&state([rollout()]), &production(), frames(256), now_us)
            .unwrap()
            .len(),
        256
    );
    assert_eq!(
        check(&state([rollout()]), &production(), frames(257), now_us).unwrap_err()[0].field,
        "frames"
    );
}

#[test]
fn what_came_too_late_is_forgotten_without_its_counts() {
    let at = |now_us: i64| check(&state([rollout()]), &production(), vec![wire_frame(1)], now_us).unwrap();
    let limit_us = tick::begins_us(START_TICK + 1) + OLDEST_US;
    assert!(matches!(&at(limit_us)[..], [Checked::Counted(_)]));
    let late = at(limit_us + SECOND_US);
    assert!(matches!(&late[..], [Checked::TooOld(frame)] if frame.is_silent()));
}

#[test]
fn frames_of_rollouts_that_nobody_judges_are_forgotten() {
    let unknown = [Checked::Unknown {
        rollout: INDEX,
        sequence: 1,
    }];
    assert_eq!(
        check(&state([]), &production(), vec![wire_frame(1)], NOW_US).unwrap(),
        unknown
    );
    let mut ended = rollout();
    ended.state.ended_at_us = Some(NOW_US - OLDEST_US);
    assert!(matches!(
        &check(&state([ended.clone()]), &production(), vec![wire_frame(1)], NOW_US).unwrap()[..],
        [Checked::Counted(_)]
    ));
    ended.state.ended_at_us = Some(NOW_US - OLDEST_US - 1);
    assert_eq!(
        check(&state([ended]), &production(), vec![wire_frame(1)], NOW_US).unwrap(),
        unknown
    );
}

#[test]
fn a_frame_is_urgent_where_units_are_split_and_not_where_requests_are() {
    for (unit, expected) in [(Unit::Unit, true), (Unit::Request, false)] {
        let rollout = rollout_of(unit, &[50, 100], SECOND_US);
        let state = state([rollout.clone()]);
        let frame = v1::Frame {
            rollout: rollout.index,
            urgent: true,
            ..wire_frame(1)
        };
        let checked = check(&state, &production(), vec![frame], NOW_US).unwrap();
        assert!(
            matches!(&checked[..], [Checked::Counted(frame)] if frame.is_urgent == expected),
            "{checked:?}"
        );
    }
}
