//! Which web pages may ask: the CORS headers of the fetch standard.
//!
//! None may unless told, because flags can be nobody else's business: a page then still reaches the agent through the
//! origin that it came from. What a page may send and see is what the web providers of OpenFeature do.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tonic::transport::Uri;

/// What a page may send.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// Which headers of an answer it may see.
const EXPOSED: HeaderValue = HeaderValue::from_static("etag, retry-after");
/// For how many seconds it need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Origins {
    /// No page of another origin.
    #[default]
    None,
    /// Every page.
    Any,
    /// The pages of these origins.
    These(Vec<HeaderValue>),
}

impl Origins {
    /// Reads `none`, `*`, or origins with commas between them.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" | "none" => Ok(Self::None),
            "*" => Ok(Self::Any),
            list => list
                .split(',')
                .map(|text| origin(text.trim()))
                .collect::<Result<_, _>>()
                .map(Self::These),
        }
    }

    /// Whether no page may ask.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// What a page of this origin is told; none: it may not ask.
    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::These(origins) => origins.contains(origin).then(|| origin.clone()),
        }
    }
}

/// An origin as a browser writes it: scheme, host, and the port if it is not the scheme's own.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || format!("{text:?} is not an origin; give it as https://app.example.com or http://localhost:3000");
    let uri = text.parse::<Uri>().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    let whole = format!("{scheme}://{authority}");
    if whole.len() == text.len() && !authority.as_str().contains('@') {
        HeaderValue::try_from(whole.to_ascii_lowercase()).map_err(|_| wrong())
    } else {
        Err(wrong())
    }
}

/// Answers a browser's question beforehand, and marks the answers that its page may see.
pub(super) async fn allow(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    let allowed = request
        .headers()
        .get(header::ORIGIN)
        .and_then(|origin| origins.allowed(origin));
    let beforehand =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    // Whichever headers a page sends, the door reads its own only.
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if beforehand {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    // Whatever lies between must not give one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if beforehand {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            headers.extend(asked.map(|asked| (header::ACCESS_CONTROL_ALLOW_HEADERS, asked)));
        } else {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        assert_eq!(Origins::parse("none"), Ok(Origins::None));
        assert_eq!(Origins::parse(""), Ok(Origins::None));
        assert_eq!(Origins::parse("*"), Ok(Origins::Any));
        let two = Origins::parse("https://App.example.com, http://localhost:3000").unwrap();
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("http://localhost:3000", true),
            ("http://localhost", false),
            ("http://app.example.com", false),
            ("null", false),
        ] {
            let origin = HeaderValue::from_static(origin);
            assert_eq!(two.allowed(&origin).is_some(), allowed, "{origin:?}");
        }
        for wrong in [
            "app.example.com",
            "https://",
            "https://a/",
            "https://a/path",
            "https://u@a",
            "https://a,",
            "https://a, *",
        ] {
            let error = Origins::parse(wrong).unwrap_err();
            assert!(error.contains("give it as https://app.example.com"), "{error}");
        }
    }
}
