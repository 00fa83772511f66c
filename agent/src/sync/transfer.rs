//! Joins Begin, Part and End into one transfer, within bounds.
//!
//! Two kinds of wrong are kept apart. A message out of order, or a Begin that names nothing, leaves nothing that could
//! be refused by revision: the stream itself is broken. A transfer that is too large or not as long as announced is
//! refused by its revision, and its remaining parts are skipped.

use bytes::{Bytes, BytesMut};
use evaluation::{Digest, Revision};
use proto::{entry::PART_LIMIT, revision::LengthError, v1};

use crate::snapshot::Stamp;

/// The largest transfer in tests, in bytes.
#[cfg(test)]
pub(crate) const TRANSFER_LIMIT: u64 = 256 * 1024 * 1024;

/// The stream does not follow the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    /// Begin before the End of another.
    #[error("begin within another transfer")]
    Nested,
    /// Part or End without a Begin.
    #[error("{0} without a begin")]
    Outside(&'static str),
    /// Begin without the revision that it leads to.
    #[error("begin names no revision")]
    Unnamed,
    /// A revision or digest of the wrong length.
    #[error(transparent)]
    Length(#[from] LengthError),
}

/// Why a transfer is refused, by its revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SizeError {
    /// More was announced than is accepted.
    #[error("{announced} bytes were announced, more than {limit} are not accepted (see --max-snapshot)")]
    TooLarge {
        /// By Begin.
        announced: u64,
        /// What is accepted.
        limit: u64,
    },
    /// A part was too large.
    #[error("a part has {0} bytes, more than {PART_LIMIT}")]
    Part(usize),
    /// The parts are not as long together as was announced.
    #[error("{received} bytes were received, {announced} were announced")]
    Length {
        /// By Begin.
        announced: u64,
        /// In parts.
        received: u64,
    },
}

/// A complete snapshot or delta, unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// What a delta starts from; None: a whole snapshot.
    pub(crate) from: Option<Revision>,
    /// What it leads to.
    pub(crate) to: Stamp,
    /// Length-delimited entries.
    pub(crate) bytes: Bytes,
}

/// A transfer under way, or none.
#[derive(Debug)]
pub(crate) struct Assembly {
    limit: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    from: Option<Revision>,
    to: Stamp,
    announced: u64,
    joined: BytesMut,
    wrong: Option<SizeError>,
}

impl Assembly {
    /// None is under way. A transfer of more than `limit` bytes is refused by what it announces, before it takes
    /// memory.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, open: None }
    }

    /// A transfer begins.
    pub(crate) fn begin(&mut self, begin: &v1::Begin) -> Result<(), OrderError> {
        if self.open.is_some() {
            return Err(OrderError::Nested);
        }
        let from = begin.from.as_ref().map(Revision::try_from).transpose()?;
        let revision = Revision::try_from(begin.to.as_ref().ok_or(OrderError::Unnamed)?)?;
        let digest: Digest = proto::revision::read_digest(&begin.digest)?;
        let wrong = (begin.bytes > self.limit).then_some(SizeError::TooLarge {
            announced: begin.bytes,
            limit: self.limit,
        });
        let to = Stamp { revision, digest };
        self.open = Some(Open {
            from,
            to,
            announced: begin.bytes,
            joined: BytesMut::new(),
            wrong,
        });
        Ok(())
    }

    /// A part of it arrives.
    pub(crate) fn part(&mut self, data: &Bytes) -> Result<(), OrderError> {
        let open = self.open.as_mut().ok_or(OrderError::Outside("part"))?;
        if open.wrong.is_some() {
            return Ok(());
        }
        let received = (open.joined.len() + data.len()) as u64;
        if data.len() > PART_LIMIT {
            open.wrong = Some(SizeError::Part(data.len()));
        } else if received > open.announced {
            open.wrong = Some(SizeError::Length {
                announced: open.announced,
                received,
            });
        } else {
            open.joined.extend_from_slice(data);
        }
        if open.wrong.is_some() {
            open.joined = BytesMut::new();
        }
        Ok(())
    }

    /// It is complete; or refused, with the revision to refuse.
    pub(crate) fn end(&mut self) -> Result<Result<Transfer, (Revision, SizeError)>, OrderError> {
        let open = self.open.take().ok_or(OrderError::Outside("end"))?;
        let received = open.joined.len() as u64;
        let short = (received != open.announced).then_some(SizeError::Length {
            announced: open.announced,
            received,
        });
        Ok(match open.wrong.or(short) {
            Some(wrong) => Err((open.to.revision, wrong)),
            None => Ok(Transfer {
                from: open.from,
                to: open.to,
                bytes: open.joined.freeze(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Lineage;

    use super::*;

    fn revision() -> Revision {
        Revision {
            lineage: Lineage(1),
            number: 2,
        }
    }

    fn begin(bytes: u64) -> v1::Begin {
        v1::Begin {
            from: None,
            to: Some(revision().into()),
            digest: proto::revision::write_digest(Digest(3)),
            bytes,
        }
    }

    fn received(bytes: u64, parts: &[usize]) -> Result<Transfer, (Revision, SizeError)> {
        let mut assembly = Assembly::new(TRANSFER_LIMIT);
        assembly.begin(&begin(bytes)).unwrap();
        for part in parts {
            assembly.part(&Bytes::from(vec![0; *part])).unwrap();
        }
        assembly.end().unwrap()
    }

    #[test]
    fn parts_join_to_what_was_announced() {
        assert_eq!(received(0, &[]).unwrap().bytes.len(), 0);
        assert_eq!(
            received(70_000, &[PART_LIMIT, 70_000 - PART_LIMIT])
                .unwrap()
                .bytes
                .len(),
            70_000
        );
    }

    #[test]
    fn a_transfer_of_another_size_is_refused_by_its_revision() {
        let length = |announced, received| Err((revision(), SizeError::Length { announced, received }));
        assert_eq!(received(10, &[9]), length(10, 9));
        assert_eq!(received(10, &[9, 9]), length(10, 18));
        assert_eq!(received(10, &[]), length(10, 0));
        assert_eq!(
            received(1 << 20, &[PART_LIMIT + 1, 1]),
            Err((revision(), SizeError::Part(PART_LIMIT + 1)))
        );
        assert_eq!(
            received(TRANSFER_LIMIT + 1, &[1]),
            Err((
                revision(),
                SizeError::TooLarge {
                    announced: TRANSFER_LIMIT + 1,
                    limit: TRANSFER_LIMIT
                }
            ))
        );
    }

    #[test]
    fn messages_out_of_order_break_the_stream() {
        let mut assembly = Assembly::new(TRANSFER_LIMIT);
        assert_eq!(assembly.part(&Bytes::new()), Err(OrderError::Outside("part")));
        assert_eq!(assembly.end(), Err(OrderError::Outside("end")));
        assembly.begin(&begin(0)).unwrap();
        assert_eq!(assembly.begin(&begin(0)), Err(OrderError::Nested));
    }

    #[test]
    fn a_begin_must_name_what_it_leads_to() {
        let mut assembly = Assembly::new(TRANSFER_LIMIT);
        assert_eq!(
            assembly.begin(&v1::Begin { to: None, ..begin(0) }),
            Err(OrderError::Unnamed)
        );
        let short = v1::Begin {
            digest: Bytes::from_static(&[1, 2]),
            ..begin(0)
        };
        assert_eq!(
            assembly.begin(&short),
            Err(OrderError::Length(LengthError {
                field: "digest",
                length: 2
            }))
        );
    }
}
