//! The body of a request, within bounds of size and time.
//!
//! A body that is too large is refused before it is parsed. Some of it is still read and thrown away: a client that is
//! busy sending would otherwise see a broken connection instead of the answer.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use http_body_util::BodyExt as _;

use crate::serve::EVALUATION_LIMIT;

/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(5);
/// How much of a body that is too large is thrown away before the connection is given up, in bytes.
const THROWN_AWAY: usize = 8 * 1_024 * 1_024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// Larger than a request may be.
    #[error("request body too large: it may have at most {EVALUATION_LIMIT} bytes")]
    TooLarge,
    /// It did not arrive.
    #[error("the request's body did not arrive within {} seconds", DEADLINE.as_secs())]
    TooSlow,
    /// The connection or its framing broke.
    #[error("the request's body cannot be read")]
    Broken,
}

/// Reads a body whole.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, BodyError> {
    tokio::time::timeout(DEADLINE, collect(announced(headers), body))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(announced: usize, mut body: Body) -> Result<Bytes, BodyError> {
    if announced > EVALUATION_LIMIT + THROWN_AWAY {
        return Err(BodyError::TooLarge);
    }
    let (mut first, mut joined, mut read) = (Bytes::new(), Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        read += data.len();
        if read > EVALUATION_LIMIT + THROWN_AWAY {
            break;
        }
        if read > EVALUATION_LIMIT {
            (first, joined) = (Bytes::new(), Vec::new());
        } else if read == data.len() {
            first = data;
        } else {
            // What came first alone is copied only now: most bodies come in one piece.
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    if read > EVALUATION_LIMIT {
        Err(BodyError::TooLarge)
    } else if joined.is_empty() {
        Ok(first)
    } else {
        Ok(joined.into())
    }
}

/// How long the caller says that the body is; 0 if it does not.
fn announced(headers: &HeaderMap) -> usize {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn read_pieces(pieces: &[usize]) -> Result<usize, BodyError> {
        let pieces: Vec<Result<Bytes, std::io::Error>> =
            pieces.iter().map(|bytes| Ok(Bytes::from(vec![b'x'; *bytes]))).collect();
        let body = Body::from_stream(stream::iter(pieces));
        read(&HeaderMap::new(), body).await.map(|body| body.len())
    }

    #[tokio::test]
    async fn a_body_is_joined_from_its_pieces_up_to_the_limit() {
        assert_eq!(read_pieces(&[]).await, Ok(0));
        assert_eq!(read_pieces(&[0, 3, 0, 4]).await, Ok(7));
        assert_eq!(read_pieces(&[EVALUATION_LIMIT]).await, Ok(EVALUATION_LIMIT));
        assert_eq!(read_pieces(&[EVALUATION_LIMIT, 1]).await, Err(BodyError::TooLarge));
        assert_eq!(read_pieces(&[EVALUATION_LIMIT; 20]).await, Err(BodyError::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_not_waited_for() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(read(&HeaderMap::new(), body).await, Err(BodyError::TooSlow));
    }
}
