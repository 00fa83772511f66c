//! Which segments a list shows, and where its pages end.
//!
//! A page token carries a fingerprint of the filters, so that one of another list is refused instead of skipping what
//! the caller never saw.

use evaluation::{Key, Segment};
use proto::v1;
use tonic::Status;
use twox_hash::XxHash3_64;

use super::page;

/// What a segment must have to be shown.
#[derive(Debug)]
pub(super) struct Filter {
    tags: Vec<String>,
    owner: String,
    /// In lower case.
    text: String,
}

impl Filter {
    /// The filter of a request.
    pub(super) fn of(request: &v1::ListSegmentsRequest) -> Self {
        let mut tags = request.tags.clone();
        tags.sort_unstable();
        Self {
            tags,
            owner: request.owner.clone(),
            text: request.text.to_lowercase(),
        }
    }

    /// Whether a segment is shown.
    pub(super) fn fits(&self, segment: &Segment) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        let of_owner = self.owner.is_empty() || segment.owner == self.owner;
        let tagged = self.tags.iter().all(|tag| segment.tags.contains(tag));
        let texts = [segment.key.as_str(), &segment.description, &segment.owner];
        let spoken = self.text.is_empty() || texts.into_iter().any(has) || segment.tags.iter().any(|tag| has(tag));
        of_owner && tagged && spoken
    }

    /// The token of a page that ended with a segment.
    pub(super) fn token(&self, last: &Key) -> String {
        format!("{:016x}.{last}", self.fingerprint())
    }

    /// The segment behind which a page begins.
    pub(super) fn after(&self, token: &str) -> Result<Option<Key>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let (fingerprint, key) = token.split_once('.').ok_or_else(page::wrong_token)?;
        if fingerprint != format!("{:016x}", self.fingerprint()) {
            return Err(page::wrong_token());
        }
        Key::parse(key).map(Some).map_err(|_| page::wrong_token())
    }

    fn fingerprint(&self) -> u64 {
        XxHash3_64::oneshot(format!("{self:?}").as_bytes())
    }
}
