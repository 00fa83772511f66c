//! The check of frames: a message of an agent becomes frames that can be counted, or a list of all that is wrong in it.
//!
//! Everything is bounded here and nowhere after. A malformed frame refuses its whole message, so that an agent never
//! has to guess which part was taken; a frame that came too late, or whose rollout nobody judges any more, is well
//! formed and only forgotten.

mod known;
mod path;

use evaluation::{Arm, Key, Violation};
use proto::{SUM_LIMIT, status::violation, tick, v1};
use rollout::{
    Visit,
    evidence::unit::POSITIONS,
    measure::{Counting, DURATION_BUCKETS, Per},
};

use self::{known::Known, path::Path};
use super::frames::{Cell, Checked, Frame, MetricCell, Place};
use crate::{record::RolloutRecord, state::State};

/// Frames of one message.
pub(crate) const FRAMES_LIMIT: usize = 256;
/// A frame that ended longer ago than this is not counted, nor is one of a rollout that ended longer ago.
pub(crate) const OLDEST_US: i64 = 60 * 60 * 1_000_000;
/// How far ahead of this clock an agent's may be.
const AHEAD_US: i64 = 60_000_000;
/// No count of one frame is larger, so that sums of a whole rollout fit.
const COUNT_LIMIT: u64 = 1 << 40;
/// Violations that are listed; of more, only their number is told.
const LISTED: usize = 20;
/// Exposed positions are those whose low bits are 0.
const SAMPLE_MASK: u32 = 63;
/// Classes of failures of one cell, `other` included.
const CLASSES_LIMIT: usize = 17;
/// Letters of a class.
const CLASS_LIMIT: usize = 64;
/// Sub-buckets of each doubling in a histogram.
const SCALE: u32 = 16;
/// As many sampled positions as there are.
const SAMPLES_LIMIT: usize = (POSITIONS / (SAMPLE_MASK + 1)) as usize;

/// What is wrong so far.
#[derive(Debug, Default)]
struct Faults {
    listed: Vec<Violation>,
    more: usize,
}

impl Faults {
    fn check(&mut self, holds: bool, field: impl FnOnce() -> String, rule: &str) {
        if holds {
            return;
        }
        if self.listed.len() < LISTED {
            self.listed.push(violation(field(), rule));
        } else {
            self.more += 1;
        }
    }

    fn finish<T>(mut self, value: T) -> Result<T, Vec<Violation>> {
        if self.listed.is_empty() {
            return Ok(value);
        }
        if self.more > 0 {
            self.listed
                .push(violation("frames", format!("{} more violations", self.more)));
        }
        Err(self.listed)
    }
}

/// Words of bits for all places of a cell: 16 stages, 16 strata, two arms.
const PLACE_WORDS: usize = 16 * 16 * 2 / 64;
/// The same for all numbers of countings.
const METRIC_WORDS: usize = 1_024 / 64;

/// What the frames of one message come to, in their order; or everything that is wrong with them.
///
/// All are of `environment`, and its rollouts are those of `state`. Complexity: linear in the size of the message.
pub(crate) fn check(
    state: &State,
    environment: &Key,
    frames: Vec<v1::Frame>,
    now_us: i64,
) -> Result<Vec<Checked>, Vec<Violation>> {
    let mut faults = Faults::default();
    faults.check(
        frames.len() <= FRAMES_LIMIT,
        || "frames".to_owned(),
        "holds at most 256 frames",
    );
    let mut checked = Vec::with_capacity(frames.len().min(FRAMES_LIMIT));
    for (number, mut frame) in frames.into_iter().take(FRAMES_LIMIT).enumerate() {
        let path = Path::new("frames", number);
        let same = frame.environment == environment.as_str();
        faults.check(
            same,
            || format!("{path}.environment"),
            "must be that of the stream's first frame",
        );
        let rollout = state
            .rollout_at(environment, frame.rollout)
            .filter(|rollout| is_judged(rollout, now_us));
        let rollout = rollout.map(|rollout| &**rollout);
        check_span(&mut faults, &path, &frame, rollout, now_us);
        let cells = std::mem::take(&mut frame.cells);
        let cells = check_cells(&mut faults, &path, cells, rollout, now_us);
        checked.push(sort(environment, rollout, &frame, cells, now_us));
    }
    faults.finish(checked)
}

/// Whether frames of a rollout are still counted.
pub(crate) fn is_judged(rollout: &RolloutRecord, now_us: i64) -> bool {
    rollout
        .state
        .ended_at_us
        .is_none_or(|ended_at_us| now_us.saturating_sub(ended_at_us) <= OLDEST_US)
}

fn sort(
    environment: &Key,
    rollout: Option<&RolloutRecord>,
    frame: &v1::Frame,
    cells: Vec<Cell>,
    now_us: i64,
) -> Checked {
    let Some(rollout) = rollout else {
        return Checked::Unknown {
            rollout: frame.rollout,
            sequence: frame.sequence,
        };
    };
    let too_old = frame.last_tick < tick::at(now_us.saturating_sub(OLDEST_US));
    let (dropped, cells) = if too_old {
        (0, Vec::new())
    } else {
        (frame.dropped, cells)
    };
    let frame = Frame {
        environment: environment.clone(),
        rollout: rollout.id,
        index: rollout.index,
        sequence: frame.sequence,
        last_tick: frame.last_tick,
        horizon: frame.horizon,
        dropped,
        cells,
    };
    if too_old {
        Checked::TooOld(frame)
    } else {
        Checked::Counted(frame)
    }
}

fn check_span(faults: &mut Faults, path: &Path<'_>, frame: &v1::Frame, rollout: Option<&RolloutRecord>, now_us: i64) {
    let field = |name: &'static str| move || format!("{path}.{name}");
    faults.check(frame.sequence >= 1, field("sequence"), "counts from 1");
    faults.check(
        frame.first_tick <= frame.last_tick,
        field("last_tick"),
        "must not be before first_tick",
    );
    let latest = tick::at(now_us.saturating_add(AHEAD_US));
    faults.check(
        frame.last_tick <= latest,
        field("last_tick"),
        "is over a minute in the future; check the agent's clock",
    );
    faults.check(frame.horizon >= 1, field("horizon"), "counts from 1");
    let horizons = rollout.map_or(usize::MAX, |rollout| rollout.state.horizons.len());
    let begun = usize::try_from(frame.horizon).is_ok_and(|horizon| horizon <= horizons);
    faults.check(begun, field("horizon"), "has not begun in this rollout");
    faults.check(frame.dropped <= COUNT_LIMIT, field("dropped"), "must be at most 2^40");
}

/// A number for the stage, stratum and arm of a cell; a large one if one of them is out of its range.
fn place_number(cell: &v1::Cell) -> usize {
    match (cell.stage, cell.stratum, cell.arm) {
        (stage @ ..16, stratum @ ..16, arm @ ..2) => ((stage * 16 + stratum) * 2 + arm) as usize,
        _ => usize::MAX,
    }
}

fn check_cells(
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
        let durations = check_durations(faults, &path, cell.durations.as_ref());
        let classes = check_classes(faults, &path, &cell.classes);
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
    let field = || format!("{path}.exposed_positions");
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

fn check_metrics(
    faults: &mut Faults,
    path: &Path<'_>,
    metrics: Vec<v1::MetricCell>,
    rollout: Option<&RolloutRecord>,
) -> Vec<MetricCell> {
    let measured = rollout.map_or(usize::from(u16::MAX), |rollout| rollout.counted.len());
    let mut numbers = Known::<METRIC_WORDS>::default();
    let mut checked = Vec::with_capacity(metrics.len());
    for (number, cell) in metrics.into_iter().enumerate() {
        let path = path.within("metrics", number);
        let metric = u16::try_from(cell.metric)
            .ok()
            .filter(|metric| usize::from(*metric) < measured);
        faults.check(
            metric.is_some(),
            || format!("{path}.metric"),
            "is not measured in this rollout",
        );
        faults.check(
            numbers.insert(cell.metric as usize),
            || format!("{path}.metric"),
            "stands twice in this cell",
        );
        let positions = cell.bad_positions.iter().all(|position| *position < POSITIONS) && ascend(&cell.bad_positions);
        faults.check(
            positions,
            || format!("{path}.bad_positions"),
            "must be below 2^18 and ascend",
        );
        let counting = rollout
            .zip(metric)
            .and_then(|(rollout, metric)| rollout.counted.get(usize::from(metric)))
            .map(|counted| &counted.counting);
        let names_units = counting.is_none_or(Counting::names_units);
        faults.check(
            names_units || cell.bad_positions.is_empty(),
            || format!("{path}.bad_positions"),
            "must be empty: this metric does not compare units",
        );
        let buckets = check_buckets(faults, &path, &cell, counting);
        if let Some(metric) = metric {
            checked.push(MetricCell {
                metric,
                buckets,
                bad: cell.bad_positions,
            });
        }
    }
    checked
}

/// (Bucket, numerator, denominator) of the buckets that have counts.
fn check_buckets(
    faults: &mut Faults,
    path: &Path<'_>,
    cell: &v1::MetricCell,
    counting: Option<&Counting>,
) -> Vec<(u8, i64, u64)> {
    let buckets = &cell.buckets;
    let numbers = buckets.iter().all(|bucket| *bucket < 64) && ascend(buckets);
    faults.check(numbers, || format!("{path}.buckets"), "must be 0 to 63 and ascend");
    let alike = cell.num.len() == buckets.len() && cell.den.len() == buckets.len();
    faults.check(alike, || format!("{path}.buckets"), "must be as many as num and den");
    if !numbers || !alike {
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(buckets.len());
    for (at, bucket) in buckets.iter().enumerate() {
        let (num, den) = (cell.num[at], cell.den[at]);
        faults.check(
            den <= COUNT_LIMIT,
            || format!("{path}.den[{at}]"),
            "must be at most 2^40",
        );
        check_num(faults, || format!("{path}.num[{at}]"), (num, den), counting);
        if num != 0 || den != 0 {
            checked.push((*bucket as u8, num, den));
        }
    }
    checked
}

/// A numerator: of counts at most its denominator, of values within what each of them may count for.
fn check_num(faults: &mut Faults, field: impl Fn() -> String, (num, den): (i64, u64), counting: Option<&Counting>) {
    match counting {
        Some(Counting::Sum {
            per, minimum, maximum, ..
        }) => {
            faults.check(
                num.unsigned_abs() <= SUM_LIMIT,
                &field,
                "must be within 2^60 millionths",
            );
            let (least, most) = (
                i128::from(*minimum) * i128::from(den),
                i128::from(*maximum) * i128::from(den),
            );
            let is_within = *per == Per::Exposure || (least..=most).contains(&i128::from(num));
            faults.check(is_within, &field, "is beyond what so many values may count for");
        }
        Some(counting) if !counting.is_part() => {
            let is_count = u64::try_from(num).is_ok_and(|num| num <= COUNT_LIMIT);
            faults.check(is_count, &field, "must be between 0 and 2^40");
        }
        Some(_) | None => {
            let within = u64::try_from(num).is_ok_and(|num| num <= den);
            faults.check(within, &field, "must be between 0 and its den");
        }
    }
}

fn check_durations(faults: &mut Faults, path: &Path<'_>, durations: Option<&v1::Durations>) -> Vec<(u16, u64)> {
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
    if durations.scale != SCALE || !numbers || !alike {
        return Vec::new();
    }
    let pairs = buckets.iter().zip(&durations.counts);
    pairs.map(|(bucket, count)| (*bucket as u16, *count)).collect()
}

fn check_classes(faults: &mut Faults, path: &Path<'_>, classes: &[v1::ClassCount]) -> Vec<(String, u64)> {
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
    let kept = classes.iter().take(CLASSES_LIMIT);
    kept.map(|class| (class.class.clone(), class.count)).collect()
}

fn is_class(class: &str) -> bool {
    let begins = class.starts_with(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    let letters = class
        .bytes()
        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"._-".contains(&letter));
    begins && letters && class.len() <= CLASS_LIMIT
}

fn ascend(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests;
