//! A brief in Markdown: the title is the first heading of level 1, lines are items of lists, rows of tables, or lines of their own.
//!
//! Code, quotations and comments say nothing here. A line with a number is a metric only where a baseline may stand: at
//! the top, or below a heading that says so. Front matter is YAML.

mod blocks;

use self::blocks::{Block, Spot, Table, blocks};
use super::{
    draft::Draft,
    field::{Field, Section, plain},
    metric::number,
    yaml,
};
use crate::document::Place;

/// The longest name of a line, in characters; what stands before a later colon is prose.
const LONGEST_NAME: usize = 60;

/// Reads a text.
pub(super) fn read(text: &str, draft: &mut Draft) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body = front_matter(text, draft);
    let lines = Lines::of(text);
    let mut headings = Headings::default();
    for block in blocks(text, body) {
        let section = headings.section();
        match block {
            Block::Heading { spot, level, text } => {
                if headings.read(level, &text) && !draft.has_title() {
                    draft.field(lines.place(spot), Field::Title, &text, None);
                }
            }
            Block::Paragraph(written) => paragraph(&written, section, &lines, draft),
            Block::Item { spot, above, text } => {
                let below = above
                    .as_deref()
                    .map(Section::below)
                    .filter(|below| *below != Section::Other);
                item(lines.place(spot), &text, below.unwrap_or(section), draft);
            }
            Block::Table(table) => rows(&table, section, &lines, draft),
        }
    }
}

/// The headings that a line stands below.
#[derive(Default)]
struct Headings {
    /// Of rising level.
    open: Vec<(u8, Section)>,
    has_first: bool,
}

impl Headings {
    fn section(&self) -> Section {
        self.open.last().map_or(Section::Top, |(_, section)| *section)
    }

    /// Notes the next heading; whether it is the text's own, the first of level 1.
    fn read(&mut self, level: u8, text: &str) -> bool {
        self.open.retain(|(above, _)| *above < level);
        let is_own = level == 1 && !self.has_first;
        self.has_first |= is_own;
        let section = if is_own {
            Section::Top
        } else {
            self.section().inside(text)
        };
        self.open.push((level, section));
        is_own
    }
}

/// Reads the YAML between two `---` at the beginning; gives where the rest begins.
fn front_matter(text: &str, draft: &mut Draft) -> usize {
    let mut end = 0;
    for (position, line) in text.split_inclusive('\n').enumerate() {
        let is_mark = line.trim_end() == "---";
        if position == 0 && !is_mark {
            return 0;
        }
        if position > 0 && is_mark {
            yaml::read(&text[..end], draft);
            return end + line.len();
        }
        end += line.len();
    }
    0
}

/// Its lines with names of ours, and the metrics of a baseline; the others are prose.
fn paragraph(written: &[(Spot, String)], section: Section, lines: &Lines, draft: &mut Draft) {
    let mut prose = Vec::new();
    for (spot, text) in written {
        let place = lines.place(*spot);
        match named(text).map(|(name, value)| (name, Field::named(name), value)) {
            Some((_, Some(field), value)) => draft.field(place, field, value, None),
            Some((name, None, value)) if section == Section::Baseline && number(value).is_some() => {
                draft.metric(place, name, value, None);
            }
            Some(_) | None => prose.push(text.trim()),
        }
    }
    match section {
        Section::Top | Section::Description => draft.describe(&prose.join(" ")),
        Section::Baseline | Section::Audiences | Section::Other => {}
    }
}

fn item(place: Place, text: &str, section: Section, draft: &mut Draft) {
    let Some((name, value)) = named(text) else {
        match section {
            Section::Audiences => draft.audience(text),
            Section::Baseline if text.contains(|c: char| c.is_ascii_digit()) && !text.ends_with(':') => {
                draft
                    .problems
                    .wrong(place, "baseline", format!("{text:?}; write `metric: value`"));
            }
            Section::Baseline | Section::Top | Section::Description | Section::Other => {}
        }
        return;
    };
    if let Some(field) = Field::named(name) {
        return draft.field(place, field, value, None);
    }
    match section {
        // A name alone is a group's, whose lines are read by themselves.
        Section::Baseline if value.is_empty() => {}
        Section::Baseline => draft.metric(place, name, value, None),
        Section::Top if number(value).is_some() => draft.metric(place, name, value, None),
        Section::Top => unknown(place, name, draft),
        Section::Audiences => draft.audience(text),
        Section::Description | Section::Other => {}
    }
}

/// A line at the top whose name is nearly one of ours was meant for us.
fn unknown(place: Place, name: &str, draft: &mut Draft) {
    if let Some(meant) = Field::meant_by(name) {
        let what = format!("no such line; did you mean `{meant}`?");
        draft.problems.wrong(place, name, what);
    }
}

/// What a column of a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Metric,
    Name,
    Value,
    Unit,
    Rationale,
    Other,
}

impl Column {
    fn below(heading: &str) -> Self {
        let heading = plain(heading);
        let first = heading.split([' ', '/']).next().unwrap_or_default();
        match first {
            "metric" | "metrics" | "measure" | "kpi" => Self::Metric,
            "field" | "name" | "item" | "property" | "dimension" | "factor" | "risk" | "" => Self::Name,
            "value" | "baseline" | "current" | "today" | "now" | "before" | "level" | "rating" | "assessment" => {
                Self::Value
            }
            "unit" | "units" => Self::Unit,
            "rationale" | "reason" | "why" | "because" | "notes" | "note" => Self::Rationale,
            _ => Self::Other,
        }
    }
}

fn rows(table: &Table, section: Section, lines: &Lines, draft: &mut Draft) {
    let columns: Vec<Column> = table.header.iter().map(|heading| Column::below(heading)).collect();
    let is_name = |column: &Column| matches!(column, Column::Metric | Column::Name);
    let name_at = columns.iter().position(is_name).unwrap_or(0);
    let metrics = columns.get(name_at) == Some(&Column::Metric) || section == Section::Baseline;
    let value_at = match columns.iter().position(|column| *column == Column::Value) {
        Some(at) => at,
        // Of two columns the second is the value, whatever it is called.
        None if columns.len() == 2 && name_at == 0 => 1,
        None if metrics => {
            let what = "a table of metrics without a column `Value`";
            return draft.problems.wrong(lines.place(table.spot), "baseline", what);
        }
        None => return,
    };
    for (spot, cells) in &table.rows {
        let cell = |at: usize| cells.get(at).map_or("", String::as_str).trim();
        let of = |wanted: Column| columns.iter().position(|column| *column == wanted).map(cell);
        let (place, name, value) = (lines.place(*spot), cell(name_at), cell(value_at));
        match Field::named(name) {
            Some(field) => draft.field(place, field, value, of(Column::Rationale)),
            None if metrics && !name.is_empty() => draft.metric(place, name, value, of(Column::Unit)),
            None if section == Section::Top => unknown(place, name, draft),
            None => {}
        }
    }
}

/// `name: value`, if a text is that.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !value.starts_with("//");
    is_name.then_some((name, value.trim()))
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let after_ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(after_ends).collect(),
        }
    }

    fn place(&self, Spot(at): Spot) -> Place {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default().chars().count();
        Place {
            line: line as u64,
            column: before as u64 + 1,
        }
    }
}
