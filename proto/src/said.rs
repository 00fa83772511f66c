//! What callers say of themselves in metadata: who acts, and why.
//!
//! Metadata is printable ASCII, and names and reasons are not. So text that is goes under its key as it is, and any other
//! as UTF-8 under the key with `-bin`, which gRPC carries as bytes. Who reads takes either.

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// One thing that a caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Who acts.
    Actor,
    /// Why.
    Reason,
}

impl Said {
    /// The key of text that is printable ASCII.
    pub const fn plain(self) -> &'static str {
        match self {
            Self::Actor => crate::ACTOR,
            Self::Reason => crate::REASON,
        }
    }

    /// The key of any other text, as UTF-8.
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Actor => "tidegate-actor-bin",
            Self::Reason => "tidegate-reason-bin",
        }
    }

    /// Says it.
    pub fn say(self, metadata: &mut MetadataMap, text: &str) {
        match plain(text) {
            Some(value) => {
                metadata.insert(self.plain(), value);
            }
            None => {
                metadata.insert_bin(self.binary(), MetadataValue::from_bytes(text.as_bytes()));
            }
        }
    }

    /// What was said; none if nothing was, or no text. Of two the one in UTF-8 counts.
    pub fn heard(self, metadata: &MetadataMap) -> Option<String> {
        let bytes = metadata.get_bin(self.binary()).and_then(|value| value.to_bytes().ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        text.or_else(|| metadata.get(self.plain())?.to_str().ok().map(str::to_owned))
    }
}

fn plain(text: &str) -> Option<MetadataValue<Ascii>> {
    let is_plain = text.chars().all(|c| matches!(c, ' '..='~'));
    // Spaces at the ends may be taken off on the way.
    let is_kept = text.trim() == text;
    (is_plain && is_kept).then(|| MetadataValue::try_from(text).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_readable_on_the_wire_and_the_other_is_bytes() {
        let mut metadata = MetadataMap::new();
        Said::Actor.say(&mut metadata, "ann@desk");
        Said::Reason.say(&mut metadata, "für Köln");
        assert_eq!(
            metadata.get("tidegate-actor").map(|value| value.as_bytes()),
            Some(&b"ann@desk"[..])
        );
        assert!(metadata.get("tidegate-reason").is_none());
        assert!(metadata.get_bin("tidegate-reason-bin").is_some());
    }

    #[test]
    fn what_is_no_text_was_not_said() {
        let mut metadata = MetadataMap::new();
        assert_eq!(Said::Reason.heard(&metadata), None);
        metadata.insert_bin(Said::Reason.binary(), MetadataValue::from_bytes(b"\xff"));
        assert_eq!(Said::Reason.heard(&metadata), None);
        metadata.insert(Said::Reason.plain(), MetadataValue::from_static("why"));
        assert_eq!(Said::Reason.heard(&metadata).as_deref(), Some("why"));
    }

    proptest! {
        #[test]
        fn any_text_is_heard_as_it_was_said(text in any::<String>()) {
            let mut metadata = MetadataMap::new();
            Said::Actor.say(&mut metadata, &text);
            let headers = metadata.into_headers();
            prop_assert_eq!(Said::Actor.heard(&MetadataMap::from_headers(headers)), Some(text));
        }
    }
}
