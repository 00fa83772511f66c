//! The ops port of a process, read with a bare HTTP request, as a probe or a scraper would.
//!
//! A process that is away is an error and not a panic: most callers are waiting for it to come.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Status code and body of `GET path`.
pub async fn get(address: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let fetched = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = fetched.await.map_err(|error| format!("{address}{path}: {error}"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("no HTTP answer: {answer:?}"))?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((code.ok_or_else(|| format!("no status: {head:?}"))?, body.to_owned()))
}

/// Ready, or the line that says why not.
pub async fn ready(address: SocketAddr) -> Result<(), String> {
    match get(address, "/readyz").await? {
        (200, _) => Ok(()),
        (code, body) => Err(format!("{code}: {body}")),
    }
}

/// Metrics as they are now: series with its labels, such as `tidegate_transfers_sent_total{form="delta"}`, to value.
pub async fn metrics(address: SocketAddr) -> Result<BTreeMap<String, f64>, String> {
    let (_, body) = get(address, "/metrics").await?;
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    Ok(samples
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        })
        .collect())
}

/// One series; 0 as long as nothing was counted.
pub async fn metric(address: SocketAddr, series: &str) -> Result<f64, String> {
    Ok(metrics(address).await?.get(series).copied().unwrap_or(0.0))
}
