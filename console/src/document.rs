//! Documents from files: one YAML or JSON document, read into a type that refuses unknown fields.
//!
//! Only `true` and `false` are booleans, so that a variant may be called `on` without quotes. What a document says
//! wrongly is reported with its file and line, and what it says wrongly beyond its form all at once, field by field.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use serde::de::DeserializeOwned;

use crate::error::Error;

/// The largest document: what one message can carry.
const LIMIT_BYTES: u64 = proto::MESSAGE_LIMIT as u64;

/// Reads the document at `path`; `-` is standard input.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let name = path.display().to_string();
    let mut text = String::new();
    let read = if name == "-" {
        io::stdin().lock().take(LIMIT_BYTES + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(LIMIT_BYTES + 1).read_to_string(&mut text))
    };
    read.map_err(|error| Error::usage(format!("{name}: {error}")))?;
    if text.len() as u64 > LIMIT_BYTES {
        return Err(Error::usage(format!("{name}: larger than {LIMIT_BYTES} bytes")));
    }
    parse(&name, &text)
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
            Err(error) => error.to_string(),
        }
    };
    Err(Error::usage(format!("{name}: {problem}")))
}
