//! How a plan lays out its stages, by name. What each lays out is drafted in [`crate::draft`].

/// The way from nobody to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Strategy {
    /// Stages as somebody wrote them.
    #[default]
    Custom,
    /// Everybody at once, watched for a while.
    BigBang,
    /// 0, 10, 50, 100 % over two weeks.
    Progressive,
    /// 1, 5, 10, 25, 50, 100 % over four to six weeks, staff first.
    Canary,
    /// Everybody at once, and done.
    Instant,
    /// Linear between two percentages, in steps.
    Gradual,
    /// Everybody at a point in time.
    Scheduled,
    /// Units are assigned and reported, and get the control.
    Shadow,
    /// The treatment is delivered to nobody but staff until it is released.
    Dark,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 9] = [
        Self::Custom,
        Self::BigBang,
        Self::Progressive,
        Self::Canary,
        Self::Instant,
        Self::Gradual,
        Self::Scheduled,
        Self::Shadow,
        Self::Dark,
    ];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::BigBang => "big-bang",
            Self::Progressive => "progressive",
            Self::Canary => "canary",
            Self::Instant => "instant",
            Self::Gradual => "gradual",
            Self::Scheduled => "scheduled",
            Self::Shadow => "shadow",
            Self::Dark => "dark",
        }
    }
}
