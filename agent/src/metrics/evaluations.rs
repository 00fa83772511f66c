//! Counts evaluations by door and reason, with counters that are registered once: nothing is looked up or locked for
//! one.

use evaluation::Reason;
use metrics::{Counter, counter};

use super::{EVALUATIONS, UNCHANGED};

/// Counts evaluations by door and reason, without a look-up or a lock per evaluation.
pub(crate) struct Evaluations {
    /// flagd's protocols.
    pub(crate) flagd: Answers,
    /// OFREP.
    pub(crate) ofrep: Answers,
    /// The native protocol.
    pub(crate) native: Answers,
    unchanged: Counter,
}

/// The answers of one door.
pub(crate) struct Answers {
    fixed: Counter,
    default: Counter,
    targeting_match: Counter,
    split: Counter,
    disabled: Counter,
    stale: Counter,
    error: Counter,
    not_found: Counter,
    type_mismatch: Counter,
}

/// Answers of one call for many flags, to be counted at once.
#[derive(Debug, Default)]
pub(crate) struct Several([u64; REASONS.len()]);

/// Every reason; its place is where `Several` counts it.
const REASONS: [Reason; 7] = [
    Reason::Static,
    Reason::Default,
    Reason::TargetingMatch,
    Reason::Split,
    Reason::Disabled,
    Reason::Stale,
    Reason::Error,
];

impl Evaluations {
    /// Registers the counters with the current recorder.
    pub(crate) fn new() -> Self {
        Self {
            flagd: Answers::new("flagd"),
            ofrep: Answers::new("ofrep"),
            native: Answers::new("native"),
            unchanged: counter!(UNCHANGED),
        }
    }

    /// A caller was told that all flags serve what it was told before.
    pub(crate) fn unchanged(&self) {
        self.unchanged.increment(1);
    }
}

impl Answers {
    fn new(door: &'static str) -> Self {
        let of = |reason: &'static str| counter!(EVALUATIONS, "door" => door, "reason" => reason);
        Self {
            fixed: of("static"),
            default: of("default"),
            targeting_match: of("targeting_match"),
            split: of("split"),
            disabled: of("disabled"),
            stale: of("stale"),
            error: of("error"),
            not_found: of("flag_not_found"),
            type_mismatch: of("type_mismatch"),
        }
    }

    /// A flag was answered.
    pub(crate) fn answered(&self, reason: Reason) {
        self.of(reason).increment(1);
    }

    /// Many flags were answered.
    pub(crate) fn answered_all(&self, several: &Several) {
        for (reason, times) in REASONS.into_iter().zip(several.0) {
            if times > 0 {
                self.of(reason).increment(times);
            }
        }
    }

    /// An unknown flag was asked for.
    pub(crate) fn not_found(&self) {
        self.not_found.increment(1);
    }

    /// A flag was asked for as what it is not.
    pub(crate) fn type_mismatch(&self) {
        self.type_mismatch.increment(1);
    }

    fn of(&self, reason: Reason) -> &Counter {
        match reason {
            Reason::Static => &self.fixed,
            Reason::Default => &self.default,
            Reason::TargetingMatch => &self.targeting_match,
            Reason::Split => &self.split,
            Reason::Disabled => &self.disabled,
            Reason::Stale => &self.stale,
            Reason::Error => &self.error,
        }
    }
}

impl Several {
    /// One more.
    pub(crate) fn answered(&mut self, reason: Reason) {
        let at = REASONS.iter().position(|other| *other == reason);
        if let Some(times) = at.and_then(|at| self.0.get_mut(at)) {
            *times += 1;
        }
    }
}

impl std::fmt::Debug for Evaluations {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Evaluations").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Answers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_door_and_reason() {
        let (recorder, rendered) = runtime::telemetry::local_metrics();
        let evaluations = metrics::with_local_recorder(&recorder, Evaluations::new);
        let mut several = Several::default();
        for reason in REASONS {
            several.answered(reason);
            several.answered(reason);
            evaluations.flagd.answered(reason);
        }
        evaluations.ofrep.answered_all(&several);
        evaluations.native.not_found();
        evaluations.native.type_mismatch();
        evaluations.unchanged();
        let text = rendered.render();
        let line = |door: &str, reason: &str, count: u64| {
            let line = format!("{EVALUATIONS}{{door=\"{door}\",reason=\"{reason}\"}} {count}");
            assert!(text.contains(&line), "{line} in {text}");
        };
        for reason in REASONS {
            let reason = reason.as_str().to_ascii_lowercase();
            line("flagd", &reason, 1);
            line("ofrep", &reason, 2);
            line("native", &reason, 0);
        }
        line("native", "flag_not_found", 1);
        line("native", "type_mismatch", 1);
        assert!(text.contains(&format!("{UNCHANGED} 1")), "{text}");
    }
}
