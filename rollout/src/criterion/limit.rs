//! What stands right of a relation: a limit, and perhaps a window.
//!
//! Reads token by token and never backs up over more than a sign. Every form of a relative limit becomes one value
//! here ([`Limit::Times`]), exactly or not at all.

use super::lexer::{Token, TokenKind, column, tokens};
use super::{Base, Decimal, Limit, Number, Problem, Written};
use crate::Micros;

/// Hundred-millionths of a microsecond in a second: windows are whole seconds.
const SECOND_PARTS: i128 = 1_000_000 * MICROSECOND_PARTS;
/// Hundred-millionths in a microsecond.
const MICROSECOND_PARTS: i128 = 100_000_000;

/// Reads a limit and a window from tokens.
pub(super) struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    /// The column after the last character.
    end: usize,
}

impl<'a> Parser<'a> {
    /// Reads `text` from a byte on.
    pub(super) fn new(text: &'a str, from: usize) -> Result<Self, Problem> {
        Ok(Parser {
            tokens: tokens(text, from)?,
            next: 0,
            end: column(text, text.len()),
        })
    }

    /// The limit.
    pub(super) fn limit(&mut self) -> Result<Limit, Problem> {
        let column = self.column();
        if let Some(base) = self.named_base() {
            return match self.sum(base)? {
                Some(limit) => Ok(limit),
                None => Ok(Limit::Times {
                    base,
                    factor: Decimal::ONE,
                }),
            };
        }
        let (signed, value) = self.value()?;
        if self.word(&["x", "×", "times"]) {
            let base = self.base()?;
            return Ok(Limit::Times { base, factor: value });
        }
        let number = self.with_unit(value);
        if self.word(&["of"]) {
            return self.part(number, column);
        }
        if self.word(&["against", "versus", "vs"]) {
            let base = self.base()?;
            return if signed {
                change(number, base, column)
            } else {
                Err(Problem::Unsigned { column, base })
            };
        }
        let sum = self.sum(Base::Fixed(number))?;
        Ok(sum.unwrap_or(Limit::Absolute(number)))
    }

    /// A window if there is one, and then the end.
    pub(super) fn window(&mut self) -> Result<Option<Micros>, Problem> {
        let mut window = None;
        if self.word(&["in", "within", "per"]) {
            let column = self.column();
            // `per day`, `in an hour`: one of them.
            let value = if self.kind() == Some(TokenKind::Word) {
                self.word(&["a", "an", "any"]);
                Decimal::ONE
            } else {
                let value = self
                    .value()
                    .map_err(|problem| missing_as(problem, Problem::Window { column }))?;
                value.1
            };
            window = Some(length(self.with_unit(value)).ok_or(Problem::Window { column })?);
        }
        match self.peek() {
            Some(token) => Err(Problem::Surplus {
                column: token.column,
                found: token.text.to_owned(),
            }),
            None => Ok(window),
        }
    }

    /// `95 % of control`, once `of` is read.
    fn part(&mut self, number: Number, column: usize) -> Result<Limit, Problem> {
        if number.written != Written::Percent {
            return Err(Problem::NotPercent { column });
        }
        let base = self.base()?;
        let factor = hundredth(number.value, column)?;
        Ok(Limit::Times { base, factor })
    }

    /// A base with something on top, if a sign follows.
    fn sum(&mut self, base: Base) -> Result<Option<Limit>, Problem> {
        if !matches!(self.kind(), Some(TokenKind::Plus | TokenKind::Minus)) {
            return Ok(None);
        }
        let (_, value) = self.value()?;
        let add = self.with_unit(value);
        Ok(Some(Limit::Plus { base, add }))
    }

    fn base(&mut self) -> Result<Base, Problem> {
        if let Some(base) = self.named_base() {
            return Ok(base);
        }
        let column = self.column();
        let (_, value) = self
            .value()
            .map_err(|problem| missing_as(problem, Problem::Base { column }))?;
        Ok(Base::Fixed(self.with_unit(value)))
    }

    fn named_base(&mut self) -> Option<Base> {
        self.word(&["the"]);
        if self.word(&["control"]) {
            Some(Base::Control)
        } else if self.word(&["baseline-same-hour", "baseline_same_hour"]) {
            Some(Base::BaselineSameHour)
        } else if self.word(&["baseline"]) {
            let following: Vec<&str> = self.tokens[self.next..]
                .iter()
                .take(2)
                .map(|token| token.text)
                .collect();
            if following != ["same", "hour"] {
                return Some(Base::Baseline);
            }
            self.next += 2;
            Some(Base::BaselineSameHour)
        } else {
            None
        }
    }

    /// A sign if there is one, a currency's sign if there is one, and digits. The flag says whether a sign was written.
    fn value(&mut self) -> Result<(bool, Decimal), Problem> {
        let negative = self.kind() == Some(TokenKind::Minus);
        let signed = negative || self.kind() == Some(TokenKind::Plus);
        self.next += usize::from(signed);
        self.next += usize::from(matches!(self.kind(), Some(TokenKind::Currency(_))));
        let column = self.column();
        let Some(Token {
            text,
            kind: TokenKind::Number(magnitude),
            ..
        }) = self.peek()
        else {
            let write = "a number with its unit, or a base: 1 %, 900 ms, 2x baseline, baseline + 0.2 points";
            return Err(Problem::Missing { column, write });
        };
        self.next += 1;
        match Decimal::signed(negative, magnitude) {
            Some(value) => Ok((signed, value)),
            None => Err(Problem::Number {
                column,
                found: text.to_owned(),
            }),
        }
    }

    /// The number just read, with the unit before or after it.
    fn with_unit(&mut self, value: Decimal) -> Number {
        let before = self.next.checked_sub(2).and_then(|at| self.tokens.get(at));
        let written = match before.map(|token| token.kind) {
            Some(TokenKind::Currency(currency)) => Written::Money(currency),
            _ => self.unit(),
        };
        Number { value, written }
    }

    /// The unit that is next; plain if none is.
    fn unit(&mut self) -> Written {
        let Some(token) = self.peek() else {
            return Written::Plain;
        };
        let after = self.tokens.get(self.next + 1).map(|token| token.text);
        let (written, length) = match (token.text, after) {
            ("%", _) => (Some(Written::Percent), 1),
            ("/", Some("s")) | ("per", Some("second")) => (Some(Written::PerSecond), 2),
            ("percentage", Some("points" | "point")) => (Some(Written::Points), 2),
            (word, _) => (Written::from_word(word), 1),
        };
        if written.is_some() {
            self.next += length;
        }
        written.unwrap_or(Written::Plain)
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).copied()
    }

    fn kind(&self) -> Option<TokenKind> {
        self.peek().map(|token| token.kind)
    }

    /// Reads one of these words if it is next.
    fn word(&mut self, words: &[&str]) -> bool {
        let found = self
            .peek()
            .is_some_and(|token| words.iter().any(|word| token.text.eq_ignore_ascii_case(word)));
        self.next += usize::from(found);
        found
    }

    fn column(&self) -> usize {
        self.peek().map_or(self.end, |token| token.column)
    }
}

/// `-5 % against control`: a change of the base.
fn change(number: Number, base: Base, column: usize) -> Result<Limit, Problem> {
    if number.written != Written::Percent {
        return Ok(Limit::Plus { base, add: number });
    }
    let part = hundredth(number.value, column)?;
    // A hundredth of an i64 is far from its ends, so that adding one to it cannot overflow.
    let factor = Decimal::from_millionths(Decimal::ONE.millionths() + part.millionths());
    Ok(Limit::Times { base, factor })
}

/// A percentage as a factor; refused if that takes more than six places.
fn hundredth(percent: Decimal, column: usize) -> Result<Decimal, Problem> {
    if percent.millionths() % 100 != 0 {
        return Err(Problem::Places { column });
    }
    Ok(Decimal::from_millionths(percent.millionths() / 100))
}

/// A length of time in microseconds: whole seconds, above zero.
fn length(number: Number) -> Option<Micros> {
    let parts = number.parts();
    if !number.written.is_time() || parts <= 0 || parts % SECOND_PARTS != 0 {
        return None;
    }
    Micros::try_from(parts / MICROSECOND_PARTS).ok()
}

/// A number that is missing here means something else than elsewhere.
fn missing_as(problem: Problem, instead: Problem) -> Problem {
    if matches!(problem, Problem::Missing { .. }) {
        instead
    } else {
        problem
    }
}
