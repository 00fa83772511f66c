//! The stored form of a flag.

use std::sync::Arc;

use evaluation::{Buckets, Flag, FlagType, HashScheme, Prerequisite, Rule, Serve, Share, Split, Value, WhenStale};
use prost::{Message, Oneof};

use super::{ModelError, SCHEMA, condition::StoredCondition, key};
use crate::record::FlagRecord;

/// A flag as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredFlag {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(uint32, tag = "2")]
    version: u32,
    #[prost(int64, tag = "3")]
    created_at_us: i64,
    #[prost(int64, tag = "4")]
    updated_at_us: i64,
    #[prost(string, tag = "5")]
    key: String,
    /// 1 boolean, 2 string, 3 integer, 4 float, 5 object.
    #[prost(uint32, tag = "6")]
    flag_type: u32,
    #[prost(string, tag = "7")]
    description: String,
    #[prost(string, tag = "8")]
    owner: String,
    #[prost(string, repeated, tag = "9")]
    tags: Vec<String>,
    #[prost(string, tag = "10")]
    set: String,
    #[prost(bool, tag = "11")]
    enabled: bool,
    #[prost(bool, tag = "12")]
    killed: bool,
    #[prost(string, tag = "13")]
    salt: String,
    #[prost(message, repeated, tag = "14")]
    variants: Vec<StoredVariant>,
    #[prost(string, optional, tag = "15")]
    off_variant: Option<String>,
    #[prost(message, optional, tag = "16")]
    default: Option<StoredServe>,
    #[prost(string, repeated, tag = "17")]
    deny: Vec<String>,
    #[prost(message, repeated, tag = "18")]
    allow: Vec<StoredAllow>,
    #[prost(message, repeated, tag = "19")]
    rules: Vec<StoredRule>,
    #[prost(message, repeated, tag = "20")]
    prerequisites: Vec<StoredPrerequisite>,
    /// 0 murmur3.
    #[prost(uint32, tag = "21")]
    hash: u32,
    #[prost(string, repeated, tag = "22")]
    bucket_by: Vec<String>,
    #[prost(oneof = "StoredWhenStale", tags = "23, 24")]
    when_stale: Option<StoredWhenStale>,
    /// 0: in use.
    #[prost(int64, tag = "25")]
    archived_at_us: i64,
}

/// Neither: keep.
#[derive(Clone, PartialEq, Oneof)]
enum StoredWhenStale {
    #[prost(string, tag = "23")]
    Variant(String),
    #[prost(bool, tag = "24")]
    Off(bool),
}

#[derive(Clone, PartialEq, Message)]
struct StoredPrerequisite {
    #[prost(string, tag = "1")]
    flag: String,
    #[prost(string, repeated, tag = "2")]
    variants: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredVariant {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(oneof = "StoredValue", tags = "2, 3, 4, 5, 6")]
    value: Option<StoredValue>,
}

#[derive(Clone, PartialEq, Oneof)]
enum StoredValue {
    #[prost(bool, tag = "2")]
    Boolean(bool),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(sint64, tag = "4")]
    Integer(i64),
    #[prost(double, tag = "5")]
    Float(f64),
    #[prost(message, tag = "6")]
    Object(prost_types::Struct),
}

/// A variant, or shares; neither: the caller's default.
#[derive(Clone, PartialEq, Message)]
struct StoredServe {
    #[prost(string, optional, tag = "1")]
    variant: Option<String>,
    #[prost(message, repeated, tag = "2")]
    shares: Vec<StoredShare>,
    #[prost(message, repeated, tag = "3")]
    ranges: Vec<StoredShare>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredShare {
    #[prost(string, tag = "1")]
    variant: String,
    #[prost(uint32, tag = "2")]
    buckets: u32,
}

#[derive(Clone, PartialEq, Message)]
struct StoredAllow {
    #[prost(string, tag = "1")]
    variant: String,
    #[prost(string, repeated, tag = "2")]
    units: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredRule {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    conditions: Vec<StoredCondition>,
    #[prost(message, optional, tag = "3")]
    serve: Option<StoredServe>,
    #[prost(string, tag = "4")]
    salt: String,
}

impl From<&FlagRecord> for StoredFlag {
    fn from(record: &FlagRecord) -> Self {
        let flag = &record.flag;
        Self {
            schema: SCHEMA,
            version: record.version,
            created_at_us: record.created_at_us,
            updated_at_us: record.updated_at_us,
            key: flag.key.to_string(),
            flag_type: match flag.flag_type {
                FlagType::Boolean => 1,
                FlagType::String => 2,
                FlagType::Integer => 3,
                FlagType::Float => 4,
                FlagType::Object => 5,
            },
            description: flag.description.clone(),
            owner: flag.owner.clone(),
            tags: flag.tags.iter().cloned().collect(),
            set: flag.set.as_ref().map(ToString::to_string).unwrap_or_default(),
            enabled: flag.enabled,
            killed: flag.killed,
            salt: flag.salt.clone(),
            variants: flag
                .variants
                .iter()
                .map(|(name, value)| write_variant(name, value))
                .collect(),
            off_variant: flag.off_variant.clone(),
            default: Some(write_serve(&flag.default)),
            deny: flag.deny.clone(),
            allow: flag
                .allow
                .iter()
                .map(|(variant, units)| StoredAllow {
                    variant: variant.clone(),
                    units: units.clone(),
                })
                .collect(),
            rules: flag.rules.iter().map(write_rule).collect(),
            prerequisites: flag.prerequisites.iter().map(write_prerequisite).collect(),
            hash: match flag.hash {
                HashScheme::Murmur3 => 0,
            },
            bucket_by: flag.bucket_by.clone(),
            when_stale: match &flag.when_stale {
                WhenStale::Keep => None,
                WhenStale::Variant(variant) => Some(StoredWhenStale::Variant(variant.clone())),
                WhenStale::Off => Some(StoredWhenStale::Off(true)),
            },
            archived_at_us: record.archived_at_us.unwrap_or(0),
        }
    }
}

fn write_prerequisite(prerequisite: &Prerequisite) -> StoredPrerequisite {
    StoredPrerequisite {
        flag: prerequisite.flag.clone(),
        variants: prerequisite.variants.clone(),
    }
}

fn write_variant(name: &str, value: &Value) -> StoredVariant {
    let value = match value {
        Value::Boolean(value) => StoredValue::Boolean(*value),
        Value::String(value) => StoredValue::Text(value.to_string()),
        Value::Integer(value) => StoredValue::Integer(*value),
        Value::Float(value) => StoredValue::Float(*value),
        Value::Object(fields) => StoredValue::Object(proto::value::to_struct(fields)),
    };
    StoredVariant {
        name: name.to_owned(),
        value: Some(value),
    }
}

fn write_serve(serve: &Serve) -> StoredServe {
    match serve {
        Serve::Variant(variant) => StoredServe {
            variant: Some(variant.clone()),
            ..StoredServe::default()
        },
        Serve::Split(split) => StoredServe {
            variant: None,
            shares: write_shares(&split.shares),
            ranges: write_shares(&split.ranges),
        },
        Serve::CallerDefault => StoredServe::default(),
    }
}

fn write_shares(shares: &[Share]) -> Vec<StoredShare> {
    let share = |share: &Share| StoredShare {
        variant: share.variant.clone(),
        buckets: share.buckets.get(),
    };
    shares.iter().map(share).collect()
}

fn write_rule(rule: &Rule) -> StoredRule {
    StoredRule {
        name: rule.name.clone(),
        conditions: rule.conditions.iter().map(StoredCondition::from).collect(),
        serve: Some(write_serve(&rule.serve)),
        salt: rule.salt.clone(),
    }
}

impl StoredFlag {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<FlagRecord, ModelError> {
        let flag_type = match self.flag_type {
            1 => FlagType::Boolean,
            2 => FlagType::String,
            3 => FlagType::Integer,
            4 => FlagType::Float,
            5 => FlagType::Object,
            _ => return Err(ModelError::Field("flag_type")),
        };
        let flag = Flag {
            key: key("key", &self.key)?,
            flag_type,
            description: self.description,
            owner: self.owner,
            tags: self.tags.into_iter().collect(),
            set: (!self.set.is_empty()).then(|| key("set", &self.set)).transpose()?,
            enabled: self.enabled,
            killed: self.killed,
            salt: self.salt,
            variants: self.variants.into_iter().map(read_variant).collect::<Result<_, _>>()?,
            off_variant: self.off_variant,
            default: read_serve(self.default)?,
            deny: self.deny,
            allow: self
                .allow
                .into_iter()
                .map(|allow| (allow.variant, allow.units))
                .collect(),
            rules: self.rules.into_iter().map(read_rule).collect::<Result<_, _>>()?,
            prerequisites: self.prerequisites.into_iter().map(read_prerequisite).collect(),
            hash: match self.hash {
                0 => HashScheme::Murmur3,
                _ => return Err(ModelError::Field("hash")),
            },
            bucket_by: self.bucket_by,
            when_stale: match self.when_stale {
                None | Some(StoredWhenStale::Off(false)) => WhenStale::Keep,
                Some(StoredWhenStale::Variant(variant)) => WhenStale::Variant(variant),
                Some(StoredWhenStale::Off(true)) => WhenStale::Off,
            },
        };
        Ok(FlagRecord {
            flag,
            version: self.version,
            created_at_us: self.created_at_us,
            updated_at_us: self.updated_at_us,
            archived_at_us: Some(self.archived_at_us).filter(|at_us| *at_us != 0),
            revision,
        })
    }
}

fn read_variant(variant: StoredVariant) -> Result<(String, Value), ModelError> {
    match variant.value {
        Some(StoredValue::Boolean(value)) => Ok((variant.name, Value::Boolean(value))),
        Some(StoredValue::Text(value)) => Ok((variant.name, Value::String(value.into()))),
        Some(StoredValue::Integer(value)) => Ok((variant.name, Value::Integer(value))),
        Some(StoredValue::Float(value)) => Ok((variant.name, Value::Float(value))),
        Some(StoredValue::Object(fields)) => {
            let fields = proto::value::from_struct(fields).map_err(|_| ModelError::Field("variants.value"))?;
            Ok((variant.name, Value::Object(Arc::new(fields))))
        }
        None => Err(ModelError::Field("variants.value")),
    }
}

fn read_serve(serve: Option<StoredServe>) -> Result<Serve, ModelError> {
    let serve = serve.ok_or(ModelError::Field("serve"))?;
    if let Some(variant) = serve.variant {
        return Ok(Serve::Variant(variant));
    }
    if serve.shares.is_empty() {
        return Ok(Serve::CallerDefault);
    }
    Ok(Serve::Split(Split {
        shares: read_shares(serve.shares)?,
        ranges: read_shares(serve.ranges)?,
    }))
}

fn read_shares(shares: Vec<StoredShare>) -> Result<Vec<Share>, ModelError> {
    let shares = shares.into_iter().map(|share| {
        let buckets = Buckets::new(share.buckets).ok_or(ModelError::Field("shares.buckets"))?;
        Ok(Share {
            variant: share.variant,
            buckets,
        })
    });
    shares.collect()
}

fn read_prerequisite(prerequisite: StoredPrerequisite) -> Prerequisite {
    Prerequisite {
        flag: prerequisite.flag,
        variants: prerequisite.variants,
    }
}

fn read_rule(rule: StoredRule) -> Result<Rule, ModelError> {
    let conditions = rule
        .conditions
        .into_iter()
        .map(StoredCondition::read)
        .collect::<Result<_, _>>()?;
    Ok(Rule {
        name: rule.name,
        conditions,
        serve: read_serve(rule.serve)?,
        salt: rule.salt,
    })
}
