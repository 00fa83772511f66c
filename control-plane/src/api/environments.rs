//! The service of environments.

use proto::v1::{self, environments_server::Environments};
use tonic::{Request, Response, Status};

use crate::truth::Truth;

/// The service `tidegate.v1.Environments`.
#[derive(Debug)]
pub(crate) struct EnvironmentsApi {
    truth: Truth,
}

impl EnvironmentsApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self { truth }
    }
}

#[tonic::async_trait]
impl Environments for EnvironmentsApi {
    async fn list_environments(
        &self,
        _: Request<v1::ListEnvironmentsRequest>,
    ) -> Result<Response<v1::ListEnvironmentsResponse>, Status> {
        let state = self.truth.state();
        let mut environments = state
            .environments
            .values()
            .map(|environment| v1::Environment {
                key: environment.key.to_string(),
                kind: v1::EnvironmentKind::from(environment.kind).into(),
                order: environment.order,
            })
            .collect::<Vec<_>>();
        environments.sort_by_key(|environment| environment.order);
        Ok(Response::new(v1::ListEnvironmentsResponse { environments }))
    }
}
