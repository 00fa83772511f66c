//! Reading conditions.

use proto::v1::{
    AttributeType, Condition, DateTest, ExistsTest, ListQuantifier, ListTest, Literal, NetworkTest, OneOf, SegmentTest,
    TextTest, VariantTest, condition::Test, date_test, literal,
};

use super::{
    number,
    words::{type_of, version_test},
};
use crate::{
    document::{Fields, Kind, Node, Number, Problems, json, text_of, texts_of},
    rule,
};

/// The tests of an attribute, in the order in which they are looked for.
const TESTS: [&str; 16] = [
    "equals",
    "one_of",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "between",
    "version",
    "before",
    "after",
    "in_network",
    "exists",
    "type_is",
    "any_of",
    "all_of",
    "none_of",
];

/// The conditions of a rule or a group: a list, or one alone; a text says several in one line.
pub(crate) fn read_all(node: &Node, field: &str, problems: &mut Problems) -> Vec<Condition> {
    let numbered = |list: &[Node], problems: &mut Problems| {
        let items = list.iter().enumerate();
        items
            .flat_map(|(at, item)| read_some(item, &format!("{field}[{at}]"), problems))
            .collect()
    };
    match &node.kind {
        Kind::List(list) => numbered(list, problems),
        Kind::Map(_) | Kind::Text(_) => read_some(node, field, problems),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) => {
            problems.expected(node, field, "a list of conditions: [{attribute: plan, equals: pro}]");
            Vec::new()
        }
    }
}

fn read_some(node: &Node, field: &str, problems: &mut Problems) -> Vec<Condition> {
    match &node.kind {
        Kind::Text(line) => rule::parse_conditions(line).unwrap_or_else(|problem| {
            problems.wrong(node.place, field, problem);
            Vec::new()
        }),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => {
            read(node, field, problems).into_iter().collect()
        }
    }
}

/// One condition.
pub(crate) fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Condition> {
    let mut fields = Fields::of(node, path, "a condition: {attribute: plan, equals: pro}", problems)?;
    let attribute = fields.text("attribute", problems).unwrap_or_default();
    let not = fields.boolean("not", problems).unwrap_or(false);
    let ignore_case = fields.boolean("ignore_case", problems);
    let before = problems.len();
    let tests = tests(&mut fields, ignore_case.unwrap_or(false), problems);
    let complete = problems.len() == before;
    fields.finish(problems);
    let mut tests = tests.into_iter();
    let (Some((name, test, negative)), None) = (tests.next(), tests.next()) else {
        if complete {
            problems.wrong(
                node.place,
                path,
                "write one test: equals, one_of, contains, less, version, in_segment, ...",
            );
        }
        return None;
    };
    if attribute.is_empty() && !matches!(name, "in_segment" | "flag") {
        problems.wrong(node.place, path, format!("{name} needs an attribute"));
    }
    if !attribute.is_empty() && matches!(name, "in_segment" | "flag") {
        problems.wrong(
            node.place,
            path,
            format!("{name} is about the whole context; leave the attribute out"),
        );
    }
    if ignore_case.is_some() && !takes_case(&test) {
        problems.wrong(node.place, path, format!("ignore_case says nothing about {name}"));
    }
    Some(Condition {
        attribute,
        test: Some(test),
        negated: not != negative,
    })
}

fn takes_case(test: &Test) -> bool {
    matches!(
        test,
        Test::OneOf(_) | Test::Contains(_) | Test::StartsWith(_) | Test::EndsWith(_) | Test::List(_)
    )
}

/// Every test that is there: its field, itself, and whether the field says the opposite (`exists: false`).
fn tests(fields: &mut Fields<'_>, ignore_case: bool, problems: &mut Problems) -> Vec<(&'static str, Test, bool)> {
    let mut tests = Vec::new();
    for name in TESTS {
        // `type_is: null` is a type.
        let node = if name == "type_is" {
            fields.take_even_null(name)
        } else {
            fields.take(name)
        };
        if let Some(node) = node {
            let test = attribute_test(name, node, &fields.path(name), ignore_case, problems);
            let negative = name == "exists" && node.kind == Kind::Boolean(false);
            tests.extend(test.map(|test| (name, test, negative)));
        }
    }
    for name in number::COMPARISONS {
        if let Some(node) = fields.take(name) {
            let test = number::comparison(name, node, &fields.path(name), problems);
            tests.extend(test.map(|test| (name, Test::Number(test), false)));
        }
    }
    if let Some(node) = fields.take("size") {
        let test = number::size(node, &fields.path("size"), problems);
        tests.extend(test.map(|test| ("size", Test::Size(test), false)));
    }
    let segments = fields.texts("in_segment", problems);
    if !segments.is_empty() {
        tests.push(("in_segment", Test::InSegment(SegmentTest { segments }), false));
    }
    tests.extend(variant_test(fields, problems).map(|test| ("flag", test, false)));
    tests
}

fn variant_test(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Test> {
    let flag = fields.text("flag", problems);
    let variants = fields.take_any(&["variant", "variants"], problems);
    match (flag, variants) {
        (Some(flag), Some((name, node))) => {
            let variants = texts_of(node, &fields.path(name), problems);
            Some(Test::Variant(VariantTest { flag, variants }))
        }
        (Some(flag), None) => {
            let path = fields.path("flag");
            problems.wrong(
                fields.place,
                &path,
                format!("which variant? write {{flag: {flag}, variant: on}}"),
            );
            None
        }
        (None, Some((name, node))) => {
            problems.wrong(
                node.place,
                &fields.path(name),
                "of which flag? write {flag: other, variant: on}",
            );
            None
        }
        (None, None) => None,
    }
}

fn attribute_test(name: &str, node: &Node, field: &str, ignore_case: bool, problems: &mut Problems) -> Option<Test> {
    let one_of = |literals| OneOf { literals, ignore_case };
    let text_test = |problems: &mut Problems| TextTest {
        texts: texts_of(node, field, problems),
        ignore_case,
    };
    let list = |quantifier: ListQuantifier, problems: &mut Problems| {
        Test::List(ListTest {
            quantifier: quantifier.into(),
            literals: Some(one_of(literals(node, field, problems))),
        })
    };
    Some(match name {
        "equals" => Test::OneOf(one_of(literal(node, field, problems).into_iter().collect())),
        "one_of" => Test::OneOf(one_of(literals(node, field, problems))),
        "contains" => Test::Contains(text_test(problems)),
        "starts_with" => Test::StartsWith(text_test(problems)),
        "ends_with" => Test::EndsWith(text_test(problems)),
        "matches" => Test::Matches(text_of(node, field, problems)?),
        "between" => Test::Number(number::comparison(name, node, field, problems)?),
        "version" => Test::Version(version_test(&text_of(node, field, problems)?)),
        "before" => Test::Date(DateTest {
            comparison: Some(date_test::Comparison::Before(text_of(node, field, problems)?)),
        }),
        "after" => Test::Date(DateTest {
            comparison: Some(date_test::Comparison::After(text_of(node, field, problems)?)),
        }),
        "in_network" => Test::InNetwork(NetworkTest {
            networks: texts_of(node, field, problems),
        }),
        "exists" => exists(node, field, problems)?,
        "type_is" => Test::TypeIs(attribute_type(node, field, problems)?.into()),
        "any_of" => list(ListQuantifier::Any, problems),
        "all_of" => list(ListQuantifier::All, problems),
        _ => list(ListQuantifier::None, problems),
    })
}

fn exists(node: &Node, field: &str, problems: &mut Problems) -> Option<Test> {
    match node.kind {
        Kind::Boolean(_) => Some(Test::Exists(ExistsTest {})),
        Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
            problems.expected(node, field, "true or false");
            None
        }
    }
}

fn attribute_type(node: &Node, field: &str, problems: &mut Problems) -> Option<AttributeType> {
    let found = match &node.kind {
        Kind::Null => Some(AttributeType::Null),
        Kind::Text(name) => type_of(name),
        Kind::Boolean(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    if found.is_none() {
        problems.wrong(node.place, field, "write text, number, boolean, list, object or null");
    }
    found
}

/// What an attribute is compared with: a list, or one alone.
fn literals(node: &Node, field: &str, problems: &mut Problems) -> Vec<Literal> {
    match &node.kind {
        Kind::List(list) => {
            let items = list.iter().enumerate();
            items
                .filter_map(|(at, item)| literal(item, &format!("{field}[{at}]"), problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            literal(node, field, problems).into_iter().collect()
        }
    }
}

/// What an attribute is compared with. Types never convert: `1.10` and `007` are refused, for they may be meant as text.
fn literal(node: &Node, field: &str, problems: &mut Problems) -> Option<Literal> {
    let kind = match &node.kind {
        Kind::Text(text) => literal::Kind::Text(text.clone()),
        Kind::Boolean(boolean) => literal::Kind::Boolean(*boolean),
        Kind::Number(number) => literal::Kind::Number(plain(node, number, field, problems)),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            problems.expected(node, field, "text, a number or a boolean");
            return None;
        }
    };
    Some(Literal { kind: Some(kind) })
}

fn plain(node: &Node, number: &Number, field: &str, problems: &mut Problems) -> f64 {
    let digits = number.written.trim_start_matches('-');
    if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") {
        let what = format!("{} is read as a number; put it in quotes if it is text", number.written);
        problems.wrong(node.place, field, what);
    }
    json::double(node, number, field, problems)
}
