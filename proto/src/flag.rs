//! Flags between the wire and `evaluation`.
//!
//! Reading collects every violation that the wire form can have (unset cases, a malformed key, buckets out of range);
//! what a flag means is checked by `evaluation::compile`, which the caller runs next.

use std::collections::BTreeMap;

use evaluation::{Buckets, Condition, Flag, FlagType, Key, Literal, Rule, Serve, Share, Test, Value, Violation};

use crate::{status::violation, v1};

impl From<FlagType> for v1::FlagType {
    fn from(flag_type: FlagType) -> Self {
        match flag_type {
            FlagType::Boolean => Self::Boolean,
            FlagType::String => Self::String,
        }
    }
}

impl From<&Value> for v1::Value {
    fn from(value: &Value) -> Self {
        let kind = match value {
            Value::Boolean(value) => v1::value::Kind::Boolean(*value),
            Value::String(value) => v1::value::Kind::Text(value.to_string()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Serve> for v1::Serve {
    fn from(serve: &Serve) -> Self {
        let kind = match serve {
            Serve::Variant(variant) => v1::serve::Kind::Variant(variant.clone()),
            Serve::Split(shares) => v1::serve::Kind::Split(v1::Split {
                shares: shares
                    .iter()
                    .map(|share| v1::Share {
                        variant: share.variant.clone(),
                        buckets: share.buckets.get(),
                    })
                    .collect(),
            }),
            Serve::CallerDefault => v1::serve::Kind::CallerDefault(v1::CallerDefault {}),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Rule> for v1::Rule {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            conditions: rule.conditions.iter().map(v1::Condition::from).collect(),
            serve: Some(v1::Serve::from(&rule.serve)),
        }
    }
}

impl From<&Condition> for v1::Condition {
    fn from(condition: &Condition) -> Self {
        let Test::OneOf(literals) = &condition.test;
        let literals = literals
            .iter()
            .map(|literal| v1::Literal {
                kind: Some(match literal {
                    Literal::Text(text) => v1::literal::Kind::Text(text.clone()),
                    Literal::Number(number) => v1::literal::Kind::Number(*number),
                    Literal::Boolean(boolean) => v1::literal::Kind::Boolean(*boolean),
                }),
            })
            .collect();
        Self {
            attribute: condition.attribute.clone(),
            test: Some(v1::condition::Test::OneOf(v1::OneOf { literals })),
        }
    }
}

impl From<&Flag> for v1::Flag {
    fn from(flag: &Flag) -> Self {
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
            variants: flag
                .variants
                .iter()
                .map(|(name, value)| (name.clone(), v1::Value::from(value)))
                .collect(),
            off_variant: flag.off_variant.clone().unwrap_or_default(),
            default_serve: Some(v1::Serve::from(&flag.default)),
            deny: flag.deny.clone(),
            allow: flag
                .allow
                .iter()
                .map(|(variant, units)| v1::AllowList {
                    variant: variant.clone(),
                    units: units.clone(),
                })
                .collect(),
            rules: flag.rules.iter().map(v1::Rule::from).collect(),
        }
    }
}

/// Reads a flag, and every violation of the wire form at once. With violations the flag is what could be read: good for
/// finding out what else is wrong with it, and for nothing more.
pub fn read(flag: v1::Flag) -> (Flag, Vec<Violation>) {
    Reader::default().flag(flag)
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

/// Reads parts of a flag and remembers what was wrong with them; a wrong part reads as its empty form.
#[derive(Default)]
struct Reader {
    violations: Vec<Violation>,
}

impl Reader {
    fn flag(mut self, flag: v1::Flag) -> (Flag, Vec<Violation>) {
        let key = self.key("key", &flag.key).unwrap_or_else(Key::first);
        let set = if flag.flag_set.is_empty() {
            None
        } else {
            self.key("flag_set", &flag.flag_set)
        };
        let flag_type = self.flag_type(flag.r#type());
        let variants = flag
            .variants
            .into_iter()
            .filter_map(|(name, value)| self.variant(name, value))
            .collect();
        let default = self.serve("default", flag.default_serve);
        let allow = self.allow(flag.allow);
        let rules = flag
            .rules
            .into_iter()
            .enumerate()
            .map(|(index, rule)| self.rule(index, rule))
            .collect();
        let flag = Flag {
            key,
            flag_type,
            description: flag.description,
            owner: flag.owner,
            tags: flag.tags.into_iter().collect(),
            set,
            enabled: flag.enabled,
            killed: flag.killed,
            salt: flag.salt,
            variants,
            off_variant: (!flag.off_variant.is_empty()).then_some(flag.off_variant),
            default,
            deny: flag.deny,
            allow,
            rules,
        };
        (flag, self.violations)
    }

    fn wrong(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(violation(field, description));
    }

    fn key(&mut self, field: &str, text: &str) -> Option<Key> {
        Key::parse(text)
            .map_err(|error| self.wrong(field, error.to_string()))
            .ok()
    }

    fn flag_type(&mut self, flag_type: v1::FlagType) -> FlagType {
        match flag_type {
            v1::FlagType::Boolean => FlagType::Boolean,
            v1::FlagType::String => FlagType::String,
            v1::FlagType::Unspecified => {
                self.wrong("type", "must be boolean or string");
                FlagType::Boolean
            }
        }
    }

    fn variant(&mut self, name: String, value: v1::Value) -> Option<(String, Value)> {
        match value.kind {
            Some(v1::value::Kind::Boolean(value)) => Some((name, Value::Boolean(value))),
            Some(v1::value::Kind::Text(value)) => Some((name, Value::String(value.into()))),
            None => {
                self.wrong(format!("variants[{name:?}]"), "must have a value");
                None
            }
        }
    }

    fn serve(&mut self, field: &str, serve: Option<v1::Serve>) -> Serve {
        match serve.and_then(|serve| serve.kind) {
            Some(v1::serve::Kind::Variant(variant)) => Serve::Variant(variant),
            Some(v1::serve::Kind::Split(split)) => Serve::Split(self.shares(field, split.shares)),
            Some(v1::serve::Kind::CallerDefault(_)) => Serve::CallerDefault,
            None => {
                self.wrong(
                    field,
                    "must say what is served: a variant, a split or the caller's default",
                );
                Serve::CallerDefault
            }
        }
    }

    fn shares(&mut self, field: &str, shares: Vec<v1::Share>) -> Vec<Share> {
        let mut read = Vec::with_capacity(shares.len());
        for (index, share) in shares.into_iter().enumerate() {
            match Buckets::new(share.buckets) {
                Some(buckets) => read.push(Share {
                    variant: share.variant,
                    buckets,
                }),
                None => self.wrong(
                    format!("{field}.split[{index}].buckets"),
                    format!("{} is not within 0 to 100,000 (100 %)", share.buckets),
                ),
            }
        }
        read
    }

    fn allow(&mut self, lists: Vec<v1::AllowList>) -> BTreeMap<String, Vec<String>> {
        let mut allow = BTreeMap::<String, Vec<String>>::new();
        for list in lists {
            allow.entry(list.variant).or_default().extend(list.units);
        }
        allow
    }

    fn rule(&mut self, index: usize, rule: v1::Rule) -> Rule {
        let conditions = rule
            .conditions
            .into_iter()
            .enumerate()
            .map(|(number, condition)| self.condition(&format!("rules[{index}].conditions[{number}]"), condition))
            .collect();
        Rule {
            name: rule.name,
            conditions,
            serve: self.serve(&format!("rules[{index}].serve"), rule.serve),
        }
    }

    fn condition(&mut self, field: &str, condition: v1::Condition) -> Condition {
        let literals = match condition.test {
            Some(v1::condition::Test::OneOf(one_of)) => one_of
                .literals
                .into_iter()
                .enumerate()
                .filter_map(|(index, literal)| self.literal(field, index, literal))
                .collect(),
            None => {
                self.wrong(field, "must have a test");
                Vec::new()
            }
        };
        Condition {
            attribute: condition.attribute,
            test: Test::OneOf(literals),
        }
    }

    fn literal(&mut self, field: &str, index: usize, literal: v1::Literal) -> Option<Literal> {
        match literal.kind {
            Some(v1::literal::Kind::Text(text)) => Some(Literal::Text(text)),
            Some(v1::literal::Kind::Number(number)) => Some(Literal::Number(number)),
            Some(v1::literal::Kind::Boolean(boolean)) => Some(Literal::Boolean(boolean)),
            None => {
                self.wrong(format!("{field}.one_of[{index}]"), "must have a value");
                None
            }
        }
    }
}
