//! What a robust test is asked: which kind of number, which limit, and on which side of it harm lies.
//!
//! A limit says what is still allowed; beyond it is harm. Parsing and refusing limits that mean nothing (a ratio of 0,
//! say) is the plan's business; here such a limit yields no evidence.

/// How the sums of the unit buckets are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Counts: so many bad outcomes (or exceedances, or conversions) out of so many.
    Rate,
    /// Clamped values in fixed point 1e-6: their sum, and how many there were.
    Mean,
}

/// The most that is allowed, or the least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A rate or a mean by itself (L).
    Absolute(f64),
    /// So many times that of control (rho).
    Relative(f64),
}

/// On which side of the limit harm lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// More than the limit is harm: errors, costs, exceedances.
    Above,
    /// Less than the limit is harm: revenue, conversions, scores.
    Below,
}

/// One question to a robust test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// What is compared.
    pub kind: Kind,
    /// With what.
    pub limit: Limit,
    /// Where harm lies.
    pub harm: Side,
}

impl Kind {
    /// How many units of a stored sum make 1.
    pub fn denominator(self) -> f64 {
        match self {
            Kind::Rate => 1.0,
            Kind::Mean => 1e6,
        }
    }
}

impl Side {
    /// The other side.
    pub fn turned(self) -> Side {
        match self {
            Side::Above => Side::Below,
            Side::Below => Side::Above,
        }
    }

    /// The factor that makes a difference positive when it lies on this side.
    pub fn sign(self) -> f64 {
        match self {
            Side::Above => 1.0,
            Side::Below => -1.0,
        }
    }
}
