//! An environment as documents, such that applying them to an empty one gives the same.
//!
//! Salts and bucket ranges are in the documents and members are read page by page, so that every unit is served as
//! before. What no document says (a kill, an archive, a rollout) is named on standard error.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::Path,
};

use evaluation::Key;
use proto::v1;

use super::{apply, flags, segments};
use crate::{
    args::{ExportArgs, Global},
    connect::Session,
    document::{Tree, to_yaml},
    error::Error,
    flag_document::{FlagDocument, KIND},
    print::{self, Format},
    segment_document::SegmentDocument,
};

/// One document: its kind, its key, itself.
type Exported = (&'static str, String, Tree);

/// Exports flags and segments.
pub(super) async fn run(global: &Global, options: &ExportArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let everything = options.key.is_empty() && options.segment.is_empty();
    let mut documents = segments(&session, &options.segment, everything).await?;
    documents.extend(flags(&session, &options.key, everything).await?);
    match (&options.folder, &options.to) {
        (Some(folder), _) => write_folder(folder, &documents, global.output),
        (None, Some(file)) => {
            let text = text(documents, global.output)?;
            write_file(file, &text)
        }
        (None, None) => {
            let text = text(documents, global.output)?;
            print::line(text.trim_end())
        }
    }
}

async fn flags(session: &Session, keys: &[Key], everything: bool) -> Result<Vec<Exported>, Error> {
    let stored = match (everything, keys.is_empty()) {
        (false, true) => Vec::new(),
        (_, _) => flags::all(session).await.map_err(|status| session.error(&status))?,
    };
    let wanted: BTreeSet<&str> = keys.iter().map(Key::as_str).collect();
    let mut documents = Vec::new();
    let mut notes = Vec::new();
    for stored in stored {
        let flag = stored.flag.unwrap_or_default();
        let named = wanted.contains(flag.key.as_str());
        if !everything && !named {
            continue;
        }
        if stored.archived_at_us != 0 && !named {
            notes.push(format!("{} is archived and left out; name it to export it", flag.key));
            continue;
        }
        if flag.killed {
            notes.push(format!("{} is killed; its document does not say so", flag.key));
        }
        if !stored.rollout.is_empty() {
            notes.push(format!("{} is under {}, which stays behind", flag.key, stored.rollout));
        }
        documents.push(("flag", flag.key.clone(), FlagDocument::from_wire(&flag).into_tree()));
    }
    apply::notes(&notes);
    missing("flag", &wanted, &documents, session)?;
    Ok(documents)
}

async fn segments(session: &Session, keys: &[Key], everything: bool) -> Result<Vec<Exported>, Error> {
    let error = |status| session.error(&status);
    let stored = match (everything, keys.is_empty()) {
        (false, true) => Vec::new(),
        (_, _) => segments::all(session).await.map_err(error)?,
    };
    let wanted: BTreeSet<&str> = keys.iter().map(Key::as_str).collect();
    let mut documents = Vec::new();
    for stored in stored {
        let mut segment = stored.segment.unwrap_or_default();
        if !everything && !wanted.contains(segment.key.as_str()) {
            continue;
        }
        segment.included = apply::members(session, &segment.key, v1::MemberList::Included)
            .await
            .map_err(error)?;
        segment.excluded = apply::members(session, &segment.key, v1::MemberList::Excluded)
            .await
            .map_err(error)?;
        documents.push((
            "segment",
            segment.key.clone(),
            SegmentDocument::from_wire(&segment).into_tree(),
        ));
    }
    missing("segment", &wanted, &documents, session)?;
    Ok(documents)
}

fn missing(kind: &str, wanted: &BTreeSet<&str>, found: &[Exported], session: &Session) -> Result<(), Error> {
    let found: BTreeSet<&str> = found.iter().map(|(_, key, _)| key.as_str()).collect();
    let problem = |key: &&str| format!("no {kind} {key} in {}", session.environment());
    let problems: Vec<String> = wanted.difference(&found).map(problem).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(problems))
    }
}

/// The document with its kind before it.
pub(super) fn with_kind(kind: &str, tree: &Tree) -> Tree {
    let kind = (KIND.to_owned(), Tree::Text(kind.into()));
    match tree {
        Tree::Map(fields) => Tree::Map([&[kind], fields.as_slice()].concat()),
        other => other.clone(),
    }
}

/// All documents in one text: YAML documents, or one JSON list.
fn text(documents: Vec<Exported>, format: Format) -> Result<String, Error> {
    let trees: Vec<Tree> = documents.iter().map(|(kind, _, tree)| with_kind(kind, tree)).collect();
    trees_text(&trees, format)
}

/// Several documents as text.
pub(super) fn trees_text(trees: &[Tree], format: Format) -> Result<String, Error> {
    match format {
        Format::Json => serde_json::to_string_pretty(trees).map_err(|error| Error::Output(error.into())),
        Format::Yaml | Format::Table => {
            let yaml = |tree: &Tree| to_yaml(tree).map_err(|error| Error::Output(io::Error::other(error)));
            let documents: Vec<String> = trees.iter().map(yaml).collect::<Result<_, _>>()?;
            Ok(documents.join("---\n"))
        }
    }
}

/// One file for each document, named by its key: a key holds nothing that a file's name cannot.
fn write_folder(folder: &Path, documents: &[Exported], format: Format) -> Result<(), Error> {
    let (suffix, json) = match format {
        Format::Json => ("json", true),
        Format::Yaml | Format::Table => ("yaml", false),
    };
    for document in documents {
        let (kind, key, tree) = document;
        let tree = with_kind(kind, tree);
        let text = match json {
            true => serde_json::to_string_pretty(&tree).map_err(|error| Error::Output(error.into()))?,
            false => trees_text(&[tree], format)?,
        };
        let inner = folder.join(format!("{kind}s"));
        fs::create_dir_all(&inner).map_err(|error| Error::usage(format!("{}: {error}", inner.display())))?;
        write_file(&inner.join(format!("{key}.{suffix}")), &text)?;
    }
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "{} documents written to {}", documents.len(), folder.display());
    Ok(())
}

fn write_file(file: &Path, text: &str) -> Result<(), Error> {
    fs::write(file, format!("{}\n", text.trim_end()))
        .map_err(|error| Error::usage(format!("{}: {error}", file.display())))
}
