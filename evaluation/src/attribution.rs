//! Which exposure a served variant was, as told by somebody who has neither the token nor the whole context.
//!
//! Telemetry says which variant of a flag was served, perhaps to which targeting key, perhaps at which place of the
//! rollout. The one rule: an exposure is named only if nothing that is not told could have decided otherwise. Rules,
//! prerequisites and audiences read attributes that telemetry does not carry; under them a report without a place could
//! be of somebody outside the rollout, and who is mistaken for one arm more often than for the other would look like
//! harm. Such a report is ambiguous and names nothing.

use crate::bucket::Unit;
use crate::compiled::{CompiledFlag, Targeting};
use crate::context::Context;
use crate::exposure::{Arm, Exposure};
use crate::position::Position;
use crate::snapshot::Snapshot;
use crate::step::{CompiledStep, Stratum};

/// Where in a rollout an exposure lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The rollout's index in its environment.
    pub rollout: u32,
    /// The stage that was current, 0 to 15.
    pub stage: u8,
    /// The reached stage that gave the unit its share, 0 to 15.
    pub stratum: u8,
}

/// What is told of one evaluation of one flag.
#[derive(Clone, Copy, Debug)]
pub struct Served<'t> {
    /// The name of the variant that was served.
    pub variant: &'t str,
    /// The targeting key that it was served to, if that is told.
    pub targeting_key: Option<&'t str>,
    /// Where in the rollout, if that is told.
    pub place: Option<Place>,
    /// Whether the reason that is told says that something about the caller decided.
    pub is_targeted: bool,
}

/// The exposure that it was, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributed {
    /// Where in the rollout.
    pub place: Place,
    /// What the unit got.
    pub arm: Arm,
    /// Where the unit lies in the rollout; none: it is not known who it was.
    pub position: Option<Position>,
}

/// Why a report names no exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unattributed {
    /// No rollout holds the flag.
    #[error("no rollout holds the flag")]
    NoRollout,
    /// The place is of another rollout than the one that holds the flag.
    #[error("another rollout holds the flag by now")]
    AnotherRollout,
    /// Neither arm is served this variant, or something else than the rollout decided.
    #[error("the rollout did not decide")]
    NotExposed,
    /// What is told does not tell whether the rollout decided, or for which arm.
    #[error("what is told does not tell the arm")]
    Ambiguous,
    /// The unit is of the other arm, as this has it: another stage was current, or the targeting key is not the one that
    /// was drawn.
    #[error("the unit is of the other arm by now")]
    OtherArm(Attributed),
}

impl CompiledFlag {
    /// The exposure that the rollout which holds this flag gave when it served so.
    ///
    /// A place that is told is believed and need not be the current one. Without a place it is the current stage, and
    /// the flag must decide by nothing but the targeting key.
    ///
    /// # Errors
    /// If no exposure can be named; see [`Unattributed`].
    pub fn attribute(&self, within: &Snapshot, served: &Served<'_>) -> Result<Attributed, Unattributed> {
        let targeting = self.targeting.as_deref().ok_or(Unattributed::NoRollout)?;
        let step = targeting.step.as_deref().ok_or(Unattributed::NoRollout)?;
        let unit = served
            .targeting_key
            .filter(|key| !key.is_empty() && self.draws_targeting_keys(step));
        match (served.place, unit) {
            (Some(place), unit) => self.placed(step, place, served.variant, unit),
            (None, _) if !targeting.decides_by_targeting_key() => Err(Unattributed::Ambiguous),
            (None, Some(unit)) => self.decided_again(within, served.variant, unit),
            (None, None) => self.by_variant(targeting, step, served),
        }
    }

    /// At the place that is told.
    fn placed(
        &self,
        step: &CompiledStep,
        place: Place,
        variant: &str,
        unit: Option<&str>,
    ) -> Result<Attributed, Unattributed> {
        if place.rollout != step.rollout {
            return Err(Unattributed::AnotherRollout);
        }
        let told = self.arm_of(step, variant)?;
        let drawn = unit.zip(step.share_of(place.stratum));
        let drawn = drawn.map(|(unit, share)| step.given(step.salted.bucket(Unit::Text(unit)), share).0);
        let arm = drawn.or(told).ok_or(Unattributed::Ambiguous)?;
        let position = unit.map(|unit| Position::of_unit(&step.measuring_key, Unit::Text(unit)));
        let attributed = Attributed { place, arm, position };
        if told.is_some_and(|told| told != arm) {
            return Err(Unattributed::OtherArm(attributed));
        }
        Ok(attributed)
    }

    /// By deciding once more, for somebody of whom nothing but the targeting key matters.
    fn decided_again(&self, within: &Snapshot, variant: &str, unit: &str) -> Result<Attributed, Unattributed> {
        let decision = self.evaluate(within, &Context::new().with_targeting_key(unit));
        let exposure = decision.exposure.ok_or(Unattributed::NotExposed)?;
        if decision.variant == Some(variant) {
            Ok(exposure.into())
        } else {
            Err(Unattributed::OtherArm(exposure.into()))
        }
    }

    /// By the variant alone: somebody unknown got it.
    fn by_variant(
        &self,
        targeting: &Targeting,
        step: &CompiledStep,
        served: &Served<'_>,
    ) -> Result<Attributed, Unattributed> {
        // Lists decide with the same reason, and who names no unit gets the control with another.
        if !targeting.listed.is_empty() || !served.is_targeted {
            return Err(Unattributed::Ambiguous);
        }
        let arm = self.arm_of(step, served.variant)?.ok_or(Unattributed::Ambiguous)?;
        let place = Place {
            rollout: step.rollout,
            stage: step.stage,
            stratum: step.for_all.stage,
        };
        Ok(Attributed {
            place,
            arm,
            position: None,
        })
    }

    /// The arm that is served a variant; none: both are.
    fn arm_of(&self, step: &CompiledStep, variant: &str) -> Result<Option<Arm>, Unattributed> {
        let is = |index: usize| self.variants.get(index).is_some_and(|held| *held.name == *variant);
        let treatment = is(usize::from(step.treatment.0));
        let control = is(usize::from(step.control.0));
        match (treatment, control) {
            (true, true) => Ok(None),
            (true, false) => Ok(Some(Arm::Treatment)),
            (false, true) => Ok(Some(Arm::Control)),
            (false, false) => Err(Unattributed::NotExposed),
        }
    }

    /// Whether the rollout's unit is the targeting key, whatever else a context has.
    fn draws_targeting_keys(&self, step: &CompiledStep) -> bool {
        let own = step.special.as_ref().and_then(|special| special.bucket_by.as_ref());
        own.map_or(self.by_targeting_key, |names| names.is_empty())
    }
}

impl Targeting {
    /// Whether the rollout decides for everybody whom no list has.
    fn decides_by_targeting_key(&self) -> bool {
        let is_for_all = |step: &CompiledStep| {
            let special = step.special.as_ref();
            special.is_none_or(|special| special.for_some.is_empty() && !special.is_closed)
        };
        self.rules.is_empty() && self.prerequisites.is_empty() && self.step.as_deref().is_some_and(is_for_all)
    }
}

impl CompiledStep {
    /// The share that a reached stage gives; none if it gives nobody any.
    fn share_of(&self, stage: u8) -> Option<u32> {
        let for_some = self.special.iter().flat_map(|special| &special.for_some);
        let mut strata = for_some.map(|audience| audience.stratum).chain(self.for_all());
        strata
            .find(|stratum| stratum.stage == stage)
            .map(|stratum| stratum.share)
    }

    /// The reached stage that is for everybody, if there is one.
    fn for_all(&self) -> Option<Stratum> {
        let is_closed = self.special.as_ref().is_some_and(|special| special.is_closed);
        (!is_closed).then_some(self.for_all)
    }
}

impl From<Exposure> for Attributed {
    fn from(exposure: Exposure) -> Attributed {
        let Exposure {
            rollout,
            stage,
            stratum,
            arm,
            position,
        } = exposure;
        Attributed {
            place: Place {
                rollout,
                stage,
                stratum,
            },
            arm,
            position: Some(position),
        }
    }
}
