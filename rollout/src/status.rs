//! How far a flag has come, across its environments, in one word; and when that is a question.
//!
//! The word is a function of what each environment serves: production counts before staging, and development never
//! counts. A flag that stands at a share for too long is stuck: somebody must advance it or take it back. Reading the
//! environments, the clock and whom to ask are left to the caller; the word in a Markdown file is [`Block`].

mod block;
mod date;
mod percent;
mod word;

pub use self::{
    block::{Block, Error, Line, read, replace},
    date::{Date, NoSuchDate},
    word::NoSuchState,
};
use crate::{DAY_US, Micros, Share};

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Where people write software; says nothing about a rollout.
    Development,
    /// Where software is tried before customers see it.
    Staging,
    /// Where customers are.
    Production,
}

/// How far a flag has come in one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// What the environment is for.
    pub kind: Kind,
    /// The share of the rollout's current stage; none if nothing was rolled out here.
    pub reached: Option<Share>,
    /// Whether that share is of some, not of everybody: 100 % of them is not everybody.
    pub of_some: bool,
    /// Whether everybody has it, whatever a rollout says: it ended there, or the flag serves it to all without one.
    pub serves_everybody: bool,
}

/// How far a flag has come. Displayed and parsed as `unrolled`, `staging-only`, `canary-10%`, `prod-100%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlagState {
    /// Nobody has it, outside of development.
    Unrolled,
    /// Nobody in production has it.
    StagingOnly,
    /// Some of production have it: more than nobody, fewer than everybody. 100 % is of an audience.
    Canary(Share),
    /// Everybody has it.
    Prod100,
}

/// A flag that has stood still for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// Where it stands.
    state: FlagState,
    /// For how many whole days.
    days: i64,
}

impl Environment {
    /// The share that has it here; none if nothing was rolled out.
    fn share(self) -> Option<Share> {
        if self.serves_everybody {
            Some(Share::ALL)
        } else {
            self.reached
        }
    }
}

impl FlagState {
    /// The state of a flag with these environments.
    ///
    /// Of several environments of production everybody means everybody in all of them; short of that the share is the
    /// mean, each environment counting alike, because how many units each has is not known here.
    pub fn of(environments: &[Environment]) -> FlagState {
        let shares = |kind: Kind| {
            let of_kind = environments.iter().filter(move |environment| environment.kind == kind);
            of_kind.map(|environment| environment.share())
        };
        let production: Vec<Option<Share>> = shares(Kind::Production).collect();
        let count = production.len() as u64;
        let of_some = environments.iter().any(|environment| {
            environment.kind == Kind::Production && environment.of_some && !environment.serves_everybody
        });
        let sum: u64 = production.iter().flatten().map(|share| u64::from(share.get())).sum();
        if sum > 0 {
            let mean = u32::try_from((sum / count).max(1)).ok().and_then(Share::new);
            return match mean {
                Some(mean) if mean.is_compared() || of_some => FlagState::Canary(mean),
                // A mean of shares is a share, and this one is not below everybody.
                Some(_) | None => FlagState::Prod100,
            };
        }
        let at_zero = production.iter().any(Option::is_some);
        let in_staging = shares(Kind::Staging).flatten().any(|share| share > Share::NONE);
        if at_zero || in_staging {
            FlagState::StagingOnly
        } else {
            FlagState::Unrolled
        }
    }

    /// The share of production that has it.
    pub fn deployed(self) -> Share {
        match self {
            FlagState::Unrolled | FlagState::StagingOnly => Share::NONE,
            FlagState::Canary(share) => share,
            FlagState::Prod100 => Share::ALL,
        }
    }
}

impl Stuck {
    /// How long a flag may stand still unless somebody says otherwise: 14 days.
    pub const DEFAULT_THRESHOLD_US: Micros = 14 * DAY_US;

    /// Whether a flag is stuck that last changed `unchanged_us` ago. `unrolled` and `prod-100%` are ends, never stuck.
    pub fn of(state: FlagState, unchanged_us: Micros, threshold_us: Micros) -> Option<Stuck> {
        let waits = match state {
            FlagState::Unrolled | FlagState::Prod100 => false,
            FlagState::StagingOnly | FlagState::Canary(_) => true,
        };
        let days = unchanged_us.div_euclid(DAY_US);
        (waits && unchanged_us >= threshold_us).then_some(Stuck { state, days })
    }

    /// The question to ask: "canary-10% for 18 days: advance or roll back?"
    pub fn question(self) -> String {
        let choice = match self.state {
            FlagState::StagingOnly => "start in production or archive?",
            FlagState::Unrolled | FlagState::Canary(_) | FlagState::Prod100 => "advance or roll back?",
        };
        let days = match self.days {
            ..=0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        format!("{} for {days}: {choice}", self.state)
    }
}

#[cfg(test)]
mod tests;
