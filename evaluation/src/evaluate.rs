//! The order in which a flag decides: off, prerequisites, lists, rules, rollout, default.
//!
//! The first step that decides ends it. Nothing is allocated, and nothing is looked up outside the compiled flag but the
//! flags and segments that it names. A split without a unit is an answer, not a failure: the caller's default, with the
//! reason why. `explain` runs this very code and listens to what it says on the way; otherwise nobody listens, and the
//! saying costs nothing.

use crate::attribute::AttributeName;
use crate::bucket::Unit;
use crate::compiled::{CompiledFlag, CompiledServe, CompiledWhenStale, Listed, State, Targeting, VariantIndex};
use crate::context::Context;
use crate::decision::{Decision, EvaluationError, Reason};
use crate::explain::{StepKind, Trace, Untraced};
use crate::exposure::Exposure;
use crate::json::Json;
use crate::position::Position;
use crate::snapshot::Snapshot;
use crate::test::Seen;
use crate::within::{self, Within};

impl CompiledFlag {
    /// Decides for one caller. `within` has the flags and segments that this one names.
    ///
    /// Under a rollout a context without a unit is nobody that could be counted: it gets the plan's control, with reason
    /// `Default` and no exposure. Who is in no audience of a reached stage gets the default, with no exposure either. What
    /// other flags decide on the way is never an exposure.
    pub fn evaluate<'s>(&'s self, within: &'s Snapshot, context: &Context) -> Decision<'s> {
        self.decide(&Within::new(within, context, &within::budget()), &mut Untraced)
    }

    /// Decides for one caller from a snapshot that is stale.
    ///
    /// A flag that keeps what the snapshot says decides as ever, with its own reason; one that falls back serves that, with
    /// reason `Stale` and no exposure. A flag that is disabled or killed stays so.
    pub fn evaluate_stale<'s>(&'s self, within: &'s Snapshot, context: &Context) -> Decision<'s> {
        match (self.state, self.when_stale) {
            (State::Disabled | State::Killed, _) => self.off(Reason::Disabled),
            (State::On, CompiledWhenStale::Keep) => self.evaluate(within, context),
            (State::On, CompiledWhenStale::Variant(variant)) => self.variant(variant, Reason::Stale),
            (State::On, CompiledWhenStale::Off) => self.off(Reason::Stale),
        }
    }

    /// Decides, and tells `trace` of every step.
    pub(crate) fn decide<'s>(&'s self, within: &Within<'s, '_>, trace: &mut impl Trace) -> Decision<'s> {
        let on = self.state == State::On;
        trace.step(StepKind::Off, !on, None, || self.state_in_words());
        if !on {
            return self.off(Reason::Disabled);
        }
        let Some(targeting) = self.targeting.as_deref() else {
            return self.by_default(within, Reason::Static, trace);
        };
        self.targeted(targeting, within, trace).unwrap_or_else(|| {
            let reason = if targeting.decides() {
                Reason::Default
            } else {
                Reason::Static
            };
            self.by_default(within, reason, trace)
        })
    }

    /// What decides before the default, if it does.
    #[inline]
    fn targeted<'s>(
        &'s self,
        targeting: &'s Targeting,
        within: &Within<'s, '_>,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        if let Some(flag) = targeting.unmet_prerequisite(within, trace) {
            return Some(Decision {
                prerequisite: Some(flag),
                ..self.off(Reason::TargetingMatch)
            });
        }
        if let Some(listed) = targeting.listed(within, trace) {
            return Some(match listed {
                Listed::Denied => self.off(Reason::TargetingMatch),
                Listed::Allowed(variant) => self.variant(variant, Reason::TargetingMatch),
            });
        }
        self.ruled(targeting, within, trace)
            .or_else(|| self.rolled_out(targeting, within, trace))
    }

    /// What the first rule that matches serves.
    #[inline]
    fn ruled<'s>(
        &'s self,
        targeting: &'s Targeting,
        within: &Within<'s, '_>,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        if targeting.rules.is_empty() {
            return None;
        }
        let mut seen = Seen::default();
        for (at, run) in targeting.conditions.runs().iter().enumerate() {
            let failed = targeting.conditions.first_failed(*run, within, &mut seen);
            trace.rule(targeting, at, failed, within);
            if failed.is_none() {
                let rule = &targeting.rules[at];
                let decision = Decision {
                    rule: Some(&rule.name),
                    ..self.serve(&rule.serve, within, Reason::TargetingMatch)
                };
                trace.step(StepKind::Rules, true, decision.bucket, || {
                    format!("rule {} matches", rule.name)
                });
                return Some(decision);
            }
        }
        trace.step(StepKind::Rules, false, None, || "no rule matches".to_owned());
        None
    }

    /// What the rollout says, if one holds the flag and the caller is in the audience of a reached stage.
    fn rolled_out<'s>(
        &'s self,
        targeting: &'s Targeting,
        within: &Within<'s, '_>,
        trace: &mut impl Trace,
    ) -> Option<Decision<'s>> {
        let step = targeting.step.as_deref()?;
        let own = step.special.as_ref().and_then(|special| special.bucket_by.as_ref());
        let unit = || match own {
            Some(names) => unit(names, targeting, within.context),
            None => self.unit(within.context),
        };
        let Some((stratum, segment)) = step.stratum(within) else {
            // Nothing is drawn for who is in no audience; only people who ask want to know what would have been.
            let bucket = trace.listens().then(unit).flatten();
            let bucket = bucket.map(|unit| step.salted.bucket(unit));
            trace.step(StepKind::Rollout, false, bucket, || step.passed_in_words());
            return None;
        };
        let Some(unit) = unit() else {
            let decision = self.variant(step.control, Reason::Default);
            trace.step(StepKind::Rollout, true, None, || {
                "nobody to draw: the control".to_owned()
            });
            return Some(decision);
        };
        let bucket = step.salted.bucket(unit);
        let (arm, variant) = step.given(bucket, stratum.share);
        trace.step(StepKind::Rollout, true, Some(bucket), || {
            step.in_words(stratum, segment, arm)
        });
        let exposure = Exposure {
            rollout: step.rollout,
            stage: step.stage,
            stratum: stratum.stage,
            arm,
            position: Position::of_unit(&step.measuring_key, unit),
        };
        Some(Decision {
            exposure: Some(exposure),
            shadow: step.shadow,
            bucket: Some(bucket),
            ..self.variant(variant, Reason::Split)
        })
    }

    /// What the default serves.
    #[inline]
    fn by_default<'s>(&'s self, within: &Within<'s, '_>, reason: Reason, trace: &mut impl Trace) -> Decision<'s> {
        let reason = match self.default {
            CompiledServe::Variant(_) => reason,
            CompiledServe::Split(_) | CompiledServe::CallerDefault => Reason::Default,
        };
        let decision = self.serve(&self.default, within, reason);
        trace.step(StepKind::Default, true, decision.bucket, || {
            self.default_in_words(&decision)
        });
        decision
    }

    /// What a rule or the default serves; `reason` unless it is a split.
    #[inline]
    fn serve<'s>(&'s self, serve: &CompiledServe, within: &Within<'s, '_>, reason: Reason) -> Decision<'s> {
        match serve {
            CompiledServe::Variant(variant) => self.variant(*variant, reason),
            CompiledServe::CallerDefault => caller_default(reason),
            CompiledServe::Split(split) => {
                let Some(unit) = self.unit(within.context) else {
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

    /// Who is drawn: the first of the bucketing attributes that the context has as a text or number.
    #[inline]
    pub(crate) fn unit<'c>(&self, context: &'c Context) -> Option<Unit<'c>> {
        if self.by_targeting_key {
            return context.targeting_key().map(Unit::Text);
        }
        let targeting = self.targeting.as_ref()?;
        unit(&targeting.bucket_by, targeting, context)
    }

    /// The off variant, or the caller's default if the flag has none.
    fn off(&self, reason: Reason) -> Decision<'_> {
        self.variant_or_caller_default(self.off, reason)
    }

    #[inline]
    fn variant_or_caller_default(&self, variant: Option<VariantIndex>, reason: Reason) -> Decision<'_> {
        variant.map_or(caller_default(reason), |variant| self.variant(variant, reason))
    }

    #[inline]
    fn variant(&self, variant: VariantIndex, reason: Reason) -> Decision<'_> {
        let variant = &self.variants[usize::from(variant.0)];
        Decision {
            value: Some(&variant.value),
            variant: Some(&variant.name),
            ..caller_default(reason)
        }
    }
}

impl Targeting {
    /// The first flag that does not serve what it must.
    fn unmet_prerequisite<'s>(&'s self, within: &Within<'s, '_>, trace: &mut impl Trace) -> Option<&'s str> {
        for prerequisite in &self.prerequisites {
            let served = within.served_by(&prerequisite.flag);
            let met = served
                .flatten()
                .is_some_and(|served| prerequisite.variants.iter().any(|variant| **variant == *served));
            if !met {
                trace.step(StepKind::Prerequisites, true, None, || {
                    prerequisite.unmet_in_words(served)
                });
                return Some(prerequisite.flag.as_str());
            }
        }
        if !self.prerequisites.is_empty() {
            trace.step(StepKind::Prerequisites, false, None, || "all are met".to_owned());
        }
        None
    }

    /// What the lists say about the caller.
    fn listed(&self, within: &Within<'_, '_>, trace: &mut impl Trace) -> Option<Listed> {
        if self.listed.is_empty() {
            return None;
        }
        let found = within.context.targeting_key().and_then(|unit| self.listed.find(unit));
        let listed = found.map(|place| self.decided[place]);
        trace.step(StepKind::Lists, listed.is_some(), None, || {
            let list = match listed {
                Some(Listed::Denied) => "the deny list has the targeting key",
                Some(Listed::Allowed(_)) => "an allow list has the targeting key",
                None => "no list has the targeting key",
            };
            list.to_owned()
        });
        listed
    }
}

/// Who is drawn by these names, whose texts the flag's conditions have: the first that the context has as a text or
/// number. Without names: the targeting key.
#[inline]
fn unit<'c>(names: &[AttributeName], targeting: &Targeting, context: &'c Context) -> Option<Unit<'c>> {
    if names.is_empty() {
        return context.targeting_key().map(Unit::Text);
    }
    let mut names = names.iter();
    names.find_map(|name| unit_of(name.find(&targeting.conditions.pool, context)?))
}

/// The unit that an attribute names.
fn unit_of(attribute: &Json) -> Option<Unit<'_>> {
    match attribute {
        Json::Text(text) => Some(text).filter(|text| !text.is_empty()).map(|text| Unit::Text(text)),
        // Adding zero makes one of the two zeros.
        Json::Number(number) => number.is_finite().then_some(Unit::Number(*number + 0.0)),
        Json::Null | Json::Boolean(_) | Json::List(_) | Json::Object(_) => None,
    }
}

/// No value of the flag.
#[inline]
fn caller_default<'s>(reason: Reason) -> Decision<'s> {
    Decision {
        value: None,
        variant: None,
        reason,
        rule: None,
        prerequisite: None,
        exposure: None,
        shadow: false,
        bucket: None,
        error: None,
    }
}
