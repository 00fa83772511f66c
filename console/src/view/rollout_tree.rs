//! A rollout as a tree: its stages, done, current and ahead, and under the current one all that it waits for; below it the
//! guards, the levels, and both arms side by side.
//!
//! Times run on between two messages of the control plane, because a clock that stands still looks like a rollout that
//! does. What is known is not changed: only the soak of a running clock grows, up to its dwell.

use proto::v1;

use super::{guard, level, plan, rollout_text, side, signal, walk};
use crate::{
    duration,
    print::{self, Paint, Tone, percent, plain},
};

/// Next steps that are shown.
const NEXT_STEPS: usize = 6;

/// What a line of the tree is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Done,
    Current,
    Ahead,
    Failed,
}

impl Mark {
    fn sign(self, paint: Paint) -> String {
        match self {
            Self::Done => paint.tone(Tone::Good, "✓"),
            Self::Current => paint.tone(Tone::Warning, "▶"),
            Self::Ahead => paint.tone(Tone::Faint, "·"),
            Self::Failed => paint.tone(Tone::Bad, "✗"),
        }
    }
}

/// The lines of the tree. `now_us` is the present, `passed_us` how long ago the rollout was heard of.
pub(crate) fn lines(rollout: &v1::Rollout, now_us: i64, passed_us: i64, paint: Paint) -> Vec<String> {
    let mut lines = vec![head(rollout, paint)];
    let stages = rollout
        .plan
        .as_ref()
        .map(|plan| plan.stages.as_slice())
        .unwrap_or_default();
    for (number, stage) in stages.iter().enumerate() {
        let last = number + 1 == stages.len();
        let mark = mark(rollout, number);
        let (branch, under) = if last { ("└─", "   ") } else { ("├─", "│  ") };
        let here = number == rollout.stage as usize && !is_before_start(rollout);
        let soak = if here {
            soak(rollout, passed_us)
        } else {
            plan::dwell(stage)
        };
        let text = plain(&format!(
            "{}  {} of {}  {soak}",
            stage.name,
            percent(stage.buckets),
            plan::audience(stage)
        ));
        let text = if mark == Mark::Ahead {
            paint.tone(Tone::Faint, &text)
        } else {
            text
        };
        lines.push(format!("{branch} {} {text}", mark.sign(paint)));
        if here {
            lines.extend(
                details(rollout, now_us, paint)
                    .into_iter()
                    .map(|line| format!("{under}  {line}")),
            );
        }
    }
    if is_before_start(rollout) || stages.is_empty() {
        lines.extend(
            details(rollout, now_us, paint)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
    }
    lines.extend(
        rollout
            .end
            .as_ref()
            .map(|end| format!("end: {}", rollout_text::end(end))),
    );
    lines.extend(tables(rollout, paint));
    lines.extend(next(rollout, now_us, paint));
    lines
}

/// The guards, the levels that some of them read, and both arms side by side; an empty line before each.
fn tables(rollout: &v1::Rollout, paint: Paint) -> Vec<String> {
    let tables = [guard::table(rollout), level::table(rollout), side::table(rollout)];
    let mut lines = Vec::new();
    for table in tables.iter().flatten() {
        lines.push(String::new());
        let (header, rows) = table.split_once('\n').unwrap_or((table, ""));
        lines.push(paint.tone(Tone::Strong, header));
        lines.extend(rows.lines().map(str::to_owned));
    }
    if !lines.is_empty() && !rollout.next_steps.is_empty() {
        lines.push(String::new());
    }
    lines
}

fn head(rollout: &v1::Rollout, paint: Paint) -> String {
    let plan = rollout.plan.clone().unwrap_or_default();
    let name = paint.tone(Tone::Strong, &plain(&rollout.name));
    let phase = rollout_text::phase(rollout.phase());
    let phase = match rollout.phase() {
        v1::RolloutPhase::Completed => paint.tone(Tone::Good, phase),
        v1::RolloutPhase::Aborting
        | v1::RolloutPhase::Aborted
        | v1::RolloutPhase::RolledBack
        | v1::RolloutPhase::Expired => paint.tone(Tone::Bad, phase),
        v1::RolloutPhase::Held | v1::RolloutPhase::Paused => paint.tone(Tone::Warning, phase),
        v1::RolloutPhase::Unspecified
        | v1::RolloutPhase::Draft
        | v1::RolloutPhase::Ready
        | v1::RolloutPhase::AwaitingStart
        | v1::RolloutPhase::Delivering
        | v1::RolloutPhase::Soaking
        | v1::RolloutPhase::Gate
        | v1::RolloutPhase::Baking
        | v1::RolloutPhase::Superseded => phase.to_owned(),
    };
    let arms = plain(&format!(
        "{} in {}: {} against {}",
        plan.flag, rollout.environment, plan.treatment, plan.control
    ));
    let measured = match rollout.measured_buckets {
        Some(buckets) => format!(", {} of all units measured", percent(buckets)),
        None => String::new(),
    };
    format!(
        "{name} {phase}  {arms}  {} wanted, {} acked{measured}  sequence {}",
        percent(rollout.wanted_buckets),
        percent(rollout.acked_buckets),
        rollout.sequence
    )
}

fn mark(rollout: &v1::Rollout, number: usize) -> Mark {
    let current = rollout.stage as usize;
    match rollout.phase() {
        v1::RolloutPhase::Draft
        | v1::RolloutPhase::Ready
        | v1::RolloutPhase::AwaitingStart
        | v1::RolloutPhase::Expired => Mark::Ahead,
        v1::RolloutPhase::Completed => Mark::Done,
        v1::RolloutPhase::Baking if number <= current => Mark::Done,
        v1::RolloutPhase::Aborting
        | v1::RolloutPhase::Aborted
        | v1::RolloutPhase::RolledBack
        | v1::RolloutPhase::Superseded
            if number == current =>
        {
            Mark::Failed
        }
        v1::RolloutPhase::Unspecified
        | v1::RolloutPhase::Delivering
        | v1::RolloutPhase::Soaking
        | v1::RolloutPhase::Held
        | v1::RolloutPhase::Gate
        | v1::RolloutPhase::Paused
        | v1::RolloutPhase::Baking
        | v1::RolloutPhase::Aborting
        | v1::RolloutPhase::Aborted
        | v1::RolloutPhase::RolledBack
        | v1::RolloutPhase::Superseded => match number.cmp(&current) {
            std::cmp::Ordering::Less => Mark::Done,
            std::cmp::Ordering::Equal => Mark::Current,
            std::cmp::Ordering::Greater => Mark::Ahead,
        },
    }
}

/// Whether no stage was entered yet.
fn is_before_start(rollout: &v1::Rollout) -> bool {
    match rollout.phase() {
        v1::RolloutPhase::Draft | v1::RolloutPhase::Ready | v1::RolloutPhase::AwaitingStart => true,
        v1::RolloutPhase::Expired => rollout.stage_entered_at_us == 0,
        v1::RolloutPhase::Unspecified
        | v1::RolloutPhase::Delivering
        | v1::RolloutPhase::Soaking
        | v1::RolloutPhase::Held
        | v1::RolloutPhase::Gate
        | v1::RolloutPhase::Paused
        | v1::RolloutPhase::Baking
        | v1::RolloutPhase::Aborting
        | v1::RolloutPhase::Aborted
        | v1::RolloutPhase::RolledBack
        | v1::RolloutPhase::Superseded
        | v1::RolloutPhase::Completed => false,
    }
}

/// How long the present stage has soaked, and how long it has to.
fn soak(rollout: &v1::Rollout, passed_us: i64) -> String {
    if rollout.end.is_some() {
        return format!("soaked {}", duration::about(rollout.soaked_us));
    }
    if rollout.clock_started_at_us == 0 {
        return "clock not started".into();
    }
    let runs = rollout.phase() == v1::RolloutPhase::Soaking;
    let soaked = rollout.soaked_us.saturating_add(if runs { passed_us } else { 0 });
    if rollout.permanent {
        return format!("soaked {}, until a person says otherwise", duration::about(soaked));
    }
    let dwell = rollout_text::dwell_us(rollout);
    let extended = match rollout.extensions {
        0 => String::new(),
        1 => ", extended once".into(),
        times => format!(", extended {times} times"),
    };
    match dwell.saturating_sub(soaked) {
        left if left > 0 => format!(
            "soaked {}, {} left of {}{extended}",
            duration::about(soaked),
            duration::about(left),
            duration::exact(dwell)
        ),
        _ => format!("soaked {}{extended}", duration::exact(dwell)),
    }
}

/// All that is to be known about where it stands, one thing a line.
fn details(rollout: &v1::Rollout, now_us: i64, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let held = |reason: &String| paint.tone(Tone::Warning, &format!("held: {}", plain(reason)));
    if rollout.hold_reasons.is_empty() {
        let only = Some(&rollout.hold_reason).filter(|reason| !reason.is_empty());
        lines.extend(only.map(held));
    } else {
        lines.extend(rollout.hold_reasons.iter().map(held));
    }
    lines.extend(rollout.signals.iter().map(|raised| {
        let line = signal::line(rollout, raised);
        let tone = if raised.dismissed { Tone::Faint } else { Tone::Warning };
        paint.tone(tone, &line)
    }));
    if rollout.stuck {
        lines.push(paint.tone(Tone::Warning, &format!("stuck: {}", plain(&rollout.question))));
    }
    let delivered = rollout
        .delivery
        .as_ref()
        .filter(|_| rollout.end.is_none() && rollout.wanted_buckets > 0);
    lines.extend(delivered.map(|delivery| plain(&format!("delivery: {}", rollout_text::delivery(delivery)))));
    let evidence = rollout.evidence.as_ref().filter(|evidence| evidence.log_abort != 0.0);
    lines.extend(evidence.map(|evidence| plain(&format!("evidence: {}", rollout_text::show_evidence(evidence)))));
    lines.extend(
        rollout
            .waits
            .iter()
            .map(|wait| format!("waits for {}", walk::waiting(wait, now_us))),
    );
    lines.extend(rollout.criteria.iter().map(|found| criterion(found, paint)));
    lines.extend(rollout.approvals.iter().map(approval));
    lines.extend(rollout.items.iter().map(|state| item(state, paint)));
    lines.extend(rollout.issues.iter().map(|found| issue(found, paint)));
    lines
}

fn criterion(found: &v1::CriterionFinding, paint: Paint) -> String {
    let tone = match found.finding.as_str() {
        "holds" => Tone::Good,
        "does not hold" => Tone::Bad,
        _ => Tone::Warning,
    };
    let finding = paint.tone(tone, &plain(&found.finding));
    format!("criterion {}: {finding}", plain(&found.criterion))
}

fn approval(approval: &v1::Approval) -> String {
    let what = match approval.stage.as_str() {
        "" => "the start".to_owned(),
        stage => format!("the gate of {stage}"),
    };
    let valid = if approval.valid {
        ""
    } else {
        ", of an earlier plan: it no longer counts"
    };
    plain(&format!(
        "approved: {what}, by {} at {}{valid}",
        approval.by,
        print::moment(approval.at_us)
    ))
}

fn item(item: &v1::ItemState, paint: Paint) -> String {
    let (tick, by) = match (item.done, item.by.as_str()) {
        (true, "") => (paint.tone(Tone::Good, "[x]"), String::new()),
        (true, by) => (paint.tone(Tone::Good, "[x]"), format!(", by {by}")),
        (false, _) => ("[ ]".to_owned(), format!(", ticked by: {}", item.ticked_by)),
    };
    format!("{tick} {}", plain(&format!("{} ({}){by}", item.item, item.list)))
}

fn issue(issue: &v1::IssueFound, paint: Paint) -> String {
    let text = plain(&format!(
        "issue {}: {}, found in {} by {}",
        issue.number, issue.title, issue.stage, issue.opened_by
    ));
    match (issue.closed_by.as_str(), issue.resolution.as_str()) {
        ("", _) => paint.tone(Tone::Warning, &format!("{text}, open")),
        (by, "") => format!("{text}, closed by {}", plain(by)),
        (by, how) => format!("{text}, closed by {}: {}", plain(by), plain(how)),
    }
}

/// What comes next, with its times.
fn next(rollout: &v1::Rollout, now_us: i64, paint: Paint) -> Vec<String> {
    let steps = rollout.next_steps.as_slice();
    if steps.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![paint.tone(Tone::Strong, "next, if all goes well and everybody acts at once")];
    lines.extend(steps.iter().take(NEXT_STEPS).map(|step| {
        let stage = match step.stage.as_str() {
            "" => String::new(),
            stage => format!(" [{stage}]"),
        };
        plain(&format!(
            "  {} ({}) {}{stage}",
            print::moment(step.at_us),
            walk::away(step.at_us, now_us),
            step.kind
        ))
    }));
    if let (more @ 1.., Some(last)) = (steps.len().saturating_sub(NEXT_STEPS), steps.last()) {
        lines.push(plain(&format!(
            "  and {more} more, the last {} at {}",
            last.kind,
            print::moment(last.at_us)
        )));
    }
    lines
}

#[cfg(test)]
mod tests;
