//! One flag as a document (YAML or JSON), and its conversion to and from the wire.
//!
//! Variants, percentages and literals are written as people write them. The form is checked by serde, the meaning of
//! each field by `to_wire`, which names every violation at once. What only the whole flag can violate (a missing
//! variant, a split that does not sum to 100) is the control plane's to say, so that it is said in one way.

use std::collections::BTreeMap;

use evaluation::{Buckets, Key};
use proto::v1;
use serde::{Deserialize, Serialize};

pub(crate) use self::scalar::{Percent, Scalar};

mod scalar;
mod serve;

pub(crate) use self::serve::ServeDocument;

/// A flag as its owner writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagDocument {
    /// Unique in its environment.
    pub(crate) key: String,
    /// `boolean` or `string`.
    #[serde(rename = "type")]
    pub(crate) flag_type: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    /// Who answers for the flag.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) owner: String,
    /// Free labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Its flag set; absent: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) flag_set: String,
    /// False: everybody gets the off variant. Absent: true.
    #[serde(default = "enabled")]
    pub(crate) enabled: bool,
    /// Draws units into buckets; absent: one is drawn.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) salt: String,
    /// Name to value.
    pub(crate) variants: BTreeMap<String, Scalar>,
    /// Served when disabled, killed or denied; absent: the caller's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) off_variant: Option<String>,
    /// What is served when nothing above decides.
    pub(crate) default: ServeDocument,
    /// Units that always get the off variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deny: Vec<String>,
    /// Variant to the units that always get it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) allow: BTreeMap<String, Vec<String>>,
    /// Tried in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rules: Vec<RuleDocument>,
}

/// A rule of a flag document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleDocument {
    /// Unique in the flag.
    pub(crate) name: String,
    /// All must hold.
    pub(crate) conditions: Vec<ConditionDocument>,
    /// What is served then.
    pub(crate) serve: ServeDocument,
}

/// A condition of a rule document: exactly one of its tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionDocument {
    /// The attribute's name.
    pub(crate) attribute: String,
    /// The attribute equals this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<Scalar>,
    /// The attribute equals one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<Vec<Scalar>>,
}

fn enabled() -> bool {
    true
}

impl FlagDocument {
    /// The flag on the wire, or every violation as `field: what is wrong`.
    pub(crate) fn to_wire(&self) -> Result<v1::Flag, Vec<String>> {
        let mut problems = Vec::new();
        if let Err(error) = Key::parse(&self.key) {
            problems.push(format!("key: {error}"));
        }
        let flag_type = self.type_to_wire(&mut problems);
        let flag = v1::Flag {
            key: self.key.clone(),
            r#type: flag_type.into(),
            description: self.description.clone(),
            owner: self.owner.clone(),
            tags: self.tags.clone(),
            flag_set: self.flag_set.clone(),
            enabled: self.enabled,
            killed: false,
            salt: self.salt.clone(),
            variants: self.variants_to_wire(flag_type, &mut problems),
            off_variant: self.off_variant.clone().unwrap_or_default(),
            default_serve: self.default.to_wire("default", &mut problems),
            deny: self.deny.clone(),
            allow: self
                .allow
                .iter()
                .map(|(variant, units)| allow_list(variant, units))
                .collect(),
            rules: self
                .rules
                .iter()
                .enumerate()
                .map(|(at, rule)| rule.to_wire(at, &mut problems))
                .collect(),
        };
        if problems.is_empty() { Ok(flag) } else { Err(problems) }
    }

    fn type_to_wire(&self, problems: &mut Vec<String>) -> v1::FlagType {
        match self.flag_type.as_str() {
            "boolean" => v1::FlagType::Boolean,
            "string" => v1::FlagType::String,
            other => {
                problems.push(format!("type: no type {other:?}; boolean or string"));
                v1::FlagType::Unspecified
            }
        }
    }

    fn variants_to_wire(&self, flag_type: v1::FlagType, problems: &mut Vec<String>) -> BTreeMap<String, v1::Value> {
        let mut variants = BTreeMap::new();
        for (name, scalar) in &self.variants {
            match scalar.to_value(flag_type) {
                Ok(value) => {
                    variants.insert(name.clone(), value);
                }
                Err(problem) => problems.push(format!("variants.{name}: {problem}")),
            }
        }
        variants
    }

    /// The document of a flag that the control plane sent.
    pub(crate) fn from_wire(flag: &v1::Flag) -> Self {
        Self {
            key: flag.key.clone(),
            flag_type: type_name(flag.r#type).into(),
            description: flag.description.clone(),
            owner: flag.owner.clone(),
            tags: flag.tags.clone(),
            flag_set: flag.flag_set.clone(),
            enabled: flag.enabled,
            salt: flag.salt.clone(),
            variants: flag
                .variants
                .iter()
                .map(|(name, value)| (name.clone(), Scalar::from_value(value)))
                .collect(),
            off_variant: (!flag.off_variant.is_empty()).then(|| flag.off_variant.clone()),
            default: ServeDocument::from_wire(flag.default_serve.as_ref()),
            deny: flag.deny.clone(),
            allow: flag
                .allow
                .iter()
                .map(|list| (list.variant.clone(), list.units.clone()))
                .collect(),
            rules: flag.rules.iter().map(RuleDocument::from_wire).collect(),
        }
    }
}

/// A flag's type as documents and tables write it.
pub(crate) fn type_name(flag_type: i32) -> &'static str {
    match v1::FlagType::try_from(flag_type) {
        Ok(v1::FlagType::Boolean) => "boolean",
        Ok(v1::FlagType::String) => "string",
        Ok(v1::FlagType::Unspecified) | Err(_) => "unknown",
    }
}

fn allow_list(variant: &str, units: &[String]) -> v1::AllowList {
    v1::AllowList {
        variant: variant.into(),
        units: units.to_vec(),
    }
}

impl RuleDocument {
    fn to_wire(&self, at: usize, problems: &mut Vec<String>) -> v1::Rule {
        let field = format!("rules[{at}]");
        let conditions = self.conditions.iter().enumerate();
        v1::Rule {
            name: self.name.clone(),
            conditions: conditions
                .map(|(number, condition)| condition.to_wire(&format!("{field}.conditions[{number}]"), problems))
                .collect(),
            serve: self.serve.to_wire(&format!("{field}.serve"), problems),
        }
    }

    fn from_wire(rule: &v1::Rule) -> Self {
        Self {
            name: rule.name.clone(),
            conditions: rule.conditions.iter().map(ConditionDocument::from_wire).collect(),
            serve: ServeDocument::from_wire(rule.serve.as_ref()),
        }
    }
}

impl ConditionDocument {
    fn to_wire(&self, field: &str, problems: &mut Vec<String>) -> v1::Condition {
        let literals = match (&self.equals, &self.one_of) {
            (Some(literal), None) => vec![literal.to_literal()],
            (None, Some(literals)) => literals.iter().map(Scalar::to_literal).collect(),
            (Some(_), Some(_)) => {
                problems.push(format!("{field}: equals and one_of; one test a condition"));
                Vec::new()
            }
            (None, None) => {
                problems.push(format!("{field}: no test; write equals or one_of"));
                Vec::new()
            }
        };
        let test = Some(v1::condition::Test::OneOf(v1::OneOf { literals }));
        v1::Condition {
            attribute: self.attribute.clone(),
            test,
        }
    }

    fn from_wire(condition: &v1::Condition) -> Self {
        let mut literals: Vec<Scalar> = match &condition.test {
            Some(v1::condition::Test::OneOf(one_of)) => one_of.literals.iter().map(Scalar::from_literal).collect(),
            None => Vec::new(),
        };
        let equals = if literals.len() == 1 { literals.pop() } else { None };
        let one_of = equals.is_none().then_some(literals);
        Self {
            attribute: condition.attribute.clone(),
            equals,
            one_of,
        }
    }
}

/// Buckets of a percentage, or `field: what is wrong` and none.
pub(crate) fn buckets(percent: &Percent, field: &str, problems: &mut Vec<String>) -> u32 {
    match Buckets::parse_percent(percent.as_str()) {
        Ok(buckets) => buckets.get(),
        Err(error) => {
            problems.push(format!("{field}: {:?}: {error}", percent.as_str()));
            0
        }
    }
}

#[cfg(test)]
mod tests;
