//! Flags with good defaults, so that a test shows only what differs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what is built here is valid as it stands"
)]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use evaluation::{
    Body, Buckets, Change, CompiledFlag, CompiledSegment, Condition, Context, Entry, EntryId, EntryKind, Flag,
    FlagType, HashScheme, Index, Json, Key, Literal, OneOf, Prerequisite, ReachedStage, Revision, RolloutStep, Rule,
    Segment, Serve, Share, Snapshot, Split, Test, Value, WhenStale, compile, compile_segment, entry_hash,
};

/// The salt of every flag built here.
pub(crate) const SALT: &str = "k7q2m5xa3hd9wzt";

/// A boolean flag that is on and serves `off`; its off variant is `off` too.
pub(crate) fn boolean(key: &str) -> Flag {
    Flag {
        key: Key::parse(key).unwrap(),
        flag_type: FlagType::Boolean,
        description: String::new(),
        owner: String::new(),
        tags: BTreeSet::new(),
        set: None,
        enabled: true,
        killed: false,
        salt: SALT.into(),
        variants: BTreeMap::from([
            ("off".into(), Value::Boolean(false)),
            ("on".into(), Value::Boolean(true)),
        ]),
        off_variant: Some("off".into()),
        default: variant("off"),
        deny: Vec::new(),
        allow: BTreeMap::new(),
        rules: Vec::new(),
        prerequisites: Vec::new(),
        hash: HashScheme::Murmur3,
        bucket_by: Vec::new(),
        when_stale: WhenStale::Keep,
    }
}

/// A string flag with variants of these names, each worth its name; serves the first.
pub(crate) fn string(key: &str, names: &[&str]) -> Flag {
    Flag {
        flag_type: FlagType::String,
        variants: names
            .iter()
            .map(|name| (name.to_string(), Value::String((*name).into())))
            .collect(),
        off_variant: None,
        default: variant(names[0]),
        ..boolean(key)
    }
}

/// Serves one variant.
pub(crate) fn variant(name: &str) -> Serve {
    Serve::Variant(name.into())
}

/// Serves shares of so many buckets.
pub(crate) fn split(parts: &[(&str, u32)]) -> Serve {
    Serve::Split(Split {
        shares: shares(parts),
        ranges: Vec::new(),
    })
}

/// Shares of so many buckets.
pub(crate) fn shares(parts: &[(&str, u32)]) -> Vec<Share> {
    let share = |(name, count): &(&str, u32)| Share {
        variant: name.to_string(),
        buckets: buckets(*count),
    };
    parts.iter().map(share).collect()
}

/// `on` for so many buckets, `off` for the others.
pub(crate) fn on_for(count: u32) -> Serve {
    split(&[("on", count), ("off", 100_000 - count)])
}

/// A number of buckets.
pub(crate) fn buckets(count: u32) -> Buckets {
    Buckets::new(count).unwrap()
}

/// Serves to callers whose attribute equals one of the texts.
pub(crate) fn rule(name: &str, attribute: &str, texts: &[&str], serve: Serve) -> Rule {
    rule_of(name, vec![condition(attribute, texts)], serve)
}

/// Serves to callers that meet the conditions.
pub(crate) fn rule_of(name: &str, conditions: Vec<Condition>, serve: Serve) -> Rule {
    Rule {
        name: name.into(),
        conditions,
        serve,
        salt: String::new(),
    }
}

/// The attribute equals one of the texts.
pub(crate) fn condition(attribute: &str, texts: &[&str]) -> Condition {
    let literals = texts.iter().map(|text| Literal::Text(text.to_string())).collect();
    let ignore_case = false;
    test(attribute, Test::OneOf(OneOf { literals, ignore_case }))
}

/// The attribute passes the test.
pub(crate) fn test(attribute: &str, test: Test) -> Condition {
    Condition {
        attribute: attribute.into(),
        negated: false,
        test,
    }
}

/// The context is in one of the segments.
pub(crate) fn in_segment(segments: &[&str]) -> Condition {
    test("", Test::InSegment(texts(segments)))
}

/// Another flag serves one of the variants.
pub(crate) fn serves(flag: &str, variants: &[&str]) -> Condition {
    let (flag, variants) = (flag.into(), texts(variants));
    test("", Test::Variant { flag, variants })
}

/// Another flag must serve one of the variants.
pub(crate) fn prerequisite(flag: &str, variants: &[&str]) -> Prerequisite {
    Prerequisite {
        flag: flag.into(),
        variants: texts(variants),
    }
}

/// A segment of nobody.
pub(crate) fn segment(key: &str) -> Segment {
    Segment {
        key: Key::parse(key).unwrap(),
        description: String::new(),
        owner: String::new(),
        tags: BTreeSet::new(),
        included: Vec::new(),
        excluded: Vec::new(),
        groups: Vec::new(),
    }
}

/// Owned texts.
pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// A rollout from `off` to `on` in its stage 0, with this share.
pub(crate) fn step(share: u32) -> RolloutStep {
    RolloutStep {
        rollout: 7,
        measuring_key: 0x5eed,
        salt: SALT.into(),
        bucket_by: Vec::new(),
        treatment: "on".into(),
        control: "off".into(),
        shadow: false,
        stage: 0,
        reached: vec![reached(0, share, &[])],
    }
}

/// A reached stage with this share of an audience.
pub(crate) fn reached(stage: u8, share: u32, audience: &[&str]) -> ReachedStage {
    ReachedStage {
        stage,
        share: buckets(share),
        audience: texts(audience),
    }
}

/// The flag, compiled.
pub(crate) fn compiled(flag: &Flag) -> CompiledFlag {
    compile(flag, None).unwrap()
}

/// The flag under a rollout, compiled.
pub(crate) fn rolled_out(flag: &Flag, step: &RolloutStep) -> CompiledFlag {
    compile(flag, Some(step)).unwrap()
}

/// A caller with this targeting key.
pub(crate) fn unit(text: impl Into<String>) -> Context {
    Context::new().with_targeting_key(text)
}

/// The segment, compiled.
pub(crate) fn compiled_segment(segment: &Segment) -> CompiledSegment {
    compile_segment(segment).unwrap()
}

/// A text as an attribute.
pub(crate) fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

/// A snapshot of these flags and segments.
pub(crate) fn snapshot(flags: Vec<CompiledFlag>, segments: Vec<CompiledSegment>) -> Snapshot {
    let flags = flags
        .into_iter()
        .map(|flag| (EntryKind::Flag, Body::Flag(Arc::new(flag))));
    let segments = segments
        .into_iter()
        .map(|segment| (EntryKind::Segment, Body::Segment(Arc::new(segment))));
    let changes = flags.chain(segments).map(|(kind, body)| {
        let key = Arc::from(body.key().unwrap());
        let hash = entry_hash(kind, &key, b"");
        Change {
            id: EntryId { kind, key },
            entry: Some(Entry { hash, body }),
        }
    });
    Snapshot::new(Revision::default(), Index::new().with(changes))
}

/// A snapshot of nothing, for flags that name no others.
pub(crate) fn nothing() -> &'static Snapshot {
    static NOTHING: LazyLock<Snapshot> = LazyLock::new(Snapshot::empty);
    &NOTHING
}
