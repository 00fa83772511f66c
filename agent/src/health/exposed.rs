//! What a report belongs to: an exposure, and how much was said of who it was.
//!
//! A token names one evaluation. A flag and its context name a unit, which may have been exposed several times.
//! Telemetry may say no more than the arm; then there is no unit, and no position may be told from it.

use evaluation::{Exposure, Position};
use proto::Token;

/// How an exposure was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// As the evaluation of this tick of the rollout.
    Evaluation(u32),
    /// By its unit; not which of its evaluations.
    Unit,
    /// By its arm alone.
    #[allow(dead_code, reason = "for doors that may be told no unit")]
    Arm,
}

/// What a report belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// Where it counts. Named by its arm alone, the position is any: it only spreads.
    pub(crate) exposure: Exposure,
    /// How it was named.
    pub(crate) named: Named,
}

impl Exposed {
    /// What a token names.
    pub(crate) fn token(token: &Token) -> Self {
        Self {
            exposure: token.exposure,
            named: Named::Evaluation(token.tick),
        }
    }

    /// What a unit was exposed to.
    pub(crate) fn unit(exposure: Exposure) -> Self {
        Self {
            exposure,
            named: Named::Unit,
        }
    }

    /// What somebody unknown was exposed to. `spread`, a hash of the request, picks the unit bucket and takes the place
    /// of the position.
    #[allow(dead_code, reason = "for doors that may be told no unit")]
    pub(crate) fn somebody(exposure: Exposure, spread: u64) -> Self {
        // The top 18 bits always make a position.
        let position = Position::new((spread >> (u64::BITS - 18)) as u32).unwrap_or(exposure.position);
        Self {
            exposure: Exposure { position, ..exposure },
            named: Named::Arm,
        }
    }

    /// Whether the position is that of a unit.
    pub(crate) fn is_unit(&self) -> bool {
        match self.named {
            Named::Evaluation(_) | Named::Unit => true,
            Named::Arm => false,
        }
    }
}
