//! Comparisons of numbers: `less: 3` of an attribute, `size: {less: 3}` of a list.

use proto::v1::{NumberRange, NumberTest, number_test::Comparison};

use crate::document::{Fields, Kind, Node, Problems, Tree, json};

/// The fields that compare a number with one other.
pub(super) const COMPARISONS: [&str; 5] = ["number_equals", "less", "less_or_equal", "greater", "greater_or_equal"];

/// The comparison that a field of this name makes.
pub(super) fn comparison(name: &str, node: &Node, field: &str, problems: &mut Problems) -> Option<NumberTest> {
    let comparison = match name {
        "between" => between(node, field, problems)?,
        name => {
            let number = number(node, field, problems)?;
            match name {
                "less" => Comparison::Less(number),
                "less_or_equal" => Comparison::LessOrEqual(number),
                "greater" => Comparison::Greater(number),
                "greater_or_equal" => Comparison::GreaterOrEqual(number),
                _ => Comparison::Equal(number),
            }
        }
    };
    Some(NumberTest {
        comparison: Some(comparison),
    })
}

fn number(node: &Node, field: &str, problems: &mut Problems) -> Option<f64> {
    match &node.kind {
        Kind::Number(number) => Some(json::double(node, number, field, problems)),
        Kind::Null | Kind::Boolean(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
            problems.expected(node, field, "a number");
            None
        }
    }
}

fn between(node: &Node, field: &str, problems: &mut Problems) -> Option<Comparison> {
    match &node.kind {
        Kind::List(list) => match list.as_slice() {
            [from, to] => {
                let from = number(from, &format!("{field}[0]"), problems);
                let to = number(to, &format!("{field}[1]"), problems);
                Some(Comparison::Between(NumberRange { from: from?, to: to? }))
            }
            _ => {
                problems.wrong(node.place, field, "write the least and the greatest number: [18, 65]");
                None
            }
        },
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            problems.expected(node, field, "two numbers: [18, 65]");
            None
        }
    }
}

/// The size of a list: a number, or a map with one comparison.
pub(super) fn size(node: &Node, field: &str, problems: &mut Problems) -> Option<NumberTest> {
    if let Kind::Number(_) = node.kind {
        return comparison("equals", node, field, problems);
    }
    let mut fields = Fields::of(node, field, "a number, or a comparison: {greater: 3}", problems)?;
    let mut tests = Vec::new();
    for name in [
        "equals",
        "less",
        "less_or_equal",
        "greater",
        "greater_or_equal",
        "between",
    ] {
        if let Some(node) = fields.take(name) {
            tests.push(comparison(name, node, &fields.path(name), problems));
        }
    }
    fields.finish(problems);
    match tests.len() {
        1 => tests.pop().flatten(),
        _ => {
            problems.wrong(node.place, field, "write one comparison: {greater: 3}");
            None
        }
    }
}

/// As `comparison`, back: the name of the field and its value.
pub(super) fn write(test: &NumberTest) -> (&'static str, Tree) {
    match test.comparison {
        Some(Comparison::Equal(number)) => ("number_equals", Tree::number(number)),
        Some(Comparison::Less(number)) => ("less", Tree::number(number)),
        Some(Comparison::LessOrEqual(number)) => ("less_or_equal", Tree::number(number)),
        Some(Comparison::Greater(number)) => ("greater", Tree::number(number)),
        Some(Comparison::GreaterOrEqual(number)) => ("greater_or_equal", Tree::number(number)),
        Some(Comparison::Between(NumberRange { from, to })) => {
            ("between", Tree::List(vec![Tree::number(from), Tree::number(to)]))
        }
        None => ("number_equals", Tree::Null),
    }
}

/// As `size`, back.
pub(super) fn write_size(test: &NumberTest) -> Tree {
    match (test.comparison, write(test)) {
        (Some(Comparison::Equal(_)), (_, number)) => number,
        (_, (name, number)) => Tree::fields([(name, Some(number))]),
    }
}
