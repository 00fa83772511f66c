//! The services that the port serves, each over the parts that it needs.

use std::sync::Arc;

use proto::{
    MESSAGE_LIMIT,
    v1::{
        audit_server::AuditServer, baselines_server::BaselinesServer, changes_server::ChangesServer,
        configuration_server::ConfigurationServer, environments_server::EnvironmentsServer,
        flag_status_server::FlagStatusServer, flags_server::FlagsServer, fleet_server::FleetServer,
        health_server::HealthServer, history_server::HistoryServer, inspection_server::InspectionServer,
        measurements_server::MeasurementsServer, plans_server::PlansServer, rollouts_server::RolloutsServer,
        schedules_server::SchedulesServer, segments_server::SegmentsServer, sync_server::SyncServer,
        webhooks_server::WebhooksServer,
    },
};
use rollout::Micros;
use runtime::shutdown::Shutdown;
use tonic::service::Routes;

use crate::{
    api, described,
    engine::facts::Sources,
    events,
    follow::Followers,
    health::{intake::Intake, service::HealthService},
    publish::Publisher,
    sync::{fleet::Fleet, service::SyncService},
    truth::Truth,
    webhooks::Webhooks,
};

/// What the services stand on.
pub(crate) struct Parts {
    /// Reading and changing.
    pub(crate) truth: Truth,
    /// What agents are to hold.
    pub(crate) publisher: Arc<Publisher>,
    /// What is known of agents.
    pub(crate) fleet: Arc<Fleet>,
    /// What is known of rollouts.
    pub(crate) sources: Sources,
    /// Where frames go.
    pub(crate) intake: Intake,
    /// The deliveries of events.
    pub(crate) webhooks: Webhooks,
}

/// All services over their parts. A stage must have soaked for a while to be captured as a baseline.
pub(crate) fn routes(parts: Parts, shortest_capture_us: Micros, shutdown: &Shutdown) -> Routes {
    let Parts {
        truth,
        publisher,
        fleet,
        sources,
        intake,
        webhooks,
    } = parts;
    let (health_reporter, grpc_health) = tonic_health::server::health_reporter();
    shutdown.spawn(
        "grpc-health",
        described::report_health(health_reporter, shutdown.clone()),
    );
    let sound = "the descriptors were written by this build";
    let view = api::View::new(truth.clone(), sources.clone());
    let fleet_api = api::FleetApi::new(truth.clone(), publisher.clone(), fleet.clone());
    let measurements = api::MeasurementsApi::new(truth.clone(), sources.levels.clone());
    let measurements = MeasurementsServer::new(measurements);
    let baselines = BaselinesServer::new(api::BaselinesApi::new(view.clone(), shortest_capture_us));
    let rollouts = RolloutsServer::new(api::RolloutsApi::new(view, shutdown.clone()));
    let schedules = SchedulesServer::new(api::SchedulesApi::new(truth.clone()));
    let flags = FlagsServer::new(api::FlagsApi::new(truth.clone(), sources.clone()));
    let configuration = ConfigurationServer::new(api::ConfigurationApi::new(truth.clone()));
    let followers = Followers::new();
    let audit = api::AuditApi::new(truth.clone(), followers.clone(), shutdown.clone());
    let audit = AuditServer::new(audit);
    let changes = api::ChangesApi::new(truth.clone(), followers, shutdown.clone());
    let changes = ChangesServer::new(changes);
    let readers = events::reader::Readers::new();
    let status = api::StatusApi::new(truth.clone(), readers, shutdown.clone());
    let history = HistoryServer::new(api::HistoryApi::new(truth.clone()));
    let inspection = InspectionServer::new(api::InspectionApi::new(truth.clone()));
    let environments = EnvironmentsServer::new(api::EnvironmentsApi::new(truth.clone(), fleet.clone()));
    let plans = PlansServer::new(api::PlansApi::new(truth.clone(), sources.levels.clone()));
    let webhooks = WebhooksServer::new(api::WebhooksApi::new(truth.clone(), webhooks));
    let segments = SegmentsServer::new(api::SegmentsApi::new(truth.clone()));
    let sync = SyncServer::new(SyncService::new(publisher, fleet.clone(), shutdown.clone()));
    let health = HealthServer::new(HealthService::new(intake, fleet, truth.states(), shutdown.clone()));
    Routes::new(grpc_health)
        .add_service(described::reflection().build_v1().expect(sound))
        .add_service(described::reflection().build_v1alpha().expect(sound))
        .add_service(schedules.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(environments)
        .add_service(segments.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(plans.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(baselines)
        .add_service(webhooks)
        .add_service(measurements.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(audit)
        .add_service(changes)
        .add_service(history)
        .add_service(FlagStatusServer::new(status))
        .add_service(inspection.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(FleetServer::new(fleet_api))
        .add_service(flags.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(configuration.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(rollouts.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(sync.max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(health.max_decoding_message_size(MESSAGE_LIMIT))
}
