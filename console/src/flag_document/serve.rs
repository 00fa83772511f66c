//! What a document serves: a variant by name, a list of shares, or `null` for the caller's own default.

use std::fmt;

use proto::v1;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Percent, buckets};

/// What a rule or the default serves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ServeDocument {
    /// One variant for everybody: `default: off`.
    Variant(String),
    /// `default: [{variant: on, percent: 25}, {variant: off, percent: 75}]`; the order decides which buckets.
    Split(Vec<ShareDocument>),
    /// `default: null`.
    CallerDefault,
}

/// One variant's part of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareDocument {
    /// The variant's name.
    pub(crate) variant: String,
    /// Its percentage, three decimals at most.
    pub(crate) percent: Percent,
}

impl ServeDocument {
    /// On the wire; violations are added under `field`.
    pub(crate) fn to_wire(&self, field: &str, problems: &mut Vec<String>) -> Option<v1::Serve> {
        let kind = match self {
            Self::Variant(variant) => v1::serve::Kind::Variant(variant.clone()),
            Self::CallerDefault => v1::serve::Kind::CallerDefault(v1::CallerDefault {}),
            Self::Split(shares) => {
                let shares = shares.iter().enumerate().map(|(at, share)| v1::Share {
                    variant: share.variant.clone(),
                    buckets: buckets(&share.percent, &format!("{field}[{at}].percent"), problems),
                });
                v1::serve::Kind::Split(v1::Split {
                    shares: shares.collect(),
                })
            }
        };
        Some(v1::Serve { kind: Some(kind) })
    }

    /// From the wire; what is absent there is the caller's own default.
    pub(crate) fn from_wire(serve: Option<&v1::Serve>) -> Self {
        match serve.and_then(|serve| serve.kind.as_ref()) {
            Some(v1::serve::Kind::Variant(variant)) => Self::Variant(variant.clone()),
            Some(v1::serve::Kind::Split(split)) => {
                let share = |share: &v1::Share| ShareDocument {
                    variant: share.variant.clone(),
                    percent: Percent::of(share.buckets),
                };
                Self::Split(split.shares.iter().map(share).collect())
            }
            Some(v1::serve::Kind::CallerDefault(_)) | None => Self::CallerDefault,
        }
    }
}

impl Serialize for ServeDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Variant(variant) => serializer.serialize_str(variant),
            Self::Split(shares) => shares.serialize(serializer),
            Self::CallerDefault => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for ServeDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ServeVisitor)
    }
}

struct ServeVisitor;

impl<'de> de::Visitor<'de> for ServeVisitor {
    type Value = ServeDocument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a variant's name, a list of {variant, percent}, or null for the caller's own default")
    }

    fn visit_str<E: de::Error>(self, variant: &str) -> Result<ServeDocument, E> {
        Ok(ServeDocument::Variant(variant.into()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<ServeDocument, E> {
        Ok(ServeDocument::CallerDefault)
    }

    fn visit_none<E: de::Error>(self) -> Result<ServeDocument, E> {
        Ok(ServeDocument::CallerDefault)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<ServeDocument, A::Error> {
        let mut shares = Vec::new();
        while let Some(share) = list.next_element()? {
            shares.push(share);
        }
        Ok(ServeDocument::Split(shares))
    }
}
