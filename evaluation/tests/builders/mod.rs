//! Flags with good defaults, so that a test shows only what differs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what is built here is valid as it stands"
)]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    Buckets, CompiledFlag, Condition, Context, Flag, FlagType, Key, Literal, ReachedStage, RolloutStep, Rule, Serve,
    Share, Test, Value, compile,
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
pub(crate) fn split(shares: &[(&str, u32)]) -> Serve {
    Serve::Split(
        shares
            .iter()
            .map(|(name, count)| Share {
                variant: name.to_string(),
                buckets: buckets(*count),
            })
            .collect(),
    )
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
    Rule {
        name: name.into(),
        conditions: vec![condition(attribute, texts)],
        serve,
    }
}

/// The attribute equals one of the texts.
pub(crate) fn condition(attribute: &str, texts: &[&str]) -> Condition {
    let literals = texts.iter().map(|text| Literal::Text(text.to_string())).collect();
    Condition {
        attribute: attribute.into(),
        test: Test::OneOf(literals),
    }
}

/// A rollout from `off` to `on` in its stage 0, with this share.
pub(crate) fn step(share: u32) -> RolloutStep {
    RolloutStep {
        rollout: 7,
        measuring_key: 0x5eed,
        salt: SALT.into(),
        treatment: "on".into(),
        control: "off".into(),
        stage: 0,
        reached: vec![ReachedStage {
            stage: 0,
            share: buckets(share),
        }],
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
