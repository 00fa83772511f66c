//! A whole plan with everything in it: five stages, six metrics of all kinds, judged by what the control plane calls
//! ([`rollout::guards::examine`]) under one budget. Each metric is exactly at its limit, the worst that is still allowed.
//!
//! Units come in treatment stage by stage and stay in. What happens to a unit (a failure, a slow answer, a conversion, an
//! answer with its cost) is a Poisson process; traffic of rates accrues evenly over each day. Where the limit is a number
//! by itself, control is well within it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollout::criterion::Criterion;
use rollout::duration::Dwell;
use rollout::evidence::arm::BUCKETS;
use rollout::evidence::unit::{Positions, newly_bad};
use rollout::guards::{self, HorizonCounts, Levels, Seen, VisitKey};
use rollout::measure::{self, Counted, Events, Minute, Sums};
use rollout::{DAY_US, Guard, Horizon, Level, Phase, Plan, Share, Stage, State, Visit};

use crate::random::Random;
use crate::values::unclamped;

/// Percentage and days of each stage.
const STAGES: [(u32, usize); 5] = [(1, 1), (5, 1), (25, 2), (50, 2), (100, 1)];
const DAYS: usize = 7;
/// Looks in a day.
const LOOKS: usize = 20;
const UNITS: usize = 20_000;
/// Requests per unit and day, on average, and the deviation of their logarithm.
const REQUESTS: (f64, f64) = (5.0, 1.5);

/// The metrics, in the order of the guards.
const METRICS: [Metric; 6] = [
    Metric::bad("error-rate > 1x control", 0.008),
    Metric::bad("timeout-rate > 1x control", 0.004),
    Metric::part("conversion < 0.95x control", (0.05, 0.05), [1.0, 0.95]),
    Metric::part("hallucination-rate > 5 %", (0.04, 0.3), [1.0, 1.25]),
    Metric::part("p95 > 1 s", (0.04, 0.3), [1.0, 1.25]),
    Metric {
        guard: "cost-per-query > 1.2x control",
        kind: Kind::Cost,
        // One answer in five tells its cost.
        rate: 0.2,
        correlation: 0.0,
        of_arm: [0.5, 0.6],
    },
];
/// What an answer costs at most, and how costs are spread: between units, and between the answers of one.
const CLAMP: f64 = 5.0;
const SPREADS: (f64, f64) = (0.7, 1.2);

/// How a metric is counted.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Units that fail, each once a day.
    Bad,
    /// Outcomes, of all.
    Part,
    /// Values.
    Cost,
}

#[derive(Clone, Copy)]
struct Metric {
    guard: &'static str,
    kind: Kind,
    /// Of control.
    rate: f64,
    /// Of the outcomes of one unit.
    correlation: f64,
    /// What control's rate, or mean, is times, by arm; for costs the means themselves.
    of_arm: [f64; 2],
}

/// The plan, and what is counted for it.
pub(crate) struct Mixed {
    plan: Plan,
    counted: Vec<Counted>,
}

/// A unit.
struct Unit {
    activity: f64,
    position: u32,
    /// The day on which it gets the treatment.
    entered: usize,
}

/// What happened at one look: (metric, unit, numerator, denominator).
type Happened = Vec<(usize, u32, i64, u64)>;

impl Metric {
    const fn bad(guard: &'static str, rate: f64) -> Self {
        Self {
            guard,
            kind: Kind::Bad,
            rate,
            correlation: 0.3,
            of_arm: [1.0, 1.0],
        }
    }

    const fn part(guard: &'static str, (rate, correlation): (f64, f64), of_arm: [f64; 2]) -> Self {
        Self {
            guard,
            kind: Kind::Part,
            rate,
            correlation,
            of_arm,
        }
    }
}

impl Mixed {
    pub(crate) fn new() -> Self {
        let stage = |(percent, days): (u32, usize)| {
            let share = Share::new(percent * 1_000).expect("a percentage is a share");
            Stage::new(format!("at-{percent}"), share, Dwell::For(days as i64 * DAY_US))
        };
        let guard = |metric: Metric| match metric.guard.parse() {
            Ok(Criterion::Compare(harm)) => Guard {
                harm,
                level: Level::Abort,
                weight: 1.0,
                except: Vec::new(),
            },
            other => panic!("{}: {other:?}", metric.guard),
        };
        let plan = Plan {
            stages: STAGES.map(stage).to_vec(),
            guards: METRICS.map(guard).to_vec(),
            ..Plan::new("mixed", "flag")
        };
        let counted = measure::counted(&plan);
        // The error rate is always the first, and each guard has a counting of its own.
        assert_eq!(counted.len(), METRICS.len(), "{counted:?}");
        Self { plan, counted }
    }

    /// The look at which the rollout aborts; none if it comes to its end.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let mut random = Random::new(seed);
        let units: Vec<Unit> = (0..UNITS).map(|_| Unit::new(&mut random)).collect();
        let mut happened: Vec<Happened> = vec![Vec::new(); DAYS * LOOKS];
        let scale = METRICS[5]
            .of_arm
            .map(|mean| unclamped(mean, CLAMP, libm::hypot(SPREADS.0, SPREADS.1)));
        for (number, unit) in (0..).zip(&units) {
            for (metric, of) in METRICS.iter().enumerate() {
                unit.live(number, metric, of, scale, &mut random, &mut happened);
            }
        }
        let mut world = World::new();
        for (look, happened) in happened.iter().enumerate() {
            let day = look / LOOKS;
            if look.is_multiple_of(LOOKS) {
                world.begin(day, &units);
            }
            world.count(day, look % LOOKS + 1, &units, happened);
            if world.aborts(self, log_limit) {
                return Some((look + 1) as f64);
            }
        }
        None
    }
}

impl Unit {
    fn new(random: &mut Random) -> Self {
        let bucket = random.uniform();
        let is_in = |day: &usize| bucket < f64::from(STAGES[stage_of(*day)].0) / 100.0;
        Self {
            activity: REQUESTS.0 * random.lognormal(REQUESTS.1),
            position: random.position(),
            entered: (0..DAYS).find(is_in).unwrap_or(DAYS),
        }
    }

    /// Adds all that happens to it of one metric.
    fn live(
        &self,
        number: u32,
        metric: usize,
        of: &Metric,
        scale: [f64; 2],
        random: &mut Random,
        happened: &mut [Happened],
    ) {
        let propensity = random.beta_or_never(of.rate, of.correlation);
        let factor = match of.kind {
            Kind::Bad | Kind::Part => 1.0,
            Kind::Cost => random.lognormal(SPREADS.0),
        };
        let mut at = 0.0;
        while at < DAYS as f64 {
            let is_treated = at as usize >= self.entered;
            let until = if is_treated { DAYS as f64 } else { self.entered as f64 };
            let of_arm = of.of_arm[usize::from(is_treated)];
            let rate = match of.kind {
                Kind::Bad | Kind::Part => (propensity * of_arm).min(1.0),
                Kind::Cost => propensity,
            };
            at += random.exponential() / (self.activity * rate);
            if at >= until {
                at = until;
                continue;
            }
            let (num, den) = match of.kind {
                Kind::Bad | Kind::Part => (1, 0),
                Kind::Cost => {
                    let cost = scale[usize::from(is_treated)] * factor * random.lognormal(SPREADS.1);
                    (libm::round(cost.min(CLAMP) * 1e6) as i64, 1)
                }
            };
            let look = (at * LOOKS as f64) as usize;
            happened[look.min(DAYS * LOOKS - 1)].push((metric, number, num, den));
            if of.kind == Kind::Bad {
                // Once a day: on with the next.
                at = libm::floor(at) + 1.0;
            }
        }
    }
}

/// What was sealed so far.
struct World {
    state: State,
    visits: BTreeMap<VisitKey, Arc<Sums>>,
    horizons: BTreeMap<u32, HorizonCounts>,
    /// Positions that failed today, by metric.
    failed: BTreeMap<usize, Positions>,
    /// Requests of a day by arm and bucket.
    activity: [[f64; BUCKETS]; 2],
    /// Days of the present visit that are over.
    over: usize,
    /// Requests that are counted in the present visit.
    counted: [[u64; BUCKETS]; 2],
}

impl World {
    fn new() -> Self {
        let mut state = State::draft(0, 0);
        state.phase = Phase::Soak;
        Self {
            state,
            visits: BTreeMap::new(),
            horizons: BTreeMap::new(),
            failed: BTreeMap::new(),
            activity: [[0.0; BUCKETS]; 2],
            over: 0,
            counted: [[0; BUCKETS]; 2],
        }
    }

    /// A day begins, with it a horizon, and perhaps a stage.
    fn begin(&mut self, day: usize, units: &[Unit]) {
        let (stage, started_at_us) = (stage_of(day), day as i64 * DAY_US);
        self.failed.clear();
        self.state.horizons.push(Horizon { stage, started_at_us });
        self.over += 1;
        if day > 0 && stage == self.state.stage {
            return;
        }
        self.state.stage = stage;
        self.state.visits.push(Visit {
            stage,
            visit: 1,
            entered_at_us: started_at_us,
        });
        self.over = 0;
        self.counted = [[0; BUCKETS]; 2];
        self.activity = [[0.0; BUCKETS]; 2];
        for unit in units {
            self.activity[usize::from(unit.entered <= day)][bucket(unit)] += unit.activity;
        }
    }

    /// Counts what happened until a look of the day, from 1.
    fn count(&mut self, day: usize, look: usize, units: &[Unit], happened: &Happened) {
        let stage = stage_of(day) as u8;
        let sums = Arc::make_mut(self.visits.entry((stage, 1)).or_default());
        let now = self.over as f64 + look as f64 / LOOKS as f64;
        for (arm, activity) in self.activity.iter().enumerate() {
            for (bucket, activity) in activity.iter().enumerate() {
                let requests = libm::round(activity * now) as u64;
                let more = requests - self.counted[arm][bucket];
                self.counted[arm][bucket] = requests;
                for metric in kinds(Kind::Part) {
                    add(sums, metric, stage, arm, (bucket, 0, more));
                }
            }
        }
        let mut failed = BTreeMap::<usize, [Vec<u32>; 2]>::new();
        for (metric, unit, num, den) in happened {
            let unit = &units[*unit as usize];
            let arm = usize::from(unit.entered <= day);
            match METRICS[*metric].kind {
                Kind::Bad => failed.entry(*metric).or_default()[arm].push(unit.position),
                Kind::Part | Kind::Cost => add(sums, *metric, stage, arm, (bucket(unit), *num, *den)),
            }
        }
        for (metric, [control, treatment]) in failed {
            let seen = self.failed.entry(metric).or_default();
            let (bad_treatment, bad_control) = newly_bad(seen, &treatment, &control);
            let horizon = self.horizons.entry(day as u32 + 1).or_default();
            let counts = horizon.strata.entry((metric as u16, stage)).or_default();
            counts.0 += bad_treatment;
            counts.1 += bad_control;
        }
    }

    /// Whether the guards abort.
    fn aborts(&self, mixed: &Mixed, log_limit: f64) -> bool {
        let seen = Seen {
            counted: &mixed.counted,
            visits: &self.visits,
            hours: &BTreeMap::new(),
            horizons: &self.horizons,
            sampled: &BTreeMap::new(),
            events: &Events::default(),
            minute: &Minute::default(),
            worse_since: &BTreeMap::new(),
        };
        let found = guards::examine(&mixed.plan, &self.state, &seen, &Levels::new(), 0);
        found
            .standing
            .abort
            .is_some_and(|number| number.log_evidence >= log_limit)
    }
}

fn add(sums: &mut Sums, metric: usize, stratum: u8, arm: usize, (bucket, num, den): (usize, i64, u64)) {
    let arms = sums.metrics.entry((metric as u16, stratum)).or_default();
    let buckets = if arm == 1 {
        &mut arms.treatment
    } else {
        &mut arms.control
    };
    buckets.add(bucket, num, den);
}

fn kinds(kind: Kind) -> impl Iterator<Item = usize> {
    (0..METRICS.len()).filter(move |metric| METRICS[*metric].kind == kind)
}

fn bucket(unit: &Unit) -> usize {
    (unit.position >> 12) as usize
}

/// The stage of a day, by position.
fn stage_of(day: usize) -> usize {
    let last_day = |position: usize| STAGES[..=position].iter().map(|(_, days)| days).sum::<usize>();
    (0..STAGES.len())
        .find(|position| day < last_day(*position))
        .unwrap_or(STAGES.len() - 1)
}
