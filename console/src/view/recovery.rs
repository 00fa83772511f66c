//! What came of the harm after an abort, in words.

use proto::v1;

use super::amount::{amount, known};
use crate::{duration, print::count};

/// Whether what harmed is well again, and by what that is told.
pub(crate) fn recovery(end: &v1::RolloutEnd, recovery: &v1::Recovery) -> String {
    let after = duration::rounded(recovery.at_us.saturating_sub(end.decided_at_us).max(0));
    let read = format!(
        "{} of {} outcomes; was {}, to be {}",
        known(&recovery.unit, recovery.value),
        count(recovery.outcomes),
        amount(&recovery.unit, recovery.harmed),
        amount(&recovery.unit, recovery.bar)
    );
    match recovery.outcome.as_str() {
        "recovered" => format!("recovered {after} after the abort ({read})"),
        "not-recovered" => {
            format!("NOT recovered {after} after the abort ({read}): look at what treatment left behind")
        }
        "no-data" => "whether it recovered is not known: too little was measured since".into(),
        "superseded" => "whether it recovered is not known: the next rollout began before".into(),
        _ => format!(
            "recovery is watched (was {}, to be {})",
            amount(&recovery.unit, recovery.harmed),
            amount(&recovery.unit, recovery.bar)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_the_harm_is_told_with_its_numbers() {
        let end = v1::RolloutEnd {
            decided_at_us: 1_000_000,
            ..v1::RolloutEnd::default()
        };
        let told = |outcome: &str| {
            let told = v1::Recovery {
                outcome: outcome.into(),
                at_us: 42_000_000,
                harm: "error-rate > 1x control".into(),
                bar: 0.02,
                harmed: 0.3,
                value: Some(0.0125),
                outcomes: 1_204,
                unit: "fraction".into(),
            };
            recovery(&end, &told)
        };
        let expected = "recovered 41s after the abort (1.25 % of 1,204 outcomes; was 30.00 %, to be 2.00 %)";
        assert_eq!(told("recovered"), expected);
        assert!(told("not-recovered").starts_with("NOT recovered"));
        assert!(told("watching").contains("watched") && told("no-data").contains("not known"));
    }
}
