//! OTLP over gRPC: traces, logs and metrics, from the exporters of OpenTelemetry's SDKs.
//!
//! An export is answered as soon as it was taken in. What of it is refused is told as the protocol has it, by number
//! and in words, and is not to be sent again; the rest counts. Compressed messages may be gzip.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use proto::MESSAGE_LIMIT;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::CompressionEncoding::Gzip,
    codegen::http::{self, HeaderValue},
    service::{LayerExt as _, Routes},
};
use tower::util::MapResponseLayer;

use crate::health::{
    caller::Caller,
    otlp::{Receiver, Refused},
};

/// The status of a message that is too large, as tonic has it.
const OUT_OF_RANGE: HeaderValue = HeaderValue::from_static("11");
/// The status of a message that is too large, as OTLP has it.
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");

/// The services.
#[derive(Debug, Clone)]
struct Otlp(Arc<Receiver>);

/// These routes and OTLP's.
pub(super) fn beside(routes: Routes, receiver: Arc<Receiver>) -> Routes {
    let otlp = Otlp(receiver);
    let traces = TraceServiceServer::new(otlp.clone())
        .max_decoding_message_size(MESSAGE_LIMIT)
        .accept_compressed(Gzip);
    let logs = LogsServiceServer::new(otlp.clone())
        .max_decoding_message_size(MESSAGE_LIMIT)
        .accept_compressed(Gzip);
    let metrics = MetricsServiceServer::new(otlp)
        .max_decoding_message_size(MESSAGE_LIMIT)
        .accept_compressed(Gzip);
    let last_word = MapResponseLayer::new(last_word);
    routes
        .add_service(last_word.named_layer(traces))
        .add_service(last_word.named_layer(logs))
        .add_service(last_word.named_layer(metrics))
}

/// A message that is too large stays so: exporters send again what is out of range, and not what exhausts a resource.
fn last_word(mut answer: http::Response<Body>) -> http::Response<Body> {
    let status = answer.headers_mut().get_mut(Status::GRPC_STATUS);
    if let Some(status) = status.filter(|status| **status == OUT_OF_RANGE) {
        *status = RESOURCE_EXHAUSTED;
    }
    answer
}

#[tonic::async_trait]
impl TraceService for Otlp {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let caller = Caller::of_metadata(request.metadata());
        let refused = self.0.traces(request.get_ref(), caller);
        let partial_success = any(refused).map(|refused| ExportTracePartialSuccess {
            rejected_spans: refused.count,
            error_message: refused.why,
        });
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl LogsService for Otlp {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let caller = Caller::of_metadata(request.metadata());
        let refused = self.0.logs(request.get_ref(), caller);
        let partial_success = any(refused).map(|refused| ExportLogsPartialSuccess {
            rejected_log_records: refused.count,
            error_message: refused.why,
        });
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl MetricsService for Otlp {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let refused = self.0.metrics(request.get_ref());
        let partial_success = any(refused).map(|refused| ExportMetricsPartialSuccess {
            rejected_data_points: refused.count,
            error_message: refused.why,
        });
        Ok(Response::new(ExportMetricsServiceResponse { partial_success }))
    }
}

/// What was refused, if anything was: a success is told by saying nothing.
fn any(refused: Refused) -> Option<Refused> {
    (refused != Refused::default()).then_some(refused)
}

#[cfg(test)]
mod tests;
