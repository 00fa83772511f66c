//! A disk that can really be full: a file system of a few bytes that one process has for itself.
//!
//! It is mounted in a mount namespace of that process and ends with it, so that nobody needs to be root and nothing stays
//! behind. Where the kernel gives users no namespaces there is no such disk, and a test that needs one says so.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Mounts what is named first, then becomes the rest.
const MOUNT_AND_RUN: &str = r#"mount -t tmpfs -o size="$0",mode=700 tmpfs "$1" && shift && exec "$@""#;
/// The name of the file that fills the disk.
const BALLAST: &str = "ballast";
/// Ballast is written in pieces of a page.
const PAGE: [u8; 4096] = [0; 4096];

/// A disk of this many bytes, mounted in a folder for the processes that are started on it.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    bytes: u64,
}

impl SmallDisk {
    /// One in a folder, which is made; none where namespaces are not for users.
    pub fn new(folder: &Path, bytes: u64) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder to mount the disk in");
        let disk = Self {
            folder: folder.to_owned(),
            bytes,
        };
        let tried = Command::new("/bin/sh")
            .args(disk.around(Path::new("/bin/true")))
            .env_clear()
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success()).then_some(disk)
    }

    /// Where it is mounted, for those who are started on it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the shell is told to run a binary on this disk: it becomes that process. More arguments are the binary's.
    pub(crate) fn around(&self, binary: &Path) -> Vec<OsString> {
        let script = format!("exec unshare --user --map-root-user --mount /bin/sh -c '{MOUNT_AND_RUN}' \"$@\"");
        let size = self.bytes.to_string();
        let told = ["-c".into(), script.into(), "sh".into(), size.into()];
        let run: [OsString; 2] = [self.folder.clone().into(), binary.to_owned().into()];
        told.into_iter().chain(run).collect()
    }

    /// Fills it up to the last byte, as it is for a process.
    pub fn fill(&self, process: u32) {
        let path = self.inside(process).join(BALLAST);
        let mut file = File::create(&path).expect("there is room for a name");
        loop {
            match file.write_all(&PAGE) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    /// Makes room again.
    pub fn clear(&self, process: u32) {
        fs::remove_file(self.inside(process).join(BALLAST)).expect("the ballast is there");
    }

    /// How many bytes the files of an extension have, as they are for a process.
    pub fn bytes_of(&self, process: u32, extension: &str) -> u64 {
        let files = fs::read_dir(self.inside(process)).expect("the process lives");
        let paths = files.map(|file| file.expect("a file can be listed").path());
        paths
            .filter(|path| path.extension().is_some_and(|own| own == extension))
            .map(|path| fs::metadata(path).map_or(0, |file| file.len()))
            .sum()
    }

    /// Where it is, seen from outside of the namespace.
    fn inside(&self, process: u32) -> PathBuf {
        let folder = self.folder.strip_prefix("/").expect("a folder has its whole path");
        PathBuf::from(format!("/proc/{process}/root")).join(folder)
    }
}
