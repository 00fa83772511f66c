//! What one evaluation by name costs, beside the bare work that no evaluation can do without.
//!
//! Prints a markdown table: nanoseconds (median and 25th percentile of rounds), the ratio to the bare reference of the
//! same run, and allocations. Cases take turns within a round, starting with another one each time, so that a busy
//! neighbour disturbs all of them alike. `--quick` runs few short rounds, to see that it works.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot go on has failed"
)]

#[path = "../tests/builders/mod.rs"]
mod builders;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use evaluation::{
    Attribute, Body, Change, CompiledFlag, Context, Entry, EntryId, EntryKind, Flag, Index, Reason, Revision, Snapshot,
    bucket, entry_hash,
};

use builders::{SALT, boolean, compiled, on_for, rolled_out, rule, step, unit, variant};

/// Flags in a snapshot, but for the case of few lists.
const FLAGS: usize = 1_000;

/// Callers that take turns; not as many as flags, so that each meets many flags.
const CALLERS: usize = 1_024;

/// Callers that stand on the list; the first ones, so that nearly all do.
const LISTED: usize = 1_000;

/// Flags with such a list where lists are as rare as they should be; the lists of all flags fit in no cache.
const WITH_LIST: usize = 10;

/// Goes through all flags in an order without neighbours.
const STRIDE: usize = 389;

/// How much is run.
struct Effort {
    rounds: usize,
    evaluations: usize,
}

/// Something to time: runs so many times.
struct Case<'a> {
    name: &'static str,
    run: Box<dyn Fn(usize) + 'a>,
    times_ns: Vec<f64>,
    allocations: u64,
}

/// The names, callers and units that all cases share.
struct Material {
    names: Vec<String>,
    units: Vec<String>,
    contexts: Vec<Context>,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let effort = if quick {
        Effort {
            rounds: 5,
            evaluations: 20_000,
        }
    } else {
        Effort {
            rounds: 31,
            evaluations: 400_000,
        }
    };
    let material = Material::new();
    let snapshots = snapshots(&material);
    let mut cases = references(&material);
    cases.extend(snapshots.iter().map(|(name, expected, snapshot)| {
        check(name, *expected, snapshot, &material);
        Case::new(name, evaluations(snapshot, &material))
    }));
    for round in 0..effort.rounds {
        for turn in 0..cases.len() {
            let at = (round + turn) % cases.len();
            cases[at].time(effort.evaluations);
        }
    }
    print(&cases);
}

impl Material {
    fn new() -> Material {
        let units: Vec<String> = (0..CALLERS).map(|number| format!("user-{number:019}")).collect();
        let pro = |name: &String| unit(name.as_str()).with("plan", Attribute::Text("pro".into()));
        Material {
            names: (0..FLAGS)
                .map(|number| format!("service.checkout.feature-{number:06}"))
                .collect(),
            contexts: units.iter().map(pro).collect(),
            units,
        }
    }
}

impl<'a> Case<'a> {
    fn new(name: &'static str, run: Box<dyn Fn(usize) + 'a>) -> Case<'a> {
        run(FLAGS * 2);
        let allocations = allocation_counter::measure(|| run(FLAGS)).count_total;
        Case {
            name,
            run,
            times_ns: Vec::new(),
            allocations,
        }
    }

    #[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
    fn time(&mut self, evaluations: usize) {
        let start = Instant::now();
        (self.run)(evaluations);
        self.times_ns
            .push(start.elapsed().as_nanos() as f64 / evaluations as f64);
    }

    /// The time below which this part of the rounds lies.
    fn quantile(&self, part: f64) -> f64 {
        let mut times = self.times_ns.clone();
        times.sort_unstable_by(f64::total_cmp);
        times[((times.len() - 1) as f64 * part) as usize]
    }
}

/// The flags of each case, with the reason that they must answer.
fn snapshots(material: &Material) -> Vec<(&'static str, Reason, Snapshot)> {
    let allow = BTreeMap::from([("on".to_owned(), material.units[..LISTED].to_vec())]);
    let rules = vec![rule("pros", "plan", &["pro"], variant("on"))];
    let listed = |key: &str| {
        compiled(&Flag {
            allow: allow.clone(),
            ..boolean(key)
        })
    };
    let of = |build: &dyn Fn(&str) -> CompiledFlag| snapshot(&material.names, build);
    vec![
        ("static boolean", Reason::Static, of(&|key| compiled(&boolean(key)))),
        (
            "25 % split",
            Reason::Split,
            of(&|key| {
                compiled(&Flag {
                    default: on_for(25_000),
                    ..boolean(key)
                })
            }),
        ),
        (
            "one rule",
            Reason::TargetingMatch,
            of(&|key| {
                compiled(&Flag {
                    rules: rules.clone(),
                    ..boolean(key)
                })
            }),
        ),
        (
            "list of 1,000",
            Reason::TargetingMatch,
            snapshot(&material.names[..WITH_LIST], &listed),
        ),
        ("list of 1,000, in every flag", Reason::TargetingMatch, of(&listed)),
        (
            "under rollout",
            Reason::Split,
            of(&|key| rolled_out(&boolean(key), &step(25_000))),
        ),
    ]
}

/// A snapshot of one flag per name.
fn snapshot(names: &[String], build: &dyn Fn(&str) -> CompiledFlag) -> Snapshot {
    let changes = names.iter().map(|key| {
        let body = Body::Flag(Arc::new(build(key)));
        let entry = Entry {
            hash: entry_hash(EntryKind::Flag, key, b""),
            body,
        };
        Change {
            id: EntryId {
                kind: EntryKind::Flag,
                key: key.as_str().into(),
            },
            entry: Some(entry),
        }
    });
    Snapshot::new(Revision::default(), Index::new().with(changes))
}

/// Answers are checked before they are timed.
fn check(name: &str, expected: Reason, snapshot: &Snapshot, material: &Material) {
    for (turn, key) in material.names[..snapshot.index().len()].iter().enumerate() {
        let decision = snapshot.flag(key).unwrap().evaluate(&material.contexts[turn % LISTED]);
        assert_eq!(decision.reason, expected, "{name}");
    }
}

/// Finds a flag by name and evaluates it.
fn evaluations<'a>(snapshot: &'a Snapshot, material: &'a Material) -> Box<dyn Fn(usize) + 'a> {
    let names = &material.names[..snapshot.index().len()];
    Box::new(move |times| {
        for turn in 0..times {
            let flag = snapshot.flag(black_box(&names[turn * STRIDE % names.len()])).unwrap();
            black_box(flag.evaluate(black_box(&material.contexts[turn % CALLERS])));
        }
    })
}

/// The bare work: a name found in a hash map, alone and with the hash of the same salt and unit.
fn references(material: &Material) -> Vec<Case<'_>> {
    let map: HashMap<&str, usize, BuildHasherDefault<FxHasher>> = material
        .names
        .iter()
        .enumerate()
        .map(|(place, name)| (name.as_str(), place))
        .collect();
    let map = Arc::new(map);
    let both = Arc::clone(&map);
    let lookup = move |times| {
        for turn in 0..times {
            black_box(map.get(black_box(material.names[turn * STRIDE % FLAGS].as_str())));
        }
    };
    let lookup_and_hash = move |times| {
        for turn in 0..times {
            black_box(both.get(black_box(material.names[turn * STRIDE % FLAGS].as_str())));
            black_box(bucket(black_box(SALT), black_box(&material.units[turn % CALLERS])));
        }
    };
    vec![
        Case::new("bare: map lookup + murmur3", Box::new(lookup_and_hash)),
        Case::new("bare: map lookup", Box::new(lookup)),
    ]
}

/// The first case is the reference of all ratios.
fn print(cases: &[Case<'_>]) {
    let reference = cases[0].quantile(0.5);
    println!("| case | median ns | 25th percentile ns | ratio to bare | allocations |");
    println!("|---|---|---|---|---|");
    for case in cases {
        let (median, low, allocations) = (case.quantile(0.5), case.quantile(0.25), case.allocations);
        println!(
            "| {} | {median:.1} | {low:.1} | {:.2} | {} |",
            case.name,
            median / reference,
            per_run(allocations)
        );
    }
}

/// Allocations of one evaluation, from those of as many as there are flags.
fn per_run(allocations: u64) -> f64 {
    allocations as f64 / FLAGS as f64
}

/// The usual fast hash of a name: rotate, xor, multiply, eight bytes at a time.
#[derive(Default)]
struct FxHasher(u64);

impl FxHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
}

impl Hasher for FxHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.add(u64::from(*byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}
