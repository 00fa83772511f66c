//! Documents from files: text, read into a tree whose every value knows its line and column.
//!
//! One parser reads YAML and JSON, which is YAML. Only `true` and `false` are booleans, so that a variant may be called
//! `on` without quotes. A document's reader walks the tree and notes everything that is wrong, each with its place, so
//! that one run of a command shows all of it.

mod fields;
pub(crate) mod json;
mod node;
mod problems;
mod text;
mod tree;

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

pub(crate) use self::{
    fields::{Fields, text as text_of, texts as texts_of},
    node::{Kind, Name, Node, Number, Place},
    problems::Problems,
    text::to_yaml,
    tree::Tree,
};
use crate::error::Error;

/// The largest file: a segment's 500,000 members are at most 16 MiB, and a file may hold several.
const LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// The text at `path`; `-` is standard input.
pub(crate) fn text(path: &Path) -> Result<String, Error> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = if name == "-" {
        io::stdin().lock().take(LIMIT_BYTES + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::usage(format!("{name}: {error}")))?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(Error::usage(format!("{name}: larger than {LIMIT_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::usage(format!("{name}: not UTF-8 at byte {at}"))
    })
}
