//! Binding listeners, with errors that say what to do.
//!
//! A busy port is the first thing that goes wrong on someone's machine, so each failure names the listener, the cause
//! and the option that changes it. Rule for sockets on disk: one that nobody answers is left over from a crash and is
//! replaced; one that answers belongs to a live process and is never taken away from it.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Who may connect to a socket on disk: its user and its group.
const SOCKET_MODE: u32 = 0o660;

/// Why a listener could not be bound. `what` is the listener in the operator's words, `option` the flag that moves it.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process has the port.
    #[error("{what}: port {} is in use by another process; stop it or choose another with {option}", address.port())]
    PortInUse {
        /// The listener.
        what: String,
        /// The option that moves it.
        option: String,
        /// The address wanted.
        address: SocketAddr,
    },
    /// A port below 1024 without the right to it.
    #[error("{what}: this user may not listen on port {}; choose one above 1023 with {option}", address.port())]
    PortForbidden {
        /// The listener.
        what: String,
        /// The option that moves it.
        option: String,
        /// The address wanted.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error("{what}: this machine has no address {}; choose one that it has with {option}", address.ip())]
    NoSuchAddress {
        /// The listener.
        what: String,
        /// The option that moves it.
        option: String,
        /// The address wanted.
        address: SocketAddr,
    },
    /// A live process answers on the socket.
    #[error("{what}: a running process answers on {}; stop it or choose another path with {option}", path.display())]
    SocketInUse {
        /// The listener.
        what: String,
        /// The option that moves it.
        option: String,
        /// The path wanted.
        path: PathBuf,
    },
    /// Something that is not a socket stands at the path; it is left alone.
    #[error("{what}: {} exists and is not a socket; remove it or choose another path with {option}", path.display())]
    NotASocket {
        /// The listener.
        what: String,
        /// The option that moves it.
        option: String,
        /// The path wanted.
        path: PathBuf,
    },
    /// Anything else, in the system's words.
    #[error("{what}: cannot listen on {place}: {source}; choose another with {option}")]
    Failed {
        /// The listener.
        what: String,
        /// The option that moves it.
        option: String,
        /// Address or path wanted.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Binds a TCP listener.
///
/// # Errors
/// With the cause and the option to change, if the address cannot be had.
pub async fn tcp(what: &str, option: &str, address: SocketAddr) -> Result<TcpListener, ListenError> {
    let source = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let (what, option) = (what.to_owned(), option.to_owned());
    Err(match source.kind() {
        ErrorKind::AddrInUse => ListenError::PortInUse { what, option, address },
        ErrorKind::PermissionDenied => ListenError::PortForbidden { what, option, address },
        ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress { what, option, address },
        _ => ListenError::Failed {
            what,
            option,
            place: address.to_string(),
            source,
        },
    })
}

/// Binds a socket on disk: creates its folder, replaces a socket that nobody answers, and lets its user and its group
/// connect (mode 0660), whatever the umask says.
///
/// # Errors
/// If a live process answers there, if something else than a socket stands there, or if the system refuses.
pub async fn unix(what: &str, option: &str, path: &Path) -> Result<UnixListener, ListenError> {
    let named = || (what.to_owned(), option.to_owned(), path.to_owned());
    let failed = |source| {
        let (what, option, path) = named();
        ListenError::Failed {
            what,
            option,
            place: path.display().to_string(),
            source,
        }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match occupant(path).await.map_err(failed)? {
        Occupant::Nobody => {}
        Occupant::Stale => fs::remove_file(path).map_err(failed)?,
        Occupant::Live => {
            let (what, option, path) = named();
            return Err(ListenError::SocketInUse { what, option, path });
        }
        Occupant::NotASocket => {
            let (what, option, path) = named();
            return Err(ListenError::NotASocket { what, option, path });
        }
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    Ok(listener)
}

/// A socket on disk as it was bound, so that another that took its place is told from it.
#[derive(Debug)]
pub struct BoundSocket {
    path: PathBuf,
    bound: SocketIdentity,
}

/// Device, inode and time of the last change. The time is needed because a freed inode is soon given again.
#[derive(Debug, PartialEq, Eq)]
struct SocketIdentity(u64, u64, i64, i64);

impl SocketIdentity {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self(found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
    }
}

impl BoundSocket {
    /// The socket that was bound at this path just now.
    ///
    /// # Errors
    /// If nothing can be seen there.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        let bound = SocketIdentity::of(&path)?;
        Ok(Self { path, bound })
    }

    /// Removes it, unless something else stands at its path by now; says whether it did. A socket that stays is replaced
    /// by whoever binds it next.
    pub fn remove(self) -> bool {
        SocketIdentity::of(&self.path).is_ok_and(|found| found == self.bound) && fs::remove_file(&self.path).is_ok()
    }
}

/// What stands at a socket's path.
enum Occupant {
    Nobody,
    Stale,
    Live,
    NotASocket,
}

async fn occupant(path: &Path) -> io::Result<Occupant> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Ok(Occupant::NotASocket),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Occupant::Nobody),
        Err(error) => return Err(error),
    }
    match UnixStream::connect(path).await {
        Ok(_) => Ok(Occupant::Live),
        // A full queue of connections: somebody is there, only slow.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Occupant::Live),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(Occupant::Stale),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Occupant::Nobody),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_busy_port_is_named_with_the_option_that_changes_it() {
        let first = tcp("flags", "--listen", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let message = tcp("flags", "--listen", address).await.unwrap_err().to_string();
        let port = address.port();
        assert_eq!(
            message,
            format!("flags: port {port} is in use by another process; stop it or choose another with --listen")
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737).
        let message = tcp("flags", "--listen", "192.0.2.1:0".parse().unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("flags: this machine has no address 192.0.2.1;"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/agent.sock");
        let live = unix("agent", "--socket", &path).await.unwrap();
        let refused = unix("agent", "--socket", &path).await.unwrap_err();
        assert!(matches!(refused, ListenError::SocketInUse { .. }), "{refused}");
        drop(live);
        assert!(path.exists());
        unix("agent", "--socket", &path).await.unwrap();
    }

    #[tokio::test]
    async fn a_socket_is_for_its_user_and_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let _listener = unix("agent", "--socket", &path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    }

    #[tokio::test]
    async fn a_socket_that_another_process_bound_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let ours = unix("agent", "--socket", &path).await.unwrap();
        let bound = BoundSocket::at(path.clone()).unwrap();
        drop(ours);
        let theirs = folder.path().join("theirs.sock");
        let _theirs = unix("agent", "--socket", &theirs).await.unwrap();
        fs::rename(&theirs, &path).unwrap();
        assert!(!bound.remove());
        assert!(path.exists());
        assert!(BoundSocket::at(path.clone()).unwrap().remove());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        let refused = unix("agent", "--socket", &path).await.unwrap_err();
        assert!(matches!(refused, ListenError::NotASocket { .. }), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[tokio::test]
    async fn a_path_longer_than_a_socket_may_have_is_an_error_and_not_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(120));
        let refused = unix("agent", "--socket", &path).await.unwrap_err();
        assert!(refused.to_string().contains("--socket"), "{refused}");
    }
}
