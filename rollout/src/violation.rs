//! What is wrong with a plan, all of it at once.
//!
//! Each violation names the field as documents write it (`stages[2].share`) and says what would be right, so that one
//! answer is enough to mend a plan. What passes here is what every other part of this crate takes for granted.

use crate::evidence::unit::POSITIONS;
use crate::{Guard, Level, Micros, Plan, Share, Stage, Unit};

/// The most stages in a plan.
const MOST_STAGES: usize = 16;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 200;
/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 4_096;
/// The longest dwell: 365 days.
const LONGEST_DWELL_US: Micros = 365 * crate::DAY_US;
/// The most that a stage may ask for of outcomes or units: 10^9.
const LARGEST_MINIMUM: u64 = 1_000_000_000;
/// What a limit on the ratio to control may be.
const LIMITS: std::ops::RangeInclusive<f64> = 0.1..=100.0;
/// What a budget of false aborts may be.
const ALPHAS: std::ops::RangeInclusive<f64> = 0.0001..=0.2;
/// When an exposure may count as lost: after a second to an hour.
const LOST_AFTER_US: std::ops::RangeInclusive<Micros> = 1_000_000..=3_600_000_000;

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, as documents write it.
    pub field: String,
    /// What would be right.
    pub description: String,
}

impl Plan {
    /// Everything that is wrong with this plan; empty if it may be started.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        self.check_names(&mut found);
        self.check_stages(&mut found);
        self.check_guards(&mut found);
        self.check_numbers(&mut found);
        found
    }

    fn check_names(&self, found: &mut Vec<Violation>) {
        for (field, value) in [("key", &self.key), ("flag", &self.flag)] {
            if !is_key(value) {
                report(found, field, key_rule(value));
            }
        }
        if self.description.len() > LONGEST_DESCRIPTION {
            report(
                found,
                "description",
                format!("must be at most {LONGEST_DESCRIPTION} bytes"),
            );
        }
        for (field, value) in [("treatment", &self.treatment), ("control", &self.control)] {
            if !is_variant(value) {
                report(
                    found,
                    field,
                    format!("must name a variant: 1 to {LONGEST_KEY} bytes, no control characters"),
                );
            }
        }
        if self.treatment == self.control {
            report(
                found,
                "treatment",
                format!("must differ from control, both are {:?}", self.control),
            );
        }
    }

    fn check_stages(&self, found: &mut Vec<Violation>) {
        if self.stages.is_empty() || self.stages.len() > MOST_STAGES {
            let count = self.stages.len();
            report(
                found,
                "stages",
                format!("must be 1 to {MOST_STAGES} stages, not {count}"),
            );
        }
        // A list that is too long is reported once; its surplus is not examined.
        for (position, stage) in self.stages.iter().enumerate().take(MOST_STAGES) {
            check_stage(stage, position, found);
            let earlier = &self.stages[..position];
            if earlier.iter().any(|other| other.name == stage.name) {
                let description = format!("must be unique within the plan, {:?} is not", stage.name);
                report(found, format!("stages[{position}].name"), description);
            }
            if let Some(previous) = earlier.last().filter(|previous| previous.share >= stage.share) {
                let description = format!(
                    "must be above the stage before ({}), not {}",
                    percent(previous.share),
                    percent(stage.share)
                );
                report(found, format!("stages[{position}].share"), description);
            }
        }
    }

    fn check_guards(&self, found: &mut Vec<Violation>) {
        if self.guards.len() != 1 {
            let count = self.guards.len();
            report(
                found,
                "guards",
                format!("must be exactly one guard, on the error rate and of level abort, not {count}"),
            );
        }
        for (position, guard) in self.guards.iter().enumerate().take(MOST_STAGES) {
            self.check_guard(guard, position, found);
        }
    }

    fn check_guard(&self, guard: &Guard, position: usize, found: &mut Vec<Violation>) {
        match guard.level {
            Level::Abort => {}
            Level::Warn | Level::Hold => {
                let description = format!("must be abort, not {}", guard.level.name());
                report(found, format!("guards[{position}].level"), description);
            }
        }
        let field = format!("guards[{position}].limit");
        if !LIMITS.contains(&guard.limit) {
            report(
                found,
                field,
                format!(
                    "must be {} to {} times control, not {}",
                    LIMITS.start(),
                    LIMITS.end(),
                    guard.limit
                ),
            );
        } else if self.unit == Unit::Request && guard.limit * self.max_control_rate >= 1.0 {
            let description = format!(
                "times max_control_rate ({}) must be below 1: no error rate could break a limit of {}",
                self.max_control_rate, guard.limit
            );
            report(found, field, description);
        }
    }

    fn check_numbers(&self, found: &mut Vec<Violation>) {
        if !ALPHAS.contains(&self.alpha) {
            report(
                found,
                "alpha",
                format!("must be {} to {}, not {}", ALPHAS.start(), ALPHAS.end(), self.alpha),
            );
        }
        if !(self.max_control_rate > 0.0 && self.max_control_rate < 1.0) {
            let description = format!("must be above 0 and below 1, not {}", self.max_control_rate);
            report(found, "max_control_rate", description);
        }
        if !LOST_AFTER_US.contains(&self.lost_after_us) {
            let description = format!("must be 1 s to 1 h, not {} us", self.lost_after_us);
            report(found, "lost_after", description);
        }
    }
}

fn check_stage(stage: &Stage, position: usize, found: &mut Vec<Violation>) {
    if !is_key(&stage.name) {
        report(found, format!("stages[{position}].name"), key_rule(&stage.name));
    }
    if !(0..=LONGEST_DWELL_US).contains(&stage.dwell_us) {
        let description = format!("must be 0 to 365 days, not {} us", stage.dwell_us);
        report(found, format!("stages[{position}].dwell"), description);
    }
    for (name, value, largest) in [
        ("minimum_outcomes", stage.minimum_outcomes, LARGEST_MINIMUM),
        ("minimum_units", stage.minimum_units, u64::from(POSITIONS)),
    ] {
        if value > largest {
            let description = format!("must be at most {largest}, not {value}");
            report(found, format!("stages[{position}].{name}"), description);
        }
    }
}

fn report(found: &mut Vec<Violation>, field: impl Into<String>, description: String) {
    found.push(Violation {
        field: field.into(),
        description,
    });
}

/// Whether a text is a key: `[A-Za-z0-9][A-Za-z0-9._:~-]{0,199}`.
fn is_key(text: &str) -> bool {
    text.len() <= LONGEST_KEY
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte))
}

fn key_rule(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    format!(
        "must begin with a letter or digit and hold only these and . _ : ~ -, 1 to {LONGEST_KEY} of them, not {shown:?}"
    )
}

fn is_variant(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn percent(share: Share) -> String {
    format!("{} %", f64::from(share.get()) / 1_000.0)
}
