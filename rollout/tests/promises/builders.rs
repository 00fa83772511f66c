//! Plans, facts and rollouts with good defaults, so that a test shows only what differs.

use rollout::{
    ArmTotals, Delivery, EvidenceNumber, Facts, Guard, Level, Metric, Micros, Phase, Plan, Share, Stage, State, Step,
    Totals, Transition, Unit, start, step,
};

/// One second.
pub(crate) const SECOND_US: Micros = 1_000_000;
/// When every rollout here starts.
pub(crate) const START_US: Micros = 1_750_000_000_000_000;

/// A stage that soaks for ten seconds.
pub(crate) fn stage(name: &str, percent: f64) -> Stage {
    Stage {
        name: name.to_owned(),
        share: Share::new((percent * 1_000.0) as u32).unwrap(),
        dwell_us: 10 * SECOND_US,
        minimum_outcomes: Stage::DEFAULT_MINIMUM_OUTCOMES,
        minimum_units: Stage::DEFAULT_MINIMUM_UNITS,
    }
}

/// 5 %, 50 %, 100 %, ten seconds each.
pub(crate) fn plan() -> Plan {
    Plan {
        key: "new-checkout".to_owned(),
        flag: "checkout".to_owned(),
        description: String::new(),
        treatment: "new".to_owned(),
        control: "old".to_owned(),
        unit: Unit::Unit,
        stages: vec![stage("canary", 5.0), stage("half", 50.0), stage("all", 100.0)],
        guards: vec![Guard {
            metric: Metric::ErrorRate,
            limit: Guard::DEFAULT_LIMIT,
            level: Level::Abort,
        }],
        alpha: Plan::DEFAULT_ALPHA,
        max_control_rate: Plan::DEFAULT_MAX_CONTROL_RATE,
        lost_after_us: Plan::DEFAULT_LOST_AFTER_US,
    }
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
        latched: false,
        off: false,
        delivery: Delivery {
            live: 10,
            applied: 10,
            persisted: 10,
        },
        arms: ArmTotals {
            treatment: heard(),
            control: heard(),
        },
        evidence: None,
        fresh: true,
        positions_full: false,
        resumed: false,
    }
}

/// Nobody was heard.
pub(crate) fn silent() -> Facts {
    Facts {
        arms: ArmTotals::default(),
        ..good()
    }
}

/// Evidence of harm of this size (1/alpha is 100).
pub(crate) fn evidence(number: f64) -> Option<EvidenceNumber> {
    Some(EvidenceNumber {
        guard: 0,
        horizon: 1,
        log_evidence: number.ln(),
    })
}

/// Everything is well but for evidence of this size.
pub(crate) fn harmful(number: f64) -> Facts {
    Facts {
        evidence: evidence(number),
        ..good()
    }
}

/// A rollout under way: a plan, a state, a time, and what happened.
pub(crate) struct Rollout {
    pub(crate) plan: Plan,
    pub(crate) state: State,
    pub(crate) now: Micros,
    pub(crate) happened: Vec<Transition>,
}

impl Rollout {
    pub(crate) fn start(plan: Plan) -> Rollout {
        let state = start(&plan, START_US);
        Rollout {
            plan,
            state,
            now: START_US,
            happened: Vec::new(),
        }
    }

    /// One step, after so many seconds.
    pub(crate) fn after(&mut self, seconds: i64, facts: &Facts) -> Option<Transition> {
        self.now += seconds * SECOND_US;
        let Step { state, transition } = step(&self.plan, &self.state, facts, self.now);
        self.state = state;
        self.happened.extend(transition);
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

    pub(crate) fn phase(&self) -> Phase {
        self.state.phase
    }

    /// In the first stage, its clock started.
    pub(crate) fn soaking() -> Rollout {
        let mut rollout = Rollout::start(plan());
        assert_eq!(rollout.after(1, &good()), Some(Transition::ClockStarted));
        rollout
    }
}
