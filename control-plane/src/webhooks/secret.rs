//! Secrets of webhooks: drawn here, kept in the store, shown once, and never written to a log.
//!
//! As text a secret is `whsec_` and base64, as Standard Webhooks has it; what signs are the bytes behind it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What every secret begins with, as text.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that is drawn here.
const DRAWN: usize = 32;
/// Bytes that a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that a webhook and its receiver share.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

/// Bytes that are no secret: 24 to 64 there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret has 24 to 64 bytes")]
pub(crate) struct NoSecret;

impl Secret {
    /// A new one.
    pub(crate) fn draw() -> Self {
        Self(rand::random::<[u8; DRAWN]>().to_vec())
    }

    /// From bytes as the store has them.
    pub(crate) fn of(bytes: Vec<u8>) -> Result<Self, NoSecret> {
        if BYTES.contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(NoSecret)
        }
    }

    /// What signs.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As its receiver is given it, once.
    pub(crate) fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_secret_is_drawn_anew_and_no_log_shows_it() {
        let (one, other) = (Secret::draw(), Secret::draw());
        assert_ne!(one, other);
        let text = one.text();
        let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(Secret::of(bytes), Ok(one.clone()));
        assert_eq!(format!("{one:?}"), "Secret(..)");
    }

    #[test]
    fn bytes_that_are_too_few_or_too_many_are_no_secret() {
        for (bytes, is_secret) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(Secret::of(vec![7; bytes]).is_ok(), is_secret, "{bytes}");
        }
    }
}
