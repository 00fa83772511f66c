//! Signatures of messages, as Standard Webhooks 1.0 has them: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
//!
//! While a secret is changed for another, both sign; a receiver takes a message that any of its secrets has signed.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::secret::Secret;

/// What the header `webhook-signature` says: one signature for each secret, with spaces between.
pub(crate) fn sign<'s>(
    secrets: impl IntoIterator<Item = &'s Secret>,
    id: &str,
    timestamp_s: i64,
    body: &str,
) -> String {
    let signed = format!("{id}.{timestamp_s}.{body}");
    let signatures = secrets.into_iter().map(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use standardwebhooks::Webhook;

    use super::*;

    const ID: &str = "msg_0123";

    fn headers(timestamp_s: i64, signature: &str) -> http::HeaderMap {
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", ID.parse().unwrap());
        headers.insert("webhook-timestamp", timestamp_s.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn a_library_of_receivers_takes_what_any_of_its_secrets_signed_and_nothing_else() {
        let [before, after, other] = [Secret::draw(), Secret::draw(), Secret::draw()];
        let now_s = runtime::clock::now_us() / 1_000_000;
        let body = r#"{"type":"alert","text":"é"}"#;
        let signature = sign([&after, &before], ID, now_s, body);
        let takes = |secret: &Secret, timestamp_s: i64, body: &str| {
            let library = Webhook::new(&secret.text()).unwrap();
            library
                .verify(body.as_bytes(), &headers(timestamp_s, &signature))
                .is_ok()
        };
        assert!(takes(&before, now_s, body) && takes(&after, now_s, body));
        assert!(!takes(&other, now_s, body), "another secret");
        assert!(!takes(&after, now_s + 1, body), "another time");
        assert!(!takes(&after, now_s, r#"{"type":"alert","text":"e"}"#), "another body");
    }
}
