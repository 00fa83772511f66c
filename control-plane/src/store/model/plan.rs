//! The stored form of a plan, frozen in its rollout.

use prost::Message;
use rollout::{Guard, Level, Metric, Plan, Share, Stage, Unit};

use super::{ModelError, SCHEMA};

/// A plan as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredPlan {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    flag: String,
    #[prost(string, tag = "4")]
    description: String,
    #[prost(string, tag = "5")]
    treatment: String,
    #[prost(string, tag = "6")]
    control: String,
    /// 1 unit, 2 request.
    #[prost(uint32, tag = "7")]
    unit: u32,
    #[prost(message, repeated, tag = "8")]
    stages: Vec<StoredStage>,
    #[prost(message, repeated, tag = "9")]
    guards: Vec<StoredGuard>,
    #[prost(double, tag = "10")]
    alpha: f64,
    #[prost(double, tag = "11")]
    max_control_rate: f64,
    #[prost(int64, tag = "12")]
    lost_after_us: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredStage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    buckets: u32,
    #[prost(int64, tag = "3")]
    dwell_us: i64,
    #[prost(uint64, tag = "4")]
    minimum_outcomes: u64,
    #[prost(uint64, tag = "5")]
    minimum_units: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredGuard {
    /// 1 error rate.
    #[prost(uint32, tag = "1")]
    metric: u32,
    #[prost(double, tag = "2")]
    limit: f64,
    /// 1 warn, 2 hold, 3 abort.
    #[prost(uint32, tag = "3")]
    level: u32,
}

impl From<&Plan> for StoredPlan {
    fn from(plan: &Plan) -> Self {
        Self {
            schema: SCHEMA,
            key: plan.key.clone(),
            flag: plan.flag.clone(),
            description: plan.description.clone(),
            treatment: plan.treatment.clone(),
            control: plan.control.clone(),
            unit: match plan.unit {
                Unit::Unit => 1,
                Unit::Request => 2,
            },
            stages: plan
                .stages
                .iter()
                .map(|stage| StoredStage {
                    name: stage.name.clone(),
                    buckets: stage.share.get(),
                    dwell_us: stage.dwell_us,
                    minimum_outcomes: stage.minimum_outcomes,
                    minimum_units: stage.minimum_units,
                })
                .collect(),
            guards: plan.guards.iter().map(write_guard).collect(),
            alpha: plan.alpha,
            max_control_rate: plan.max_control_rate,
            lost_after_us: plan.lost_after_us,
        }
    }
}

fn write_guard(guard: &Guard) -> StoredGuard {
    let metric = match guard.metric {
        Metric::ErrorRate => 1,
    };
    let level = match guard.level {
        Level::Warn => 1,
        Level::Hold => 2,
        Level::Abort => 3,
    };
    StoredGuard {
        metric,
        limit: guard.limit,
        level,
    }
}

impl StoredPlan {
    /// The plan.
    pub(super) fn read(self) -> Result<Plan, ModelError> {
        Ok(Plan {
            key: self.key,
            flag: self.flag,
            description: self.description,
            treatment: self.treatment,
            control: self.control,
            unit: match self.unit {
                1 => Unit::Unit,
                2 => Unit::Request,
                _ => return Err(ModelError::Field("plan.unit")),
            },
            stages: self.stages.into_iter().map(read_stage).collect::<Result<_, _>>()?,
            guards: self.guards.into_iter().map(read_guard).collect::<Result<_, _>>()?,
            alpha: self.alpha,
            max_control_rate: self.max_control_rate,
            lost_after_us: self.lost_after_us,
        })
    }
}

fn read_stage(stage: StoredStage) -> Result<Stage, ModelError> {
    Ok(Stage {
        name: stage.name,
        share: Share::new(stage.buckets).ok_or(ModelError::Field("plan.stages.buckets"))?,
        dwell_us: stage.dwell_us,
        minimum_outcomes: stage.minimum_outcomes,
        minimum_units: stage.minimum_units,
    })
}

fn read_guard(guard: StoredGuard) -> Result<Guard, ModelError> {
    let metric = match guard.metric {
        1 => Metric::ErrorRate,
        _ => return Err(ModelError::Field("plan.guards.metric")),
    };
    let level = match guard.level {
        1 => Level::Warn,
        2 => Level::Hold,
        3 => Level::Abort,
        _ => return Err(ModelError::Field("plan.guards.level")),
    };
    Ok(Guard {
        metric,
        limit: guard.limit,
        level,
    })
}
