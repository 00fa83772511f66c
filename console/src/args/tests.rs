//! The command line as operators type it, and how wrong ones are answered.
#![allow(clippy::unwrap_used)]

mod examples;

use std::{path::Path, time::Duration};

use clap::{CommandFactory as _, error::ErrorKind};

use evaluation::{Buckets, Key};

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
    assert_eq!(arguments.global.environment.as_ref().map(Key::as_str), Some("staging"));
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
        start
            .source
            .inline
            .stage
            .iter()
            .map(|stage| stage.buckets)
            .collect::<Vec<_>>(),
        [5_000, 100_000]
    );
    assert_eq!(
        (start.source.inline.lost_after, start.source.inline.alpha),
        (Some(60_000_000), Some(0.05))
    );
    assert_eq!((start.target.as_deref(), start.yes), (Some("checkout"), false));
}

#[test]
fn an_act_reads_as_it_is_said() {
    let line = [
        "rollout",
        "issue",
        "close",
        "checkout#3",
        "2",
        "--resolution",
        "fixed",
        "--sequence",
        "7",
    ];
    let Command::Rollout(RolloutCommand::Issue(IssueCommand::Close(closing))) = parse(&line).command else {
        panic!("issue close")
    };
    assert_eq!(
        (closing.act.rollout.name.as_str(), closing.number, closing.act.sequence),
        ("checkout#3", 2, Some(7))
    );
    let Command::Rollout(RolloutCommand::Edit(edit)) = parse(&["rollout", "edit", "checkout", "plan.yaml"]).command
    else {
        panic!("edit")
    };
    assert_eq!(
        (edit.act.rollout.name.as_str(), edit.document.path().ok()),
        ("checkout", Some(Path::new("plan.yaml")))
    );
}

#[test]
fn a_plans_document_may_be_named_as_a_start_names_it() {
    let path = Some(Path::new("plan.yaml"));
    for line in [
        &["plan", "create", "plan.yaml"][..],
        &["plan", "create", "-f", "plan.yaml"],
    ] {
        let Command::Plan(PlanCommand::Create(document)) = parse(line).command else {
            panic!("{line:?}")
        };
        assert_eq!(document.path().ok(), path, "{line:?}");
    }
    for line in [
        &["plan", "lint", "plan.yaml"][..],
        &["plan", "lint", "--file", "plan.yaml"],
    ] {
        let Command::Plan(PlanCommand::Lint(options)) = parse(line).command else {
            panic!("{line:?}")
        };
        assert_eq!(options.what.path(), path, "{line:?}");
    }
}

#[test]
fn wrong_arguments_are_usage_errors_with_the_reason() {
    let cases: &[(&[&str], &str)] = &[
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
        (&["create", "a", "--type", "date"], "possible values: boolean, string"),
        (&["list", "--timeout", "10"], "a unit is missing"),
        (&["list", "--timeout", "0s"], "longer than 0s"),
        (&["list", "--archived", "never"], "[possible values: included, only]"),
        (&["get"], "<KEY>"),
        (&["restore"], "<KEY>"),
        (&["doctor", "--agent", "8013"], "write HOST:PORT"),
        (&["history", "a", "--version", "0"], "0 is not in 1.."),
        (&["diff"], "<KEY>..."),
        (
            &["diff", "a", "--to-environment", "b", "--from", "2"],
            "cannot be used with",
        ),
        (&["copy", "a", "--from", "x"], "--to <ENVIRONMENT>"),
        (&["copy", "--from", "x", "--to", "y"], "<KEY>..."),
        (
            &["copy", "a", "--all", "--from", "x", "--to", "y"],
            "cannot be used with",
        ),
        (&["explain", "a", "-a", "plan"], "write NAME=VALUE"),
        (&["schedule", "kill", "a"], "--at <MOMENT>"),
        (
            &["schedule", "kill", "a", "--at", "tomorrow"],
            "`tomorrow` is no moment",
        ),
        (
            &["schedule", "kill", "a", "--at", "2026-12-01T09:00:00"],
            "is no moment",
        ),
        (
            &["schedule", "kill", "a", "--in", "2h", "--at", "2026-12-01"],
            "cannot be used with",
        ),
        (&["schedule", "kill", "a", "--in", "soon"], "whole numbers with a unit"),
        (&["segments", "add", "a"], "<UNIT>"),
        (&["segments", "create", "a", "--when", "x"], "--when"),
        (
            &["environments", "set", "a", "--kind", "live"],
            "possible values: development, staging, production",
        ),
        (&["audit", "--since", "yesterday"], "or 24h for so long ago"),
        (&["audit", "--follow", "--limit", "5"], "cannot be used with"),
        (
            &["watch", "--kind", "plan"],
            "possible values: flag, segment, rollout, environment, schedule",
        ),
        (
            &["set", "a", "on", "--percent", "-1"],
            "a percentage lies between 0 and 100",
        ),
        (
            &["completion", "tcsh"],
            "possible values: bash, elvish, fish, powershell, zsh",
        ),
        (&["context", "use", "a b"], "a key has ASCII letters"),
        (&["list", "--token", "a", "--token-file", "b"], "cannot be used with"),
        (&["list", "--reason", "für\nalle"], "'\\n' cannot be recorded"),
        (
            &["list", "--server", "https://localhost:7420"],
            "write http://HOST:PORT",
        ),
        (&["rollout", "start"], "<FLAG|ROLLOUT>"),
        (&["rollout", "start", "a", "--treatment", "on"], "--control <VARIANT>"),
        (
            &["rollout", "start", "a", "--limit", "1.2"],
            "--stage <NAME:PERCENT:DWELL>",
        ),
        (
            &["rollout", "start", "-f", "a.yaml", "--plan", "b"],
            "cannot be used with",
        ),
        (
            &["rollout", "start", "--plan", "b", "--stage", "a:1%:1h"],
            "cannot be used with",
        ),
        (&["rollout", "pause", "a", "--sequence", "0"], "0 is not in 1.."),
        (&["rollout", "step-back", "a"], "--to <STAGE>"),
        (&["rollout", "extend", "a", "--by", "0s"], "longer than 0s"),
        (
            &["rollout", "tick", "a", "b", "--list", "c"],
            "[possible values: preflight, stage, exit]",
        ),
        (&["rollout", "issue", "close", "a", "0"], "0 is not in 1.."),
        (&["plan", "lint"], "<FILE>"),
        (&["plan", "lint", "a.yaml", "--plan", "b"], "cannot be used with"),
        (
            &["plan", "simulate", "a.yaml", "--scenario", "bad"],
            "[possible values: good, unattended, silent, harm]",
        ),
        (&["status", "--write", "a.md"], "<FLAG>"),
        (
            &["events", "--type", "rollout-started"],
            "possible values: rollout_started",
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
        parse(&["list", "--server", "gate:7420"]).global.server.as_deref(),
        Some("http://gate:7420")
    );
}

#[test]
fn moments_are_read_with_their_offset_and_durations_from_now() {
    let at = |line: &[&str]| {
        let Command::Schedule(ScheduleCommand::Kill(flag)) =
            parse(&[&["schedule", "kill", "a"], line].concat()).command
        else {
            panic!("schedule kill")
        };
        (flag.when.at, flag.when.after)
    };
    let nine = 1_796_115_600_000_000;
    assert_eq!(at(&["--at", "2026-12-01T09:00:00Z"]), (Some(nine), None));
    assert_eq!(at(&["--at", "2026-12-01T10:00:00+01:00"]), (Some(nine), None));
    assert_eq!(at(&["--at", "2026-12-01"]), (Some(nine - 9 * 3_600_000_000), None));
    assert_eq!(at(&["--in", "2h"]), (None, Some(Duration::from_secs(7_200))));
}

#[test]
fn attributes_are_json_or_text() {
    let line = [
        "explain",
        "a",
        "-u",
        "user-7",
        "-a",
        "plan=pro",
        "-a",
        "seats=12",
        "-a",
        "zip=\"01067\"",
        "-a",
        "e=a=b",
    ];
    let Command::Explain(explain) = parse(&line).command else {
        panic!("explain")
    };
    let attributes: Vec<String> = explain
        .caller
        .attribute
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(attributes, ["plan=\"pro\"", "seats=12", "zip=\"01067\"", "e=\"a=b\""]);
}

#[test]
fn every_command_teaches_by_example() {
    let mut command = Arguments::command();
    command.build();
    for sub in command.get_subcommands() {
        let taught = sub.clone().render_help().to_string().contains("xample");
        let needs_none = ["doctor", "version", "help"].contains(&sub.get_name());
        assert!(taught || needs_none, "{}", sub.get_name());
    }
    for name in ["plan", "rollout", "metrics"] {
        let parent = command.find_subcommand(name).unwrap();
        for sub in parent.get_subcommands() {
            let taught = sub.clone().render_help().to_string().contains("xample");
            assert!(taught || sub.get_name() == "help", "{name} {}", sub.get_name());
        }
    }
}
