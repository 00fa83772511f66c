//! What is said of a flag to a caller, on every wire: the native protocol, both of flagd's, OFREP, and the control
//! plane's own.
//!
//! The native result is the whole truth. Every other wire says less, or in its own words; what it must say follows from
//! the native result by `Answer::as_said_on`, and that is written here a second time, from the protocols' descriptions,
//! because the first is under test.

use std::{net::SocketAddr, path::Path};

use prost_types::{Struct, value::Kind};
use proto::{
    METADATA_PREREQUISITE, METADATA_STALE,
    flagd::{evaluation_v1, evaluation_v2},
    v1::{self, ErrorCode, FlagType, Reason, evaluation_client::EvaluationClient, inspection_client::InspectionClient},
};
use serde_json::{Value, json};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};

use crate::{
    http,
    json::{self, doubles, fields},
    operator::Operator,
};

/// A wire that cannot say everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// flagd's evaluation protocol, version 1.
    FlagdV1,
    /// The same, version 2.
    FlagdV2,
    /// OFREP, of one flag.
    Ofrep,
}

/// What every wire can say.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The value; none: the caller's default.
    pub value: Option<Value>,
    /// The variant; empty: none.
    pub variant: String,
    /// The reason; empty with an error.
    pub reason: String,
    /// OpenFeature's code of what went wrong.
    pub error: Option<String>,
    /// The prerequisite that was not met; empty: none decided.
    pub prerequisite: String,
    /// For how long the control plane has been silent, if that is too long.
    pub stale_s: Option<u64>,
}

/// A connection over an agent's Unix socket.
pub fn over_socket(socket: &Path) -> Channel {
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).expect("a path makes an endpoint");
    endpoint.connect_lazy()
}

/// What an agent says natively.
pub async fn native(channel: &Channel, key: &str, caller: &Value) -> v1::Result {
    let request = v1::ResolveRequest {
        flag_key: key.to_owned(),
        context: Some(fields(caller)),
        r#type: FlagType::Unspecified.into(),
    };
    let response = EvaluationClient::new(channel.clone()).resolve(request).await;
    let response = response.unwrap_or_else(|status| panic!("{key} for {caller}: {status}"));
    response.into_inner().result.expect("a response has a result")
}

/// All that an agent says natively, with the revision it says it of.
pub async fn all_native(channel: &Channel, caller: &Value) -> Result<(Vec<v1::Result>, u64), Status> {
    let (mut results, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ResolveAllRequest {
            context: Some(fields(caller)),
            page_token,
            ..v1::ResolveAllRequest::default()
        };
        let page = EvaluationClient::new(channel.clone()).resolve_all(request).await?;
        let page = page.into_inner();
        results.extend(page.results);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((results, page.revision));
        }
    }
}

/// What the control plane says.
pub async fn inspected(operator: &Operator, environment: &str, key: &str, caller: &Value) -> v1::Result {
    let request = v1::EvaluateRequest {
        environment: environment.to_owned(),
        flag_key: key.to_owned(),
        context: Some(fields(caller)),
        revision: 0,
    };
    let response = InspectionClient::new(operator.channel()).evaluate(request).await;
    let response = response.unwrap_or_else(|status| panic!("{key} for {caller}: {status}"));
    response.into_inner().result.expect("a response has a result")
}

/// The same call for each type of both versions of flagd's protocol, whose messages differ in name only.
macro_rules! flagd {
    ($(#[$doc:meta])* $name:ident, $package:ident) => {
        $(#[$doc])*
        pub async fn $name(channel: &Channel, flag_type: FlagType, key: &str, caller: &Value) -> Answer {
            let mut client = $package::service_client::ServiceClient::new(channel.clone());
            let (flag_key, context) = (key.to_owned(), Some(fields(caller)));
            macro_rules! resolve {
                ($call:ident, $request:ident, $value:ty, $json:expr) => {{
                    let request = Request::new($package::$request { flag_key, context });
                    client.$call(request).await.map(|response| {
                        let response = response.into_inner();
                        let value: Option<$value> = response.value.into();
                        let variant: Option<String> = response.variant.into();
                        (value.map($json), variant.unwrap_or_default(), response.reason, response.metadata)
                    })
                }};
            }
            let answered = match flag_type {
                FlagType::Boolean => resolve!(resolve_boolean, ResolveBooleanRequest, bool, Value::from),
                FlagType::String => resolve!(resolve_string, ResolveStringRequest, String, Value::from),
                FlagType::Integer => resolve!(resolve_int, ResolveIntRequest, i64, Value::from),
                FlagType::Float => resolve!(resolve_float, ResolveFloatRequest, f64, Value::from),
                FlagType::Object => resolve!(resolve_object, ResolveObjectRequest, Struct, |fields| json::object(&fields)),
                FlagType::Unspecified => panic!("a flag has a type"),
            };
            Answer::of_flagd(answered)
        }
    };
}

flagd!(
    /// What an agent says to a client of flagd's protocol, version 1.
    flagd_v1,
    evaluation_v1
);
flagd!(
    /// What an agent says to a client of flagd's protocol, version 2.
    flagd_v2,
    evaluation_v2
);

/// What an agent says to a client of OFREP.
pub async fn ofrep(address: SocketAddr, flag_type: FlagType, key: &str, caller: &Value) -> Answer {
    let path = format!("/ofrep/v1/evaluate/flags/{key}");
    let answer = http::post(address, &path, &[], &json!({"context": caller})).await;
    let body = answer.json();
    assert_eq!(body["key"], key, "{answer:#?}");
    assert_eq!(answer.status == 200, body["errorCode"].is_null(), "{answer:#?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let value = body.get("value").cloned();
    Answer {
        // The integers of JSON are exact here.
        value: value.map(|value| {
            if flag_type == FlagType::Integer {
                value
            } else {
                doubles(value)
            }
        }),
        variant: text(&body["variant"]),
        reason: text(&body["reason"]),
        error: body["errorCode"].as_str().map(str::to_owned),
        prerequisite: text(&body["metadata"][METADATA_PREREQUISITE]),
        stale_s: body["metadata"][METADATA_STALE].as_u64(),
    }
}

/// What an agent says on each of these wires: flagd's versions over a channel each, OFREP at its port.
pub async fn on_every_wire(
    [v1, v2]: [&Channel; 2],
    port: SocketAddr,
    flag_type: FlagType,
    key: &str,
    caller: &Value,
) -> [(Wire, Answer); 3] {
    [
        (Wire::FlagdV1, flagd_v1(v1, flag_type, key, caller).await),
        (Wire::FlagdV2, flagd_v2(v2, flag_type, key, caller).await),
        (Wire::Ofrep, ofrep(port, flag_type, key, caller).await),
    ]
}

impl Answer {
    fn of_flagd(answered: Result<(Option<Value>, String, String, Option<Struct>), Status>) -> Self {
        let (value, variant, reason, metadata) = match answered {
            Ok(answered) => answered,
            Err(status) => return Self::failed(&status),
        };
        let metadata = metadata.expect("metadata is there even if it is empty").fields;
        let text = |name: &str| match metadata.get(name).and_then(|value| value.kind.clone()) {
            Some(Kind::StringValue(text)) => Some(text),
            Some(_) | None => None,
        };
        let stale_s = match metadata.get(METADATA_STALE).and_then(|value| value.kind.clone()) {
            Some(Kind::NumberValue(seconds)) => Some(seconds as u64),
            Some(_) | None => None,
        };
        Self {
            value,
            variant,
            reason,
            error: text("tidegate.error"),
            prerequisite: text(METADATA_PREREQUISITE).unwrap_or_default(),
            stale_s,
        }
    }

    /// What flagd's clients make of a status.
    fn failed(status: &Status) -> Self {
        let error = match status.code() {
            Code::NotFound => "FLAG_NOT_FOUND",
            Code::InvalidArgument => "TYPE_MISMATCH",
            _ => panic!("flagd's protocol knows no {status}"),
        };
        Self::of_error(error)
    }

    fn of_error(error: &str) -> Self {
        Self {
            value: None,
            variant: String::new(),
            reason: String::new(),
            error: Some(error.to_owned()),
            prerequisite: String::new(),
            stale_s: None,
        }
    }

    /// What a wire is to say of a native result. A result that is stale has lost its reason, so it has none here either.
    pub fn as_said_on(wire: Wire, result: &v1::Result) -> Self {
        let value = result.value.as_ref().map(json::value);
        let error = match result.error_code() {
            ErrorCode::Unspecified => None,
            code => Some(code.as_str_name().trim_start_matches("ERROR_CODE_").to_owned()),
        };
        let disabled = result.reason() == Reason::Disabled;
        if let (Wire::Ofrep, Some(error)) = (wire, &error) {
            return Self::of_error(error);
        }
        // Version 1 cannot leave a value unset.
        if wire == Wire::FlagdV1 && value.is_none() && !disabled {
            return Self::of_error("FLAG_NOT_FOUND");
        }
        let zero = || zero(result.r#type());
        let reason = match result.reason() {
            Reason::Disabled => "DISABLED",
            _ if value.is_none() => "DEFAULT",
            Reason::Split if wire != Wire::Ofrep => "TARGETING_MATCH",
            reason => reason.as_str_name().trim_start_matches("REASON_"),
        };
        Self {
            value: if wire == Wire::FlagdV1 {
                value.or_else(zero)
            } else {
                value
            },
            variant: result.variant.clone(),
            reason: reason.to_owned(),
            error,
            prerequisite: result.prerequisite.clone(),
            stale_s: result.stale_s,
        }
    }
}

/// The zero of a type, which version 1 of flagd's protocol sends for a disabled flag; an object may be left out there.
fn zero(flag_type: FlagType) -> Option<Value> {
    match flag_type {
        FlagType::Boolean => Some(json!(false)),
        FlagType::String => Some(json!("")),
        FlagType::Integer => Some(json!(0)),
        FlagType::Float => Some(json!(0.0)),
        FlagType::Object | FlagType::Unspecified => None,
    }
}
