//! A receiver of webhooks: takes what is posted to it, remembers it byte for byte, and can be away.
//!
//! Its address is its own for the whole test, so that a webhook finds it again as it would find a service behind its name.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::ports;

/// A message as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// A receiver, there or away.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens while it is there.
    pub address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    task: Option<JoinHandle<()>>,
}

impl Message {
    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.get(name);
        header.unwrap_or_else(|| panic!("no header {name}: {self:#?}"))
    }

    /// The event.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Receiver {
    /// One that is away.
    pub fn away() -> Self {
        Self {
            address: ports::free(),
            messages: Arc::default(),
            task: None,
        }
    }

    /// Where messages go.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// It is there: whatever comes is taken.
    pub async fn comes(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its address is its own");
        self.task = Some(tokio::spawn(accept(listener, self.messages.clone())));
    }

    /// It is away, and its connections with it.
    pub async fn goes(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Aborted: the answer is an error.
            let _ = task.await;
        }
    }

    /// All that has come.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().expect("nobody panics while it is held").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, messages: Arc<Mutex<Vec<Message>>>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(take(stream, messages.clone()));
        }
    }
}

/// Takes one message, and answers it once it is remembered.
async fn take(mut stream: TcpStream, messages: Arc<Mutex<Vec<Message>>>) {
    let Some(message) = read(&mut stream).await else {
        return;
    };
    messages.lock().expect("nobody panics while it is held").push(message);
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    // Whoever posted may have been killed.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

/// Reads one message.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
            let headers: BTreeMap<_, _> = lines
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            if body.len() >= headers.get("content-length")?.parse::<usize>().ok()? {
                return Some(Message {
                    headers,
                    body: body.to_owned(),
                });
            }
        }
        let mut more = [0; 4_096];
        match stream.read(&mut more).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&more[..read]),
        }
    }
}
