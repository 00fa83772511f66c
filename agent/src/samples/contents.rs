//! The entries of a snapshot: as a file's content, as received, as what leads from one to another, and in use.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use evaluation::{
    Buckets, Digest, EntryId, EntryKind, Environment, EnvironmentKind, Flag, Key, Lineage, Measurement, Revision,
    RolloutStep, Segment, Snapshot, StageVisit,
};
use proto::entry::{RawEntry, encode_environment, encode_flag, encode_measurement, encode_segment, frame};

use super::{TOKEN_KEY, measurement, rolled_out, segment, step};
use crate::{
    disk::Stored,
    snapshot::{Holder, Stamp},
    sync::apply::restore,
};

/// The entries of a snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    entries: BTreeMap<EntryId, Bytes>,
}

impl Contents {
    /// The environment production and nothing else.
    pub(crate) fn production() -> Self {
        let key = Key::parse("production").unwrap();
        let environment = Environment {
            key,
            kind: EnvironmentKind::Production,
            order: 2,
            token_key: TOKEN_KEY,
        };
        Self::default().raw(EntryKind::Environment, "production", encode_environment(&environment))
    }

    /// With these bytes as an entry.
    pub(crate) fn raw(mut self, kind: EntryKind, key: &str, body: Bytes) -> Self {
        self.entries.insert(
            EntryId {
                kind,
                key: Arc::from(key),
            },
            body,
        );
        self
    }

    /// With a flag.
    pub(crate) fn flag(self, flag: &Flag) -> Self {
        self.raw(EntryKind::Flag, flag.key.as_str(), encode_flag(flag, None))
    }

    /// With a segment.
    pub(crate) fn segment(self, segment: &Segment) -> Self {
        self.raw(EntryKind::Segment, segment.key.as_str(), encode_segment(segment))
    }

    /// With the rolled out flag at this share, and its measurement.
    pub(crate) fn rollout(self, share: Buckets) -> Self {
        self.step(&step(share)).measured(&measurement())
    }

    /// With the rolled out flag in this step, and what is measured in the two stages that it may have reached; `ada`
    /// and `bob` are staff, `bob` and `eve` beta testers.
    pub(crate) fn rollout_for_some(self, step: &RolloutStep) -> Self {
        let visit = |stage| StageVisit {
            stage,
            ..measurement().stages[0]
        };
        self.step(step)
            .measured(&Measurement {
                stages: vec![visit(0), visit(1)],
                ..measurement()
            })
            .segment(&segment("staff", &["ada", "bob"]))
            .segment(&segment("beta", &["bob", "eve"]))
    }

    /// With the rolled out flag in this step.
    fn step(self, step: &RolloutStep) -> Self {
        let flag = rolled_out();
        self.raw(EntryKind::Flag, flag.key.as_str(), encode_flag(&flag, Some(step)))
    }

    /// With a measurement.
    pub(crate) fn measured(self, measurement: &Measurement) -> Self {
        self.raw(
            EntryKind::Measurement,
            &measurement.rollout.to_string(),
            encode_measurement(measurement),
        )
    }

    /// Without a flag.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.entries.remove(&EntryId {
            kind: EntryKind::Flag,
            key: Arc::from(key),
        });
        self
    }

    /// As a file's content, at this number of lineage 1.
    pub(crate) fn stored(&self, number: u64) -> Stored {
        let revision = Revision {
            lineage: Lineage(1),
            number,
        };
        let mut stored = Stored {
            stamp: Stamp {
                revision,
                digest: Digest(0),
            },
            entries: self.entries.clone(),
            kept: BTreeMap::new(),
        };
        stored.stamp.digest = stored.digest();
        stored
    }

    /// As a snapshot, at this number of lineage 1.
    pub(crate) fn snapshot(&self, number: u64) -> Snapshot {
        restore(&self.stored(number)).0
    }

    /// As a snapshot in use.
    pub(crate) fn held(&self, number: u64) -> Holder {
        let holder = Holder::new(false);
        self.install(&holder, number);
        holder
    }

    /// Put in use.
    pub(crate) fn install(&self, holder: &Holder, number: u64) {
        let snapshot = self.snapshot(number);
        let digest = snapshot.digest();
        holder.install(snapshot, digest).unwrap();
    }

    /// As received whole.
    pub(crate) fn received(&self) -> Vec<RawEntry> {
        let raw = |(id, body): (&EntryId, &Bytes)| RawEntry {
            kind: id.kind,
            key: id.key.to_string(),
            body: Some(body.clone()),
        };
        self.entries.iter().map(raw).collect()
    }

    /// What leads here from another, framed for the wire; None: the whole.
    pub(crate) fn framed(&self, from: Option<&Self>) -> Bytes {
        let nothing = Self::default();
        let from = from.unwrap_or(&nothing);
        let written = self
            .entries
            .iter()
            .filter(|(id, body)| from.entries.get(id) != Some(body));
        let removed = from.entries.keys().filter(|id| !self.entries.contains_key(id));
        let mut bytes = Vec::new();
        for (id, body) in written {
            bytes.extend(frame(id.kind, &id.key, Some(body)));
        }
        for id in removed {
            bytes.extend(frame(id.kind, &id.key, None));
        }
        bytes.into()
    }
}
