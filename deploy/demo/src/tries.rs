//! What to try while the demo stays up: five things in full, with the addresses of this very demo, to be copied.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{faults::PATHS, plans, ports::Ports, screen::Screen};

/// Prints the five.
pub(crate) fn print(ports: &Ports, base_rate: f64, data: &Path, screen: &Screen) -> anyhow::Result<()> {
    let folder = here(&env::current_exe()?)
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default();
    screen
        .title("Still running, load included. Five things to try in another terminal (Ctrl-C here stops everything):");
    screen.verbatim(text(ports, base_rate, &folder, &here(data)));
    Ok(())
}

fn text(ports: &Ports, base_rate: f64, folder: &Path, data: &Path) -> String {
    let server = if ports.has_standard_control_plane() {
        String::new()
    } else {
        format!(" --server http://{}", ports.control_plane)
    };
    let tidegate = format!("{}{server}", quoted(&folder.join("tidegate")));
    let demo = quoted(&folder.join("tidegate-demo"));
    let services = match ports.services == Ports::standard().services {
        true => String::new(),
        false => format!(
            " --services {}",
            ports.services.map(|service| service.to_string()).join(",")
        ),
    };
    let python = quoted(&data.join("python"));
    let ([_, good, harmful], stages) = (PATHS, plans::stage_options());
    let ofrep = ports.agents[0].ofrep;
    let (host, port) = (ports.agents[0].listen.ip(), ports.agents[0].listen.port());
    format!(
        r#"
1. A flag of your own: a quarter of the users and user-7 get it
   {tidegate} set my-flag on --create --percent 25 --allow user-7
   {tidegate} explain my-flag --unit user-7
   curl -d '{{"context": {{"targetingKey": "user-7"}}}}' http://{ofrep}/ofrep/v1/evaluate/flags/my-flag

2. Your own OpenFeature client, here Python, asks the agent for it
   python3 -m venv {python} && {python}/bin/pip install --quiet openfeature-sdk openfeature-provider-flagd
   {python}/bin/python - <<'END'
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider_and_wait(FlagdProvider(host="{host}", port={port}))
print(api.get_client().get_boolean_details("my-flag", False, EvaluationContext("user-7")))
api.shutdown()
END

3. Repair the harmful path, and roll it out again
   {demo} fault {harmful} {base_rate}{services}
   {tidegate} set {harmful} off
   {tidegate} rollout start {harmful} --treatment on --control off {stages}
   {tidegate} rollout watch {harmful}

4. An emergency: everyone is off {good} at once, until it is revived
   {tidegate} kill {good} --reason "it smells of smoke"
   {tidegate} get {good}
   {tidegate} revive {good}

5. Who holds what, and who did what
   {tidegate} fleet
   {tidegate} rollout get {harmful}
   {tidegate} audit --limit 10
"#
    )
}

/// A path as seen from the working directory, if it lies below.
fn here(path: &Path) -> PathBuf {
    let below = env::current_dir()
        .ok()
        .and_then(|folder| path.strip_prefix(folder).ok().map(Path::to_owned));
    below.unwrap_or_else(|| path.to_owned())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn on_standard_ports_commands_are_as_in_the_documentation() {
        let text = text(
            &Ports::standard(),
            0.008,
            Path::new("target/release"),
            Path::new("data"),
        );
        assert!(
            text.contains("\n   target/release/tidegate set my-flag on --create --percent 25 --allow user-7\n"),
            "{text}"
        );
        assert!(
            text.contains("python3 -m venv data/python && data/python/bin/pip"),
            "{text}"
        );
        assert!(text.contains("host=\"127.0.0.1\", port=8013"), "{text}");
        assert!(!text.contains("--server") && !text.contains("--services"), "{text}");
    }

    #[test]
    fn on_other_ports_every_command_says_where() {
        let text = text(
            &Ports::from_first(17_420).unwrap(),
            0.008,
            Path::new("target/release"),
            Path::new("data"),
        );
        let commands = text.lines().filter(|line| line.contains("release/tidegate ")).count();
        assert_eq!(
            text.matches("--server http://127.0.0.1:17420").count(),
            commands,
            "{text}"
        );
        assert!(
            text.contains("fault checkout-v3 0.008 --services 127.0.0.1:17428,127.0.0.1:17429"),
            "{text}"
        );
        assert!(text.contains("port=17422"), "{text}");
    }

    #[test]
    fn a_path_that_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted(Path::new("/tmp/my builds/it's")), r"'/tmp/my builds/it'\''s'");
    }
}
