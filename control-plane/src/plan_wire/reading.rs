//! Reading texts of a plan: each that cannot be read is reported under its path, and stands as its nearest form.

use std::str::FromStr;

use evaluation::Violation;
use proto::status::violation;
use rollout::{Share, calendar::Window, catalogue::MetricKey, criterion::Criterion};

/// What could not be read so far.
#[derive(Debug, Default)]
pub(super) struct Reading(Vec<Violation>);

impl Reading {
    /// All that could not be read.
    pub(super) fn into_violations(self) -> Vec<Violation> {
        self.0
    }

    /// Notes that a field is wrong.
    pub(super) fn report(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(violation(field, description));
    }

    /// One of some things that have names; empty: the default.
    pub(super) fn named<T: Copy>(
        &mut self,
        field: &str,
        text: &str,
        default: T,
        all: &[T],
        name: impl Fn(&T) -> &'static str,
    ) -> T {
        if text.is_empty() {
            return default;
        }
        if let Some(found) = all.iter().find(|one| name(one).eq_ignore_ascii_case(text)) {
            return *found;
        }
        let names = all.iter().map(&name).collect::<Vec<_>>().join(", ");
        self.report(field, format!("must be one of {names}, not {:?}", shown(text)));
        default
    }

    /// A share of the buckets.
    pub(super) fn share(&mut self, field: &str, buckets: u32) -> Share {
        if buckets > Share::ALL.get() {
            let percent = f64::from(buckets) / 1_000.0;
            self.report(field, format!("must be 0 to 100 %, not {percent} %"));
        }
        super::share(buckets)
    }

    /// The key of a metric, in its canonical spelling.
    pub(super) fn metric(&mut self, field: &str, text: &str) -> String {
        match MetricKey::new(text) {
            Ok(key) => key.as_str().to_owned(),
            Err(error) => {
                self.report(field, error.to_string());
                text.to_owned()
            }
        }
    }

    /// Criteria; those that cannot be read are left out.
    pub(super) fn criteria(&mut self, field: &str, texts: &[String]) -> Vec<Criterion> {
        self.all(field, texts)
    }

    /// Windows; those that cannot be read are left out.
    pub(super) fn windows(&mut self, field: &str, texts: &[String]) -> Vec<Window> {
        self.all(field, texts)
    }

    /// A text, if it can be read.
    pub(super) fn one<T: FromStr<Err: ToString>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse()
            .map_err(|error: T::Err| self.report(field, error.to_string()))
            .ok()
    }

    fn all<T: FromStr<Err: ToString>>(&mut self, field: &str, texts: &[String]) -> Vec<T> {
        (0..)
            .zip(texts)
            .filter_map(|(at, text): (usize, _)| self.one(&format!("{field}[{at}]"), text))
            .collect()
    }
}

/// The beginning of a text, for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
