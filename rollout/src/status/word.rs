//! The word of a state, written and read.

use std::{fmt, str::FromStr};

use super::{FlagState, percent};
use crate::Share;

/// A text that is none of the four words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such state {0:?}: there are unrolled, staging-only, canary-N% (above 0, three decimals at most) and prod-100%"
)]
pub struct NoSuchState(pub String);

impl fmt::Display for FlagState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlagState::Unrolled => f.pad("unrolled"),
            FlagState::StagingOnly => f.pad("staging-only"),
            FlagState::Canary(share) => f.pad(&format!("canary-{}%", percent::text(*share))),
            FlagState::Prod100 => f.pad("prod-100%"),
        }
    }
}

impl FromStr for FlagState {
    type Err = NoSuchState;

    fn from_str(text: &str) -> Result<Self, NoSuchState> {
        match text {
            "unrolled" => return Ok(FlagState::Unrolled),
            "staging-only" => return Ok(FlagState::StagingOnly),
            "prod-100%" => return Ok(FlagState::Prod100),
            _ => {}
        }
        let number = text.strip_prefix("canary-").and_then(|rest| rest.strip_suffix('%'));
        number
            .and_then(percent::parse)
            .filter(|share| *share > Share::NONE)
            .map(FlagState::Canary)
            .ok_or_else(|| NoSuchState(text.to_owned()))
    }
}
