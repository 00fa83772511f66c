//! A flag's type and its variants: `variants: {on: true, off: false}`.
//!
//! Without a type it is that of the values, if they agree. Without variants a flag is boolean with on and off. Values
//! never change their type: a number is no text, and `1.5` is no integer.

use std::collections::BTreeMap;

use proto::v1::{self, FlagType, value};

use crate::{
    document::{Fields, Kind, Node, Problems, Tree, json},
    nearest::nearest,
};

/// The variants of a document, with what is implied by them.
#[derive(Debug)]
pub(super) struct Variants {
    /// As written, else that of the values.
    pub(super) flag_type: FlagType,
    values: BTreeMap<String, v1::Value>,
    /// Whether the document says them.
    written: bool,
    /// Whether some could not be read: a missing name may be one of them.
    broken: bool,
}

impl Variants {
    /// Reads `type` and `variants`.
    pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        let flag_type = fields
            .take("type")
            .map(|node| read_type(node, &fields.path("type"), problems));
        let path = fields.path("variants");
        let Some(node) = fields.take("variants") else {
            return Self::implied(flag_type, fields, problems);
        };
        let before = problems.len();
        let (flag_type, values) = match &node.kind {
            Kind::Map(map) => {
                let inferred = flag_type.unwrap_or_else(|| infer(node, &path, problems));
                let values = map.iter().filter_map(|(name, node)| {
                    let value = read_value(node, inferred, &format!("{path}.{}", name.text), problems)?;
                    Some((name.text.clone(), value))
                });
                (inferred, values.collect())
            }
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                problems.expected(node, &path, "a map of names and values: {on: true, off: false}");
                (flag_type.unwrap_or_default(), BTreeMap::new())
            }
        };
        Self {
            flag_type,
            values,
            written: true,
            broken: problems.len() > before || flag_type == FlagType::Unspecified,
        }
    }

    /// On and off, if the flag can be boolean.
    fn implied(flag_type: Option<FlagType>, fields: &Fields<'_>, problems: &mut Problems) -> Self {
        let flag_type = flag_type.unwrap_or(FlagType::Boolean);
        let boolean = |boolean| v1::Value {
            kind: Some(value::Kind::Boolean(boolean)),
        };
        let values = match flag_type {
            FlagType::Boolean => BTreeMap::from([("on".into(), boolean(true)), ("off".into(), boolean(false))]),
            FlagType::Unspecified => BTreeMap::new(),
            FlagType::String | FlagType::Integer | FlagType::Float | FlagType::Object => {
                let what = "missing; only a boolean flag has variants (on and off) without saying so";
                problems.wrong(fields.place, &fields.path("variants"), what);
                BTreeMap::new()
            }
        };
        Self {
            flag_type,
            broken: values.is_empty(),
            values,
            written: false,
        }
    }

    /// The off variant of a flag that does not say its variants.
    pub(super) fn implied_off(&self) -> Option<String> {
        (!self.written && !self.broken).then(|| "off".into())
    }

    /// The default of a flag that does not say its variants.
    pub(super) fn implied_default(&self) -> Option<String> {
        self.implied_off()
    }

    /// The only variant of a boolean flag with this value.
    pub(super) fn only(&self, boolean: bool) -> Option<&str> {
        let wanted = Some(value::Kind::Boolean(boolean));
        let mut names = self.values.iter().filter(|(_, value)| value.kind == wanted);
        match (names.next(), names.next()) {
            (Some((name, _)), None) => Some(name),
            (_, _) => None,
        }
    }

    /// The only variant other than this one.
    pub(super) fn other(&self, than: &str) -> Option<&str> {
        let mut names = self.values.keys().filter(|name| *name != than);
        match (names.next(), names.next()) {
            (Some(name), None) => Some(name),
            (_, _) => None,
        }
    }

    /// Whether there is a variant of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The variant that a node names; a boolean names the variant of that value. An unknown one is a problem.
    pub(super) fn name(&self, node: &Node, field: &str, problems: &mut Problems) -> Option<String> {
        let name = match &node.kind {
            Kind::Text(name) => name.clone(),
            Kind::Number(number) => number.written.clone(),
            Kind::Boolean(boolean) => {
                let name = boolean.to_string();
                match self.only(*boolean) {
                    Some(only) if !self.has(&name) => only.into(),
                    Some(_) | None => name,
                }
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                problems.expected(node, field, "the name of a variant");
                return None;
            }
        };
        self.check(&name, node, field, problems);
        Some(name)
    }

    /// An unknown name is a problem, unless variants could not be read.
    pub(super) fn check(&self, name: &str, node: &Node, field: &str, problems: &mut Problems) {
        if self.broken || self.has(name) {
            return;
        }
        let names = || self.values.keys().map(String::as_str);
        let what = match nearest(name, names()) {
            Some(near) => format!("no variant `{name}`; did you mean `{near}`?"),
            None if self.values.is_empty() => format!("no variant `{name}`; there are none"),
            None => format!(
                "no variant `{name}`; there are {}",
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        problems.wrong(node.place, field, what);
    }

    /// Name to value.
    pub(super) fn into_values(self) -> BTreeMap<String, v1::Value> {
        self.values
    }
}

/// A flag's type as documents and tables write it.
pub(crate) fn type_name(flag_type: i32) -> &'static str {
    match FlagType::try_from(flag_type) {
        Ok(FlagType::Boolean) => "boolean",
        Ok(FlagType::String) => "string",
        Ok(FlagType::Integer) => "integer",
        Ok(FlagType::Float) => "float",
        Ok(FlagType::Object) => "object",
        Ok(FlagType::Unspecified) | Err(_) => "unknown",
    }
}

/// The type of a name, if it is one.
fn type_of(name: &str) -> Option<FlagType> {
    match name {
        "boolean" | "bool" => Some(FlagType::Boolean),
        "string" | "text" => Some(FlagType::String),
        "integer" | "int" => Some(FlagType::Integer),
        "float" | "number" | "double" => Some(FlagType::Float),
        "object" | "json" => Some(FlagType::Object),
        _ => None,
    }
}

fn read_type(node: &Node, field: &str, problems: &mut Problems) -> FlagType {
    let found = match &node.kind {
        Kind::Text(name) => type_of(name),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    found.unwrap_or_else(|| {
        problems.wrong(
            node.place,
            field,
            "no such type; boolean, string, integer, float or object",
        );
        FlagType::Unspecified
    })
}

/// The type that all values agree on; whole numbers and others together are floats.
fn infer(node: &Node, field: &str, problems: &mut Problems) -> FlagType {
    let Kind::Map(map) = &node.kind else {
        return FlagType::Unspecified;
    };
    let mut types: Vec<FlagType> = map.iter().map(|(_, value)| type_of_value(value)).collect();
    if types.contains(&FlagType::Float) {
        types
            .iter_mut()
            .filter(|found| **found == FlagType::Integer)
            .for_each(|found| *found = FlagType::Float);
    }
    types.dedup();
    match types.as_slice() {
        [] => FlagType::Boolean,
        [FlagType::Unspecified] | [_, _, ..] => {
            let what = "values of several types, or of none; write the type: boolean, string, integer, float or object";
            problems.wrong(node.place, field, what);
            FlagType::Unspecified
        }
        [found] => *found,
    }
}

fn type_of_value(node: &Node) -> FlagType {
    match &node.kind {
        Kind::Boolean(_) => FlagType::Boolean,
        Kind::Text(_) => FlagType::String,
        Kind::Number(number) if number.whole.is_some() => FlagType::Integer,
        Kind::Number(_) => FlagType::Float,
        Kind::Map(_) => FlagType::Object,
        Kind::Null | Kind::List(_) => FlagType::Unspecified,
    }
}

/// A variant's value, if it is of the flag's type. Of an unknown type, which is said already, it is none.
fn read_value(node: &Node, flag_type: FlagType, field: &str, problems: &mut Problems) -> Option<v1::Value> {
    let kind = match (flag_type, &node.kind) {
        (FlagType::Unspecified, _) => return None,
        (FlagType::Boolean, Kind::Boolean(boolean)) => value::Kind::Boolean(*boolean),
        (FlagType::String, Kind::Text(text)) => value::Kind::Text(text.clone()),
        (FlagType::Integer, Kind::Number(number)) if number.whole.is_some() => {
            value::Kind::Integer(number.whole.unwrap_or_default())
        }
        (FlagType::Float, Kind::Number(number)) => value::Kind::Number(json::double(node, number, field, problems)),
        (FlagType::Object, Kind::Map(_)) => value::Kind::Object(json::object(node, field, problems)?),
        (FlagType::Boolean, _) => return refused(node, field, "a boolean flag's value is true or false", problems),
        (FlagType::String, Kind::Number(_) | Kind::Boolean(_)) => {
            return refused(node, field, "put a string flag's value in quotes", problems);
        }
        (FlagType::String, _) => return refused(node, field, "a string flag's value is text", problems),
        (FlagType::Integer, _) => {
            return refused(
                node,
                field,
                "an integer flag's value is a whole number of 64 bits",
                problems,
            );
        }
        (FlagType::Float, _) => return refused(node, field, "a float flag's value is a number", problems),
        (FlagType::Object, _) => return refused(node, field, "an object flag's value is a map", problems),
    };
    Some(v1::Value { kind: Some(kind) })
}

fn refused<T>(node: &Node, field: &str, rule: &str, problems: &mut Problems) -> Option<T> {
    problems.wrong(node.place, field, format!("{}; {rule}", node.what()));
    None
}

/// The variants as a document has them.
pub(super) fn write(variants: &BTreeMap<String, v1::Value>) -> Tree {
    Tree::Map(
        variants
            .iter()
            .map(|(name, value)| (name.clone(), write_value(value)))
            .collect(),
    )
}

/// A variant's value as a document has it; nothing for a kind that this console does not know.
pub(crate) fn write_value(value: &v1::Value) -> Tree {
    match &value.kind {
        Some(value::Kind::Boolean(boolean)) => Tree::Boolean(*boolean),
        Some(value::Kind::Text(text)) => Tree::Text(text.clone()),
        Some(value::Kind::Integer(number)) => Tree::Whole(*number),
        Some(value::Kind::Number(number)) => Tree::Number(*number),
        Some(value::Kind::Object(fields)) => json::tree(fields),
        None => Tree::Null,
    }
}
