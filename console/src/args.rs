//! The command line: commands, options and their checks.
//!
//! What clap accepts here is already parsed: keys are keys, percentages are buckets, durations have a unit, moments are
//! microseconds. Options that stand for the same thing in several commands are written once.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "doc comments of options are help texts"
)]

mod apply;
mod baselines;
mod configuration;
mod contexts;
mod environments;
mod flags;
mod global;
mod history;
mod import;
mod inspection;
mod lists;
mod plans;
mod push;
mod rollouts;
mod schedule;
mod segments;
mod status;
mod webhooks;

use clap::{Parser, Subcommand};

pub(crate) use self::{
    apply::{ApplyArgs, ExportArgs},
    baselines::{BaselineCommand, CaptureArgs, ImportBaselineArgs},
    configuration::{CopyArgs, DiffArgs},
    contexts::{ContextCommand, ContextSetArgs},
    environments::{EnvironmentArgs, EnvironmentCommand, KindArg},
    flags::{ArchivedArg, ConsentArgs, CreateArgs, DeleteArgs, FlagKey, ListFlagsArgs, SetArgs, TypeArg, VariantArg},
    global::{Color, Global, Past, key, moment, said, server},
    history::{HistoryArgs, RestoreArgs},
    import::{FlagdArgs, ImportArgs, ImportCommand},
    inspection::{CallerArgs, EvaluateArgs, ExplainArgs},
    lists::{AuditArgs, CompletionArgs, DoctorArgs, FleetArgs, WatchArgs},
    plans::{
        DraftArgs, LintArgs, MetricsCommand, PlanCommand, PlanDeleteArgs, PlanGetArgs, PlanSimulateArgs,
        PlanUpdateArgs, RehearsalArg, ScenarioArg, ScenarioArgs, SeriesArgs,
    },
    push::{ArmArg, PushArgs},
    rollouts::{
        ActArgs, CertainArgs, CreateRolloutArgs, EditArgs, InlinePlan, IssueCommand, PlanSource, RetryArgs,
        RolloutCommand, SimulateArgs, StartArgs, TickArgs, UnitArg, WhatIfArgs,
    },
    schedule::{ScheduleCommand, ScheduleListArgs, ScheduledFlag, ScheduledSet, WhenArgs},
    segments::{MembersArgs, SegmentCommand, SegmentCreateArgs, SegmentListArgs, UnitsArgs},
    status::{EventType, EventsArgs, PosteriorsArgs, StatusArgs},
    webhooks::{
        WebhookAddArgs, WebhookCommand, WebhookDeliveriesArgs, WebhookRemoveArgs, WebhookRotateArgs, WebhookUpdateArgs,
    },
};
use crate::error::EXIT_CODES;

/// What `--help` teaches first.
const EXAMPLES: &str = "\
Examples:
  tidegate set checkout-v2 on --percent 25 --allow user-7 --deny user-8 -e production --create
  tidegate explain checkout-v2 --unit user-7 --attribute plan=pro
  tidegate kill checkout-v2 --reason 'payments fail'
  tidegate diff -e staging --to-environment production
  tidegate copy checkout-v2 --from staging --to production --dry-run
  tidegate schedule set checkout-v2 on --percent 50 --at 2026-12-01T09:00:00Z
  tidegate plan lint checkout.yaml
  tidegate rollout start -f checkout.yaml
  tidegate rollout watch checkout-v2
  tidegate status
  tidegate webhooks add pager --url https://alerts.example.com/tidegate --type alert
  tidegate context set local --server http://127.0.0.1:7420 --environment staging
  tidegate doctor

Where a command acts is said by options, else by environment variables, else by the context in use, else by the
defaults; `tidegate context show` says which.
";

/// Feature flags and staged rollouts: the operator's command line of Tidegate.
///
/// Speaks gRPC to a control plane (tidegate-control-plane). Every change is durable and audited when a command returns.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct Arguments {
    /// Options that every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a flag, from options or from a document
    #[command(after_help = flags::CREATE_EXAMPLES)]
    Create(Box<CreateArgs>),
    /// Serve a variant of a flag, to everybody or to a percentage
    #[command(after_help = flags::SET_EXAMPLES)]
    Set(Box<SetArgs>),
    /// Show a flag with all its parts
    #[command(after_help = "Example:\n  tidegate get checkout-v2 -o yaml")]
    Get(FlagKey),
    /// List the flags
    #[command(visible_alias = "ls", after_help = flags::LIST_EXAMPLES)]
    List(ListFlagsArgs),
    /// Turn a flag on: its lists, rules and default decide
    #[command(after_help = "Example:\n  tidegate enable checkout-v2 -e staging")]
    Enable(FlagKey),
    /// Turn a flag off: everybody gets the off variant
    #[command(after_help = "Example:\n  tidegate disable checkout-v2 --reason 'not ready'")]
    Disable(FlagKey),
    /// Emergency: everybody gets the off variant, until revived
    #[command(after_help = "Example:\n  tidegate kill checkout-v2 --reason 'payments fail'")]
    Kill(FlagKey),
    /// Undo a kill
    #[command(after_help = "Example:\n  tidegate revive checkout-v2")]
    Revive(FlagKey),
    /// Put a flag away: agents no longer hold it, its document stays
    #[command(after_help = "Example:\n  tidegate archive checkout-v1\n  tidegate list --archived only")]
    Archive(FlagKey),
    /// Take an archived flag back into use
    #[command(after_help = "Example:\n  tidegate unarchive checkout-v1")]
    Unarchive(FlagKey),
    /// Delete a flag; its history stays, and `restore` brings it back
    #[command(after_help = "Example:\n  tidegate delete checkout-v1 --yes --reason 'cleaned up'")]
    Delete(DeleteArgs),
    /// Show the versions of a flag or a segment: who, when, why
    #[command(after_help = history::HISTORY_EXAMPLES)]
    History(HistoryArgs),
    /// Show what differs between two versions, or between two environments
    #[command(after_help = configuration::DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Write an old version again, also of a deleted flag or segment
    #[command(after_help = history::RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// Copy flags and segments from one environment to another; units keep their buckets
    #[command(after_help = configuration::COPY_EXAMPLES)]
    Copy(CopyArgs),
    /// Write flags and segments from files: what is not there is created, what differs is replaced
    #[command(after_help = apply::APPLY_EXAMPLES)]
    Apply(ApplyArgs),
    /// Write flags and segments as documents that apply reads
    #[command(after_help = apply::EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Bring in the flags of other systems, exactly or not at all
    #[command(subcommand, after_help = import::EXAMPLES)]
    Import(ImportCommand),
    /// Show what a flag serves to somebody
    #[command(visible_alias = "eval", after_help = inspection::EVALUATE_EXAMPLES)]
    Evaluate(EvaluateArgs),
    /// Show why a flag serves what it serves: every step, every rule and why it did not match
    #[command(after_help = inspection::EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Change a flag at a time; list and cancel such changes
    #[command(subcommand, after_help = schedule::EXAMPLES)]
    Schedule(ScheduleCommand),
    /// Plans: how a flag moves to everybody, and what stops it
    #[command(subcommand, visible_alias = "plans", after_help = plans::EXAMPLES)]
    Plan(PlanCommand),
    /// Rollouts: executions of plans, from their draft to their end
    #[command(subcommand, visible_alias = "rollouts", after_help = rollouts::EXAMPLES)]
    Rollout(RolloutCommand),
    /// Baselines: what metrics were before, under a name that plans take them over by
    #[command(subcommand, visible_alias = "baselines", after_help = baselines::EXAMPLES)]
    Baseline(BaselineCommand),
    /// Push measurements from outside to a rollout: tickets, CI, billing, judges of answers
    #[command(after_help = push::EXAMPLES)]
    Push(Box<PushArgs>),
    /// Metrics that plans may name
    #[command(subcommand, after_help = plans::METRICS_EXAMPLES)]
    Metrics(MetricsCommand),
    /// Show where flags stand across environments, and which are stuck
    #[command(after_help = status::STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Write what happens to rollouts as CloudEvents, one a line
    #[command(after_help = status::EVENTS_EXAMPLES)]
    Events(EventsArgs),
    /// Webhooks: where events and alerts are delivered, signed and tried again
    #[command(subcommand, visible_alias = "webhook", after_help = webhooks::EXAMPLES)]
    Webhooks(WebhookCommand),
    /// Show how often components and patterns have won, weighted by how far they came
    #[command(after_help = status::POSTERIORS_EXAMPLES)]
    Posteriors(PosteriorsArgs),
    /// Segments: conditions and member lists that flags share
    #[command(subcommand, visible_alias = "segment", after_help = segments::EXAMPLES)]
    Segments(SegmentCommand),
    /// Environments: where configurations apply, in the order of promotion
    #[command(visible_alias = "environment", after_help = environments::EXAMPLES)]
    Environments {
        /// What to do; nothing: list them.
        #[command(subcommand)]
        command: Option<EnvironmentCommand>,
    },
    /// Show who did what, when and why, the newest first
    #[command(after_help = lists::AUDIT_EXAMPLES)]
    Audit(AuditArgs),
    /// Follow changes as they happen, until Ctrl-C; goes on by itself after a cut
    #[command(after_help = lists::WATCH_EXAMPLES)]
    Watch(WatchArgs),
    /// List the agents and the revisions that they hold
    #[command(after_help = "Examples:\n  tidegate fleet -e production\n  tidegate fleet --watch --every 5s")]
    Fleet(FleetArgs),
    /// Name places to act in, and choose one
    #[command(subcommand, after_help = contexts::EXAMPLES)]
    Context(ContextCommand),
    /// Check what is reachable, which versions are there, what is missing, and say what to do
    #[command(after_help = lists::DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Write a completion script for a shell
    #[command(after_help = lists::COMPLETION_EXAMPLES)]
    Completion(CompletionArgs),
    /// Show the version
    Version,
}

#[cfg(test)]
mod tests;
