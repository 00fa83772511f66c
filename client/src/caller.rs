//! The name by which the agent tells services beside it apart.
//!
//! An agent waits for the outcomes of callers that report at all. Without a name all users of an agent are one caller;
//! with one, the evaluations of a service that never reports are not missed because its neighbour does. The name is the
//! service's and not the process's: a process that crashes before it reports must still be the caller that had reported.

use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

/// The longest name, in bytes.
pub(crate) const MAX_BYTES: usize = 64;

/// Who calls; by default all users of the agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Option<MetadataValue<Ascii>>);

impl Caller {
    /// The caller of this name: 1 to 64 visible characters of ASCII. None if it is another text.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let legal = (1..=MAX_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        let value = name.parse().ok().filter(|_| legal)?;
        Some(Self(Some(value)))
    }

    /// The message as a request of this caller.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(name) = &self.0 {
            request.metadata_mut().insert(proto::CALLER, name.clone());
        }
        request
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_goes_with_every_request_and_no_name_with_none() {
        let named = Caller::named("checkout").unwrap().request(());
        assert_eq!(named.metadata().get(proto::CALLER).unwrap(), "checkout");
        assert!(Caller::default().request(()).metadata().is_empty());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "two words", "Käse", "line\nbreak", &"n".repeat(65)] {
            assert!(Caller::named(text).is_none(), "{text:?}");
        }
        assert!(Caller::named(&"n".repeat(64)).is_some());
    }
}
