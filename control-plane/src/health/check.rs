//! The check of frames: a message of an agent becomes frames that can be counted, or a list of all that is wrong in it.
//!
//! Everything is bounded here and nowhere after. A malformed frame refuses its whole message, so that an agent never
//! has to guess which part was taken; a frame that came too late, or whose rollout nobody judges any more, is well
//! formed and only forgotten.

mod cells;
mod faults;
mod known;
mod metrics;
mod path;

use evaluation::{Key, Violation};
use proto::{tick, v1};
use rollout::Unit;

use self::{cells::check_cells, faults::Faults, path::Path};
use super::frames::{Cell, Checked, Frame};
use crate::{record::RolloutRecord, state::State};

/// Frames of one message.
pub(crate) const FRAMES_LIMIT: usize = 256;
/// A frame that ended longer ago than this is not counted, nor is one of a rollout that ended longer ago.
pub(crate) const OLDEST_US: i64 = 60 * 60 * 1_000_000;
/// How far ahead of this clock an agent's may be.
const AHEAD_US: i64 = 60_000_000;
/// No count of one frame is larger, so that sums of a whole rollout fit.
const COUNT_LIMIT: u64 = 1 << 40;

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
        is_urgent: frame.urgent && rollout.plan.unit == Unit::Unit,
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

fn ascend(numbers: &[u32]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests;
