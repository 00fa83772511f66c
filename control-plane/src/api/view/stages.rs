//! What the present stage shows: its criteria, its items, and the measured share.

use proto::v1;
use rollout::{
    Facts, Plan, Share, State as Progress,
    criterion::Criterion,
    evidence::budget::Ladder,
    gate::{self, Finding},
    guards::{Beyond, Examination},
    plan::{Item, TickedBy},
    state::List,
};

use crate::evidence::Counts;

/// The success criteria of the present stage and what the data says of them.
pub(super) fn criteria(plan: &Plan, progress: &Progress, known: &Facts) -> Vec<v1::CriterionFinding> {
    let stage = plan.stages.get(progress.stage).filter(|_| progress.is_live());
    stage.map_or_else(Vec::new, |stage| {
        let found = stage.success.iter().map(|written| v1::CriterionFinding {
            criterion: written.to_string(),
            finding: gate::criterion(plan, stage, known, written).name().to_owned(),
        });
        found.collect()
    })
}

/// The guards and what is known of them: the rung that the evidence of each has reached, or why it has none.
pub(super) fn guards(plan: &Plan, examination: &Examination) -> Vec<v1::CriterionFinding> {
    let guards = plan.guards.iter().enumerate();
    let found = guards.map(|(position, guard)| v1::CriterionFinding {
        criterion: Criterion::Compare(guard.harm.clone()).to_string(),
        finding: standing(plan, examination, position).to_owned(),
    });
    found.collect()
}

/// How one guard stands, in a few words.
pub(super) fn standing(plan: &Plan, examination: &Examination, position: usize) -> &'static str {
    let Some(finding) = examination.findings.get(position) else {
        return Finding::NoData.name();
    };
    let rung = examination.rung(plan, position);
    match (&finding.tests, finding.beyond) {
        (Err(missing), _) => missing.name(),
        (Ok(_), Beyond::Fired | Beyond::Both) => finding.beyond.name(),
        (Ok(_), _) if rung > Ladder::None => rung.name(),
        (Ok(_), Beyond::Unknown) => Finding::NoData.name(),
        (Ok(_), Beyond::Early) => finding.beyond.name(),
        (Ok(_), Beyond::Within) => Ladder::None.name(),
    }
}

/// How long the present visit (the bake, once it has begun) must soak; 0: for ever, or not at all.
pub(super) fn dwell_us(plan: &Plan, progress: &Progress) -> i64 {
    if progress.is_baking() {
        plan.bake_us
    } else {
        progress.dwell_us(plan).unwrap_or(0)
    }
}

/// The items of the lists that matter now.
pub(super) fn items(plan: &Plan, progress: &Progress, known: &Facts) -> Vec<v1::ItemState> {
    let mut items = Vec::new();
    if progress.phase.is_before_start() {
        let list = ("preflight", List::Preflight);
        items.extend(
            plan.preflight
                .iter()
                .map(|item| shown(list, item, progress, known.checked.contains(&item.name))),
        );
    }
    if let Some(stage) = plan.stages.get(progress.stage).filter(|_| progress.is_live()) {
        let list = ("stage", List::Stage(progress.stage));
        let own = stage.checklist.iter().map(|name| Item::new(name, TickedBy::Person));
        items.extend(own.map(|item| shown(list, &item, progress, false)));
    }
    if progress.is_live() {
        let is_done = |item: &Item| match item.name.as_str() {
            Item::BAKE_OVER => progress.is_baking() && progress.soaked_us >= plan.bake_us,
            Item::ALL_REACHED => plan.wanted(progress.stage) == Share::ALL.less(plan.holdback),
            _ => true,
        };
        let list = ("exit", List::Exit);
        items.extend(plan.exit.iter().map(|item| shown(list, item, progress, is_done(item))));
    }
    items
}

fn shown((name, list): (&str, List), item: &Item, progress: &Progress, checked: bool) -> v1::ItemState {
    let tick = progress
        .desk
        .ticks
        .iter()
        .find(|tick| tick.list == list && tick.item == item.name);
    v1::ItemState {
        list: name.to_owned(),
        item: item.name.clone(),
        ticked_by: item.by.name().to_owned(),
        done: match item.by {
            TickedBy::Check => checked,
            TickedBy::Automation | TickedBy::Person => tick.is_some(),
        },
        by: tick.map(|tick| tick.by.clone()).unwrap_or_default(),
        at_us: tick.map_or(0, |tick| tick.at_us),
    }
}

/// The share of the exposures of the present visit that got the treatment, in buckets; none if there were none.
pub(in crate::api) fn measured(visit: &Counts) -> Option<u32> {
    let (treatment, control) = (visit.treatment.exposures, visit.control.exposures);
    let all = u128::from(treatment) + u128::from(control);
    let share = (u128::from(treatment) * u128::from(Share::ALL.get())).checked_div(all)?;
    u32::try_from(share).ok()
}
