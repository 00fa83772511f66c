#![allow(clippy::unwrap_used)]

use super::*;
use crate::health::otlp::samples::{double, number, text};

fn values(kind: SpanKind, attributes: Vec<KeyValue>) -> Vec<(String, f64)> {
    let mut said = Said::default();
    attributes::each(&attributes).for_each(|(key, value)| said.attribute(key, value));
    said.values(kind)
        .map(|value| (value.key.into_owned(), value.number))
        .collect()
}

fn tokens(number: f64) -> Vec<(String, f64)> {
    vec![(TOKENS.to_owned(), number)]
}

#[test]
fn tokens_read_and_written_add_up_under_their_current_and_older_names() {
    let of = |attributes| values(SpanKind::Client, attributes);
    let current = [
        number("gen_ai.usage.input_tokens", 100),
        number("gen_ai.usage.output_tokens", 20),
    ];
    let older = [
        number("gen_ai.usage.prompt_tokens", 7),
        number("gen_ai.usage.completion_tokens", 1),
    ];
    assert_eq!(of(current.to_vec()), tokens(120.0));
    assert_eq!(of(older.to_vec()), tokens(8.0));
    assert_eq!(of([older, current].concat()), tokens(120.0), "they are the same tokens");
    assert_eq!(of(vec![number("gen_ai.usage.output_tokens", 3)]), tokens(3.0));
    assert_eq!(of(vec![number("gen_ai.usage.output_tokens", -3)]), []);
    assert_eq!(of(vec![text("gen_ai.usage.output_tokens", "many")]), []);
}

#[test]
fn a_span_that_holds_others_together_would_count_their_tokens_twice() {
    let agent = vec![
        text("gen_ai.operation.name", "invoke_agent"),
        number("gen_ai.usage.input_tokens", 100),
    ];
    assert_eq!(values(SpanKind::Internal, agent.clone()), []);
    assert_eq!(values(SpanKind::Client, agent), tokens(100.0), "an agent elsewhere");
    let chat = vec![
        text("gen_ai.operation.name", "chat"),
        number("gen_ai.usage.input_tokens", 100),
    ];
    assert_eq!(values(SpanKind::Internal, chat), tokens(100.0));
}

#[test]
fn the_time_to_the_first_token_is_told_in_microseconds() {
    for name in names::FIRST_TOKEN {
        let first = vec![(FIRST_TOKEN.to_owned(), 250_000.0)];
        assert_eq!(values(SpanKind::Client, vec![double(name, 0.25)]), first, "{name}");
        assert_eq!(values(SpanKind::Client, vec![double(name, f64::NAN)]), []);
    }
}

fn result(name: &str, further: Vec<KeyValue>) -> Result<(String, f64), Dropped> {
    let attributes = [vec![text("gen_ai.evaluation.name", name)], further].concat();
    judged(&attributes).map(|value| (value.key.into_owned(), value.number))
}

fn score(score: f64) -> Vec<KeyValue> {
    vec![double("gen_ai.evaluation.score.value", score)]
}

fn label(label: &str) -> Vec<KeyValue> {
    vec![text("gen_ai.evaluation.score.label", label)]
}

#[test]
fn a_judgement_is_a_value_under_the_key_of_its_metric() {
    for (name, key) in [
        ("faithfulness", "faithfulness"),
        ("Faithfulness", "faithfulness"),
        ("Hallucination", HALLUCINATION),
        ("hallucination_rate", HALLUCINATION),
        ("Answer Relevance", "answer-relevance"),
    ] {
        assert_eq!(result(name, score(0.8)), Ok((key.to_owned(), 0.8)));
    }
}

#[test]
fn a_hallucination_may_be_told_by_a_word() {
    for (word, expected) in [("Hallucinated", 1.0), ("fail", 1.0), ("factual", 0.0), ("PASS", 0.0)] {
        assert_eq!(
            result("hallucination", label(word)),
            Ok((HALLUCINATION.to_owned(), expected))
        );
    }
    let both = [score(0.3), label("fail")].concat();
    assert_eq!(
        result("hallucination", both),
        Ok((HALLUCINATION.to_owned(), 0.3)),
        "the number counts"
    );
}

#[test]
fn a_judgement_without_a_name_or_a_number_is_none() {
    assert_eq!(judged(&score(1.0)), Err(Dropped::Judgement));
    for (name, further) in [
        ("", score(1.0)),
        (&*"x".repeat(201), score(1.0)),
        ("faithfulness", label("pass")),
        ("hallucination", label("perhaps")),
        ("faithfulness", Vec::new()),
        ("faithfulness", score(f64::INFINITY)),
    ] {
        assert_eq!(result(name, further), Err(Dropped::Judgement), "{name}");
    }
}
