//! Under the tower layer a gRPC service is judged by its status, wherever the response says it.

use proto::v1::evaluation_client::EvaluationClient;
use proto::v1::evaluation_server::{Evaluation, EvaluationServer};
use proto::v1::{
    OutcomeKind, ResolveAllRequest, ResolveAllResponse, ResolveRequest, ResolveResponse, WatchRequest, WatchResponse,
};
use tidegate_client::{Client, ReportLayer};
use tonic::{Code, Request, Response, Status};
use tower::Layer as _;

use crate::fake::World;
use crate::setting::{Place, split, user};

/// A service that uses a flag and then fails as it is told. Its protocol is any; the agent's is at hand.
struct Told {
    client: Client,
    code: Code,
}

impl Told {
    /// What was told, once the flag has been used.
    async fn told(&self) -> Result<(), Status> {
        self.client.boolean("checkout", false, &user()).await;
        match self.code {
            Code::Ok => Ok(()),
            code => Err(Status::new(code, "as told")),
        }
    }
}

#[tonic::async_trait]
impl Evaluation for Told {
    async fn resolve(&self, _: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        self.told().await.map(|()| Response::new(ResolveResponse::default()))
    }

    async fn resolve_all(&self, _: Request<ResolveAllRequest>) -> Result<Response<ResolveAllResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    type WatchStream = tokio_stream::Iter<std::vec::IntoIter<Result<WatchResponse, Status>>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let last = self.told().await.map(|()| WatchResponse::default());
        Ok(Response::new(tokio_stream::iter(vec![
            Ok(WatchResponse::default()),
            last,
        ])))
    }
}

/// What is reported of a call to a service that ends with this code, with its class.
async fn reported(code: Code, streaming: bool) -> (OutcomeKind, String) {
    let place = Place::new();
    let world = World::new([("checkout", split())]);
    let _agent = world.listen(&place.path);
    let client = place.patient();
    let told = Told {
        client: client.clone(),
        code,
    };
    let mut service = EvaluationClient::new(ReportLayer::new(&client).layer(EvaluationServer::new(told)));
    let answered = if streaming {
        let mut stream = service.watch(WatchRequest::default()).await.unwrap().into_inner();
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => break Code::Ok,
                Err(status) => break status.code(),
            }
        }
    } else {
        let answer = service.resolve(ResolveRequest::default()).await;
        answer.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    assert_eq!(answered, code);
    client.close().await;
    let heard = world.heard_so_far();
    assert_eq!((heard.len(), heard[0].values.as_slice()), (1, [].as_slice()));
    (heard[0].outcome(), heard[0].error_class.clone())
}

#[tokio::test]
async fn a_call_is_judged_by_its_code_in_head_or_trailers() {
    for (code, outcome, class) in [
        (Code::Ok, OutcomeKind::Ok, ""),
        (Code::NotFound, OutcomeKind::Ok, ""),
        (Code::Unavailable, OutcomeKind::Error, "grpc-unavailable"),
        (Code::Internal, OutcomeKind::Error, "grpc-internal"),
        (Code::DeadlineExceeded, OutcomeKind::Timeout, "grpc-deadline-exceeded"),
        (Code::Cancelled, OutcomeKind::Cancelled, ""),
    ] {
        for streaming in [false, true] {
            let expected = (outcome, class.to_owned());
            assert_eq!(
                reported(code, streaming).await,
                expected,
                "{code:?}, streaming: {streaming}"
            );
        }
    }
}
