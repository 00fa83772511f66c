//! What flags and segments name of each other: whether it exists, and that it does not lead in a circle.
//!
//! A document is checked alone by `compile`; here it is checked among the others of its environment. The graph of what
//! it leads to is walked without recursion and each document is read once, so that the cost is that of the documents
//! that are reached. Evaluation is bounded by itself and does not rely on this.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::condition::{Condition, Test};
use crate::flag::Flag;
use crate::limits;
use crate::segment::Segment;
use crate::step::RolloutStep;
use crate::violation::{Violation, Violations, quoted};

/// How many names a path shows, and how many variants a message lists.
const SHOWN: usize = 20;

/// A document to check.
#[derive(Clone, Copy, Debug)]
pub enum Written<'a> {
    /// A flag, with the rollout step that holds it.
    Flag(&'a Flag, Option<&'a RolloutStep>),
    /// A segment.
    Segment(&'a Segment),
}

/// The flags and segments of one environment as they would be after the write.
pub trait Documents {
    /// The flag of this key.
    fn flag(&self, key: &str) -> Option<&Flag>;

    /// The segment of this key.
    fn segment(&self, key: &str) -> Option<&Segment>;

    /// The rollout step that holds the flag of this key.
    fn step(&self, flag: &str) -> Option<&RolloutStep>;
}

/// A document that another names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// The flag of this key.
    Flag(String),
    /// The segment of this key.
    Segment(String),
}

/// The documents that a document names itself, not those that they name in turn.
pub fn references_of(written: Written<'_>) -> BTreeSet<Reference> {
    let mentions = written.mentions();
    mentions.iter().map(|mention| Reference::from(mention.to)).collect()
}

/// What is wrong with what `written` names, all at once: flags, segments and variants that do not exist, itself, ways that
/// lead back to it, and ways through more than 16 documents.
///
/// `among` shows the new version of whatever is written together. That a flag waits for itself as its own prerequisite is
/// said by `compile`.
pub fn check_references(written: Written<'_>, among: &impl Documents) -> Vec<Violation> {
    let mut violations = Violations::default();
    let root = written.node();
    let mentions = written.mentions();
    for mention in &mentions {
        mention.check(root, among, &mut violations);
    }
    let graph = Graph::reached(root, &mentions, among);
    let back = graph.back_to(root);
    let depths = graph.depths();
    for mention in mentions.iter().filter(|mention| mention.to != root) {
        if back.contains_key(&mention.to) {
            let way = graph.way(root, mention.to, |node| back.get(&node).copied());
            let description = format!("leads back to the {}: {way}", root.sort());
            violations.add(mention.field(), description);
        } else if depths.get(&mention.to).is_some_and(|depth| *depth >= limits::DEPTH) {
            let deepest = |node| {
                graph
                    .edges
                    .get(&node)?
                    .iter()
                    .copied()
                    .max_by_key(|next| depths.get(next))
            };
            let way = graph.way(root, mention.to, deepest);
            let most = limits::DEPTH;
            violations.add(mention.field(), format!("leads through more than {most} others: {way}"));
        }
    }
    violations.into_result(()).err().unwrap_or_default()
}

/// A document by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    Flag(&'a str),
    Segment(&'a str),
}

/// A place in a document that names another.
struct Mention<'a> {
    place: Place,
    to: Node<'a>,
    /// What the flag must serve; empty for a segment.
    variants: &'a [String],
}

/// Where in a document.
#[derive(Clone, Copy)]
enum Place {
    /// `prerequisites[.]`
    Prerequisite(usize),
    /// `rules[.].conditions[.]` or `groups[.].conditions[.]`, of a flag or segment.
    Condition(&'static str, usize, usize, Within),
    /// `rollout.reached[.].audience[.]`
    Audience(usize, usize),
}

/// Where in a condition.
#[derive(Clone, Copy)]
enum Within {
    Variant,
    Segment(usize),
}

/// The documents that are reached, and what each names.
struct Graph<'a> {
    edges: BTreeMap<Node<'a>, Vec<Node<'a>>>,
}

impl<'a> Written<'a> {
    fn node(self) -> Node<'a> {
        match self {
            Written::Flag(flag, _) => Node::Flag(&flag.key),
            Written::Segment(segment) => Node::Segment(&segment.key),
        }
    }

    /// Everything that it names, in the order written.
    fn mentions(self) -> Vec<Mention<'a>> {
        let mut mentions = Vec::new();
        match self {
            Written::Flag(flag, step) => {
                let prerequisites = flag.prerequisites.iter().enumerate();
                mentions.extend(prerequisites.map(|(at, prerequisite)| Mention {
                    place: Place::Prerequisite(at),
                    to: Node::Flag(&prerequisite.flag),
                    variants: &prerequisite.variants,
                }));
                for (at, rule) in flag.rules.iter().enumerate() {
                    in_conditions("rules", at, &rule.conditions, &mut mentions);
                }
                mentions.extend(step.into_iter().flat_map(in_audiences));
            }
            Written::Segment(segment) => {
                for (at, group) in segment.groups.iter().enumerate() {
                    in_conditions("groups", at, group, &mut mentions);
                }
            }
        }
        mentions
    }
}

/// What the conditions of a rule or group name.
fn in_conditions<'a>(list: &'static str, at: usize, conditions: &'a [Condition], mentions: &mut Vec<Mention<'a>>) {
    for (place, condition) in conditions.iter().enumerate() {
        match &condition.test {
            Test::InSegment(segments) => {
                mentions.extend(segments.iter().enumerate().map(|(number, segment)| Mention {
                    place: Place::Condition(list, at, place, Within::Segment(number)),
                    to: Node::Segment(segment),
                    variants: &[],
                }))
            }
            Test::Variant { flag, variants } => mentions.push(Mention {
                place: Place::Condition(list, at, place, Within::Variant),
                to: Node::Flag(flag),
                variants,
            }),
            Test::OneOf(_)
            | Test::Text { .. }
            | Test::Matches(_)
            | Test::Number(_)
            | Test::Version { .. }
            | Test::Date { .. }
            | Test::InNetwork(_)
            | Test::Exists
            | Test::TypeIs(_)
            | Test::List { .. }
            | Test::Size(_) => {}
        }
    }
}

/// What the audiences of a rollout's reached stages name.
fn in_audiences(step: &RolloutStep) -> impl Iterator<Item = Mention<'_>> {
    step.reached.iter().enumerate().flat_map(|(at, reached)| {
        let segments = reached.audience.iter().enumerate();
        segments.map(move |(number, segment)| Mention {
            place: Place::Audience(at, number),
            to: Node::Segment(segment),
            variants: &[],
        })
    })
}

impl Mention<'_> {
    /// The path of the name.
    fn field(&self) -> String {
        match self.place {
            Place::Prerequisite(_) | Place::Condition(.., Within::Variant) => format!("{}.flag", self.place),
            Place::Condition(.., Within::Segment(_)) | Place::Audience(..) => self.place.to_string(),
        }
    }

    /// Notes what does not exist, and itself.
    fn check(&self, root: Node<'_>, among: &impl Documents, violations: &mut Violations) {
        if self.to == root {
            match self.place {
                Place::Prerequisite(_) => {}
                Place::Condition(..) | Place::Audience(..) => {
                    violations.add(self.field(), format_args!("a {} cannot ask itself", root.sort()));
                }
            }
            return;
        }
        let flag = match self.to {
            Node::Flag(key) => among.flag(key),
            Node::Segment(key) if among.segment(key).is_some() => return,
            Node::Segment(_) => None,
        };
        let Some(flag) = flag else {
            let (sort, key) = (self.to.sort(), quoted(self.to.key()));
            violations.add(
                self.field(),
                format_args!("there is no {sort} {key} in this environment"),
            );
            return;
        };
        for (at, variant) in self.variants.iter().enumerate() {
            if !flag.variants.contains_key(variant) {
                let known: Vec<&str> = flag.variants.keys().map(String::as_str).take(SHOWN).collect();
                let (key, known) = (&flag.key, known.join(", "));
                violations.add(
                    format_args!("{}.variants[{at}]", self.place),
                    format_args!("flag {key} has no variant {}; it has {known}", quoted(variant)),
                );
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Prerequisite(at) => write!(out, "prerequisites[{at}]"),
            Place::Audience(at, number) => write!(out, "rollout.reached[{at}].audience[{number}]"),
            Place::Condition(list, at, place, within) => {
                write!(out, "{list}[{at}].conditions[{place}]")?;
                match within {
                    Within::Variant => out.write_str(".variant"),
                    Within::Segment(number) => write!(out, ".in_segment[{number}]"),
                }
            }
        }
    }
}

impl<'a> Node<'a> {
    fn key(self) -> &'a str {
        match self {
            Node::Flag(key) | Node::Segment(key) => key,
        }
    }

    fn sort(self) -> &'static str {
        match self {
            Node::Flag(_) => "flag",
            Node::Segment(_) => "segment",
        }
    }

    fn written(self, among: &'a impl Documents) -> Option<Written<'a>> {
        match self {
            Node::Flag(key) => among.flag(key).map(|flag| Written::Flag(flag, among.step(key))),
            Node::Segment(key) => among.segment(key).map(Written::Segment),
        }
    }
}

impl From<Node<'_>> for Reference {
    fn from(node: Node<'_>) -> Reference {
        match node {
            Node::Flag(key) => Reference::Flag(key.to_owned()),
            Node::Segment(key) => Reference::Segment(key.to_owned()),
        }
    }
}

impl<'a> Graph<'a> {
    /// Everything that the mentions of `root` lead to, and what it names.
    fn reached(root: Node<'a>, mentions: &[Mention<'a>], among: &'a impl Documents) -> Graph<'a> {
        let named = |mentions: &[Mention<'a>]| mentions.iter().map(|mention| mention.to).collect::<BTreeSet<_>>();
        let mut edges = BTreeMap::new();
        let mut open: Vec<(Node<'_>, BTreeSet<Node<'_>>)> = vec![(root, named(mentions))];
        while let Some((node, names)) = open.pop() {
            for next in &names {
                if *next != root && !edges.contains_key(next) {
                    edges.insert(*next, Vec::new());
                    let mentions = next.written(among).map(Written::mentions).unwrap_or_default();
                    open.push((*next, named(&mentions)));
                }
            }
            edges.insert(node, names.into_iter().collect());
        }
        Graph { edges }
    }

    /// For each document that leads to `root`: what it names on the shortest way there.
    fn back_to(&self, root: Node<'a>) -> BTreeMap<Node<'a>, Node<'a>> {
        let mut namers: BTreeMap<Node<'_>, Vec<Node<'_>>> = BTreeMap::new();
        for (node, names) in &self.edges {
            for next in names {
                namers.entry(*next).or_default().push(*node);
            }
        }
        let mut back = BTreeMap::new();
        let mut open = VecDeque::from([root]);
        while let Some(node) = open.pop_front() {
            for namer in namers.get(&node).into_iter().flatten() {
                if *namer != root && !back.contains_key(namer) {
                    back.insert(*namer, node);
                    open.push_back(*namer);
                }
            }
        }
        back
    }

    /// How many documents each leads through at most, counted up to the limit.
    fn depths(&self) -> BTreeMap<Node<'a>, usize> {
        let mut depths: BTreeMap<Node<'_>, usize> = BTreeMap::new();
        for _ in 0..limits::DEPTH {
            let mut changed = false;
            for (node, names) in &self.edges {
                let below = names
                    .iter()
                    .map(|next| 1 + depths.get(next).copied().unwrap_or(0))
                    .max();
                let depth = below.unwrap_or(0).min(limits::DEPTH);
                changed |= depths.insert(*node, depth) != Some(depth);
            }
            if !changed {
                break;
            }
        }
        depths
    }

    /// The names from `root` over `first` along `next`, until there is none or `root` is reached again.
    fn way(&self, root: Node<'a>, first: Node<'a>, next: impl Fn(Node<'a>) -> Option<Node<'a>>) -> String {
        let mut names = vec![root.key(), first.key()];
        let mut at = first;
        while let Some(node) = next(at).filter(|_| at != root) {
            if names.len() >= SHOWN {
                names.push("...");
                break;
            }
            names.push(node.key());
            at = node;
        }
        names.join(" -> ")
    }
}

#[cfg(test)]
mod tests;
