//! Why a file's blocks cannot be read or replaced: each with its line, from 1.

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A block begins and does not end before the next or before the file does.
    #[error("line {line}: <rollout_status> is never closed: write </rollout_status> on a line of its own")]
    Unclosed {
        /// Where it begins.
        line: usize,
    },
    /// A block ends that did not begin.
    #[error("line {line}: </rollout_status> closes nothing")]
    Unopened {
        /// Where it ends.
        line: usize,
    },
    /// A line of a block is missing.
    #[error("line {line}: the block has no `{name}`")]
    Missing {
        /// Where the block begins.
        line: usize,
        /// The name of the line.
        name: &'static str,
    },
    /// A line of a block is there twice.
    #[error("line {line}: `{name}` is there already")]
    Twice {
        /// Where the second is.
        line: usize,
        /// The name of the line.
        name: &'static str,
    },
    /// A value is not what it can be.
    #[error("line {line}: {name}: {value:?} is not {expected}")]
    Wrong {
        /// Where it is.
        line: usize,
        /// The name of the line.
        name: &'static str,
        /// What it says.
        value: String,
        /// What it can say.
        expected: &'static str,
    },
    /// Two blocks are about one cycle.
    #[error("line {second}: a second block of cycle {cycle:?}; the first is in line {first}")]
    SameCycle {
        /// The cycle.
        cycle: String,
        /// Where the first begins.
        first: usize,
        /// Where the second begins.
        second: usize,
    },
    /// The file is about other cycles only.
    #[error("line {line}: this file is about {}, not about {wanted:?}", names(found))]
    OtherCycle {
        /// Where its first block begins.
        line: usize,
        /// The cycle that was to be written.
        wanted: String,
        /// The cycles of the file.
        found: Vec<String>,
    },
    /// The end of the file is inside of fenced code, where a block would not be read.
    #[error("line {line}: fenced code is never closed, so that no block can follow")]
    OpenCode {
        /// Where it begins.
        line: usize,
    },
}

fn names(cycles: &[String]) -> String {
    let quoted: Vec<String> = cycles.iter().map(|cycle| format!("{cycle:?}")).collect();
    quoted.join(", ")
}
