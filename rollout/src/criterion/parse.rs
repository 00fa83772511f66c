//! From text to a criterion.
//!
//! The relation splits the text: a metric's name on its left, which may be several words, a limit and perhaps a window
//! on its right. Without a relation the text is a sentence or a change (`revenue -5 % against control`). Whether the
//! limit suits the metric is for the check to say.

use std::str::FromStr;

use super::lexer::column;
use super::limit::Parser;
use super::{Base, Comparison, Criterion, Limit, Number, Problem, Relation, Written, sentence};
use crate::catalogue::MetricKey;

/// Relations in words, in the order in which they are looked for.
const WORDED: [(&[&str], Relation); 12] = [
    (&["no", "more", "than"], Relation::AtMost),
    (&["no", "less", "than"], Relation::AtLeast),
    (&["is", "below"], Relation::Below),
    (&["is", "above"], Relation::Above),
    (&["at", "most"], Relation::AtMost),
    (&["at", "least"], Relation::AtLeast),
    (&["less", "than"], Relation::Below),
    (&["more", "than"], Relation::Above),
    (&["below"], Relation::Below),
    (&["under"], Relation::Below),
    (&["above"], Relation::Above),
    (&["over"], Relation::Above),
];

impl FromStr for Criterion {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.trim().is_empty() {
            return Err(Problem::Empty);
        }
        let (name_end, relation, limit_from) = match signed_relation(text)? {
            Some(found) => found,
            None => match sentence::read(text) {
                Some(criterion) => return criterion,
                None => match worded_relation(text) {
                    Some(found) => found,
                    None => return change(text),
                },
            },
        };
        let metric = metric(text, name_end)?;
        let mut parser = Parser::new(text, limit_from)?;
        let limit = parser.limit()?;
        let window = parser.window()?;
        Ok(Criterion::Compare(Comparison {
            metric,
            relation,
            limit,
            window,
        }))
    }
}

/// A value by itself, with its unit: `890 ms`, `0.8 %`.
impl FromStr for Number {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.trim().is_empty() {
            return Err(Problem::Empty);
        }
        let mut parser = Parser::new(text, 0)?;
        match (parser.limit()?, parser.window()?) {
            (Limit::Absolute(number), None) if !number.value.is_negative() => Ok(number),
            _ => Err(Problem::Value { text: text.to_owned() }),
        }
    }
}

/// Where the name ends, which relation follows and where the limit begins.
type Split = (usize, Relation, usize);

fn signed_relation(text: &str) -> Result<Option<Split>, Problem> {
    let Some(at) = text.find(['<', '>', '≤', '≥', '=', '!']) else {
        return Ok(None);
    };
    let rest = &text[at..];
    let signs = [
        ("<=", Relation::AtMost),
        (">=", Relation::AtLeast),
        ("≤", Relation::AtMost),
        ("≥", Relation::AtLeast),
        ("<", Relation::Below),
        (">", Relation::Above),
    ];
    match signs.iter().find(|(sign, _)| rest.starts_with(sign)) {
        Some((sign, relation)) => Ok(Some((at, *relation, at + sign.len()))),
        None => Err(Problem::Relation {
            column: column(text, at),
        }),
    }
}

fn worded_relation(text: &str) -> Option<Split> {
    let words = words(text);
    for start in 1..words.len() {
        for (relation_words, relation) in &WORDED {
            let Some(candidate) = words.get(start..start + relation_words.len()) else {
                continue;
            };
            let same = candidate
                .iter()
                .zip(*relation_words)
                .all(|((_, word), wanted)| word.eq_ignore_ascii_case(wanted));
            if let (true, Some((first, _)), Some((last, word))) = (same, candidate.first(), candidate.last()) {
                return Some((*first, *relation, last + word.len()));
            }
        }
    }
    None
}

/// `revenue -5 % against control`: a change is a relation and a limit in one.
fn change(text: &str) -> Result<Criterion, Problem> {
    let begins = |(_, word): &&(usize, &str)| word.starts_with(['+', '-', '−']);
    let words = words(text);
    let Some((at, word)) = words.iter().skip(1).find(begins) else {
        return Err(Problem::Relation {
            column: column(text, text.trim_end().len()),
        });
    };
    let relation = if word.starts_with('+') {
        Relation::Above
    } else {
        Relation::Below
    };
    let metric = metric(text, *at)?;
    let mut parser = Parser::new(text, *at)?;
    let limit = match parser.limit()? {
        // guard.md 10: points by themselves are on top of the captured baseline.
        Limit::Absolute(add) if add.written == Written::Points => Limit::Plus {
            base: Base::Baseline,
            add,
        },
        relative @ (Limit::Times { .. } | Limit::Plus { .. }) => relative,
        Limit::Absolute(_) => {
            return Err(Problem::Change {
                column: column(text, *at),
            });
        }
    };
    let window = parser.window()?;
    Ok(Criterion::Compare(Comparison {
        metric,
        relation,
        limit,
        window,
    }))
}

fn metric(text: &str, end: usize) -> Result<MetricKey, Problem> {
    let name = &text[..end];
    MetricKey::new(name).map_err(|error| Problem::Metric {
        column: column(text, end - name.trim_start().len()),
        error,
    })
}

/// The words of a text, each with the byte at which it begins.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if !word.is_empty() {
            found.push((at, word));
        }
        at += piece.len();
    }
    found
}
