//! Pages of a list: how many items, how many bytes, and where the last one ended.

use prost::Message;
use proto::status::{invalid, violation};
use tonic::Status;

/// Bytes after which a page ends: clients take messages of 4 MiB.
const BYTES: usize = 3 * 1024 * 1024;

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct Page<M> {
    /// What it holds so far.
    pub(super) items: Vec<M>,
    size: usize,
    bytes: usize,
}

impl<M: Message> Page<M> {
    /// An empty page for so many items.
    pub(super) fn new(size: usize) -> Self {
        Self {
            items: Vec::new(),
            size,
            bytes: 0,
        }
    }

    /// Whether nothing more goes in.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.size || self.bytes >= BYTES
    }

    /// Adds an item.
    pub(super) fn push(&mut self, item: M) {
        self.bytes += item.encoded_len();
        self.items.push(item);
    }
}

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
