//! The blocks of a Markdown text that can say something, as plain text: what is emphasised, linked or in backticks loses
//! its marks. Code blocks, quotations and HTML are left out.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Where something begins in a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot(pub(super) usize);

/// A block.
#[derive(Debug)]
pub(super) enum Block {
    Heading {
        spot: Spot,
        /// From 1 to 6.
        level: u8,
        text: String,
    },
    /// Line by line.
    Paragraph(Vec<(Spot, String)>),
    /// The first paragraph of an item, on one line.
    Item {
        spot: Spot,
        /// The item that this one's list belongs to.
        above: Option<String>,
        text: String,
    },
    Table(Table),
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) spot: Spot,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<(Spot, Vec<String>)>,
}

/// An item whose end has not come.
struct Open {
    spot: Spot,
    /// Its first paragraph, once that has ended.
    said: Option<String>,
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    /// The text since the last beginning, line by line.
    lines: Vec<(Spot, String)>,
    items: Vec<Open>,
    table: Option<Table>,
    cells: Vec<String>,
    row: Option<Spot>,
    heading: Option<Spot>,
    /// How many blocks that say nothing are open.
    silent: usize,
}

/// The blocks of the text from `start` on, in their order.
pub(super) fn blocks(text: &str, start: usize) -> Vec<Block> {
    let mut reader = Reader::default();
    let body = &text[start..];
    for (event, range) in Parser::new_ext(body, Options::ENABLE_TABLES).into_offset_iter() {
        reader.event(event, Spot(start + range.start));
    }
    reader.blocks
}

impl Reader {
    fn event(&mut self, event: Event<'_>, spot: Spot) {
        match event {
            Event::Start(tag) => self.start(&tag, spot),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) if self.silent == 0 => self.push(&text, spot),
            Event::SoftBreak | Event::HardBreak if self.silent == 0 => self.lines.push((spot, String::new())),
            // Comments, rules, and marks of extensions that are not switched on.
            _ => {}
        }
    }

    fn push(&mut self, text: &str, spot: Spot) {
        match self.lines.last_mut() {
            Some((begins, line)) => {
                if line.is_empty() {
                    *begins = spot;
                }
                line.push_str(text);
            }
            None => self.lines.push((spot, text.to_owned())),
        }
    }

    fn start(&mut self, tag: &Tag<'_>, spot: Spot) {
        match tag {
            Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::HtmlBlock => {
                self.end_of_item_text();
                self.silent += 1;
            }
            Tag::Image { .. } => self.silent += 1,
            _ if self.silent > 0 => {}
            Tag::Heading { .. } => {
                self.lines.clear();
                self.heading = Some(spot);
            }
            Tag::Paragraph => self.lines.clear(),
            Tag::List(_) => self.end_of_item_text(),
            Tag::Item => {
                self.lines.clear();
                self.items.push(Open { spot, said: None });
            }
            Tag::Table(_) => {
                self.table = Some(Table {
                    spot,
                    header: Vec::new(),
                    rows: Vec::new(),
                })
            }
            Tag::TableRow => self.row = Some(spot),
            Tag::TableCell => self.lines.clear(),
            // Emphasis, links and the like are part of a line.
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::CodeBlock | TagEnd::BlockQuote(_) | TagEnd::HtmlBlock | TagEnd::Image => self.silent -= 1,
            _ if self.silent > 0 => {}
            TagEnd::Heading(level) => {
                let text = self.take_line();
                if let Some(spot) = self.heading.take() {
                    self.blocks.push(Block::Heading {
                        spot,
                        level: level as u8,
                        text,
                    });
                }
            }
            TagEnd::Paragraph if self.items.is_empty() => {
                let lines = std::mem::take(&mut self.lines);
                self.blocks.push(Block::Paragraph(lines));
            }
            TagEnd::Paragraph => self.end_of_item_text(),
            TagEnd::Item => {
                self.end_of_item_text();
                self.items.pop();
            }
            TagEnd::TableCell => {
                let text = self.take_line();
                self.cells.push(text);
            }
            TagEnd::TableHead => {
                if let Some(table) = &mut self.table {
                    table.header = std::mem::take(&mut self.cells);
                }
            }
            TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.cells);
                if let (Some(table), Some(spot)) = (&mut self.table, self.row.take()) {
                    table.rows.push((spot, cells));
                }
            }
            TagEnd::Table => self.blocks.extend(self.table.take().map(Block::Table)),
            _ => {}
        }
    }

    fn take_line(&mut self) -> String {
        let lines = std::mem::take(&mut self.lines);
        let lines: Vec<&str> = lines.iter().map(|(_, line)| line.trim()).collect();
        lines.join(" ").trim().to_owned()
    }

    /// The first paragraph of the innermost item is what the item says.
    fn end_of_item_text(&mut self) {
        let text = self.take_line();
        let Some((item, above)) = self.items.split_last_mut() else {
            return;
        };
        if item.said.is_none() && !text.is_empty() {
            item.said = Some(text.clone());
            self.blocks.push(Block::Item {
                spot: item.spot,
                above: above.last().and_then(|above| above.said.clone()),
                text,
            });
        }
    }
}
