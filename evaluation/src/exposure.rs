//! An exposure: a unit got an arm of a rollout.
//!
//! These are the parts that evaluation knows of an exposure token; the time, the agent and the authentication are added
//! at the door. Only the rollout step gives one: units served by lists, rules or the default are outside the rollout.

use crate::position::Position;

/// One of the two sides of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Arm {
    /// What was before.
    Control = 0,
    /// What is rolled out.
    Treatment = 1,
}

/// A number that names no arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an arm")]
pub struct UnknownArm(pub u8);

/// Which unit got which arm, and where in the rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exposure {
    /// The rollout's index in its environment.
    pub rollout: u32,
    /// The current stage, 0 to 15.
    pub stage: u8,
    /// The reached stage that gave the unit its share, 0 to 15.
    pub stratum: u8,
    /// What the unit got.
    pub arm: Arm,
    /// Where the unit lies in the rollout.
    pub position: Position,
}

impl TryFrom<u8> for Arm {
    type Error = UnknownArm;

    fn try_from(number: u8) -> Result<Arm, UnknownArm> {
        match number {
            0 => Ok(Arm::Control),
            1 => Ok(Arm::Treatment),
            unknown => Err(UnknownArm(unknown)),
        }
    }
}

impl From<Arm> for u8 {
    fn from(arm: Arm) -> u8 {
        arm as u8
    }
}
