//! The words, numbers and signs of a limit, each with its place.
//!
//! Reads what stands right of a relation; a metric's name is not its business, because a name may hold digits and
//! hyphens. A place is a column: characters from the beginning of the whole text, counted from 1.

use super::{Currency, Problem, decimal};

/// One piece of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Where it begins.
    pub(super) column: usize,
    /// Its text.
    pub(super) text: &'a str,
    /// What it is.
    pub(super) kind: TokenKind,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Digits, in millionths.
    Number(u64),
    /// `x`, `ms`, `baseline-same-hour`.
    Word,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `%`
    Percent,
    /// `/`
    Slash,
    /// `$` and its like.
    Currency(Currency),
}

/// The column of a byte of a text.
pub(super) fn column(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count() + 1
}

/// The tokens of `text` from a byte on.
pub(super) fn tokens(text: &str, from: usize) -> Result<Vec<Token<'_>>, Problem> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let length = length(rest, first);
        let token = &rest[..length];
        let column = column(text, at);
        found.push(Token {
            column,
            text: token,
            kind: kind(token, first, column)?,
        });
        at += length;
    }
    Ok(found)
}

/// How many bytes the token that begins a text has.
fn length(rest: &str, first: char) -> usize {
    let run = |belongs: fn(char) -> bool| rest.find(|character| !belongs(character)).unwrap_or(rest.len());
    if first.is_ascii_digit() {
        run(|character| character.is_ascii_digit() || character == '.')
    } else if first.is_alphabetic() {
        run(|character| character.is_alphanumeric() || matches!(character, '-' | '_'))
    } else {
        first.len_utf8()
    }
}

fn kind(token: &str, first: char, column: usize) -> Result<TokenKind, Problem> {
    Ok(match first {
        digit if digit.is_ascii_digit() => match decimal::magnitude(token) {
            Some(millionths) => TokenKind::Number(millionths),
            None => {
                return Err(Problem::Number {
                    column,
                    found: token.to_owned(),
                });
            }
        },
        letter if letter.is_alphabetic() => TokenKind::Word,
        '×' => TokenKind::Word,
        '+' => TokenKind::Plus,
        '-' | '−' => TokenKind::Minus,
        '%' => TokenKind::Percent,
        '/' => TokenKind::Slash,
        '$' => TokenKind::Currency(Currency::USD),
        '€' => TokenKind::Currency(Currency::EUR),
        '£' => TokenKind::Currency(Currency::GBP),
        other => {
            return Err(Problem::Character { column, found: other });
        }
    })
}
