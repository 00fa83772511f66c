//! A plan from a file: the text at a path, read as one plan document.

use std::path::Path;

use proto::v1;

use crate::{document, error::Error, plan_document};

/// The plan in the document at `path`; `-` is standard input. Everything that is wrong comes with its line and column.
pub(crate) fn read(path: &Path) -> Result<v1::Plan, Error> {
    let text = document::text(path)?;
    plan_document::parse(&path.display().to_string(), &text).map_err(Error::Usage)
}
