//! What stands on one side of a comparison: an attribute of the context, or a value.

use evaluation::TARGETING_KEY;

use super::{
    atom::Value,
    logic::{Call, Targeting},
};
use crate::document::{Kind, Node, Problems};

/// One side of a comparison.
pub(super) enum Side {
    Attribute(String),
    Value(Value),
}

impl Targeting<'_> {
    /// An attribute or a value; what is neither is noted.
    pub(super) fn side(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<Side> {
        let value = match &node.kind {
            Kind::Null => Value::Null,
            Kind::Boolean(boolean) => Value::Boolean(*boolean),
            Kind::Number(number) => Value::Number(number.value),
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::List(_) => {
                problems.wrong(node.place, path, "a list is compared; write in");
                return None;
            }
            Kind::Map(_) => {
                return match Call::of(node, path) {
                    Some(call) if call.operator == "var" => self.attribute(node, &call, problems),
                    Some(call) => {
                        let what = format!("the result of `{}` is compared, which no condition does", call.operator);
                        problems.wrong(node.place, &call.path, what);
                        None
                    }
                    None => {
                        problems.wrong(node.place, path, "not one operator");
                        None
                    }
                };
            }
        };
        Some(Side::Value(value))
    }

    /// The attribute that `var` names; the flag's own key is a value.
    pub(super) fn attribute(&self, node: &Node, call: &Call<'_>, problems: &mut Problems) -> Option<Side> {
        let name = match call.arguments.as_slice() {
            [name] => name,
            [name, default] if default.kind == Kind::Null => name,
            [_, _] => {
                problems.wrong(
                    node.place,
                    &call.path,
                    "a default in the place of a missing attribute does not map",
                );
                return None;
            }
            _ => {
                problems.wrong(node.place, &call.path, "names no attribute");
                return None;
            }
        };
        let Kind::Text(name) = &name.kind else {
            problems.wrong(node.place, &call.path, "the name of an attribute is text");
            return None;
        };
        let segments: Vec<&str> = name.split('.').collect();
        match segments.as_slice() {
            ["$flagd", "flagKey"] => return Some(Side::Value(Value::Text(self.flag.into()))),
            ["$flagd", ..] => {
                problems.wrong(
                    node.place,
                    &call.path,
                    format!("{name} does not map; a schedule changes a flag at a time"),
                );
                return None;
            }
            _ => {}
        }
        let odd = |segment: &&str| segment.is_empty() || segment.bytes().all(|byte| byte.is_ascii_digit());
        if segments.iter().any(odd) || (segments.len() > 1 && segments[0] == TARGETING_KEY) {
            problems.wrong(
                node.place,
                &call.path,
                format!("{name:?} is not the path of an attribute in objects"),
            );
            return None;
        }
        Some(Side::Attribute(name.clone()))
    }

    /// The attribute that `var` names.
    pub(super) fn unit(&self, node: &Node, call: &Call<'_>, problems: &mut Problems) -> Option<String> {
        match self.attribute(node, call, problems)? {
            Side::Attribute(name) => Some(name),
            Side::Value(_) => {
                problems.wrong(node.place, &call.path, "everybody has the same bucketing value");
                None
            }
        }
    }

    /// A part of a `cat`: text, or the attribute of a `var`.
    pub(super) fn text_or_unit(
        &self,
        node: &Node,
        path: &str,
        problems: &mut Problems,
    ) -> Option<Result<String, String>> {
        match self.side(node, path, problems)? {
            Side::Value(Value::Text(text)) => Some(Ok(text)),
            Side::Attribute(name) => Some(Err(name)),
            Side::Value(Value::Null | Value::Boolean(_) | Value::Number(_)) => {
                problems.expected(node, path, "text or an attribute");
                None
            }
        }
    }
}
