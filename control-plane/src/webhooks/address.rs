//! Where webhooks may post: https anywhere, http only on the control plane's own machine, unless plain http was allowed.
//!
//! An address is shown to whoever may list webhooks, so it holds no user and no password. It is looked at when it is
//! written, and again before each attempt: what was allowed then need not be allowed now.

use std::net::IpAddr;

use reqwest::Url;

/// The longest address, in bytes.
const BYTES: usize = 2_048;

/// Why nothing is posted to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Too long.
    #[error("has {0} bytes, at most {BYTES} are allowed")]
    Long(usize),
    /// No address at all.
    #[error("is no address such as https://alerts.example.com/tidegate: {0}")]
    NoUrl(String),
    /// Neither http nor https.
    #[error("begins with {0}:, and only https: is posted to")]
    Scheme(String),
    /// http to another machine.
    #[error(
        "is http: on another machine, where anybody on the way reads along; use https:, or start the control plane with \
         --webhook-allow-http"
    )]
    Plain,
    /// A user or a password.
    #[error(
        "holds a user or a password, and everybody who lists webhooks would see it; let the receiver check the signature"
    )]
    Credentials,
    /// A fragment, which is never sent.
    #[error("has a fragment (#...), which no receiver would ever see")]
    Fragment,
}

/// Reads an address that may be posted to.
pub(crate) fn read(text: &str, allow_http: bool) -> Result<Url, Refused> {
    if text.len() > BYTES {
        return Err(Refused::Long(text.len()));
    }
    let url = Url::parse(text).map_err(|error| Refused::NoUrl(error.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_own(&url) => {}
        "http" => return Err(Refused::Plain),
        other => return Err(Refused::Scheme(other.chars().take(40).collect())),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    if url.fragment().is_some() {
        return Err(Refused::Fragment);
    }
    Ok(url)
}

/// Whether an address is of this machine, by its own words: no name but localhost is looked up.
fn is_own(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || number.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_taken_anywhere_and_http_only_at_home() {
        let taken = [
            "https://alerts.example.com/hooks/7?team=checkout",
            "https://10.0.0.7:8443/",
            "http://localhost:9000/hook",
            "http://127.0.0.1:9000",
            "http://127.9.9.9/",
            "http://[::1]:9000/",
        ];
        for text in taken {
            assert!(read(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://alerts.example.com/",
            "http://localhost.example.com/",
            "http://169.254.169.254/latest",
            "http://10.0.0.7/",
            "http://[::ffff:10.0.0.7]/",
            "http://0.0.0.0/",
        ] {
            assert_eq!(read(text, false), Err(Refused::Plain), "{text}");
            assert!(read(text, true).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_or_shows_a_secret_is_refused() {
        assert!(matches!(read("alerts.example.com", false), Err(Refused::NoUrl(_))));
        assert!(matches!(read("", false), Err(Refused::NoUrl(_))));
        assert!(matches!(read("https://", false), Err(Refused::NoUrl(_))));
        assert!(matches!(read("ftp://a/", false), Err(Refused::Scheme(_))));
        assert!(matches!(read("file:///etc/passwd", true), Err(Refused::Scheme(_))));
        assert_eq!(read("https://ann:secret@a/", false), Err(Refused::Credentials));
        assert_eq!(read("https://ann@a/", false), Err(Refused::Credentials));
        assert_eq!(read("https://a/#b", false), Err(Refused::Fragment));
        let long = format!("https://a/{}", "x".repeat(BYTES));
        assert_eq!(read(&long, false), Err(Refused::Long(long.len())));
    }
}
