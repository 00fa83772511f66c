//! The command line as operators type it, and how wrong ones are answered.
#![allow(clippy::unwrap_used)]

use clap::{CommandFactory as _, error::ErrorKind};

use super::*;

fn parse(line: &[&str]) -> Arguments {
    Arguments::try_parse_from([&["tidegate"], line].concat()).unwrap()
}

fn refusal(line: &[&str]) -> clap::Error {
    Arguments::try_parse_from([&["tidegate"], line].concat()).unwrap_err()
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn help_promises_the_exit_codes() {
    let help = Arguments::command().render_long_help().to_string();
    assert!(help.contains(EXIT_CODES), "{help}");
}

#[test]
fn set_reads_as_it_is_said() {
    let line = [
        "set",
        "checkout-v2",
        "on",
        "--percent",
        "25",
        "--allow",
        "user-7",
        "--deny",
        "user-8,user-9",
        "-e",
        "staging",
    ];
    let arguments = parse(&line);
    assert_eq!(arguments.global.environment.as_str(), "staging");
    let Command::Set(set) = arguments.command else {
        panic!("set")
    };
    assert_eq!((set.key.as_str(), set.variant.as_str()), ("checkout-v2", "on"));
    assert_eq!(set.percent, Buckets::new(25_000));
    assert_eq!(
        (set.allow, set.listed.deny),
        (vec!["user-7".into()], vec!["user-8".into(), "user-9".into()])
    );
}

#[test]
fn a_rollout_reads_as_it_is_said() {
    let line = [
        "rollout",
        "start",
        "checkout",
        "--treatment",
        "on",
        "--control",
        "off",
        "--stage",
        "canary:5%:10m",
        "--stage",
        "all:100%:0s",
        "--lost-after",
        "1m",
        "--alpha",
        "0.05",
    ];
    let Command::Rollout(RolloutCommand::Start(start)) = parse(&line).command else {
        panic!("start")
    };
    assert_eq!(
        start.stage.iter().map(|stage| stage.buckets).collect::<Vec<_>>(),
        [5_000, 100_000]
    );
    assert_eq!((start.lost_after, start.alpha), (Some(60_000_000), Some(0.05)));
}

#[test]
fn wrong_arguments_are_usage_errors_with_the_reason() {
    let cases: [(&[&str], &str); 14] = [
        (&["get", "not a key"], "a key has ASCII letters"),
        (&["get", ""], "a key cannot be empty"),
        (&["set", "a", "on", "--percent", "101"], "lies between 0 and 100"),
        (&["set", "a", "on", "--percent", "0.0001"], "at most 3 decimal places"),
        (&["set", "a", "on", "--rest", "off"], "--percent"),
        (&["set", "a", "on", "--rule", "staff"], "expected `:` after the name"),
        (&["create"], "KEY"),
        (
            &["create", "a", "-f", "a.yaml", "--percent", "5"],
            "cannot be used with",
        ),
        (&["create", "a", "--variant", "on"], "write NAME=VALUE"),
        (&["create", "a", "--type", "float"], "possible values: boolean, string"),
        (&["list", "--timeout", "10"], "a unit is missing"),
        (&["list", "--reason", "für alle"], "'ü' cannot be sent"),
        (
            &["list", "--server", "https://localhost:7420"],
            "write http://HOST:PORT",
        ),
        (
            &[
                "rollout",
                "start",
                "a",
                "--treatment",
                "on",
                "--control",
                "off",
                "--stage",
                "x",
            ],
            "NAME:PERCENT:DWELL",
        ),
    ];
    for (line, part) in cases {
        let error = refusal(line);
        assert_ne!(error.kind(), ErrorKind::DisplayHelp);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(part), "{line:?}: {error}");
    }
}

#[test]
fn a_server_may_be_named_without_its_scheme() {
    assert_eq!(
        parse(&["list", "--server", "gate:7420"]).global.server,
        "http://gate:7420"
    );
}

#[test]
fn an_actor_is_always_named() {
    assert!(
        parse(&["list"]).global.acting().to_str().unwrap().contains('@') || parse(&["list"]).global.actor.is_some()
    );
    let named = parse(&["list", "--actor", "ann@desk"]).global;
    assert_eq!(named.acting(), "ann@desk");
}
