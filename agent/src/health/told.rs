//! Which requests were told of lately, where each is a unit of its own: one that is told again counts no more.
//!
//! A service that reports in a loop would otherwise fail one request a hundred times. A token names a request by its
//! position and second; what is named otherwise cannot be told apart and counts each time. Bounded: of two generations the
//! older one is forgotten when the younger is full.

use std::collections::HashSet;

use evaluation::Position;
use foldhash::fast::RandomState;

use super::slice::CellKey;

/// Requests of one generation, in one shard of one rollout.
const GENERATION: usize = 1_024;

/// A request: what its token names.
type Request = (CellKey, Position, u32);

/// Requests that were told of lately.
#[derive(Debug, Default)]
pub(crate) struct Told {
    younger: HashSet<Request, RandomState>,
    older: HashSet<Request, RandomState>,
}

impl Told {
    /// Notes that a request was told of; false if it was before.
    pub(crate) fn is_new(&mut self, request: Request) -> bool {
        if self.older.contains(&request) || !self.younger.insert(request) {
            return false;
        }
        if self.younger.len() >= GENERATION {
            self.older = std::mem::take(&mut self.younger);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use evaluation::Arm;

    use super::*;

    const CELL: CellKey = CellKey {
        stage: 0,
        stratum: 0,
        arm: Arm::Treatment,
    };

    #[test]
    fn a_request_is_new_once_and_the_latest_thousand_are_known() {
        let mut told = Told::default();
        let request = |tick| (CELL, Position::of(1, "one"), tick);
        for tick in 0..10_000 {
            assert!(told.is_new(request(tick)));
            assert!(!told.is_new(request(tick)));
            assert!(!told.is_new(request(tick.saturating_sub(1_000))));
        }
        assert!(told.is_new(request(0)), "it was long ago");
        assert!(told.younger.len() < GENERATION && told.older.len() <= GENERATION);
    }
}
