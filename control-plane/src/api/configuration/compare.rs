//! Comparing: what a copy would do to each document of another environment, a page at a time.
//!
//! Documents are told by kind and key. Whether a flag is killed is not compared, as it is not copied; an archived flag
//! counts as not there.

use std::collections::BTreeSet;

use evaluation::{Flag, Key};
use proto::v1;
use tonic::Status;

use super::{
    copy::copied,
    read::{self, Pair},
    results::wire,
};
use crate::{
    api::page::{self, Asked, Page},
    apply::{Kind, Name},
    audit,
    document::{self, Populated},
    state::State,
};

/// A page of differences.
pub(super) fn compare(state: &State, mut request: v1::CompareRequest) -> Result<v1::CompareResponse, Status> {
    let pair = Pair::of(state, &request.source, &request.target)?;
    let mut page = Page::new(page::size(request.page_size, 100, 1_000)?);
    let token = std::mem::take(&mut request.page_token);
    request.page_size = 0;
    let asked = Asked::of(&request);
    let after = after(asked, &token)?;
    let names = read::names(request.names)?;
    let names = if names.is_empty() {
        all(state, &pair)
    } else {
        names.into_iter().collect()
    };
    let mut last: Option<&Name> = None;
    let mut equal = 0;
    for name in &names {
        let is_told = after.as_ref().is_some_and(|after| name <= after);
        match difference(state, &pair, name)? {
            None => equal += 1,
            Some(_) if is_told => {}
            Some(difference) => {
                if let (true, Some(last)) = (page.is_full(), last) {
                    let next_page_token = asked.token(&format!("{}:{}", last.kind.word(), last.key));
                    return Ok(v1::CompareResponse {
                        differences: page.items,
                        next_page_token,
                        equal: 0,
                    });
                }
                page.push(difference);
                last = Some(name);
            }
        }
    }
    Ok(v1::CompareResponse {
        differences: page.items,
        next_page_token: String::new(),
        equal,
    })
}

/// The name that the page before ended with.
fn after(asked: Asked, token: &str) -> Result<Option<Name>, Status> {
    let Some(last) = asked.last(token)? else {
        return Ok(None);
    };
    let (kind, key) = last.split_once(':').ok_or_else(page::wrong_token)?;
    let kind = match kind {
        "flag" => Kind::Flag,
        "segment" => Kind::Segment,
        _ => return Err(page::wrong_token()),
    };
    let key = Key::parse(key).map_err(|_| page::wrong_token())?;
    Ok(Some(Name { kind, key }))
}

/// Every document of either environment.
fn all(state: &State, pair: &Pair) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for environment in [&pair.source, &pair.target] {
        names.extend(state.flags_of(environment, None).map(|record| Name {
            kind: Kind::Flag,
            key: record.flag.key.clone(),
        }));
        names.extend(state.segments_of(environment, None).map(|record| Name {
            kind: Kind::Segment,
            key: record.segment.key.clone(),
        }));
    }
    names
}

/// What differs in one document; none: it is equal, or in neither environment.
fn difference(state: &State, pair: &Pair, name: &Name) -> Result<Option<v1::Difference>, Status> {
    let found = match name.kind {
        Kind::Flag => flags(state, pair, &name.key),
        Kind::Segment => segments(state, pair, &name.key)?,
    };
    Ok(found.map(|(action, changes)| v1::Difference {
        name: Some(wire(name)),
        action: action.into(),
        changes,
    }))
}

type Found = Option<(v1::DocumentAction, Vec<v1::FieldChange>)>;

fn flags(state: &State, pair: &Pair, key: &Key) -> Found {
    let used = |environment: &Key| {
        let record = state.flag(environment, key)?;
        record.archived_at_us.is_none().then(|| copied(&record.flag))
    };
    match (used(&pair.source), used(&pair.target)) {
        (None, None) => None,
        (Some(_), None) => Some((v1::DocumentAction::Created, Vec::new())),
        (None, Some(_)) => Some((v1::DocumentAction::Deleted, Vec::new())),
        (Some(source), Some(target)) if source == target => None,
        (Some(source), Some(target)) => {
            let json = |flag: &Flag| audit::flag(flag);
            let changes = document::differences(Some(&json(&target)), Some(&json(&source)));
            Some((v1::DocumentAction::Updated, changes))
        }
    }
}

fn segments(state: &State, pair: &Pair, key: &Key) -> Result<Found, Status> {
    let (source, target) = (state.segment(&pair.source, key), state.segment(&pair.target, key));
    let (source, target) = match (source, target) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Ok(Some((v1::DocumentAction::Created, Vec::new()))),
        (None, Some(_)) => return Ok(Some((v1::DocumentAction::Deleted, Vec::new()))),
        (Some(source), Some(target)) => (source, target),
    };
    let lists_equal = source.included == target.included && source.excluded == target.excluded;
    if source.segment == target.segment && lists_equal {
        return Ok(None);
    }
    let was = Populated {
        record: target,
        chunks: state.chunks_of(&pair.target),
    };
    let is = Populated {
        record: source,
        chunks: state.chunks_of(&pair.source),
    };
    let changes = document::segment_differences(Some(was), Some(is));
    let changes = changes.map_err(|error| Status::data_loss(error.to_string()))?;
    Ok(Some((v1::DocumentAction::Updated, changes)))
}
