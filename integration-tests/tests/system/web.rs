//! The doors themselves: gRPC-Web beside gRPC, which pages may call, reflection, health checks, messages that are too
//! large or none, and the ops port.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use integration_tests::{
    answers, flags, ops,
    system::{PRODUCTION, System},
    wait,
    web::{self, Frame},
};
use prost::Message;
use proto::v1;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

const CREATE: &str = "/tidegate.v1.Flags/CreateFlag";
const GET: &str = "/tidegate.v1.Flags/GetFlag";
const WATCH: &str = "/tidegate.v1.Changes/WatchChanges";
const RESOURCE_EXHAUSTED: i32 = Code::ResourceExhausted as i32;
const UNIMPLEMENTED: i32 = Code::Unimplemented as i32;

/// What the control plane serves, beside what every gRPC server does.
const OF_CONTROL_PLANE: [&str; 18] = [
    "tidegate.v1.Audit",
    "tidegate.v1.Baselines",
    "tidegate.v1.Changes",
    "tidegate.v1.Configuration",
    "tidegate.v1.Environments",
    "tidegate.v1.FlagStatus",
    "tidegate.v1.Flags",
    "tidegate.v1.Fleet",
    "tidegate.v1.Health",
    "tidegate.v1.History",
    "tidegate.v1.Inspection",
    "tidegate.v1.Measurements",
    "tidegate.v1.Plans",
    "tidegate.v1.Rollouts",
    "tidegate.v1.Schedules",
    "tidegate.v1.Segments",
    "tidegate.v1.Sync",
    "tidegate.v1.Webhooks",
];
/// What an agent serves.
const OF_AGENT: [&str; 4] = [
    "flagd.evaluation.v1.Service",
    "flagd.evaluation.v2.Service",
    "tidegate.v1.Evaluation",
    "tidegate.v1.Outcomes",
];
const OF_EVERYBODY: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

fn get(key: &str) -> Vec<u8> {
    let request = v1::GetFlagRequest {
        environment: PRODUCTION.to_owned(),
        key: key.to_owned(),
    };
    request.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_on_the_same_port_and_reads_answers_refusals_and_streams() {
    let system = System::start().await;
    let address = system.control_plane.address;
    let create = v1::CreateFlagRequest {
        environment: PRODUCTION.to_owned(),
        flag: Some(flags::boolean("checkout")),
        validate_only: false,
    };
    let actor = [("tidegate-actor", "ann@page")];
    let created = web::call(address, CREATE, &actor, &create.encode_to_vec()).await;
    assert_eq!((created.code, created.messages.len()), (0, 1), "{created:#?}");
    assert_eq!(system.operator.audit("checkout").await[0].actor, "ann@page");

    let got = web::call(address, GET, &[], &get("checkout")).await;
    let got = v1::GetFlagResponse::decode(got.messages[0].as_slice()).unwrap();
    assert_eq!(got.flag, Some(system.operator.get("checkout").await));
    let refused = web::call(address, GET, &[], &get("search")).await;
    assert_eq!(
        (refused.code, refused.messages.len()),
        (Code::NotFound as i32, 0),
        "{refused:#?}"
    );
    assert!(refused.message.contains("search"), "{refused:#?}");

    let watch = v1::WatchChangesRequest {
        environment: PRODUCTION.to_owned(),
        ..v1::WatchChangesRequest::default()
    };
    let mut stream = web::begin(address, WATCH, &[], &web::frame(&watch.encode_to_vec())).await;
    assert!(next_change(&mut stream).await.change.is_none(), "first a sign of life");
    for key in ["search", "banner"] {
        system.operator.create(flags::boolean(key)).await;
        let change = next_change(&mut stream).await.change.unwrap();
        assert_eq!((change.action.as_str(), change.key.as_str()), ("flag.create", key));
    }
}

async fn next_change(stream: &mut web::Answer) -> v1::WatchChangesResponse {
    match stream.frame().await {
        Some(Frame::Message(message)) => v1::WatchChangesResponse::decode(message.as_slice()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_named_origins_may_read_an_answer() {
    const NAMED: &str = "https://console.example.com";
    const OTHER: &str = "https://evil.example.com";
    let (closed, open) = tokio::join!(System::start(), System::start_with(&["--web-origin", NAMED]));
    for (system, origin, allowed) in [
        (&open, NAMED, Some(NAMED)),
        (&open, OTHER, None),
        (&closed, NAMED, None),
        (&closed, OTHER, None),
    ] {
        let address = system.control_plane.address;
        let preflight = web::preflight(address, GET, origin).await;
        let allows = |headers: &web::Headers| headers.get("access-control-allow-origin").cloned();
        assert_eq!(
            allows(&preflight.headers).as_deref(),
            allowed,
            "{origin}: {preflight:#?}"
        );
        let called = web::call(address, GET, &[("origin", origin)], &get("search")).await;
        assert_eq!(allows(&called.headers).as_deref(), allowed, "{origin}: {called:#?}");
        if allowed.is_some() {
            let may_send = preflight.headers["access-control-allow-headers"].to_ascii_lowercase();
            for header in ["content-type", "x-grpc-web", "tidegate-actor", "tidegate-reason-bin"] {
                assert!(may_send.contains(header), "{header}: {preflight:#?}");
            }
            let may_read = called.headers["access-control-expose-headers"].to_ascii_lowercase();
            for header in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
                assert!(may_read.contains(header), "{header}: {called:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_and_health_checks_tell_of_every_service_that_is_served_and_of_no_other() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let doors = [
        ("control plane", system.operator.channel(), &OF_CONTROL_PLANE[..]),
        ("agent's port", agent.evaluator().channel(), &OF_AGENT[..]),
        ("agent's socket", answers::over_socket(&agent.socket()), &OF_AGENT[..]),
    ];
    for (door, channel, own) in doors {
        let expected: BTreeSet<_> = own.iter().chain(&OF_EVERYBODY).map(|name| (*name).to_owned()).collect();
        assert_eq!(listed_v1(&channel).await, expected, "{door}");
        assert_eq!(listed_v1alpha(&channel).await, expected, "{door}");
        for service in own.iter().chain(&[""]) {
            assert_eq!(
                serving(&channel, service).await,
                Ok(ServingStatus::Serving),
                "{door}: {service:?}"
            );
        }
        assert_eq!(
            serving(&channel, "tidegate.v1.Luck").await,
            Err(Code::NotFound),
            "{door}"
        );
    }
}

/// What a version of reflection lists, each described by a file that can be had.
macro_rules! listed {
    ($name:ident, $version:ident) => {
        async fn $name(channel: &Channel) -> BTreeSet<String> {
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };
            let ask = async |message_request| {
                let request = ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(message_request),
                };
                let requests = futures::stream::iter([request]);
                let responses = ServerReflectionClient::new(channel.clone())
                    .server_reflection_info(requests)
                    .await;
                let response = responses.unwrap().into_inner().next().await;
                response.expect("an answer").unwrap().message_response.unwrap()
            };
            let services = match ask(MessageRequest::ListServices(String::new())).await {
                MessageResponse::ListServicesResponse(services) => services.service,
                other => panic!("{other:?}"),
            };
            for service in &services {
                let described = ask(MessageRequest::FileContainingSymbol(service.name.clone())).await;
                let files = match described {
                    MessageResponse::FileDescriptorResponse(files) => files.file_descriptor_proto,
                    other => panic!("{}: {other:?}", service.name),
                };
                assert!(!files.is_empty(), "{}", service.name);
            }
            services.into_iter().map(|service| service.name).collect()
        }
    };
}

listed!(listed_v1, v1);
listed!(listed_v1alpha, v1alpha);

async fn serving(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let checked = HealthClient::new(channel.clone()).check(request).await;
    checked
        .map(|checked| checked.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_unimplemented() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let address = system.control_plane.address;
    for path in [
        "/tidegate.v1.Flags/Fly",
        "/tidegate.v1.Luck/Wish",
        "/tidegate.v1.Flags",
        "/",
    ] {
        let ended = web::call(address, path, &[], &[]).await;
        assert_eq!(ended.code, UNIMPLEMENTED, "{path}: {ended:#?}");
    }
    let request = v1::GetFlagRequest::default();
    let mut misled = v1::flags_client::FlagsClient::new(agent.evaluator().channel());
    let status = misled.get_flag(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "agents take no writes: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_is_refused_by_its_announced_length_alone() {
    let mut system = System::start().await;
    let address = system.control_plane.address;
    let (_, before) = system.operator.list().await;
    for length in [4 * 1024 * 1024 + 1_u32, 5 * 1024 * 1024, u32::MAX] {
        // The five bytes that announce a message, and nothing of it ever.
        let head = [&[0], &length.to_be_bytes()[..]].concat();
        let announced = head.len() + length as usize;
        let refused = web::begin_announcing(address, CREATE, &[], announced, &head).await;
        let refused = refused.end().await;
        assert_eq!(refused.code, RESOURCE_EXHAUSTED, "{length}: {refused:#?}");
    }
    assert_eq!(system.operator.list().await.1, before);
    assert!(system.control_plane.is_running());
    system.operator.create(flags::boolean("checkout")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused_name_their_field_and_write_nothing() {
    let mut system = System::start().await;
    let address = system.control_plane.address;
    let (_, before) = system.operator.list().await;
    let flag = flags::boolean("checkout").encode_to_vec();
    // Field 4 of a flag, its owner: two bytes that are no UTF-8.
    let owner = [&flag[..], &[0x22, 2, 0xff, 0xfe]].concat();
    let create = |flag: &[u8]| {
        let environment = v1::CreateFlagRequest {
            environment: PRODUCTION.to_owned(),
            ..v1::CreateFlagRequest::default()
        };
        let mut request = environment.encode_to_vec();
        request.push(0x12);
        prost::encoding::encode_varint(flag.len() as u64, &mut request);
        request.extend_from_slice(flag);
        request
    };
    let good = web::call(address, CREATE, &[], &create(&flag)).await;
    assert_eq!(good.code, 0, "{good:#?}");
    let (_, written) = system.operator.list().await;
    assert!(written > before);

    let refused = web::call(address, CREATE, &[], &create(&owner)).await;
    assert_eq!(
        refused.code,
        Code::InvalidArgument as i32,
        "what cannot be parsed: {refused:#?}"
    );
    assert!(
        refused.message.contains("owner") && refused.message.contains("UTF-8"),
        "{refused:#?}"
    );
    for garbage in [
        &[0xff; 64][..],
        &[0x12, 0x7f, 0x00],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        let refused = web::call(address, CREATE, &[], garbage).await;
        assert_eq!(refused.code, Code::InvalidArgument as i32, "{garbage:?}: {refused:#?}");
    }
    assert_eq!(system.operator.list().await.1, written);
    assert!(system.control_plane.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ops_port_tells_probes_and_scrapers_and_nobody_else() {
    let mut system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    let ops = system.control_plane.ops;
    for path in ["/livez", "/readyz"] {
        let (code, body) = ops::get(ops, path).await.unwrap();
        assert_eq!(code, 200, "{path}: {body}");
    }
    let (code, metrics) = ops::get(ops, "/metrics").await.unwrap();
    assert_eq!(code, 200, "{metrics}");
    let described =
        |name: &str| metrics.contains(&format!("# HELP {name} ")) && metrics.contains(&format!("# TYPE {name} "));
    for name in [
        "tidegate_revision",
        "tidegate_agents_connected",
        "tidegate_snapshots_published_total",
    ] {
        assert!(described(name), "{name}: {metrics}");
    }
    let (_, revision) = system.operator.list().await;
    assert_eq!(system.control_plane.metric("tidegate_revision").await, revision as f64);
    assert_eq!(ops::get(ops, "/nothing").await.unwrap().0, 404);
    let grpc = ops::get(system.control_plane.address, "/metrics").await;
    assert!(
        !grpc.is_ok_and(|(code, body)| code == 200 && body.contains("tidegate_")),
        "only the ops port"
    );

    system.control_plane.terminate().await;
    wait::until("the ops port to close", async || {
        wait::so(ops::get(ops, "/livez").await.is_err(), "open")
    })
    .await;
    let gone = system.operator.try_get("checkout").await.unwrap_err();
    assert_eq!(gone.code(), Code::Unavailable, "{gone}");
}
