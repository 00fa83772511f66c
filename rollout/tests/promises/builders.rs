//! Plans, facts and rollouts with good defaults, so that a test shows only what differs.

use std::collections::BTreeMap;

use rollout::{
    Act, ArmTotals, Delivery, EvidenceNumber, Facts, HoldReason, Measure, Micros, Phase, Plan, Refusal, Share, Stage,
    State, Step, Totals, Transition, act,
    calendar::Window,
    criterion::{Criterion, Estimates},
    duration::Dwell,
    next_deadline,
    plan::Item,
    step,
};

/// One second.
pub(crate) const SECOND_US: Micros = 1_000_000;
/// One hour.
pub(crate) const HOUR_US: Micros = 3_600 * SECOND_US;
/// When every rollout here starts: Sunday 2025-06-15 15:06:40 UTC.
pub(crate) const START_US: Micros = 1_750_000_000_000_000;
/// The hash of the plan that every rollout here is created with.
pub(crate) const HASH: u128 = 7;

/// A share in percent.
pub(crate) fn share(percent: f64) -> Share {
    Share::new((percent * 1_000.0) as u32).unwrap()
}

/// A stage that soaks for ten seconds.
pub(crate) fn stage(name: &str, percent: f64) -> Stage {
    Stage::new(name, share(percent), Dwell::For(10 * SECOND_US))
}

/// 5 %, 50 %, 100 %, ten seconds each, no bake.
pub(crate) fn plan() -> Plan {
    Plan {
        treatment: "new".to_owned(),
        control: "old".to_owned(),
        stages: vec![stage("canary", 5.0), stage("half", 50.0), stage("all", 100.0)],
        bake_us: 0,
        ..Plan::new("new-checkout", "checkout")
    }
}

/// As [`plan`], with these stages.
pub(crate) fn of_stages(stages: Vec<Stage>) -> Plan {
    Plan { stages, ..plan() }
}

/// A criterion as people write it.
pub(crate) fn criterion(text: &str) -> Criterion {
    text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

/// A window as people write it.
pub(crate) fn window(text: &str) -> Window {
    text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

/// An arm that was heard often enough.
pub(crate) fn heard() -> Totals {
    Totals {
        exposures: 1_000,
        outcomes: 1_000,
        units: 50,
        bad: 8,
    }
}

/// Everything is well: delivered, fresh, heard in both arms, no evidence of harm.
pub(crate) fn good() -> Facts {
    Facts {
        delivery: Delivery {
            live: 10,
            applied: 10,
            persisted: 10,
        },
        arms: ArmTotals {
            treatment: heard(),
            control: heard(),
        },
        fresh: true,
        checked: Item::PREFLIGHT_CHECKS.map(str::to_owned).to_vec(),
        ..Facts::default()
    }
}

/// Nobody was heard.
pub(crate) fn silent() -> Facts {
    Facts {
        arms: ArmTotals::default(),
        ..good()
    }
}

/// The flag is killed.
pub(crate) fn off() -> Facts {
    Facts { off: true, ..good() }
}

/// The abort latch is set.
pub(crate) fn latched() -> Facts {
    Facts {
        latched: true,
        ..good()
    }
}

/// So many live agents, of which so many have applied what is wanted; none has it on disk.
pub(crate) fn delivered(live: u32, applied: u32) -> Facts {
    Facts {
        delivery: Delivery {
            live,
            applied,
            persisted: 0,
        },
        ..good()
    }
}

/// Evidence of harm of this size (1/alpha is 100).
pub(crate) fn evidence(number: f64) -> Option<EvidenceNumber> {
    Some(EvidenceNumber {
        guard: 0,
        horizon: 1,
        log_evidence: number.ln(),
        is_doubted: false,
    })
}

/// Everything is well but for evidence of this size.
pub(crate) fn harmful(number: f64) -> Facts {
    Facts {
        evidence: evidence(number),
        ..good()
    }
}

/// Everything is well, and a metric is measured: treatment, control and baseline.
pub(crate) fn measured(metric: &str, estimates: [Option<f64>; 3]) -> Facts {
    let [treatment, control, baseline] = estimates;
    let measure = Measure {
        estimates: Estimates {
            treatment,
            control,
            baseline,
        },
        outcomes: 1_000,
        units: 50,
    };
    Facts {
        measures: BTreeMap::from([(metric.to_owned(), measure)]),
        ..good()
    }
}

/// Held for one reason.
pub(crate) fn held(reason: HoldReason) -> Transition {
    Transition::Held(vec![reason])
}

/// A rollout under way: a plan, a state, a time, and what happened.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub(crate) plan: Plan,
    pub(crate) state: State,
    pub(crate) now: Micros,
    pub(crate) happened: Vec<Transition>,
}

impl Rollout {
    /// A draft that nobody has submitted.
    pub(crate) fn draft(plan: Plan) -> Rollout {
        Rollout {
            plan,
            state: State::draft(HASH, START_US),
            now: START_US,
            happened: Vec::new(),
        }
    }

    /// In the first stage, which no agent has applied yet.
    pub(crate) fn start(plan: Plan) -> Rollout {
        let mut rollout = Rollout::draft(plan);
        assert_eq!(rollout.act(Act::Start), Ok(Transition::StartAsked));
        assert_eq!(rollout.after(0, &good()), Some(Transition::Started));
        rollout.happened.clear();
        rollout
    }

    /// In the first stage, its clock started.
    pub(crate) fn soaking_in(plan: Plan) -> Rollout {
        let mut rollout = Rollout::start(plan);
        assert_eq!(rollout.after(1, &good()), Some(Transition::ClockStarted));
        rollout
    }

    /// As [`Rollout::soaking_in`], of the usual plan.
    pub(crate) fn soaking() -> Rollout {
        Rollout::soaking_in(plan())
    }

    /// One step, after so many seconds.
    pub(crate) fn after(&mut self, seconds: i64, facts: &Facts) -> Option<Transition> {
        self.now += seconds * SECOND_US;
        let Step { state, transition } = step(&self.plan, &self.state, facts, self.now);
        self.state = state;
        self.happened.extend(transition.clone());
        transition
    }

    /// A step each second, so many times; what happened in them.
    pub(crate) fn every_second(&mut self, times: usize, facts: &Facts) -> Vec<Transition> {
        let before = self.happened.len();
        for _ in 0..times {
            self.after(1, facts);
        }
        self.happened[before..].to_vec()
    }

    /// What ann does while everything is well.
    pub(crate) fn act(&mut self, wanted: Act) -> Result<Transition, Refusal> {
        self.act_on(wanted, "ann", &good())
    }

    /// What somebody does on these facts.
    pub(crate) fn act_on(&mut self, wanted: Act, by: &str, facts: &Facts) -> Result<Transition, Refusal> {
        let acted = act(&self.plan, &self.state, facts, &wanted, by, self.now)?;
        self.state = acted.state;
        self.happened.push(acted.transition.clone());
        Ok(acted.transition)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state.phase
    }

    pub(crate) fn deadline(&self, facts: &Facts) -> Option<Micros> {
        next_deadline(&self.plan, &self.state, facts, self.now)
    }
}

/// As [`plan`], with a bake of ten seconds and a manual trigger.
pub(crate) fn baking_plan() -> Plan {
    Plan {
        bake_us: 10 * SECOND_US,
        manual_triggers: vec!["data-loss".to_owned()],
        ..plan()
    }
}

/// A rollout of [`baking_plan`] in a phase; live ones are in the first stage, unless they bake.
pub(crate) fn at(phase: Phase) -> Rollout {
    let soaking = || Rollout::soaking_in(baking_plan());
    let mut rollout = match phase {
        Phase::Draft | Phase::Ready | Phase::AwaitingStart | Phase::Expired => Rollout::draft(baking_plan()),
        Phase::Ramp => Rollout::start(baking_plan()),
        Phase::Aborted => at(Phase::Aborting),
        Phase::Completed => at(Phase::Baking),
        Phase::Soak
        | Phase::Gate
        | Phase::Held
        | Phase::Paused
        | Phase::Baking
        | Phase::RolledBack
        | Phase::Aborting
        | Phase::Superseded => soaking(),
    };
    let asked = match phase {
        Phase::Ready => Some(Act::Submit),
        Phase::AwaitingStart => Some(Act::Start),
        Phase::Paused => Some(Act::Pause),
        Phase::RolledBack => Some(Act::RollBack),
        Phase::Aborting => Some(Act::Abort),
        Phase::Superseded => Some(Act::Supersede),
        Phase::Completed => Some(Act::Complete),
        Phase::Draft
        | Phase::Ramp
        | Phase::Soak
        | Phase::Gate
        | Phase::Held
        | Phase::Baking
        | Phase::Aborted
        | Phase::Expired => None,
    };
    if let Some(asked) = asked {
        rollout.act(asked).unwrap();
    }
    match phase {
        Phase::Gate => {
            rollout.plan.stages[0].approvals = 1;
            rollout.every_second(10, &good());
            rollout.plan.stages[0].approvals = 0;
        }
        Phase::Held => assert_eq!(rollout.after(1, &off()), Some(held(HoldReason::FlagOff))),
        Phase::Baking => assert_eq!(rollout.every_second(32, &good()).last(), Some(&Transition::BakeStarted)),
        Phase::Aborted => assert_eq!(rollout.after(1, &good()), Some(Transition::AbortDelivered)),
        Phase::Expired => assert_eq!(rollout.after(90 * 24 * 3_600, &good()), Some(Transition::Expired)),
        _ => {}
    }
    assert_eq!(rollout.state.phase, phase);
    rollout.happened.clear();
    rollout
}

impl Rollout {
    /// The same, its dwell (or bake) soaked.
    pub(crate) fn soaked(mut self) -> Rollout {
        let stage = self.state.dwell_us(&self.plan);
        self.state.soaked_us = if self.state.is_baking() {
            self.plan.bake_us
        } else {
            stage.unwrap()
        };
        self
    }

    /// The same, the plan changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Plan)) -> Rollout {
        change(&mut self.plan);
        self
    }

    /// The same, after an act that must not be refused.
    pub(crate) fn having(mut self, wanted: Act) -> Rollout {
        self.act(wanted).unwrap();
        self
    }

    /// The same, on these facts.
    pub(crate) fn seeing(mut self, facts: &Facts) -> Rollout {
        self.after(1, facts);
        self
    }
}
