//! The stored form of how far a rollout came.

use prost::Message;
use rollout::{
    HoldReason, Horizon, Phase, State, Visit,
    state::{Desk, Planned},
};

use super::{ModelError, desk::StoredDesk};

/// A state as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredState {
    /// See `PHASES`.
    #[prost(uint32, tag = "1")]
    phase: u32,
    /// See `REASONS`.
    #[prost(uint32, repeated, tag = "2")]
    holds: Vec<u32>,
    #[prost(uint64, tag = "3")]
    sequence: u64,
    #[prost(uint32, tag = "4")]
    stage: u32,
    #[prost(message, repeated, tag = "5")]
    visits: Vec<StoredVisit>,
    #[prost(message, repeated, tag = "6")]
    horizons: Vec<StoredVisit>,
    #[prost(int64, tag = "7")]
    soaked_us: i64,
    #[prost(int64, tag = "8")]
    observed_at_us: i64,
    #[prost(int64, tag = "9")]
    fresh_at_us: i64,
    #[prost(int64, tag = "10")]
    entered_at_us: i64,
    #[prost(int64, optional, tag = "11")]
    clock_started_at_us: Option<i64>,
    #[prost(int64, optional, tag = "12")]
    alone_since_us: Option<i64>,
    #[prost(int64, optional, tag = "13")]
    ended_at_us: Option<i64>,
    #[prost(uint32, tag = "14")]
    extensions: u32,
    #[prost(int64, tag = "15")]
    extended_us: i64,
    #[prost(int64, optional, tag = "16")]
    baking_since_us: Option<i64>,
    #[prost(message, optional, tag = "17")]
    desk: Option<StoredDesk>,
    #[prost(message, optional, tag = "18")]
    planned: Option<StoredPlanned>,
}

/// What the budget was planned for.
#[derive(Clone, PartialEq, Message)]
struct StoredPlanned {
    #[prost(uint64, tag = "1")]
    horizons: u64,
    #[prost(uint64, tag = "2")]
    compared: u64,
    #[prost(uint64, tag = "3")]
    uncompared: u64,
    #[prost(btree_map = "uint32, int64", tag = "4")]
    dwells_us: std::collections::BTreeMap<u32, i64>,
}

/// A visit, or a horizon (whose visit is 0).
#[derive(Clone, PartialEq, Message)]
struct StoredVisit {
    #[prost(uint32, tag = "1")]
    stage: u32,
    #[prost(uint32, tag = "2")]
    visit: u32,
    #[prost(int64, tag = "3")]
    at_us: i64,
}

/// Phases and their numbers in the store.
const PHASES: [(Phase, u32); 15] = [
    (Phase::Ramp, 1),
    (Phase::Soak, 2),
    (Phase::Held, 3),
    (Phase::Aborting, 4),
    (Phase::Aborted, 5),
    (Phase::Completed, 6),
    (Phase::Draft, 7),
    (Phase::Ready, 8),
    (Phase::AwaitingStart, 9),
    (Phase::Gate, 10),
    (Phase::Paused, 11),
    (Phase::Baking, 12),
    (Phase::RolledBack, 13),
    (Phase::Superseded, 14),
    (Phase::Expired, 15),
];

/// Reasons of a hold and their numbers in the store.
const REASONS: [(HoldReason, u32); 17] = [
    (HoldReason::NoAgents, 1),
    (HoldReason::NoTraffic, 2),
    (HoldReason::NoTreatmentTraffic, 3),
    (HoldReason::TooFewOutcomes, 4),
    (HoldReason::TooFewUnits, 5),
    (HoldReason::Stale, 6),
    (HoldReason::Evidence, 7),
    (HoldReason::FlagOff, 8),
    (HoldReason::Person, 9),
    (HoldReason::Fix, 10),
    (HoldReason::Inconclusive, 11),
    (HoldReason::Rule, 12),
    (HoldReason::Incident, 13),
    (HoldReason::SpillOver, 14),
    (HoldReason::SampleRatio, 15),
    (HoldReason::Telemetry, 16),
    (HoldReason::Early, 17),
];

/// The number of a reason.
pub(super) fn write_reason(reason: HoldReason) -> u32 {
    number_of(&REASONS, &reason)
}

/// The reason of a number.
pub(super) fn read_reason(number: u32, field: &'static str) -> Result<HoldReason, ModelError> {
    of_number(&REASONS, number, field)
}

fn number_of<T: PartialEq>(all: &[(T, u32)], one: &T) -> u32 {
    all.iter()
        .find(|(known, _)| known == one)
        .map_or(0, |(_, number)| *number)
}

fn of_number<T: Copy>(all: &[(T, u32)], number: u32, field: &'static str) -> Result<T, ModelError> {
    let found = all.iter().find(|(_, known)| *known == number);
    found.map(|(one, _)| *one).ok_or(ModelError::Field(field))
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        Self {
            phase: number_of(&PHASES, &state.phase),
            holds: state.holds.iter().map(|reason| write_reason(*reason)).collect(),
            sequence: state.sequence,
            stage: state.stage as u32,
            visits: state
                .visits
                .iter()
                .map(|visit| StoredVisit {
                    stage: visit.stage as u32,
                    visit: visit.visit,
                    at_us: visit.entered_at_us,
                })
                .collect(),
            horizons: state
                .horizons
                .iter()
                .map(|horizon| StoredVisit {
                    stage: horizon.stage as u32,
                    visit: 0,
                    at_us: horizon.started_at_us,
                })
                .collect(),
            soaked_us: state.soaked_us,
            observed_at_us: state.observed_at_us,
            fresh_at_us: state.fresh_at_us,
            entered_at_us: state.entered_at_us,
            clock_started_at_us: state.clock_started_at_us,
            alone_since_us: state.alone_since_us,
            ended_at_us: state.ended_at_us,
            extensions: state.extensions,
            extended_us: state.extended_us,
            baking_since_us: state.baking_since_us,
            desk: Some(StoredDesk::from(&state.desk)),
            planned: state.planned.as_ref().map(StoredPlanned::from),
        }
    }
}

impl StoredState {
    /// The state.
    pub(super) fn read(self) -> Result<State, ModelError> {
        let holds = self.holds.iter();
        let holds = holds.map(|number| read_reason(*number, "state.holds"));
        Ok(State {
            phase: of_number(&PHASES, self.phase, "state.phase")?,
            holds: holds.collect::<Result<_, _>>()?,
            sequence: self.sequence,
            stage: self.stage as usize,
            visits: self
                .visits
                .iter()
                .map(|visit| Visit {
                    stage: visit.stage as usize,
                    visit: visit.visit,
                    entered_at_us: visit.at_us,
                })
                .collect(),
            horizons: self
                .horizons
                .iter()
                .map(|horizon| Horizon {
                    stage: horizon.stage as usize,
                    started_at_us: horizon.at_us,
                })
                .collect(),
            soaked_us: self.soaked_us,
            extensions: self.extensions,
            extended_us: self.extended_us,
            observed_at_us: self.observed_at_us,
            fresh_at_us: self.fresh_at_us,
            entered_at_us: self.entered_at_us,
            clock_started_at_us: self.clock_started_at_us,
            baking_since_us: self.baking_since_us,
            alone_since_us: self.alone_since_us,
            ended_at_us: self.ended_at_us,
            desk: self.desk.map_or_else(|| Ok(Desk::default()), StoredDesk::read)?,
            planned: self.planned.map(StoredPlanned::read),
        })
    }
}

impl From<&Planned> for StoredPlanned {
    fn from(planned: &Planned) -> Self {
        Self {
            horizons: planned.horizons as u64,
            compared: planned.compared as u64,
            uncompared: planned.uncompared as u64,
            dwells_us: planned.dwells_us.clone(),
        }
    }
}

impl StoredPlanned {
    fn read(self) -> Planned {
        Planned {
            horizons: usize::try_from(self.horizons).unwrap_or(usize::MAX),
            compared: usize::try_from(self.compared).unwrap_or(usize::MAX),
            uncompared: usize::try_from(self.uncompared).unwrap_or(usize::MAX),
            dwells_us: self.dwells_us,
        }
    }
}
