//! Calibration: do the tests keep what they promise, and do they find harm as fast as documented?
//!
//! Simulates the one-horizon rows of guard.md 9 for 4a and 4b and prints a markdown table. Ends with 1 when a row is
//! off: a median by more than 10 %, or a false-abort rate whose upper 95 % bound exceeds the budget. Seeds are fixed
//! and no clock is read, so the same code prints the same table everywhere.
//!
//! `cargo bench -p rollout --bench calibration [-- --quick]`. Quick makes 200 runs of each and allows what so few can
//! not tell: medians within 30 %, false aborts not provably above the budget.

mod cases;
mod figures;
mod random;
mod requests;
mod units;

use std::ops::Range;
use std::process::ExitCode;

use cases::{CASES, Case, Null, RATE, TREATED_PER_BATCH, TREATED_PER_FINE_BATCH};

/// The budget of false aborts.
const ALPHA: f64 = 0.01;
/// Seeds of runs with harm begin here, far from those without.
const FIRST_HARMFUL_SEED: u64 = 1_000_000;

/// How much is simulated, and what is allowed.
struct Effort {
    null_runs: u64,
    harmful_runs: u64,
    /// How far a median may be off.
    tolerance: f64,
    is_quick: bool,
}

const FULL: Effort = Effort {
    null_runs: 4_000,
    harmful_runs: 2_000,
    tolerance: 0.10,
    is_quick: false,
};
const QUICK: Effort = Effort {
    null_runs: 200,
    harmful_runs: 200,
    tolerance: 0.30,
    is_quick: true,
};

fn main() -> ExitCode {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let effort = if is_quick { QUICK } else { FULL };
    let null_rows_hold = print_false_aborts(&effort);
    println!();
    let medians_hold = print_medians(&effort);
    println!();
    print_fine_medians(&effort);
    println!();
    if null_rows_hold && medians_hold {
        println!("All rows hold.");
        ExitCode::SUCCESS
    } else {
        println!("Some row is off.");
        ExitCode::FAILURE
    }
}

/// Treated requests until each run aborts; infinite for those that do not.
fn runs(case: &Case, harm: f64, grain: f64, seeds: Range<u64>) -> Vec<f64> {
    let log_limit = -libm::log(ALPHA);
    let run = |seed| case.run(harm, grain, seed, log_limit);
    seeds.map(|seed| run(seed).unwrap_or(f64::INFINITY)).collect()
}

/// Treated requests until each run with harm aborts.
fn harmful_runs(case: &Case, harm: f64, grain: f64, effort: &Effort) -> Vec<f64> {
    let seeds = FIRST_HARMFUL_SEED..FIRST_HARMFUL_SEED + effort.harmful_runs;
    runs(case, harm, grain, seeds)
}

fn print_false_aborts(effort: &Effort) -> bool {
    println!("| without harm | runs | false aborts | upper 95 % bound | documented | |");
    println!("|---|---|---|---|---|---|");
    let mut all_hold = true;
    for case in &CASES {
        let treated = runs(case, 1.0, TREATED_PER_BATCH, 0..effort.null_runs);
        let aborted = treated.iter().filter(|treated| treated.is_finite()).count() as u64;
        let rate = 100.0 * aborted as f64 / effort.null_runs as f64;
        let upper = figures::upper_bound(aborted, effort.null_runs);
        let lower = figures::lower_bound(aborted, effort.null_runs);
        let (documented, holds) = match case.null {
            Null::Within(text) if effort.is_quick => (text.to_owned(), lower <= ALPHA),
            Null::Within(text) => (text.to_owned(), upper <= ALPHA),
            Null::Broken(from, to) if effort.is_quick => (format!("{from}-{to} %"), lower > ALPHA),
            Null::Broken(from, to) => (format!("{from}-{to} %"), (from..=to).contains(&rate)),
        };
        let (name, runs, upper) = (case.name, effort.null_runs, 100.0 * upper);
        println!(
            "| {name} | {runs} | {rate:.2} % | {upper:.2} % | {documented} | {} |",
            word(holds)
        );
        all_hold &= holds;
    }
    all_hold
}

fn print_medians(effort: &Effort) -> bool {
    println!(
        "| with harm | harm | runs | found | median treated requests | documented | ratio | bound | times bound | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut all_hold = true;
    for case in &CASES {
        for &(harm, documented) in case.found_after {
            let treated = harmful_runs(case, harm, TREATED_PER_BATCH, effort);
            let found = treated.iter().filter(|treated| treated.is_finite()).count() as f64;
            let found = 100.0 * found / effort.harmful_runs as f64;
            let median = figures::median(treated);
            let ratio = median / documented;
            let bound = figures::fewest_treated(case.share, RATE, harm, ALPHA);
            let holds = (ratio - 1.0).abs() <= effort.tolerance;
            let (name, runs) = (case.name, effort.harmful_runs);
            print!("| {name} | {harm}x | {runs} | {found:.1} % | {median:.0} | {documented} | {ratio:.2} | ");
            println!("{bound:.0} | {:.2} | {} |", median / bound, word(holds));
            all_hold &= holds;
        }
    }
    all_hold
}

/// The same medians with finer batches, which nobody documented: what remains of the distance to the bound.
fn print_fine_medians(effort: &Effort) {
    println!(
        "| with harm, batches of {TREATED_PER_FINE_BATCH} treated requests | harm | runs | median | bound | times bound |"
    );
    println!("|---|---|---|---|---|---|");
    for case in &CASES {
        for &(harm, _) in case.found_after {
            let median = figures::median(harmful_runs(case, harm, TREATED_PER_FINE_BATCH, effort));
            let bound = figures::fewest_treated(case.share, RATE, harm, ALPHA);
            let (name, runs) = (case.name, effort.harmful_runs);
            println!(
                "| {name} | {harm}x | {runs} | {median:.0} | {bound:.0} | {:.2} |",
                median / bound
            );
        }
    }
}

fn word(holds: bool) -> &'static str {
    if holds { "holds" } else { "OFF" }
}
