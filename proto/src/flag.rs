//! Flags between the wire and `evaluation`.
//!
//! Reading collects every violation that the wire form can have (unset cases, a malformed key, buckets out of range);
//! what a flag means is checked by `evaluation::compile`, which the caller runs next. A part that cannot be read is noted
//! and reads as its empty form, so that the places of the others do not move.

use std::collections::BTreeMap;

use evaluation::{
    Buckets, Flag, FlagType, HashScheme, Key, Prerequisite, Rule, Serve, Share, Split, Value, Violation, WhenStale,
};

use crate::{condition, read::Reader, v1, value};

impl From<&Serve> for v1::Serve {
    fn from(serve: &Serve) -> Self {
        let kind = match serve {
            Serve::Variant(variant) => v1::serve::Kind::Variant(variant.clone()),
            Serve::Split(split) => v1::serve::Kind::Split(v1::Split {
                shares: split.shares.iter().map(v1::Share::from).collect(),
                ranges: split.ranges.iter().map(v1::Share::from).collect(),
            }),
            Serve::CallerDefault => v1::serve::Kind::CallerDefault(v1::CallerDefault {}),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Share> for v1::Share {
    fn from(share: &Share) -> Self {
        Self {
            variant: share.variant.clone(),
            buckets: share.buckets.get(),
        }
    }
}

impl From<&Rule> for v1::Rule {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            conditions: rule.conditions.iter().map(v1::Condition::from).collect(),
            serve: Some(v1::Serve::from(&rule.serve)),
            salt: rule.salt.clone(),
        }
    }
}

impl From<HashScheme> for v1::HashScheme {
    fn from(scheme: HashScheme) -> Self {
        match scheme {
            HashScheme::Murmur3 => Self::Murmur3,
        }
    }
}

/// The wire form; keeping is what happens anyway and is left out.
fn when_stale(when_stale: &WhenStale) -> Option<v1::WhenStale> {
    let kind = match when_stale {
        WhenStale::Keep => return None,
        WhenStale::Variant(variant) => v1::when_stale::Kind::Variant(variant.clone()),
        WhenStale::Off => v1::when_stale::Kind::Off(v1::Off {}),
    };
    Some(v1::WhenStale { kind: Some(kind) })
}

impl From<&Flag> for v1::Flag {
    fn from(flag: &Flag) -> Self {
        let variant = |(name, value): (&String, &Value)| (name.clone(), v1::Value::from(value));
        let list = |(variant, units): (&String, &Vec<String>)| v1::AllowList {
            variant: variant.clone(),
            units: units.clone(),
        };
        let prerequisite = |prerequisite: &Prerequisite| v1::Prerequisite {
            flag: prerequisite.flag.clone(),
            variants: prerequisite.variants.clone(),
        };
        Self {
            key: flag.key.to_string(),
            r#type: v1::FlagType::from(flag.flag_type).into(),
            description: flag.description.clone(),
            owner: flag.owner.clone(),
            tags: flag.tags.iter().cloned().collect(),
            flag_set: flag.set.as_ref().map(Key::to_string).unwrap_or_default(),
            enabled: flag.enabled,
            killed: flag.killed,
            salt: flag.salt.clone(),
            variants: flag.variants.iter().map(variant).collect(),
            off_variant: flag.off_variant.clone().unwrap_or_default(),
            default_serve: Some(v1::Serve::from(&flag.default)),
            deny: flag.deny.clone(),
            allow: flag.allow.iter().map(list).collect(),
            rules: flag.rules.iter().map(v1::Rule::from).collect(),
            prerequisites: flag.prerequisites.iter().map(prerequisite).collect(),
            hash_scheme: v1::HashScheme::from(flag.hash).into(),
            bucket_by: flag.bucket_by.clone(),
            when_stale: when_stale(&flag.when_stale),
        }
    }
}

/// Reads a flag, and every violation of the wire form at once. With violations the flag is what could be read: good for
/// finding out what else is wrong with it, and for nothing more.
pub fn read(flag: v1::Flag) -> (Flag, Vec<Violation>) {
    let mut reader = Reader::default();
    let flag = read_flag(&mut reader, flag);
    (flag, reader.violations.into_list())
}

impl TryFrom<v1::Flag> for Flag {
    type Error = Vec<Violation>;

    /// Reads a flag; on failure every violation of the wire form at once.
    fn try_from(flag: v1::Flag) -> Result<Self, Vec<Violation>> {
        match read(flag) {
            (flag, violations) if violations.is_empty() => Ok(flag),
            (_, violations) => Err(violations),
        }
    }
}

fn read_flag(reader: &mut Reader, flag: v1::Flag) -> Flag {
    let flag_type = read_type(reader, &flag);
    let hash = read_hash(reader, flag.hash_scheme);
    let variants = flag.variants.into_iter();
    let variants = variants
        .map(|(name, value)| read_variant(reader, flag_type, name, value))
        .collect();
    let rules = flag.rules.into_iter().enumerate();
    let rules = rules.map(|(at, rule)| read_rule(reader, at, rule)).collect();
    Flag {
        key: reader.key("key", &flag.key).unwrap_or_else(Key::first),
        flag_type: flag_type.unwrap_or(FlagType::Boolean),
        description: flag.description,
        owner: flag.owner,
        tags: flag.tags.into_iter().collect(),
        set: Some(flag.flag_set)
            .filter(|set| !set.is_empty())
            .and_then(|set| reader.key("flag_set", &set)),
        enabled: flag.enabled,
        killed: flag.killed,
        salt: flag.salt,
        variants,
        off_variant: Some(flag.off_variant).filter(|variant| !variant.is_empty()),
        default: read_serve(reader, "default", flag.default_serve),
        deny: flag.deny,
        allow: read_allow(flag.allow),
        rules,
        prerequisites: flag.prerequisites.into_iter().map(read_prerequisite).collect(),
        hash,
        bucket_by: flag.bucket_by,
        when_stale: read_when_stale(flag.when_stale),
    }
}

/// The type that the flag names.
fn read_type(reader: &mut Reader, flag: &v1::Flag) -> Option<FlagType> {
    let found = value::flag_type(flag.r#type());
    if found.is_none() {
        reader.wrong("type", "must be boolean, string, integer, float or object");
    }
    found
}

fn read_hash(reader: &mut Reader, number: i32) -> HashScheme {
    match v1::HashScheme::try_from(number) {
        Ok(v1::HashScheme::Unspecified | v1::HashScheme::Murmur3) => HashScheme::Murmur3,
        Err(_) => {
            reader.wrong("hash_scheme", format!("{number} is no scheme that this build knows"));
            HashScheme::Murmur3
        }
    }
}

/// A variant. One whose value cannot be read stays, so that whoever names it is not wrong as well; without a type of the
/// flag the value is of the right one: the missing type is said already.
fn read_variant(reader: &mut Reader, flag_type: Option<FlagType>, name: String, value: v1::Value) -> (String, Value) {
    let unread = Value::Boolean(false);
    match value::read(value) {
        Ok(_) if flag_type.is_none() => (name, unread),
        Ok(value) => (name, value),
        Err(error) => {
            reader.wrong(format!("variants[{name:?}]"), error.to_string());
            (name, unread)
        }
    }
}

fn read_serve(reader: &mut Reader, field: &str, serve: Option<v1::Serve>) -> Serve {
    match serve.and_then(|serve| serve.kind) {
        Some(v1::serve::Kind::Variant(variant)) => Serve::Variant(variant),
        Some(v1::serve::Kind::Split(split)) => Serve::Split(Split {
            shares: read_shares(reader, &format!("{field}.split"), split.shares),
            ranges: read_shares(reader, &format!("{field}.split.ranges"), split.ranges),
        }),
        Some(v1::serve::Kind::CallerDefault(v1::CallerDefault {})) => Serve::CallerDefault,
        None => {
            reader.wrong(
                field,
                "must say what is served: a variant, a split or the caller's default",
            );
            Serve::CallerDefault
        }
    }
}

fn read_shares(reader: &mut Reader, field: &str, shares: Vec<v1::Share>) -> Vec<Share> {
    let mut read = |(at, share): (usize, v1::Share)| {
        let buckets = Buckets::new(share.buckets).unwrap_or_else(|| {
            reader.wrong(
                format!("{field}[{at}].buckets"),
                format!("{} is not within 0 to 100,000 (100 %)", share.buckets),
            );
            Buckets::NONE
        });
        Share {
            variant: share.variant,
            buckets,
        }
    };
    shares.into_iter().enumerate().map(&mut read).collect()
}

fn read_allow(lists: Vec<v1::AllowList>) -> BTreeMap<String, Vec<String>> {
    let mut allow = BTreeMap::<String, Vec<String>>::new();
    for list in lists {
        allow.entry(list.variant).or_default().extend(list.units);
    }
    allow
}

fn read_rule(reader: &mut Reader, at: usize, rule: v1::Rule) -> Rule {
    Rule {
        name: rule.name,
        conditions: condition::read_all(reader, &format!("rules[{at}].conditions"), rule.conditions),
        serve: read_serve(reader, &format!("rules[{at}].serve"), rule.serve),
        salt: rule.salt,
    }
}

fn read_prerequisite(prerequisite: v1::Prerequisite) -> Prerequisite {
    Prerequisite {
        flag: prerequisite.flag,
        variants: prerequisite.variants,
    }
}

fn read_when_stale(when_stale: Option<v1::WhenStale>) -> WhenStale {
    match when_stale.and_then(|when_stale| when_stale.kind) {
        None | Some(v1::when_stale::Kind::Keep(v1::Keep {})) => WhenStale::Keep,
        Some(v1::when_stale::Kind::Variant(variant)) => WhenStale::Variant(variant),
        Some(v1::when_stale::Kind::Off(v1::Off {})) => WhenStale::Off,
    }
}
