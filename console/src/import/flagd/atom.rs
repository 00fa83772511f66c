//! Tests of one attribute: when JsonLogic says that they hold, as conditions of ours.
//!
//! Each function gives every kind of value that holds, one alternative for each; whatever else there is fails, missing
//! attributes too unless they are listed.

use evaluation::TARGETING_KEY;
use proto::v1::{
    AttributeType, Condition, ExistsTest, ListQuantifier, ListTest, Literal, NumberTest, OneOf, TextTest,
    VersionComparison, VersionTest, condition::Test as Ours, literal, number_test::Comparison,
};

use super::tree::{All, Test};

/// A value that an attribute is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// Which number is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// The same with the sides changed.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// Whether two numbers are so.
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    fn comparison(self, number: f64) -> Comparison {
        match self {
            Self::Less => Comparison::Less(number),
            Self::LessOrEqual => Comparison::LessOrEqual(number),
            Self::Greater => Comparison::Greater(number),
            Self::GreaterOrEqual => Comparison::GreaterOrEqual(number),
        }
    }
}

/// A condition.
pub(super) fn condition(attribute: &str, negated: bool, test: Ours) -> Condition {
    Condition {
        attribute: attribute.into(),
        test: Some(test),
        negated,
    }
}

/// The attribute is missing or null.
pub(super) fn missing(attribute: &str) -> Condition {
    condition(attribute, true, Ours::Exists(ExistsTest {}))
}

/// The attribute is one of these; `negated`: it is a single value and none of these.
pub(super) fn one_of(attribute: &str, negated: bool, values: &[Value]) -> Condition {
    let literal = |value: &Value| {
        let kind = match value {
            Value::Null => return None,
            Value::Boolean(boolean) => literal::Kind::Boolean(*boolean),
            Value::Number(number) => literal::Kind::Number(*number),
            Value::Text(text) => literal::Kind::Text(text.clone()),
        };
        Some(Literal { kind: Some(kind) })
    };
    let one_of = OneOf {
        literals: values.iter().filter_map(literal).collect(),
        ignore_case: false,
    };
    condition(attribute, negated, Ours::OneOf(one_of))
}

fn of_type(attribute: &str, attribute_type: AttributeType) -> Condition {
    condition(attribute, false, Ours::TypeIs(attribute_type.into()))
}

fn any(alternatives: Vec<Condition>) -> Test {
    Test::Any(alternatives.into_iter().map(|one| vec![one]).collect())
}

/// `x == "text"`, with what the text converts to.
pub(super) fn loosely(attribute: &str, text: &str) -> Test {
    let mut values = vec![Value::Text(text.into())];
    if attribute != TARGETING_KEY
        && let Some(number) = number_of(text)
    {
        values.push(Value::Number(number));
        values.extend(
            [(0.0, false), (1.0, true)]
                .iter()
                .filter(|(of, _)| *of == number)
                .map(|(_, b)| Value::Boolean(*b)),
        );
    }
    any(vec![one_of(attribute, false, &values)])
}

/// The number that a text converts to: decimal, with white space around it; none is 0.
pub(super) fn number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0.0);
    }
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number = text.parse::<f64>().ok().filter(|number| plain && number.is_finite());
    let radix = |prefix: [&str; 2], radix| {
        let digits = prefix.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        u64::from_str_radix(digits, radix).ok().map(|number| number as f64)
    };
    number
        .or_else(|| radix(["0x", "0X"], 16))
        .or_else(|| radix(["0o", "0O"], 8))
        .or_else(|| radix(["0b", "0B"], 2))
}

/// `x === value`, and `x in [values]`.
pub(super) fn strictly(attribute: &str, values: &[Value]) -> Test {
    let mut alternatives = Vec::new();
    if values.iter().any(|value| *value != Value::Null) {
        alternatives.push(one_of(attribute, false, values));
    }
    if values.contains(&Value::Null) {
        alternatives.push(missing(attribute));
    }
    any(alternatives)
}

/// `x < number` and its like, all at once: a missing attribute counts as 0, false as 0, true as 1. Text is not looked
/// at.
pub(super) fn compares(attribute: &str, comparisons: &[(Order, f64)]) -> Test {
    let all = |value: f64| comparisons.iter().all(|(order, number)| order.holds(value, *number));
    let one = |(order, number): &(Order, f64)| {
        let comparison = Some(order.comparison(*number));
        condition(attribute, false, Ours::Number(NumberTest { comparison }))
    };
    let mut alternatives: Vec<All> = vec![comparisons.iter().map(one).collect()];
    let held = [(0.0, false), (1.0, true)].into_iter().filter(|(of, _)| all(*of));
    let held: Vec<Value> = held.map(|(_, boolean)| Value::Boolean(boolean)).collect();
    if !held.is_empty() {
        alternatives.push(vec![one_of(attribute, false, &held)]);
    }
    if all(0.0) {
        alternatives.push(vec![missing(attribute)]);
    }
    Test::Any(alternatives)
}

/// `"text" in x`.
pub(super) fn holds_text(attribute: &str, text: &str) -> Test {
    let texts = TextTest {
        texts: vec![text.into()],
        ignore_case: false,
    };
    let literals = OneOf {
        literals: vec![Literal {
            kind: Some(literal::Kind::Text(text.into())),
        }],
        ignore_case: false,
    };
    let list = ListTest {
        quantifier: ListQuantifier::Any.into(),
        literals: Some(literals),
    };
    let mut alternatives = vec![condition(attribute, false, Ours::Contains(texts))];
    if attribute != TARGETING_KEY {
        alternatives.push(condition(attribute, false, Ours::List(list)));
    }
    any(alternatives)
}

/// `starts_with` and `ends_with`; every text begins and ends with nothing.
pub(super) fn affix(attribute: &str, starts: bool, text: &str, negated: bool) -> Test {
    if text.is_empty() {
        return match negated {
            false => any(vec![of_type(attribute, AttributeType::Text)]),
            true => Test::Constant(false),
        };
    }
    let test = TextTest {
        texts: vec![text.into()],
        ignore_case: false,
    };
    let test = if starts {
        Ours::StartsWith(test)
    } else {
        Ours::EndsWith(test)
    };
    any(vec![condition(attribute, negated, test)])
}

/// The attribute is true, as JsonLogic counts truth.
pub(super) fn truth(attribute: &str) -> Test {
    let falsehoods = [Value::Boolean(false), Value::Number(0.0), Value::Text(String::new())];
    let mut alternatives = vec![one_of(attribute, true, &falsehoods)];
    if attribute != TARGETING_KEY {
        let comparison = Some(Comparison::Greater(0.0));
        alternatives.push(condition(attribute, false, Ours::Size(NumberTest { comparison })));
        alternatives.push(of_type(attribute, AttributeType::Object));
    }
    any(alternatives)
}

/// `sem_ver`: holds, and is a version for which it does not hold; none if the operator or the version is none.
pub(super) fn version(attribute: &str, operator: &str, version: &str) -> Option<(Test, Test)> {
    let parts = Parts::of(version)?;
    let one = |comparison: VersionComparison, version: &str, negated| {
        let test = VersionTest {
            comparison: comparison.into(),
            version: version.into(),
        };
        condition(attribute, negated, Ours::Version(test))
    };
    let simple = |comparison, negated| {
        let holds = any(vec![one(comparison, version, negated)]);
        (holds, any(vec![one(comparison, version, !negated)]))
    };
    // The lowest version of all is the pre-release 0.
    let range = |from: String, to: String| {
        let within: All = vec![
            one(VersionComparison::GreaterOrEqual, &from, false),
            one(VersionComparison::Less, &to, false),
        ];
        let outside = any(vec![
            one(VersionComparison::Less, &from, false),
            one(VersionComparison::GreaterOrEqual, &to, false),
        ]);
        (Test::Any(vec![within]), outside)
    };
    let Parts { major, minor } = parts;
    Some(match operator {
        "=" => simple(VersionComparison::Equal, false),
        "!=" => simple(VersionComparison::Equal, true),
        "<" => simple(VersionComparison::Less, false),
        "<=" => simple(VersionComparison::LessOrEqual, false),
        ">" => simple(VersionComparison::Greater, false),
        ">=" => simple(VersionComparison::GreaterOrEqual, false),
        "^" => range(format!("{major}.0.0-0"), format!("{}.0.0-0", major.checked_add(1)?)),
        "~" => range(
            format!("{major}.{minor}.0-0"),
            format!("{major}.{}.0-0", minor.checked_add(1)?),
        ),
        _ => return None,
    })
}

/// The first two numbers of a version.
struct Parts {
    major: u64,
    minor: u64,
}

impl Parts {
    /// Of a version with one to three numbers, a leading v, a pre-release and build metadata.
    fn of(version: &str) -> Option<Self> {
        let version = version.strip_prefix(['v', 'V']).unwrap_or(version);
        let (core, after) = version.split_at(version.find(['-', '+']).unwrap_or(version.len()));
        let numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
        let (pre, build) = match after.split_once('+') {
            Some((pre, build)) => (pre, Some(build)),
            None => (after, None),
        };
        let identifiers = |text: &str| {
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            text.split('.').all(|part| !part.is_empty() && part.bytes().all(valid))
        };
        let leading_zero =
            |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
        let pre = pre.strip_prefix('-');
        let valid = pre.is_none_or(|pre| identifiers(pre) && !pre.split('.').any(leading_zero))
            && build.is_none_or(identifiers)
            && (1..=3).contains(&numbers.len());
        valid.then(|| Self {
            major: numbers[0],
            minor: numbers.get(1).copied().unwrap_or(0),
        })
    }
}

fn number(part: &str) -> Option<u64> {
    let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    part.parse().ok().filter(|_| plain)
}
