//! Bare HTTP/1.1: one request, answer and connection, or a stream of events; what a client of OFREP sends, byte for byte.
//!
//! No library stands between a test and the wire, so that a header is seen as it was sent and nothing is retried.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.get(name);
        header.unwrap_or_else(|| panic!("no header {name}: {self:#?}"))
    }

    /// The body as JSON; panics, with all there was, if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A stream of server-sent events that stays open.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    read: String,
}

impl Events {
    /// Opens the stream and reads the head of the answer.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the agent listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nAccept: text/event-stream\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("a request can be sent");
        let read = String::new();
        let mut events = Self { stream, read };
        events.until("content-type: text/event-stream").await;
        events.until("retry: ").await;
        events
    }

    /// Reads on until there is this text, and forgets all up to its end.
    pub async fn until(&mut self, text: &str) {
        let mut bytes = vec![0; 4_096];
        while !self.read.contains(text) {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes)).await;
            let read = read.unwrap_or_else(|_| panic!("no {text:?} within {PATIENCE:?}, but {:?}", self.read));
            let read = read.expect("the stream stands");
            assert!(read > 0, "the stream ended before {text:?}, after {:?}", self.read);
            self.read
                .push_str(std::str::from_utf8(&bytes[..read]).expect("events are ASCII here"));
        }
        let (_, rest) = self.read.split_once(text).expect("it was just found");
        self.read = rest.to_owned();
    }
}

/// Posts JSON and reads the whole answer.
pub async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], json: &Value) -> Answer {
    let exchanged = exchange(address, path, headers, json.to_string()).await;
    let answer = exchanged.unwrap_or_else(|error| panic!("POST http://{address}{path}: {error}"));
    read(&answer).unwrap_or_else(|| panic!("POST http://{address}{path}: no HTTP answer: {answer:?}"))
}

async fn exchange(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<String, std::io::Error> {
    let mut stream = TcpStream::connect(address).await?;
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// An answer whose body ends with the connection, as all answers of known length do here.
fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    })
}
