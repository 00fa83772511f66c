#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};

use ::rollout::{
    EvidenceNumber, Guard, HoldReason, Horizon, Level, Phase, Plan, Share, Stage, State, Unit, Visit,
    criterion::Estimates,
    duration::Dwell,
    evidence::{limit::Side, request::Onset},
    guards::{HorizonCounts, SampledCounts},
    measure::{Counted, Counting, Events, Minute, Per, Recent, Slot},
    recovery::{Bar, Outcome, Reading},
    state::{Approval, Desk, Dismissal, Issue, List, Tick},
};
use evaluation::{
    Arm, AttributeType, Buckets, Condition, DateComparison, Flag, FlagType, HashScheme, Key, Literal, NumberTest,
    OneOf, Prerequisite, Quantifier, Rule, Serve, Split, Test, TextPart, Value, VersionComparison, WhenStale,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    evidence::{ArmCounts, Counts, VisitCounts},
    levels::{self, Held, Source},
    record::{End, EndCause, Recovery, TransitionRecord},
};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// A condition with every test there is, plain and negated.
fn conditions() -> Vec<Condition> {
    let literals = OneOf {
        literals: vec![
            Literal::Text("pro".into()),
            Literal::Number(1.5),
            Literal::Boolean(true),
        ],
        ignore_case: true,
    };
    let texts = |part| Test::Text {
        part,
        texts: vec!["a".into(), "b".into()],
        ignore_case: true,
    };
    let version = |comparison| Test::Version {
        comparison,
        version: "1.2.3".into(),
    };
    let date = |comparison| Test::Date {
        comparison,
        date: "2026-11-21".into(),
    };
    let list = |quantifier| Test::List {
        quantifier,
        literals: literals.clone(),
    };
    let mut tests = vec![
        Test::OneOf(literals.clone()),
        texts(TextPart::Contains),
        texts(TextPart::StartsWith),
        texts(TextPart::EndsWith),
        Test::Matches("^a+$".into()),
        date(DateComparison::Before),
        date(DateComparison::After),
        Test::InNetwork(vec!["10.0.0.0/8".into()]),
        Test::Exists,
        list(Quantifier::Any),
        list(Quantifier::All),
        list(Quantifier::NoneOf),
        Test::InSegment(vec!["staff".into()]),
        Test::Variant {
            flag: "shape".into(),
            variants: vec!["round".into()],
        },
    ];
    tests.extend(
        [
            VersionComparison::Equal,
            VersionComparison::Less,
            VersionComparison::LessOrEqual,
            VersionComparison::Greater,
            VersionComparison::GreaterOrEqual,
            VersionComparison::Tilde,
            VersionComparison::Caret,
        ]
        .map(version),
    );
    tests.extend(
        [
            AttributeType::Text,
            AttributeType::Number,
            AttributeType::Boolean,
            AttributeType::List,
            AttributeType::Object,
            AttributeType::Null,
        ]
        .map(Test::TypeIs),
    );
    let numbers = [
        NumberTest::Equal(1.0),
        NumberTest::Less(-1.5),
        NumberTest::LessOrEqual(0.0),
        NumberTest::Greater(1e9),
        NumberTest::GreaterOrEqual(2.0),
        NumberTest::Between(1.0, 2.0),
    ];
    tests.extend(numbers.map(Test::Number));
    tests.extend(numbers.map(Test::Size));
    let numbered = tests.into_iter().enumerate();
    numbered
        .map(|(at, test)| Condition {
            attribute: format!("attribute-{at}"),
            negated: at % 2 == 1,
            test,
        })
        .collect()
}

fn flag() -> FlagRecord {
    let split = vec![
        evaluation::Share {
            variant: "blue".into(),
            buckets: Buckets::new(25_000).unwrap(),
        },
        evaluation::Share {
            variant: "red".into(),
            buckets: Buckets::new(75_000).unwrap(),
        },
    ];
    FlagRecord {
        flag: Flag {
            key: key("colour"),
            flag_type: FlagType::String,
            description: "the button".into(),
            owner: "team".into(),
            tags: ["a".to_owned(), "b".to_owned()].into(),
            set: Some(key("shop")),
            enabled: true,
            killed: true,
            salt: "salt".into(),
            variants: [
                ("blue".to_owned(), Value::String("#00f".into())),
                ("red".to_owned(), Value::String("".into())),
            ]
            .into(),
            off_variant: Some("red".into()),
            default: Serve::Split(Split {
                ranges: split.iter().rev().cloned().collect(),
                shares: split,
            }),
            deny: vec!["u1".into()],
            allow: [("blue".to_owned(), vec!["u2".to_owned()])].into(),
            rules: vec![Rule {
                name: "staff".into(),
                conditions: conditions(),
                serve: Serve::CallerDefault,
                salt: "own".into(),
            }],
            prerequisites: vec![Prerequisite {
                flag: "shape".into(),
                variants: vec!["round".into()],
            }],
            hash: HashScheme::Murmur3,
            bucket_by: vec!["account".into(), "targetingKey".into()],
            when_stale: WhenStale::Variant("red".into()),
        },
        archived_at_us: Some(8),
        version: 3,
        created_at_us: 1,
        updated_at_us: 2,
        revision: 9,
    }
}

fn plan() -> Plan {
    let stage = |name: &str, share| Stage {
        minimum_outcomes: 7,
        minimum_units: 0,
        audience: vec!["staff".into()],
        success: vec!["error-rate < 1 %".parse().unwrap()],
        ..Stage::new(name, Share::new(share).unwrap(), Dwell::For(5))
    };
    Plan {
        description: "d".into(),
        treatment: "blue".into(),
        control: "red".into(),
        unit: Unit::Request,
        stages: vec![stage("one", 5_000), stage("two", 100_000)],
        guards: vec![Guard {
            level: Level::Hold,
            ..Guard::error_rate_above(1.25)
        }],
        max_control_rate: 0.2,
        ..Plan::new("p", "colour")
    }
}

/// What people have done, one of each.
fn desk() -> Desk {
    Desk {
        plan_hash: 7,
        held: true,
        fixing: true,
        approvals: vec![
            Approval {
                stage: None,
                plan_hash: 6,
                by: "ada".into(),
                at_us: 1,
            },
            Approval {
                stage: Some(3),
                plan_hash: 7,
                by: "grace".into(),
                at_us: 2,
            },
        ],
        ticks: [List::Preflight, List::Stage(2), List::Exit]
            .map(|list| Tick {
                list,
                item: "tests-passing".into(),
                by: "ci".into(),
                at_us: 3,
            })
            .to_vec(),
        issues: vec![Issue {
            number: 1,
            title: "slow".into(),
            stage: 1,
            opened_by: "ada".into(),
            opened_at_us: 4,
            closed_by: "grace".into(),
            closed_at_us: Some(5),
            resolution: "faster".into(),
        }],
        dismissals: dismissals(),
        acknowledged_at_us: Some(6),
        archived: true,
    }
}

/// Of a guard with a size, of nothing, and of a criterion.
fn dismissals() -> Vec<Dismissal> {
    [
        (HoldReason::Evidence, Some(1), None, Some(4.25)),
        (HoldReason::SampleRatio, None, None, None),
        (HoldReason::Inconclusive, None, Some(2), None),
    ]
    .map(|(reason, guard, criterion, log_size)| Dismissal {
        reason,
        guard,
        criterion,
        log_size,
        by: "ada".into(),
        at_us: 7,
        why: "a batch job".into(),
    })
    .to_vec()
}

fn counts(number: u64) -> Counts {
    let arm = ArmCounts {
        exposures: number,
        outcomes: number + 1,
        bad: 2,
        lost: 3,
        bad_units: 4,
        sampled_units: 5,
        unit_buckets: u64::MAX,
        sampled_outcomes: 6,
    };
    Counts {
        treatment: arm,
        control: ArmCounts::default(),
    }
}

/// One of each kind.
fn countings() -> Vec<Counted> {
    let value = || "cost".to_owned();
    let all = [
        Counting::Errors {
            expected: vec!["card-declined".to_owned()],
        },
        Counting::Timeouts,
        Counting::Status { from: 400, to: 599 },
        Counting::Slower { bound_us: 7 },
        Counting::Above {
            value: value(),
            bound: -7,
        },
        Counting::Sum {
            value: value(),
            minimum: i64::MIN,
            maximum: i64::MAX,
            per: Per::Exposure,
        },
        Counting::Hits {
            value: value(),
            per: Per::Value,
        },
        Counting::Lost,
    ];
    let counted = |counting| Counted {
        metric: "metric".to_owned(),
        counting,
    };
    all.map(counted).into()
}

fn rollout(phase: Phase) -> RolloutRecord {
    RolloutRecord {
        id: Uuid::now_v7(),
        environment: key("production"),
        index: 4,
        number: 2,
        plan: Arc::new(plan()),
        counted: countings().into(),
        state: State {
            phase,
            holds: HoldReason::ALL.to_vec(),
            extensions: 3,
            extended_us: 4,
            baking_since_us: Some(5),
            desk: desk(),
            sequence: 6,
            stage: 1,
            visits: vec![Visit {
                stage: 1,
                visit: 2,
                entered_at_us: 8,
            }],
            horizons: vec![Horizon {
                stage: 1,
                started_at_us: 8,
            }],
            soaked_us: 9,
            observed_at_us: 10,
            fresh_at_us: 11,
            entered_at_us: 12,
            clock_started_at_us: Some(13),
            alone_since_us: None,
            ended_at_us: Some(0),
            planned: Some(::rollout::state::Planned {
                horizons: 10,
                compared: 3,
                uncompared: 1,
                dwells_us: [(1, 86_400_000_000)].into(),
            }),
        },
        plan_version: 2,
        acked_buckets: 5_000,
        retry_of: Some(Uuid::now_v7()),
        reshuffled: true,
        standing: false,
        recovery_of: Some(Uuid::from_u128(3)),
        measuring_key: u128::MAX - 1,
        salt: "salt".into(),
        started_by: "me".into(),
        started_at_us: -1,
        transitions: vec![TransitionRecord {
            sequence: 1,
            at_us: 2,
            kind: "held".into(),
            stage: 0,
            detail: "stale".into(),
            actor: "tidegate".into(),
            dismissals: dismissals(),
        }],
        end: Some(End {
            decided_at_us: 1,
            cause: EndCause::Evidence,
            actor: "tidegate".into(),
            reason: "harm".into(),
            evidence: Some(EvidenceNumber {
                guard: 0,
                horizon: 2,
                log_evidence: 4.75,
                is_doubted: false,
            }),
            counts: counts(1),
            published_at_us: Some(2),
            applied_at_us: None,
            persisted_at_us: Some(3),
            last_treatment_exposure_us: None,
            time_to_zero_us: Some(0),
            batches: 3,
            readings: 5,
            rule: Some(0),
            fresh: true,
            awaited: vec!["agent".into()],
            recovery: Some(Recovery {
                harm: "error-rate > 1x control".into(),
                bar: Bar {
                    metric: 3,
                    is_complement: true,
                    side: Side::Below,
                    value: 0.5,
                    harmed: 0.25,
                },
                reading: Some(Reading {
                    value: 0.75,
                    outcomes: 100,
                    units: 7,
                }),
                outcome: Some((Outcome::NotRecovered, 9)),
            }),
        }),
        revision: 5,
    }
}

fn held_levels() -> HeldLevels {
    let side = |value| levels::Side {
        value,
        at_us: 3,
        until_us: 4,
        missing: "down".to_owned(),
    };
    let read = |treatment, control| Estimates {
        treatment,
        control,
        baseline: None,
    };
    let cpu = Held {
        treatment: side(Some(0.5)),
        control: side(None),
        recent: vec![read(Some(0.0), None), read(None, Some(0.25))],
        source: Source::Prometheus,
    };
    HeldLevels {
        metrics: [("cpu".to_owned(), cpu), ("memory".to_owned(), Held::default())].into(),
        last: 8,
        noted_at_us: 9,
        revision: 7,
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    assert_eq!(read_flag(&write_flag(&flag()), 9).unwrap(), flag());
    for phase in Phase::ALL {
        let record = rollout(phase);
        assert_eq!(read_rollout(&write_rollout(&record), 5).unwrap(), record);
    }
    let onset = Onset {
        log_s: [-0.5; 16],
        batches: 4,
    };
    let horizon = HorizonCounts {
        strata: [((7, 1), (2, 3))].into(),
        onsets: [((7, 1_500_000), onset)].into(),
    };
    let mut events = Events::default();
    events.add(3, 2_000_000, 60_000_000);
    let evidence = EvidenceRecord {
        batches: 1,
        sealed_at_us: 2,
        visits: vec![VisitCounts {
            stage: 1,
            visit: 2,
            counts: counts(3),
        }],
        horizons: [(1, HorizonCounts::default()), (2, horizon)].into(),
        sums: BTreeMap::new(),
        hours: BTreeMap::new(),
        sampled: [(
            ((1, 2), 3),
            SampledCounts {
                treatment: 4,
                control: 5,
            },
        )]
        .into(),
        events,
        number: Some(EvidenceNumber {
            guard: 1,
            horizon: 2,
            log_evidence: -0.25,
            is_doubted: false,
        }),
        recent: Recent::from_stored([(
            1,
            2,
            Slot {
                num: -3,
                den: 4,
                units: 5,
                first_us: 6,
            },
        )]),
        pushed: 8,
        minute: Minute::from_stored(
            (3, 4),
            [true, false].map(|treatment| {
                let slot = Slot {
                    num: 6,
                    den: 7,
                    units: u64::from(treatment),
                    first_us: 9,
                };
                ((5, treatment), 8, slot)
            }),
        ),
        worse_since: [(0, 9)].into(),
        full_horizon: 3,
        last_treatment_exposure_us: 4,
        dropped: 5,
        revision: 6,
    };
    assert_eq!(read_evidence(&write_evidence(&evidence), 6).unwrap(), evidence);
    let held = held_levels();
    assert_eq!(read_levels(&write_levels(&held), 7).unwrap(), held);
    let before = HeldLevels { revision: 0, ..held };
    let reading = |value| levels::Reading {
        value,
        at_us: 1,
        until_us: 2,
        source: Source::Prometheus,
    };
    for before in [None, Some(before)] {
        let kept = Kept {
            readings: vec![
                ("cpu".to_owned(), Arm::Control, reading(Err("down".to_owned()))),
                ("cpu".to_owned(), Arm::Treatment, reading(Ok(0.0))),
            ],
            noted_at_us: 3,
            is_first: before.is_none(),
            before,
        };
        assert_eq!(read_reading(&write_reading(&kept)).unwrap(), kept);
    }
    let samples = BTreeMap::from([((64, 1), true), ((262_080, 15), false)]);
    assert_eq!(SampleSet::read(&SampleSet::write(&samples)).unwrap(), samples);
    assert_eq!(
        read_soak(&write_soak(Soak {
            visits: 2,
            soaked_us: 3
        }))
        .unwrap(),
        Soak {
            visits: 2,
            soaked_us: 3
        }
    );
    assert_eq!(read_count(&write_count(7)).unwrap(), 7);
}

#[test]
fn a_value_of_a_newer_build_is_refused_with_a_word_on_what_to_do() {
    let newer = Pair {
        schema: SCHEMA + 1,
        first: 0,
        second: 0,
    }
    .encode_to_vec();
    assert_eq!(read_soak(&newer), Err(ModelError::Schema(2)));
    assert!(read_soak(&newer).unwrap_err().to_string().contains("newer build"));
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_flag(&bytes, 1);
        let _ = read_rollout(&bytes, 1);
        let _ = read_evidence(&bytes, 1);
        let _ = read_environment(&bytes, 1);
        let _ = read_latch(&bytes);
        let _ = read_exposure(&bytes, 1);
        let _ = MarkPage::read(&bytes);
        let _ = PositionPage::read(&bytes);
        let _ = SampleSet::read(&bytes);
        let _ = Act::read(&bytes);
    }
}
