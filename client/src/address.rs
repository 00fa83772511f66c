//! Where the agent listens: a port on this machine or a socket on disk.
//!
//! Parsed once, so that a mistyped address is an error at the start and not a default served for ever. Connections are
//! lazy: an agent that starts after its service is found by the first call that needs it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Where an agent listens unless told otherwise.
const DEFAULT_URI: &str = "http://127.0.0.1:8013";
/// How long a connection may take to be made; a call gives up earlier, by its own deadline.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// How often an idle connection is checked, so that a frozen agent is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where the agent listens. The default is `http://127.0.0.1:8013`. As text: `http://host:port`, `unix:/path`, or a
/// path with a slash in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Tcp(Uri),
    Unix(PathBuf),
}

/// A text that is no address of an agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither a URI nor a path.
    #[error("{0:?} is no agent address: use http://host:port or the path of a socket")]
    Malformed(String),
    /// A scheme that agents do not speak.
    #[error("{0:?} has a scheme that agents do not speak: use http://host:port or the path of a socket")]
    Scheme(String),
}

impl Address {
    /// The agent's socket on disk.
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self(Place::Unix(path.as_ref().to_owned()))
    }

    /// A connection that is made when it is first used, and made again when it breaks.
    pub(crate) fn channel(&self) -> Channel {
        match &self.0 {
            Place::Tcp(uri) => configured(Endpoint::from(uri.clone())).connect_lazy(),
            Place::Unix(path) => {
                let path = path.clone();
                // The URI only fills the `:authority` of requests; the connector below never looks at it.
                configured(Endpoint::from_static("http://agent")).connect_with_connector_lazy(tower::service_fn(
                    move |_: Uri| {
                        let path = path.clone();
                        async move { UnixStream::connect(path).await.map(TokioIo::new) }
                    },
                ))
            }
        }
    }
}

impl Default for Address {
    fn default() -> Self {
        Self(Place::Tcp(Uri::from_static(DEFAULT_URI)))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || AddressError::Malformed(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(malformed())
            } else {
                Ok(Self::unix(path))
            };
        }
        if text.contains('/') && !text.contains("://") {
            return Ok(Self::unix(text));
        }
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        match (uri.scheme_str(), uri.port()) {
            (Some("http"), Some(_)) => Ok(Self(Place::Tcp(uri))),
            (Some("http") | None, _) => Err(malformed()),
            (Some(_), _) => Err(AddressError::Scheme(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Tcp(uri) => write!(f, "{uri}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn configured(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, shown) in [
            ("http://127.0.0.1:8013", "http://127.0.0.1:8013/"),
            ("http://[::1]:9000", "http://[::1]:9000/"),
            ("unix:/run/agent.sock", "unix:/run/agent.sock"),
            ("unix:///run/agent.sock", "unix:/run/agent.sock"),
            ("/run/agent.sock", "unix:/run/agent.sock"),
            ("./agent.sock", "unix:./agent.sock"),
        ] {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                Ok(shown.to_owned())
            );
        }
        assert_eq!(DEFAULT_URI.parse(), Ok(Address::default()));
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_text() {
        for text in [
            "",
            "unix:",
            "127.0.0.1:8013",
            "localhost",
            "http://localhost",
            "http://",
            "agent.sock",
        ] {
            assert_eq!(
                text.parse::<Address>(),
                Err(AddressError::Malformed(text.to_owned())),
                "{text}"
            );
        }
        let secured = "https://127.0.0.1:8013";
        assert_eq!(
            secured.parse::<Address>(),
            Err(AddressError::Scheme(secured.to_owned()))
        );
    }
}
