//! Where the binaries under test are: beside this test's own, in the folder of the same profile.
//!
//! They are not built here, because a test that compiles takes minutes and hides what it tests; `make system` builds
//! them first.

use std::{env, path::PathBuf};

/// The path of a built binary; panics, with what to do, if there is none.
pub fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a running test knows where it is");
    // target/<profile>/deps/<test> and target/<profile>/<name>.
    let profile = test.ancestors().nth(2).expect("a test lies in target/<profile>/deps");
    let path = profile.join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `make system`, or `cargo build --workspace --bins` with the profile of this test",
        path.display()
    );
    path
}

/// The folder with the drivers of the OpenFeature clients.
pub fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients")
}
