//! Free ports of this machine, each given once.
//!
//! They lie below the range from which the system picks ports for outgoing connections (32768 and up on Linux), so that
//! none is taken between being found free and being listened on, nor while a killed process is away.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

static GIVEN: AtomicU32 = AtomicU32::new(0);

/// A loopback address with a free port.
pub fn free() -> SocketAddr {
    // Processes that test at the same time begin at different places.
    let start = process::id().wrapping_mul(7_919);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("FIRST + COUNT is below 65,536");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port between {FIRST} and {} is free", FIRST + COUNT);
}
