//! Who a span is: its trace, itself, and its parent.

use opentelemetry_proto::tonic::trace::v1::{Span, SpanFlags};

/// A span among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SpanId {
    trace: [u64; 2],
    span: u64,
}

/// Where a span's parent is; it is of the same trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// It has none in its process.
    Elsewhere,
    /// In the same process.
    Here(u64),
    /// Not told: in the same process, or in another.
    Untold(u64),
}

impl SpanId {
    /// From its 16 and 8 bytes; none if these are others, or all zero.
    pub(super) fn read(trace: &[u8], span: &[u8]) -> Option<Self> {
        let (high, low) = trace.split_at_checked(8)?;
        let trace = [number(high)?, number(low)?];
        let span = number(span)?;
        (trace != [0; 2] && span != 0).then_some(Self { trace, span })
    }

    /// Another span of the same trace.
    pub(super) fn of_same_trace(self, span: u64) -> Self {
        Self { span, ..self }
    }

    /// A number that the trace draws, the same for all that is of it.
    pub(super) fn spread(self) -> u64 {
        self.trace[0] ^ self.trace[1]
    }
}

impl Parent {
    /// The parent that a span tells of.
    pub(super) fn of(span: &Span) -> Self {
        let Some(parent) = number(&span.parent_span_id).filter(|parent| *parent != 0) else {
            return Self::Elsewhere;
        };
        let told = |mask: SpanFlags| span.flags & (mask as u32) != 0;
        match (
            told(SpanFlags::ContextHasIsRemoteMask),
            told(SpanFlags::ContextIsRemoteMask),
        ) {
            (true, true) => Self::Elsewhere,
            (true, false) => Self::Here(parent),
            (false, _) => Self::Untold(parent),
        }
    }
}

/// A number of 8 bytes.
fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(parent: &[u8], flags: u32) -> Parent {
        let span = Span {
            parent_span_id: parent.to_vec(),
            flags,
            ..Span::default()
        };
        Parent::of(&span)
    }

    #[test]
    fn an_id_has_its_length_and_is_not_zero() {
        assert!(SpanId::read(&[1; 16], &[1; 8]).is_some());
        for (trace, span) in [
            (&[1; 15][..], &[1; 8][..]),
            (&[1; 16], &[1; 9]),
            (&[0; 16], &[1; 8]),
            (&[1; 16], &[0; 8]),
            (&[], &[]),
        ] {
            assert_eq!(SpanId::read(trace, span), None);
        }
    }

    #[test]
    fn the_flags_tell_where_the_parent_is() {
        let bytes = 3_u64.to_be_bytes();
        assert_eq!(parent(&[], 0x100), Parent::Elsewhere);
        assert_eq!(parent(&bytes, 0x301), Parent::Elsewhere);
        assert_eq!(parent(&bytes, 0x101), Parent::Here(3));
        assert_eq!(parent(&bytes, 1), Parent::Untold(3));
        assert_eq!(parent(&[3], 0x100), Parent::Elsewhere, "a malformed parent is none");
    }
}
