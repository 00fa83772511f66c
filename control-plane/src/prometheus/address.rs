//! Where the Prometheus is, as the operator says it.
//!
//! Whoever sees the processes of a machine sees their options, so an address holds no password: a token has a file.

use std::str::FromStr;

use reqwest::Url;

/// The longest address, in bytes.
const BYTES: usize = 2_048;
/// Where queries of one moment are answered, below the address.
const QUERY: [&str; 3] = ["api", "v1", "query"];

/// An address whose queries can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    query: Url,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Too long.
    #[error("it has {0} bytes, at most {BYTES} are allowed")]
    Long(usize),
    /// No address at all.
    #[error("it is no address such as http://prometheus:9090: {0}")]
    NoUrl(String),
    /// Neither http nor https.
    #[error("it begins with {0}:, and only http: and https: are asked")]
    Scheme(String),
    /// A user or a password.
    #[error("it holds a user or a password, which everybody on the machine would see; use --prometheus-token-file")]
    Credentials,
    /// Something behind the path.
    #[error("it has a {0}; write the address alone, such as https://metrics.example.com/prometheus")]
    Behind(&'static str),
    /// The path of the API is added here.
    #[error("it ends in /api/...; leave that out, it is added")]
    Api,
}

impl Address {
    /// Where queries go.
    pub(super) fn query(&self) -> &Url {
        &self.query
    }

    /// Whether whoever is on the way can read along: plain http to another machine.
    pub(crate) fn is_in_the_clear(&self) -> bool {
        let host = self.query.host_str().unwrap_or_default();
        let number = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let is_own = host == "localhost" || number.is_ok_and(|address| address.is_loopback());
        self.query.scheme() == "http" && !is_own
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > BYTES {
            return Err(AddressError::Long(text.len()));
        }
        let mut url = Url::parse(text).map_err(|error| AddressError::NoUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme(url.scheme().chars().take(40).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.query().is_some() {
            return Err(AddressError::Behind("query (?...)"));
        }
        if url.fragment().is_some() {
            return Err(AddressError::Behind("fragment (#...)"));
        }
        let path = url.path().trim_end_matches('/');
        if path.ends_with("/api") || path.contains("/api/v1") {
            return Err(AddressError::Api);
        }
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(QUERY),
            Err(()) => return Err(AddressError::NoUrl("it has no host".to_owned())),
        };
        Ok(Self { query: url })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn queries_go_below_the_address() {
        for (text, query, in_the_clear) in [
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090/api/v1/query", false),
            ("http://localhost:9090/", "http://localhost:9090/api/v1/query", false),
            ("http://[::1]:9090/", "http://[::1]:9090/api/v1/query", false),
            ("http://prometheus:9090", "http://prometheus:9090/api/v1/query", true),
            (
                "https://m.example.com/prom",
                "https://m.example.com/prom/api/v1/query",
                false,
            ),
            (
                "https://m.example.com/a/b/",
                "https://m.example.com/a/b/api/v1/query",
                false,
            ),
        ] {
            let address = text.parse::<Address>().unwrap();
            assert_eq!(address.query().as_str(), query);
            assert_eq!(address.is_in_the_clear(), in_the_clear, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_write() {
        for (text, said) in [
            ("", "no address such as"),
            ("prometheus:9090", "only http: and https:"),
            ("9090", "no address such as"),
            ("ftp://a/", "begins with ftp:"),
            ("http://ann:secret@a/", "--prometheus-token-file"),
            ("http://a/?x=1", "has a query"),
            ("http://a/#x", "has a fragment"),
            ("http://a/api/v1", "leave that out"),
            ("http://a/api/v1/query", "leave that out"),
            ("http://a/api/", "leave that out"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        let long = format!("http://a/{}", "x".repeat(BYTES));
        assert_eq!(long.parse::<Address>(), Err(AddressError::Long(long.len())));
    }
}
