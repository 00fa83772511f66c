//! Why a figure cannot be said.

use std::fmt;

/// Why a figure cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// How much traffic the flag sees is not written.
    Traffic,
    /// How many are in the segments of the stage is not known.
    Audience,
    /// It is never left, if all goes well.
    Endless,
    /// It is never entered, if all goes well.
    Unreached,
    /// Nobody has the treatment in this stage.
    NobodyTreated,
    /// Nobody has the control in this stage.
    NoControl,
    /// The plan has no baseline of the metric.
    NoBaseline,
    /// The baseline is at the limit, or beyond it.
    AtLimit,
    /// So many times the limit is more than all.
    MoreThanAll,
    /// How far outcomes lie apart is not known.
    Spread,
    /// How many outcomes are slower than the limit is not known.
    Distribution,
    /// It is an event or a level, and no property of requests.
    NotOfRequests,
    /// The request test allows for so much already, because control may be as bad as the plan's highest rate.
    WithinMargin,
    /// Units are compared anew each day, and a day brings too few requests.
    DayTooShort,
}

impl Unknown {
    /// In a sentence that says what would help.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Traffic => "the plan does not say how much traffic the flag sees; write traffic",
            Self::Audience => "how many are in the stage's segments is not known",
            Self::Endless => "the stage is not left, if all goes well",
            Self::Unreached => "the stage is not entered, if all goes well",
            Self::NobodyTreated => "nobody has the treatment in this stage",
            Self::NoControl => "nobody in this stage has the control to compare with",
            Self::NoBaseline => "the plan has no baseline value of the metric",
            Self::AtLimit => "the baseline is not within the limit: there is nothing to prove",
            Self::MoreThanAll => "so many times the limit is more than all outcomes",
            Self::Spread => "how far values lie apart is not known before they are measured",
            Self::Distribution => "how many outcomes are slower than the limit is not known before it is measured",
            Self::NotOfRequests => "it counts events or reads a level, which no number of requests decides",
            Self::WithinMargin => "the test allows for as much, because control may have max_control_rate; lower that",
            Self::DayTooShort => {
                "units are compared anew each day, and a day of this stage brings too few requests; expose more, or add an absolute limit"
            }
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason())
    }
}
