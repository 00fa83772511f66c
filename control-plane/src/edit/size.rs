//! What is too large to be stored with its version and an account of what changed: a document, and its lists.

use evaluation::{Flag, Violation};
use prost::Message as _;
use proto::{status::violation, v1};

/// The largest document without its lists, in bytes.
pub(crate) const DOCUMENT_LIMIT: usize = 256 * 1024;
/// The largest lists, in bytes.
pub(crate) const LISTS_LIMIT: usize = 384 * 1024;

/// What of a flag is too large; sizes are those of its wire form.
pub(super) fn too_large(flag: &Flag) -> Vec<Violation> {
    let units = flag.deny.iter().chain(flag.allow.values().flatten());
    let (whole, lists) = (
        v1::Flag::from(flag).encoded_len(),
        units.map(|unit| unit.len() + 4).sum::<usize>(),
    );
    let document = whole.saturating_sub(lists);
    let document = (document > DOCUMENT_LIMIT).then(|| {
        let description = format!("the document has {document} bytes without its lists, the limit is {DOCUMENT_LIMIT}");
        violation("", description)
    });
    let lists = (lists > LISTS_LIMIT).then(|| {
        let description = format!(
            "the listed units have {lists} bytes together, the limit is {LISTS_LIMIT}; put them into a segment"
        );
        violation("allow", description)
    });
    document.into_iter().chain(lists).collect()
}
