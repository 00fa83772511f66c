//! A control plane in memory that speaks the wire, and a way to run the binary against it.
//!
//! It keeps flags with their revisions as the real one does, can let somebody else write just before an update, and
//! plays a prepared rollout. What it was asked it remembers.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fmt,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard},
};

use proto::{said::Said, v1};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, process::Command};
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::lists::Lists;

pub(crate) type Answer<T> = Result<Response<T>, Status>;
/// What somebody else does to a flag.
pub(crate) type Interference = fn(&mut v1::Flag);

/// Everything the fake holds.
#[derive(Default)]
pub(crate) struct State {
    /// By key.
    pub(crate) flags: BTreeMap<String, v1::StoredFlag>,
    /// Counts writes.
    pub(crate) revision: u64,
    /// Applied, one each, before the next updates are looked at.
    pub(crate) interferences: Vec<Interference>,
    /// The answer to every update, if set.
    pub(crate) refusal: Option<Status>,
    /// Actor, reason and environment of every call.
    pub(crate) calls: Vec<(String, String, String)>,
    /// What a watch sends.
    pub(crate) changes: Vec<v1::Rollout>,
    /// Plans of the started rollouts.
    pub(crate) plans: Vec<v1::Plan>,
    /// What was done to rollouts, and by which request.
    pub(crate) acts: Vec<v1::ActRequest>,
    /// The record of every rollout.
    pub(crate) record: v1::GetRecordResponse,
    /// By key, every version, the oldest first.
    pub(crate) stored_plans: BTreeMap<String, Vec<v1::StoredPlan>>,
    /// By key.
    pub(crate) baselines: BTreeMap<String, v1::StoredBaseline>,
    /// Measurements, in the order in which they came.
    pub(crate) pushed: Vec<v1::Measurement>,
    /// What lint says of every plan.
    pub(crate) lint: v1::LintPlanResponse,
    /// What every walk gives.
    pub(crate) walk: v1::SimulateRolloutResponse,
    /// The pages of every series.
    pub(crate) series: Vec<v1::GetSeriesResponse>,
    /// What every replay gives.
    pub(crate) replay: v1::ReplayRolloutResponse,
    /// Where flags stand.
    pub(crate) statuses: Vec<v1::StatusOfFlag>,
    /// What each stream of events sends before it is cut; the last one stays open if it is followed.
    pub(crate) events: Vec<Vec<v1::WatchEventsResponse>>,
    /// The last requests of the services that only answer.
    pub(crate) asked: Vec<String>,
    /// Metadata `authorization` of every call that changes something.
    pub(crate) authorizations: Vec<String>,
    /// By key, with its members.
    pub(crate) segments: BTreeMap<String, v1::Segment>,
    /// By id.
    pub(crate) schedules: BTreeMap<String, v1::Schedule>,
    /// By key.
    pub(crate) webhooks: BTreeMap<String, v1::Webhook>,
    /// What each stream sends before it is cut; the last one stays open.
    pub(crate) streams: Vec<Vec<v1::WatchChangesResponse>>,
    /// Documents of a copy that are refused.
    pub(crate) uncopied: Vec<String>,
}

/// A control plane that does as it is told.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    /// Where it listens.
    pub(crate) address: String,
}

/// How a run of the binary ended.
pub(crate) struct Run {
    /// Its exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n--- out\n{}\n--- err\n{}", self.code, self.out, self.err)
    }
}

impl Fake {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self {
            state: Arc::default(),
            address,
        };
        let router = Server::builder()
            .add_service(v1::flags_server::FlagsServer::new(fake.clone()))
            .add_service(v1::rollouts_server::RolloutsServer::new(fake.clone()))
            .add_service(v1::audit_server::AuditServer::new(Lists))
            .add_service(v1::fleet_server::FleetServer::new(Lists))
            .add_service(v1::environments_server::EnvironmentsServer::new(Lists))
            .add_service(v1::segments_server::SegmentsServer::new(fake.clone()))
            .add_service(v1::schedules_server::SchedulesServer::new(fake.clone()))
            .add_service(v1::changes_server::ChangesServer::new(fake.clone()))
            .add_service(v1::history_server::HistoryServer::new(fake.clone()))
            .add_service(v1::configuration_server::ConfigurationServer::new(fake.clone()))
            .add_service(v1::inspection_server::InspectionServer::new(fake.clone()))
            .add_service(v1::plans_server::PlansServer::new(fake.clone()))
            .add_service(v1::measurements_server::MeasurementsServer::new(fake.clone()))
            .add_service(v1::baselines_server::BaselinesServer::new(fake.clone()))
            .add_service(v1::webhooks_server::WebhooksServer::new(fake.clone()))
            .add_service(v1::flag_status_server::FlagStatusServer::new(fake.clone()));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(async move { router.serve_with_incoming(incoming).await.unwrap() });
        fake
    }

    /// What it holds.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The flag as it is now.
    pub(crate) fn flag(&self, key: &str) -> v1::Flag {
        self.state().flags[key].flag.clone().unwrap()
    }

    /// Runs the binary against this control plane.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Run {
        self.run_with_input(arguments, "").await
    }

    /// As `run`, with something on standard input.
    pub(crate) async fn run_with_input(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = command(&self.address).args(arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The binary, told where the control plane is and who acts.
pub(crate) fn command(server: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    for variable in [
        "TIDEGATE_ENVIRONMENT",
        "TIDEGATE_CONTEXT",
        "TIDEGATE_TOKEN",
        "TIDEGATE_TOKEN_FILE",
        "NO_COLOR",
    ] {
        command.env_remove(variable);
    }
    command
        .env("TIDEGATE_CONFIG", "/no/such/contexts.toml")
        .env("TIDEGATE_SERVER", server)
        .env("TIDEGATE_ACTOR", "ann@desk");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl State {
    pub(crate) fn note<T>(&mut self, request: &Request<T>, environment: &str) {
        let authorization = request.metadata().get("authorization");
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        self.authorizations.push(authorization.unwrap_or_default());
        let said = |said: Said| said.heard(request.metadata()).unwrap_or_default();
        self.calls
            .push((said(Said::Actor), said(Said::Reason), environment.to_owned()));
    }

    fn find(&mut self, key: &str) -> Result<&mut v1::StoredFlag, Status> {
        self.flags
            .get_mut(key)
            .ok_or_else(|| Status::not_found(format!("no flag {key} in production")))
    }

    fn write(&mut self, flag: v1::Flag) -> v1::StoredFlag {
        self.revision += 1;
        let stored = v1::StoredFlag {
            revision: self.revision,
            flag: Some(flag.clone()),
            ..Default::default()
        };
        self.flags.insert(flag.key, stored.clone());
        stored
    }
}

#[tonic::async_trait]
impl v1::flags_server::Flags for Fake {
    async fn create_flag(&self, request: Request<v1::CreateFlagRequest>) -> Answer<v1::CreateFlagResponse> {
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let flag = request.into_inner().flag.unwrap();
        if flag.default_serve.is_none() || flag.variants.is_empty() {
            let mut details = ErrorDetails::new();
            details.add_bad_request_violation("variants", "at least one is needed");
            details.add_bad_request_violation("default_serve", "one is needed");
            return Err(Status::with_error_details(
                Code::InvalidArgument,
                "two violations",
                details,
            ));
        }
        if state.flags.contains_key(&flag.key) {
            return Err(Status::already_exists(format!("the key {} is taken", flag.key)));
        }
        Ok(Response::new(v1::CreateFlagResponse {
            flag: Some(state.write(flag)),
        }))
    }

    async fn update_flag(&self, request: Request<v1::UpdateFlagRequest>) -> Answer<v1::UpdateFlagResponse> {
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let v1::UpdateFlagRequest {
            flag,
            expected_revision,
            ..
        } = request.into_inner();
        let flag = flag.unwrap();
        if !state.interferences.is_empty() {
            let interference = state.interferences.remove(0);
            let mut other = state.find(&flag.key)?.flag.clone().unwrap();
            interference(&mut other);
            state.write(other);
        }
        if let Some(refusal) = state.refusal.clone() {
            return Err(refusal);
        }
        let current = state.find(&flag.key)?.revision;
        if expected_revision != 0 && expected_revision != current {
            return Err(Status::failed_precondition(format!(
                "the flag is at revision {current}"
            )));
        }
        Ok(Response::new(v1::UpdateFlagResponse {
            flag: Some(state.write(flag)),
            changed: true,
        }))
    }

    async fn get_flag(&self, request: Request<v1::GetFlagRequest>) -> Answer<v1::GetFlagResponse> {
        let flag = self.state().find(&request.get_ref().key)?.clone();
        Ok(Response::new(v1::GetFlagResponse { flag: Some(flag) }))
    }

    async fn list_flags(&self, request: Request<v1::ListFlagsRequest>) -> Answer<v1::ListFlagsResponse> {
        let asked = request.into_inner();
        let after = asked.page_token.clone();
        let mut state = self.state();
        state.asked.push(format!("{asked:?}"));
        let fits = |stored: &v1::StoredFlag| {
            let flag = stored.flag.clone().unwrap();
            asked.tags.iter().all(|tag| flag.tags.contains(tag))
                && (asked.owner.is_empty() || asked.owner == flag.owner)
                && match asked.archived() {
                    v1::ArchivedFilter::Unspecified => stored.archived_at_us == 0,
                    v1::ArchivedFilter::Only => stored.archived_at_us != 0,
                    v1::ArchivedFilter::Included => true,
                }
        };
        let flags: Vec<_> = state
            .flags
            .iter()
            .filter(|(key, stored)| **key > after && fits(stored))
            .map(|(_, flag)| flag.clone())
            .collect();
        // Pages of two, so that every list of more needs its tokens.
        let next_page_token = match flags.get(1) {
            Some(last) if flags.len() > 2 => last.flag.clone().unwrap().key,
            Some(_) | None => String::new(),
        };
        let flags = flags.into_iter().take(2).collect();
        Ok(Response::new(v1::ListFlagsResponse {
            flags,
            next_page_token,
            revision: state.revision,
        }))
    }

    async fn kill_flag(&self, request: Request<v1::KillFlagRequest>) -> Answer<v1::KillFlagResponse> {
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let flag = state.find(&request.get_ref().key)?.flag.clone().unwrap();
        Ok(Response::new(v1::KillFlagResponse {
            flag: Some(state.write(v1::Flag { killed: true, ..flag })),
        }))
    }

    async fn revive_flag(&self, request: Request<v1::ReviveFlagRequest>) -> Answer<v1::ReviveFlagResponse> {
        let mut state = self.state();
        let flag = state.find(&request.get_ref().key)?.flag.clone().unwrap();
        Ok(Response::new(v1::ReviveFlagResponse {
            flag: Some(state.write(v1::Flag { killed: false, ..flag })),
        }))
    }

    async fn archive_flag(&self, request: Request<v1::ArchiveFlagRequest>) -> Answer<v1::ArchiveFlagResponse> {
        let mut state = self.state();
        let stored = state.find(&request.get_ref().key)?;
        stored.archived_at_us = 1_767_225_600_000_000;
        let flag = Some(stored.clone());
        Ok(Response::new(v1::ArchiveFlagResponse { flag }))
    }

    async fn unarchive_flag(&self, request: Request<v1::UnarchiveFlagRequest>) -> Answer<v1::UnarchiveFlagResponse> {
        let mut state = self.state();
        let stored = state.find(&request.get_ref().key)?;
        stored.archived_at_us = 0;
        let flag = Some(stored.clone());
        Ok(Response::new(v1::UnarchiveFlagResponse { flag }))
    }

    async fn delete_flag(&self, request: Request<v1::DeleteFlagRequest>) -> Answer<v1::DeleteFlagResponse> {
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let v1::DeleteFlagRequest {
            key, expected_revision, ..
        } = request.into_inner();
        let current = state.find(&key)?.revision;
        if expected_revision != current {
            return Err(Status::failed_precondition(format!(
                "the flag is at revision {current}"
            )));
        }
        let flag = state.flags.remove(&key);
        Ok(Response::new(v1::DeleteFlagResponse { flag }))
    }
}
