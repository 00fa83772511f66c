//! Risk as people assess it: four levels, each with a reason.

use super::field::Field;

/// The fields of risk, in their order.
pub(super) const FIELDS: [Field; 4] = [
    Field::UserImpact,
    Field::RevenueImpact,
    Field::Criticality,
    Field::Reversibility,
];

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Low,
    Medium,
    High,
}

/// How much, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assessment {
    pub(crate) level: Level,
    /// Empty if nobody said why.
    pub(crate) rationale: String,
}

/// All four assessments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Risk {
    pub(crate) user_impact: Assessment,
    pub(crate) revenue_impact: Assessment,
    pub(crate) criticality: Assessment,
    pub(crate) reversibility: Assessment,
}

/// Those that have been read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) user_impact: Option<Assessment>,
    pub(super) revenue_impact: Option<Assessment>,
    pub(super) criticality: Option<Assessment>,
    pub(super) reversibility: Option<Assessment>,
}

impl Draft {
    /// All four, if they are there.
    pub(super) fn finish(self) -> Option<Risk> {
        Some(Risk {
            user_impact: self.user_impact?,
            revenue_impact: self.revenue_impact?,
            criticality: self.criticality?,
            reversibility: self.reversibility?,
        })
    }
}

/// Reads a level, or how hard something is to take back (`easy`, `moderate`, `hard`), and why:
/// `HIGH`, `HIGH - why`, `High: why`, `high (why)`, `HIGH — why`; a reason in a column of its own comes last.
pub(super) fn assessment(value: &str, column: Option<&str>) -> Option<Assessment> {
    let value = value.trim();
    let word_end = value.find(|c: char| !c.is_alphabetic()).unwrap_or(value.len());
    let (word, rest) = value.split_at(word_end);
    let level = match word.to_ascii_uppercase().as_str() {
        "LOW" | "EASY" => Level::Low,
        "MEDIUM" | "MODERATE" => Level::Medium,
        "HIGH" | "HARD" => Level::High,
        _ => return None,
    };
    let rest = rest.trim();
    let reason = match rest.strip_prefix('(') {
        Some(inside) => inside.strip_suffix(')').unwrap_or(inside),
        None if rest.is_empty() => "",
        None => rest
            .strip_prefix(['-', ':', ',', ';', '.', '–', '—'])?
            .trim_start_matches(['-', '–', '—']),
    };
    let reasons = [reason, column.unwrap_or_default()];
    let reasons: Vec<&str> = reasons
        .into_iter()
        .map(str::trim)
        .filter(|reason| !reason.is_empty())
        .collect();
    Some(Assessment {
        level,
        rationale: reasons.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_comes_first_and_the_reason_after_any_mark() {
        let cases = [
            (
                "HIGH - all paying customers",
                None,
                Some((Level::High, "all paying customers")),
            ),
            ("High: all", None, Some((Level::High, "all"))),
            ("low (staff (ours) only)", None, Some((Level::Low, "staff (ours) only"))),
            ("low (staff only)", None, Some((Level::Low, "staff only"))),
            ("MEDIUM — some", None, Some((Level::Medium, "some"))),
            ("MEDIUM–some", None, Some((Level::Medium, "some"))),
            ("MEDIUM -- some", None, Some((Level::Medium, "some"))),
            ("LOW", None, Some((Level::Low, ""))),
            (
                "LOW",
                Some(" a switch undoes it "),
                Some((Level::Low, "a switch undoes it")),
            ),
            ("easy: the flag", None, Some((Level::Low, "the flag"))),
            ("LOW - a", Some("b"), Some((Level::Low, "a; b"))),
            ("HIGHLY visible", None, None),
            ("HIGH all", None, None),
            ("CRITICAL - all", None, None),
            ("LOW/MEDIUM", None, None),
            ("", Some("why"), None),
        ];
        for (value, column, expected) in cases {
            let read = assessment(value, column);
            let read = read.as_ref().map(|read| (read.level, read.rationale.as_str()));
            assert_eq!(read, expected, "{value}");
        }
    }
}
