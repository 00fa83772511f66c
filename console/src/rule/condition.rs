//! One condition of a one-line rule.

use proto::v1::{
    Condition, DateTest, ExistsTest, ListQuantifier, ListTest, Literal, NetworkTest, NumberRange, NumberTest, OneOf,
    SegmentTest, TextTest, VariantTest, VersionTest, condition::Test, date_test, literal, number_test::Comparison,
};

use super::cursor::{Cursor, Place, Word};
use crate::condition_document::{type_of, version_test};

/// The comparisons, longer ones before those that they begin with.
const SYMBOLS: [&str; 9] = ["!=", "==", "<=", ">=", "=", "<", ">", "~", "^"];

/// Words that begin a condition without being an attribute.
pub(super) const RESERVED: [&str; 3] = ["not", "in_segment", "flag"];

/// Parses `[not] ATTRIBUTE OPERATOR VALUES`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Condition, String> {
    let negated = cursor.take_word("not");
    if cursor.take_word("in_segment") {
        let segments = texts(cursor)?;
        return Ok(condition("", negated, Test::InSegment(SegmentTest { segments })));
    }
    if cursor.take_word("flag") {
        let flag = cursor.word("a flag", Place::Attribute)?.text;
        cursor.expect("=", "after the flag")?;
        let variants = texts(cursor)?;
        return Ok(condition("", negated, Test::Variant(VariantTest { flag, variants })));
    }
    let attribute = cursor.word("an attribute", Place::Attribute)?.text;
    let Some(symbol) = take_symbol(cursor) else {
        let mut ahead = cursor.clone();
        return match ahead.word("an operator", Place::Attribute) {
            Ok(Word { text, quoted: false }) => {
                let before = cursor.clone();
                *cursor = ahead;
                let ignore_case = cursor.take_close("/i");
                let test = named(&text, ignore_case, cursor, &before)?;
                Ok(condition(&attribute, negated, test))
            }
            Ok(Word { quoted: true, .. }) | Err(_) => Err(cursor.expected("`=` after the attribute")),
        };
    };
    let (test, opposite) = compared(symbol, cursor)?;
    Ok(condition(&attribute, negated != opposite, test))
}

fn condition(attribute: &str, negated: bool, test: Test) -> Condition {
    Condition {
        attribute: attribute.into(),
        test: Some(test),
        negated,
    }
}

fn take_symbol(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    SYMBOLS.into_iter().find(|symbol| cursor.take(symbol))
}

/// A comparison by a symbol, and whether it says the opposite.
fn compared(symbol: &str, cursor: &mut Cursor<'_>) -> Result<(Test, bool), String> {
    let comparison = match symbol {
        "=" | "!=" => {
            let ignore_case = cursor.take_close("/i");
            let literals = literals(cursor)?;
            return Ok((Test::OneOf(OneOf { literals, ignore_case }), symbol == "!="));
        }
        "~" | "^" => return Err(format!("`{symbol}` compares versions; write `version {symbol}`")),
        "<" => Comparison::Less(number(cursor)?),
        "<=" => Comparison::LessOrEqual(number(cursor)?),
        ">" => Comparison::Greater(number(cursor)?),
        ">=" => Comparison::GreaterOrEqual(number(cursor)?),
        _ => Comparison::Equal(number(cursor)?),
    };
    Ok((Test::Number(number_test(comparison)), false))
}

/// A test by its name.
fn named(name: &str, ignore_case: bool, cursor: &mut Cursor<'_>, before: &Cursor<'_>) -> Result<Test, String> {
    let text_test = |cursor: &mut Cursor<'_>| {
        let texts = texts(cursor)?;
        Ok::<_, String>(TextTest { texts, ignore_case })
    };
    let list = |quantifier: ListQuantifier, cursor: &mut Cursor<'_>| {
        let literals = literals(cursor)?;
        Ok::<_, String>(Test::List(ListTest {
            quantifier: quantifier.into(),
            literals: Some(OneOf { literals, ignore_case }),
        }))
    };
    let date = |comparison| {
        Test::Date(DateTest {
            comparison: Some(comparison),
        })
    };
    let test = match name {
        "contains" => Test::Contains(text_test(cursor)?),
        "starts_with" => Test::StartsWith(text_test(cursor)?),
        "ends_with" => Test::EndsWith(text_test(cursor)?),
        "any_of" => list(ListQuantifier::Any, cursor)?,
        "all_of" => list(ListQuantifier::All, cursor)?,
        "none_of" => list(ListQuantifier::None, cursor)?,
        _ if ignore_case => return Err(format!("`/i` says nothing about `{name}`")),
        "matches" => Test::Matches(value(cursor)?),
        "between" => Test::Number(number_test(between(cursor)?)),
        "version" => Test::Version(version(cursor)?),
        "before" => date(date_test::Comparison::Before(value(cursor)?)),
        "after" => date(date_test::Comparison::After(value(cursor)?)),
        "in_network" => Test::InNetwork(NetworkTest {
            networks: texts(cursor)?,
        }),
        "exists" => Test::Exists(ExistsTest {}),
        "type_is" => {
            let word = value(cursor)?;
            let what = || format!("`{word}` is no type; text, number, boolean, list, object or null");
            Test::TypeIs(type_of(&word).ok_or_else(what)?.into())
        }
        "size" => Test::Size(number_test(size(cursor)?)),
        _ => return Err(before.expected("`=` or another operator after the attribute")),
    };
    Ok(test)
}

fn number_test(comparison: Comparison) -> NumberTest {
    NumberTest {
        comparison: Some(comparison),
    }
}

fn size(cursor: &mut Cursor<'_>) -> Result<Comparison, String> {
    if cursor.take_word("between") {
        return between(cursor);
    }
    Ok(match take_symbol(cursor) {
        Some("=" | "==") => Comparison::Equal(number(cursor)?),
        Some("<") => Comparison::Less(number(cursor)?),
        Some("<=") => Comparison::LessOrEqual(number(cursor)?),
        Some(">") => Comparison::Greater(number(cursor)?),
        Some(">=") => Comparison::GreaterOrEqual(number(cursor)?),
        Some(_) | None => return Err(cursor.expected("`=`, `<`, `<=`, `>`, `>=` or `between` after `size`")),
    })
}

fn between(cursor: &mut Cursor<'_>) -> Result<Comparison, String> {
    let from = number(cursor)?;
    cursor.expect(",", "between the two numbers")?;
    let to = number(cursor)?;
    Ok(Comparison::Between(NumberRange { from, to }))
}

fn version(cursor: &mut Cursor<'_>) -> Result<VersionTest, String> {
    let symbol = take_symbol(cursor).filter(|symbol| *symbol != "!=");
    let symbol = symbol.ok_or_else(|| cursor.expected("`=`, `<`, `<=`, `>`, `>=`, `~` or `^` after `version`"))?;
    let mut test = version_test(symbol);
    test.version = value(cursor)?;
    Ok(test)
}

fn value(cursor: &mut Cursor<'_>) -> Result<String, String> {
    Ok(cursor.word("a value", Place::Value)?.text)
}

fn texts(cursor: &mut Cursor<'_>) -> Result<Vec<String>, String> {
    let mut texts = vec![value(cursor)?];
    while cursor.take(",") {
        texts.push(value(cursor)?);
    }
    Ok(texts)
}

fn literals(cursor: &mut Cursor<'_>) -> Result<Vec<Literal>, String> {
    let mut literals = vec![literal(cursor.word("a value", Place::Value)?)];
    while cursor.take(",") {
        literals.push(literal(cursor.word("a value", Place::Value)?));
    }
    Ok(literals)
}

fn literal(word: Word) -> Literal {
    let kind = match (word.quoted, word.text.as_str()) {
        (false, "true") => literal::Kind::Boolean(true),
        (false, "false") => literal::Kind::Boolean(false),
        (false, text) => match shortest(text) {
            Some(number) => literal::Kind::Number(number),
            None => literal::Kind::Text(word.text),
        },
        (true, _) => literal::Kind::Text(word.text),
    };
    Literal { kind: Some(kind) }
}

/// A number only if it is written as numbers are shown: so `007`, `1.10` and ids beyond 2^53 stay text.
pub(super) fn shortest(text: &str) -> Option<f64> {
    text.parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && number.to_string() == text)
}

fn number(cursor: &mut Cursor<'_>) -> Result<f64, String> {
    let mut ahead = cursor.clone();
    let word = ahead.word("a number", Place::Value)?;
    match word.text.parse::<f64>() {
        Ok(number) if number.is_finite() && !word.quoted => {
            *cursor = ahead;
            Ok(number)
        }
        Ok(_) | Err(_) => Err(cursor.expected("a number")),
    }
}
