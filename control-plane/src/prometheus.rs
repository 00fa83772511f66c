//! Levels that a Prometheus is asked for, on behalf of the rollouts whose plans say so.
//!
//! One task owns the schedule: it looks at the state several times a second, asks what is due, a bounded number of
//! metrics at once, and takes in what came of it as levels, where the guards find it. An answer is a number or a reason
//! why there is none, and a reason is never a verdict. These numbers have no variance and no units, so they are
//! thresholds alone (guard.md 4f) and no part of the evidence.

mod address;
mod answer;
mod ask;
pub(crate) mod metrics;
mod question;
mod schedule;

use std::{sync::Arc, time::Duration};

use ::metrics::{counter, gauge, histogram};
use evaluation::Arm;
use rollout::{Plan, Violation, catalogue::Unit};
use runtime::{clock::now_us, shutdown::Shutdown};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};

pub(crate) use self::{
    address::Address,
    ask::{Prometheus, Settings},
};
use self::{
    answer::Missing,
    metrics as names,
    question::{Question, Subject},
    schedule::Schedule,
};
use crate::{
    levels::{Levels, Read, Reading, Source},
    push::value::check_level,
    record::RolloutRecord,
    state::State,
    store::Txn,
    truth::{CommitError, Truth},
};

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(250);
/// Metrics that are asked for at once, both arms of each.
const AT_ONCE: usize = 8;
/// How often a reading is taken in against what others write at the same time.
const TRIES: usize = 16;
/// Microseconds in a second: Prometheus has seconds, levels microseconds.
const SECOND: f64 = 1e6;

/// Why a level that is to be asked for is not.
const NOT_TOLD: &str = "this control plane knows no Prometheus: start it with --prometheus URL";

/// One metric, asked, and what came of it taken in.
struct Answered {
    subject: Subject,
    treatment: Result<f64, Missing>,
}

/// Who asks, and where the answers go.
#[derive(Debug, Clone)]
struct Asker {
    truth: Truth,
    levels: Levels,
    prometheus: Arc<Prometheus>,
}

/// Asks until the process drains.
pub(crate) async fn run(truth: Truth, levels: Levels, prometheus: Prometheus, shutdown: Shutdown) {
    let asker = Asker {
        truth: truth.clone(),
        levels,
        prometheus: Arc::new(prometheus),
    };
    let mut schedule = Schedule::default();
    let mut asking = JoinSet::new();
    let mut seen = None;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            Some(answered) = asking.join_next() => note(&truth, &mut schedule, answered),
            () = shutdown.draining() => return,
        }
        let (state, now_us) = (truth.state(), now_us());
        if seen != Some(state.revision) {
            seen = Some(state.revision);
            schedule.follow(question::subjects(&state), now_us, rand::random);
            gauge!(names::ASKED).set(schedule.len() as f64);
        }
        for subject in schedule.take(AT_ONCE.saturating_sub(asking.len()), now_us) {
            match question::question(&state, &subject) {
                Some(question) => {
                    asking.spawn(asker.clone().ask(subject, question, now_us));
                }
                // What is asked about no more leaves the schedule with the state that says so.
                None => _ = schedule.answered(&subject, "", rand::random),
            }
        }
    }
}

impl Asker {
    /// Asks for both arms at the same moment, and takes in what came of it.
    async fn ask(self, subject: Subject, question: Question, asked_at_us: i64) -> Answered {
        let (prometheus, unit) = (&*self.prometheus, question.unit);
        let control = async {
            match &question.control {
                Some(query) => Some(ask_one(prometheus, query, unit).await),
                None => None,
            }
        };
        let (control, treatment) = tokio::join!(control, ask_one(prometheus, &question.treatment, unit));
        let read = |arm: Arm, answer: &Result<f64, Missing>| {
            let reading = Reading {
                value: answer.as_ref().map_err(ToString::to_string).copied(),
                at_us: asked_at_us,
                until_us: asked_at_us.saturating_add(question.stands_for_us),
                source: Source::Prometheus,
            };
            (subject.metric.clone(), arm, reading)
        };
        // Control first, so that treatment is compared with what it was asked with.
        let control = control.iter().map(|answer| read(Arm::Control, answer));
        let readings: Vec<_> = control.chain([read(Arm::Treatment, &treatment)]).collect();
        if let Err(error) = self.take_in(&subject, &readings).await {
            // Whatever the store says later of one that was not answered: the next question comes soon.
            let Subject { rollout, metric, .. } = &subject;
            tracing::error!(%rollout, metric, %error, "a level was not kept");
        }
        Answered { subject, treatment }
    }

    /// Takes readings in, of what is still there.
    async fn take_in(&self, subject: &Subject, readings: &[Read]) -> Result<(), CommitError> {
        let turn = self.levels.turn(subject.rollout).await;
        for _ in 0..TRIES {
            let state = self.truth.state();
            let Some(rollout) = state.rollout(&subject.environment, subject.rollout) else {
                return Ok(());
            };
            let txn = turn.keep(Txn::default(), &state, rollout, readings, now_us());
            match self.truth.commit(txn).await {
                Err(CommitError::Conflict) => self.truth.newer(state.revision).await,
                Ok(_) => return Ok(()),
                Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => return Err(error),
            }
        }
        Err(CommitError::Conflict)
    }
}

async fn ask_one(prometheus: &Prometheus, query: &str, unit: Unit) -> Result<f64, Missing> {
    let began = Instant::now();
    let answer = prometheus.ask(query).await;
    let level = answer.and_then(|number| level(number, unit));
    histogram!(names::SECONDS).record(began.elapsed().as_secs_f64());
    counter!(names::QUERIES, "result" => outcome(&level)).increment(1);
    level
}

/// A number of Prometheus as a level of this unit.
fn level(number: f64, unit: Unit) -> Result<f64, Missing> {
    let number = match unit {
        Unit::Duration => answer::finite(number * SECOND)?,
        Unit::Fraction | Unit::Money | Unit::Count | Unit::Score | Unit::Bytes | Unit::PerSecond => number,
    };
    match check_level(unit, number) {
        None => Ok(number),
        Some(what) => Err(Missing::Impossible(what)),
    }
}

fn outcome(answer: &Result<f64, Missing>) -> &'static str {
    match answer {
        Ok(_) => "read",
        Err(missing) => missing.name(),
    }
}

/// Notes that a question was answered.
fn note(truth: &Truth, schedule: &mut Schedule<Subject>, answered: Result<Answered, JoinError>) {
    match answered {
        Ok(Answered { subject, treatment }) => {
            if schedule.answered(&subject, outcome(&treatment), rand::random) {
                tell(&truth.state(), &subject, &treatment);
            }
        }
        // As everywhere in the process: whoever supervises it starts it again.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => {}
    }
}

/// Tells of a level that is not what it was the last time: read, or missing for another reason.
fn tell(state: &State, subject: &Subject, treatment: &Result<f64, Missing>) {
    let record = state.rollout(&subject.environment, subject.rollout);
    let rollout = record.map(|record| record.name()).unwrap_or_default();
    let Subject {
        environment, metric, ..
    } = subject;
    match treatment {
        Ok(value) => tracing::info!(%rollout, %environment, metric, value, "a level is read from Prometheus"),
        Err(missing) => tracing::warn!(%rollout, %environment, metric, %missing, "no level from Prometheus"),
    }
}

/// What a plan needs of a Prometheus that this control plane does not know.
pub(crate) fn lacking(plan: &Plan, levels: &Levels) -> Vec<Violation> {
    if levels.asks_prometheus() {
        return Vec::new();
    }
    let metrics = plan.metrics.iter().enumerate();
    let asked = metrics.filter(|(_, own)| own.prometheus.is_some());
    let lacking = asked.map(|(at, own)| Violation {
        field: format!("metrics[{at}].prometheus"),
        description: format!(
            "{} is asked of Prometheus, and {NOT_TOLD}; or leave prometheus out and push the level",
            own.key
        ),
    });
    lacking.collect()
}

/// The metrics of a rollout that are asked for, each with why it may not have been read yet.
pub(crate) fn awaited(record: &RolloutRecord, asks: bool) -> impl Iterator<Item = (String, &'static str)> + '_ {
    let why = if asks { "it was not asked for yet" } else { NOT_TOLD };
    let asked = question::queries(record).filter(|_| record.state.phase.is_live());
    asked.map(move |(metric, ..)| (metric, why))
}

#[cfg(test)]
mod tests;
