//! Pages of a list: how many, and where the last one ended.

use proto::status::{invalid, violation};
use tonic::Status;

/// How many items a page holds: the default for 0, refused above the limit.
pub(super) fn size(asked: u32, default: usize, limit: usize) -> Result<usize, Status> {
    match asked as usize {
        0 => Ok(default),
        asked if asked <= limit => Ok(asked),
        asked => Err(invalid(&[violation(
            "page_size",
            format!("{asked} is more than {limit}"),
        )])),
    }
}

/// A token that is not one of ours.
pub(super) fn wrong_token() -> Status {
    invalid(&[violation(
        "page_token",
        "is not from the response before; begin again without it",
    )])
}
