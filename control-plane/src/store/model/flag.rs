//! The stored form of a flag.

use evaluation::{Buckets, Condition, Flag, FlagType, Literal, Rule, Serve, Share, Test, Value};
use prost::{Message, Oneof};

use super::{ModelError, SCHEMA, key};
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
    /// 1 boolean, 2 string.
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
}

#[derive(Clone, PartialEq, Message)]
struct StoredVariant {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(oneof = "StoredValue", tags = "2, 3")]
    value: Option<StoredValue>,
}

#[derive(Clone, PartialEq, Oneof)]
enum StoredValue {
    #[prost(bool, tag = "2")]
    Boolean(bool),
    #[prost(string, tag = "3")]
    Text(String),
}

/// A variant, or shares; neither: the caller's default.
#[derive(Clone, PartialEq, Message)]
struct StoredServe {
    #[prost(string, optional, tag = "1")]
    variant: Option<String>,
    #[prost(message, repeated, tag = "2")]
    shares: Vec<StoredShare>,
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
}

#[derive(Clone, PartialEq, Message)]
struct StoredCondition {
    #[prost(string, tag = "1")]
    attribute: String,
    #[prost(message, repeated, tag = "2")]
    one_of: Vec<StoredLiteral>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredLiteral {
    #[prost(oneof = "LiteralKind", tags = "1, 2, 3")]
    kind: Option<LiteralKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum LiteralKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(bool, tag = "3")]
    Boolean(bool),
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
        }
    }
}

fn write_variant(name: &str, value: &Value) -> StoredVariant {
    let value = match value {
        Value::Boolean(value) => StoredValue::Boolean(*value),
        Value::String(value) => StoredValue::Text(value.to_string()),
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
            shares: Vec::new(),
        },
        Serve::Split(shares) => StoredServe {
            variant: None,
            shares: shares
                .iter()
                .map(|share| StoredShare {
                    variant: share.variant.clone(),
                    buckets: share.buckets.get(),
                })
                .collect(),
        },
        Serve::CallerDefault => StoredServe::default(),
    }
}

fn write_rule(rule: &Rule) -> StoredRule {
    StoredRule {
        name: rule.name.clone(),
        conditions: rule.conditions.iter().map(write_condition).collect(),
        serve: Some(write_serve(&rule.serve)),
    }
}

fn write_condition(condition: &Condition) -> StoredCondition {
    let Test::OneOf(literals) = &condition.test;
    let one_of = literals
        .iter()
        .map(|literal| StoredLiteral {
            kind: Some(match literal {
                Literal::Text(text) => LiteralKind::Text(text.clone()),
                Literal::Number(number) => LiteralKind::Number(*number),
                Literal::Boolean(boolean) => LiteralKind::Boolean(*boolean),
            }),
        })
        .collect();
    StoredCondition {
        attribute: condition.attribute.clone(),
        one_of,
    }
}

impl StoredFlag {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<FlagRecord, ModelError> {
        let flag_type = match self.flag_type {
            1 => FlagType::Boolean,
            2 => FlagType::String,
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
        };
        Ok(FlagRecord {
            flag,
            version: self.version,
            created_at_us: self.created_at_us,
            updated_at_us: self.updated_at_us,
            revision,
        })
    }
}

fn read_variant(variant: StoredVariant) -> Result<(String, Value), ModelError> {
    match variant.value {
        Some(StoredValue::Boolean(value)) => Ok((variant.name, Value::Boolean(value))),
        Some(StoredValue::Text(value)) => Ok((variant.name, Value::String(value.into()))),
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
    let shares = serve.shares.into_iter().map(|share| {
        let buckets = Buckets::new(share.buckets).ok_or(ModelError::Field("shares.buckets"))?;
        Ok(Share {
            variant: share.variant,
            buckets,
        })
    });
    shares.collect::<Result<_, _>>().map(Serve::Split)
}

fn read_rule(rule: StoredRule) -> Result<Rule, ModelError> {
    let conditions = rule
        .conditions
        .into_iter()
        .map(read_condition)
        .collect::<Result<_, _>>()?;
    Ok(Rule {
        name: rule.name,
        conditions,
        serve: read_serve(rule.serve)?,
    })
}

fn read_condition(condition: StoredCondition) -> Result<Condition, ModelError> {
    let literals = condition.one_of.into_iter().map(|literal| match literal.kind {
        Some(LiteralKind::Text(text)) => Ok(Literal::Text(text)),
        Some(LiteralKind::Number(number)) => Ok(Literal::Number(number)),
        Some(LiteralKind::Boolean(boolean)) => Ok(Literal::Boolean(boolean)),
        None => Err(ModelError::Field("one_of")),
    });
    let literals = literals.collect::<Result<_, _>>()?;
    Ok(Condition {
        attribute: condition.attribute,
        test: Test::OneOf(literals),
    })
}
