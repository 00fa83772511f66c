//! What queues hold and streams carry: a reported request, or an event.
//!
//! A request leaves it as it made it, which is cheap; it gets the form of the wire when a stream takes it. Rule: encoded
//! items one behind the other are one message with all of them, as Protobuf has it for repeated fields.

use bytes::BytesMut;
use prost::Message as _;
use proto::v1::{ObserveRequest, TrackRequest, TrackedEvent};

use crate::exposure::Exposures;
use crate::report::Report;
use crate::values::Values;

/// What anything takes in a message beside its content, in bytes.
const FRAMING_BYTES: usize = 8;

/// A request that was reported.
#[derive(Debug)]
pub(crate) struct Reported {
    pub(crate) exposures: Exposures,
    pub(crate) report: Report,
}

/// Something that happened after exposures.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) exposures: Exposures,
    pub(crate) values: Values,
}

/// What a stream can carry.
pub(crate) trait Carried: Send + 'static {
    /// The method that takes it.
    const PATH: &'static str;

    /// About how many bytes it takes on the wire, and not fewer.
    fn bytes(&self) -> usize;

    /// Adds it to a message.
    fn encode(self, message: &mut BytesMut);
}

impl Carried for Reported {
    const PATH: &'static str = "/tidegate.v1.Outcomes/Observe";

    fn bytes(&self) -> usize {
        FRAMING_BYTES + self.exposures.bytes() + self.report.bytes()
    }

    fn encode(self, message: &mut BytesMut) {
        let observations = vec![self.report.into_wire(self.exposures)];
        // The buffer grows, so there is always room.
        let _ = ObserveRequest { observations }.encode(message);
    }
}

impl Carried for Tracked {
    const PATH: &'static str = "/tidegate.v1.Outcomes/Track";

    fn bytes(&self) -> usize {
        FRAMING_BYTES + self.exposures.bytes() + self.values.bytes()
    }

    fn encode(self, message: &mut BytesMut) {
        let events = vec![TrackedEvent {
            exposures: self.exposures.into_wire(),
            values: self.values.into_wire(),
        }];
        let _ = TrackRequest { events }.encode(message);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::context::Context;
    use crate::exposure::Exposure;
    use crate::outcome::Outcome;

    /// Exposures by token and by flag, as many of each.
    fn exposures(of_each: usize) -> Exposures {
        let mut exposures = Exposures::default();
        for number in 0..of_each {
            exposures.add(Some(Exposure::of_token(format!("token-{number:016}"))));
            let context = Context::user(format!("user-{number}")).with("plan", "p".repeat(number * 50));
            exposures.add(Some(Exposure::of_flag("checkout", &context)));
        }
        exposures
    }

    fn holds(item: impl Carried) {
        let counted = item.bytes();
        let mut message = BytesMut::new();
        item.encode(&mut message);
        assert!(message.len() <= counted, "{} of {counted}", message.len());
    }

    #[test]
    fn nothing_takes_more_on_the_wire_than_it_is_counted_for() {
        for count in [0, 1, 5, 32] {
            let mut report = Outcome::Timeout.class("c".repeat(64)).after(Duration::MAX).sampled();
            let mut values = Values::default();
            for number in 0..count {
                let metric = "m".repeat(number + 1);
                values.set(metric.clone().into(), f64::MIN.into());
                report = report.value(metric, f64::MIN);
            }
            let exposures = exposures(count);
            let tracked = Tracked {
                exposures: exposures.clone(),
                values,
            };
            holds(tracked);
            holds(Reported { exposures, report });
        }
    }
    #[test]
    fn items_one_behind_the_other_are_one_message_with_all_of_them() {
        let mut message = BytesMut::new();
        for microseconds in [1, 2, 3] {
            let reported = Reported {
                exposures: exposures(1),
                report: Outcome::Ok.after(Duration::from_micros(microseconds)),
            };
            reported.encode(&mut message);
        }
        let observations = ObserveRequest::decode(message).unwrap().observations;
        let durations: Vec<_> = observations.iter().filter_map(|one| one.duration_us).collect();
        assert_eq!((durations, observations[2].exposures.len()), (vec![1, 2, 3], 2));
    }
}
