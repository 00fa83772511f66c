#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn frame(rollout: u32, sequence: u64, outcomes: u64) -> v1::Frame {
    let cell = v1::Cell {
        outcomes,
        ..v1::Cell::default()
    };
    v1::Frame {
        rollout,
        sequence,
        first_tick: 5,
        last_tick: 9,
        horizon: 2,
        cells: vec![cell.clone(), v1::Cell { arm: 1, ..cell }],
        dropped: 1,
        environment: "production".to_owned(),
        urgent: false,
    }
}

fn records() -> impl Strategy<Value = Record> {
    let kept =
        (any::<u128>(), any::<u32>(), any::<u64>(), 0..1_000_u64).prop_map(|(id, rollout, sequence, outcomes)| Kept {
            id,
            frame: frame(rollout, sequence, outcomes),
        });
    prop_oneof![
        ("[a-zü]{1,40}", any::<u64>(), "[a-z]{0,20}").prop_map(|(agent, epoch, environment)| Record::Head(Head {
            agent,
            epoch,
            environment
        })),
        (any::<u32>(), any::<u64>()).prop_map(|(rollout, sequence)| Record::Acked { rollout, sequence }),
        kept.clone().prop_map(Record::Cut),
        kept.prop_map(Record::Open),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in records(), behind in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = record.encode();
        let length = bytes.len();
        bytes.extend(behind);
        prop_assert_eq!(Record::decode(&bytes), Ok((record, length)));
    }

    #[test]
    fn a_torn_or_changed_record_is_no_record(record in records(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = record.encode();
        let at = at.index(bytes.len());
        prop_assert_eq!(Record::decode(&bytes[..at]), Err(Fault::Damaged));
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(Record::decode(&bytes), Err(Fault::Damaged));
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Record::decode(&bytes), Err(Fault::Damaged));
    }
}

#[test]
fn a_record_of_a_kind_that_is_not_known_is_passed_over_whole() {
    let mut bytes = Record::Acked {
        rollout: 1,
        sequence: 2,
    }
    .encode();
    bytes[PREFIX] = 200;
    let checksum = XxHash3_64::oneshot(&bytes[PREFIX..]);
    bytes[8..PREFIX].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(Record::decode(&bytes), Err(Fault::Unreadable(bytes.len())));
}

#[test]
fn a_record_that_says_it_is_larger_than_a_message_is_not_looked_for() {
    let mut bytes = Record::Acked {
        rollout: 1,
        sequence: 2,
    }
    .encode();
    bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(Record::decode(&bytes), Err(Fault::Damaged));
}

#[test]
fn what_is_left_of_a_frame_has_its_name_and_says_what_is_missing() {
    let hollow = hollow(&frame(7, 3, 20));
    let expected = v1::Frame {
        cells: Vec::new(),
        dropped: 41,
        ..frame(7, 3, 0)
    };
    assert_eq!(hollow, expected);
}
