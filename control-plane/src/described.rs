//! What the control plane says about itself: the services that reflection describes, and how they fare.
//!
//! Named are the services that are served here and no others: the descriptors know those of agents too.

use proto::v1::{
    audit_server::SERVICE_NAME as AUDIT, baselines_server::SERVICE_NAME as BASELINES,
    changes_server::SERVICE_NAME as CHANGES, configuration_server::SERVICE_NAME as CONFIGURATION,
    environments_server::SERVICE_NAME as ENVIRONMENTS, flag_status_server::SERVICE_NAME as FLAG_STATUS,
    flags_server::SERVICE_NAME as FLAGS, fleet_server::SERVICE_NAME as FLEET, health_server::SERVICE_NAME as HEALTH,
    history_server::SERVICE_NAME as HISTORY, inspection_server::SERVICE_NAME as INSPECTION,
    measurements_server::SERVICE_NAME as MEASUREMENTS, plans_server::SERVICE_NAME as PLANS,
    rollouts_server::SERVICE_NAME as ROLLOUTS, schedules_server::SERVICE_NAME as SCHEDULES,
    segments_server::SERVICE_NAME as SEGMENTS, sync_server::SERVICE_NAME as SYNC,
    webhooks_server::SERVICE_NAME as WEBHOOKS,
};
use runtime::shutdown::Shutdown;
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_reflection::{pb, server::Builder};

/// What is served, for health checks and reflection.
const SERVICES: [&str; 18] = [
    AUDIT,
    BASELINES,
    CHANGES,
    CONFIGURATION,
    ENVIRONMENTS,
    FLAG_STATUS,
    FLAGS,
    FLEET,
    HEALTH,
    HISTORY,
    INSPECTION,
    MEASUREMENTS,
    PLANS,
    ROLLOUTS,
    SCHEDULES,
    SEGMENTS,
    SYNC,
    WEBHOOKS,
];
/// What every gRPC server has beside them.
const BESIDE: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Describes what is served here.
pub(crate) fn reflection() -> Builder<'static> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(pb::v1alpha::FILE_DESCRIPTOR_SET)
        .include_reflection_service(false);
    let services = SERVICES.into_iter().chain(BESIDE);
    services.fold(builder, |builder, service| builder.with_service_name(service))
}

/// Tells gRPC health checks that everything is served, until the process drains.
pub(crate) async fn report_health(reporter: HealthReporter, shutdown: Shutdown) {
    tell(&reporter, ServingStatus::Serving).await;
    shutdown.draining().await;
    tell(&reporter, ServingStatus::NotServing).await;
}

async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES.into_iter().chain([""]) {
        reporter.set_service_status(service, status).await;
    }
}
