//! A rule in one line: `NAME: CONDITION [and CONDITION]... -> SERVE`.
//!
//! ```text
//! eu: country=DE,AT and paying=true -> on
//! staff: email ends_with/i @example.org and not role=guest -> on
//! big: seats >= 100 and app version >=1.4 -> on 25%, off 75%
//! beta: in_segment beta-testers and flag checkout=on -> none
//! ```
//! A condition is `[not] ATTRIBUTE OPERATOR VALUE[,VALUE]`. Operators: `=` `!=` (one of), `==` `<` `<=` `>` `>=` and
//! `between 1,5` (numbers), `contains` `starts_with` `ends_with` `matches`, `version` with `=` `<` `<=` `>` `>=` `~` `^`,
//! `before` `after`, `in_network`, `type_is`, `any_of` `all_of` `none_of` and `size` (lists), `exists`. Without an
//! attribute: `in_segment KEY[,KEY]` and `flag KEY=VARIANT[,VARIANT]`. `/i` after an operator ignores case.
//!
//! Values of `=`, `any_of`, `all_of`, `none_of` are typed as in a document: `true` and `false` are booleans, numbers in
//! their shortest form are numbers, all else is text. Quotes make text of anything and allow any character in a word; in
//! them `\"` and `\\` stand for `"` and `\`. What `show` writes parses back to the same rule, save its salt and ranges.

mod condition;
mod cursor;
mod show;

use evaluation::Buckets;
use proto::v1::{self, serve};

use self::cursor::{Cursor, Place};
pub(crate) use self::show::{show, show_condition};

/// How a rule is written, in a line.
const FORM: &str = "write NAME: attribute=value[,value] [and CONDITION] -> variant";

/// Parses one rule; the error says what was expected, and before what.
pub(crate) fn parse(text: &str) -> Result<v1::Rule, String> {
    rule(&mut Cursor::new(text)).map_err(|problem| format!("rule `{text}`: {problem}; {FORM}"))
}

/// Parses conditions alone: `country=DE and paying=true`.
pub(crate) fn parse_conditions(text: &str) -> Result<Vec<v1::Condition>, String> {
    let mut cursor = Cursor::new(text);
    let parse = |cursor: &mut Cursor<'_>| {
        let mut conditions = vec![condition::parse(cursor)?];
        while !cursor.is_empty() {
            if !cursor.take_word("and") {
                return Err(cursor.expected("`and`"));
            }
            conditions.push(condition::parse(cursor)?);
        }
        Ok(conditions)
    };
    parse(&mut cursor)
        .map_err(|problem| format!("conditions `{text}`: {problem}; write attribute=value[,value] [and CONDITION]"))
}

fn rule(cursor: &mut Cursor<'_>) -> Result<v1::Rule, String> {
    let name = cursor.word("a name", Place::Name)?.text;
    cursor.expect(":", "after the name")?;
    let mut conditions = vec![condition::parse(cursor)?];
    while !cursor.take("->") {
        if !cursor.take_word("and") {
            return Err(cursor.expected("`and` or `->`"));
        }
        conditions.push(condition::parse(cursor)?);
    }
    let serve = parse_serve(cursor)?;
    if !cursor.is_empty() {
        return Err(cursor.expected("the end"));
    }
    Ok(v1::Rule {
        name,
        conditions,
        serve: Some(v1::Serve { kind: Some(serve) }),
        salt: String::new(),
    })
}

/// `on`, `none`, or `on 25%, off 75%`.
fn parse_serve(cursor: &mut Cursor<'_>) -> Result<serve::Kind, String> {
    let first = cursor.word("a variant", Place::Value)?;
    if cursor.is_empty() {
        return Ok(match (first.quoted, first.text.as_str()) {
            (false, "none") => serve::Kind::CallerDefault(v1::CallerDefault {}),
            (_, _) => serve::Kind::Variant(first.text),
        });
    }
    let Some(buckets) = percent(cursor)? else {
        return Err(cursor.expected("the end"));
    };
    let mut shares = vec![v1::Share {
        variant: first.text,
        buckets,
    }];
    while cursor.take(",") {
        let variant = cursor.word("a variant", Place::Value)?.text;
        let buckets = percent(cursor)?.ok_or_else(|| cursor.expected("its percentage"))?;
        shares.push(v1::Share { variant, buckets });
    }
    Ok(serve::Kind::Split(v1::Split {
        shares,
        ranges: Vec::new(),
    }))
}

/// `25%` or `2.5 %`, if the next word is one.
fn percent(cursor: &mut Cursor<'_>) -> Result<Option<u32>, String> {
    let mut ahead = cursor.clone();
    let Ok(word) = ahead.word("a percentage", Place::Value) else {
        return Ok(None);
    };
    let text = match word.text.strip_suffix('%') {
        Some(text) => text.to_owned(),
        None if ahead.take("%") => word.text,
        None => return Ok(None),
    };
    let buckets = Buckets::parse_percent(&text).map_err(|error| format!("{text}%: {error}"))?;
    *cursor = ahead;
    Ok(Some(buckets.get()))
}

#[cfg(test)]
mod tests;
