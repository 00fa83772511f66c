//! A condition as written: one test of one attribute of the context. Nothing here is checked.
//!
//! Types never convert: a text equals a text only, a number a number. The compiled form is in `test`, which has one file
//! for each family of tests.

/// One test of one attribute, or of the whole context, as written.
///
/// An attribute that is missing, or of a type that the test is not about, meets no condition, negated or not. Only
/// `Exists`, `InSegment` and `Variant` have an answer for every context.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The attribute's name or path, 1 to 200 bytes; `targetingKey` is the targeting key. A name that the context does
    /// not have whole is a path into nested objects: `address.country`. Empty for `InSegment` and `Variant`.
    pub attribute: String,
    /// The condition holds if the test does not.
    pub negated: bool,
    /// What is tested.
    pub test: Test,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A text, number or boolean: it equals one of the literals. With one literal: equals.
    OneOf(OneOf),
    /// A text: one of the texts is a part of it.
    Text {
        /// Which part.
        part: TextPart,
        /// 1 to 10,000, not empty.
        texts: Vec<String>,
        /// Compared in Unicode lower case.
        ignore_case: bool,
    },
    /// A text: it has a match of this regular expression; at most 1,024 bytes.
    Matches(String),
    /// A number: it compares so.
    Number(NumberTest),
    /// A text that is a version: it compares so.
    Version {
        /// How.
        comparison: VersionComparison,
        /// With what.
        version: String,
    },
    /// A date, as a text of RFC 3339 or a number of seconds since 1970 UTC: it compares so.
    Date {
        /// How.
        comparison: DateComparison,
        /// With what: RFC 3339, or a date alone for its first moment in UTC.
        date: String,
    },
    /// A text that is an IP address: it is in one of these networks in CIDR notation; 1 to 10,000.
    InNetwork(Vec<String>),
    /// Anything: it is there and not null.
    Exists,
    /// Anything that is there: it is of this type.
    TypeIs(AttributeType),
    /// A list: so many of its elements are among the literals.
    List {
        /// How many.
        quantifier: Quantifier,
        /// The literals.
        literals: OneOf,
    },
    /// A list: the number of its elements compares so.
    Size(NumberTest),
    /// The context: it is in one of these segments; 1 to 100.
    InSegment(Vec<String>),
    /// The context: another flag of the environment serves it one of these variants.
    Variant {
        /// The flag's key.
        flag: String,
        /// Names of its variants; 1 to 100.
        variants: Vec<String>,
    },
}

/// A set of literals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OneOf {
    /// 1 to 10,000.
    pub literals: Vec<Literal>,
    /// Texts are compared in Unicode lower case.
    pub ignore_case: bool,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPart {
    /// Anywhere.
    Contains,
    /// At the beginning.
    StartsWith,
    /// At the end.
    EndsWith,
}

/// How a number compares; all numbers are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NumberTest {
    /// Equal.
    Equal(f64),
    /// Less.
    Less(f64),
    /// Less or equal.
    LessOrEqual(f64),
    /// Greater.
    Greater(f64),
    /// Greater or equal.
    GreaterOrEqual(f64),
    /// From the first to the second, both included.
    Between(f64, f64),
}

/// How versions compare: Semantic Versioning 2.0.0, build metadata ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionComparison {
    /// =
    Equal,
    /// <
    Less,
    /// <=
    LessOrEqual,
    /// >
    Greater,
    /// >=
    GreaterOrEqual,
    /// ~: not less, and of the same major and minor.
    Tilde,
    /// ^: not less, and compatible: the same leftmost part that is not zero.
    Caret,
}

/// How dates compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateComparison {
    /// Earlier.
    Before,
    /// Later.
    After,
}

/// What an attribute can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// An object.
    Object,
    /// null.
    Null,
}

/// How many elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Any,
    /// Every one; an empty list passes.
    All,
    /// None; an empty list passes.
    NoneOf,
}

/// A value that an attribute is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Equal as UTF-8 bytes; at most 64 KiB.
    Text(String),
    /// Equal as an IEEE 754 double; finite.
    Number(f64),
    /// Equal as a boolean.
    Boolean(bool),
}
