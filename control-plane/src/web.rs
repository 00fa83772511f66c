//! Browsers: gRPC-Web on the same port as gRPC, and which pages may call it.
//!
//! A page of another origin is answered only if its origin was named; without a name no page but one that this port
//! itself serves can read an answer. Callers that are no browsers are not concerned.

use http::{HeaderName, HeaderValue, Method, header};
use proto::said::Said;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long browsers may remember what they were allowed.
const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Origins that may call: those named, or any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Every origin: `*`.
    Any,
    /// One origin, such as `https://console.example.com`.
    One(HeaderValue),
}

impl std::str::FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let wrong = || "write an origin such as https://console.example.com, or * for any".to_owned();
        let uri = text.parse::<http::Uri>().map_err(|_| wrong())?;
        let is_origin =
            uri.scheme().is_some() && uri.authority().is_some() && !text.ends_with('/') && uri.path() == "/";
        if !is_origin {
            return Err(wrong());
        }
        HeaderValue::from_str(text).map(Self::One).map_err(|_| wrong())
    }
}

/// Answers browsers' questions before a call, and lets them read what gRPC-Web says in headers.
pub(crate) fn cors(origins: &[Origin]) -> CorsLayer {
    let named = origins.iter().filter_map(|origin| match origin {
        Origin::Any => None,
        Origin::One(origin) => Some(origin.clone()),
    });
    let allowed = if origins.contains(&Origin::Any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(named)
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers(sent())
        .expose_headers(
            ["grpc-status", "grpc-message", "grpc-status-details-bin", proto::VERSION].map(HeaderName::from_static),
        )
        .max_age(REMEMBERED)
}

/// The status of a call whose message could not be read, where tonic says another: of what cannot be decoded it says
/// INTERNAL, but that is the caller's; of what is too large OUT_OF_RANGE, where every other gRPC library says
/// RESOURCE_EXHAUSTED.
pub(crate) fn unreadable<B>(response: &http::Response<B>) -> Option<HeaderValue> {
    let headers = response.headers();
    let status = headers.get("grpc-status")?.to_str().ok()?;
    let said = headers.get("grpc-message")?.to_str().ok()?;
    let (invalid_argument, resource_exhausted) = ("3", "8");
    let is = match status {
        "13" if said.starts_with("failed%20to%20decode%20Protobuf") => invalid_argument,
        "11" if said.starts_with("Error,%20decoded%20message%20length%20too%20large") => resource_exhausted,
        _ => return None,
    };
    Some(HeaderValue::from_static(is))
}

/// Headers that a page may send.
fn sent() -> Vec<HeaderName> {
    let said = [Said::Actor, Said::Reason].map(|said| [said.plain(), said.binary()]);
    let own = ["x-grpc-web", "x-user-agent", "grpc-timeout"];
    own.into_iter()
        .chain(said.into_iter().flatten())
        .map(HeaderName::from_static)
        .chain([header::CONTENT_TYPE, header::AUTHORIZATION])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_more() {
        for text in ["https://console.example.com", "http://localhost:5173", "*"] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for text in [
            "",
            "console.example.com",
            "https://a/",
            "https://a/path",
            "https://",
            "null\n",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_callers_fault_and_other_errors_stay() {
        let too_large = "Error,%20decoded%20message%20length%20too%20large:%20found%205%20bytes";
        let cases = [
            ("11", too_large, Some("8")),
            ("11", "what%20was%20done%20is%20no%20longer%20kept", None),
            ("13", too_large, None),
            ("13", "failed%20to%20decode%20Protobuf%20message", Some("3")),
            ("13", "the%20store%20failed", None),
            ("5", "failed%20to%20decode%20Protobuf%20message", None),
        ];
        for (status, said, is) in cases {
            let answer = http::Response::builder()
                .header("grpc-status", status)
                .header("grpc-message", said);
            let is = is.map(HeaderValue::from_static);
            assert_eq!(unreadable(&answer.body(()).unwrap_or_default()), is, "{status} {said}");
        }
    }
}
