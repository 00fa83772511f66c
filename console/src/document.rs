//! Documents from files: text, read into a tree whose every value knows its line and column.
//!
//! One parser reads YAML and JSON, which is YAML. Only `true` and `false` are booleans, so that a variant may be called
//! `on` without quotes. A document's reader walks the tree and notes everything that is wrong, each with its place, so
//! that one run of a command shows all of it. A document that a type describes (a plan) is read by `read`, which stops
//! at the first wrong thing.

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

use serde::de::DeserializeOwned;

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

/// Reads the document at `path` into a type; `-` is standard input.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    parse(&path.display().to_string(), &text(path)?)
}

/// Parses a document that came from `name`: JSON if it begins with a brace, else YAML.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    let problem = if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(document) => return Ok(document),
            Err(error) => error.to_string(),
        }
    } else {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        match serde_saphyr::from_str_with_options(text, options) {
            Ok(document) => return Ok(document),
            Err(error) => error.render_with_formatter(&serde_saphyr::UserMessageFormatter),
        }
    };
    Err(Error::usage(format!("{name}: {problem}")))
}
