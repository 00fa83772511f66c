//! A rule in one line: `NAME: attribute=value[,value...] [and attribute=value...] -> variant`.
//!
//! Values without quotes are typed as in a document: `true` and `false` are booleans, numbers in their shortest form
//! are numbers, all else is text. Quotes make text of anything and allow spaces, `=`, `,`, `:` and `->` in words; in
//! them `\"` and `\\` stand for `"` and `\`. What `show` writes for a rule that serves a variant parses back to it.

use proto::v1;

use crate::print;

/// Parses one rule; the error says what was expected, and before what.
pub(crate) fn parse(text: &str) -> Result<v1::Rule, String> {
    rule(&mut Cursor { rest: text }).map_err(|problem| {
        format!("rule `{text}`: {problem}; write NAME: attribute=value[,value] [and attribute=value] -> variant")
    })
}

fn rule(cursor: &mut Cursor<'_>) -> Result<v1::Rule, String> {
    let name = cursor.word("a name", true)?.text;
    cursor.expect(":", "after the name")?;
    let mut conditions = vec![condition(cursor)?];
    while !cursor.take("->") {
        if !cursor.take_and() {
            return Err(cursor.expected("`and` or `->`"));
        }
        conditions.push(condition(cursor)?);
    }
    let variant = cursor.word("a variant", false)?.text;
    match cursor.rest.trim() {
        "" => Ok(v1::Rule {
            name,
            conditions,
            serve: Some(v1::Serve {
                kind: Some(v1::serve::Kind::Variant(variant)),
            }),
        }),
        _ => Err(cursor.expected("the end")),
    }
}

fn condition(cursor: &mut Cursor<'_>) -> Result<v1::Condition, String> {
    let attribute = cursor.word("an attribute", false)?.text;
    cursor.expect("=", "after the attribute")?;
    let mut literals = vec![literal(cursor.word("a value", false)?)];
    while cursor.take(",") {
        literals.push(literal(cursor.word("a value", false)?));
    }
    Ok(v1::Condition {
        attribute,
        test: Some(v1::condition::Test::OneOf(v1::OneOf { literals })),
    })
}

fn literal(word: Word) -> v1::Literal {
    let kind = match (word.quoted, word.text.as_str()) {
        (false, "true") => v1::literal::Kind::Boolean(true),
        (false, "false") => v1::literal::Kind::Boolean(false),
        (false, text) => match number(text) {
            Some(number) => v1::literal::Kind::Number(number),
            None => v1::literal::Kind::Text(word.text),
        },
        (true, _) => v1::literal::Kind::Text(word.text),
    };
    v1::Literal { kind: Some(kind) }
}

/// A number only if it is written as numbers are shown: so `007`, `1.10` and ids beyond 2^53 stay text.
fn number(text: &str) -> Option<f64> {
    text.parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && number.to_string() == text)
}

struct Word {
    text: String,
    quoted: bool,
}

struct Cursor<'t> {
    rest: &'t str,
}

impl Cursor<'_> {
    fn take(&mut self, symbol: &str) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_and(&mut self) -> bool {
        let rest = self.rest.trim_start();
        let found = rest
            .strip_prefix("and")
            .is_some_and(|after| after.starts_with(|c: char| c.is_whitespace() || c == '"'));
        found && self.take("and")
    }

    fn expect(&mut self, symbol: &str, place: &str) -> Result<(), String> {
        if self.take(symbol) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{symbol}` {place}")))
        }
    }

    fn expected(&self, what: &str) -> String {
        match self.rest.trim() {
            "" => format!("expected {what} at the end"),
            rest => format!("expected {what} before `{rest}`"),
        }
    }

    fn word(&mut self, what: &str, is_name: bool) -> Result<Word, String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let end = self
            .rest
            .find(|c| stops(c) || (is_name && c == ':'))
            .unwrap_or(self.rest.len());
        let end = self.rest.find("->").map_or(end, |arrow| arrow.min(end));
        if end == 0 {
            return Err(self.expected(what));
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Word {
            text: text.into(),
            quoted: false,
        })
    }

    fn quoted(&mut self) -> Result<Word, String> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Word { text, quoted: true });
                }
                '\\' => match letters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => return Err("in quotes, `\\` stands only before `\"` or `\\`".into()),
                },
                _ => text.push(letter),
            }
        }
        Err(format!("the quotes are not closed in `{}`", self.rest))
    }
}

fn stops(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '=' | ',' | '"')
}

/// The rule in one line. A split or the caller's default is shown in words, which `parse` does not take.
pub(crate) fn show(rule: &v1::Rule) -> String {
    let conditions: Vec<String> = rule.conditions.iter().map(show_condition).collect();
    let serve = match rule.serve.as_ref().and_then(|serve| serve.kind.as_ref()) {
        Some(v1::serve::Kind::Variant(variant)) => word(variant, false),
        _ => print::serve(rule.serve.as_ref()),
    };
    format!("{}: {} -> {serve}", word(&rule.name, true), conditions.join(" and "))
}

fn show_condition(condition: &v1::Condition) -> String {
    let literals = match &condition.test {
        Some(v1::condition::Test::OneOf(one_of)) => {
            one_of.literals.iter().map(show_literal).collect::<Vec<_>>().join(",")
        }
        None => "?".into(),
    };
    format!("{}={literals}", word(&condition.attribute, false))
}

fn show_literal(literal: &v1::Literal) -> String {
    match &literal.kind {
        Some(v1::literal::Kind::Text(text)) if matches!(text.as_str(), "true" | "false") || number(text).is_some() => {
            quote(text)
        }
        Some(v1::literal::Kind::Text(text)) => word(text, false),
        Some(v1::literal::Kind::Number(number)) => number.to_string(),
        Some(v1::literal::Kind::Boolean(boolean)) => boolean.to_string(),
        None => "?".into(),
    }
}

fn word(text: &str, is_name: bool) -> String {
    let special = text.is_empty() || text.contains(stops) || text.contains("->") || (is_name && text.contains(':'));
    if special { quote(text) } else { text.into() }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests;
