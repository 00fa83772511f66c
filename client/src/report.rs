//! All that a service says of one request, and the message that says so.
//!
//! An observation is one request's outcome for all exposures of that request: it counts once for each arm of each
//! rollout however many evaluations led to it. What cannot be sent of a report is left out of it and counted; the rest
//! is sent all the same.

use std::borrow::Cow;
use std::time::Duration;

use proto::v1::Observation;

use crate::exposure::Exposures;
use crate::outcome::Outcome;
use crate::values::{Amount, Values};

/// The longest class of failures, in bytes.
const CLASS_BYTES: usize = 64;
/// What a report takes on the wire beside exposures, values and the class, in bytes.
const REPORT_BYTES: usize = 32;

/// What came of a request: its outcome, and what else there is to say of it.
///
/// ```
/// use std::time::Duration;
/// use tidegate_client::{Outcome, Report};
///
/// let declined: Report = Outcome::Error.class("card-declined").after(Duration::from_millis(40));
/// let sold: Report = Outcome::Ok.value("revenue", 12.5).value("items", 3);
/// # let _ = (declined, sold);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a report says nothing until it is reported"]
pub struct Report {
    outcome: Outcome,
    duration: Option<Duration>,
    class: Option<Cow<'static, str>>,
    values: Values,
    sampled: bool,
    classes_left_out: u64,
}

/// What was left out of a report because it cannot be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) values: u64,
    pub(crate) classes: u64,
}

impl Report {
    /// How long the request took.
    pub fn after(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Of which class the failure is, as `card-declined` or `db-timeout`: up to 64 of `a-z`, `0-9`, `.`, `_` and `-`,
    /// beginning with a letter or digit; another text is left out and counted. A closed set of names: 16 are told apart
    /// for each rollout, and a guard may leave expected ones out. Counts with [`Outcome::Error`] and
    /// [`Outcome::Timeout`] only.
    pub fn class(mut self, class: impl Into<Cow<'static, str>>) -> Self {
        self.set_class(class.into());
        self
    }

    /// A number that belongs to the request, by the key of the metric that measures it: `revenue`, `cost-per-query`. A
    /// second one for the same metric replaces the first. At most 32; what is not finite, or under no key of a metric,
    /// is left out and counted.
    pub fn value(mut self, metric: impl Into<Cow<'static, str>>, amount: impl Into<Amount>) -> Self {
        self.values.set(metric.into(), amount.into());
        self
    }

    /// Only some requests are reported, this one among them: it is shown and counted, but is no ground for going on.
    pub fn sampled(mut self) -> Self {
        self.sampled = true;
        self
    }

    /// The outcome.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The same, but for the outcome.
    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Sets the class, or counts the text as left out.
    pub(crate) fn set_class(&mut self, class: Cow<'static, str>) {
        if is_class(&class) {
            self.class = Some(class);
        } else {
            self.classes_left_out += 1;
        }
    }

    /// The values, to be changed in place.
    pub(crate) fn values(&mut self) -> &mut Values {
        &mut self.values
    }

    /// Takes class and values of another report over where this one has none.
    pub(crate) fn filled(mut self, other: Self) -> Self {
        self.class = self.class.or(other.class);
        self.values.fill(other.values);
        self.classes_left_out += other.classes_left_out;
        self.sampled |= other.sampled;
        self
    }

    /// What was left out of it.
    pub(crate) fn left_out(&self) -> LeftOut {
        LeftOut {
            values: self.values.left_out(),
            classes: self.classes_left_out,
        }
    }

    /// About what it takes on the wire, and not less.
    pub(crate) fn bytes(&self) -> usize {
        REPORT_BYTES + self.class.as_ref().map_or(0, |class| class.len()) + self.values.bytes()
    }

    /// The observation of a request with these exposures.
    pub(crate) fn into_wire(self, exposures: Exposures) -> Observation {
        let microseconds = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Observation {
            exposures: exposures.into_wire(),
            outcome: self.outcome.to_wire().into(),
            duration_us: self.duration.map(microseconds),
            values: self.values.into_wire(),
            error_class: self
                .class
                .filter(|_| self.outcome.is_bad())
                .map(Cow::into_owned)
                .unwrap_or_default(),
            sampled: self.sampled,
        }
    }
}

impl From<Outcome> for Report {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            duration: None,
            class: None,
            values: Values::default(),
            sampled: false,
            classes_left_out: 0,
        }
    }
}

fn is_class(text: &str) -> bool {
    let bytes = text.as_bytes();
    let named = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    bytes.len() <= CLASS_BYTES
        && bytes.first().is_some_and(named)
        && bytes.iter().all(|byte| named(byte) || b"._-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(report: Report) -> Observation {
        report.into_wire(Exposures::default())
    }

    #[test]
    fn a_report_is_sent_as_it_was_made() {
        let report = Outcome::Timeout
            .class("db-timeout")
            .after(Duration::from_micros(7))
            .value("revenue", -12.5)
            .sampled();
        assert_eq!(report.left_out(), LeftOut::default());
        let sent = sent(report);
        assert_eq!(
            (sent.outcome, sent.duration_us),
            (Outcome::Timeout.to_wire().into(), Some(7))
        );
        assert_eq!((sent.error_class.as_str(), sent.sampled), ("db-timeout", true));
        assert_eq!(
            (sent.values[0].metric.as_str(), sent.values[0].value),
            ("revenue", -12.5)
        );
    }

    #[test]
    fn an_endless_duration_is_the_longest_that_can_be_said() {
        assert_eq!(sent(Outcome::Ok.after(Duration::MAX)).duration_us, Some(i64::MAX));
    }

    #[test]
    fn only_a_failure_has_a_class() {
        for (outcome, class) in [
            (Outcome::Ok, ""),
            (Outcome::Error, "declined"),
            (Outcome::Timeout, "declined"),
            (Outcome::Cancelled, ""),
        ] {
            assert_eq!(sent(outcome.class("declined")).error_class, class, "{outcome:?}");
        }
    }

    #[test]
    fn what_is_no_class_is_left_out_and_counted_and_the_one_before_it_stays() {
        let report = Outcome::Error.class("a.b_c-9");
        let texts = ["", "-a", "CardDeclined", "card declined", "käse", &"c".repeat(65)].map(str::to_owned);
        let report = texts.into_iter().fold(report, Report::class);
        assert_eq!(report.left_out().classes, 6);
        assert_eq!(sent(report).error_class, "a.b_c-9");
    }
}
