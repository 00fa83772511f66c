//! Why a flag serves what it does: every step up to the one that decided, and every rule.
//!
//! There is no second evaluator: `decide` says what it finds to a `Trace`, and an explanation is one that writes it down.
//! The decision within it is therefore the decision. Words never repeat what the context says: attribute values stand in
//! one field only, which the caller may leave out.

mod words;

pub(crate) use self::words::condition as condition_in_words;

use crate::compiled::{CompiledFlag, CompiledServe, Targeting};
use crate::context::Context;
use crate::decision::Decision;
use crate::json::Json;
use crate::snapshot::Snapshot;
use crate::test::{CompiledCondition, Conditions, Seen};
use crate::within::{self, Within};

/// Why a flag serves what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<'s> {
    /// What `evaluate` answers.
    pub decision: Decision<'s>,
    /// The steps that the flag has, in the order of deciding, up to the one that decided.
    pub steps: Vec<ExplainedStep>,
    /// All rules in order, also those after the one that decided.
    pub rules: Vec<ExplainedRule>,
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedStep {
    /// Which step.
    pub kind: StepKind,
    /// Whether it decided.
    pub decided: bool,
    /// In words.
    pub detail: String,
    /// The unit's bucket, if the step draws and the unit is known; 0 to 99,999. A rollout tells it also to who is in no
    /// audience.
    pub bucket: Option<u32>,
}

/// The steps in which a flag decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Disabled or killed.
    Off,
    /// Prerequisites.
    Prerequisites,
    /// The deny list and the allow lists.
    Lists,
    /// The rules.
    Rules,
    /// The rollout.
    Rollout,
    /// The default.
    Default,
}

/// One rule of an explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedRule {
    /// Its name.
    pub name: String,
    /// Whether all its conditions hold.
    pub matched: bool,
    /// The place, from 0, of the first condition that failed; none if it matched, and then the next four are empty.
    pub failed_condition: Option<usize>,
    /// That condition in words.
    pub condition: String,
    /// The attribute that it looks at; empty if it looks at none.
    pub attribute: String,
    /// What the context has there; none: nothing.
    pub value: Option<Json>,
    /// Why it failed, in words that do not tell the value.
    pub failure: String,
    /// The unit's bucket in this rule's split, if it has one and the unit is known.
    pub bucket: Option<u32>,
}

/// Who listens while a flag decides.
pub(crate) trait Trace {
    /// Whether anybody does. What only a listener needs is not worked out for nobody.
    fn listens(&self) -> bool;

    /// A step that the flag has came to its end.
    fn step(&mut self, kind: StepKind, decided: bool, bucket: Option<u32>, detail: impl FnOnce() -> String);

    /// The rule at this place was tried.
    fn rule(&mut self, targeting: &Targeting, at: usize, failed: Option<usize>, within: &Within<'_, '_>);
}

/// Nobody listens.
pub(crate) struct Untraced;

impl Trace for Untraced {
    #[inline(always)]
    fn listens(&self) -> bool {
        false
    }

    #[inline(always)]
    fn step(&mut self, _: StepKind, _: bool, _: Option<u32>, _: impl FnOnce() -> String) {}

    #[inline(always)]
    fn rule(&mut self, _: &Targeting, _: usize, _: Option<usize>, _: &Within<'_, '_>) {}
}

/// Writes down what is said.
struct Written<'f> {
    flag: &'f CompiledFlag,
    steps: Vec<ExplainedStep>,
    rules: Vec<ExplainedRule>,
}

impl CompiledFlag {
    /// Decides for one caller as `evaluate` does, and says why.
    pub fn explain<'s>(&'s self, within: &'s Snapshot, context: &Context) -> Explanation<'s> {
        let mut written = Written {
            flag: self,
            steps: Vec::new(),
            rules: Vec::new(),
        };
        let decision = self.decide(&Within::new(within, context, &within::budget()), &mut written);
        if let Some(targeting) = self.targeting.as_deref() {
            // Rules that the decision did not need.
            let budget = within::budget();
            let within = Within::new(within, context, &budget);
            let mut seen = Seen::default();
            for (at, run) in targeting.conditions.runs().iter().enumerate().skip(written.rules.len()) {
                let failed = targeting.conditions.first_failed(*run, &within, &mut seen);
                written.rule(targeting, at, failed, &within);
            }
        }
        Explanation {
            decision,
            steps: written.steps,
            rules: written.rules,
        }
    }
}

impl Trace for Written<'_> {
    fn listens(&self) -> bool {
        true
    }

    fn step(&mut self, kind: StepKind, decided: bool, bucket: Option<u32>, detail: impl FnOnce() -> String) {
        self.steps.push(ExplainedStep {
            kind,
            decided,
            detail: detail(),
            bucket,
        });
    }

    fn rule(&mut self, targeting: &Targeting, at: usize, failed: Option<usize>, within: &Within<'_, '_>) {
        let rule = &targeting.rules[at];
        let bucket = match &rule.serve {
            CompiledServe::Split(split) => self.flag.unit(within.context).map(|unit| split.draw(unit).0),
            CompiledServe::Variant(_) | CompiledServe::CallerDefault => None,
        };
        let mut explained = ExplainedRule {
            name: rule.name.to_string(),
            matched: failed.is_none(),
            failed_condition: failed,
            condition: String::new(),
            attribute: String::new(),
            value: None,
            failure: String::new(),
            bucket,
        };
        if let Some(failed) = failed {
            let (conditions, run) = (&targeting.conditions, targeting.conditions.runs()[at]);
            let condition = conditions.get(run, failed);
            explained.condition = targeting.words[run.first as usize + failed].to_string();
            explained.failure = failure(conditions, condition, within);
            if let Some(name) = conditions.name(condition) {
                explained.attribute = name.as_str(&conditions.pool).to_owned();
                explained.value = name.find(&conditions.pool, within.context).cloned();
            }
        }
        self.rules.push(explained);
    }
}

/// Why a condition does not hold.
fn failure(conditions: &Conditions, condition: &CompiledCondition, within: &Within<'_, '_>) -> String {
    // What is asked for the explanation must not be missing in the decision.
    let budget = within::budget();
    let within = Within::new(within.snapshot, within.context, &budget);
    match conditions.answer(condition, &within, &mut Seen::default()) {
        Err(mute) => mute.to_string(),
        Ok(true) => "the test passes, and the condition is that it does not".to_owned(),
        Ok(false) => words::failure(&condition.test, &within),
    }
}
