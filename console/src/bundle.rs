//! Flags and segments from files: every document of every file, read before anything is written.
//!
//! A file holds one document, several (`---`), a list, maps of keys under `flags:` and `segments:`, or a map of flags; JSON
//! alike. A folder stands for its YAML and JSON files, those of its folders included. A document is a segment if it says
//! `kind: segment` or has a field that only segments have.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use proto::v1;

use crate::{
    document::{self, Fields, Kind, Node, Place, Problems},
    error::Error,
    flag_document::{self, KIND},
    segment_document,
};

/// How deep folders are looked into.
const FOLDERS: usize = 32;

/// Fields by which a flag is known though nothing names it one.
const ONLY_FLAGS: [&str; 10] = [
    "rollout_percentage",
    "rollout_type",
    "targeting_rules",
    "percent",
    "variants",
    "enabled",
    "allow",
    "whitelist",
    "deny",
    "blacklist",
];

/// What files say.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    pub(crate) flags: Vec<v1::Flag>,
    pub(crate) segments: Vec<v1::Segment>,
    /// Worth knowing, with its place.
    pub(crate) notes: Vec<String>,
    /// Kind and key to the place of the first document about it.
    seen: BTreeMap<(&'static str, String), String>,
    problems: Vec<String>,
}

impl Bundle {
    /// These flags.
    pub(crate) fn of(flags: Vec<v1::Flag>) -> Self {
        Self {
            flags,
            ..Self::default()
        }
    }

    /// Reads files and folders; `-` is standard input. On failure every problem of every file.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut bundle = Self::default();
        for path in paths {
            for file in files(path)? {
                let text = document::text(&file)?;
                bundle.add(&file.display().to_string(), &text);
            }
        }
        bundle.finish()
    }

    /// Reads one text; what is wrong with it waits for `finish`.
    pub(crate) fn add(&mut self, file: &str, text: &str) {
        let mut problems = Problems::of(file);
        match Node::parse(text) {
            Ok(nodes) => {
                for node in &nodes {
                    self.add_node(file, node, "", &mut problems);
                }
            }
            Err(error) => problems.syntax(&error),
        }
        let (problems, notes) = problems.into_lines();
        self.problems.extend(problems);
        self.notes.extend(notes);
    }

    /// Everything that was read, if nothing was wrong.
    pub(crate) fn finish(mut self) -> Result<Self, Error> {
        if self.problems.is_empty() {
            self.seen.clear();
            Ok(self)
        } else {
            self.problems.push("nothing was written".into());
            Err(Error::Usage(self.problems))
        }
    }

    fn add_node(&mut self, file: &str, node: &Node, path: &str, problems: &mut Problems) {
        match &node.kind {
            Kind::List(list) => {
                for (at, item) in list.iter().enumerate() {
                    self.add_document(file, item, &format!("{path}[{at}]"), None, None, problems);
                }
            }
            Kind::Map(_) if is_group(node) => self.add_group(file, node, problems),
            Kind::Map(map) if is_by_key(map.iter().map(|(_, item)| item)) => {
                for (key, item) in map {
                    self.add_document(file, item, &key.text, Some("flag"), Some(&key.text), problems);
                }
            }
            Kind::Null => {}
            Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
                self.add_document(file, node, path, None, None, problems);
            }
        }
    }

    /// `flags:` and `segments:`.
    fn add_group(&mut self, file: &str, node: &Node, problems: &mut Problems) {
        let Some(mut fields) = Fields::of(node, "", "flags and segments", problems) else {
            return;
        };
        for (name, kind) in [("segments", "segment"), ("flags", "flag")] {
            let Some(group) = fields.take(name) else { continue };
            match &group.kind {
                Kind::List(list) => {
                    for (at, item) in list.iter().enumerate() {
                        self.add_document(file, item, &format!("{name}[{at}]"), Some(kind), None, problems);
                    }
                }
                Kind::Map(map) => {
                    for (key, item) in map {
                        let path = format!("{name}.{}", key.text);
                        self.add_document(file, item, &path, Some(kind), Some(&key.text), problems);
                    }
                }
                Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => {
                    problems.expected(group, name, "a list, or a map of keys");
                }
            }
        }
        fields.finish(problems);
    }

    fn add_document(
        &mut self,
        file: &str,
        node: &Node,
        path: &str,
        kind: Option<&str>,
        key: Option<&str>,
        problems: &mut Problems,
    ) {
        if node.get("defaultVariant").is_some() || node.get("state").is_some() {
            let what = format!("this is a flag of flagd; bring it in with: tidegate import flagd {file}");
            problems.wrong(node.place, path, what);
            return;
        }
        if is_shown(node) {
            let what = "this is what `tidegate get` shows; a document is what `tidegate export KEY` writes";
            problems.wrong(node.place, path, what);
            return;
        }
        let said = node.get(KIND).and_then(|kind| match &kind.kind {
            Kind::Text(kind) => Some(kind.as_str()),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
        });
        let own = segment_document::OWN_FIELDS
            .iter()
            .any(|field| node.get(field).is_some());
        match said.or(kind).unwrap_or(if own { "segment" } else { "flag" }) {
            "flag" => {
                let flag = flag_document::read(node, path, key, problems);
                self.note("flag", &flag.key, file, node.place, problems);
                self.flags.push(flag);
            }
            "segment" => {
                let segment = segment_document::read(node, path, key, problems);
                self.note("segment", &segment.key, file, node.place, problems);
                self.segments.push(segment);
            }
            other => problems.wrong(node.place, path, format!("no kind {other:?}; flag or segment")),
        }
    }

    /// A key stands once.
    fn note(&mut self, kind: &'static str, key: &str, file: &str, place: Place, problems: &mut Problems) {
        let here = format!("{file}:{}:{}", place.line, place.column);
        match self.seen.get(&(kind, key.to_owned())) {
            Some(first) if !key.is_empty() => {
                problems.wrong(place, "", format!("{kind} {key} is written twice, first at {first}"));
            }
            Some(_) => {}
            None => {
                self.seen.insert((kind, key.to_owned()), here);
            }
        }
    }
}

/// Maps of flags and segments, not a document.
fn is_group(node: &Node) -> bool {
    node.get("key").is_none() && (node.get("flags").is_some() || node.get("segments").is_some())
}

/// Flags by their keys without `flags:` above them: every value is a map that says something only flags say.
fn is_by_key<'n>(mut items: impl ExactSizeIterator<Item = &'n Node>) -> bool {
    items.len() > 0 && items.all(|item| ONLY_FLAGS.iter().any(|field| item.get(field).is_some()))
}

/// What `get` and `list` show: a document within what the control plane knows of it.
fn is_shown(node: &Node) -> bool {
    node.get("key").is_none()
        && node.get("revision").is_some()
        && (node.get("flag").is_some() || node.get("segment").is_some())
}

/// The files that a path stands for, in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let wrong = |error: io::Error| Error::usage(format!("{}: {error}", path.display()));
    if path == Path::new("-") || !fs::metadata(path).map_err(wrong)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    look_into(path, FOLDERS, &mut found).map_err(wrong)?;
    if found.is_empty() {
        return Err(Error::usage(format!(
            "{}: no .yaml, .yml or .json file",
            path.display()
        )));
    }
    found.sort();
    Ok(found)
}

fn look_into(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(io::Error::other(format!("folders more than {FOLDERS} deep")));
    };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, hidden) = (entry.path(), entry.file_name().to_string_lossy().starts_with('.'));
        let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if hidden {
            continue;
        }
        if fs::metadata(&path)?.is_dir() {
            look_into(&path, depth, found)?;
        } else if matches!(suffix.as_str(), "yaml" | "yml" | "json") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
