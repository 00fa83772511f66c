//! What a measurement says, as far as it is remembered: enough to tell a repeat from another measurement with the same
//! key, and to answer the repeat as the first was answered. The unit is not in it, only its position, which the rollout's
//! measuring key hides.

use evaluation::Arm;
use rollout::duration;

/// A measurement that was pushed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remembered {
    /// What it said.
    pub(crate) content: Content,
    /// The arm that it counts for.
    pub(crate) arm: Arm,
    /// Name of the stage that it counts for; empty for a level.
    pub(crate) stage: String,
    /// When it was so.
    pub(crate) at_us: i64,
    /// Who pushed it.
    pub(crate) actor: String,
}

/// What a measurement says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    /// Key of the metric.
    pub(crate) metric: String,
    /// The values.
    pub(crate) values: Vec<f64>,
    /// What it belongs to.
    pub(crate) of: Of,
    /// When it was so, as it was said; 0: not said.
    pub(crate) said_us: i64,
    /// How long a level stands, as it was said; 0: not said.
    pub(crate) stands_for_us: i64,
}

/// What a measurement belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// This exposure, by its token.
    Token([u8; 16]),
    /// An arm as a whole.
    Arm(Arm),
    /// A unit, by its position in the rollout.
    Unit(u32),
}

impl Content {
    /// What differs, in words; none: it is the same. `self` came first.
    pub(crate) fn difference(&self, later: &Content) -> Option<String> {
        if self.metric != later.metric {
            return Some(format!("metric {}, not {}", self.metric, later.metric));
        }
        // To the bit: what is not a number was refused.
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        if bits(&self.values) != bits(&later.values) {
            return Some(format!("values {:?}, not {:?}", self.values, later.values));
        }
        if self.of != later.of {
            return Some(match (self.of.name(), later.of.name()) {
                (first, same) if first == same => format!("{first}, which was another"),
                (first, other) => format!("{first}, not with {other}"),
            });
        }
        if self.said_us != later.said_us {
            return Some(format!("{}, not {}", time(self.said_us), time(later.said_us)));
        }
        (self.stands_for_us != later.stands_for_us).then(|| {
            let stands = [self.stands_for_us, later.stands_for_us].map(|us| match us {
                0 => "no time to stand for".to_owned(),
                us => format!("{} to stand for", duration::exact(us)),
            });
            let [first, other] = stands;
            format!("{first}, not {other}")
        })
    }
}

/// A time that was said.
fn time(said_us: i64) -> String {
    match said_us {
        0 => "no time of its own".to_owned(),
        us => format!("time {us} (microseconds since 1970)"),
    }
}

impl Of {
    /// In a few words, without saying which unit.
    fn name(self) -> &'static str {
        match self {
            Of::Token(_) => "one token",
            Of::Arm(Arm::Treatment) => "treatment as a whole",
            Of::Arm(Arm::Control) => "control as a whole",
            Of::Unit(_) => "one unit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            metric: "complaints".to_owned(),
            values: vec![1.0],
            of: Of::Unit(5),
            said_us: 7,
            stands_for_us: 0,
        }
    }

    #[test]
    fn every_part_of_a_measurement_makes_another_of_it() {
        assert_eq!(content().difference(&content()), None);
        type Row = (&'static str, fn(&mut Content));
        let table: [Row; 7] = [
            ("metric complaints, not tickets", |other| {
                other.metric = "tickets".to_owned()
            }),
            ("values [1.0], not [2.0]", |other| other.values = vec![2.0]),
            ("values [1.0], not [1.0, 1.0]", |other| other.values.push(1.0)),
            ("one unit, which was another", |other| other.of = Of::Unit(6)),
            ("one unit, not with control as a whole", |other| {
                other.of = Of::Arm(Arm::Control);
            }),
            ("time 7 (microseconds since 1970), not no time of its own", |other| {
                other.said_us = 0
            }),
            ("no time to stand for, not 5us to stand for", |other| {
                other.stands_for_us = 5
            }),
        ];
        for (expected, change) in table {
            let mut other = content();
            change(&mut other);
            assert_eq!(content().difference(&other).as_deref(), Some(expected));
        }
    }
}
