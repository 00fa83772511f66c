//! The snapshot that a fresh machine starts from, before the control plane has been heard: `--bootstrap`.
//!
//! It is the snapshot file of another agent of the same environment and flag set, copied from its data folder. What is
//! in it never keeps the agent from starting: one that cannot be used is said and counted, and the agent waits for the
//! control plane as it would without. Only a path where nothing is, is a mistake worth stopping for.

use std::path::{Path, PathBuf};

use crate::{
    disk::{self, ReadError, Scope, Stored},
    metrics::{self, BootstrapResult},
};

/// There is no such file.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no bootstrap file {}; give --bootstrap the file `snapshot` of another agent's data folder, or \
     leave it out",
    .0.display()
)]
pub(crate) struct Missing(PathBuf);

/// Why a bootstrap file is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// It cannot be read, or is no snapshot file.
    #[error("{0}")]
    File(ReadError),
    /// It is another agent's, of other flags.
    #[error("it is of {0}")]
    Scope(Scope),
}

/// The snapshot in the file, if it can be used.
pub(crate) fn load(path: &Path, scope: &Scope) -> Result<Option<Stored>, Missing> {
    let unusable = match disk::read(path) {
        Ok((found, stored)) if found == *scope => {
            metrics::bootstrap(BootstrapResult::Used);
            return Ok(Some(stored));
        }
        Ok((found, _)) => Unusable::Scope(found),
        Err(ReadError::Missing) => return Err(Missing(path.to_owned())),
        Err(error @ (ReadError::Io(_) | ReadError::Format(_) | ReadError::Size(_))) => Unusable::File(error),
    };
    metrics::bootstrap(BootstrapResult::Refused);
    tracing::error!(
        ?path, error = %unusable,
        "the bootstrap file is not used; copy the file `snapshot` from the data folder of an agent of {scope}"
    );
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;
    use crate::samples::{Contents, boolean};

    fn scope(environment: &str) -> Scope {
        Scope {
            environment: environment.to_owned(),
            flag_set: String::new(),
        }
    }

    fn stored() -> Stored {
        Contents::production().flag(&boolean("a")).stored(7)
    }

    #[test]
    fn the_snapshot_file_of_another_agent_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        fs::write(&path, stored().encode(&scope("production"))).unwrap();
        assert_eq!(load(&path, &scope("production")).unwrap(), Some(stored()));
        assert!(path.exists());
    }

    #[test]
    fn a_path_where_nothing_is_stops_the_start_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let missing = load(&folder.path().join("snapshot"), &scope("production")).unwrap_err();
        assert!(missing.to_string().contains("--bootstrap"), "{missing}");
    }

    #[test]
    fn a_file_torn_at_any_length_is_not_used_and_left_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        let file = stored().encode(&scope("production"));
        for length in 0..file.len() {
            fs::write(&path, &file[..length]).unwrap();
            assert_eq!(load(&path, &scope("production")).unwrap(), None, "length {length}");
            assert!(path.exists());
        }
    }

    #[test]
    fn a_file_of_other_flags_a_folder_and_counted_refusals() {
        let (recorder, recorded) = runtime::telemetry::local_metrics();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        fs::write(&path, stored().encode(&scope("staging"))).unwrap();
        ::metrics::with_local_recorder(&recorder, || {
            assert_eq!(load(&path, &scope("production")).unwrap(), None);
            assert_eq!(load(folder.path(), &scope("production")).unwrap(), None);
        });
        let counted = recorded.render();
        assert!(
            counted.contains("tidegate_agent_bootstrap_total{result=\"refused\"} 2"),
            "{counted}"
        );
    }
}
