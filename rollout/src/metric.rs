//! A metric: how outcomes become a number.
//!
//! Lower is better for every metric here, so a limit is always an upper one.

/// What a guard watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Bad outcomes (errors, timeouts) out of all outcomes. Cancelled ones count nowhere.
    ErrorRate,
}

impl Metric {
    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Metric::ErrorRate => "error-rate",
        }
    }
}
