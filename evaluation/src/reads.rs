//! Which flags and segments a compiled flag or segment may ask: who must be told when one of them changes.
//!
//! The compiled counterpart of `references_of`, for those who hold a snapshot and not the documents. What is asked again
//! by what is asked is not followed here.

use crate::compiled::CompiledFlag;
use crate::entry::EntryKind;
use crate::segment::CompiledSegment;
use crate::test::CompiledCondition;

impl CompiledFlag {
    /// The flags and segments that its decision may ask, some perhaps several times.
    pub fn reads(&self) -> impl Iterator<Item = (EntryKind, &str)> {
        self.targeting.iter().flat_map(|targeting| {
            let prerequisites = targeting.prerequisites.iter().map(|prerequisite| &prerequisite.flag);
            let prerequisites = prerequisites.map(|flag| (EntryKind::Flag, flag.as_str()));
            let audiences = targeting.step.iter().flat_map(|step| step.segments());
            let audiences = audiences.map(|segment| (EntryKind::Segment, segment.as_str()));
            prerequisites
                .chain(targeting.conditions.iter().flat_map(read_by))
                .chain(audiences)
        })
    }
}

impl CompiledSegment {
    /// The flags and segments that its conditions may ask, some perhaps several times.
    pub fn reads(&self) -> impl Iterator<Item = (EntryKind, &str)> {
        self.conditions.iter().flat_map(read_by)
    }
}

fn read_by(condition: &CompiledCondition) -> impl Iterator<Item = (EntryKind, &str)> {
    let segments = condition.test.segments().iter();
    let segments = segments.map(|segment| (EntryKind::Segment, segment.as_str()));
    segments.chain(condition.test.flag().map(|flag| (EntryKind::Flag, flag.as_str())))
}
