//! What is at stake in a rollout, and the strategy that fits it.
//!
//! The overall risk is the gravest of user impact, revenue impact and criticality; what is hard to take back is one level
//! graver, what a flag takes back is not.

use crate::strategy::Strategy;

/// How grave something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Little is at stake.
    Low,
    /// Some users or some revenue would feel it.
    Medium,
    /// Many would, or what they rely on.
    High,
}

/// How a change is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reversibility {
    /// By the flag.
    Easy,
    /// By more than the flag: a deployment, a repair.
    Moderate,
    /// Not wholly: data was changed, mail was sent.
    Hard,
}

/// One answer with its grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rated<T> {
    /// The answer.
    pub level: T,
    /// Why; may be empty.
    pub rationale: String,
}

/// What is at stake, and why somebody thinks so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// How many users feel it, and how much.
    pub user_impact: Rated<Risk>,
    /// What it may cost.
    pub revenue_impact: Rated<Risk>,
    /// How much else relies on it.
    pub criticality: Rated<Risk>,
    /// How it is taken back.
    pub reversibility: Rated<Reversibility>,
}

impl Assessment {
    /// The overall risk.
    pub fn overall(&self) -> Risk {
        let gravest = self
            .user_impact
            .level
            .max(self.revenue_impact.level)
            .max(self.criticality.level);
        match (self.reversibility.level, gravest) {
            (Reversibility::Hard, Risk::Low) => Risk::Medium,
            (Reversibility::Hard, Risk::Medium | Risk::High) => Risk::High,
            (Reversibility::Easy | Reversibility::Moderate, gravest) => gravest,
        }
    }
}

impl Risk {
    /// All of them.
    pub const ALL: [Risk; 3] = [Self::Low, Self::Medium, Self::High];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
        }
    }

    /// The strategy that fits it.
    pub fn strategy(self) -> Strategy {
        match self {
            Self::Low => Strategy::BigBang,
            Self::Medium => Strategy::Progressive,
            Self::High => Strategy::Canary,
        }
    }
}

impl Reversibility {
    /// All of them.
    pub const ALL: [Reversibility; 3] = [Self::Easy, Self::Moderate, Self::Hard];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Moderate => "moderate",
            Self::Hard => "hard",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assessed(user: Risk, revenue: Risk, criticality: Risk, reversibility: Reversibility) -> Risk {
        let rated = |level| Rated {
            level,
            rationale: String::new(),
        };
        Assessment {
            user_impact: rated(user),
            revenue_impact: rated(revenue),
            criticality: rated(criticality),
            reversibility: Rated {
                level: reversibility,
                rationale: String::new(),
            },
        }
        .overall()
    }

    #[test]
    fn the_gravest_answer_is_the_risk_and_what_cannot_be_taken_back_is_graver() {
        use Reversibility::{Easy, Hard, Moderate};
        use Risk::{High, Low, Medium};
        for (user, revenue, criticality, reversibility, expected) in [
            (Low, Low, Low, Easy, Low),
            (Low, Low, Low, Moderate, Low),
            (Low, Low, Low, Hard, Medium),
            (Medium, Low, Low, Easy, Medium),
            (Low, Medium, Low, Hard, High),
            (Low, Low, High, Easy, High),
            (High, High, High, Hard, High),
        ] {
            assert_eq!(assessed(user, revenue, criticality, reversibility), expected);
        }
    }

    #[test]
    fn each_risk_has_the_strategy_that_fits_it() {
        assert_eq!(Risk::Low.strategy(), Strategy::BigBang);
        assert_eq!(Risk::Medium.strategy(), Strategy::Progressive);
        assert_eq!(Risk::High.strategy(), Strategy::Canary);
    }
}
