//! Measurements from outside, pushed in parts: each part is durable when it is answered, and giving the whole again does
//! no harm, because each measurement has a key of its own.

mod places;

use std::io::{self, IsTerminal as _, Write as _};

use proto::v1::{self, measurement::Of};
use serde::Serialize;
use tonic::{Code, Status};

use self::places::Places;

use crate::{
    args::{ArmArg, Global, Past, PushArgs},
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
    let file = options.file.as_ref().map(|file| file.display().to_string());
    let relative = options.at.as_ref().filter(|at| at.is_relative).cloned();
    let measurements = match &options.file {
        Some(path) => {
            let text = document::text(path)?;
            measurement_lines::parse(&path.display().to_string(), &text).map_err(Error::Usage)?
        }
        // The command line has one line.
        None => vec![(1, given(options)?)],
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
            measurements: part.iter().map(|(_, measurement)| measurement.clone()).collect(),
        };
        let places = match &file {
            Some(file) => Places::Lines(file, part.iter().map(|(line, _)| *line).collect()),
            None => Places::Options,
        };
        let answer = session.measurements().push(session.call(request)).await;
        let answer = answer.map_err(|status| {
            let error = refused(&session, &status, &places, view.pushed, all);
            match &relative {
                Some(at) if status.code() == Code::AlreadyExists => error.after(another_time(at)),
                Some(_) | None => error,
            }
        })?;
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
        at_us: options.at.map_or(0, |at| at.us),
        stands_for_us: options.stands_for.unwrap_or_default(),
    })
}

/// A refusal in words of what was written, and what was pushed before it.
fn refused(session: &Session, status: &Status, places: &Places<'_>, done: usize, all: usize) -> Error {
    let error = session.error(status).with_lines(|line| places.written(line));
    match done {
        0 => error,
        done => error.after(format!(
            "{done} of {all} measurements were pushed before; mend it and push the whole again"
        )),
    }
}

/// Why a key that was pushed with a time from now is not the same measurement when it is pushed again.
fn another_time(at: &Past) -> String {
    let moment = print::timestamp(at.us).unwrap_or_default();
    format!("--at with so long ago is another time at each run: to repeat a push write the moment, now --at {moment}")
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
