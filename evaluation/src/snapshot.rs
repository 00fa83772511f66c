//! All that one subscription holds at one revision: what an agent evaluates from.
//!
//! A snapshot never changes; the next revision is the next snapshot, which shares what stayed the same. Flags are found
//! by name and measurements by the rollout's index without an allocation; the environment is looked up once.

use std::fmt;
use std::sync::Arc;

use crate::compiled::CompiledFlag;
use crate::entry::{Digest, EntryKind};
use crate::environment::Environment;
use crate::index::Index;
use crate::key::Key;
use crate::measurement::Measurement;
use crate::revision::Revision;
use crate::segment::CompiledSegment;

/// Decimal digits of the largest u32.
const MAX_DIGITS: usize = 10;

/// What an entry means to an agent.
#[derive(Clone, Debug)]
pub enum Body {
    /// A flag, with the rollout step that holds it.
    Flag(Arc<CompiledFlag>),
    /// The environment.
    Environment(Arc<Environment>),
    /// What is measured for one rollout.
    Measurement(Arc<Measurement>),
    /// Conditions and members that flags share.
    Segment(Arc<CompiledSegment>),
    /// Counted in the digest and otherwise unused: an entry held back without a previous one.
    Ignored,
}

impl Body {
    /// The key that the body has itself, so that the entry's name can share its text; none if it has none.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Body::Flag(flag) => Some(flag.key()),
            Body::Environment(environment) => Some(&environment.key),
            Body::Segment(segment) => Some(segment.key()),
            Body::Measurement(_) | Body::Ignored => None,
        }
    }
}

/// The entries of one subscription at one revision. A clone shares everything.
#[derive(Clone)]
pub struct Snapshot {
    revision: Revision,
    index: Index<Body>,
    environment: Option<Arc<Environment>>,
}

impl Snapshot {
    /// Nothing, of no lineage: what an agent holds before it heard anything.
    pub fn empty() -> Snapshot {
        Snapshot::new(Revision::default(), Index::new())
    }

    /// The snapshot of these entries. A measurement's key is its rollout's index in decimal.
    pub fn new(revision: Revision, index: Index<Body>) -> Snapshot {
        let environment = index.iter_few().find_map(|(_, entry)| match &entry.body {
            Body::Environment(environment) => Some(Arc::clone(environment)),
            Body::Flag(_) | Body::Measurement(_) | Body::Segment(_) | Body::Ignored => None,
        });
        Snapshot {
            revision,
            index,
            environment,
        }
    }

    /// Which state of which store this is.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What it holds, in one number.
    pub fn digest(&self) -> Digest {
        self.index.digest()
    }

    /// The entries.
    pub fn index(&self) -> &Index<Body> {
        &self.index
    }

    /// The flag of this key.
    pub fn flag(&self, key: &str) -> Option<&Arc<CompiledFlag>> {
        as_flag(&self.index.get(EntryKind::Flag, key)?.body)
    }

    /// The flag of this key, whose name has this hash.
    pub(crate) fn flag_hashed(&self, name_hash: u64, key: &str) -> Option<&Arc<CompiledFlag>> {
        as_flag(&self.index.get_hashed(name_hash, EntryKind::Flag, key)?.body)
    }

    /// The segment of this key.
    pub fn segment(&self, key: &str) -> Option<&Arc<CompiledSegment>> {
        as_segment(&self.index.get(EntryKind::Segment, key)?.body)
    }

    /// The segment of this key, whose name has this hash.
    pub(crate) fn segment_hashed(&self, name_hash: u64, key: &str) -> Option<&Arc<CompiledSegment>> {
        as_segment(&self.index.get_hashed(name_hash, EntryKind::Segment, key)?.body)
    }

    /// All segments, in no particular order.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<CompiledSegment>> {
        self.index.iter().filter_map(|(_, entry)| as_segment(&entry.body))
    }

    /// All flags, in no particular order.
    pub fn flags(&self) -> impl Iterator<Item = &Arc<CompiledFlag>> {
        self.index.iter().filter_map(|(_, entry)| as_flag(&entry.body))
    }

    /// The environment; none only in a snapshot that came without one.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_deref()
    }

    /// What is measured for the rollout of this index.
    pub fn measurement(&self, rollout: u32) -> Option<&Arc<Measurement>> {
        let mut digits = [0; MAX_DIGITS];
        let key = decimal(rollout, &mut digits)?;
        as_measurement(&self.index.get(EntryKind::Measurement, key)?.body)
    }

    /// All measurements, in no particular order.
    pub fn measurements(&self) -> impl Iterator<Item = &Arc<Measurement>> {
        self.index
            .iter_few()
            .filter_map(|(_, entry)| as_measurement(&entry.body))
    }
}

impl Default for Snapshot {
    fn default() -> Snapshot {
        Snapshot::empty()
    }
}

impl fmt::Debug for Snapshot {
    /// Its names and size; the entries would fill pages.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Snapshot")
            .field("lineage", &format_args!("{}", self.revision.lineage))
            .field("number", &self.revision.number)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

fn as_flag(body: &Body) -> Option<&Arc<CompiledFlag>> {
    match body {
        Body::Flag(flag) => Some(flag),
        Body::Environment(_) | Body::Measurement(_) | Body::Segment(_) | Body::Ignored => None,
    }
}

fn as_segment(body: &Body) -> Option<&Arc<CompiledSegment>> {
    match body {
        Body::Segment(segment) => Some(segment),
        Body::Flag(_) | Body::Environment(_) | Body::Measurement(_) | Body::Ignored => None,
    }
}

fn as_measurement(body: &Body) -> Option<&Arc<Measurement>> {
    match body {
        Body::Measurement(measurement) => Some(measurement),
        Body::Flag(_) | Body::Environment(_) | Body::Segment(_) | Body::Ignored => None,
    }
}

/// `number` written into `digits`, from the end; ten are enough for every u32.
fn decimal(number: u32, digits: &mut [u8; MAX_DIGITS]) -> Option<&str> {
    let (mut rest, mut start) = (number, MAX_DIGITS);
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return std::str::from_utf8(&digits[start..]).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_everywhere_else() {
        for number in [0, 7, 10, 4_294, 1_000_000_000, u32::MAX] {
            assert_eq!(decimal(number, &mut [0; MAX_DIGITS]), Some(number.to_string().as_str()));
        }
    }
}
