//! What a metric of a plan asks a Prometheus: one template of a query in PromQL, filled in for each arm.
//!
//! The one rule: a template that was read can be filled in with any names, and what comes of it is the query that was
//! written. So a placeholder stands within a quoted text and nowhere else, where a name can be escaped, and quotes and
//! brackets are closed. Whether the rest is a query is for the Prometheus to say: its language grows, and a plan must
//! not be refused for knowing more of it than this file. Asking, and what an answer means, is left to the control plane.

use std::{fmt, ops::RangeInclusive};

use crate::Micros;

/// The longest template, in bytes.
const LONGEST_BYTES: usize = 4_096;

/// A query that is asked again and again, once for each arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What is asked.
    pub template: Template,
    /// From one question to the next.
    pub interval_us: Micros,
    /// For so long an answer stands: one that is older is no data.
    pub stands_for_us: Micros,
}

/// A query in PromQL with placeholders for the names that differ between rollouts and arms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// As it is.
    Text(String),
    /// A name, within a text that these quotes enclose.
    Name(Placeholder, char),
}

/// What stands for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// `treatment` or `control`.
    Arm,
    /// The variant that the arm is served.
    Variant,
    /// Key of the flag.
    Flag,
    /// Key of the environment.
    Environment,
    /// Name of the rollout: `checkout#3`.
    Rollout,
}

/// The names that a template is filled in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// `treatment` or `control`.
    pub arm: &'a str,
    /// The variant that the arm is served.
    pub variant: &'a str,
    /// Key of the flag.
    pub flag: &'a str,
    /// Key of the environment.
    pub environment: &'a str,
    /// Name of the rollout.
    pub rollout: &'a str,
}

/// One thing that is wrong with a template. Places are counted in characters, from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing but blanks and comments.
    #[error("must be a query in PromQL, such as max(queue_depth{{variant=\"{{{{variant}}}}\"}})")]
    Empty,
    /// Too many bytes.
    #[error("has {0} bytes, and at most {LONGEST_BYTES} are allowed; let a recording rule do the rest")]
    TooLong(usize),
    /// A character that nobody sees.
    #[error("holds the control character {0:?} at character {1}")]
    Control(char, usize),
    /// A quoted text without its end.
    #[error("the text that begins with {0} at character {1} is never closed")]
    OpenText(char, usize),
    /// A bracket without its partner.
    #[error("the {0} at character {1} is never closed")]
    OpenBracket(char, usize),
    /// A bracket that nothing has opened.
    #[error("the {0} at character {1} closes nothing")]
    Unopened(char, usize),
    /// `{{` without `}}`.
    #[error("the placeholder that begins with {{{{ at character {0} is never closed with }}}}")]
    OpenPlaceholder(usize),
    /// A name that nothing stands for.
    #[error("{{{{{name}}}}} at character {at} is no placeholder; there are {}", listed())]
    Unknown {
        /// Between the braces, as far as it matters.
        name: String,
        /// Where it begins.
        at: usize,
    },
    /// A placeholder where no name can be escaped.
    #[error("the placeholder at character {0} must stand within \"..\" or '..', as in variant=\"{{{{variant}}}}\"")]
    Unquoted(usize),
}

impl Query {
    /// How often it may be asked.
    pub const INTERVALS_US: RangeInclusive<Micros> = 5_000_000..=600_000_000;
    /// How often it is asked unless the plan says so.
    pub const DEFAULT_INTERVAL_US: Micros = 30_000_000;
    /// The longest that an answer may stand.
    pub const LONGEST_STANDING_US: Micros = 3_600_000_000;

    /// For how long an answer stands unless the plan says so: two questions may go without an answer.
    pub fn default_standing_us(interval_us: Micros) -> Micros {
        interval_us.saturating_mul(3)
    }

    /// The shortest that an answer may stand: the next one is surely there before it is over.
    pub fn least_standing_us(interval_us: Micros) -> Micros {
        interval_us.saturating_mul(2)
    }
}

impl Template {
    /// Reads a template; all that is wrong with it at once.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        if text.len() > LONGEST_BYTES {
            return Err(vec![TemplateError::TooLong(text.len())]);
        }
        let mut reader = Reader::new(text);
        reader.read();
        if reader.found.is_empty() {
            Ok(Self {
                text: text.to_owned(),
                pieces: reader.pieces,
            })
        } else {
            Err(reader.found)
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the two arms ask different things. If not there is one number for both, which says nothing of either.
    pub fn tells_arms_apart(&self) -> bool {
        let names_arm = |piece: &Piece| matches!(piece, Piece::Name(Placeholder::Arm | Placeholder::Variant, _));
        self.pieces.iter().any(names_arm)
    }

    /// The query with these names.
    pub fn fill(&self, names: &Names<'_>) -> String {
        let mut query = String::with_capacity(self.text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => query.push_str(text),
                Piece::Name(placeholder, quote) => escape(placeholder.of(names), *quote, &mut query),
            }
        }
        query
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Placeholder {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Arm, Self::Variant, Self::Flag, Self::Environment, Self::Rollout];

    /// What stands between the braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Variant => "variant",
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::Rollout => "rollout",
        }
    }

    fn of<'n>(self, names: &Names<'n>) -> &'n str {
        match self {
            Self::Arm => names.arm,
            Self::Variant => names.variant,
            Self::Flag => names.flag,
            Self::Environment => names.environment,
            Self::Rollout => names.rollout,
        }
    }
}

/// A name within a text: what PromQL would take for the end of the text, or for something else, is written so that it
/// means itself.
fn escape(name: &str, quote: char, query: &mut String) {
    for character in name.chars() {
        match character {
            '\\' => query.push_str("\\\\"),
            '\n' => query.push_str("\\n"),
            character if character == quote => query.extend(['\\', quote]),
            character if character.is_control() => query.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => query.push(character),
        }
    }
}

/// Reads a template from its beginning to its end.
struct Reader {
    characters: Vec<char>,
    at: usize,
    brackets: Vec<(char, usize)>,
    /// Whether anything but blanks and comments was read.
    says_something: bool,
    text: String,
    pieces: Vec<Piece>,
    found: Vec<TemplateError>,
}

impl Reader {
    fn new(text: &str) -> Self {
        Self {
            characters: text.chars().collect(),
            at: 0,
            brackets: Vec::new(),
            says_something: false,
            text: String::new(),
            pieces: Vec::new(),
            found: Vec::new(),
        }
    }

    fn read(&mut self) {
        while let Some(character) = self.peek(0) {
            match character {
                '"' | '\'' => self.quoted(character),
                '`' => self.raw(),
                '#' => self.comment(),
                '{' if self.peek(1) == Some('{') => {
                    self.found.push(TemplateError::Unquoted(self.at + 1));
                    self.skip_placeholder();
                }
                '(' | '[' | '{' => {
                    self.brackets.push((character, self.at + 1));
                    self.take();
                }
                ')' | ']' | '}' => self.close(character),
                _ => {
                    self.take();
                }
            }
        }
        let open = std::mem::take(&mut self.brackets).into_iter();
        self.found
            .extend(open.map(|(bracket, at)| TemplateError::OpenBracket(bracket, at)));
        if !self.says_something && self.found.is_empty() {
            self.found.push(TemplateError::Empty);
        }
        self.end_text();
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    /// Takes the next character as it is.
    fn take(&mut self) -> Option<char> {
        let character = self.peek(0)?;
        self.at += 1;
        if character.is_control() && !matches!(character, '\n' | '\r' | '\t') {
            self.found.push(TemplateError::Control(character, self.at));
        }
        self.says_something |= !character.is_whitespace();
        self.text.push(character);
        Some(character)
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    /// A text in which `\` escapes and placeholders stand for names.
    fn quoted(&mut self, quote: char) {
        let began = self.at + 1;
        self.take();
        while let Some(character) = self.peek(0) {
            match character {
                '\n' => break,
                '\\' => {
                    self.take();
                    self.take();
                }
                '{' if self.peek(1) == Some('{') => self.placeholder(quote),
                _ => {
                    self.take();
                    if character == quote {
                        return;
                    }
                }
            }
        }
        self.found.push(TemplateError::OpenText(quote, began));
    }

    /// A text in which nothing is escaped, so no name can stand in it.
    fn raw(&mut self) {
        let began = self.at + 1;
        self.take();
        while let Some(character) = self.peek(0) {
            if character == '{' && self.peek(1) == Some('{') {
                self.found.push(TemplateError::Unquoted(self.at + 1));
                self.take();
            }
            self.take();
            if character == '`' {
                return;
            }
        }
        self.found.push(TemplateError::OpenText('`', began));
    }

    fn comment(&mut self) {
        let said = self.says_something;
        while self.peek(0).is_some_and(|character| character != '\n') {
            self.take();
        }
        self.says_something = said;
    }

    fn close(&mut self, bracket: char) {
        let partner = match bracket {
            ')' => '(',
            ']' => '[',
            _ => '{',
        };
        match self.brackets.last() {
            Some((open, _)) if *open == partner => {
                self.brackets.pop();
            }
            Some(_) | None => self.found.push(TemplateError::Unopened(bracket, self.at + 1)),
        }
        self.take();
    }

    /// `{{name}}` within a text.
    fn placeholder(&mut self, quote: char) {
        let began = self.at + 1;
        self.at += 2;
        let rest = &self.characters[self.at..];
        let ends = |pair: &[char]| pair == ['}', '}'];
        let is_over = |character: &char| *character == quote || *character == '\n';
        let inside = rest.iter().position(is_over).unwrap_or(rest.len());
        let Some(length) = rest[..inside].windows(2).position(ends) else {
            self.found.push(TemplateError::OpenPlaceholder(began));
            return;
        };
        let name: String = rest[..length].iter().collect();
        self.at += length + 2;
        let known = Placeholder::ALL.into_iter().find(|known| known.name() == name.trim());
        match known {
            Some(placeholder) => {
                self.end_text();
                self.says_something = true;
                self.pieces.push(Piece::Name(placeholder, quote));
            }
            None => self.found.push(TemplateError::Unknown {
                name: name.trim().chars().take(40).collect(),
                at: began,
            }),
        }
    }

    /// Goes on behind a placeholder that stands where none may.
    fn skip_placeholder(&mut self) {
        let rest = &self.characters[self.at..];
        let length = rest.windows(2).position(|pair| pair == ['}', '}']);
        self.at += length.map_or(2, |length| length + 2);
    }
}

/// The placeholders that there are, for a message.
fn listed() -> String {
    let named = Placeholder::ALL.map(|placeholder| format!("{{{{{}}}}}", placeholder.name()));
    named.join(", ")
}

#[cfg(test)]
mod tests;
