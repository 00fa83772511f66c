//! Compiles the `.proto` files without protoc and keeps the descriptor set for reflection.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

// A build script hears where to write from the environment only.
#[allow(clippy::disallowed_methods)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "tidegate/v1/audit.proto",
        "tidegate/v1/baselines.proto",
        "tidegate/v1/changes.proto",
        "tidegate/v1/configuration.proto",
        "tidegate/v1/environments.proto",
        "tidegate/v1/evaluation.proto",
        "tidegate/v1/flags.proto",
        "tidegate/v1/fleet.proto",
        "tidegate/v1/health.proto",
        "tidegate/v1/history.proto",
        "tidegate/v1/inspection.proto",
        "tidegate/v1/measurements.proto",
        "tidegate/v1/outcomes.proto",
        "tidegate/v1/plans.proto",
        "tidegate/v1/rollouts.proto",
        "tidegate/v1/schedules.proto",
        "tidegate/v1/segments.proto",
        "tidegate/v1/status.proto",
        "tidegate/v1/sync.proto",
        "tidegate/v1/webhooks.proto",
        "flagd/evaluation/v1/evaluation.proto",
        "flagd/evaluation/v2/evaluation.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .btree_map(".")
        .bytes(".tidegate.v1")
        .compile_fds(descriptors)?;
    Ok(())
}
