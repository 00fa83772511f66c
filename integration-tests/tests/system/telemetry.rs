//! A service that uses only OpenFeature and OpenTelemetry, both as they are released, is judged by what its spans say.

use std::process::Stdio;

use integration_tests::{
    agent::Agent,
    binaries, flags,
    plans::{half_for_long, plan},
    ports,
    process::Log,
    system::{PRODUCTION, System},
};
use tokio::process::{Child, ChildStdin, Command};

/// The Python service; it ends when it is dropped.
struct Spans {
    _input: ChildStdin,
    _child: Child,
    _log: Log,
}

impl Spans {
    fn start(system: &System, flagd: u16, otlp: u16, (treatment, control): (f64, f64)) -> Self {
        let clients = binaries::clients();
        let log = Log::new("service.py", system.folder());
        let mut child = Command::new(clients.join(".venv/bin/python"))
            .arg(clients.join("python/service.py"))
            .args([flagd.to_string(), otlp.to_string(), "checkout".to_owned()])
            .args([treatment.to_string(), control.to_string(), "250".to_owned()])
            .current_dir(system.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.open())
            .kill_on_drop(true)
            .spawn()
            .expect("the Python client is installed: run `make clients`");
        Self {
            _input: child.stdin.take().expect("it is piped"),
            _child: child,
            _log: log,
        }
    }
}

/// A system whose agent takes OTLP, with a rollout of half the units.
async fn judged(failures: (f64, f64)) -> (System, Agent, Spans) {
    let system = System::start().await;
    let otlp = ports::free();
    let address = system.control_plane.address;
    let options = ["--otlp", &otlp.to_string()];
    let agent = Agent::start_with("agent", PRODUCTION, address, system.folder(), &options);
    agent.ready().await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    let spans = Spans::start(&system, agent.address.port(), otlp.port(), failures);
    (system, agent, spans)
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_that_only_spans_tell_of_aborts() {
    let (system, _agent, _spans) = judged((0.4, 0.01)).await;
    let ended = system.operator.aborted("checkout#1").await;
    let end = ended.end.unwrap();
    assert_eq!(end.cause, "evidence");
    let treatment = end.counts.unwrap().treatment.unwrap();
    assert!(treatment.bad_units > 0, "units are told apart: {treatment:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_a_harmless_treatment_are_counted_and_stop_nothing() {
    let (system, _agent, _spans) = judged((0.01, 0.01)).await;
    let heard = system.operator.heard("checkout#1", 200).await;
    assert_eq!(heard.end, None);
}
