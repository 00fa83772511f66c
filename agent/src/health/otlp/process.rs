//! Which process telemetry comes from, as its resource says.
//!
//! What is joined is of one process. Whether something is missing from what it sends nobody can tell: samplers leave
//! out requests and need not say so. So a process is watched for outcomes that never come only if it says that it sends
//! all of them (`tidegate.sampled` is `false`).

use opentelemetry_proto::tonic::resource::v1::Resource;
use twox_hash::XxHash3_64;

use super::{attributes, names};
use crate::health::caller::Caller;

/// Names a caller that nobody can be: no header has it.
const UNWATCHED: &[u8] = b"\0opentelemetry";

/// A process, as far as its resource tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process(u64);

/// Where telemetry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    /// The process.
    pub(super) process: Process,
    /// Who reports: who sends it, or nobody that evaluates, and so nobody that is watched.
    pub(super) caller: Caller,
    /// Whether it says that it is a sample.
    pub(super) is_sampled: bool,
}

impl Source {
    /// What `caller` sends of this resource; without one, of the process that says nothing of itself.
    pub(super) fn of(resource: Option<&Resource>, caller: Caller) -> Self {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let find = |name: &str| attributes::each(attributes).find(|(key, _)| *key == name);
        let mut told = String::new();
        for name in names::PROCESS {
            let value = find(name).and_then(|(_, value)| attributes::written(value));
            told.push_str(value.as_deref().unwrap_or_default());
            told.push('\n');
        }
        let is_sampled = find(names::SAMPLED).and_then(|(_, value)| attributes::boolean(value));
        Self {
            process: Process(XxHash3_64::oneshot(told.as_bytes())),
            caller: match is_sampled {
                Some(_) => caller,
                None => Caller::of(Some(UNWATCHED)),
            },
            is_sampled: is_sampled == Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::KeyValue;

    use super::*;
    use crate::health::otlp::samples::{number, resource, text};

    fn of(attributes: &[KeyValue]) -> Source {
        Source::of(Some(&resource(attributes)), Caller::ANYBODY)
    }

    #[test]
    fn a_process_is_what_its_resource_says_and_not_the_instance_that_was_drawn() {
        let shop = of(&[text("service.name", "shop"), number("process.pid", 7)]);
        let drawn = [
            number("process.pid", 7),
            text("service.name", "shop"),
            text("service.instance.id", "x"),
        ];
        assert_eq!(shop, of(&drawn));
        assert_ne!(shop, of(&[text("service.name", "shop"), number("process.pid", 8)]));
        assert_ne!(
            of(&[text("service.name", "shop")]),
            of(&[text("service.namespace", "shop")])
        );
        assert_eq!(Source::of(None, Caller::ANYBODY), of(&[]));
    }

    #[test]
    fn only_who_says_that_it_sends_everything_reports_as_itself() {
        let sampled = |value: &str| {
            let source = of(&[text("tidegate.sampled", value)]);
            (source.caller == Caller::ANYBODY, source.is_sampled)
        };
        assert_eq!(sampled("false"), (true, false));
        assert_eq!(sampled("true"), (true, true));
        assert_eq!(sampled("often"), (false, false));
        assert_ne!(of(&[]).caller, Caller::ANYBODY);
    }
}
