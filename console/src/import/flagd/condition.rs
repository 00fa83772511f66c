//! JsonLogic in the place of a condition, read into a test.

use evaluation::TARGETING_KEY;

use super::{
    atom::{self, Order, Value},
    logic::{Call, Targeting},
    side::Side,
    tree::Test,
};
use crate::document::{Kind, Node, Problems};

impl Targeting<'_> {
    /// What an expression in the place of a condition tests.
    pub(super) fn test(&self, node: &Node, path: &str, problems: &mut Problems) -> Test {
        let refuse = |path: &str, what: &str, problems: &mut Problems| {
            problems.wrong(node.place, path, what);
            Test::Constant(false)
        };
        let Some(call) = Call::of(node, path) else {
            return match &node.kind {
                Kind::Null => Test::Constant(false),
                Kind::Boolean(boolean) => Test::Constant(*boolean),
                Kind::Number(number) => Test::Constant(number.value != 0.0),
                Kind::Text(text) => Test::Constant(!text.is_empty()),
                Kind::List(list) => Test::Constant(!list.is_empty()),
                Kind::Map(_) => refuse(path, "not one operator", problems),
            };
        };
        let inner = |problems: &mut Problems| {
            let numbered = call.arguments.iter().enumerate();
            numbered
                .map(|(at, argument)| self.test(argument, &call.at(at), problems))
                .collect::<Vec<_>>()
        };
        match (call.operator, call.arguments.as_slice()) {
            ("var", _) => match self.attribute(node, &call, problems) {
                Some(Side::Attribute(attribute)) => atom::truth(&attribute),
                Some(Side::Value(_)) => Test::Constant(true),
                None => Test::Constant(false),
            },
            ("and", [_, ..]) => Test::Every(inner(problems)),
            ("or", [_, ..]) => Test::Some(inner(problems)),
            ("!", [argument]) => Test::Not(Box::new(self.test(argument, &call.at(0), problems))),
            ("!!", [argument]) => self.test(argument, &call.at(0), problems),
            ("if" | "?:", [_, ..]) => self.conditional(&call, 0, problems),
            ("==" | "===", [left, right]) => self.equal(node, &call, [left, right], problems),
            ("!=" | "!==", [left, right]) => Test::Not(Box::new(self.equal(node, &call, [left, right], problems))),
            ("<" | "<=" | ">" | ">=", [_, _]) | ("<" | "<=", [_, _, _]) => self.compare(node, &call, problems),
            ("in", [needle, haystack]) => self.within(node, &call, needle, haystack, problems),
            ("starts_with" | "ends_with" | "sem_ver", _) => self
                .custom(node, &call, problems)
                .map_or(Test::Constant(false), |(holds, _)| holds),
            (operator, arguments) => {
                let what = format!(
                    "operator `{operator}` with {} arguments does not map to a rule",
                    arguments.len()
                );
                refuse(&call.path, &what, problems)
            }
        }
    }

    fn conditional(&self, call: &Call<'_>, from: usize, problems: &mut Problems) -> Test {
        match call.arguments.get(from..).unwrap_or_default() {
            [] => Test::Constant(false),
            [last] => self.test(last, &call.at(from), problems),
            [test, then, ..] => {
                let test = self.test(test, &call.at(from), problems);
                let then = self.test(then, &call.at(from + 1), problems);
                let otherwise = self.conditional(call, from + 2, problems);
                let not = Test::Not(Box::new(test.clone()));
                Test::Some(vec![Test::Every(vec![test, then]), Test::Every(vec![not, otherwise])])
            }
        }
    }

    fn equal(&self, node: &Node, call: &Call<'_>, [left, right]: [&Node; 2], problems: &mut Problems) -> Test {
        let strict = matches!(call.operator, "===" | "!==");
        let sides = (
            self.side(left, &call.at(0), problems),
            self.side(right, &call.at(1), problems),
        );
        let (Some(left), Some(right)) = sides else {
            return Test::Constant(false);
        };
        let (attribute, value) = match (left, right) {
            (Side::Attribute(attribute), Side::Value(value)) | (Side::Value(value), Side::Attribute(attribute)) => {
                (attribute, value)
            }
            (Side::Value(left), Side::Value(right)) if left == right => return Test::Constant(true),
            (Side::Value(Value::Text(_)), Side::Value(Value::Text(_))) => return Test::Constant(false),
            (Side::Value(_), Side::Value(_)) | (Side::Attribute(_), Side::Attribute(_)) => {
                problems.wrong(node.place, &call.path, "compares no attribute with a value");
                return Test::Constant(false);
            }
        };
        self.tells_empty(node, &call.path, &attribute, std::slice::from_ref(&value), problems);
        match (&value, strict || self.leniency.strict_types) {
            (Value::Text(text), false) => atom::loosely(&attribute, text),
            (Value::Null, _) | (_, true) => atom::strictly(&attribute, &[value]),
            (Value::Boolean(_) | Value::Number(_), false) => {
                let what = format!(
                    "`{}` would convert text such as \"1.0\" of `{attribute}`; write `{0}=`, or accept with --strict-types \
                     that text is not converted",
                    call.operator
                );
                problems.wrong(node.place, &call.path, what);
                Test::Constant(false)
            }
        }
    }

    /// `a < b`, or `a < b < c`.
    fn compare(&self, node: &Node, call: &Call<'_>, problems: &mut Problems) -> Test {
        let order = match call.operator {
            "<" => Order::Less,
            "<=" => Order::LessOrEqual,
            ">" => Order::Greater,
            _ => Order::GreaterOrEqual,
        };
        let numbered = call.arguments.iter().enumerate();
        let sides: Vec<Option<Side>> = numbered
            .map(|(at, side)| self.side(side, &call.at(at), problems))
            .collect();
        let Some(sides) = sides.into_iter().collect::<Option<Vec<Side>>>() else {
            return Test::Constant(false);
        };
        let number = |side: &Side| match side {
            Side::Value(Value::Number(number)) => Some(*number),
            Side::Value(Value::Null | Value::Boolean(_) | Value::Text(_)) | Side::Attribute(_) => None,
        };
        let found = match sides.as_slice() {
            [Side::Attribute(attribute), right] => number(right).map(|right| (attribute, vec![(order, right)])),
            [left, Side::Attribute(attribute)] => number(left).map(|left| (attribute, vec![(order.flipped(), left)])),
            [left, Side::Attribute(attribute), right] => number(left)
                .zip(number(right))
                .map(|(left, right)| (attribute, vec![(order.flipped(), left), (order, right)])),
            _ => None,
        };
        let Some((attribute, comparisons)) = found else {
            problems.wrong(node.place, &call.path, "compares no attribute with a number");
            return Test::Constant(false);
        };
        if attribute == TARGETING_KEY {
            problems.wrong(
                node.place,
                &call.path,
                "the targeting key is text, which is not compared with a number",
            );
        } else if !self.leniency.strict_types {
            let what = format!(
                "`{}` would convert text such as \"17\" of `{attribute}` to a number; accept with --strict-types that text \
                 is not converted",
                call.operator
            );
            problems.wrong(node.place, &call.path, what);
        }
        atom::compares(attribute, &comparisons)
    }

    /// An empty targeting key counts as none, so nothing can tell the two apart.
    fn tells_empty(&self, node: &Node, path: &str, attribute: &str, values: &[Value], problems: &mut Problems) {
        let empty = |value: &Value| *value == Value::Null || *value == Value::Text(String::new());
        if attribute == TARGETING_KEY && values.iter().any(empty) {
            let what = "an empty targeting key counts as none here; write {\"!\": {\"var\": \"targetingKey\"}}";
            problems.wrong(node.place, path, what);
        }
    }

    fn within(&self, node: &Node, call: &Call<'_>, needle: &Node, haystack: &Node, problems: &mut Problems) -> Test {
        let Some(needle) = self.side(needle, &call.at(0), problems) else {
            return Test::Constant(false);
        };
        if let Kind::List(list) = &haystack.kind {
            let items = list.iter().enumerate();
            let values: Vec<Option<Side>> = items
                .map(|(at, item)| self.side(item, &format!("{}[{at}]", call.at(1)), problems))
                .collect();
            let mut literals = Vec::new();
            for value in values {
                match value {
                    Some(Side::Value(value)) => literals.push(value),
                    Some(Side::Attribute(_)) => problems.wrong(haystack.place, &call.at(1), "an attribute in a list"),
                    None => {}
                }
            }
            return match needle {
                Side::Attribute(attribute) => {
                    self.tells_empty(node, &call.path, &attribute, &literals, problems);
                    atom::strictly(&attribute, &literals)
                }
                Side::Value(value) => Test::Constant(literals.contains(&value)),
            };
        }
        match (needle, self.side(haystack, &call.at(1), problems)) {
            (Side::Value(Value::Text(text)), Some(Side::Attribute(attribute))) if !text.is_empty() => {
                atom::holds_text(&attribute, &text)
            }
            (Side::Value(Value::Text(needle)), Some(Side::Value(Value::Text(haystack)))) => {
                Test::Constant(!haystack.is_empty() && haystack.contains(&needle))
            }
            (_, None) => Test::Constant(false),
            (_, Some(_)) => {
                let what = "looks for something else than an attribute in a list, or a text in an attribute";
                problems.wrong(node.place, &call.path, what);
                Test::Constant(false)
            }
        }
    }

    /// flagd's own operators: when they are true, and when they are false; else they are null.
    pub(super) fn custom(&self, node: &Node, call: &Call<'_>, problems: &mut Problems) -> Option<(Test, Test)> {
        let sides: Vec<Option<Side>> = call
            .arguments
            .iter()
            .enumerate()
            .map(|(at, argument)| self.side(argument, &call.at(at), problems))
            .collect();
        let sides: Vec<Side> = sides.into_iter().collect::<Option<_>>()?;
        let found = match (call.operator, sides.as_slice()) {
            (
                "sem_ver",
                [
                    Side::Attribute(attribute),
                    Side::Value(Value::Text(operator)),
                    Side::Value(Value::Text(version)),
                ],
            ) => atom::version(attribute, operator, version),
            ("starts_with" | "ends_with", [Side::Attribute(attribute), Side::Value(Value::Text(text))]) => {
                self.tells_empty(node, &call.path, attribute, &[Value::Text(text.clone())], problems);
                let starts = call.operator == "starts_with";
                Some((
                    atom::affix(attribute, starts, text, false),
                    atom::affix(attribute, starts, text, true),
                ))
            }
            (_, _) => None,
        };
        if found.is_none() {
            let what = match call.operator {
                "sem_ver" => "write [attribute, \"=\" \"!=\" \"<\" \"<=\" \">\" \">=\" \"^\" or \"~\", version]",
                _ => "write [attribute, text]",
            };
            problems.wrong(node.place, &call.path, what);
        }
        found
    }
}
