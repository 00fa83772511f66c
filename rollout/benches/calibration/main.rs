//! Calibration: do the tests keep what they promise, and do they find harm as fast as documented?
//!
//! Simulates the rows of guard.md 9 and prints markdown tables. Ends with 1 when a row is off: a median by more than
//! 10 %, or a false-abort rate whose upper 95 % bound exceeds the budget. Seeds are fixed and no clock is read, so the
//! same code prints the same tables everywhere.
//!
//! `cargo bench -p rollout --bench calibration [-- --quick] [--runs=N] [words]`. Quick makes few runs of each and allows what so
//! few can not tell: medians within 30 %, false aborts not provably above the budget. With words only those rows of
//! `rows.rs` are made whose name holds one of them; N is for more or fewer runs of them without harm.

mod broken;
mod captured;
mod cases;
mod figures;
mod habits;
mod independent;
mod mixed;
mod plans;
mod random;
mod requests;
mod rows;
mod units;
mod values;

use std::ops::Range;
use std::process::ExitCode;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use rollout::evidence::limit::Kind;
use rollout::evidence::threshold::{Operator, Span, Threshold};

use cases::{CASES, Case, Null, RATE, TREATED_PER_BATCH, TREATED_PER_FINE_BATCH};
use rows::{Row, Run};

/// The budget of false aborts.
const ALPHA: f64 = 0.01;
/// Seeds of runs with harm begin here, far from those without.
const FIRST_HARMFUL_SEED: u64 = 1_000_000;

/// Runs without harm of each row of `rows.rs`, if it is to be quick.
const QUICK_NULL_RUNS: u64 = 40;

/// How much is simulated, and what is allowed.
struct Effort {
    null_runs: u64,
    harmful_runs: u64,
    /// The same for the rows of `rows.rs`.
    row_harmful_runs: u64,
    /// How far a median may be off.
    tolerance: f64,
    is_quick: bool,
}

const FULL: Effort = Effort {
    null_runs: 4_000,
    harmful_runs: 2_000,
    row_harmful_runs: 2_000,
    tolerance: 0.10,
    is_quick: false,
};
const QUICK: Effort = Effort {
    null_runs: 200,
    harmful_runs: 200,
    row_harmful_runs: 40,
    tolerance: 0.30,
    is_quick: true,
};

fn main() -> ExitCode {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let effort = if is_quick { QUICK } else { FULL };
    let mut all_hold = true;
    let wanted = wanted();
    if wanted.is_empty() {
        all_hold &= print_false_aborts(&effort);
        println!();
        all_hold &= print_medians(&effort);
        println!();
        all_hold &= print_fine_medians(&effort);
        println!();
    }
    let is_wanted = |row: &Row| wanted.is_empty() || wanted.iter().any(|word| row.name.contains(word.as_str()));
    let rows: Vec<Row> = rows::rows().into_iter().filter(is_wanted).collect();
    all_hold &= print_null_rows(&rows, &effort);
    println!();
    all_hold &= print_found_rows(&rows, &effort);
    println!();
    print_threshold();
    println!();
    if all_hold {
        println!("All rows hold.");
        ExitCode::SUCCESS
    } else {
        println!("Some row is off.");
        ExitCode::FAILURE
    }
}

/// Words after the options: only rows of `rows.rs` whose name holds one of them are wanted.
fn wanted() -> Vec<String> {
    std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect()
}

/// How many runs without harm each row of `rows.rs` is to make, if `--runs=N` says so.
fn asked_runs() -> Option<u64> {
    std::env::args().find_map(|argument| argument.strip_prefix("--runs=")?.parse().ok())
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

/// The same medians with finer batches: what remains of the distance to the bound, which has a bar.
fn print_fine_medians(effort: &Effort) -> bool {
    println!(
        "| with harm, batches of {TREATED_PER_FINE_BATCH} treated requests | harm | runs | median | bound | times bound | bar | |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut all_hold = true;
    for case in &CASES {
        for &(harm, _) in case.found_after {
            let median = figures::median(harmful_runs(case, harm, TREATED_PER_FINE_BATCH, effort));
            let bound = figures::fewest_treated(case.share, RATE, harm, ALPHA);
            let times = median / bound;
            let (name, runs, bar) = (case.name, effort.harmful_runs, case.bar);
            let holds = times <= bar;
            print!("| {name} | {harm}x | {runs} | {median:.0} | {bound:.0} | ");
            println!("{times:.2} | {bar} | {} |", word(holds));
            all_hold &= holds;
        }
    }
    all_hold
}

/// Treated requests until each run of a row reaches the limit; infinite for those that do not. Runs share nothing, so
/// that the threads they are on change no figure. How far it is goes to standard error.
fn row_runs(name: &str, alpha: f64, run: &Run, seeds: Range<u64>) -> Vec<f64> {
    let log_limit = -libm::log(alpha);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seeds: Vec<u64> = seeds.collect();
    let treated = Mutex::new(vec![f64::INFINITY; seeds.len()]);
    let next = AtomicUsize::new(0);
    let tenth = seeds.len().div_ceil(10).max(1);
    let work = || {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = seeds.get(position) else { return };
            if position.is_multiple_of(tenth) {
                eprintln!("{name}: run {position} of {}", seeds.len());
            }
            let found = run(*seed, log_limit).unwrap_or(f64::INFINITY);
            // A thread that panics ends the bench, so that nothing is read of a poisoned list.
            treated.lock().expect("no run panicked")[position] = found;
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    treated.into_inner().expect("no run panicked")
}

fn print_null_rows(rows: &[Row], effort: &Effort) -> bool {
    let asked = asked_runs();
    println!("| truth at the limit | runs | false | upper 95 % bound | documented | |");
    println!("|---|---|---|---|---|---|");
    let mut all_hold = true;
    for row in rows {
        let Some(null) = &row.null else { continue };
        let runs = asked.unwrap_or(if effort.is_quick { QUICK_NULL_RUNS } else { null.runs });
        let treated = row_runs(row.name, row.alpha, &null.run, 0..runs);
        let reached = treated.iter().filter(|treated| treated.is_finite()).count() as u64;
        let (upper, lower) = (figures::upper_bound(reached, runs), figures::lower_bound(reached, runs));
        let holds = if effort.is_quick {
            lower <= null.most
        } else {
            upper <= null.most
        };
        let (rate, upper) = (100.0 * reached as f64 / runs as f64, 100.0 * upper);
        let (name, documented) = (row.name, null.documented);
        println!(
            "| {name} | {runs} | {rate:.2} % | {upper:.2} % | {documented} | {} |",
            word(holds)
        );
        all_hold &= holds;
    }
    all_hold
}

fn print_found_rows(rows: &[Row], effort: &Effort) -> bool {
    println!("| truth beyond the limit (section 6: within) | truth | runs | found | median | documented | ratio | |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut all_hold = true;
    for row in rows {
        for found in &row.found {
            let runs = effort.row_harmful_runs;
            let treated = row_runs(
                row.name,
                row.alpha,
                &found.run,
                FIRST_HARMFUL_SEED..FIRST_HARMFUL_SEED + runs,
            );
            let share = treated.iter().filter(|treated| treated.is_finite()).count() as f64 / runs as f64;
            let median = figures::median(treated);
            let (from, to) = found.documented;
            let ratio = median / median.clamp(from, to);
            // Sooner than documented is worth a word, and no fault while the rows above hold.
            // Just 10 % is within 10 %, whatever the last bit says.
            let holds = ratio - 1.0 <= effort.tolerance + 1e-9;
            let said = if ratio < 1.0 - effort.tolerance {
                "sooner"
            } else {
                word(holds)
            };
            let documented = if from < to {
                format!("{from}-{to}")
            } else {
                from.to_string()
            };
            print!("| {} | {} | {runs} | {:.1} % | ", row.name, found.truth, 100.0 * share);
            println!("{median:.0} | {documented} | {ratio:.2} | {said} |");
            all_hold &= holds;
        }
    }
    all_hold
}

/// For contrast: what a plain threshold of twice the harmless rate does to 100,000 harmless requests.
fn print_threshold() {
    let threshold = Threshold {
        kind: Kind::Rate,
        operator: Operator::Above,
        limit: 2.0 * RATE,
        span: Span::Window(1),
        minimum_outcomes: 1,
        minimum_units: 0,
        consecutive: 1,
    };
    println!(
        "| threshold of twice the rate, 100,000 harmless requests | aborted (worked out, not simulated) | documented |"
    );
    println!("|---|---|---|");
    for (outcomes, documented) in [(100_u32, "100 %"), (1_000, "31 %")] {
        let odds = threshold.odds(RATE, u64::from(outcomes), 100_000 / outcomes);
        println!(
            "| per {outcomes} requests | {:.0} % | {documented} |",
            100.0 * odds.unwrap_or(f64::NAN)
        );
    }
}

fn word(holds: bool) -> &'static str {
    if holds { "holds" } else { "OFF" }
}
