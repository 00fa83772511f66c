//! Wrong requests that are not about a flag's document: segments, what stands beside a document, old revisions, contexts.
//!
//! As with flags, every violation is named at once by its path, and nothing is written. Flags are in `inputs.rs`.

use integration_tests::{
    conditions::{condition, in_segment, serves},
    flags,
    operator::Operator,
    system::PRODUCTION,
    violations,
};
use proto::v1::{
    self, environments_client::EnvironmentsClient, flags_client::FlagsClient, inspection_client::InspectionClient,
    schedules_client::SchedulesClient, segments_client::SegmentsClient,
};
use serde_json::json;
use tonic::Code;

use crate::inputs::{PRESENT, date, filled, mask, segment, try_apply_documents};

#[tokio::test(flavor = "multi_thread")]
async fn segments_that_are_wrong_are_refused_with_every_field_named() {
    let system = filled().await;
    let operator = &system.operator;
    let (_, before) = operator.list().await;
    let group = |conditions: Vec<v1::Condition>| v1::ConditionGroup { conditions };
    let everything = v1::Segment {
        key: "no key!".to_owned(),
        owner: "x".repeat(201),
        included: vec!["ann".to_owned(), String::new()],
        excluded: vec!["bob".to_owned(), "ann".to_owned()],
        groups: vec![
            group(Vec::new()),
            group(vec![
                condition("a", date("never")),
                in_segment("gamma"),
                serves("other", "blue"),
            ]),
        ],
        ..v1::Segment::default()
    };
    let request = v1::CreateSegmentRequest {
        environment: PRODUCTION.to_owned(),
        segment: Some(everything),
        validate_only: false,
    };
    let mut segments = SegmentsClient::new(operator.channel());
    let refused = segments.create_segment(request).await.unwrap_err();
    let fields = [
        "segment.key",
        "segment.owner",
        "segment.included[1]",
        "segment.excluded[1]",
        "segment.groups[0].conditions",
        "segment.groups[1].conditions[0].date",
        "segment.groups[1].conditions[1].in_segment[0]",
        "segment.groups[1].conditions[2].variant.variants[0]",
    ];
    violations::names_exactly("everything", &refused, &fields);

    let itself = v1::UpdateSegmentRequest {
        environment: PRODUCTION.to_owned(),
        segment: Some(v1::Segment {
            groups: vec![group(vec![in_segment("beta")])],
            ..segment("beta")
        }),
        ..v1::UpdateSegmentRequest::default()
    };
    let refused = segments.update_segment(itself).await.unwrap_err();
    violations::names_exactly("itself", &refused, &["segment.groups[0].conditions[0].in_segment[0]"]);
    let masked = v1::UpdateSegmentRequest {
        environment: PRODUCTION.to_owned(),
        segment: Some(segment("beta")),
        update_mask: Some(mask(&["owner", "luck", "groups[0]"])),
        ..v1::UpdateSegmentRequest::default()
    };
    let refused = segments.update_segment(masked).await.unwrap_err();
    violations::names_exactly("a mask", &refused, &["update_mask.paths[1]", "update_mask.paths[2]"]);
    let units = v1::AddSegmentMembersRequest {
        environment: PRODUCTION.to_owned(),
        key: "beta".to_owned(),
        list: 0,
        units: vec!["ann".to_owned(), String::new(), "x".repeat(1_025)],
    };
    let refused = segments.add_segment_members(units).await.unwrap_err();
    violations::names_exactly("units", &refused, &["units[1]", "units[2]"]);
    assert_eq!(operator.list().await.1, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_says_beside_its_document_is_checked_as_well() {
    let system = filled().await;
    let operator = &system.operator;
    let (_, before) = operator.list().await;
    let mut flags_client = FlagsClient::new(operator.channel());
    let update = |paths: &[&str]| v1::UpdateFlagRequest {
        environment: PRODUCTION.to_owned(),
        flag: Some(flags::boolean(PRESENT)),
        update_mask: Some(mask(paths)),
        ..v1::UpdateFlagRequest::default()
    };
    let masked = flags_client
        .update_flag(update(&["owner", "luck", "killed", "rules[0].name", "type"]))
        .await
        .unwrap_err();
    let paths = [
        "update_mask.paths[1]",
        "update_mask.paths[2]",
        "update_mask.paths[3]",
        "update_mask.paths[4]",
    ];
    violations::names_exactly("a mask", &masked, &paths);
    let retyped = operator
        .try_update(flags::text(PRESENT, &["a", "b"]), 0)
        .await
        .unwrap_err();
    violations::names_exactly("another type", &retyped, &["flag.type"]);

    for (what, page_size, page_token, field) in [
        ("1,001 of a page", 1_001, "", "page_size"),
        ("a token of nobody", 0, "luck", "page_token"),
    ] {
        let request = v1::ListFlagsRequest {
            environment: PRODUCTION.to_owned(),
            page_size,
            page_token: page_token.to_owned(),
            ..v1::ListFlagsRequest::default()
        };
        let refused = flags_client.list_flags(request).await.unwrap_err();
        violations::names_exactly(what, &refused, &[field]);
    }
    applies_are_checked(operator).await;
    schedules_are_checked(operator).await;
    environments_are_checked(operator).await;
    assert_eq!(operator.list().await.1, before);
}

async fn applies_are_checked(operator: &Operator) {
    use v1::document::Kind;
    let flag = |key: &str| Kind::Flag(flags::boolean(key));
    let named = |kind: v1::DocumentKind, key: &str| {
        Kind::Deleted(v1::DocumentName {
            kind: kind.into(),
            key: key.to_owned(),
        })
    };
    let twice = vec![flag("a"), flag("b"), flag("a")];
    let twice = try_apply_documents(operator, twice, "").await.unwrap_err();
    assert_eq!(twice.code(), Code::InvalidArgument, "{twice}");
    assert!(
        violations::fields(&twice)
            .iter()
            .all(|field| field.starts_with("documents[2]")),
        "{twice}"
    );
    let many = (0..51).map(|number| flag(&format!("flag-{number}"))).collect();
    let many = try_apply_documents(operator, many, "").await.unwrap_err();
    violations::names_exactly("51 documents", &many, &["documents"]);
    let luck = try_apply_documents(operator, vec![flag("a")], "luck")
        .await
        .unwrap_err();
    violations::names_exactly("a changeset that is none", &luck, &["changeset"]);
    let several = vec![
        flag("no key!"),
        named(v1::DocumentKind::Unspecified, "a"),
        named(v1::DocumentKind::Flag, "no key!"),
        Kind::Segment(segment("neither!")),
    ];
    let several = try_apply_documents(operator, several, "").await.unwrap_err();
    let fields = [
        "documents[0].flag.key",
        "documents[1].deleted.kind",
        "documents[2].deleted.key",
        "documents[3].segment.key",
    ];
    violations::names_exactly("each of several", &several, &fields);
}

async fn schedules_are_checked(operator: &Operator) {
    let patch = |paths: &[&str]| {
        Some(v1::scheduled_change::Kind::Patch(v1::FlagPatch {
            flag: Some(v1::Flag {
                default_serve: Some(flags::variant("blue")),
                ..v1::Flag::default()
            }),
            update_mask: Some(mask(paths)),
        }))
    };
    for (what, flag, at_us, kind, fields) in [
        (
            "long ago, never and nothing",
            PRESENT,
            1,
            None,
            &["schedule.at_us", "schedule.change"][..],
        ),
        (
            "too far ahead",
            PRESENT,
            i64::MAX,
            Some(v1::scheduled_change::Kind::Enabled(true)),
            &["schedule.at_us"],
        ),
        (
            "no field",
            PRESENT,
            1 << 60,
            patch(&[]),
            &["schedule.at_us", "schedule.change.patch.update_mask"],
        ),
        (
            "a field that is none",
            PRESENT,
            1 << 60,
            patch(&["luck"]),
            &["schedule.at_us", "schedule.change.patch.update_mask.paths[0]"],
        ),
        ("a malformed key", "no key!", 1, None, &["schedule.flag"]),
    ] {
        let schedule = v1::Schedule {
            environment: PRODUCTION.to_owned(),
            flag: flag.to_owned(),
            at_us,
            change: Some(v1::ScheduledChange { kind }),
            ..v1::Schedule::default()
        };
        let request = v1::CreateScheduleRequest {
            schedule: Some(schedule),
        };
        let refused = SchedulesClient::new(operator.channel())
            .create_schedule(request)
            .await
            .unwrap_err();
        violations::names_exactly(what, &refused, fields);
    }
}

async fn environments_are_checked(operator: &Operator) {
    let mut environments = EnvironmentsClient::new(operator.channel());
    let create = |environment| v1::CreateEnvironmentRequest {
        environment: Some(environment),
    };
    let wrong = v1::Environment {
        key: "no key!".to_owned(),
        description: "x".repeat(4_097),
        ..v1::Environment::default()
    };
    let refused = environments.create_environment(create(wrong)).await.unwrap_err();
    violations::names_exactly(
        "everything",
        &refused,
        &["environment.key", "environment.kind", "environment.description"],
    );
    let good = |key: &str, order| v1::Environment {
        key: key.to_owned(),
        kind: v1::EnvironmentKind::Staging.into(),
        order,
        ..v1::Environment::default()
    };
    let taken = environments
        .create_environment(create(good("another", 1)))
        .await
        .unwrap_err();
    violations::names_exactly("a place that is taken", &taken, &["environment.order"]);
    let there = environments
        .create_environment(create(good(PRODUCTION, 0)))
        .await
        .unwrap_err();
    assert_eq!(there.code(), Code::AlreadyExists, "{there}");
    let request = v1::DeleteEnvironmentRequest {
        key: PRODUCTION.to_owned(),
        expected_revision: 0,
    };
    let full = environments.delete_environment(request).await.unwrap_err();
    assert_eq!(full.code(), Code::FailedPrecondition, "it has flags: {full}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_that_was_based_on_an_old_revision_is_refused_and_names_the_current_one() {
    let system = filled().await;
    let operator = &system.operator;
    let old = operator.get(PRESENT).await.revision;
    let edited = v1::Flag {
        owner: "ann".to_owned(),
        ..flags::boolean(PRESENT)
    };
    let current = operator.update(edited).await.revision;
    let (environment, key) = (PRODUCTION.to_owned(), PRESENT.to_owned());
    let mut client = FlagsClient::new(operator.channel());
    let mut refusals = Vec::new();
    macro_rules! act {
        ($call:ident, $request:ident) => {{
            let request = v1::$request {
                environment: environment.clone(),
                key: key.clone(),
                expected_revision: old,
            };
            refusals.push((stringify!($call), client.$call(request).await.unwrap_err()));
        }};
    }
    act!(kill_flag, KillFlagRequest);
    act!(revive_flag, ReviveFlagRequest);
    act!(archive_flag, ArchiveFlagRequest);
    act!(unarchive_flag, UnarchiveFlagRequest);
    act!(delete_flag, DeleteFlagRequest);
    refusals.push((
        "update_flag",
        operator.try_update(flags::boolean(PRESENT), old).await.unwrap_err(),
    ));
    for (call, refused) in refusals {
        violations::stands_against(call, &refused, "REVISION", PRESENT);
        assert!(refused.message().contains(&current.to_string()), "{call}: {refused}");
    }
    let stored = operator.get(PRESENT).await;
    assert_eq!((stored.revision, stored.flag.unwrap().owner.as_str()), (current, "ann"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_out_of_bounds_is_refused_before_anything_is_evaluated() {
    let system = filled().await;
    let mut inspection = InspectionClient::new(system.operator.channel());
    let mut evaluate = async |context: prost_types::Struct| {
        let request = v1::EvaluateRequest {
            environment: PRODUCTION.to_owned(),
            flag_key: PRESENT.to_owned(),
            context: Some(context),
            revision: 0,
        };
        inspection.evaluate(request).await.map(|_| ())
    };
    let fields = |value| integration_tests::json::fields(&value);
    let large = evaluate(fields(json!({ "it": "x".repeat(1_000_001) })))
        .await
        .unwrap_err();
    violations::names_exactly("more than 1 MB", &large, &["context"]);
    evaluate(fields(json!({ "it": "x".repeat(900_000) }))).await.unwrap();
}
