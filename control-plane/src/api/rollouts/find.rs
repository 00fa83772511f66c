//! Finding a rollout by what people call it.

use std::{collections::BTreeSet, sync::Arc};

use evaluation::Key;
use rollout::catalogue;
use tonic::Status;
use uuid::Uuid;

use crate::{record::RolloutRecord, state::State};

/// How many characters of a name are repeated: a key, and a number.
const SHOWN: usize = 220;

/// A rollout that must be there, by id, display name, or the key of a flag (its newest).
pub(in crate::api) fn found(state: &State, environment: &Key, name: &str) -> Result<Arc<RolloutRecord>, Status> {
    find(state, environment, name)
        .cloned()
        .ok_or_else(|| Status::not_found(missing(state, environment, name)))
}

/// What is not there, and what was probably meant.
fn missing(state: &State, environment: &Key, name: &str) -> String {
    // It travels in a header.
    let name: String = name.chars().take(SHOWN).collect();
    let (flag, number) = match name.split_once('#') {
        Some((flag, number)) => (flag, Some(number)),
        None => (name.as_str(), None),
    };
    let what = match number {
        None if name.parse::<Uuid>().is_err() => format!("flag {name} has no rollout in environment {environment}"),
        None | Some(_) => format!("rollout {name} does not exist in environment {environment}"),
    };
    let flags: BTreeSet<&str> = state
        .rollouts_of(environment)
        .map(|record| record.plan.flag.as_str())
        .collect();
    // Of a flag that has some, the newest is meant sooner than one of another flag.
    let near = flags
        .get(flag)
        .copied()
        .or_else(|| catalogue::nearest_name(flag, flags.iter().copied()));
    let near = near.and_then(|near| Key::parse(near).ok());
    let Some(near) = near else { return what };
    let runs = || state.rollouts_of_flag(environment, &near);
    let numbered = number.and_then(|number| number.parse::<u32>().ok());
    let meant = runs().find(|record| Some(record.number) == numbered);
    match (number, meant.or_else(|| runs().next_back())) {
        (Some(_), Some(meant)) => format!("{what}; did you mean {}?", meant.name()),
        (None, _) | (_, None) => format!("{what}; did you mean {near}?"),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::Unit;

    use super::*;
    use crate::builders::{plan_of, production, started, state};

    #[test]
    fn what_was_probably_meant_is_said() {
        let beta = |number: u32| {
            let record = started(plan_of("beta", Unit::Unit, &[5], 1_000), number);
            RolloutRecord { number, ..record }
        };
        let state = state([beta(1), beta(2)]);
        for (name, said) in [
            (
                "betta",
                "flag betta has no rollout in environment production; did you mean beta?",
            ),
            (
                "betta#1",
                "rollout betta#1 does not exist in environment production; did you mean beta#1?",
            ),
            (
                "beta#9",
                "rollout beta#9 does not exist in environment production; did you mean beta#2?",
            ),
            ("checkout", "flag checkout has no rollout in environment production"),
            (
                "checkout#1",
                "rollout checkout#1 does not exist in environment production",
            ),
        ] {
            let refused = found(&state, &production(), name).unwrap_err();
            assert_eq!(refused.message(), said);
        }
        assert_eq!(found(&state, &production(), "beta").unwrap().number, 2);
    }
}
