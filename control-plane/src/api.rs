//! The doors of operators: one file per gRPC service. A request is checked here and is valid from here on.

mod acts;
mod audit;
mod changes;
mod configuration;
mod environments;
mod flags;
mod fleet;
mod following;
mod history;
mod inspection;
mod mask;
mod page;
mod plans;
mod race;
mod refusal;
mod rollouts;
mod schedules;
mod segments;
mod status;
mod view;

pub(crate) use audit::AuditApi;
pub(crate) use changes::ChangesApi;
pub(crate) use configuration::ConfigurationApi;
pub(crate) use environments::EnvironmentsApi;
pub(crate) use flags::FlagsApi;
pub(crate) use fleet::FleetApi;
pub(crate) use history::HistoryApi;
pub(crate) use inspection::InspectionApi;
pub(crate) use plans::PlansApi;
pub(crate) use rollouts::RolloutsApi;
pub(crate) use schedules::SchedulesApi;
pub(crate) use segments::SegmentsApi;
pub(crate) use status::StatusApi;
pub(crate) use view::View;
