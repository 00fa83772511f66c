//! A TCP proxy that breaks connections as networks do: cuts them, freezes them, leads them elsewhere.
//!
//! It keeps its port whatever happens behind it. While frozen, connections stand and nothing passes, which no peer can
//! tell from a peer that thinks.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// What may change while connections stand.
#[derive(Debug, Clone, Copy)]
struct Course {
    upstream: SocketAddr,
    frozen: bool,
    /// Connections of an earlier generation are cut.
    generation: u64,
}

/// A running proxy; ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    course: watch::Sender<Course>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before an address.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (course, watched) = watch::channel(Course {
            upstream,
            frozen: false,
            generation: 0,
        });
        let task = tokio::spawn(accept(listener, watched));
        Self { address, course, task }
    }

    /// Cuts all connections; new ones are taken.
    pub fn cut(&self) {
        self.course.send_modify(|course| course.generation += 1);
    }

    /// Lets nothing pass any more, in either direction.
    pub fn freeze(&self) {
        self.course.send_modify(|course| course.frozen = true);
    }

    /// Lets everything pass again, what has waited first.
    pub fn thaw(&self) {
        self.course.send_modify(|course| course.frozen = false);
    }

    /// Leads elsewhere from now on; present connections are cut.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.course.send_modify(|course| {
            course.upstream = upstream;
            course.generation += 1;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes connections; owns them, so that they end with it.
async fn accept(listener: TcpListener, course: watch::Receiver<Course>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connect(stream, course.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until an end closes it or it is cut.
async fn connect(near: TcpStream, mut course: watch::Receiver<Course>) {
    let Course {
        upstream, generation, ..
    } = *course.borrow();
    let Ok(far) = TcpStream::connect(upstream).await else {
        return;
    };
    let (near_reads, near_writes) = near.into_split();
    let (far_reads, far_writes) = far.into_split();
    let (there, back) = (course.clone(), course.clone());
    // The halves of a cut connection are dropped, which closes it on both sides.
    tokio::select! {
        _ = carry(near_reads, far_writes, there) => {}
        _ = carry(far_reads, near_writes, back) => {}
        _ = course.wait_for(|course| course.generation != generation) => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut course: watch::Receiver<Course>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let bytes = from.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(());
        }
        if course.wait_for(|course| !course.frozen).await.is_err() {
            return Ok(());
        }
        to.write_all(&buffer[..bytes]).await?;
    }
}
