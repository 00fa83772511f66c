//! How each strategy lays out its stages, from nobody to everybody.
//!
//! Rehearsals come first, then the strategy's own stages. What is of high risk is first exposed to staff, or to 1 % of
//! all where no staff are named, whatever the strategy; what is of medium or high risk stays in a stage for a day to a
//! week, so that every hour of a day is seen and nothing is forgotten.

use super::{Gradual, RELEASE_ITEM, Rehearsal, Wish};
use crate::{DAY_US, Micros, Share, Stage, duration::Dwell, gate::Policy, risk::Risk, strategy::Strategy};

/// Half of the staff, so that the other half is their control.
const STAFF: u32 = 50_000;
/// Who goes first where no staff are named: 1 % of all.
const FIRST: u32 = 1_000;
/// How long staff alone have it.
const STAFF_DWELL_US: Micros = 3 * DAY_US;
/// Shares and dwells of a progressive rollout: two weeks.
const PROGRESSIVE: [(u32, Micros); 4] = [(0, DAY_US), (10_000, 6 * DAY_US), (50_000, 7 * DAY_US), (100_000, 0)];
/// Shares and dwells of a canary: 31 days, with staff 34, and the waits for business hours on top.
const CANARY: [(u32, Micros); 6] = [
    (FIRST, 5 * DAY_US),
    (5_000, 5 * DAY_US),
    (10_000, 7 * DAY_US),
    (25_000, 7 * DAY_US),
    (50_000, 7 * DAY_US),
    (100_000, 0),
];
/// How long a rehearsal lasts, and how long everybody at once is watched.
const REHEARSAL_US: Micros = 7 * DAY_US;
const WATCH_US: Micros = DAY_US;

/// The stages of a wish.
pub(super) fn stages(wish: &Wish) -> Vec<Stage> {
    let mut stages = Vec::new();
    if wish.is_rehearsed_in(Rehearsal::Shadow) {
        stages.push(Stage {
            shadow: true,
            ..stage("shadow", Share::ALL, REHEARSAL_US)
        });
    }
    if wish.is_rehearsed_in(Rehearsal::Dark) {
        stages.push(dark(wish));
    }
    let nobody_had_it = stages.last().is_some_and(|stage| stage.share == Share::NONE);
    let own = own_stages(wish).into_iter();
    stages.extend(own.skip_while(|stage| nobody_had_it && stage.share == Share::NONE));
    go_first(wish, &mut stages);
    if wish.overall() == Some(Risk::High)
        && let Some(last) = before_everybody(&mut stages)
    {
        last.approvals = 1;
    }
    stages
}

/// What the strategy itself lays out.
fn own_stages(wish: &Wish) -> Vec<Stage> {
    match wish.strategy() {
        Strategy::BigBang | Strategy::Scheduled | Strategy::Dark => vec![named(Share::ALL, WATCH_US)],
        Strategy::Instant => vec![named(Share::ALL, 0)],
        Strategy::Progressive => table(&PROGRESSIVE),
        Strategy::Canary => table(&CANARY),
        Strategy::Gradual => gradual(wish),
        Strategy::Shadow => Vec::new(),
        // Somebody will write the stages; until then they are those that fit the risk.
        Strategy::Custom => match wish.overall().map(Risk::strategy) {
            Some(Strategy::BigBang) => vec![named(Share::ALL, WATCH_US)],
            Some(Strategy::Canary) => table(&CANARY),
            Some(_) | None => table(&PROGRESSIVE),
        },
    }
}

/// Staff have it, or nobody, until a person says that it is to be released.
fn dark(wish: &Wish) -> Stage {
    let (audience, share) = match &wish.staff {
        Some(staff) => (vec![staff.clone()], Share::ALL),
        None => (Vec::new(), Share::NONE),
    };
    Stage {
        audience,
        checklist: vec![RELEASE_ITEM.to_owned()],
        ..stage("dark", share, REHEARSAL_US)
    }
}

/// Puts staff, or 1 % of all, before the first stage that exposes more, where the risk or the strategy asks for it.
fn go_first(wish: &Wish, stages: &mut Vec<Stage>) {
    let is_canary = wish.strategy() == Strategy::Canary && wish.staff.is_some();
    if !is_canary && wish.overall() != Some(Risk::High) {
        return;
    }
    let Some(at) = stages
        .iter()
        .position(|stage| !stage.shadow && stage.share > Share::NONE)
    else {
        return;
    };
    let is_staff = !stages[at].audience.is_empty();
    let is_few = stages[at].share.get() <= FIRST;
    match &wish.staff {
        Some(staff) if !is_staff => {
            let staff = Stage {
                audience: vec![staff.clone()],
                ..stage("staff", share(STAFF), STAFF_DWELL_US)
            };
            stages.insert(at, staff);
        }
        None if !is_few => stages.insert(at, named(share(FIRST), STAFF_DWELL_US)),
        Some(_) | None => {}
    }
}

fn gradual(wish: &Wish) -> Vec<Stage> {
    let gradual = wish.gradual.unwrap_or_default();
    let steps = gradual.steps.clamp(1, Gradual::MOST_STEPS);
    let mut each_us = gradual.over_us / Micros::from(steps);
    if wish.is_grave() {
        each_us = each_us.clamp(DAY_US, 7 * DAY_US);
    }
    let (from, to) = (u64::from(gradual.from.get()), u64::from(gradual.to.get()));
    let mut stages: Vec<Stage> = Vec::new();
    for step in 0..=u64::from(steps) {
        let done = to.saturating_sub(from) * step / u64::from(steps);
        // Between two shares of a whole 100,000, so it fits.
        let now = share(u32::try_from(from + done).unwrap_or(u32::MAX));
        let is_last = step == u64::from(steps);
        let rises = stages.last().is_none_or(|before| before.share < now);
        if rises {
            let dwell_us = if is_last && now == Share::ALL { 0 } else { each_us };
            stages.push(named(now, dwell_us));
        }
    }
    stages
}

/// The stage whose gate leads to everybody.
fn before_everybody(stages: &mut [Stage]) -> Option<&mut Stage> {
    let at = stages
        .iter()
        .position(|stage| !stage.shadow && stage.audience.is_empty() && stage.share == Share::ALL)?;
    stages.get_mut(at.checked_sub(1)?)
}

fn table(shares: &[(u32, Micros)]) -> Vec<Stage> {
    shares
        .iter()
        .map(|(per_100_000, dwell_us)| named(share(*per_100_000), *dwell_us))
        .collect()
}

/// A share for everybody, named for it.
fn named(share: Share, dwell_us: Micros) -> Stage {
    let name = if share == Share::NONE {
        "nobody".to_owned()
    } else if share == Share::ALL {
        "everybody".to_owned()
    } else {
        format!("{share}-percent")
    };
    stage(&name, share, dwell_us)
}

/// A stage of which no evidence of harm is asked; where nobody is exposed, or nothing is waited for, time alone.
fn stage(name: &str, share: Share, dwell_us: Micros) -> Stage {
    let time_alone = share == Share::NONE || dwell_us == 0;
    Stage {
        policy: if time_alone { Policy::Dwell } else { Policy::NoHarm },
        ..Stage::new(name, share, Dwell::For(dwell_us))
    }
}

fn share(per_100_000: u32) -> Share {
    Share::new(per_100_000).unwrap_or(Share::ALL)
}
