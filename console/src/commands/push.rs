//! Measurements from outside, pushed in parts: each part is durable when it is answered, and giving the whole again does
//! no harm, because each measurement has a key of its own.

use std::io::{self, IsTerminal as _, Write as _};

use proto::v1::{self, measurement::Of};
use serde::Serialize;

use crate::{
    args::{ArmArg, Global, PushArgs},
    connect::Session,
    document,
    error::Error,
    measurement_lines,
    print::{self, Format},
};

/// Measurements in one request.
const PART: usize = 100;

/// What became of the measurements, for programs.
#[derive(Debug, Serialize)]
struct PushedView {
    rollout: String,
    pushed: usize,
    /// Of these, how many had been pushed before.
    repeated: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    measurements: Vec<OneView>,
}

#[derive(Debug, Serialize)]
struct OneView {
    key: String,
    metric: String,
    arm: String,
    stage: String,
    at: Option<String>,
}

/// Pushes.
pub(super) async fn run(global: &Global, options: PushArgs) -> Result<(), Error> {
    let (rollout, flag) = (options.rollout.clone(), options.flag.clone());
    let measurements = match &options.file {
        Some(file) => {
            let text = document::text(file)?;
            measurement_lines::parse(&file.display().to_string(), &text).map_err(Error::Usage)?
        }
        None => vec![given(options)?],
    };
    let session = Session::open(global).await?;
    let all = measurements.len();
    let mut view = PushedView {
        rollout: String::new(),
        pushed: 0,
        repeated: 0,
        measurements: Vec::new(),
    };
    for part in measurements.chunks(PART) {
        let request = v1::PushRequest {
            environment: session.environment(),
            rollout: rollout.clone().unwrap_or_default(),
            flag: flag.as_ref().map(ToString::to_string).unwrap_or_default(),
            measurements: part.to_vec(),
        };
        let answer = session.measurements().push(session.call(request)).await;
        let answer = answer.map_err(|status| refused(&session, &status, view.pushed, all))?;
        view.add(answer.into_inner(), global.output);
        progress(view.pushed, all);
    }
    print::show(global.output, &view, || {
        format!(
            "{}: pushed {} measurements, {} of them had been pushed before",
            print::plain(&view.rollout),
            print::count(view.pushed as u64),
            print::count(view.repeated)
        )
    })
}

/// The measurement of the command line.
fn given(options: PushArgs) -> Result<v1::Measurement, Error> {
    let of = match (options.arm, options.unit, options.token) {
        (Some(ArmArg::Treatment), _, _) => Of::Arm(v1::PushArm::Treatment.into()),
        (Some(ArmArg::Control), _, _) => Of::Arm(v1::PushArm::Control.into()),
        (None, Some(unit), _) => measurement_lines::unit_of(unit),
        (None, None, Some(token)) => Of::Token(token),
        (None, None, None) => {
            return Err(Error::usage("what does it belong to? add --arm, --unit or --token"));
        }
    };
    Ok(v1::Measurement {
        key: options.key.unwrap_or_default(),
        metric: options.metric.unwrap_or_default(),
        values: if options.value.is_empty() {
            vec![1.0]
        } else {
            options.value
        },
        of: Some(of),
        at_us: options.at.unwrap_or_default(),
        stands_for_us: options.stands_for.unwrap_or_default(),
    })
}

/// A refusal, and what was pushed before it. Places in a request are places in a part of the file.
fn refused(session: &Session, status: &tonic::Status, done: usize, all: usize) -> Error {
    let error = session.error(status);
    match done {
        0 => error,
        done => error.after(format!(
            "{done} of {all} measurements were pushed before, so measurements[0] is the {}th; mend it and push the whole again",
            done + 1
        )),
    }
}

impl PushedView {
    fn add(&mut self, answer: v1::PushResponse, format: Format) {
        self.rollout = answer.rollout;
        self.pushed += answer.pushed.len();
        self.repeated += u64::from(answer.repeated_before);
        if format != Format::Table {
            let one = |pushed: v1::Pushed| OneView {
                key: pushed.key,
                metric: pushed.metric,
                arm: pushed.arm,
                stage: pushed.stage,
                at: print::timestamp(pushed.at_us),
            };
            self.measurements.extend(answer.pushed.into_iter().map(one));
        }
    }
}

/// Says how far it is, to a person at a terminal.
fn progress(done: usize, all: usize) {
    let mut out = io::stderr().lock();
    if all <= PART || !out.is_terminal() {
        return;
    }
    let end = if done == all { "\n" } else { "" };
    let (done, all) = (print::count(done as u64), print::count(all as u64));
    // What is said on the way is not the result.
    let _ = write!(out, "\r{done} of {all} measurements{end}");
    let _ = out.flush();
}
