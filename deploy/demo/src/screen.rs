//! The screen: titles, lines, good news, bad news. Colours only on a terminal; plain lines anywhere else.
//!
//! A screen that has gone away (a closed pipe) is no reason to leave children behind, so what cannot be written is not.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

use tokio::time::Instant;

/// Where the story is told.
#[derive(Debug)]
pub(crate) struct Screen {
    colours: bool,
    begun: Instant,
}

/// Escape codes of a terminal (ECMA-48).
#[derive(Debug, Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Green,
    Red,
}

impl Screen {
    /// Standard output; the story begins now.
    pub(crate) fn new() -> Self {
        Self {
            colours: io::stdout().is_terminal(),
            begun: Instant::now(),
        }
    }

    /// How long the story has been told.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.begun.elapsed()
    }

    /// The heading of a step.
    pub(crate) fn title(&self, text: impl Display) {
        self.write(format_args!("\n{}", self.styled(Style::Bold, text)));
    }

    /// A line of a step.
    pub(crate) fn line(&self, text: impl Display) {
        self.write(format_args!("   {text}"));
    }

    /// A line in the background: what explains, or what is only an event.
    pub(crate) fn aside(&self, text: impl Display) {
        self.write(format_args!("   {}", self.styled(Style::Dim, text)));
    }

    /// A line that matters, and is good.
    pub(crate) fn good(&self, text: impl Display) {
        self.write(format_args!("   {}", self.styled(Style::Green, text)));
    }

    /// A line that matters, and is bad.
    pub(crate) fn bad(&self, text: impl Display) {
        self.write(format_args!("   {}", self.styled(Style::Red, text)));
    }

    /// Text as it is, to be copied.
    pub(crate) fn verbatim(&self, text: impl Display) {
        self.write(format_args!("{text}"));
    }

    fn styled(&self, style: Style, text: impl Display) -> String {
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Green => 32,
            Style::Red => 31,
        };
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    fn write(&self, text: std::fmt::Arguments<'_>) {
        let mut out = io::stdout().lock();
        // See above: there is nobody to tell.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
