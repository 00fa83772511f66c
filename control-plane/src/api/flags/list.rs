//! Pages of flags: in key order, of those that fit every filter that is given.
//!
//! A page begins behind the key that the one before ended with, so that flags which come and go meanwhile are neither
//! told twice nor make others be missed.

use evaluation::{FlagType, Key, Violation};
use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;

use super::stored;
use crate::{
    api::{
        page::{self, Page},
        refusal,
    },
    record::FlagRecord,
    state::State,
};

/// Which flags are asked for.
struct Filter {
    tags: Vec<String>,
    owner: String,
    /// In lower case.
    text: String,
    flag_type: Option<FlagType>,
    set: Option<Key>,
    archived: v1::ArchivedFilter,
}

/// A page of flags.
pub(super) fn list(state: &State, mut request: v1::ListFlagsRequest) -> Result<v1::ListFlagsResponse, Status> {
    let environment = refusal::environment(state, &request.environment)?;
    let size = page::size(request.page_size, 100, 1_000)?;
    let filter = Filter::read(&request).map_err(|violations| invalid(&violations))?;
    let token = std::mem::take(&mut request.page_token);
    request.page_size = 0;
    request.tags.sort();
    let asked = page::Asked::of(&request);
    let after = asked.after(&token)?;
    let mut page = Page::new(size);
    let mut next_page_token = String::new();
    let mut last: Option<&Key> = None;
    for record in state.flags_of(&environment, after.as_ref()) {
        if !filter.takes(record) {
            continue;
        }
        if page.is_full() {
            next_page_token = last.map(|last| asked.token(last)).unwrap_or_default();
            break;
        }
        page.push(stored(state, &environment, record));
        last = Some(&record.flag.key);
    }
    Ok(v1::ListFlagsResponse {
        flags: page.items,
        next_page_token,
        revision: state.revision,
    })
}

impl Filter {
    fn read(request: &v1::ListFlagsRequest) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let flag_type = v1::FlagType::try_from(request.r#type);
        let archived = v1::ArchivedFilter::try_from(request.archived);
        if flag_type.is_err() {
            violations.push(violation(
                "type",
                "must be boolean, string, integer, float or object, or none",
            ));
        }
        if archived.is_err() {
            violations.push(violation(
                "archived",
                "must be one of the three that the protocol names",
            ));
        }
        let set = Some(request.flag_set.as_str())
            .filter(|set| !set.is_empty())
            .map(Key::parse);
        let set = set.transpose().unwrap_or_else(|error| {
            violations.push(violation("flag_set", error.to_string()));
            None
        });
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            tags: request.tags.clone(),
            owner: request.owner.clone(),
            text: request.text.to_lowercase(),
            flag_type: proto::value::flag_type(flag_type.unwrap_or_default()),
            set,
            archived: archived.unwrap_or_default(),
        })
    }

    fn takes(&self, record: &FlagRecord) -> bool {
        let flag = &record.flag;
        let archived = record.archived_at_us.is_some();
        let in_state = match self.archived {
            v1::ArchivedFilter::Unspecified => !archived,
            v1::ArchivedFilter::Only => archived,
            v1::ArchivedFilter::Included => true,
        };
        in_state
            && self.tags.iter().all(|tag| flag.tags.contains(tag))
            && (self.owner.is_empty() || flag.owner == self.owner)
            && self.flag_type.is_none_or(|flag_type| flag.flag_type == flag_type)
            && (self.set.is_none() || flag.set == self.set)
            && (self.text.is_empty() || self.is_in(record))
    }

    /// Whether the text stands in what names or describes the flag.
    fn is_in(&self, record: &FlagRecord) -> bool {
        let flag = &record.flag;
        let named = [flag.key.as_str(), &flag.description, &flag.owner];
        let tags = flag.tags.iter().map(String::as_str);
        named
            .into_iter()
            .chain(tags)
            .any(|text| text.to_lowercase().contains(&self.text))
    }
}
