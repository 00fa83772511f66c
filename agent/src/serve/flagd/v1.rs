//! `flagd.evaluation.v1`, which cannot leave a value unset: a disabled flag without an off variant is the type's zero
//! and the variant "", any other answer without a value is NOT_FOUND, so that the caller takes its default.

mod all;

use std::pin::Pin;

use futures::Stream;
use prost_types::Struct;
use proto::flagd::evaluation_v1::{
    EventStreamRequest, EventStreamResponse, ResolveAllRequest, ResolveAllResponse, ResolveBooleanRequest,
    ResolveBooleanResponse, ResolveFloatRequest, ResolveFloatResponse, ResolveIntRequest, ResolveIntResponse,
    ResolveObjectRequest, ResolveObjectResponse, ResolveStringRequest, ResolveStringResponse, service_server::Service,
};
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{Answered, Asked, Flagd, WithoutValue};
use crate::serve::events::Event;

/// The service.
#[derive(Debug)]
pub(crate) struct V1(pub(crate) Flagd);

impl V1 {
    fn resolve<T: Asked, R: From<Answered<T>>>(
        &self,
        headers: &MetadataMap,
        key: &str,
        context: Option<Struct>,
    ) -> Result<Response<R>, Status> {
        let answered = self.0.resolve(headers, key, context, WithoutValue::NotFound)?;
        Ok(Response::new(answered.into()))
    }
}

#[tonic::async_trait]
impl Service for V1 {
    type EventStreamStream = Pin<Box<dyn Stream<Item = Result<EventStreamResponse, Status>> + Send>>;

    async fn resolve_all(&self, request: Request<ResolveAllRequest>) -> Result<Response<ResolveAllResponse>, Status> {
        let (headers, _, asked) = request.into_parts();
        all::all(&self.0, &headers, asked.context).map(Response::new)
    }

    async fn resolve_boolean(
        &self,
        request: Request<ResolveBooleanRequest>,
    ) -> Result<Response<ResolveBooleanResponse>, Status> {
        let (headers, _, asked) = request.into_parts();
        self.resolve::<bool, _>(&headers, &asked.flag_key, asked.context)
    }

    async fn resolve_string(
        &self,
        request: Request<ResolveStringRequest>,
    ) -> Result<Response<ResolveStringResponse>, Status> {
        let (headers, _, asked) = request.into_parts();
        self.resolve::<String, _>(&headers, &asked.flag_key, asked.context)
    }

    async fn resolve_float(
        &self,
        request: Request<ResolveFloatRequest>,
    ) -> Result<Response<ResolveFloatResponse>, Status> {
        let (headers, _, asked) = request.into_parts();
        self.resolve::<f64, _>(&headers, &asked.flag_key, asked.context)
    }

    async fn resolve_int(&self, request: Request<ResolveIntRequest>) -> Result<Response<ResolveIntResponse>, Status> {
        let (headers, _, asked) = request.into_parts();
        self.resolve::<i64, _>(&headers, &asked.flag_key, asked.context)
    }

    async fn resolve_object(
        &self,
        request: Request<ResolveObjectRequest>,
    ) -> Result<Response<ResolveObjectResponse>, Status> {
        let (headers, _, asked) = request.into_parts();
        self.resolve::<Struct, _>(&headers, &asked.flag_key, asked.context)
    }

    async fn event_stream(
        &self,
        request: Request<EventStreamRequest>,
    ) -> Result<Response<Self::EventStreamStream>, Status> {
        Ok(Response::new(Box::pin(self.0.events(request.metadata())?)))
    }
}

/// Each answer in the message of its type.
macro_rules! answered {
    ($($asked:ty => $response:ident),+ $(,)?) => {$(
        impl From<Answered<$asked>> for $response {
            fn from(answered: Answered<$asked>) -> Self {
                Self {
                    // An object is set or not even here.
                    value: answered.value.unwrap_or_default().into(),
                    reason: answered.reason.to_owned(),
                    variant: answered.variant.unwrap_or_default(),
                    metadata: Some(answered.metadata),
                }
            }
        }
    )+};
}

answered! {
    bool => ResolveBooleanResponse,
    String => ResolveStringResponse,
    f64 => ResolveFloatResponse,
    i64 => ResolveIntResponse,
    Struct => ResolveObjectResponse,
}

impl From<Event> for EventStreamResponse {
    fn from(event: Event) -> Self {
        Self {
            r#type: event.kind.to_owned(),
            data: event.data,
        }
    }
}
