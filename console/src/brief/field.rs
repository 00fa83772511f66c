//! The names that a brief's lines may have, and what a heading says about the lines below it.
//!
//! Case, `_` and `-` do not matter: `user_impact`, `User impact` and `USER-IMPACT` are one name.

use crate::nearest::nearest;

/// What a line may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Title,
    Description,
    Flag,
    Environment,
    Component,
    Pattern,
    Cycle,
    Owner,
    UserImpact,
    RevenueImpact,
    Criticality,
    Reversibility,
    /// Of a time that the value says.
    Traffic,
    TrafficPerDay,
    Audiences,
}

/// What the lines below a heading are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// The brief itself: a line with a number is a metric of the baseline.
    Top,
    /// Every line is a metric of the baseline.
    Baseline,
    /// Every line is an audience.
    Audiences,
    /// Paragraphs belong to the description.
    Description,
    /// Something else: only lines with a name of ours count.
    Other,
}

/// Every name, the first of each field as messages show it.
const NAMES: [(&str, Field); 26] = [
    ("title", Field::Title),
    ("description", Field::Description),
    ("summary", Field::Description),
    ("flag", Field::Flag),
    ("flag key", Field::Flag),
    ("feature flag", Field::Flag),
    ("environment", Field::Environment),
    ("component", Field::Component),
    ("pattern", Field::Pattern),
    ("rollout pattern", Field::Pattern),
    ("cycle", Field::Cycle),
    ("owner", Field::Owner),
    ("user impact", Field::UserImpact),
    ("revenue impact", Field::RevenueImpact),
    ("criticality", Field::Criticality),
    ("component criticality", Field::Criticality),
    ("reversibility", Field::Reversibility),
    ("traffic", Field::Traffic),
    ("traffic per day", Field::TrafficPerDay),
    ("traffic a day", Field::TrafficPerDay),
    ("traffic/day", Field::TrafficPerDay),
    ("daily traffic", Field::TrafficPerDay),
    ("audiences", Field::Audiences),
    ("audience", Field::Audiences),
    ("target audience", Field::Audiences),
    ("target audiences", Field::Audiences),
];

/// Headings with one of these words are about something that shall be, not about what is.
const WISHES: [&str; 9] = [
    "target", "success", "goal", "criteria", "rollback", "abort", "guard", "limit", "expected",
];

impl Field {
    /// The field of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = plain(name);
        NAMES.iter().find(|(own, _)| *own == name).map(|(_, field)| *field)
    }

    /// The name that was probably meant by one that is no field's.
    pub(super) fn meant_by(name: &str) -> Option<&'static str> {
        nearest(&plain(name), NAMES.iter().map(|(own, _)| *own))
    }

    /// As messages show it.
    pub(super) fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(name, _)| name)
    }

    /// Every field's name, once.
    pub(super) fn names() -> Vec<&'static str> {
        let mut names: Vec<&str> = NAMES.iter().map(|(_, field)| field.name()).collect();
        names.dedup();
        names
    }
}

impl Section {
    /// What a heading says inside of what the heading above it says: `Web` below `Baseline` is still the baseline.
    pub(super) fn inside(self, heading: &str) -> Self {
        let wishes = WISHES.iter().any(|word| plain(heading).contains(word));
        match (self, Self::below(heading)) {
            (Self::Baseline | Self::Audiences, Self::Other) if !wishes => self,
            (Self::Top | Self::Baseline | Self::Audiences | Self::Description | Self::Other, own) => own,
        }
    }

    /// What a heading says, or an item of a list that others stand below.
    pub(super) fn below(heading: &str) -> Self {
        let heading = plain(heading);
        let says = |words: &[&str]| words.iter().any(|word| heading.contains(word));
        if matches!(Field::named(&heading), Some(Field::Audiences)) {
            Self::Audiences
        } else if says(&["baseline"]) || (says(&["metric"]) && !says(&WISHES)) {
            Self::Baseline
        } else if says(&["description", "summary", "overview"]) {
            Self::Description
        } else {
            Self::Other
        }
    }
}

/// A name in small letters with single blanks.
pub(super) fn plain(name: &str) -> String {
    let spaced = name.to_lowercase().replace(['_', '-'], " ");
    let words: Vec<&str> = spaced.trim_end_matches([':', ' ']).split_whitespace().collect();
    words.join(" ")
}
