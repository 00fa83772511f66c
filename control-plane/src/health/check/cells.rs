//! The check of a frame's cells: where each counts, what it counts, and what it lists.

use evaluation::Arm;
use proto::v1;
use rollout::{Visit, evidence::unit::POSITIONS, measure::DURATION_BUCKETS};

use super::{AHEAD_US, COUNT_LIMIT, ascend, faults::Faults, known::Known, metrics::check_metrics, path::Path};
use crate::{
    health::frames::{Cell, Place},
    record::RolloutRecord,
};

/// Exposed positions are those whose low bits are 0.
const SAMPLE_MASK: u32 = 63;
/// As many sampled positions as there are.
pub(super) const SAMPLES_LIMIT: usize = (POSITIONS / (SAMPLE_MASK + 1)) as usize;
/// Classes of failures of one cell, `other` included.
const CLASSES_LIMIT: usize = 17;
/// Letters of a class.
const CLASS_LIMIT: usize = 64;
/// Sub-buckets of each doubling in a histogram.
const SCALE: u32 = 16;
/// Words of bits for all places of a cell: 16 stages, 16 strata, two arms.
const PLACE_WORDS: usize = 16 * 16 * 2 / 64;

/// A number for the stage, stratum and arm of a cell; a large one if one of them is out of its range.
fn place_number(cell: &v1::Cell) -> usize {
    match (cell.stage, cell.stratum, cell.arm) {
        (stage @ ..16, stratum @ ..16, arm @ ..2) => ((stage * 16 + stratum) * 2 + arm) as usize,
        _ => usize::MAX,
    }
}

pub(super) fn check_cells(
    faults: &mut Faults,
    path: &Path<'_>,
    cells: Vec<v1::Cell>,
    rollout: Option<&RolloutRecord>,
    now_us: i64,
) -> Vec<Cell> {
    let mut places = Known::<PLACE_WORDS>::default();
    let mut checked = Vec::with_capacity(cells.len());
    for (number, mut cell) in cells.into_iter().enumerate() {
        let path = path.within("cells", number);
        let unique = places.insert(place_number(&cell));
        faults.check(
            unique,
            || path.to_string(),
            "repeats the stage, stratum and arm of a cell before it",
        );
        check_counts(faults, &path, &cell, now_us);
        let place = check_place(faults, &path, &cell, rollout);
        let metrics = std::mem::take(&mut cell.metrics);
        let metrics = check_metrics(faults, &path, metrics, rollout);
        let durations = check_durations(faults, &path, cell.durations.as_ref(), cell.outcomes);
        let classes = check_classes(faults, &path, &cell.classes, cell.outcomes);
        if let Some(place) = place {
            checked.push(Cell {
                place,
                exposures: cell.exposures,
                outcomes: cell.outcomes,
                lost: cell.lost,
                last_exposure_us: cell.last_exposure_us,
                metrics,
                sampled: cell.exposed_positions,
                durations,
                classes,
                sampled_outcomes: cell.sampled_outcomes,
            });
        }
    }
    checked
}

fn check_counts(faults: &mut Faults, path: &Path<'_>, cell: &v1::Cell, now_us: i64) {
    for (name, count) in [
        ("exposures", cell.exposures),
        ("outcomes", cell.outcomes),
        ("lost", cell.lost),
        ("sampled_outcomes", cell.sampled_outcomes),
    ] {
        faults.check(
            count <= COUNT_LIMIT,
            || format!("{path}.{name}"),
            "must be at most 2^40",
        );
    }
    faults.check(
        cell.sampled_outcomes <= cell.outcomes,
        || format!("{path}.sampled_outcomes"),
        "must not be more than outcomes",
    );
    let field = || format!("{path}.exposed_positions");
    faults.check(
        cell.exposed_positions.len() as u64 <= cell.exposures,
        field,
        "must not be more than exposures",
    );
    faults.check(
        cell.exposed_positions.len() <= SAMPLES_LIMIT,
        field,
        "holds at most 4096 positions",
    );
    let sampled = cell
        .exposed_positions
        .iter()
        .all(|position| *position < POSITIONS && position & SAMPLE_MASK == 0);
    faults.check(sampled, field, "must be below 2^18, their low 6 bits 0");
    let field = || format!("{path}.last_exposure_us");
    faults.check(cell.last_exposure_us >= 0, field, "must not be negative");
    let latest = now_us.saturating_add(AHEAD_US);
    faults.check(
        cell.last_exposure_us <= latest,
        field,
        "is over a minute in the future; check the agent's clock",
    );
}

/// Where the counts belong; none, and a fault, if there is no such place.
fn check_place(
    faults: &mut Faults,
    path: &Path<'_>,
    cell: &v1::Cell,
    rollout: Option<&RolloutRecord>,
) -> Option<Place> {
    let arm = u8::try_from(cell.arm).ok().and_then(|arm| Arm::try_from(arm).ok());
    faults.check(
        arm.is_some(),
        || format!("{path}.arm"),
        "must be 0 (control) or 1 (treatment)",
    );
    let visits = match rollout {
        None => Visits::Any,
        Some(rollout) => Visits::Of(&rollout.state.visits),
    };
    let current = visits.latest(cell.stage);
    faults.check(
        current.is_some(),
        || format!("{path}.stage"),
        "is not a stage that this rollout has reached",
    );
    // Who is in the audiences of several reached stages has the share of one of them, which need not be the current one.
    let is_reached = match current {
        Some((_, until)) => until.latest(cell.stratum).is_some(),
        None => visits.latest(cell.stratum).is_some(),
    };
    faults.check(
        is_reached,
        || format!("{path}.stratum"),
        "is not a stage that this rollout had reached by the cell's stage",
    );
    let (visit, _) = current.filter(|_| is_reached)?;
    Some(Place {
        stage: u8::try_from(cell.stage).ok()?,
        visit,
        stratum: u8::try_from(cell.stratum).ok()?,
        arm: arm?,
    })
}

/// The stages that a rollout has visited.
#[derive(Debug, Clone, Copy)]
enum Visits<'v> {
    /// These, in the order entered.
    Of(&'v [Visit]),
    /// Nobody knows; any that there may be.
    Any,
}

impl<'v> Visits<'v> {
    /// The latest visit of a stage, and all visits up to it.
    fn latest(self, stage: u32) -> Option<(u32, Visits<'v>)> {
        match self {
            Visits::Of(visits) => {
                let at = visits
                    .iter()
                    .rposition(|visit| u32::try_from(visit.stage) == Ok(stage))?;
                Some((visits[at].visit, Visits::Of(&visits[..=at])))
            }
            Visits::Any => (stage < 16).then_some((1, Visits::Any)),
        }
    }
}

fn check_durations(
    faults: &mut Faults,
    path: &Path<'_>,
    durations: Option<&v1::Durations>,
    outcomes: u64,
) -> Vec<(u16, u64)> {
    let Some(durations) = durations else {
        return Vec::new();
    };
    let field = |name: &'static str| move || format!("{path}.durations.{name}");
    faults.check(durations.scale == SCALE, field("scale"), "must be 16");
    let buckets = &durations.buckets;
    let numbers = buckets.iter().all(|bucket| (*bucket as usize) < DURATION_BUCKETS) && ascend(buckets);
    faults.check(numbers, field("buckets"), "must be below 640 and ascend");
    let alike = buckets.len() == durations.counts.len();
    faults.check(alike, field("buckets"), "must be as many as counts");
    let bounded = durations.counts.iter().all(|count| *count <= COUNT_LIMIT);
    faults.check(bounded, field("counts"), "must be at most 2^40");
    let counted = sum(durations.counts.iter().copied()) <= outcomes;
    faults.check(counted, field("counts"), "must not be more than outcomes");
    if durations.scale != SCALE || !numbers || !alike {
        return Vec::new();
    }
    let pairs = buckets.iter().zip(&durations.counts);
    pairs.map(|(bucket, count)| (*bucket as u16, *count)).collect()
}

fn check_classes(
    faults: &mut Faults,
    path: &Path<'_>,
    classes: &[v1::ClassCount],
    outcomes: u64,
) -> Vec<(String, u64)> {
    let field = || format!("{path}.classes");
    faults.check(classes.len() <= CLASSES_LIMIT, field, "holds at most 17 classes");
    let well_formed = classes.iter().all(|class| is_class(&class.class));
    faults.check(
        well_formed,
        field,
        "must be up to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit",
    );
    let bounded = classes.iter().all(|class| class.count <= COUNT_LIMIT);
    faults.check(bounded, field, "must count at most 2^40");
    let counted = sum(classes.iter().map(|class| class.count)) <= outcomes;
    faults.check(counted, field, "must not count more than outcomes");
    let kept = classes.iter().take(CLASSES_LIMIT);
    kept.map(|class| (class.class.clone(), class.count)).collect()
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn is_class(class: &str) -> bool {
    let begins = class.starts_with(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    let letters = class
        .bytes()
        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"._-".contains(&letter));
    begins && letters && class.len() <= CLASS_LIMIT
}
