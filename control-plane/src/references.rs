//! What documents of an environment read of each other: the documents as a validation sees them, and those that would
//! be left with something missing.
//!
//! A flag that is archived is not there for others, and reads nothing. A flag that a rollout holds reads the audiences of
//! all its stages, too, of those to come as well: a rollout must not meet a gap weeks after it was started. Whoever writes
//! by what he learns here guards the references of the environment (`change::guard_references`), so that of two writes
//! that each read what the other writes one is tried again.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use evaluation::{
    Buckets, Documents, Flag, Key, ReachedStage, Reference, RolloutStep, Segment, Violation, Written, check_references,
    references_of,
};

use rollout::Plan;

use crate::{record::RolloutRecord, state::State};

/// How many readers of a document are named.
const NAMED: usize = 20;

/// What a request writes, laid over what is there; none: it is deleted or archived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    /// By key.
    pub(crate) flags: BTreeMap<Key, Option<Flag>>,
    /// By key; without their members.
    pub(crate) segments: BTreeMap<Key, Option<Segment>>,
}

/// The documents of an environment as they would be after a write.
#[derive(Debug)]
pub(crate) struct StateDocuments<'s> {
    state: &'s State,
    environment: &'s Key,
    overlay: &'s Overlay,
    /// By flag: what all rollouts under way will have reached, once one was asked for.
    steps: OnceCell<BTreeMap<Key, RolloutStep>>,
}

/// A document that would read what is no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What it reads: the flag or segment that is written.
    pub(crate) read: Reference,
    /// Who reads it, in words such as `flag checkout` or `flag checkout in rollout checkout#3`, the first twenty.
    pub(crate) readers: Vec<String>,
    /// Whether any of these reads it only as long as a rollout is under way.
    pub(crate) by_rollout: bool,
    /// What would be wrong with the first of them, in words.
    pub(crate) why: String,
}

impl Overlay {
    /// Of one flag.
    pub(crate) fn of_flag(key: &Key, flag: Option<Flag>) -> Self {
        Self {
            flags: [(key.clone(), flag)].into(),
            ..Self::default()
        }
    }

    /// Of one segment.
    pub(crate) fn of_segment(key: &Key, segment: Option<Segment>) -> Self {
        Self {
            segments: [(key.clone(), segment)].into(),
            ..Self::default()
        }
    }

    fn names(&self) -> impl Iterator<Item = Reference> {
        let flags = self.flags.keys().map(|key| Reference::Flag(key.to_string()));
        flags.chain(self.segments.keys().map(|key| Reference::Segment(key.to_string())))
    }
}

impl Documents for StateDocuments<'_> {
    fn flag(&self, key: &str) -> Option<&Flag> {
        if let Some(written) = self.overlay.flags.get(key) {
            return written.as_ref();
        }
        let record = self.state.flag(self.environment, &Key::parse(key).ok()?)?;
        record.archived_at_us.is_none().then_some(&record.flag)
    }

    fn segment(&self, key: &str) -> Option<&Segment> {
        if let Some(written) = self.overlay.segments.get(key) {
            return written.as_ref();
        }
        let record = self.state.segment(self.environment, &Key::parse(key).ok()?)?;
        Some(&record.segment)
    }

    fn step(&self, flag: &str) -> Option<&RolloutStep> {
        let key = Key::parse(flag).ok()?;
        // Most flags are held by nothing, and need no other's step either.
        self.state.active(self.environment, &key)?;
        self.steps().get(&key)
    }
}

impl<'s> StateDocuments<'s> {
    /// What is there, with what is written over it.
    pub(crate) fn new(state: &'s State, environment: &'s Key, overlay: &'s Overlay) -> Self {
        Self {
            state,
            environment,
            overlay,
            steps: OnceCell::new(),
        }
    }

    fn steps(&self) -> &BTreeMap<Key, RolloutStep> {
        self.steps.get_or_init(|| {
            let held = self.state.held_flags(self.environment);
            let steps =
                held.filter_map(|flag| Some((flag.clone(), whole_step_of(self.state, self.environment, flag)?)));
            steps.collect()
        })
    }

    /// The documents that are there, are not written, and read something themselves.
    fn readers(&self) -> impl Iterator<Item = (Reference, Written<'_>)> {
        let (state, overlay, steps) = (self.state, self.overlay, self.steps());
        let flags = state.flags_of(self.environment, None);
        let flags = flags
            .filter(|record| record.archived_at_us.is_none() && !overlay.flags.contains_key(&record.flag.key))
            .map(|record| (&record.flag, steps.get(&record.flag.key)))
            .filter(|(flag, step)| reads(flag, *step))
            .map(|(flag, step)| (Reference::Flag(flag.key.to_string()), Written::Flag(flag, step)));
        let segments = state.segments_of(self.environment, None);
        let segments = segments
            .filter(|record| !overlay.segments.contains_key(&record.segment.key))
            .map(|record| {
                let key = Reference::Segment(record.segment.key.to_string());
                (key, Written::Segment(&record.segment))
            });
        flags.chain(segments)
    }

    /// The rollout that makes a reader read what a violation is about; none if the document itself does.
    fn rollout_of(&self, reader: &Reference, violation: &Violation) -> Option<&RolloutRecord> {
        match reader {
            Reference::Flag(key) if violation.field.starts_with("rollout.") => {
                let key = Key::parse(key).ok()?;
                self.state.holder(self.environment, &key).map(|record| &**record)
            }
            Reference::Flag(_) | Reference::Segment(_) => None,
        }
    }

    /// What the write would leave without something that it reads, by what is written.
    ///
    /// Looks at every document that reads what is written, itself or through others: linear in the documents of the
    /// environment that read something.
    pub(crate) fn broken(&self) -> Vec<Broken> {
        let readers = self.readers().collect::<BTreeMap<_, _>>();
        let mut read_by = BTreeMap::<Reference, Vec<&Reference>>::new();
        for (reader, written) in &readers {
            for read in references_of(*written) {
                read_by.entry(read).or_default().push(reader);
            }
        }
        let mut broken = Vec::new();
        let mut told = BTreeSet::new();
        for written in self.overlay.names() {
            let of = upstream(&written, &read_by);
            let mut wrong = of.into_iter().filter_map(|reader| {
                let violations = check_references(*readers.get(reader)?, self);
                let first = violations.into_iter().next()?;
                let rollout = self.rollout_of(reader, &first);
                told.insert(reader)
                    .then(|| (in_words(reader, rollout), rollout.is_some(), first.to_string()))
            });
            let Some((first, first_by_rollout, why)) = wrong.next() else {
                continue;
            };
            let others = wrong.map(|(reader, by_rollout, _)| (reader, by_rollout));
            let readers = std::iter::once((first, first_by_rollout)).chain(others);
            let (readers, by_rollout): (Vec<String>, Vec<bool>) = readers.take(NAMED).unzip();
            broken.push(Broken {
                readers,
                by_rollout: by_rollout.contains(&true),
                read: written,
                why,
            });
        }
        broken
    }
}

/// The rollout under way that holds a flag, as if it had reached every stage: all that it will read.
pub(crate) fn whole_step_of(state: &State, environment: &Key, flag: &Key) -> Option<RolloutStep> {
    let record = state.holder(environment, flag)?;
    let is_under_way = record.state.is_live() || record.state.phase.is_before_start();
    (is_under_way && !state.latches.contains_key(&record.id)).then(|| whole_step(&record.plan))
}

/// A rollout of a plan as if it had reached every stage. Good for what it reads, and for nothing else.
pub(crate) fn whole_step(plan: &Plan) -> RolloutStep {
    let reached = plan.stages.iter().enumerate().map(|(number, stage)| ReachedStage {
        stage: number as u8,
        share: Buckets::ALL,
        audience: stage.audience.clone(),
    });
    RolloutStep {
        rollout: 0,
        measuring_key: 0,
        salt: String::new(),
        bucket_by: Vec::new(),
        treatment: plan.treatment.clone(),
        control: plan.control.clone(),
        shadow: false,
        stage: 0,
        reached: reached.collect(),
    }
}

/// Whether a flag can read anything.
fn reads(flag: &Flag, step: Option<&RolloutStep>) -> bool {
    let mut reached = step.into_iter().flat_map(|step| &step.reached);
    !flag.prerequisites.is_empty() || !flag.rules.is_empty() || reached.any(|stage| !stage.audience.is_empty())
}

/// Everybody who reads something, the nearest first.
fn upstream<'r>(read: &Reference, read_by: &BTreeMap<Reference, Vec<&'r Reference>>) -> Vec<&'r Reference> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = VecDeque::from([read]);
    while let Some(read) = next.pop_front() {
        for reader in read_by.get(read).into_iter().flatten() {
            if seen.insert(*reader) {
                found.push(*reader);
                next.push_back(reader);
            }
        }
    }
    found
}

/// A reader in words, with the rollout that makes it one.
fn in_words(reader: &Reference, rollout: Option<&RolloutRecord>) -> String {
    let reader = words(reader);
    match rollout {
        Some(rollout) => format!("{reader} in rollout {}", rollout.name()),
        None => reader,
    }
}

/// A document in words.
pub(crate) fn words(reference: &Reference) -> String {
    match reference {
        Reference::Flag(key) => format!("flag {key}"),
        Reference::Segment(key) => format!("segment {key}"),
    }
}

#[cfg(test)]
mod tests;
