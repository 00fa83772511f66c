//! Flag definitions of flagd (JSON): flags that serve everybody what they served before, or a refusal.
//!
//! JsonLogic converts between types and ours never does, so a test becomes as many rules as its exact meaning needs.
//! `x` is an attribute; in every row a list or an object in the place of a single value equals nothing.
//!
//! | JsonLogic | here |
//! |---|---|
//! | `x == "text"` | one of: the text; the number and booleans that it converts to (`"1"`: 1, true; `""`: 0, false) |
//! | `x == null`, `x === null` | `x` is missing or null |
//! | `x == 1`, `x == true` | refused: text would be converted (`"1.0"`); `===` maps, and `--strict-types` reads it so |
//! | `x === "text"`, `x === 1`, `x === true` | one of |
//! | `x < 3`, `1 <= x < 3`, ... | number; a missing one counts as 0, true as 1; text is refused unless `--strict-types` |
//! | `x in ["a", 1]` | one of; null in the list: missing too |
//! | `"a" in x` | text: contains; list: any of |
//! | `starts_with`, `ends_with` | the same; anything but text fails |
//! | `sem_ver` | version; `^` is "same major", `~` "same major and minor": two conditions each |
//! | `x`, `!x`, `!!x` | truth: not false, 0, "", missing, null or an empty list |
//! | `and`, `or`, `!`, `!=`, `if` chains, `$ref` | rules in order: the first that matches decides |
//! | `fractional` | a split with the same buckets, if the bucketing value is `{"cat": ["salt:", x]}`; else `--rebucket` |
//!
//! Everything else is refused with its place. An empty targeting key counts as none, so what tells the two apart is
//! refused too; a list or an object is not drawn by a split. A number where `sem_ver` wants a version is no version here (flagd's
//! engines disagree), and a name with dots is also looked up whole. The hash is that of flagd's fractional v2. Metadata
//! other than `flagSetId` goes into the description.

mod atom;
mod condition;
mod flag;
mod fractional;
mod logic;
mod references;
mod side;
mod tree;

use proto::v1;

use crate::document::{Fields, Kind, Node, Place, Problems};

/// What is accepted beyond what maps exactly.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leniency {
    /// Shares are kept, units are drawn anew.
    pub(crate) rebucket: bool,
    /// Text is never converted to a number.
    pub(crate) strict_types: bool,
}

/// What a file became.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// Flags that map.
    pub(crate) flags: Vec<v1::Flag>,
    /// Why others do not, each with its place.
    pub(crate) refusals: Vec<String>,
    /// Worth knowing.
    pub(crate) notes: Vec<String>,
}

/// Whether a text is a file of flagd: flags with a `state` or a `defaultVariant`.
pub(crate) fn looks_like(text: &str) -> bool {
    let Ok(nodes) = Node::parse(text) else { return false };
    let flagd = |flag: &Node| flag.get("state").is_some() || flag.get("defaultVariant").is_some();
    nodes
        .iter()
        .filter_map(|node| node.get("flags"))
        .any(|flags| match &flags.kind {
            Kind::Map(map) => map.iter().any(|(_, flag)| flagd(flag)),
            Kind::List(list) => list.iter().any(flagd),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => false,
        })
}

/// Reads a file; an error if it is none of flagd's.
pub(crate) fn read(file: &str, text: &str, leniency: Leniency) -> Result<Imported, Vec<String>> {
    let mut problems = Problems::of(file);
    let nodes = match Node::parse(text) {
        Ok(nodes) => nodes,
        Err(error) => {
            problems.syntax(&error);
            return Err(problems.into_lines().0);
        }
    };
    let [node] = nodes.as_slice() else {
        problems.wrong(Place { line: 1, column: 1 }, "", "not one JSON document");
        return Err(problems.into_lines().0);
    };
    let flags = read_top(node, &mut problems);
    let (wrong, notes) = problems.into_lines();
    let Some((flags, set, references)) = flags.filter(|_| wrong.is_empty()) else {
        return Err(wrong);
    };
    let mut imported = Imported {
        notes,
        ..Imported::default()
    };
    for (key, path, node) in flags {
        let mut problems = Problems::of(file);
        let flag = flag::read(node, &key, &path, set.as_deref(), &references, leniency, &mut problems);
        let (refusals, notes) = problems.into_lines();
        match (flag, refusals.is_empty()) {
            (Some(flag), true) => {
                imported.flags.push(flag);
                imported.notes.extend(notes);
            }
            (Some(_) | None, _) => imported.refusals.extend(refusals),
        }
    }
    Ok(imported)
}

type Named<'n> = (String, String, &'n Node);

/// The flags with their keys and paths, the file's flag set, and what may be referred to.
fn read_top<'n>(
    node: &'n Node,
    problems: &mut Problems,
) -> Option<(Vec<Named<'n>>, Option<String>, references::References<'n>)> {
    let mut fields = Fields::of(node, "", "flag definitions: {\"flags\": {...}}", problems)?;
    fields.take("$schema");
    let evaluators = references::References::read(fields.take("$evaluators"), problems);
    let set = match fields.take("metadata") {
        Some(metadata) => flag::flag_set(metadata, "metadata", problems),
        None => None,
    };
    let Some(flags) = fields.take("flags") else {
        problems.wrong(fields.place, "flags", "missing");
        return None;
    };
    fields.finish(problems);
    let named = match &flags.kind {
        Kind::Map(map) => {
            let one = |(name, node): &'n (crate::document::Name, Node)| {
                (name.text.clone(), format!("flags.{}", name.text), node)
            };
            map.iter().map(one).collect()
        }
        Kind::List(list) => list.iter().enumerate().map(|(at, node)| keyed(node, at)).collect(),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => {
            problems.expected(flags, "flags", "a map of keys and flags, or a list");
            return None;
        }
    };
    Some((named, set, evaluators))
}

fn keyed(node: &Node, at: usize) -> Named<'_> {
    let key = match node.get("key").map(|key| &key.kind) {
        Some(Kind::Text(key)) => key.clone(),
        Some(Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_)) | None => String::new(),
    };
    (key, format!("flags[{at}]"), node)
}

#[cfg(test)]
mod tests;
