//! The rollout step: an active rollout, folded into its flag for as long as it runs.
//!
//! The control plane compiles plan and stage down to this, so that agents know nothing of plans. It exists in the
//! snapshot only and never in the flag as written; an abort leaves it out. Who matches the audience of several reached
//! stages gets the largest share of these: the compiled stages stand in that order, and the first that matches gives it.

use crate::attribute::AttributeName;
use crate::bucket::Salted;
use crate::compiled::VariantIndex;
use crate::exposure::Arm;
use crate::percentage::Buckets;
use crate::within::{Name, Within};

/// What a flag's evaluation must know of the rollout that holds the flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutStep {
    /// The rollout's index in its environment.
    pub rollout: u32,
    /// Keys the positions of units; differs from the salt.
    pub measuring_key: u128,
    /// Draws the buckets of this rollout; 1 to 64 bytes without a colon.
    pub salt: String,
    /// The attributes that name the unit for bucket and position: the first that the context has; at most 4. Empty: those
    /// of the flag.
    pub bucket_by: Vec<String>,
    /// The variant of the treatment arm.
    pub treatment: String,
    /// The variant of the control arm.
    pub control: String,
    /// Units are assigned to their arms and exposed as ever, but both arms are served the control's variant.
    pub shadow: bool,
    /// The current stage; one of those reached.
    pub stage: u8,
    /// Every stage reached so far in the order reached, the current included; 1 to 16.
    pub reached: Vec<ReachedStage>,
}

/// A stage that has been reached: its share keeps counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedStage {
    /// The stage, 0 to 15.
    pub stage: u8,
    /// The treatment's share of the buckets.
    pub share: Buckets,
    /// The segments, any of which must have the caller; at most 16. Empty: everybody.
    pub audience: Vec<String>,
}

/// A rollout step as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledStep {
    /// The rollout's index.
    pub(crate) rollout: u32,
    /// The current stage.
    pub(crate) stage: u8,
    /// Whether both arms are served the control's variant; `treatment` is that one then.
    pub(crate) shadow: bool,
    /// What the treatment arm is served.
    pub(crate) treatment: VariantIndex,
    /// What the control arm is served.
    pub(crate) control: VariantIndex,
    /// The reached stage that is for everybody, tried last: stages with smaller shares could give nobody one.
    pub(crate) for_all: Stratum,
    /// In a box, so that a step without any of it fits in one line of the nearest memory.
    pub(crate) special: Option<Box<Special>>,
    /// Draws the bucket.
    pub(crate) salted: Salted,
    /// Keys the position; big-endian.
    pub(crate) measuring_key: [u8; 16],
}

/// What only some steps have.
#[derive(Debug)]
pub(crate) struct Special {
    /// Reached stages that are for some, the larger share first, of equal ones the earlier.
    pub(crate) for_some: Box<[Audience]>,
    /// Whether no reached stage is for everybody: who is in none of the audiences is outside, whatever `for_all` says.
    pub(crate) is_closed: bool,
    /// What names the unit (empty: the targeting key); none: what names it for the flag.
    pub(crate) bucket_by: Option<Box<[AttributeName]>>,
}

/// A reached stage that is for some.
#[derive(Debug)]
pub(crate) struct Audience {
    /// Any of them must have the caller. None is asked for an earlier audience.
    pub(crate) segments: Box<[Name]>,
    /// What it gives.
    pub(crate) stratum: Stratum,
}

/// The reached stage that gives a unit its share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stratum {
    /// The stage.
    pub(crate) stage: u8,
    /// Buckets below this get the treatment.
    pub(crate) share: u32,
}

impl CompiledStep {
    /// The reached stage that gives the caller its share, with the segment that has it (none: it is for everybody); none
    /// if the caller is in no audience. A segment that cannot be asked any more does not have the caller.
    #[inline]
    pub(crate) fn stratum(&self, within: &Within<'_, '_>) -> Option<(Stratum, Option<&Name>)> {
        match &self.special {
            None => Some((self.for_all, None)),
            Some(special) => special
                .stratum(within)
                .or((!special.is_closed).then_some((self.for_all, None))),
        }
    }

    /// The arm of a bucket under a share, and what it is served.
    #[inline]
    pub(crate) fn given(&self, bucket: u32, share: u32) -> (Arm, VariantIndex) {
        if bucket < share {
            (Arm::Treatment, self.treatment)
        } else {
            (Arm::Control, self.control)
        }
    }

    /// The segments that may be asked, each once.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Name> {
        let for_some = self.special.iter().flat_map(|special| &special.for_some);
        for_some.flat_map(|audience| &audience.segments)
    }
}

impl Special {
    /// Kept out of the way of most steps, which have none of this.
    #[inline(never)]
    fn stratum(&self, within: &Within<'_, '_>) -> Option<(Stratum, Option<&Name>)> {
        self.for_some.iter().find_map(|audience| {
            let mut segments = audience.segments.iter();
            let segment = segments.find(|segment| within.in_segment(segment) == Some(true))?;
            Some((audience.stratum, Some(segment)))
        })
    }
}
