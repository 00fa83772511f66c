//! How long a caller waits, as far as the service can know.
//!
//! A caller of gRPC says it in `grpc-timeout`; of others the service may know it. The shorter one counts.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// Where a caller of gRPC says how long it waits.
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The most digits of it.
const DIGITS: usize = 8;

/// How long the caller of a request with these headers waits; none: nobody knows.
pub(crate) fn patience(headers: &HeaderMap, known: Option<Duration>) -> Option<Duration> {
    let said = headers.get(&GRPC_TIMEOUT).and_then(|value| read(value.as_bytes()));
    match (said, known) {
        (Some(said), Some(known)) => Some(said.min(known)),
        (said, known) => said.or(known),
    }
}

/// Up to eight digits and a unit.
fn read(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.len() > DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3_600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_unit_of_a_grpc_timeout_is_read() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("50m", Some(Duration::from_millis(50))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("", None),
            ("S", None),
            ("5", None),
            ("+5S", None),
            ("100000000S", None),
            ("5s", None),
        ] {
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_shorter_patience_counts() {
        let mut headers = HeaderMap::new();
        let known = Some(Duration::from_secs(2));
        assert_eq!((patience(&headers, None), patience(&headers, known)), (None, known));
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("1S"));
        let said = Some(Duration::from_secs(1));
        assert_eq!((patience(&headers, None), patience(&headers, known)), (said, said));
    }
}
