//! What new measurements come to: what is remembered of each, what is counted, and the levels that are set.

use std::collections::BTreeMap;

use evaluation::{Arm, Exposure, Violation};
use proto::status::violation;
use rollout::catalogue::MetricKey;
use twox_hash::XxHash3_64;

use super::read::{Asked, Named};
use crate::{
    identity::Actor,
    levels::{Reading, Source},
    push::{
        AHEAD_US, Item, OLDEST_US,
        content::Remembered,
        place::{self, Place},
        value::{self, Role},
    },
    record::RolloutRecord,
};

/// How long a level stands unless it is said.
const STANDS_US: i64 = 5 * 60 * 1_000_000;

/// What measurements come to.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// By key.
    pub(super) remembered: BTreeMap<String, Remembered>,
    /// What is counted.
    pub(super) items: Vec<Item>,
    /// Levels, by metric and arm.
    pub(super) levels: Vec<(String, Arm, Reading)>,
}

/// What new measurements come to, each by its place in the request and with what is known of its unit; or all that is wrong
/// with them, by place.
pub(super) fn take<'a>(
    rollout: &RolloutRecord,
    new: impl Iterator<Item = (usize, (&'a Asked, &'a Option<Exposure>))>,
    actor: &Actor,
) -> Result<Taken, Vec<(usize, Violation)>> {
    let (mut taken, mut found) = (Taken::default(), Vec::new());
    for (at, (asked, exposure)) in new {
        if let Err(wrong) = taken.add(rollout, asked, exposure.as_ref(), actor) {
            let wrong = wrong.into_iter();
            found.extend(wrong.map(|(field, what)| (at, violation(format!("measurements[{at}].{field}"), what))));
        }
    }
    if found.is_empty() { Ok(taken) } else { Err(found) }
}

/// Fields that are wrong, and what of them.
type Wrong = Vec<(String, String)>;

/// What is wrong with a metric and its values for a rollout.
fn wrong(rollout: &RolloutRecord, metric: &MetricKey, values: &[f64]) -> Wrong {
    let (plan, counted) = (&rollout.plan, &rollout.counted);
    let role = match value::role(plan, counted, metric) {
        Ok(role) => role,
        Err(error) => return one("metric", error.to_string()),
    };
    let wrong = values.iter().enumerate().filter_map(|(place, number)| {
        let what = value::check(plan, counted, &role, metric, *number)?;
        Some((format!("values[{place}]"), what))
    });
    wrong.collect()
}

impl Taken {
    fn add(
        &mut self,
        rollout: &RolloutRecord,
        asked: &Asked,
        exposure: Option<&Exposure>,
        actor: &Actor,
    ) -> Result<(), Wrong> {
        let mut wrong = wrong(rollout, &asked.metric, &asked.values);
        let at_us = time(asked.at_us, actor.at_us).unwrap_or_else(|what| {
            wrong.extend(one("at_us", what));
            actor.at_us
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let role = value::role(&rollout.plan, &rollout.counted, &asked.metric);
        let role = role.map_err(|error| one("metric", error.to_string()))?;
        let (arm, stage) = match role {
            Role::Level => (self.add_level(asked, at_us)?, String::new()),
            Role::Counted(numbers) => {
                let place = placed(rollout, asked, exposure, at_us)?;
                self.add_items(rollout, asked, &place, &numbers)?;
                let stage = rollout.plan.stages.get(usize::from(place.visit.0));
                (place.arm, stage.map(|stage| stage.name.clone()).unwrap_or_default())
            }
        };
        let remembered = Remembered {
            content: asked.content_of(asked.of(exposure)),
            arm,
            stage,
            at_us,
            actor: actor.name.clone(),
        };
        self.remembered.insert(asked.key.clone(), remembered);
        Ok(())
    }

    fn add_level(&mut self, asked: &Asked, at_us: i64) -> Result<Arm, Wrong> {
        let metric = asked.metric.to_string();
        let Named::Arm(arm) = asked.named else {
            let what = format!("{metric} is a level, which belongs to an arm as a whole: write arm");
            return Err(one("metric", what));
        };
        let [number] = asked.values.as_slice() else {
            return Err(one("values", format!("{metric} is a level, which has one value")));
        };
        let stands_us = Some(asked.stands_for_us).filter(|us| *us > 0).unwrap_or(STANDS_US);
        let reading = Reading {
            value: Ok(*number),
            at_us,
            until_us: at_us.saturating_add(stands_us),
            source: Source::Pushed,
        };
        self.levels.push((metric, arm, reading));
        Ok(arm)
    }

    fn add_items(
        &mut self,
        rollout: &RolloutRecord,
        asked: &Asked,
        place: &Place,
        numbers: &[u16],
    ) -> Result<(), Wrong> {
        if asked.stands_for_us != 0 {
            let what = format!("is for levels; {} is counted", asked.metric);
            return Err(one("stands_for_us", what));
        }
        let addends = value::addends(&rollout.counted, numbers, &asked.values).into_iter();
        self.items.extend(addends.map(|addend| Item {
            visit: place.visit,
            stratum: place.stratum,
            arm: place.arm,
            bucket: place.bucket,
            metric: addend.metric,
            num: addend.num,
            den: addend.den,
        }));
        Ok(())
    }
}

/// Where a measurement counts.
fn placed(rollout: &RolloutRecord, asked: &Asked, exposure: Option<&Exposure>, at_us: i64) -> Result<Place, Wrong> {
    match (&asked.named, exposure) {
        (Named::Token(token, _), _) => {
            let place = place::of_exposure(rollout, &token.exposure);
            place.map_err(|error| one("token", error.to_string()))
        }
        (Named::Arm(arm), _) => {
            let spread = XxHash3_64::oneshot(asked.key.as_bytes());
            let place = place::of_arm(rollout, *arm, at_us, spread);
            place.map_err(|error| one("arm", error.to_string()))
        }
        (Named::Unit(_), Some(exposure)) => {
            let place = place::of_exposure(rollout, exposure);
            place.map_err(|error| one("context", error.to_string()))
        }
        (Named::Unit(_), None) => {
            let what = "the unit has neither arm of this rollout: it is served by a list or a rule, is in no audience, or \
                        the rollout does not hold the flag";
            Err(one("context", what.to_owned()))
        }
    }
}

/// When a measurement was so.
fn time(said_us: i64, now_us: i64) -> Result<i64, String> {
    if said_us == 0 {
        return Ok(now_us);
    }
    if said_us > now_us.saturating_add(AHEAD_US) {
        return Err("is over a minute in the future".to_owned());
    }
    if said_us < now_us.saturating_sub(OLDEST_US) {
        return Err("is more than 60 minutes ago".to_owned());
    }
    Ok(said_us.min(now_us))
}

fn one(field: &str, what: String) -> Wrong {
    vec![(field.to_owned(), what)]
}
