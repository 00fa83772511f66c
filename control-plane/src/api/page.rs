//! Pages of a list: how many items, how many bytes, and where the last one ended.

use evaluation::Key;
use prost::Message;
use proto::status::{invalid, violation};
use tonic::Status;
use twox_hash::XxHash3_64;

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

/// What a list was asked for, but for the page: a token goes on with the list that it is from and with no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked(u64);

impl Asked {
    /// A request whose size and token of a page have been taken out, and whose filters are in a fixed order.
    pub(super) fn of(request: &impl Message) -> Self {
        Self(XxHash3_64::oneshot(&request.encode_to_vec()))
    }

    /// The token of a page that ended with a key.
    pub(super) fn token(self, last: &str) -> String {
        format!("{:016x}.{last}", self.0)
    }

    /// The key that the page before ended with; none on the first page.
    pub(super) fn after(self, token: &str) -> Result<Option<Key>, Status> {
        let last = self.last(token)?;
        last.map(|last| Key::parse(last).map_err(|_| wrong_token())).transpose()
    }

    /// What the page before ended with; none on the first page.
    pub(super) fn last(self, token: &str) -> Result<Option<&str>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let (asked, last) = token.split_once('.').ok_or_else(wrong_token)?;
        if asked != format!("{:016x}", self.0) {
            return Err(wrong_token());
        }
        Ok(Some(last))
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
        "is not from the response before to the same request; begin again without it",
    )])
}
