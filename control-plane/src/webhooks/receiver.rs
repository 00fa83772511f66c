//! A receiver of webhooks for tests: real sockets, and whatever receivers do to those who post.
//!
//! It speaks bare HTTP/1.1, one message a connection, so that it can hang, lie and cut where a library would not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

/// What it does to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Answers a status, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Answers a status with this body.
    Says(u16, String),
    /// Answers 200, and a body without end.
    Endless,
    /// Never answers.
    Hang,
    /// Closes the connection without an answer.
    Cut,
    /// Closes the connection in the middle of the answer's head.
    CutAnswer,
}

/// A message as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// What was done to it.
    pub(crate) reply: Reply,
}

pub(crate) type Script = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    script: Arc<Mutex<Script>>,
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

/// Takes all that comes.
pub(crate) fn taking() -> Script {
    Arc::new(|_| Reply::status(200))
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it was answered 2xx.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(
            self.reply,
            Reply::Status(200..=299, _) | Reply::Says(200..=299, _) | Reply::Endless
        )
    }

    /// Whether the library of receivers says that this secret has signed it.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, self.headers[name].parse().unwrap());
        }
        let library = standardwebhooks::Webhook::new(secret).unwrap();
        library.verify(self.body.as_bytes(), &headers).is_ok()
    }
}

impl Receiver {
    /// Takes all that comes.
    pub(crate) async fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same, at an address.
    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (counted, count) = watch::channel(0);
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let script = Arc::new(Mutex::new(taking()));
        let task = tokio::spawn({
            let (received, script) = (received.clone(), script.clone());
            let counted = Arc::new(counted);
            async move {
                let mut connections = JoinSet::new();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (received, script, counted) = (received.clone(), script.clone(), counted.clone());
                    connections.spawn(async move { serve(stream, &received, &script, &counted).await });
                }
            }
        });
        Self {
            address,
            received,
            script,
            count,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it does from now on.
    pub(crate) fn replies(&self, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// All that has come, once there are so many.
    pub(crate) async fn received(&self, count: usize) -> Vec<Received> {
        self.until(|all| all.len() >= count).await
    }

    /// All that was taken, once there are so many.
    pub(crate) async fn taken(&self, count: usize) -> Vec<Received> {
        let all = self
            .until(|all| all.iter().filter(|one| one.is_taken()).count() >= count)
            .await;
        all.into_iter().filter(Received::is_taken).collect()
    }

    /// All that has come so far.
    pub(crate) fn so_far(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn until(&self, holds: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut count = self.count.clone();
        let waited = tokio::time::timeout(FAR, count.wait_for(|_| holds(&self.so_far()))).await;
        assert!(waited.is_ok(), "it comes: {:#?}", self.so_far());
        self.so_far()
    }

    /// Ends, and every connection with it; the address is free then.
    pub(crate) async fn stop(self) -> SocketAddr {
        let Self { address, task, .. } = self;
        task.abort();
        // Aborted: the answer is an error.
        let _ = task.await;
        address
    }
}

/// Reads one message from a connection and does to it what the script says.
pub(crate) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    received: &Mutex<Vec<Received>>,
    script: &Mutex<Script>,
    count: &watch::Sender<usize>,
) {
    let Some(mut message) = read(&mut stream).await else {
        return;
    };
    let script = script.lock().unwrap().clone();
    message.reply = script(&message);
    let reply = message.reply.clone();
    let counted = {
        let mut received = received.lock().unwrap();
        received.push(message);
        received.len()
    };
    count.send_replace(counted);
    answer(&mut stream, &reply).await;
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
            let headers = lines
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect::<BTreeMap<_, _>>();
            if body.len() >= headers["content-length"].parse::<usize>().unwrap() {
                return Some(Received {
                    headers,
                    body: body.to_owned(),
                    reply: Reply::Hang,
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

async fn answer(stream: &mut (impl AsyncWrite + Unpin), reply: &Reply) {
    let written = match reply {
        Reply::Status(status, headers) => {
            let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
            let headers = headers.collect::<String>();
            let head = format!("HTTP/1.1 {status} Word\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n");
            stream.write_all(head.as_bytes()).await
        }
        Reply::Says(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} Word\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await
        }
        Reply::Endless => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nmore\r\n";
            stream.write_all(head).await
        }
        Reply::CutAnswer => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await,
        Reply::Hang | Reply::Cut => Ok(()),
    };
    // Whoever posts may have gone.
    _ = written;
    if matches!(reply, Reply::Hang | Reply::Endless) {
        std::future::pending::<()>().await;
    }
    _ = stream.shutdown().await;
}
