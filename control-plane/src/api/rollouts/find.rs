//! Finding a rollout by what people call it.

use std::sync::Arc;

use evaluation::Key;
use tonic::Status;
use uuid::Uuid;

use crate::{record::RolloutRecord, state::State};

/// How many characters of a name are repeated: a key, and a number.
const SHOWN: usize = 220;

/// A rollout that must be there, by id, display name, or the key of a flag (its newest).
pub(in crate::api) fn found(state: &State, environment: &Key, name: &str) -> Result<Arc<RolloutRecord>, Status> {
    find(state, environment, name).cloned().ok_or_else(|| {
        // It travels in a header.
        let name = name.chars().take(SHOWN).collect::<String>();
        Status::not_found(format!("rollout {name} does not exist in environment {environment}"))
    })
}

fn find<'s>(state: &'s State, environment: &'s Key, name: &str) -> Option<&'s Arc<RolloutRecord>> {
    if let Some(found) = name.parse::<Uuid>().ok().and_then(|id| state.rollout(environment, id)) {
        return Some(found);
    }
    let (flag, number) = match name.rsplit_once('#') {
        Some((flag, number)) => (flag, Some(number.parse::<u32>().ok()?)),
        None => (name, None),
    };
    let mut newest_first = state.rollouts_of_flag(environment, &Key::parse(flag).ok()?).rev();
    newest_first.find(|record| number.is_none_or(|number| record.number == number))
}
