//! The stored form of a dismissed signal: on the desk while its visit lasts, and with the transition for good.

use prost::Message;
use rollout::state::Dismissal;

use super::{
    ModelError,
    state::{read_reason, write_reason},
};

/// A dismissal as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredDismissal {
    /// As in the holds of a state.
    #[prost(uint32, tag = "1")]
    reason: u32,
    #[prost(uint32, optional, tag = "2")]
    guard: Option<u32>,
    #[prost(double, optional, tag = "3")]
    log_size: Option<f64>,
    #[prost(string, tag = "4")]
    by: String,
    #[prost(int64, tag = "5")]
    at_us: i64,
    #[prost(string, tag = "6")]
    why: String,
    #[prost(uint32, optional, tag = "7")]
    criterion: Option<u32>,
}

impl From<&Dismissal> for StoredDismissal {
    fn from(dismissal: &Dismissal) -> Self {
        Self {
            reason: write_reason(dismissal.reason),
            guard: dismissal.guard.map(|guard| guard as u32),
            log_size: dismissal.log_size,
            by: dismissal.by.clone(),
            at_us: dismissal.at_us,
            why: dismissal.why.clone(),
            criterion: dismissal.criterion.map(|criterion| criterion as u32),
        }
    }
}

impl StoredDismissal {
    /// The dismissal.
    pub(super) fn read(self) -> Result<Dismissal, ModelError> {
        Ok(Dismissal {
            reason: read_reason(self.reason, "dismissal.reason")?,
            guard: self.guard.map(|guard| guard as usize),
            criterion: self.criterion.map(|criterion| criterion as usize),
            log_size: self.log_size,
            by: self.by,
            at_us: self.at_us,
            why: self.why,
        })
    }
}
