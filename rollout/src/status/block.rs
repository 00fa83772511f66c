//! The status of a rollout inside a Markdown file: one block for each cycle, of lines `name: value`.
//!
//! Everything outside of a block stays as it is, to the byte; inside, what is not known is kept behind what is. A block
//! is put back with the indentation and the line ends that it had. What would make a guess necessary is refused with
//! its line: two blocks of one cycle, a block without an end, a file that is about another cycle. Files themselves are
//! read and written by others.

mod error;
mod line;
mod scan;

use std::ops::Range;

use self::scan::{Found, scan};
pub use self::{error::Error, line::Line};
use super::{Date, FlagState, percent};
use crate::Share;

const OPENING: &str = "<rollout_status>";
const CLOSING: &str = "</rollout_status>";

/// The names of a block's lines, in their order.
const NAMES: [&str; 6] = [
    "cycle",
    "state",
    "deployed_pct",
    "flag_service",
    "last_changed",
    "stuck",
];

/// The status of one cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which cycle of work this is the status of; tells the blocks of a file apart.
    pub cycle: Line,
    /// How far its flag has come.
    pub state: FlagState,
    /// The share that has it.
    pub deployed_pct: Share,
    /// What serves the flag.
    pub flag_service: Line,
    /// The day on which the state last changed.
    pub last_changed: Date,
    /// Whether it has stood still for too long.
    pub stuck: bool,
    /// Lines that are not known here, in their order.
    unknown: Vec<String>,
}

impl Block {
    /// A block of what its state says: deployed as far, and not stuck.
    pub fn new(cycle: Line, state: FlagState, flag_service: Line, last_changed: Date) -> Block {
        Block {
            cycle,
            state,
            deployed_pct: state.deployed(),
            flag_service,
            last_changed,
            stuck: false,
            unknown: Vec::new(),
        }
    }

    /// The lines of a file that nobody here knows, in their order.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The block as text, without a line end at its end.
    pub fn render(&self) -> String {
        self.lines(&[]).join("\n")
    }

    /// Its lines, with the unknown ones of the block that it replaces before its own.
    fn lines(&self, replaced: &[String]) -> Vec<String> {
        let values = [
            self.cycle.to_string(),
            self.state.to_string(),
            percent::text(self.deployed_pct),
            self.flag_service.to_string(),
            self.last_changed.to_string(),
            self.stuck.to_string(),
        ];
        let mut lines = vec![OPENING.to_owned()];
        lines.extend(
            NAMES
                .iter()
                .zip(values)
                .map(|(name, value)| format!("{name}: {value}").trim_end().to_owned()),
        );
        lines.extend(replaced.iter().cloned());
        lines.extend(self.unknown.iter().filter(|line| !replaced.contains(line)).cloned());
        lines.push(CLOSING.to_owned());
        lines
    }
}

/// The blocks of a Markdown text outside of fenced code, each with the bytes that it takes: from its indentation to its
/// last line, without the line end there.
///
/// # Errors
/// A block without an end or a beginning, with a line that is missing, wrong or there twice; two blocks of one cycle.
pub fn read(markdown: &str) -> Result<Vec<(Range<usize>, Block)>, Error> {
    let found = scan(markdown)?.blocks;
    refuse_twins(&found)?;
    found
        .into_iter()
        .map(|found| Ok((found.range.clone(), parse(found)?)))
        .collect()
}

/// The text with this block in the place of the one of the same cycle, whatever else that one says.
///
/// A text without any block gets it at its end, after an empty line. A single block without a cycle is one that waits
/// to be filled in, and is.
///
/// # Errors
/// What [`read`] refuses, except wrong or missing values; a text with blocks of other cycles only; a text that would get
/// the block at its end and ends inside of fenced code.
pub fn replace(markdown: &str, block: &Block) -> Result<String, Error> {
    let scanned = scan(markdown)?;
    refuse_twins(&scanned.blocks)?;
    let wanted = block.cycle.as_str();
    let same = scanned.blocks.iter().find(|found| found.cycle() == wanted);
    match (same, scanned.blocks.as_slice()) {
        (Some(found), _) => Ok(put(markdown, found, block)),
        (None, [only]) if only.cycle().is_empty() => Ok(put(markdown, only, block)),
        (None, [first, ..]) => Err(Error::OtherCycle {
            line: first.line,
            wanted: wanted.to_owned(),
            found: scanned.blocks.iter().map(|found| found.cycle().to_owned()).collect(),
        }),
        (None, []) => match scanned.open_code {
            Some(line) => Err(Error::OpenCode { line }),
            None => Ok(append(markdown, block)),
        },
    }
}

fn put(markdown: &str, found: &Found<'_>, block: &Block) -> String {
    let lines = block
        .lines(&found.unknown)
        .join(&format!("{}{}", found.line_end, found.indentation));
    let (before, after) = (&markdown[..found.range.start], &markdown[found.range.end..]);
    format!("{before}{}{lines}{after}", found.indentation)
}

fn append(markdown: &str, block: &Block) -> String {
    let line_end = match markdown.split_inclusive('\n').next() {
        Some(first) if first.ends_with("\r\n") => "\r\n",
        Some(_) | None => "\n",
    };
    let last_is_empty = markdown.lines().next_back().is_none_or(|last| last.trim().is_empty());
    let gap = match (markdown.ends_with('\n'), last_is_empty) {
        _ if markdown.is_empty() => String::new(),
        (true, true) => String::new(),
        (true, false) | (false, true) => line_end.to_owned(),
        (false, false) => line_end.repeat(2),
    };
    format!("{markdown}{gap}{}{line_end}", block.lines(&[]).join(line_end))
}

fn refuse_twins(found: &[Found<'_>]) -> Result<(), Error> {
    for (position, second) in found.iter().enumerate() {
        if let Some(first) = found[..position].iter().find(|first| first.cycle() == second.cycle()) {
            return Err(Error::SameCycle {
                cycle: second.cycle().to_owned(),
                first: first.line,
                second: second.line,
            });
        }
    }
    Ok(())
}

fn parse(found: Found<'_>) -> Result<Block, Error> {
    let filled = |text: &str| Line::new(text).filter(|line| !line.as_str().is_empty());
    Ok(Block {
        cycle: found.value("cycle", "text on one line", filled)?,
        state: found.value("state", "unrolled, staging-only, canary-N% or prod-100%", |text| {
            text.parse().ok()
        })?,
        deployed_pct: found.value("deployed_pct", "0 to 100, three decimals at most", percent::parse)?,
        flag_service: found.value("flag_service", "text on one line", filled)?,
        last_changed: found.value("last_changed", "a date of the form 2026-05-20", |text| {
            text.parse().ok()
        })?,
        stuck: found.value("stuck", "true or false", |text| text.parse().ok())?,
        unknown: found.unknown,
    })
}

#[cfg(test)]
mod tests;
