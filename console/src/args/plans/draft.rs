//! Options of `plan draft`: what a person knows beside what the files say.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use evaluation::Key;
use rollout::{Share, calendar::Window, draft::Gradual, strategy::Strategy};

use crate::args::{
    global::{key, moment, percent, positive},
    rollouts::{UnitArg, strategy},
};

/// What `plan draft --help` teaches.
pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate plan draft feature.md baseline.md > checkout.yaml
  tidegate plan draft feature.md --strategy canary --staff staff --to checkout.yaml
  tidegate plan draft --flag checkout-v2 --treatment on --control off
  tidegate plan draft --flag checkout-v2 --gradual 10..60 --over 5d --steps 5
  tidegate plan draft feature.md --rehearsal dark --staff staff --zone Europe/Berlin \\
      --freeze 'black-friday=2026-11-27..2026-11-30 Europe/Berlin' --freeze 'sundays=Sun Europe/Berlin'
  tidegate plan draft                                       asks, at a terminal

The files are what people write before a rollout: a feature's description with its risk, and the metrics as they are
today, in Markdown with lists or tables, or in YAML. What a file does not say, the next one may, so a file of metrics needs
no title. The risk chooses the strategy, unless --strategy does. What is of medium or high risk stays in each step of
--gradual for a day to a week, whatever --over says. A freeze delays the start and gates, never an abort.";

/// What a plan is drafted from.
#[derive(Debug, Args)]
pub(crate) struct DraftArgs {
    /// Files that describe the feature and its metrics; - reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// The flag to move (default: the one that a file names)
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) flag: Option<Key>,
    /// The plan's own key (default: the flag and the strategy)
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) key: Option<Key>,
    /// The variant that is rolled out (default: the flag's other variant)
    #[arg(long, value_name = "VARIANT")]
    pub(crate) treatment: Option<String>,
    /// The variant that it is compared with (default: the flag's default)
    #[arg(long, value_name = "VARIANT")]
    pub(crate) control: Option<String>,
    /// The strategy (default: the one that fits the risk)
    #[arg(long, value_name = "STRATEGY", value_parser = strategy)]
    pub(crate) strategy: Option<Strategy>,
    /// Rise in a straight line from one percentage to another: the strategy gradual (default of that: 0..100)
    #[arg(long, value_name = "FROM..TO", value_parser = line)]
    pub(crate) gradual: Option<(Share, Share)>,
    /// How long --gradual takes (default: 1w)
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub(crate) over: Option<Duration>,
    /// In how many steps --gradual rises (default: 7)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(Gradual::MOST_STEPS)))]
    pub(crate) steps: Option<u32>,
    /// What comes before the strategy's own stages, for a week
    #[arg(long, value_enum)]
    pub(crate) rehearsal: Option<RehearsalArg>,
    /// The segment of those who go first
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) staff: Option<Key>,
    /// The attribute that names the unit (default: that of the flag); given several times, the first that there is
    #[arg(long, value_name = "ATTRIBUTE")]
    pub(crate) unit_by: Vec<String>,
    /// What is split between the arms (default: unit)
    #[arg(long, value_enum)]
    pub(crate) unit: Option<UnitArg>,
    /// Who is on call in every stage (default: the owner)
    #[arg(long, value_name = "NAME")]
    pub(crate) on_call: Option<String>,
    /// The time zone of business hours (default: UTC)
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// When nothing starts and no gate opens; given several times, in any of them
    #[arg(long, value_name = "NAME=WINDOW", value_parser = freeze)]
    pub(crate) freeze: Vec<(String, Window)>,
    /// Not to be started before
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(crate) start_at: Option<i64>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

/// What may come before the stages of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RehearsalArg {
    /// Everybody is assigned and reported, and gets the control
    Shadow,
    /// Staff alone have it, or nobody where none are named, until a person releases it
    Dark,
}

/// Two percentages, the second above the first: `0..100`, `2.5..40`.
fn line(text: &str) -> Result<(Share, Share), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or("write two percentages, such as 0..100 or 10..60")?;
    let (from, to) = (share(from)?, share(to)?);
    if from >= to {
        return Err(format!("from {from} % to {to} % nothing rises"));
    }
    Ok((from, to))
}

fn share(text: &str) -> Result<Share, String> {
    let buckets = percent(text.trim())?;
    Share::new(buckets.get()).ok_or_else(|| format!("{text}: from 0 to 100"))
}

/// A window under a name: `sundays=Sun UTC`.
fn freeze(text: &str) -> Result<(String, Window), String> {
    match text.split_once('=').map(|(name, window)| (name.trim(), window)) {
        Some((name, window)) if !name.is_empty() => {
            let window = window.parse::<Window>().map_err(|error| error.to_string())?;
            Ok((name.to_owned(), window))
        }
        _ => Err("write NAME=WINDOW, such as 'sundays=Sun Europe/Berlin'".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_rises_between_two_percentages() {
        let of = |per_100_000| Share::new(per_100_000).unwrap();
        assert_eq!(line("0..100"), Ok((Share::NONE, Share::ALL)));
        assert_eq!(line("2.5 .. 40"), Ok((of(2_500), of(40_000))));
        for text in ["", "10", "10..", "10..10", "60..10", "0..101", "0...5", "a..b"] {
            assert!(line(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_freeze_has_a_name_and_a_window_with_its_zone() {
        let (name, window) = freeze("year-end=2026-12-20..2027-01-04 Europe/Berlin").unwrap();
        assert_eq!(name, "year-end");
        assert_eq!(window.to_string(), "2026-12-20..2027-01-04 Europe/Berlin");
        for text in ["Sun UTC", "=Sun UTC", "sundays=", "sundays=Sun", "sundays=Sun Atlantis"] {
            assert!(freeze(text).is_err(), "{text}");
        }
    }
}
