//! Hours of the week, in UTC: what a limit against `baseline-same-hour` is compared by, hour by hour.
//!
//! Few rollouts need them, so that others pay nothing: those with such a limit, and those that may be captured (a stage
//! with nobody in treatment, or a shadow stage).

use crate::{
    Micros, Plan, Share,
    criterion::{Base, Comparison, Limit},
};

/// Hours of a week.
pub const HOURS_OF_WEEK: u8 = 168;
const HOUR_US: Micros = 3_600_000_000;
/// 1970 began on a Thursday, 72 hours into its week.
const FIRST: Micros = 72;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The hour of the week of a moment; 0 is that from Monday 00:00.
pub fn hour_of_week(at: Micros) -> u8 {
    let hours = at.div_euclid(HOUR_US) + FIRST;
    hours.rem_euclid(Micros::from(HOURS_OF_WEEK)) as u8
}

/// As people say it: `Mon 09:00 UTC`.
pub fn hour_name(hour: u8) -> String {
    let day = DAYS.get(usize::from(hour / 24)).copied().unwrap_or_default();
    format!("{day} {:02}:00 UTC", hour % 24)
}

/// The hours of the week that lie in a span of time, in its order; all of them where it is a week or longer.
pub fn hours_between(from: Micros, until: Micros) -> Vec<u8> {
    let count = until
        .div_euclid(HOUR_US)
        .saturating_sub(from.div_euclid(HOUR_US))
        .saturating_add(1);
    let count = count.clamp(0, Micros::from(HOURS_OF_WEEK));
    (0..count)
        .map(|hour| hour_of_week(from.saturating_add(hour * HOUR_US)))
        .collect()
}

/// Whether sums are kept by the hour for a plan.
pub fn needs_hours(plan: &Plan) -> bool {
    let may_be_captured = |stage: &crate::Stage| stage.shadow || stage.share == Share::NONE;
    plan.stages.iter().any(may_be_captured) || plan.guards.iter().any(|guard| is_by_hour(&guard.harm))
}

/// Whether a limit is compared by the hour.
pub fn is_by_hour(written: &Comparison) -> bool {
    match &written.limit {
        Limit::Absolute(_) => false,
        Limit::Times { base, .. } | Limit::Plus { base, .. } => *base == Base::BaselineSameHour,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_the_week_begins_on_monday_and_comes_again_after_a_week() {
        // Monday, 2026-06-01 09:00 UTC.
        let monday = 1_780_304_400_000_000;
        assert_eq!(hour_name(hour_of_week(monday)), "Mon 09:00 UTC");
        assert_eq!(hour_of_week(monday + HOUR_US - 1), hour_of_week(monday));
        assert_eq!(hour_name(hour_of_week(monday - 10 * HOUR_US)), "Sun 23:00 UTC");
        assert_eq!(hour_of_week(monday + 168 * HOUR_US), hour_of_week(monday));
        assert_eq!(hour_name(hour_of_week(0)), "Thu 00:00 UTC");
    }

    #[test]
    fn a_span_touches_each_of_its_hours_once() {
        assert_eq!(hours_between(HOUR_US - 1, HOUR_US), [72, 73]);
        assert_eq!(hours_between(0, 0), [72]);
        assert_eq!(hours_between(0, 400 * HOUR_US).len(), 168);
    }
}
