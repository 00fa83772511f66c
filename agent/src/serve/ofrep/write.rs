//! JSON as OFREP wants it, written straight into one buffer.
//!
//! Two details are for released clients: an integer flag is written `10` and a float flag `10.0`, because some accept
//! only their own form; and an answer without a value has the variant "", because some demand one.

use std::io::Write as _;

use evaluation::{Json, Reason, Value};
use proto::METADATA_STALE;
use serde::Serialize;

use super::{Described, Selection, answer, error_code};
use crate::serve::answer::{METADATA_SET, Meta};

/// The largest magnitude below which every whole number is a double of its own: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A call, or one flag of it, that failed.
#[derive(Debug)]
pub(super) struct Failure {
    key: Option<String>,
    code: &'static str,
    details: String,
}

/// A buffer of JSON.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Failure {
    /// With one of OpenFeature's codes, and what was wrong.
    pub(super) fn new(code: &'static str, details: String) -> Self {
        Self {
            key: None,
            code,
            details,
        }
    }

    /// About how many bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.details.len() + self.key.as_ref().map_or(0, String::len)
    }

    /// About this flag.
    pub(super) fn of(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }
}

impl Writer {
    /// With room for this many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// How much was written, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Opens the list of flags.
    pub(super) fn begin_flags(&mut self) {
        self.raw("{\"flags\":[");
    }

    /// Separates a flag from the one before, if there is one.
    pub(super) fn next(&mut self) {
        if self.0.last() != Some(&b'[') {
            self.raw(",");
        }
    }

    /// Closes the list of flags, and says what holds for all of them.
    pub(super) fn end_flags(&mut self, selection: &Selection, stale_s: Option<u64>, events: Option<&str>) {
        self.raw("],\"metadata\":{");
        if let Selection::Set(set) = selection {
            self.meta(METADATA_SET, Meta::Text(set));
        }
        if let Some(seconds) = stale_s {
            self.meta(METADATA_STALE, Meta::Number(seconds));
        }
        self.raw("}");
        if let Some(path) = events {
            self.raw(",\"eventStreams\":[{\"type\":\"sse\",\"endpoint\":{\"requestUri\":");
            self.json(path);
            self.raw("}}]");
        }
        self.raw("}");
    }

    /// One flag's answer: a success, or why it could not decide.
    pub(super) fn flag(&mut self, key: &str, described: &Described<'_>) {
        let decision = described.decision;
        self.raw("{\"key\":");
        self.json(key);
        if let Some(error) = decision.error {
            self.raw(",\"errorCode\":");
            self.json(error_code(error));
            self.raw(",\"errorDetails\":");
            self.json(&error.to_string());
        } else {
            self.raw(",\"reason\":\"");
            self.raw(answer::reason(decision, Reason::Split));
            self.raw("\"");
            if let Some(value) = decision.value {
                self.raw(",\"value\":");
                self.value(value);
            }
            self.raw(",\"variant\":");
            self.json(decision.variant.unwrap_or_default());
        }
        self.raw(",\"metadata\":{");
        described.metadata(|name, value| self.meta(name, value));
        self.raw("}}");
    }

    /// A failure of a call or a flag.
    pub(super) fn failure(&mut self, failure: &Failure) {
        self.raw("{");
        if let Some(key) = &failure.key {
            self.raw("\"key\":");
            self.json(key.as_str());
            self.raw(",");
        }
        self.raw("\"errorCode\":");
        self.json(failure.code);
        self.raw(",\"errorDetails\":");
        self.json(&failure.details);
        self.raw(",\"metadata\":{}}");
    }

    /// What went wrong, about no flag.
    pub(super) fn details(&mut self, details: &str) {
        self.raw("{\"errorDetails\":");
        self.json(details);
        self.raw("}");
    }

    fn meta(&mut self, name: &str, value: Meta<'_>) {
        if self.0.last() != Some(&b'{') {
            self.raw(",");
        }
        self.json(name);
        self.raw(":");
        match value {
            Meta::Text(text) => self.json(text),
            Meta::Number(number) => self.json(&number),
            Meta::Boolean(boolean) => self.json(&boolean),
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Boolean(boolean) => self.json(boolean),
            Value::String(text) => self.json(&**text),
            Value::Integer(integer) => self.json(integer),
            Value::Float(float) => self.json(float),
            Value::Object(fields) => self.object(fields.iter()),
        }
    }

    fn object<'j>(&mut self, fields: impl Iterator<Item = (&'j String, &'j Json)>) {
        self.raw("{");
        for (at, (name, value)) in fields.enumerate() {
            if at > 0 {
                self.raw(",");
            }
            self.json(name);
            self.raw(":");
            self.any(value);
        }
        self.raw("}");
    }

    fn any(&mut self, value: &Json) {
        match value {
            Json::Null => self.raw("null"),
            Json::Boolean(boolean) => self.json(boolean),
            // Inside an object nobody knows which kind a number was; the shorter form is what people write.
            Json::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT => self.json(&(*number as i64)),
            Json::Number(number) => self.json(number),
            Json::Text(text) => self.json(text),
            Json::List(values) => {
                self.raw("[");
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        self.raw(",");
                    }
                    self.any(value);
                }
                self.raw("]");
            }
            Json::Object(fields) => self.object(fields.iter()),
        }
    }

    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A scalar or a text.
    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        if serde_json::to_writer(&mut self.0, value).is_err() {
            // A buffer takes everything and scalars have a form; should that ever change, the text stays JSON.
            let _ = self.0.write_all(b"null");
        }
    }
}
