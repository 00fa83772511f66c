//! Numbers under the keys of metrics, as reports and events carry them.
//!
//! Rule: what cannot be sent is left out and counted, never bent into something else. At most 32 keys, as many as the
//! agent takes; every key in the form of a key; every number finite.

use std::borrow::Cow;
use std::time::Duration;

use proto::v1::MetricValue;
use smallvec::SmallVec;

/// The most values that an agent takes in one observation or event.
const VALUES: usize = 32;
/// How many values most requests have at most.
const FEW: usize = 2;
/// The longest key of a metric, in bytes.
const KEY_BYTES: usize = 200;
/// What a value takes on the wire beside its key, in bytes.
const VALUE_BYTES: usize = 16;

/// A number in its metric's unit: a score or fraction, whole units of money, a count; a [`Duration`] in microseconds;
/// true as 1 and false as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount(f64);

/// The values of one report or event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values {
    kept: SmallVec<[(Cow<'static, str>, f64); FEW]>,
    left_out: u64,
}

impl Values {
    /// Sets the value of a metric; a second one replaces the first.
    pub(crate) fn set(&mut self, metric: Cow<'static, str>, amount: Amount) {
        self.change(metric, |_| amount.0);
    }

    /// Adds to the value of a metric, which is 0 at first.
    pub(crate) fn add(&mut self, metric: Cow<'static, str>, amount: Amount) {
        self.change(metric, |before| before + amount.0);
    }

    /// Takes those of `others` over whose metrics have no value here yet.
    pub(crate) fn fill(&mut self, others: Self) {
        self.left_out += others.left_out;
        for (metric, value) in others.kept {
            if self.kept.iter().any(|(kept, _)| *kept == metric) {
                continue;
            }
            if self.kept.len() < VALUES {
                self.kept.push((metric, value));
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Values that could not be kept, so far.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// About what they take on the wire, and not less.
    pub(crate) fn bytes(&self) -> usize {
        self.kept.iter().map(|(metric, _)| VALUE_BYTES + metric.len()).sum()
    }

    /// The values as they are sent.
    pub(crate) fn into_wire(self) -> Vec<MetricValue> {
        let wire = |(metric, value): (Cow<'static, str>, f64)| MetricValue {
            metric: metric.into_owned(),
            value,
        };
        self.kept.into_iter().map(wire).collect()
    }

    fn change(&mut self, metric: Cow<'static, str>, change: impl FnOnce(f64) -> f64) {
        let found = self.kept.iter().position(|(kept, _)| *kept == metric);
        let value = change(found.map_or(0.0, |at| self.kept[at].1));
        match found {
            Some(at) if value.is_finite() => self.kept[at].1 = value,
            None if value.is_finite() && is_key(&metric) && self.kept.len() < VALUES => self.kept.push((metric, value)),
            Some(_) | None => self.left_out += 1,
        }
    }
}

/// Whether a text is in the form of a key: up to 200 of ASCII letters, digits and `._:~-`, beginning with a letter or
/// digit.
fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:~-".contains(byte);
    bytes.len() <= KEY_BYTES && bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.iter().all(legal)
}

impl From<f64> for Amount {
    fn from(number: f64) -> Self {
        Self(number)
    }
}

impl From<u64> for Amount {
    fn from(count: u64) -> Self {
        Self(count as f64)
    }
}

impl From<u32> for Amount {
    fn from(count: u32) -> Self {
        Self(count.into())
    }
}

impl From<i32> for Amount {
    fn from(count: i32) -> Self {
        Self(count.into())
    }
}

impl From<bool> for Amount {
    fn from(yes: bool) -> Self {
        Self(yes.into())
    }
}

impl From<Duration> for Amount {
    fn from(duration: Duration) -> Self {
        Self(duration.as_micros() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(values: &Values) -> Vec<(&str, f64)> {
        values
            .kept
            .iter()
            .map(|(metric, value)| (metric.as_ref(), *value))
            .collect()
    }

    #[test]
    fn a_second_value_replaces_or_is_added_as_asked() {
        let mut values = Values::default();
        values.set("revenue".into(), 12.5.into());
        values.set("revenue".into(), 7.into());
        values.add("tokens".into(), 100u64.into());
        values.add("tokens".into(), 20u32.into());
        assert_eq!(kept(&values), [("revenue", 7.0), ("tokens", 120.0)]);
    }

    #[test]
    fn what_cannot_be_sent_is_left_out_and_counted() {
        let mut values = Values::default();
        for (metric, amount) in [
            ("revenue", f64::NAN),
            ("revenue", f64::INFINITY),
            ("", 1.0),
            ("-x", 1.0),
            ("a b", 1.0),
            ("é", 1.0),
            (&"k".repeat(201), 1.0),
        ] {
            values.set(metric.to_owned().into(), amount.into());
        }
        assert_eq!((values.is_empty(), values.left_out()), (true, 7));
    }

    #[test]
    fn a_number_that_is_none_leaves_the_value_before_it_alone() {
        let mut values = Values::default();
        values.set("cost".into(), f64::MAX.into());
        values.set("cost".into(), f64::NAN.into());
        values.add("cost".into(), f64::MAX.into());
        assert_eq!((kept(&values), values.left_out()), (vec![("cost", f64::MAX)], 2));
    }

    #[test]
    fn the_limit_holds_and_metrics_within_it_can_still_change() {
        let mut values = Values::default();
        for number in 0..40 {
            values.set(format!("metric-{number}").into(), number.into());
        }
        values.add("metric-31".into(), 1.into());
        assert_eq!((values.kept.len(), values.left_out()), (VALUES, 8));
        assert_eq!(values.kept[31].1, 32.0);
    }

    #[test]
    fn amounts_are_in_the_units_of_their_metrics() {
        assert_eq!(Amount::from(Duration::from_millis(12)), Amount(12_000.0));
        assert_eq!((Amount::from(true), Amount::from(false)), (Amount(1.0), Amount(0.0)));
    }

    #[test]
    fn values_of_others_fill_up_what_has_none_as_far_as_there_is_room() {
        let mut values = Values::default();
        values.set("a".into(), 1.into());
        values.set("b".into(), 1.into());
        let mut others = Values::default();
        others.set("b".into(), 2.into());
        others.set("c".into(), 3.into());
        others.set("d".into(), f64::NAN.into());
        values.fill(others.clone());
        assert_eq!(kept(&values), [("a", 1.0), ("b", 1.0), ("c", 3.0)]);
        let mut full = Values::default();
        (0..32).for_each(|number| full.set(format!("metric-{number}").into(), number.into()));
        full.fill(others);
        assert_eq!((full.kept.len(), values.left_out(), full.left_out()), (VALUES, 1, 3));
    }
}
