//! The doors of operators: one file per gRPC service. A request is checked here and is valid from here on.

mod audit;
mod environments;
mod flags;
mod fleet;
mod page;
mod plan;
mod refusal;
mod rollouts;
mod view;

pub(crate) use audit::AuditApi;
pub(crate) use environments::EnvironmentsApi;
pub(crate) use flags::FlagsApi;
pub(crate) use fleet::FleetApi;
pub(crate) use rollouts::RolloutsApi;
pub(crate) use view::View;
