//! Conditions and rules for tests: one line each, so that a test reads as what it tests.

use proto::v1::{self, condition::Test};

/// A test of an attribute.
pub fn condition(attribute: &str, test: Test) -> v1::Condition {
    v1::Condition {
        attribute: attribute.to_owned(),
        test: Some(test),
        negated: false,
    }
}

/// The same condition, negated.
pub fn not(condition: v1::Condition) -> v1::Condition {
    v1::Condition {
        negated: !condition.negated,
        ..condition
    }
}

/// A rule of several conditions.
pub fn rule(name: &str, conditions: &[v1::Condition], serve: v1::Serve) -> v1::Rule {
    v1::Rule {
        name: name.to_owned(),
        conditions: conditions.to_vec(),
        serve: Some(serve),
        salt: String::new(),
    }
}

/// Equals one of some texts.
pub fn one_of(texts: &[&str]) -> Test {
    Test::OneOf(literals(texts))
}

/// Equals one of some texts, whatever their case.
pub fn one_of_any_case(texts: &[&str]) -> Test {
    Test::OneOf(v1::OneOf {
        ignore_case: true,
        ..literals(texts)
    })
}

/// Texts as literals.
pub fn literals(texts: &[&str]) -> v1::OneOf {
    let literal = |text: &&str| v1::Literal {
        kind: Some(v1::literal::Kind::Text((*text).to_owned())),
    };
    v1::OneOf {
        literals: texts.iter().map(literal).collect(),
        ignore_case: false,
    }
}

/// Ends with one of some texts, whatever their case.
pub fn ends_with(texts: &[&str]) -> Test {
    Test::EndsWith(v1::TextTest {
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        ignore_case: true,
    })
}

/// A number that is not less.
pub fn at_least(number: f64) -> v1::NumberTest {
    v1::NumberTest {
        comparison: Some(v1::number_test::Comparison::GreaterOrEqual(number)),
    }
}

/// A version that compares so.
pub fn version(comparison: v1::VersionComparison, version: &str) -> Test {
    Test::Version(v1::VersionTest {
        comparison: comparison.into(),
        version: version.to_owned(),
    })
}

/// An earlier date.
pub fn before(date: &str) -> Test {
    Test::Date(v1::DateTest {
        comparison: Some(v1::date_test::Comparison::Before(date.to_owned())),
    })
}

/// An address in one of some networks.
pub fn in_network(networks: &[&str]) -> Test {
    Test::InNetwork(v1::NetworkTest {
        networks: networks.iter().map(|network| (*network).to_owned()).collect(),
    })
}

/// A list of which so many elements are among some texts.
pub fn list(quantifier: v1::ListQuantifier, texts: &[&str]) -> Test {
    Test::List(v1::ListTest {
        quantifier: quantifier.into(),
        literals: Some(literals(texts)),
    })
}

/// In a segment; it looks at no attribute.
pub fn in_segment(segment: &str) -> v1::Condition {
    let segments = vec![segment.to_owned()];
    condition("", Test::InSegment(v1::SegmentTest { segments }))
}

/// Another flag serves a variant; it looks at no attribute.
pub fn serves(flag: &str, variant: &str) -> v1::Condition {
    let (flag, variants) = (flag.to_owned(), vec![variant.to_owned()]);
    condition("", Test::Variant(v1::VariantTest { flag, variants }))
}
