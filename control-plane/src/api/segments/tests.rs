#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use evaluation::{Context, EntryKind, Index, Revision, Rule, Serve, Snapshot, Test};
use proptest::prelude::*;
use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{flag, key, production},
    publish::Subscription,
    trial::Trial,
};

/// Far more than anything here takes: only a broken build is so slow.
const FAR: Duration = Duration::from_secs(120);

fn wire(name: &str) -> v1::Segment {
    v1::Segment {
        key: name.to_owned(),
        ..v1::Segment::default()
    }
}

fn units(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("user-{number:06}")).collect()
}

fn texts(units: &[&str]) -> Vec<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

/// A group that holds for everybody in another segment.
fn group(segment: &str) -> v1::ConditionGroup {
    let condition = evaluation::Condition {
        attribute: String::new(),
        negated: false,
        test: Test::InSegment(vec![segment.to_owned()]),
    };
    v1::ConditionGroup {
        conditions: vec![v1::Condition::from(&condition)],
    }
}

/// A flag that serves new to a segment.
fn reader(name: &str, segment: &str) -> evaluation::Flag {
    let condition = evaluation::Condition {
        attribute: String::new(),
        negated: false,
        test: Test::InSegment(vec![segment.to_owned()]),
    };
    evaluation::Flag {
        rules: vec![Rule {
            name: "members".to_owned(),
            conditions: vec![condition],
            serve: Serve::Variant("new".to_owned()),
            salt: String::new(),
        }],
        ..flag(name)
    }
}

/// The service over a store of its own.
struct Service {
    trial: Trial,
    api: SegmentsApi,
}

impl Service {
    async fn new() -> Self {
        let trial = Trial::new().await;
        let api = SegmentsApi::new(trial.truth.clone());
        Self { trial, api }
    }

    async fn create(&self, segment: v1::Segment) -> Result<v1::StoredSegment, Status> {
        let request = v1::CreateSegmentRequest {
            environment: "production".to_owned(),
            segment: Some(segment),
            validate_only: false,
        };
        let response = self.api.create_segment(Request::new(request)).await?;
        Ok(response.into_inner().segment.unwrap())
    }

    async fn update(&self, segment: v1::Segment, paths: &[&str]) -> Result<v1::UpdateSegmentResponse, Status> {
        self.edit(v1::UpdateSegmentRequest {
            segment: Some(segment),
            update_mask: Some(prost_types::FieldMask { paths: texts(paths) }),
            ..v1::UpdateSegmentRequest::default()
        })
        .await
    }

    async fn edit(&self, request: v1::UpdateSegmentRequest) -> Result<v1::UpdateSegmentResponse, Status> {
        let environment = "production".to_owned();
        let request = v1::UpdateSegmentRequest { environment, ..request };
        Ok(self.api.update_segment(Request::new(request)).await?.into_inner())
    }

    async fn get(&self, name: &str) -> Result<v1::StoredSegment, Status> {
        let request = v1::GetSegmentRequest {
            environment: "production".to_owned(),
            key: name.to_owned(),
        };
        let response = self.api.get_segment(Request::new(request)).await?;
        Ok(response.into_inner().segment.unwrap())
    }

    async fn delete(&self, name: &str, expected_revision: u64) -> Result<v1::StoredSegment, Status> {
        let request = v1::DeleteSegmentRequest {
            environment: "production".to_owned(),
            key: name.to_owned(),
            expected_revision,
        };
        let response = self.api.delete_segment(Request::new(request)).await?;
        Ok(response.into_inner().segment.unwrap())
    }

    async fn add(&self, list: v1::MemberList, units: Vec<String>) -> Result<v1::AddSegmentMembersResponse, Status> {
        let request = v1::AddSegmentMembersRequest {
            environment: "production".to_owned(),
            key: "staff".to_owned(),
            list: list.into(),
            units,
        };
        Ok(self.api.add_segment_members(Request::new(request)).await?.into_inner())
    }

    async fn remove(&self, list: v1::MemberList, units: Vec<String>) -> Result<u32, Status> {
        let request = v1::RemoveSegmentMembersRequest {
            environment: "production".to_owned(),
            key: "staff".to_owned(),
            list: list.into(),
            units,
        };
        let response = self.api.remove_segment_members(Request::new(request)).await?;
        Ok(response.into_inner().removed)
    }

    /// All units of a list, page by page.
    async fn members(&self, list: v1::MemberList, page_size: u32) -> Vec<String> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListSegmentMembersRequest {
                environment: "production".to_owned(),
                key: "staff".to_owned(),
                list: list.into(),
                page_size,
                page_token,
            };
            let page = self.api.list_segment_members(Request::new(request)).await.unwrap();
            let page = page.into_inner();
            assert!(page.encoded_len() < proto::MESSAGE_LIMIT);
            all.extend(page.units);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    async fn list(&self, request: v1::ListSegmentsRequest) -> Result<v1::ListSegmentsResponse, Status> {
        let environment = "production".to_owned();
        let request = v1::ListSegmentsRequest { environment, ..request };
        Ok(self.api.list_segments(Request::new(request)).await?.into_inner())
    }

    /// The latest snapshot of all flags, as an agent reads it.
    fn snapshot(&self, set: Option<&str>) -> Snapshot {
        let subscription = Subscription {
            environment: production(),
            set: set.map(key),
        };
        let published = self.trial.publisher.subscribe(&subscription).unwrap().borrow().clone();
        let changes = published.index.iter().map(|(id, entry)| {
            let raw = proto::entry::unframe(entry.body.clone()).unwrap().pop().unwrap();
            let body = proto::entry::decode(raw.kind, &raw.key, &raw.body.unwrap()).unwrap();
            let entry = Some(evaluation::Entry { hash: entry.hash, body });
            evaluation::Change { id: id.clone(), entry }
        });
        Snapshot::new(Revision::default(), Index::new().with(changes))
    }
}

fn serves(snapshot: &Snapshot, flag: &str, unit: &str) -> Option<String> {
    let context = Context::new().with_targeting_key(unit);
    let decision = snapshot.flag(flag).unwrap().evaluate(snapshot, &context);
    decision.variant.map(str::to_owned)
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

const INCLUDED: v1::MemberList = v1::MemberList::Included;
const EXCLUDED: v1::MemberList = v1::MemberList::Excluded;

#[tokio::test]
async fn a_created_segment_is_there_without_its_members_and_with_their_number() {
    let service = Service::new().await;
    let created = service
        .create(v1::Segment {
            included: texts(&["ada", "bob", "ada"]),
            excluded: texts(&["eve"]),
            owner: "team".to_owned(),
            ..wire("staff")
        })
        .await
        .unwrap();
    assert_eq!(
        (created.included_count, created.excluded_count, created.version),
        (2, 1, 1)
    );
    let segment = created.segment.clone().unwrap();
    assert!(segment.included.is_empty() && segment.excluded.is_empty() && segment.owner == "team");
    assert_eq!(service.get("staff").await.unwrap(), created);
    assert_eq!(service.members(INCLUDED, 0).await, ["ada", "bob"]);
    let twice = service.create(wire("staff")).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert_eq!(service.get("nobody").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_create_is_answered_with_everything_that_is_wrong_and_writes_nothing() {
    let service = Service::new().await;
    let before = service.trial.truth.state().revision;
    let wrong = v1::Segment {
        key: "no spaces".to_owned(),
        included: texts(&["ada", ""]),
        excluded: texts(&["ada"]),
        groups: vec![group("nobody"), v1::ConditionGroup::default()],
        ..v1::Segment::default()
    };
    let refused = service.create(wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let fields = fields(&refused);
    for field in [
        "segment.key",
        "segment.included[1]",
        "segment.excluded[0]",
        "segment.groups[1].conditions",
    ] {
        assert_eq!(
            fields.iter().filter(|found| *found == field).count(),
            1,
            "{field} in {fields:?}"
        );
    }
    assert!(
        fields.iter().any(|found| found.starts_with("segment.groups[0]")),
        "{fields:?}"
    );
    assert_eq!(service.trial.truth.state().revision, before);
}

#[tokio::test]
async fn what_is_only_validated_is_not_written() {
    let service = Service::new().await;
    let request = v1::CreateSegmentRequest {
        environment: "production".to_owned(),
        segment: Some(v1::Segment {
            included: texts(&["ada"]),
            ..wire("staff")
        }),
        validate_only: true,
    };
    let shown = service
        .api
        .create_segment(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    let shown = shown.segment.unwrap();
    assert_eq!((shown.included_count, shown.revision), (1, 0));
    assert_eq!(service.get("staff").await.unwrap_err().code(), Code::NotFound);
    service.create(wire("staff")).await.unwrap();
    let edit = v1::UpdateSegmentRequest {
        segment: Some(v1::Segment {
            owner: "team".to_owned(),
            ..wire("staff")
        }),
        validate_only: true,
        ..v1::UpdateSegmentRequest::default()
    };
    let shown = service.edit(edit).await.unwrap();
    assert!(shown.changed && shown.segment.unwrap().segment.unwrap().owner == "team");
    assert_eq!(service.get("staff").await.unwrap().segment.unwrap().owner, "");
}

#[tokio::test]
async fn an_update_keeps_members_that_it_does_not_speak_of() {
    let service = Service::new().await;
    let first = v1::Segment {
        included: texts(&["ada", "bob"]),
        excluded: texts(&["eve"]),
        description: "d".to_owned(),
        ..wire("staff")
    };
    let created = service.create(first).await.unwrap();
    let whole = v1::UpdateSegmentRequest {
        segment: Some(v1::Segment {
            owner: "team".to_owned(),
            ..wire("staff")
        }),
        ..v1::UpdateSegmentRequest::default()
    };
    let updated = service.edit(whole.clone()).await.unwrap();
    let segment = updated.segment.unwrap();
    assert!(updated.changed && segment.version == 2 && segment.revision > created.revision);
    assert_eq!((segment.included_count, segment.excluded_count), (2, 1));
    // Without a mask the whole document is replaced.
    assert_eq!(segment.segment.unwrap().description, "");
    let again = service.edit(whole).await.unwrap();
    assert!(!again.changed && again.segment.unwrap().version == 2);
}

#[tokio::test]
async fn an_update_takes_the_fields_of_its_mask_and_no_others() {
    let service = Service::new().await;
    service
        .create(v1::Segment {
            included: texts(&["ada"]),
            excluded: texts(&["eve"]),
            description: "d".to_owned(),
            ..wire("staff")
        })
        .await
        .unwrap();
    let wanted = v1::Segment {
        owner: "team".to_owned(),
        description: "not looked at".to_owned(),
        groups: vec![v1::ConditionGroup::default()],
        ..wire("staff")
    };
    let updated = service
        .update(wanted.clone(), &["key", "owner", "included"])
        .await
        .unwrap()
        .segment
        .unwrap();
    let segment = updated.segment.unwrap();
    assert_eq!((segment.owner.as_str(), segment.description.as_str()), ("team", "d"));
    assert_eq!((updated.included_count, updated.excluded_count), (0, 1));
    let refused = service.update(wanted, &["members"]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().contains("included, excluded, groups"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_stale_revision_is_refused_with_the_current_one() {
    let service = Service::new().await;
    let created = service.create(wire("staff")).await.unwrap();
    let now = service.add(INCLUDED, texts(&["ada"])).await.unwrap().segment.unwrap();
    let stale = v1::UpdateSegmentRequest {
        segment: Some(wire("staff")),
        expected_revision: created.revision,
        ..v1::UpdateSegmentRequest::default()
    };
    let refusals = [
        service.edit(stale).await.unwrap_err(),
        service.delete("staff", created.revision).await.unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(
            refused.message().contains(&now.revision.to_string()),
            "{}",
            refused.message()
        );
    }
    assert!(service.delete("staff", now.revision).await.is_ok());
}

#[tokio::test]
async fn a_segment_that_is_read_is_not_deleted_and_its_readers_are_named() {
    let service = Service::new().await;
    service.create(wire("staff")).await.unwrap();
    let inner = v1::Segment {
        groups: vec![group("staff")],
        ..wire("insiders")
    };
    service.create(inner).await.unwrap();
    service.trial.write(reader("checkout", "staff")).await;
    service.trial.write(reader("banner", "insiders")).await;
    assert_eq!(service.get("staff").await.unwrap().flags, ["banner", "checkout"]);
    assert_eq!(service.get("insiders").await.unwrap().flags, ["banner"]);
    let refused = service.delete("staff", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let violation = &refused.get_details_precondition_failure().unwrap().violations[0];
    assert_eq!(violation.r#type, "REFERENCED");
    for reader in ["flag checkout", "segment insiders"] {
        assert!(refused.message().contains(reader), "{}", refused.message());
    }
    let circle = v1::Segment {
        groups: vec![group("insiders")],
        ..wire("staff")
    };
    let refused = service.update(circle, &["groups"]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    service.trial.delete(&key("checkout")).await;
    service.trial.delete(&key("banner")).await;
    service.delete("insiders", 0).await.unwrap();
    service.delete("staff", 0).await.unwrap();
    assert_eq!(service.get("staff").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn versions_go_on_when_a_deleted_segment_comes_back() {
    let service = Service::new().await;
    service.create(wire("staff")).await.unwrap();
    service.delete("staff", 0).await.unwrap();
    let back = service.create(wire("staff")).await.unwrap();
    assert_eq!(back.version, 3);
}

#[tokio::test]
async fn a_unit_that_is_added_leaves_the_other_list() {
    let service = Service::new().await;
    let first = v1::Segment {
        included: texts(&["ada", "bob"]),
        ..wire("staff")
    };
    service.create(first).await.unwrap();
    let added = service.add(EXCLUDED, texts(&["bob", "eve", "eve"])).await.unwrap();
    let segment = added.segment.unwrap();
    assert_eq!((added.added, segment.included_count, segment.excluded_count), (2, 1, 2));
    assert_eq!(service.members(INCLUDED, 0).await, ["ada"]);
    assert_eq!(service.members(EXCLUDED, 0).await, ["bob", "eve"]);
    let again = service.add(EXCLUDED, texts(&["bob"])).await.unwrap();
    assert_eq!((again.added, again.segment.unwrap().version), (0, segment.version));
    assert_eq!(service.remove(EXCLUDED, texts(&["bob", "nobody"])).await.unwrap(), 1);
    assert_eq!(service.members(EXCLUDED, 0).await, ["eve"]);
    let refused = service.add(INCLUDED, texts(&["", "ada"])).await.unwrap_err();
    assert_eq!(
        (refused.code(), fields(&refused)),
        (Code::InvalidArgument, vec!["units[0]".to_owned()])
    );
}

#[tokio::test]
async fn units_that_many_add_at_once_are_all_there() {
    let service = Arc::new(Service::new().await);
    service.create(wire("staff")).await.unwrap();
    let adders = (0..12u32).map(|adder| {
        let service = service.clone();
        tokio::spawn(async move {
            service
                .add(INCLUDED, units(adder * 10..adder * 10 + 10))
                .await
                .unwrap()
                .added
        })
    });
    let added = futures::future::join_all(adders).await;
    assert_eq!(added.into_iter().map(Result::unwrap).sum::<u32>(), 120);
    assert_eq!(service.members(INCLUDED, 7).await, units(0..120));
}

#[tokio::test]
async fn a_page_token_is_of_one_list_and_of_one_set_of_filters() {
    let service = Service::new().await;
    for (name, owner, tag) in [
        ("a", "red", "x"),
        ("b", "red", "y"),
        ("c", "blue", "x"),
        ("d", "red", "x"),
    ] {
        let segment = v1::Segment {
            owner: owner.to_owned(),
            tags: texts(&[tag]),
            description: format!("The {name} team"),
            ..wire(name)
        };
        service.create(segment).await.unwrap();
    }
    let of = |owner: &str, tags: &[&str], text: &str, page_token: &str| v1::ListSegmentsRequest {
        owner: owner.to_owned(),
        tags: texts(tags),
        text: text.to_owned(),
        page_size: 1,
        page_token: page_token.to_owned(),
        ..v1::ListSegmentsRequest::default()
    };
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = service.list(of("red", &["x"], "", &token)).await.unwrap();
        found.extend(page.segments.into_iter().map(|stored| stored.segment.unwrap().key));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let other = service.list(of("red", &[], "", &token)).await.unwrap_err();
        assert_eq!(fields(&other), ["page_token"]);
    }
    assert_eq!(found, ["a", "d"]);
    let spoken = service.list(of("", &[], "THE C", "")).await.unwrap();
    assert_eq!(spoken.segments.len(), 1);
    let members = v1::ListSegmentMembersRequest {
        environment: "production".to_owned(),
        key: "a".to_owned(),
        list: EXCLUDED.into(),
        page_token: "included:ada".to_owned(),
        page_size: 0,
    };
    let refused = service
        .api
        .list_segment_members(Request::new(members))
        .await
        .unwrap_err();
    assert_eq!(fields(&refused), ["page_token"]);
}

#[tokio::test]
async fn a_hundred_thousand_members_come_in_one_create_and_are_evaluated() {
    let service = Service::new().await;
    let begun = Instant::now();
    let many = v1::Segment {
        included: units(0..100_000),
        ..wire("staff")
    };
    assert!(many.encoded_len() < proto::MESSAGE_LIMIT);
    let created = service.create(many).await.unwrap();
    assert_eq!(created.included_count, 100_000);
    service.trial.write(reader("checkout", "staff")).await;
    let snapshot = service.snapshot(None);
    for (unit, variant) in [("user-000000", "new"), ("user-099999", "new"), ("user-100000", "old")] {
        assert_eq!(serves(&snapshot, "checkout", unit).as_deref(), Some(variant), "{unit}");
    }
    service.add(EXCLUDED, texts(&["user-099999"])).await.unwrap();
    assert_eq!(
        serves(&service.snapshot(None), "checkout", "user-099999").as_deref(),
        Some("old")
    );
    assert_eq!(service.members(INCLUDED, 10_000).await, units(0..99_999));
    assert!(begun.elapsed() < FAR);
}

#[tokio::test]
async fn half_a_million_members_come_in_parts_and_not_one_more() {
    let service = Service::new().await;
    service.create(wire("staff")).await.unwrap();
    for part in 0..5u32 {
        let added = service
            .add(INCLUDED, units(part * 100_000..(part + 1) * 100_000))
            .await
            .unwrap();
        assert_eq!(added.added, 100_000);
    }
    let refused = service.add(INCLUDED, texts(&["one more"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("500001"), "{}", refused.message());
    // An edit of one of them writes little.
    let chunks = service
        .trial
        .truth
        .state()
        .chunks_of(&production())
        .keys()
        .copied()
        .collect::<BTreeSet<_>>();
    service.remove(INCLUDED, texts(&["user-250000"])).await.unwrap();
    let state = service.trial.truth.state();
    let fresh = state
        .chunks_of(&production())
        .keys()
        .filter(|id| !chunks.contains(id))
        .count();
    assert_eq!(fresh, 1);
    assert_eq!(service.get("staff").await.unwrap().included_count, 499_999);
}

#[tokio::test]
async fn a_segment_and_its_members_outlive_the_process() {
    let service = Service::new().await;
    let many = v1::Segment {
        included: units(0..30_000),
        excluded: units(40_000..40_010),
        ..wire("staff")
    };
    service.create(many).await.unwrap();
    service.remove(INCLUDED, units(0..1)).await.unwrap();
    let before = service.trial.truth.state();
    let Service { trial, api } = service;
    drop(api);
    let trial = trial.again().await;
    let after = trial.truth.state();
    assert_eq!(after.segments, before.segments);
    assert_eq!(after.chunks, before.chunks);
    assert_eq!(after.populations, before.populations);
    assert_eq!(after.references, before.references);
    let api = SegmentsApi::new(trial.truth.clone());
    let service = Service { trial, api };
    assert_eq!(service.members(INCLUDED, 10_000).await, units(1..30_000));
}

/// One thing that may be done to one of two segments.
#[derive(Debug, Clone)]
enum Deed {
    Create { twin: bool, from: u32, count: u32 },
    Replace { twin: bool, from: u32, count: u32 },
    Add { excluded: bool, from: u32, count: u32 },
    Remove { excluded: bool, from: u32, count: u32 },
    Delete { twin: bool },
}

fn deeds() -> impl Strategy<Value = Deed> {
    let range = (0..4_000u32, 1..3_000u32);
    let (any, range) = (any::<bool>(), range);
    prop_oneof![
        3 => (any, range.clone()).prop_map(|(twin, (from, count))| Deed::Create { twin, from, count }),
        1 => (any, range.clone()).prop_map(|(twin, (from, count))| Deed::Replace { twin, from, count }),
        2 => (any, range.clone()).prop_map(|(excluded, (from, count))| Deed::Add { excluded, from, count }),
        2 => (any, range).prop_map(|(excluded, (from, count))| Deed::Remove { excluded, from, count }),
        1 => any.prop_map(|twin| Deed::Delete { twin }),
    ]
}

impl Service {
    /// Does it, if it can be done.
    async fn carry_out(&self, deed: &Deed) {
        let name = |twin: bool| if twin { "twin" } else { "staff" };
        let list = |excluded: bool| if excluded { EXCLUDED } else { INCLUDED };
        let segment = |twin: bool, from: u32, count: u32| v1::Segment {
            included: units(from..from + count),
            ..wire(name(twin))
        };
        // Refused where it makes no sense: nothing is written then.
        match *deed {
            Deed::Create { twin, from, count } => _ = self.create(segment(twin, from, count)).await,
            Deed::Replace { twin, from, count } => _ = self.update(segment(twin, from, count), &["included"]).await,
            Deed::Add { excluded, from, count } => _ = self.add(list(excluded), units(from..from + count)).await,
            Deed::Remove { excluded, from, count } => _ = self.remove(list(excluded), units(from..from + count)).await,
            Deed::Delete { twin } => _ = self.delete(name(twin), 0).await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_loaded_is_what_was_followed(deeds in proptest::collection::vec(deeds(), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let service = Service::new().await;
            for deed in &deeds {
                service.carry_out(deed).await;
            }
            let followed = service.trial.truth.state();
            let named = followed.segments.values().flat_map(|record| record.chunks().collect::<Vec<_>>());
            let named = named.collect::<BTreeSet<_>>();
            let held = followed.chunks_of(&production()).keys().copied().collect::<BTreeSet<_>>();
            assert_eq!(held, named, "the state holds what its segments name and nothing else");
            let Service { trial, api } = service;
            drop(api);
            let loaded = trial.again().await.truth.state();
            assert_eq!(loaded.segments, followed.segments);
            assert_eq!(loaded.chunks, followed.chunks);
            assert_eq!(loaded.populations, followed.populations);
        });
    }
}

#[tokio::test]
async fn chunks_that_no_segment_names_any_longer_leave_the_memory_and_stay_in_the_history() {
    let service = Service::new().await;
    let first = v1::Segment {
        included: units(0..10),
        ..wire("staff")
    };
    service.create(first.clone()).await.unwrap();
    // Another segment of the same members shares their chunk.
    let twin = v1::Segment {
        key: "twin".to_owned(),
        ..first
    };
    service.create(twin).await.unwrap();
    let chunks = |service: &Service| service.trial.truth.state().chunks_of(&production()).len();
    assert_eq!(chunks(&service), 1);
    service.add(INCLUDED, units(10..11)).await.unwrap();
    assert_eq!(chunks(&service), 2);
    service.delete("twin", 0).await.unwrap();
    assert_eq!(chunks(&service), 1);
    let state = service.trial.truth.state();
    let old = history::version(service.trial.truth.store(), &production(), "segment", &key("staff"), 1).await;
    let Some(crate::store::model::Document::Segment(old)) = old.unwrap().unwrap().record.document else {
        panic!("the first version is a segment")
    };
    let held = history::chunks(service.trial.truth.store(), &state, &production(), &old)
        .await
        .unwrap();
    assert_eq!(old.whole(&held).unwrap().included.len(), 10);
}

#[tokio::test]
async fn an_agent_of_a_flag_set_gets_the_segments_that_its_flags_read_and_no_others() {
    let service = Service::new().await;
    for name in ["staff", "beta"] {
        let segment = v1::Segment {
            included: texts(&["ada"]),
            ..wire(name)
        };
        service.create(segment).await.unwrap();
    }
    let shop = evaluation::Flag {
        set: Some(key("shop")),
        ..reader("checkout", "staff")
    };
    service.trial.write(shop).await;
    let snapshot = service.snapshot(Some("shop"));
    assert_eq!(serves(&snapshot, "checkout", "ada").as_deref(), Some("new"));
    assert!(snapshot.index().get(EntryKind::Segment, "beta").is_none());
    assert!(service.snapshot(None).index().get(EntryKind::Segment, "beta").is_some());
}
