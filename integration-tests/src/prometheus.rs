//! A Prometheus as rollouts need one: it answers queries of one moment over a real socket, as a test says, and can be away
//! or out of its mind.
//!
//! Nothing of PromQL is understood: an answer belongs to all queries that hold a text. What nobody has said anything about
//! has no series, as with the real one.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{ports, receiver};

/// What queries are answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// One series with this number, as PromQL writes it.
    Number(String),
    /// So many series.
    Series(usize),
    /// A status and a body.
    Raw(u16, String),
    /// Nothing, and the connection stays.
    Nothing,
}

/// A Prometheus, there or away.
#[derive(Debug)]
pub struct Prometheus {
    /// Where it listens while it is there.
    pub address: SocketAddr,
    mind: Arc<Mutex<Mind>>,
    task: Option<JoinHandle<()>>,
}

/// What it says, and what it was asked.
#[derive(Debug, Default)]
struct Mind {
    said: Vec<(String, Said)>,
    asked: Vec<String>,
}

impl Said {
    /// One series with this number.
    pub fn number(number: f64) -> Self {
        Self::Number(number.to_string())
    }

    fn answer(&self) -> Option<(u16, String)> {
        let vector = |series: Vec<String>| {
            let series = series.join(",");
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#)
        };
        let one = |at: usize, number: &str| format!(r#"{{"metric":{{"pod":"{at}"}},"value":[1.5,"{number}"]}}"#);
        Some(match self {
            Self::Number(number) => (200, vector(vec![one(0, number)])),
            Self::Series(count) => (200, vector((0..*count).map(|at| one(at, "1")).collect())),
            Self::Raw(status, body) => (*status, body.clone()),
            Self::Nothing => return None,
        })
    }
}

impl Prometheus {
    /// One that is there, and knows no series.
    pub async fn start() -> Self {
        let mut prometheus = Self {
            address: ports::free(),
            mind: Arc::default(),
            task: None,
        };
        prometheus.comes().await;
        prometheus
    }

    /// Its address, as the control plane is told it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on queries that hold this text are answered so.
    pub fn says(&self, part: &str, said: Said) {
        let mut mind = self.mind.lock().expect("nobody panics while it is held");
        mind.said.retain(|(known, _)| known != part);
        mind.said.push((part.to_owned(), said));
    }

    /// How many queries with this text were asked so far.
    pub fn asked(&self, part: &str) -> usize {
        let mind = self.mind.lock().expect("nobody panics while it is held");
        mind.asked.iter().filter(|query| query.contains(part)).count()
    }

    /// It is there.
    pub async fn comes(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its address is its own");
        self.task = Some(tokio::spawn(accept(listener, self.mind.clone())));
    }

    /// It is away, and its connections with it.
    pub async fn goes(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Aborted: the answer is an error.
            let _ = task.await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, mind: Arc<Mutex<Mind>>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(answer(stream, mind.clone()));
        }
    }
}

/// Answers one query.
async fn answer(mut stream: TcpStream, mind: Arc<Mutex<Mind>>) {
    let Some(message) = receiver::read(&mut stream).await else {
        return;
    };
    let query = query(&message.body);
    let said = {
        let mut mind = mind.lock().expect("nobody panics while it is held");
        mind.asked.push(query.clone());
        let said = mind.said.iter().find(|(part, _)| query.contains(part));
        said.map_or(Said::Series(0), |(_, said)| said.clone())
    };
    let Some((status, body)) = said.answer() else {
        return std::future::pending().await;
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Word\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: \
         close\r\n\r\n{body}"
    );
    // Whoever asked may have read enough.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The query of a form.
fn query(form: &str) -> String {
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.find(|(name, _)| *name == "query").map(|(_, query)| query);
    decoded(query.expect("a question has a query"))
}

/// A text of a form: `+` is a space, `%20` a byte.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = after.split_at(2);
                rest = after;
                let digits = std::str::from_utf8(digits).expect("a form is ASCII");
                u8::from_str_radix(digits, 16).expect("two hexadecimal digits follow %")
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).expect("a query is UTF-8")
}
