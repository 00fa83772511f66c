//! What was joined to one request: it counts once for each arm, however often and late an exposure is told.
//!
//! The first time that an arm is told, the request counts for it as it ended, with all values that are known. Values
//! that come later count by themselves, for the exposures told before.

use std::borrow::Cow;

use evaluation::Attributed;

use super::{
    dropped::{Dropped, Tally},
    ended::Ended,
    gen_ai::{Measured, Together},
    ids::SpanId,
    join::What,
};

/// Exposures that are kept for one request.
const EXPOSURES: usize = 64;
/// Values that are kept for one request.
const VALUES: usize = 32;

/// What was joined so far.
#[derive(Debug, Default)]
pub(super) struct Request {
    exposed: Vec<Attributed>,
    values: Vec<Measured>,
}

/// Something to be counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Joined {
    /// The request.
    pub(super) id: SpanId,
    /// What it was exposed to.
    pub(super) exposed: Vec<Attributed>,
    /// How it ended.
    pub(super) ended: Ended,
    /// Whether its end was not counted before.
    pub(super) is_first: bool,
    /// Its values that were not counted before.
    pub(super) values: Vec<(Cow<'static, str>, f64)>,
}

impl Request {
    /// Adds what is said of the request, which has this id and ended so; gives what is to be counted now.
    pub(super) fn add(&mut self, id: SpanId, ended: &Ended, said: Vec<What>, tally: &mut Tally) -> Vec<Joined> {
        let (mut fresh, mut measured) = (Vec::new(), Vec::new());
        for what in said {
            match what {
                What::Served(attributed) => self.serve(attributed, &mut fresh, tally),
                What::Measured(value) => measure(&mut measured, value, tally),
            }
        }
        for value in measured.iter().cloned() {
            measure(&mut self.values, value, tally);
        }
        let joined = |exposed: Vec<Attributed>, is_first: bool, values: &[Measured]| Joined {
            id,
            exposed,
            ended: ended.clone(),
            is_first,
            values: values.iter().map(|value| (value.key.clone(), value.number)).collect(),
        };
        let earlier = self.exposed.clone();
        self.exposed.extend(&fresh);
        let later = (!earlier.is_empty() && !measured.is_empty()).then(|| joined(earlier, false, &measured));
        let first = (!fresh.is_empty()).then(|| joined(fresh, true, &self.values));
        later.into_iter().chain(first).collect()
    }

    /// Notes an exposure whose arm was not told before. Several units may have got the same: they count once, and none
    /// of them is awaited any more.
    fn serve(&self, attributed: Attributed, fresh: &mut Vec<Attributed>, tally: &mut Tally) {
        let same = |known: &Attributed| known.place == attributed.place && known.arm == attributed.arm;
        if self.exposed.iter().any(same) {
            tally.joined += 1;
            tally.told.push(attributed);
            return;
        }
        let may_be_one = |known: &&mut Attributed| {
            let told = known.position.zip(attributed.position);
            same(known) && told.is_none_or(|(known, told)| known == told)
        };
        if let Some(known) = fresh.iter_mut().find(may_be_one) {
            known.position = known.position.or(attributed.position);
            tally.joined += 1;
        } else if self.exposed.len() + fresh.len() < EXPOSURES {
            fresh.push(attributed);
            tally.joined += 1;
        } else {
            tally.drop_served(Dropped::Crowded, &attributed);
        }
    }
}

/// Adds a value to those of a request.
fn measure(values: &mut Vec<Measured>, value: Measured, tally: &mut Tally) {
    let is_known = |known: &&mut Measured| known.key == value.key && value.together != Together::Each;
    if let Some(known) = values.iter_mut().find(is_known) {
        known.number = match value.together {
            Together::Sum => known.number + value.number,
            Together::Largest | Together::Each => known.number.max(value.number),
        };
    } else if values.len() < VALUES {
        values.push(value);
    } else {
        tally.drop(Dropped::Crowded, 1);
    }
}

#[cfg(test)]
mod tests;
