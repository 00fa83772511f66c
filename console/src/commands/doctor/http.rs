//! One GET over HTTP/1.1, enough for an ops port: the status of the answer. Nothing is kept open.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

/// As much of the answer as its status line can need.
const HEAD_BYTES: u64 = 512;

/// The status of `GET path` at `address` (host:port), within the time limit.
pub(super) async fn status(address: &str, path: &str, limit: Duration) -> io::Result<u16> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time");
    time::timeout(limit, ask(address, path)).await.map_err(|_| late())?
}

async fn ask(address: &str, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    let mut stream = stream.take(HEAD_BYTES);
    while !head.contains(&b'\n') && stream.read_buf(&mut head).await? > 0 {}
    parse(&head).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))
}

fn parse(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_has_a_status() {
        assert_eq!(parse(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), Some(503));
        for head in [
            &b""[..],
            b"HTTP/1.1",
            b"SSH-2.0-x 200\r\n",
            b"HTTP/1.1 abc\r\n",
            b"\xff\xff",
        ] {
            assert_eq!(parse(head), None);
        }
    }
}
