//! The order in which a flag decides: off, lists, rules, rollout, default.
//!
//! The first step that decides ends it. Nothing is allocated and nothing is looked up outside the compiled flag, so an
//! evaluation costs what its deepest step costs. A split without a targeting key is an answer, not a failure: the
//! caller's default, with the reason why.

use crate::compiled::{CompiledFlag, CompiledServe, Listed, VariantIndex};
use crate::context::Context;
use crate::decision::{Decision, EvaluationError, Reason};
use crate::exposure::{Arm, Exposure};
use crate::position::Position;

impl CompiledFlag {
    /// Decides for one caller.
    ///
    /// Under a rollout a context without a targeting key is nobody that could be counted: it gets the plan's control,
    /// with reason `Default` and no exposure.
    pub fn evaluate<'s>(&'s self, context: &Context) -> Decision<'s> {
        if !self.on {
            return self.off(Reason::Disabled);
        }
        let unit = context.targeting_key();
        if let Some(listed) = self.listed(unit) {
            return match listed {
                Listed::Denied => self.off(Reason::TargetingMatch),
                Listed::Allowed(variant) => self.variant(variant, Reason::TargetingMatch),
            };
        }
        if let Some(rule) = self.rules.iter().find(|rule| rule.matches(&self.conditions, context)) {
            return Decision {
                rule: Some(&rule.name),
                ..self.serve(&rule.serve, unit, Reason::TargetingMatch)
            };
        }
        if let Some(decision) = self.rolled_out(unit) {
            return decision;
        }
        self.serve(
            &self.default,
            unit,
            if self.constant { Reason::Static } else { Reason::Default },
        )
    }

    /// What the lists say about the unit.
    fn listed(&self, unit: Option<&str>) -> Option<Listed> {
        if self.listed.is_empty() {
            None
        } else {
            self.listed.get(unit?).copied()
        }
    }

    /// What the rollout says, if one holds the flag.
    fn rolled_out<'s>(&'s self, unit: Option<&str>) -> Option<Decision<'s>> {
        let step = self.step.as_deref()?;
        let Some(unit) = unit else {
            return Some(self.variant(step.control, Reason::Default));
        };
        let bucket = step.salted.bucket(unit);
        let (arm, variant) = if bucket < step.share {
            (Arm::Treatment, step.treatment)
        } else {
            (Arm::Control, step.control)
        };
        let position = Position::of(step.measuring_key, unit);
        let exposure = Exposure {
            rollout: step.rollout,
            stage: step.stage,
            stratum: step.stratum,
            arm,
            position,
        };
        Some(Decision {
            exposure: Some(exposure),
            bucket: Some(bucket),
            ..self.variant(variant, Reason::Split)
        })
    }

    /// What a rule or the default serves; `reason` unless it is a split.
    fn serve<'s>(&'s self, serve: &CompiledServe, unit: Option<&str>, reason: Reason) -> Decision<'s> {
        match serve {
            CompiledServe::Variant(variant) => self.variant(*variant, reason),
            CompiledServe::CallerDefault => caller_default(reason),
            CompiledServe::Split(split) => {
                let Some(unit) = unit else {
                    let error = Some(EvaluationError::TargetingKeyMissing);
                    return Decision {
                        error,
                        ..caller_default(Reason::Error)
                    };
                };
                let (bucket, holder) = split.draw(unit);
                Decision {
                    bucket: Some(bucket),
                    ..self.variant_or_caller_default(holder, Reason::Split)
                }
            }
        }
    }

    /// The off variant, or the caller's default if the flag has none.
    fn off(&self, reason: Reason) -> Decision<'_> {
        self.variant_or_caller_default(self.off, reason)
    }

    fn variant_or_caller_default(&self, variant: Option<VariantIndex>, reason: Reason) -> Decision<'_> {
        variant.map_or(caller_default(reason), |variant| self.variant(variant, reason))
    }

    fn variant(&self, variant: VariantIndex, reason: Reason) -> Decision<'_> {
        let variant = &self.variants[usize::from(variant.0)];
        Decision {
            value: Some(&variant.value),
            variant: Some(&variant.name),
            ..caller_default(reason)
        }
    }
}

/// No value of the flag.
fn caller_default<'s>(reason: Reason) -> Decision<'s> {
    Decision {
        value: None,
        variant: None,
        reason,
        rule: None,
        exposure: None,
        bucket: None,
        error: None,
    }
}
