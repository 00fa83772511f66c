//! Writing to standard output, and how single values look there.
//!
//! Everything goes through a locked standard output whose errors are handled, so that a closed pipe ends a command and
//! never panics. Text that came from elsewhere loses its control characters on the way to a terminal; JSON and YAML
//! escape them by themselves.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use evaluation::Buckets;
use proto::v1;
use serde::Serialize;

use crate::{
    args::{Color, Global},
    error::Error,
    settings,
};

/// The longest cell of a table, in characters.
const CELL: usize = 80;
/// A terminal with fewer columns does not know its size: nobody reads a table there.
const NARROWEST: u16 = 20;
/// The width of a terminal that does not know it.
const WIDTH: u16 = 80;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: one document.
    Json,
    /// For documents that are edited and given back.
    Yaml,
}

/// What a part of a text means, where colour says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// New, or as it should be.
    Good,
    /// Gone, or wrong.
    Bad,
    /// Changed, or to be looked at.
    Warning,
    /// Of less weight.
    Faint,
    /// A heading.
    Strong,
}

/// Whether colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(bool);

impl Paint {
    /// As the option says; by itself only on a terminal that is not dumb, and unless NO_COLOR is set.
    pub(crate) fn of(global: &Global) -> Self {
        Self(match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                io::stdout().is_terminal()
                    && settings::variable("NO_COLOR").is_none()
                    && settings::variable("TERM").is_none_or(|terminal| terminal != "dumb")
            }
        })
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self(false);

    /// The text, which must be plain, in a tone.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warning => "33",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Writes a result: as `text` says for people, as the value itself for programs.
pub(crate) fn show<T: Serialize>(format: Format, value: &T, text: impl FnOnce() -> String) -> Result<(), Error> {
    match format {
        Format::Table => line(&text()),
        Format::Json => line(&serde_json::to_string_pretty(value).map_err(|error| Error::Output(error.into()))?),
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(value).map_err(|error| Error::Output(io::Error::other(error)))?;
            line(yaml.trim_end())
        }
    }
}

/// Writes one change of something that is followed: text, or JSON on one line, or a YAML document.
pub(crate) fn show_change<T: Serialize>(format: Format, value: &T, text: &str) -> Result<(), Error> {
    match format {
        Format::Table => line(text),
        Format::Json => line(&serde_json::to_string(value).map_err(|error| Error::Output(error.into()))?),
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(value).map_err(|error| Error::Output(io::Error::other(error)))?;
            line(&format!("---\n{}", yaml.trim_end()))
        }
    }
}

/// Writes a line and flushes it, so that a pipe sees it at once.
pub(crate) fn line(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// Writes a line to standard error, for people only. That it cannot be written is nobody's failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", plain(text));
}

/// Writes lines that are plain already to standard error, for people only: what a question is about.
pub(crate) fn aside(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether what is shown can be drawn over: a terminal that knows how to.
pub(crate) fn is_redrawable() -> bool {
    io::stdout().is_terminal() && settings::variable("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Draws lines from the top of the terminal over what was drawn before. What does not fit is cut: long lines by the
/// terminal, too many of them here, because a terminal that scrolls is not drawn over.
pub(crate) fn redraw(lines: &[String], is_first: bool) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    // Some terminals do not know their size and say 0.
    let rows = match crossterm::terminal::size() {
        Ok((_, rows @ 1..)) => usize::from(rows),
        Ok((_, 0)) | Err(_) => usize::MAX,
    };
    let screen = screen(&fitted(lines, rows), is_first);
    out.write_all(screen.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// As many lines as fit above the cursor, the last of them for those that do not.
fn fitted(lines: &[String], rows: usize) -> Vec<String> {
    let most = rows.saturating_sub(1).max(1);
    if lines.len() <= most {
        return lines.to_vec();
    }
    let shown = most - 1;
    let more = format!("… {} more lines: see tidegate rollout get", lines.len() - shown);
    lines.iter().take(shown).cloned().chain([more]).collect()
}

/// The first frame clears the terminal; each line clears what is right of it, and the last one all that is below: so
/// nothing flickers. Lines do not wrap, because a wrapped line would move all that follows.
fn screen(lines: &[String], is_first: bool) -> String {
    let clear = if is_first { "\u{1b}[2J" } else { "" };
    let lines: String = lines.iter().map(|line| format!("{line}\u{1b}[K\n")).collect();
    format!("{clear}\u{1b}[H\u{1b}[?7l{lines}\u{1b}[J\u{1b}[?7h")
}

/// Columns without borders. Cells are made safe and cut to 80 characters; on a terminal they are folded to its width.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = bare();
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| shortened(&cell, CELL)));
    }
    trimmed(&table)
}

/// Two columns, name and value; pairs with an empty value are left out, long values are kept whole.
pub(crate) fn pairs(pairs: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = bare();
    for (name, value) in pairs {
        if !value.is_empty() {
            table.add_row([name.to_owned(), plain(&value)]);
        }
    }
    trimmed(&table)
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Off a terminal the width is unknown, and lines stay whole.
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        let columns = crossterm::terminal::size().map_or(0, |(columns, _)| columns);
        table.set_width(readable(columns));
    }
    table
}

/// The width of a table on a terminal that says it has so many columns. Some do not know their size and say 0.
fn readable(columns: u16) -> u16 {
    if columns < NARROWEST { WIDTH } else { columns }
}

fn trimmed(table: &Table) -> String {
    let lines = table.trim_fmt();
    lines
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The text without control characters: each is written as its escape.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// Plain, and at most `most` characters, the last of them `…` if something was cut.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let text = plain(text);
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        None => text,
    }
}

/// Buckets as a percentage: `2.5 %`.
pub(crate) fn percent(buckets: u32) -> String {
    Buckets::new(buckets).map_or_else(|| format!("{buckets} buckets"), |buckets| format!("{buckets} %"))
}

/// What a rule or the default serves, in words.
pub(crate) fn serve(serve: Option<&v1::Serve>) -> String {
    match serve.and_then(|serve| serve.kind.as_ref()) {
        Some(v1::serve::Kind::Variant(variant)) => variant.clone(),
        Some(v1::serve::Kind::Split(split)) => split
            .shares
            .iter()
            .map(|share| format!("{} {}", share.variant, percent(share.buckets)))
            .collect::<Vec<_>>()
            .join(", "),
        Some(v1::serve::Kind::CallerDefault(_)) | None => "the caller's default".into(),
    }
}

/// A moment in UTC, to the second: `2026-03-01 12:00:00Z`; empty for 0, which means "never".
pub(crate) fn moment(us: i64) -> String {
    match us {
        0 => String::new(),
        _ => jiff::Timestamp::from_microsecond(us).map_or_else(
            |_| format!("{us} us"),
            |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        ),
    }
}

/// A moment for programs (RFC 3339, to the microsecond); absent for 0.
pub(crate) fn timestamp(us: i64) -> Option<String> {
    let at = (us != 0).then(|| jiff::Timestamp::from_microsecond(us).ok()).flatten();
    at.map(|at| at.to_string())
}

/// A count with its thousands apart: `1,204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in percent with two decimals; `-` of nothing.
pub(crate) fn rate(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".into(),
        _ => format!("{:.2} %", 100.0 * part as f64 / whole as f64),
    }
}

/// The number whose natural logarithm is given, in three digits or with a power of ten: `1.30`, `31.6`, `2.4e12`.
pub(crate) fn figure(log: f64) -> String {
    let power = log / std::f64::consts::LN_10;
    if !power.is_finite() {
        return if log > 0.0 { "infinite".into() } else { "0".into() };
    }
    match power {
        power if !(-3.0..6.0).contains(&power) => {
            let exponent = power.floor();
            format!("{:.1}e{exponent}", 10_f64.powf(power - exponent))
        }
        _ => match log.exp() {
            // Where the digits change, so that what rounds to 100 is not written 100.0.
            number if number < 9.995 => format!("{number:.2}"),
            number if number < 99.95 => format!("{number:.1}"),
            number => format!("{number:.0}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_as_people_read_them() {
        assert_eq!(percent(2_500), "2.5 %");
        assert_eq!(percent(100_000), "100 %");
        assert_eq!(percent(100_001), "100001 buckets");
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(rate(3, 400), "0.75 %");
        assert_eq!(rate(0, 0), "-");
        assert_eq!(moment(0), "");
        assert_eq!(moment(1_767_225_600_000_000), "2026-01-01 00:00:00Z");
        assert_eq!(moment(i64::MAX), format!("{} us", i64::MAX));
        assert_eq!(
            timestamp(1_767_225_600_500_000).as_deref(),
            Some("2026-01-01T00:00:00.5Z")
        );
    }

    #[test]
    fn a_terminal_that_does_not_know_its_width_gets_tables_that_can_be_read() {
        assert_eq!([0, 1, 19].map(readable), [WIDTH; 3]);
        assert_eq!([20, 80, 300].map(readable), [20, 80, 300]);
    }

    #[test]
    fn a_frame_is_drawn_over_the_one_before() {
        let lines = ["a".to_owned(), "b".to_owned()];
        let frame = screen(&lines, false);
        assert_eq!(
            frame, "\u{1b}[H\u{1b}[?7la\u{1b}[K\nb\u{1b}[K\n\u{1b}[J\u{1b}[?7h",
            "only the first frame clears the terminal"
        );
        assert_eq!(screen(&lines, true), format!("\u{1b}[2J{frame}"));
    }

    #[test]
    fn a_frame_never_scrolls() {
        let lines = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(fitted(&lines, 4), lines);
        assert_eq!(fitted(&lines, 3), ["a", "… 2 more lines: see tidegate rollout get"]);
        assert_eq!(fitted(&lines, 0).len(), 1);
    }

    #[test]
    fn evidence_reads_as_a_figure_at_every_size() {
        let cases = [
            (0.0, "1.00"),
            (f64::NEG_INFINITY, "0"),
            (f64::INFINITY, "infinite"),
            (100_f64.ln(), "100"),
            (99.999_999_f64.ln(), "100"),
            (9.999_999_f64.ln(), "10.0"),
            (31.62_f64.ln(), "31.6"),
            (0.5_f64.ln(), "0.50"),
            (28.5, "2.4e12"),
            (2_000.0, "3.9e868"),
            (-20.0, "2.1e-9"),
        ];
        for (log, text) in cases {
            assert_eq!(figure(log), text, "{log}");
        }
    }

    #[test]
    fn a_table_holds_no_control_characters_and_no_long_cells() {
        let table = table(
            ["KEY", "REASON"],
            [["a".into(), format!("\u{1b}[2J{}", "x".repeat(500))]],
        );
        assert!(!table.contains('\u{1b}'));
        assert!(table.lines().all(|line| line.chars().count() < 2 * CELL), "{table}");
        assert!(table.starts_with("KEY"), "{table}");
    }
}
