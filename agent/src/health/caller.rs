//! Who evaluates and reports: a service by the name that it gives itself, or everybody else together.
//!
//! Only whoever has reported before is watched for outcomes that never come, so two services at one agent, of which one
//! reports, must be told apart. A name is kept as a hash of 63 bits; nothing else is made of it.

use std::num::NonZeroU64;

use proto::CALLER;
use tonic::metadata::MetadataMap;
use twox_hash::XxHash3_64;

/// A user of this agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Caller(NonZeroU64);

impl Caller {
    /// Everybody who gives no name.
    pub(crate) const ANYBODY: Self = Self(NonZeroU64::MIN);

    /// The caller of this name; without one, anybody.
    pub(crate) fn of(name: Option<&[u8]>) -> Self {
        match name {
            None | Some([]) => Self::ANYBODY,
            // The highest bit is left to who keeps callers; nobody named is anybody.
            Some(name) => NonZeroU64::new(XxHash3_64::oneshot(name) >> 1 | 2).map_or(Self::ANYBODY, Self),
        }
    }

    /// The caller that the metadata of a call name.
    pub(crate) fn of_metadata(metadata: &MetadataMap) -> Self {
        Self::of(metadata.get(CALLER).map(|name| name.as_bytes()))
    }

    /// Its number, from 1 to below 2^63.
    pub(crate) fn get(self) -> u64 {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_apart_by_name_and_without_one_are_anybody() {
        assert_eq!(Caller::of(None), Caller::ANYBODY);
        assert_eq!(Caller::of(Some(b"")), Caller::ANYBODY);
        assert_eq!(Caller::of(Some(b"checkout")), Caller::of(Some(b"checkout")));
        let named = [b"a", b"b", b"c"].map(|name: &[u8; 1]| Caller::of(Some(name)));
        assert!(
            named
                .iter()
                .all(|caller| *caller != Caller::ANYBODY && caller.get() < 1 << 63)
        );
        assert!(named[0] != named[1] && named[1] != named[2]);
    }
}
