//! What a request spent on generated answers, and how these were judged: values for the metrics of its rollouts.
//!
//! A request may call several models. Their tokens add up; of their first tokens the latest counts, because somebody
//! waited for it; every judgement counts by itself. A span that only sums up what others did in the same process (an
//! agent, a workflow) is passed over, or its tokens would count twice.

use std::borrow::Cow;

use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value},
    trace::v1::span::SpanKind,
};

use super::{attributes, dropped::Dropped, names};

/// The value of tokens, read and written.
const TOKENS: &str = "tokens-per-query";
/// The value of the time until the first token, in microseconds.
const FIRST_TOKEN: &str = "time-to-first-token";
/// The value of an answer that was made up.
const HALLUCINATION: &str = "hallucination-rate";
/// The longest key of a value.
const KEY: usize = 200;
/// What a span does that only holds others together.
const HOLDING: [&str; 4] = ["invoke_agent", "invoke_workflow", "create_agent", "execute_tool"];
/// A judge's words for an answer that was made up, and for one that was not.
const BAD: [&str; 7] = ["hallucinated", "hallucination", "fail", "failed", "true", "yes", "1"];
const GOOD: [&str; 8] = [
    "not_hallucinated",
    "factual",
    "faithful",
    "pass",
    "passed",
    "false",
    "no",
    "0",
];

/// A number for a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// The key of the value.
    pub(super) key: Cow<'static, str>,
    /// Finite.
    pub(super) number: f64,
    /// What becomes of several in one request.
    pub(super) together: Together,
}

/// What becomes of several numbers of one key in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    /// They add up.
    Sum,
    /// The largest counts.
    Largest,
    /// Each counts.
    Each,
}

/// What attributes say of a model's answer.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    operation: Option<&'a str>,
    input: Option<f64>,
    output: Option<f64>,
    first_token_s: Option<f64>,
    /// Amounts that are none.
    pub(super) wrong: u64,
}

impl<'a> Said<'a> {
    /// Looks at one attribute of a span.
    pub(super) fn attribute(&mut self, key: &str, value: &'a Value) {
        match key {
            names::OPERATION => self.operation = attributes::text(value),
            names::INPUT_TOKENS => self.input = self.amount(value).or(self.input),
            names::OLDER_INPUT_TOKENS => self.input = self.input.or(self.amount(value)),
            names::OUTPUT_TOKENS => self.output = self.amount(value).or(self.output),
            names::OLDER_OUTPUT_TOKENS => self.output = self.output.or(self.amount(value)),
            _ if names::FIRST_TOKEN.contains(&key) => {
                self.first_token_s = self.first_token_s.or(self.amount(value));
            }
            _ => {}
        }
    }

    /// A finite number that is not negative.
    fn amount(&mut self, value: &Value) -> Option<f64> {
        let amount = attributes::number(value).filter(|number| *number >= 0.0);
        self.wrong += u64::from(amount.is_none());
        amount
    }

    /// The values of a span of this kind.
    pub(super) fn values(&self, kind: SpanKind) -> impl Iterator<Item = Measured> {
        let holds = kind != SpanKind::Client && self.operation.is_some_and(|operation| HOLDING.contains(&operation));
        let tokens = match (self.input, self.output) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0.0) + output.unwrap_or(0.0)),
        };
        let tokens = tokens.map(|number| value(TOKENS, number, Together::Sum));
        let first = self.first_token_s.map(|seconds| seconds * 1e6);
        let first = first.map(|number| value(FIRST_TOKEN, number, Together::Largest));
        tokens.into_iter().chain(first).filter(move |_| !holds)
    }
}

/// The value of a judge's result.
pub(super) fn judged(attributes: &[KeyValue]) -> Result<Measured, Dropped> {
    let (mut name, mut score, mut label) = (None, None, None);
    for (key, value) in attributes::each(attributes) {
        match key {
            names::RESULT_NAME => name = attributes::text(value),
            names::RESULT_SCORE => score = attributes::number(value),
            names::RESULT_LABEL => label = attributes::text(value),
            _ => {}
        }
    }
    let key = name.and_then(key).ok_or(Dropped::Judgement)?;
    let (key, number) = match key.as_str() {
        "hallucination" | HALLUCINATION => (Cow::Borrowed(HALLUCINATION), score.or_else(|| made_up(label?))),
        _ => (Cow::Owned(key), score),
    };
    let number = number.ok_or(Dropped::Judgement)?;
    Ok(Measured {
        key,
        number,
        together: Together::Each,
    })
}

/// What a judge's word is worth where it was asked whether an answer was made up.
fn made_up(label: &str) -> Option<f64> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| label.eq_ignore_ascii_case(word));
    match (is_one_of(&BAD), is_one_of(&GOOD)) {
        (true, _) => Some(1.0),
        (_, true) => Some(0.0),
        (false, false) => None,
    }
}

/// The key of a value that is called so: in small letters, a dash for a space or a line.
fn key(name: &str) -> Option<String> {
    let letter = |letter: char| match letter {
        ' ' | '_' => '-',
        letter => letter.to_ascii_lowercase(),
    };
    let key: String = name.chars().take(KEY + 1).map(letter).collect();
    (1..=KEY).contains(&key.len()).then_some(key)
}

fn value(key: &'static str, number: f64, together: Together) -> Measured {
    Measured {
        key: Cow::Borrowed(key),
        number,
        together,
    }
}

#[cfg(test)]
mod tests;
