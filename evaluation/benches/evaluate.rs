//! What one evaluation by name costs, beside the bare work that no evaluation can do without, and what a flag keeps.
//!
//! Prints markdown tables: nanoseconds (median and 25th percentile of rounds), the ratio to the bare reference of the
//! same run (a snapshot loaded, a name found in a hash map, the hash of salt and unit) and allocations; then bytes per
//! flag. Every case loads the snapshot anew, as a caller does. Cases take turns within a round, starting with another one
//! each time, so that a busy neighbour disturbs all of them alike. `--quick` runs few short rounds, to see that it works.
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use evaluation::{CompiledFlag, Context, Flag, Reason, RolloutStep, Segment, Snapshot, bucket};

use builders::{
    SALT, boolean, compiled, compiled_segment, condition, in_segment, on_for, prerequisite, reached, rolled_out, rule,
    rule_of, segment, snapshot, split, step, string, text, unit, variant,
};

/// Flags in a snapshot, but for the case of few lists.
const FLAGS: usize = 1_000;

/// Flags whose memory is measured.
const KEPT: usize = 10_000;

/// Callers that take turns; not as many as flags, so that each meets many flags.
const CALLERS: usize = 1_024;

/// Callers that stand on the list; the first ones, so that nearly all do.
const LISTED: usize = 1_000;

/// Flags with such a list where lists are as rare as they should be; the lists of all flags fit in no cache.
const WITH_LIST: usize = 10;

/// Members of the segment.
const MEMBERS: usize = 100_000;

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

/// A snapshot to evaluate from, and the reason that its flags must answer.
struct Prepared {
    name: &'static str,
    expected: Reason,
    snapshot: Arc<ArcSwap<Snapshot>>,
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
            evaluations: 200_000,
        }
    };
    let material = Material::new();
    let prepared = prepared(&material);
    let mut cases = references(&material);
    for case in &prepared {
        case.check(&material);
        cases.push(Case::new(case.name, evaluations(&case.snapshot, &material)));
    }
    cases.push(Case::new(
        "all 1,000 flags, per flag",
        all(&prepared[0].snapshot, &material),
    ));
    cases.push(Case::new(
        "25 % split by a flag handle",
        by_handle(&prepared[1].snapshot, &material),
    ));
    for round in 0..effort.rounds {
        for turn in 0..cases.len() {
            let at = (round + turn) % cases.len();
            cases[at].time(effort.evaluations);
        }
    }
    print(&cases);
    beside_a_writer(&prepared[0].snapshot, &material, &effort);
    print_memory(&material);
}

impl Material {
    fn new() -> Material {
        let units: Vec<String> = (0..CALLERS).map(|number| format!("user-{number:019}")).collect();
        let pro = |name: &String| {
            unit(name.as_str())
                .with("country", text("NL"))
                .with("plan", text("pro"))
                .with("version", text("2.4.1"))
        };
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
fn prepared(material: &Material) -> Vec<Prepared> {
    let of = |name, expected, build: &dyn Fn(&str) -> Flag| {
        let flags = material.names.iter().map(|key| compiled(&build(key)));
        Prepared::new(name, expected, flags.collect(), Vec::new())
    };
    let allow = BTreeMap::from([("on".to_owned(), material.units[..LISTED].to_vec())]);
    let listed = |key: &str| Flag {
        allow: allow.clone(),
        ..boolean(key)
    };
    let thirds = split(&[("a", 33_333), ("b", 33_333), ("c", 33_334)]);
    let few = material.names[..WITH_LIST].iter().map(|key| compiled(&listed(key)));
    let rolling = material
        .names
        .iter()
        .map(|key| rolled_out(&boolean(key), &step(25_000)));
    vec![
        of("static boolean", Reason::Static, &boolean),
        of("25 % split", Reason::Split, &percentage),
        of(
            "5 rules x 2 conditions, the last matches",
            Reason::TargetingMatch,
            &five_rules,
        ),
        of(
            "5 rules x 2 conditions, others in every flag",
            Reason::TargetingMatch,
            &|key| {
                let mut flag = five_rules(key);
                for rule in &mut flag.rules {
                    rule.conditions[0] = condition("country", &["BE", key, "NL"]);
                }
                flag
            },
        ),
        of("3-way split", Reason::Split, &|key| Flag {
            default: thirds.clone(),
            ..string(key, &["a", "b", "c"])
        }),
        Prepared::new("list of 1,000", Reason::TargetingMatch, few.collect(), Vec::new()),
        of("list of 1,000, in every flag", Reason::TargetingMatch, &listed),
        of("one rule", Reason::TargetingMatch, &|key| Flag {
            rules: vec![rule("pros", "plan", &["pro"], variant("on"))],
            ..boolean(key)
        }),
        Prepared::new("under rollout", Reason::Split, rolling.collect(), Vec::new()),
        with_audiences(material),
        with_segment(material),
        with_prerequisite(material),
    ]
}

fn percentage(key: &str) -> Flag {
    Flag {
        default: on_for(25_000),
        ..boolean(key)
    }
}

/// Rules that each look at two attributes; the second condition of all but the last fails.
fn five_rules(key: &str) -> Flag {
    let two = |name: &str, version: &str| {
        let conditions = vec![condition("country", &["NL", "BE"]), condition("version", &[version])];
        rule_of(name, conditions, variant("on"))
    };
    Flag {
        rules: vec![
            two("first", "2.4.5"),
            two("second", "2.4.4"),
            two("third", "2.4.3"),
            two("fourth", "2.4.2"),
            two("fifth", "2.4.1"),
        ],
        ..boolean(key)
    }
}

/// A rollout with five reached stages, for callers that are members of one large segment and of no other.
fn with_audiences(material: &Material) -> Prepared {
    let stages = [
        reached(0, 100_000, &["staff"]),
        reached(1, 50_000, &["beta", "friends"]),
        reached(2, 25_000, &["members"]),
        reached(3, 10_000, &["staff", "late"]),
        reached(4, 5_000, &[]),
    ];
    let step = RolloutStep {
        stage: 4,
        reached: stages.into(),
        ..step(0)
    };
    let flags = material.names.iter().map(|key| rolled_out(&boolean(key), &step));
    let few = ["staff", "beta", "friends", "late"].map(|key| {
        compiled_segment(&Segment {
            included: vec!["nobody".to_owned()],
            ..segment(key)
        })
    });
    let segments = few.into_iter().chain([compiled_segment(&members())]).collect();
    let flags = flags.collect();
    Prepared::new("under rollout, 5 audiences", Reason::Split, flags, segments)
}

/// One large segment.
fn members() -> Segment {
    Segment {
        included: (0..MEMBERS).map(|number| format!("user-{number:019}")).collect(),
        ..segment("members")
    }
}

/// A rule that asks for members of one large segment.
fn with_segment(material: &Material) -> Prepared {
    let flags = material.names.iter().map(|key| {
        compiled(&Flag {
            rules: vec![rule_of("members", vec![in_segment(&["members"])], variant("on"))],
            ..boolean(key)
        })
    });
    let flags = flags.collect();
    let segments = vec![compiled_segment(&members())];
    Prepared::new("segment of 100,000", Reason::TargetingMatch, flags, segments)
}

/// Flags that wait for one other.
fn with_prerequisite(material: &Material) -> Prepared {
    let flags = material.names.iter().map(|key| {
        compiled(&Flag {
            prerequisites: vec![prerequisite("billing", &["off"])],
            ..boolean(key)
        })
    });
    let flags = flags.chain([compiled(&boolean("billing"))]).collect();
    Prepared::new("one prerequisite", Reason::Default, flags, Vec::new())
}

impl Prepared {
    fn new(
        name: &'static str,
        expected: Reason,
        flags: Vec<CompiledFlag>,
        segments: Vec<evaluation::CompiledSegment>,
    ) -> Prepared {
        Prepared {
            name,
            expected,
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot(flags, segments))),
        }
    }

    /// Answers are checked before they are timed.
    fn check(&self, material: &Material) {
        let snapshot = self.snapshot.load();
        for (turn, key) in self.names(material).iter().enumerate() {
            let context = &material.contexts[turn % LISTED];
            let decision = snapshot.flag(key).unwrap().evaluate(&snapshot, context);
            assert_eq!(decision.reason, self.expected, "{}", self.name);
        }
    }

    fn names<'m>(&self, material: &'m Material) -> &'m [String] {
        names(&self.snapshot, material)
    }
}

/// The names of the flags in a snapshot.
fn names<'m>(snapshot: &ArcSwap<Snapshot>, material: &'m Material) -> &'m [String] {
    &material.names[..snapshot.load().index().len().min(FLAGS)]
}

/// Loads the snapshot, finds a flag by name and evaluates it.
fn evaluations<'a>(swap: &'a ArcSwap<Snapshot>, material: &'a Material) -> Box<dyn Fn(usize) + 'a> {
    let names = names(swap, material);
    Box::new(move |times| {
        for turn in 0..times {
            let snapshot = swap.load();
            let flag = snapshot.flag(black_box(&names[turn * STRIDE % names.len()])).unwrap();
            black_box(flag.evaluate(&snapshot, black_box(&material.contexts[turn % CALLERS])));
        }
    })
}

/// Loads the snapshot and evaluates every flag for one caller.
fn all<'a>(swap: &'a ArcSwap<Snapshot>, material: &'a Material) -> Box<dyn Fn(usize) + 'a> {
    Box::new(move |times| {
        for turn in 0..times / FLAGS {
            let snapshot = swap.load();
            for flag in snapshot.flags() {
                black_box(flag.evaluate(&snapshot, black_box(&material.contexts[turn % CALLERS])));
            }
        }
    })
}

/// Evaluates flags that were found before.
fn by_handle<'a>(swap: &'a ArcSwap<Snapshot>, material: &'a Material) -> Box<dyn Fn(usize) + 'a> {
    let snapshot = swap.load_full();
    let flags: Vec<_> = material
        .names
        .iter()
        .map(|name| Arc::clone(snapshot.flag(name).unwrap()))
        .collect();
    Box::new(move |times| {
        for turn in 0..times {
            let flag = &flags[turn * STRIDE % FLAGS];
            black_box(flag.evaluate(&snapshot, black_box(&material.contexts[turn % CALLERS])));
        }
    })
}

/// The static boolean again, while another thread puts one new snapshot after the other in place.
fn beside_a_writer(swap: &Arc<ArcSwap<Snapshot>>, material: &Material, effort: &Effort) {
    let mut case = Case::new("static boolean beside a writer", evaluations(swap, material));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (swap.load_full(), Arc::new(Snapshot::clone(&swap.load())));
            while !stop.load(Ordering::Relaxed) {
                swap.store(Arc::clone(&other));
                swap.store(Arc::clone(&one));
            }
        });
        for _ in 0..effort.rounds {
            case.time(effort.evaluations);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (median, low) = (case.quantile(0.5), case.quantile(0.25));
    println!(
        "| {} | {median:.1} | {low:.1} | | {} |",
        case.name,
        per_run(case.allocations)
    );
}

/// What ten thousand flags of each kind keep, with their snapshot.
fn print_memory(material: &Material) {
    type Build<'b> = &'b dyn Fn(&str) -> Flag;
    let kinds: [(&str, Build<'_>); 4] = [
        ("static boolean", &boolean),
        ("25 % split", &percentage),
        ("text, 2 variants", &|key| string(key, &["blue", "red"])),
        ("5 rules x 2 conditions", &five_rules),
    ];
    println!("\n| 10,000 flags | bytes per flag |\n|---|---|");
    for (name, build) in kinds {
        let keys: Vec<String> = (0..KEPT)
            .map(|at| format!("{}{at:06}", &material.names[0][..25]))
            .collect();
        let mut kept = None;
        let measured = allocation_counter::measure(|| {
            kept = Some(snapshot(
                keys.iter().map(|key| compiled(&build(key))).collect(),
                Vec::new(),
            ));
        });
        assert_eq!(kept.map(|snapshot| snapshot.index().len()), Some(KEPT));
        println!("| {name} | {} |", measured.bytes_current / KEPT as i64);
    }
}

/// The bare work: a snapshot loaded and a name found in its hash map, alone and with the hash of the same salt and unit.
fn references(material: &Material) -> Vec<Case<'_>> {
    type Map = HashMap<String, usize, BuildHasherDefault<FxHasher>>;
    let names = material.names.iter().enumerate();
    let map: Map = names.map(|(place, name)| (name.clone(), place)).collect();
    let bare = Arc::new(ArcSwap::from_pointee(map));
    let both = Arc::clone(&bare);
    let lookup = move |times| {
        for turn in 0..times {
            let map = bare.load();
            black_box(map.get(black_box(material.names[turn * STRIDE % FLAGS].as_str())));
        }
    };
    let lookup_and_hash = move |times| {
        for turn in 0..times {
            let map = both.load();
            black_box(map.get(black_box(material.names[turn * STRIDE % FLAGS].as_str())));
            black_box(bucket(black_box(SALT), black_box(&material.units[turn % CALLERS])));
        }
    };
    let hash = move |times| {
        for turn in 0..times {
            black_box(bucket(black_box(SALT), black_box(&material.units[turn % CALLERS])));
        }
    };
    vec![
        Case::new("bare: load + map lookup + murmur3", Box::new(lookup_and_hash)),
        Case::new("bare: load + map lookup", Box::new(lookup)),
        Case::new("bare: murmur3", Box::new(hash)),
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
