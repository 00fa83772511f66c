//! A counting in words: `error-rate`, `p99 above 1s800ms`, `error-rate without card-declined`.

use std::fmt;

use super::{Counted, Counting};
use crate::{criterion::Decimal, duration};

impl fmt::Display for Counted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.metric)?;
        match &self.counting {
            Counting::Errors { expected } if !expected.is_empty() => {
                write!(formatter, " without {}", expected.join(", "))
            }
            Counting::Slower { bound_us } => write!(formatter, " above {}", duration::exact(*bound_us)),
            Counting::Above { bound, .. } => write!(formatter, " above {}", Decimal::from_millionths(*bound)),
            Counting::Errors { .. }
            | Counting::Timeouts
            | Counting::Status { .. }
            | Counting::Sum { .. }
            | Counting::Hits { .. }
            | Counting::Lost => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counting_says_what_makes_it_another() {
        let counted = |counting| Counted {
            metric: "latency".to_owned(),
            counting,
        };
        let value = || "latency".to_owned();
        for (counting, text) in [
            (Counting::Slower { bound_us: 1_800_000 }, "latency above 1s800ms"),
            (
                Counting::Above {
                    value: value(),
                    bound: 2_500_000,
                },
                "latency above 2.5",
            ),
            (
                Counting::Errors {
                    expected: vec!["card-declined".to_owned(), "refused".to_owned()],
                },
                "latency without card-declined, refused",
            ),
            (Counting::Lost, "latency"),
        ] {
            assert_eq!(counted(counting).to_string(), text);
        }
    }
}
