//! gRPC-Web as a browser speaks it: HTTP/1.1, messages as frames of the body, trailers as its last frame.
//!
//! Written from the protocol's description, and without a library between, so that a message may be anything: announced
//! and never sent, or no message at all.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Headers, or trailers; names in lower case.
pub type Headers = BTreeMap<String, String>;

/// The first bytes of a frame: what it is, and its length.
const FRAME_HEAD: usize = 5;
/// The bit of a frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// An answer that is being read.
#[derive(Debug)]
pub struct Answer {
    /// The status code of HTTP.
    pub status: u16,
    /// Its headers.
    pub headers: Headers,
    stream: TcpStream,
    /// Bytes as they came.
    raw: Vec<u8>,
    /// Bytes of the body.
    body: Vec<u8>,
    has_ended: bool,
}

/// A frame of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// The trailers, which come last.
    Trailers(Headers),
}

/// How a call ended.
#[derive(Debug)]
pub struct Ended {
    /// Its headers.
    pub headers: Headers,
    /// The messages of its answer.
    pub messages: Vec<Vec<u8>>,
    /// Its status code in gRPC.
    pub code: i32,
    /// The status in words.
    pub message: String,
}

/// A frame that holds a message.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a message of a test is not that long");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// Asks as a browser does before a page of another origin may call.
pub async fn preflight(address: SocketAddr, path: &str, origin: &str) -> Answer {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "content-type,x-grpc-web,tidegate-actor",
        ),
    ];
    send(address, "OPTIONS", path, &asked, 0, &[]).await
}

/// Begins a call with these bytes as its body.
pub async fn begin(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    begin_announcing(address, path, headers, body.len(), body).await
}

/// Begins a call whose body is announced to be longer than what is sent of it.
pub async fn begin_announcing(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    length: usize,
    sent: &[u8],
) -> Answer {
    let always = [("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")];
    let headers = [&always, headers].concat();
    send(address, "POST", path, &headers, length, sent).await
}

/// A call with one message, to its end.
pub async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], message: &[u8]) -> Ended {
    begin(address, path, headers, &frame(message)).await.end().await
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    length: usize,
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .expect("the request can be sent");
    Answer::read(stream).await
}

impl Answer {
    async fn read(mut stream: TcpStream) -> Self {
        let mut raw = Vec::new();
        let end = loop {
            if let Some(end) = find(&raw, b"\r\n\r\n") {
                break end;
            }
            let read = stream.read_buf(&mut raw).await.expect("an answer can be read");
            assert!(read > 0, "no answer: {}", String::from_utf8_lossy(&raw));
        };
        let rest = raw.split_off(end + 4);
        let head = String::from_utf8(raw).expect("a head is ASCII");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {head}")),
            headers: headers(head.lines().skip(1)),
            stream,
            raw: rest,
            body: Vec::new(),
            has_ended: false,
        }
    }

    /// The next frame of the body; none at its end.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, rest)) = self.body.split_at_checked(FRAME_HEAD) {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if rest.len() >= length {
                    let kind = head[0];
                    let frame: Vec<u8> = self.body.drain(..FRAME_HEAD + length).skip(FRAME_HEAD).collect();
                    return Some(match kind & TRAILERS {
                        0 => Frame::Message(frame),
                        _ => Frame::Trailers(headers(String::from_utf8(frame).expect("trailers are ASCII").lines())),
                    });
                }
            }
            if self.has_ended {
                assert!(self.body.is_empty(), "half a frame: {:?}", self.body);
                return None;
            }
            self.more().await;
        }
    }

    /// Reads the call to its end.
    pub async fn end(mut self) -> Ended {
        let (mut messages, mut trailers) = (Vec::new(), self.headers.clone());
        // A status in the headers is the whole answer.
        while !trailers.contains_key("grpc-status") {
            match self.frame().await {
                Some(Frame::Message(message)) => messages.push(message),
                Some(Frame::Trailers(found)) => trailers = found,
                None => panic!("the answer ended without a status: {self:#?}"),
            }
        }
        let code = trailers["grpc-status"].parse().expect("a status code is a number");
        let message = trailers.get("grpc-message").cloned().unwrap_or_default();
        Ended {
            headers: self.headers,
            messages,
            code,
            message,
        }
    }

    /// Reads more of the body: of a length, or in chunks.
    async fn more(&mut self) {
        if let Some(length) = self.headers.get("content-length") {
            let length: usize = length.parse().expect("a length is a number");
            while self.raw.len() < length {
                self.receive().await;
            }
            self.body.append(&mut self.raw);
            self.has_ended = true;
            return;
        }
        let end = loop {
            match find(&self.raw, b"\r\n") {
                Some(end) => break end,
                None => self.receive().await,
            }
        };
        let length = std::str::from_utf8(&self.raw[..end]).expect("a chunk's length is ASCII");
        let length = usize::from_str_radix(length, 16).expect("a chunk's length is hexadecimal");
        while self.raw.len() < end + 2 + length + 2 {
            self.receive().await;
        }
        self.body
            .extend(self.raw.drain(..end + 2 + length + 2).skip(end + 2).take(length));
        self.has_ended = length == 0;
    }

    async fn receive(&mut self) {
        let read = self
            .stream
            .read_buf(&mut self.raw)
            .await
            .expect("an answer can be read");
        assert!(read > 0, "the answer broke off: {:?}", self.raw);
    }
}

fn headers<'l>(lines: impl Iterator<Item = &'l str>) -> Headers {
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
