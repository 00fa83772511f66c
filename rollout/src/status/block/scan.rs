//! Where the blocks of a Markdown text are, and what their lines say; values are not looked at.
//!
//! Fenced code is left out, also inside of a list (`- ` before the fence, blanks before its lines). A tag counts only
//! if it is alone on its line, so that prose may speak of it.

use std::ops::Range;

use super::{CLOSING, Error, NAMES, OPENING};

/// What a text holds.
#[derive(Debug)]
pub(super) struct Scanned<'t> {
    /// Its blocks, in their order.
    pub(super) blocks: Vec<Found<'t>>,
    /// The line of a fence that nothing closes.
    pub(super) open_code: Option<usize>,
}

/// A block as it is written.
#[derive(Debug)]
pub(super) struct Found<'t> {
    /// From its indentation to its last line, without the line end there.
    pub(super) range: Range<usize>,
    /// The line of its opening tag, from 1.
    pub(super) line: usize,
    /// The blanks before its opening tag.
    pub(super) indentation: &'t str,
    /// How the line of its opening tag ends.
    pub(super) line_end: &'static str,
    /// What its known lines say, by name.
    known: Vec<(&'static str, usize, &'t str)>,
    /// Its other lines, without the block's indentation and without empty ones.
    pub(super) unknown: Vec<String>,
}

/// An open fence.
struct Fence {
    mark: char,
    length: usize,
    line: usize,
}

impl Found<'_> {
    /// Its cycle; empty if it has none.
    pub(super) fn cycle(&self) -> &str {
        self.written("cycle").map_or("", |(_, value)| value)
    }

    /// The value of a line, parsed.
    pub(super) fn value<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let Some((line, text)) = self.written(name) else {
            return Err(Error::Missing { line: self.line, name });
        };
        parse(text).ok_or_else(|| Error::Wrong {
            line,
            name,
            value: text.to_owned(),
            expected,
        })
    }

    fn written(&self, name: &str) -> Option<(usize, &str)> {
        let (_, line, value) = self.known.iter().find(|(own, _, _)| *own == name)?;
        Some((*line, value))
    }
}

impl<'t> Found<'t> {
    fn opened(whole: &'t str, line: usize, start: usize) -> Self {
        Self {
            range: start..start,
            line,
            indentation: &whole[..whole.len() - whole.trim_start().len()],
            line_end: if whole.ends_with("\r\n") { "\r\n" } else { "\n" },
            known: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn read(&mut self, text: &'t str, line: usize) -> Result<(), Error> {
        let known = text.split_once(':').and_then(|(name, value)| {
            let name = NAMES.into_iter().find(|known| *known == name.trim())?;
            Some((name, value.trim()))
        });
        match known {
            Some((name, _)) if self.written(name).is_some() => return Err(Error::Twice { line, name }),
            Some((name, value)) => self.known.push((name, line, value)),
            None if text.trim().is_empty() => {}
            None => self
                .unknown
                .push(text.strip_prefix(self.indentation).unwrap_or(text).to_owned()),
        }
        Ok(())
    }
}

impl Fence {
    /// The shortest fence.
    const SHORTEST: usize = 3;

    fn opened_by(text: &str, line: usize) -> Option<Self> {
        let text = after_list_marks(text);
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        // Backticks after backticks are code inside of a line.
        let opens = length >= Self::SHORTEST && !(mark == '`' && info.contains('`'));
        opens.then_some(Self { mark, length, line })
    }

    fn closed_by(&self, text: &str) -> bool {
        let text = text.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark)
    }
}

/// A line without its indentation and the marks of the list items that begin in it.
fn after_list_marks(line: &str) -> &str {
    let mut rest = line.trim_start();
    loop {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let marks: &[char] = if number.len() < rest.len() {
            &['.', ')']
        } else {
            &['-', '*', '+']
        };
        match number.strip_prefix(marks) {
            Some(after) if after.starts_with([' ', '\t']) => rest = after.trim_start(),
            Some(_) | None => return rest,
        }
    }
}

/// The blocks of a text.
pub(super) fn scan(markdown: &str) -> Result<Scanned<'_>, Error> {
    let mut blocks = Vec::new();
    let mut open: Option<Found<'_>> = None;
    let mut fence: Option<Fence> = None;
    let mut offset = 0;
    for (position, whole) in markdown.split_inclusive('\n').enumerate() {
        let (line, start) = (position + 1, offset);
        offset += whole.len();
        let text = whole.trim_end_matches(['\n', '\r']);
        if let Some(opened) = &fence {
            if opened.closed_by(text) {
                fence = None;
            }
            continue;
        }
        match (text.trim(), open.take()) {
            (OPENING, None) => open = Some(Found::opened(whole, line, start)),
            (OPENING, Some(block)) => return Err(Error::Unclosed { line: block.line }),
            (CLOSING, None) => return Err(Error::Unopened { line }),
            (CLOSING, Some(mut block)) => {
                block.range.end = start + text.len();
                blocks.push(block);
            }
            (_, Some(mut block)) => {
                block.read(text, line)?;
                open = Some(block);
            }
            (_, None) => fence = Fence::opened_by(text, line),
        }
    }
    match open {
        Some(block) => Err(Error::Unclosed { line: block.line }),
        None => Ok(Scanned {
            blocks,
            open_code: fence.map(|fence| fence.line),
        }),
    }
}
