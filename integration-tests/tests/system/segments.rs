//! Segments of many members: written in parts, evaluated at the agent, changed by one, and not taken from who reads them.

use integration_tests::{
    conditions::{in_segment, rule},
    evaluator::Evaluator,
    flags,
    operator::Operator,
    records::{create_segment, members},
    system::{PRODUCTION, System},
    violations, wait,
};
use proto::v1::{self, segments_client::SegmentsClient};
use tonic::Status;

/// Units of one message: with 4 MiB a message holds far more.
const PART: u32 = 25_000;
/// Every so many units one is asked about.
const STRIDE: usize = 997;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_members_are_right_at_the_agent_and_one_more_is_a_change_of_its_own() {
    let system = System::start().await;
    let operator = &system.operator;
    let agent = system.agent("agent").await;
    create_segment(operator, segment("beta")).await;
    operator.create(reading("checkout", "beta")).await;
    add(operator, "beta", 0..100_000).await;
    operator.delivered(1).await;
    let door = agent.evaluator();
    for unit in (0..100_000).step_by(STRIDE).chain([99_999]) {
        assert!(is_in(&door, "checkout", &member(unit)).await, "{unit}");
    }
    for stranger in ["member-100000", "member-", "member-00", "MEMBER-1", " member-1", "ann"] {
        assert!(!is_in(&door, "checkout", stranger).await, "{stranger:?}");
    }

    let sent = "tidegate_transfers_sent_total{form=\"delta\"}";
    let before = system.control_plane.metric(sent).await;
    let whole = system
        .control_plane
        .metric("tidegate_transfers_sent_total{form=\"snapshot\"}")
        .await;
    let added = move_units(operator, "beta", v1::MemberList::Included, true, vec!["ann".to_owned()]).await;
    assert_eq!(added.unwrap(), (100_001, 1));
    wait::until("ann to be in", async || {
        wait::so(is_in(&door, "checkout", "ann").await, "she is out")
    })
    .await;
    operator.delivered(1).await;
    assert_eq!(system.control_plane.metric(sent).await, before + 1.0, "one delta");
    let whole_now = system
        .control_plane
        .metric("tidegate_transfers_sent_total{form=\"snapshot\"}")
        .await;
    assert_eq!(whole_now, whole, "and nothing whole");

    // Out of the one list is on the other: nobody is on both.
    let excluded = move_units(operator, "beta", v1::MemberList::Excluded, true, vec!["ann".to_owned()]).await;
    assert_eq!(excluded.unwrap(), (100_000, 1));
    wait::until("ann to be out again", async || {
        wait::so(!is_in(&door, "checkout", "ann").await, "she is in")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_read_cannot_be_deleted_and_one_that_is_not_can() {
    let system = System::start().await;
    let operator = &system.operator;
    create_segment(operator, segment("beta")).await;
    let outer = v1::Segment {
        groups: vec![v1::ConditionGroup {
            conditions: vec![in_segment("beta")],
        }],
        ..segment("outer")
    };
    create_segment(operator, outer).await;
    operator.create(reading("checkout", "outer")).await;
    for (key, reader) in [("outer", "checkout"), ("beta", "outer")] {
        let refused = try_delete(operator, key).await.unwrap_err();
        violations::stands_against(key, &refused, "REFERENCED", &format!("segment {key}"));
        assert!(refused.message().contains(reader), "{refused}");
    }
    operator.update(flags::boolean("checkout")).await;
    for key in ["outer", "beta"] {
        try_delete(operator, key).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_thousand_members_come_in_parts_and_survive_a_crash_of_both_sides() {
    let mut system = System::start().await;
    let operator = system.operator.clone();
    let mut agent = system.agent("agent").await;
    create_segment(&operator, segment("everyone")).await;
    operator.create(reading("checkout", "everyone")).await;
    add(&operator, "everyone", 0..300_000).await;
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    let listed = members(&operator, "everyone").await;
    assert_eq!(listed.len(), 300_000);
    assert!((0..300_000).step_by(STRIDE).all(|unit| listed.contains(&member(unit))));
    operator.delivered(1).await;

    system.control_plane.kill_9().await;
    agent.kill_9().await;
    agent.restart();
    agent.ready().await;
    let door = agent.evaluator();
    for unit in (0..300_000).step_by(STRIDE * 7).chain([299_999]) {
        assert!(is_in(&door, "checkout", &member(unit)).await, "{unit}, from disk");
    }
    assert!(!is_in(&door, "checkout", "member-300000").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_edit_one_list_at_once_lose_nothing() {
    let system = System::start().await;
    let operator = &system.operator;
    create_segment(operator, segment("beta")).await;
    add(operator, "beta", 0..100).await;
    let adding = async |from: u32| {
        for unit in from..from + 20 {
            let added = move_units(
                operator,
                "beta",
                v1::MemberList::Included,
                true,
                vec![member(unit as usize)],
            )
            .await;
            assert_eq!(added.unwrap().1, 1);
        }
    };
    let removing = async || {
        for unit in 0..20 {
            let removed = move_units(operator, "beta", v1::MemberList::Included, false, vec![member(unit)]).await;
            assert_eq!(removed.unwrap().1, 1);
        }
    };
    tokio::join!(adding(1_000), adding(2_000), removing());
    let expected = (20..100).chain(1_000..1_020).chain(2_000..2_020).map(member).collect();
    assert_eq!(members(operator, "beta").await, expected);
}

fn segment(key: &str) -> v1::Segment {
    v1::Segment {
        key: key.to_owned(),
        ..v1::Segment::default()
    }
}

/// A flag that serves `on` to a segment and `off` to everybody else.
fn reading(key: &str, segment: &str) -> v1::Flag {
    v1::Flag {
        rules: vec![rule("members", &[in_segment(segment)], flags::variant("on"))],
        ..flags::boolean(key)
    }
}

fn member(number: usize) -> String {
    format!("member-{number}")
}

/// Adds members in parts, as one message would not hold them all.
async fn add(operator: &Operator, segment: &str, numbers: std::ops::Range<u32>) {
    let end = numbers.end;
    for from in numbers.step_by(PART as usize) {
        let to = (from + PART).min(end);
        let units = (from..to).map(|number| member(number as usize)).collect();
        let (included, added) = move_units(operator, segment, v1::MemberList::Included, true, units)
            .await
            .unwrap();
        assert_eq!((included, added), (to, to - from));
    }
}

/// Moves units onto a list or off it: how many are included now, and how many were moved.
async fn move_units(
    operator: &Operator,
    segment: &str,
    list: v1::MemberList,
    onto: bool,
    units: Vec<String>,
) -> Result<(u32, u32), Status> {
    let (environment, key, list) = (PRODUCTION.to_owned(), segment.to_owned(), list.into());
    let mut segments = SegmentsClient::new(operator.channel());
    let (segment, moved) = if onto {
        let request = v1::AddSegmentMembersRequest {
            environment,
            key,
            list,
            units,
        };
        let response = segments.add_segment_members(request).await?.into_inner();
        (response.segment, response.added)
    } else {
        let request = v1::RemoveSegmentMembersRequest {
            environment,
            key,
            list,
            units,
        };
        let response = segments.remove_segment_members(request).await?.into_inner();
        (response.segment, response.removed)
    };
    Ok((segment.unwrap().included_count, moved))
}

async fn try_delete(operator: &Operator, key: &str) -> Result<(), Status> {
    let request = v1::DeleteSegmentRequest {
        environment: PRODUCTION.to_owned(),
        key: key.to_owned(),
        expected_revision: 0,
    };
    let deleted = SegmentsClient::new(operator.channel()).delete_segment(request).await;
    deleted.map(|_| ())
}

async fn is_in(door: &Evaluator, flag: &str, unit: &str) -> bool {
    let answer = door.boolean(flag, unit).await;
    let answer = answer.unwrap_or_else(|status| panic!("{unit}: {status}"));
    answer.value == Some(true)
}
