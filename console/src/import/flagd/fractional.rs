//! `fractional`: a split. Both hash with murmur3 and cut 2^32 in proportion, so the buckets are the same if what is
//! hashed is the same: ours hashes `salt:unit`.
//!
//! `{"cat": ["checkout:", {"var": "email"}]}` is such a value: salt `checkout`, unit `email`. There a missing attribute
//! is hashed as nothing and a boolean as its name, which ours does not hash; those few contexts get their variant, which
//! is known, from a rule before the split. The shares must be whole buckets. Any other bucketing value keeps its shares
//! but draws units anew, which is done only if it is accepted.

use std::rc::Rc;

use evaluation::{BUCKETS, TARGETING_KEY, bucket};
use proto::v1;

use super::{
    atom::{self, Value},
    logic::{Call, Targeting},
    tree::{Leaf, Test, Tree},
};
use crate::document::{Kind, Node, Problems};

/// What the splits of a flag draw, which is one for all of them.
#[derive(Debug, Default)]
pub(super) struct Splits {
    unit: Option<Vec<String>>,
}

impl Splits {
    /// As a flag says it: the targeting key alone is not said.
    pub(super) fn bucket_by(self) -> Vec<String> {
        self.unit
            .filter(|unit| unit.as_slice() != [TARGETING_KEY])
            .unwrap_or_default()
    }
}

/// What is hashed.
enum Hashed {
    /// `salt:unit`.
    Exactly { salt: String, unit: String },
    /// Something else; units are drawn by these attributes instead.
    Otherwise { why: &'static str, units: Vec<String> },
}

/// A share: its variant and its weight.
type Weighted = (Tree, u64);

/// Reads a `fractional`.
pub(super) fn read(
    targeting: &Targeting<'_>,
    node: &Node,
    call: &Call<'_>,
    splits: &mut Splits,
    problems: &mut Problems,
) -> Tree {
    let is_share = |node: &&&Node| matches!(node.kind, Kind::List(_));
    let first = call.arguments.first().filter(|node| !is_share(node));
    let hashed = match first {
        None => Some(Hashed::Otherwise {
            why: "flag key and targeting key without a colon between them",
            units: vec![TARGETING_KEY.into()],
        }),
        Some(node) => hashed(targeting, node, &call.at(0), problems),
    };
    let from = usize::from(first.is_some());
    let shares: Option<Vec<Weighted>> = call
        .arguments
        .iter()
        .enumerate()
        .skip(from)
        .map(|(at, share)| read_share(targeting, share, &call.at(at), problems))
        .collect();
    let (Some(hashed), Some(shares)) = (hashed, shares) else {
        return Tree::Leaf(targeting.default.clone());
    };
    let total: u64 = shares.iter().map(|(_, weight)| weight).sum();
    if total == 0 || total > i32::MAX as u64 {
        return Tree::Leaf(targeting.default.clone());
    }
    let whole = shares
        .iter()
        .all(|(_, weight)| (weight * u64::from(BUCKETS)).is_multiple_of(total));
    let (salt, units) = match hashed {
        Hashed::Exactly { salt, unit } if whole => (Some(salt), vec![unit]),
        Hashed::Exactly { unit, .. } => {
            refuse(
                targeting,
                node,
                call,
                "its shares are not multiples of 0.001 %",
                problems,
            );
            (None, vec![unit])
        }
        Hashed::Otherwise { why, units } => {
            let what = format!("it hashes {why}, and a split hashes \"salt:unit\"");
            refuse(targeting, node, call, &what, problems);
            (None, units)
        }
    };
    if *splits.unit.get_or_insert_with(|| units.clone()) != units {
        problems.wrong(
            node.place,
            &call.path,
            "another fractional of this flag is drawn by another attribute; a flag has one",
        );
    }
    let split = split(targeting, node, call, &shares, total, salt.clone(), problems);
    match salt {
        Some(salt) => exactly(split, &shares, total, &salt, &units),
        None => {
            let absent = units.iter().map(|unit| absent(unit)).collect();
            Tree::Branch(Test::Every(absent), targeting.default(), Rc::new(split))
        }
    }
}

fn refuse(targeting: &Targeting<'_>, node: &Node, call: &Call<'_>, what: &str, problems: &mut Problems) {
    if !targeting.leniency.rebucket {
        let what = format!("units would be drawn anew: {what}; accept it with --rebucket");
        problems.wrong(node.place, &call.path, what);
    }
}

/// No unit: missing, or empty.
fn absent(unit: &str) -> Test {
    Test::Any(vec![
        vec![atom::missing(unit)],
        vec![atom::one_of(unit, false, &[Value::Text(String::new())])],
    ])
}

/// The split, after rules for what ours does not hash: nothing, and booleans.
fn exactly(split: Tree, shares: &[Weighted], total: u64, salt: &str, units: &[String]) -> Tree {
    let mut tree = split;
    for unit in units {
        let mut odd = vec![(absent(unit), "")];
        if unit != TARGETING_KEY {
            let boolean = |boolean| Test::Any(vec![vec![atom::one_of(unit, false, &[Value::Boolean(boolean)])]]);
            odd.extend([(boolean(true), "true"), (boolean(false), "false")]);
        }
        for (test, text) in odd {
            if let Some(drawn) = drawn(shares, total, salt, text) {
                tree = Tree::Branch(test, Rc::new(drawn), Rc::new(tree));
            }
        }
    }
    tree
}

/// The variant that flagd draws for the bucketing value `salt:text`: the shares are whole buckets, so ours is the same.
fn drawn(shares: &[Weighted], total: u64, salt: &str, text: &str) -> Option<Tree> {
    let bucket = u64::from(bucket(salt, text));
    let mut end = 0;
    let held = shares.iter().find(|(_, weight)| {
        end += weight * u64::from(BUCKETS) / total;
        bucket < end
    });
    held.map(|(tree, _)| tree.clone())
}

/// What is hashed, from the first argument.
fn hashed(targeting: &Targeting<'_>, node: &Node, path: &str, problems: &mut Problems) -> Option<Hashed> {
    let refused = |problems: &mut Problems| {
        problems.wrong(
            node.place,
            path,
            "a bucketing value other than an attribute, or cat of texts and one attribute",
        );
        None
    };
    let call = Call::of(node, path);
    let Some(call) = call else { return refused(problems) };
    match call.operator {
        "var" => {
            let unit = targeting.unit(node, &call, problems)?;
            let mut units = vec![unit];
            if units[0] != TARGETING_KEY {
                units.push(TARGETING_KEY.into());
            }
            Some(Hashed::Otherwise {
                why: "an attribute alone",
                units,
            })
        }
        "cat" => {
            let (mut before, mut unit, mut after) = (String::new(), None, String::new());
            for (at, argument) in call.arguments.iter().enumerate() {
                match targeting.text_or_unit(argument, &call.at(at), problems)? {
                    Ok(text) if unit.is_none() => before.push_str(&text),
                    Ok(text) => after.push_str(&text),
                    Err(name) if unit.is_none() => unit = Some(name),
                    Err(_) => return refused(problems),
                }
            }
            let Some(unit) = unit else { return refused(problems) };
            let salt = before
                .strip_suffix(':')
                .filter(|salt| !salt.is_empty() && salt.len() <= 64 && !salt.contains(':'));
            Some(match salt {
                Some(salt) if after.is_empty() => Hashed::Exactly {
                    salt: salt.into(),
                    unit,
                },
                Some(_) | None => Hashed::Otherwise {
                    why: "a text that is not \"salt:unit\"",
                    units: vec![unit],
                },
            })
        }
        _ => refused(problems),
    }
}

/// `["variant", weight]`; the weight is 1 if it is not said, a negative one is 0.
fn read_share(targeting: &Targeting<'_>, node: &Node, path: &str, problems: &mut Problems) -> Option<Weighted> {
    let Kind::List(list) = &node.kind else {
        problems.expected(node, path, "a share: [\"variant\", weight]");
        return None;
    };
    let (variant, weight) = match list.as_slice() {
        [variant] => (variant, None),
        [variant, weight] => (variant, Some(weight)),
        _ => {
            problems.wrong(node.place, path, "write [\"variant\", weight]");
            return None;
        }
    };
    if Call::of(variant, path).is_some() {
        problems.wrong(variant.place, path, "a variant that is computed does not map");
        return None;
    }
    let weight = match weight.map(|weight| (&weight.kind, weight)) {
        None | Some((Kind::Null, _)) => 1,
        Some((Kind::Number(number), weight)) => match number.whole {
            Some(whole) if whole <= i64::from(i32::MAX) => u64::try_from(whole).unwrap_or(0),
            Some(_) | None => {
                problems.wrong(weight.place, path, "a weight is a whole number of 32 bits");
                return None;
            }
        },
        Some((Kind::Boolean(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_), weight)) => {
            problems.wrong(
                weight.place,
                path,
                "a weight that is computed, or no number, does not map",
            );
            return None;
        }
    };
    Some((targeting.leaf(variant, path, problems), weight))
}

/// The shares as buckets; by largest remainder where they are not whole.
fn split(
    targeting: &Targeting<'_>,
    node: &Node,
    call: &Call<'_>,
    shares: &[Weighted],
    total: u64,
    salt: Option<String>,
    problems: &mut Problems,
) -> Tree {
    let scaled = |weight: u64| weight * u64::from(BUCKETS);
    let mut buckets: Vec<u64> = shares.iter().map(|(_, weight)| scaled(*weight) / total).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(scaled(shares[*at].1) % total));
    let left = u64::from(BUCKETS) - buckets.iter().sum::<u64>();
    for at in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        buckets[at] += 1;
    }
    let mut ranges: Vec<v1::Share> = Vec::new();
    let mut sums: Vec<v1::Share> = Vec::new();
    for ((tree, _), buckets) in shares.iter().zip(buckets) {
        let variant = match tree {
            Tree::Leaf(Leaf {
                serve: v1::Serve {
                    kind: Some(v1::serve::Kind::Variant(variant)),
                },
                ..
            }) => variant.clone(),
            Tree::Leaf(_) | Tree::Branch(..) => {
                problems.wrong(
                    node.place,
                    &call.path,
                    "a share of the caller's own default does not map",
                );
                continue;
            }
        };
        let buckets = u32::try_from(buckets).unwrap_or(BUCKETS);
        if buckets == 0 {
            continue;
        }
        match sums.iter_mut().find(|share| share.variant == variant) {
            Some(share) => share.buckets += buckets,
            None => sums.push(v1::Share {
                variant: variant.clone(),
                buckets,
            }),
        }
        ranges.push(v1::Share { variant, buckets });
    }
    let kind = match sums.as_slice() {
        [only] => v1::serve::Kind::Variant(only.variant.clone()),
        _ => {
            let ranges = if ranges == sums { Vec::new() } else { ranges };
            v1::serve::Kind::Split(v1::Split { shares: sums, ranges })
        }
    };
    let splits = matches!(kind, v1::serve::Kind::Split(_));
    // Rules of one flag draw alike in flagd: they hash the same value.
    let salt = salt.unwrap_or_else(|| targeting.flag.replace(':', "-").chars().take(64).collect());
    Tree::Leaf(Leaf {
        serve: v1::Serve { kind: Some(kind) },
        salt: if splits { salt } else { String::new() },
    })
}
