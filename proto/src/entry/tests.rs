#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    Buckets, Condition, Context, HashScheme, Index, Json, Key, Prerequisite, Revision, Rule, Serve, Share, Snapshot,
    Split, Test, Value, WhenStale,
};
use proptest::prelude::*;

use super::*;

fn flag() -> Flag {
    let share = |variant: &str, buckets| Share {
        variant: variant.into(),
        buckets: Buckets::new(buckets).unwrap(),
    };
    let halves = vec![share("off", 50_000), share("on", 50_000)];
    Flag {
        key: Key::parse("checkout").unwrap(),
        flag_type: evaluation::FlagType::Boolean,
        description: "for people".into(),
        owner: "for people".into(),
        tags: BTreeSet::from(["for people".into()]),
        set: None,
        enabled: true,
        killed: false,
        salt: "salt".into(),
        variants: BTreeMap::from([
            ("off".into(), Value::Boolean(false)),
            ("on".into(), Value::Boolean(true)),
        ]),
        off_variant: Some("off".into()),
        default: Serve::Split(Split {
            ranges: vec![share("on", 25_000), share("off", 50_000), share("on", 25_000)],
            shares: halves,
        }),
        deny: Vec::new(),
        allow: BTreeMap::new(),
        rules: vec![Rule {
            name: "staff".into(),
            conditions: vec![in_segment("staff")],
            serve: Serve::Variant("on".into()),
            salt: "own".into(),
        }],
        prerequisites: vec![Prerequisite {
            flag: "billing".into(),
            variants: vec!["on".into()],
        }],
        hash: HashScheme::Murmur3,
        bucket_by: vec!["account".into()],
        when_stale: WhenStale::Off,
    }
}

fn in_segment(key: &str) -> Condition {
    Condition {
        attribute: String::new(),
        negated: false,
        test: Test::InSegment(vec![key.into()]),
    }
}

fn segment() -> Segment {
    Segment {
        key: Key::parse("staff").unwrap(),
        description: "for people".into(),
        owner: "for people".into(),
        tags: BTreeSet::from(["for people".into()]),
        included: vec!["ada".into()],
        excluded: vec!["eve".into()],
        groups: vec![vec![Condition {
            attribute: "team".into(),
            negated: false,
            test: Test::Exists,
        }]],
    }
}

/// The wire form that an entry carries.
fn carried(body: &Bytes) -> v1::Flag {
    v1::FlagEntry::decode(&body[..]).unwrap().flag.unwrap()
}

#[test]
fn a_flag_travels_whole_but_for_what_only_people_read() {
    let body = encode_flag(&flag(), None);
    let expected = Flag {
        description: String::new(),
        owner: String::new(),
        tags: BTreeSet::new(),
        ..flag()
    };
    assert_eq!(Flag::try_from(carried(&body)).unwrap(), expected);
    let Body::Flag(compiled) = decode(EntryKind::Flag, "checkout", &body).unwrap() else {
        panic!("not a flag");
    };
    assert_eq!(compiled.key().as_str(), "checkout");
    assert!(compiled.falls_back_when_stale());
}

#[test]
fn a_segment_travels_and_is_asked() {
    let body = encode_segment(&segment());
    let carried = v1::SegmentEntry::decode(&body[..]).unwrap().segment.unwrap();
    assert!(carried.description.is_empty() && carried.owner.is_empty() && carried.tags.is_empty());
    let asking = Flag {
        default: Serve::Variant("off".into()),
        prerequisites: Vec::new(),
        ..flag()
    };
    let entries = [
        (EntryKind::Segment, "staff", body),
        (EntryKind::Flag, "checkout", encode_flag(&asking, None)),
    ];
    let changes = entries.map(|(kind, key, bytes)| evaluation::Change {
        id: evaluation::EntryId { kind, key: key.into() },
        entry: Some(evaluation::Entry {
            hash: evaluation::entry_hash(kind, key, &bytes),
            body: decode(kind, key, &bytes).unwrap(),
        }),
    });
    let snapshot = Snapshot::new(Revision::default(), Index::new().with(changes));
    let served = |context: &Context| snapshot.flag("checkout").unwrap().evaluate(&snapshot, context).variant;
    assert_eq!(served(&Context::new().with_targeting_key("ada")), Some("on"));
    assert_eq!(served(&Context::new().with("team", Json::Boolean(true))), Some("on"));
    assert_eq!(served(&Context::new().with_targeting_key("eve")), Some("off"));
}

#[test]
fn bodies_that_say_another_key_or_nothing_are_refused() {
    let refused = decode(EntryKind::Segment, "others", &encode_segment(&segment())).unwrap_err();
    assert_eq!(refused, BodyError::Key { key: "others".into() });
    assert!(matches!(
        decode(EntryKind::Segment, "staff", b""),
        Err(BodyError::Content(_))
    ));
    assert!(matches!(
        decode(EntryKind::Segment, "staff", b"\xff"),
        Err(BodyError::Decode(_))
    ));
}

#[test]
fn an_entry_of_a_later_kind_is_carried_and_not_understood() {
    let later = EntryKind::try_from(77).unwrap();
    let body = Bytes::from_static(b"from the future");
    let joined: Bytes = [frame(later, "x", Some(&body)), frame(later, "y", None)]
        .concat()
        .into();
    let entries = unframe(joined).unwrap();
    assert_eq!((entries[0].kind, entries[0].body.as_ref()), (later, Some(&body)));
    assert_eq!((u8::from(entries[1].kind), entries[1].body.as_ref()), (77, None));
    assert_eq!(kind_number(later), 77);
    assert_eq!(decode(later, "x", &body).unwrap_err(), BodyError::Kind(77));
}

#[test]
fn a_kind_that_no_build_can_know_refuses_the_framing() {
    for kind in [0, -1, 256] {
        let entry = v1::Entry {
            kind,
            key: "x".into(),
            change: Some(v1::entry::Change::Removed(true)),
        };
        let bytes = entry.encode_length_delimited_to_vec().into();
        assert!(matches!(unframe(bytes), Err(FramingError::Kind { .. })), "{kind}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_entries_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = unframe(bytes.into());
    }

    #[test]
    fn any_body_is_understood_or_refused(kind in 1_u8..9, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(EntryKind::try_from(kind).unwrap(), "a", &bytes);
    }

    #[test]
    fn a_damaged_body_is_understood_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for (kind, key, body) in [
            (EntryKind::Flag, "checkout", encode_flag(&flag(), None)),
            (EntryKind::Segment, "staff", encode_segment(&segment())),
        ] {
            let mut damaged = body.to_vec();
            *at.get_mut(&mut damaged) = byte;
            let _ = decode(kind, key, &damaged);
            let framed = frame(kind, key, Some(&damaged.into()));
            prop_assert_eq!(unframe(framed).unwrap().len(), 1);
        }
    }
}
