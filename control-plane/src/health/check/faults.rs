//! What is wrong in a message, as far as it is told.

use evaluation::Violation;
use proto::status::violation;

/// Violations that are listed; of more, only their number is told.
pub(super) const LISTED: usize = 20;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    listed: Vec<Violation>,
    more: usize,
}

impl Faults {
    /// Notes a rule that does not hold; the field is only asked for then.
    pub(super) fn check(&mut self, holds: bool, field: impl FnOnce() -> String, rule: &str) {
        if holds {
            return;
        }
        if self.listed.len() < LISTED {
            self.listed.push(violation(field(), rule));
        } else {
            self.more += 1;
        }
    }

    /// The value, if nothing is wrong.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, Vec<Violation>> {
        if self.listed.is_empty() {
            return Ok(value);
        }
        if self.more > 0 {
            self.listed
                .push(violation("frames", format!("{} more violations", self.more)));
        }
        Err(self.listed)
    }
}
