//! Segments and their members: created, filled from files in parts, listed, deleted.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake, State};

fn stored(segment: &v1::Segment, revision: u64) -> v1::StoredSegment {
    v1::StoredSegment {
        included_count: segment.included.len() as u32,
        excluded_count: segment.excluded.len() as u32,
        segment: Some(v1::Segment {
            included: Vec::new(),
            excluded: Vec::new(),
            ..segment.clone()
        }),
        revision,
        version: 1,
        ..Default::default()
    }
}

fn list(segment: &mut v1::Segment, list: i32) -> &mut Vec<String> {
    match v1::MemberList::try_from(list).unwrap() {
        v1::MemberList::Excluded => &mut segment.excluded,
        v1::MemberList::Included | v1::MemberList::Unspecified => &mut segment.included,
    }
}

impl State {
    fn segment(&mut self, key: &str) -> Result<&mut v1::Segment, Status> {
        self.segments
            .get_mut(key)
            .ok_or_else(|| Status::not_found(format!("no segment {key} in production")))
    }
}

#[tonic::async_trait]
impl v1::segments_server::Segments for Fake {
    async fn create_segment(&self, request: Request<v1::CreateSegmentRequest>) -> Answer<v1::CreateSegmentResponse> {
        let segment = request.into_inner().segment.unwrap();
        let answer = Some(stored(&segment, 1));
        self.state().segments.insert(segment.key.clone(), segment);
        Ok(Response::new(v1::CreateSegmentResponse { segment: answer }))
    }

    async fn update_segment(&self, _: Request<v1::UpdateSegmentRequest>) -> Answer<v1::UpdateSegmentResponse> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_segment(&self, request: Request<v1::GetSegmentRequest>) -> Answer<v1::GetSegmentResponse> {
        let mut state = self.state();
        let segment = Some(stored(state.segment(&request.get_ref().key)?, 1));
        Ok(Response::new(v1::GetSegmentResponse { segment }))
    }

    async fn list_segments(&self, request: Request<v1::ListSegmentsRequest>) -> Answer<v1::ListSegmentsResponse> {
        let owner = request.into_inner().owner;
        let state = self.state();
        let all = state
            .segments
            .values()
            .filter(|one| owner.is_empty() || one.owner == owner);
        Ok(Response::new(v1::ListSegmentsResponse {
            segments: all.map(|segment| stored(segment, 1)).collect(),
            ..Default::default()
        }))
    }

    async fn delete_segment(&self, request: Request<v1::DeleteSegmentRequest>) -> Answer<v1::DeleteSegmentResponse> {
        let removed = self.state().segments.remove(&request.get_ref().key).unwrap();
        let segment = Some(stored(&removed, 1));
        Ok(Response::new(v1::DeleteSegmentResponse { segment }))
    }

    async fn add_segment_members(
        &self,
        request: Request<v1::AddSegmentMembersRequest>,
    ) -> Answer<v1::AddSegmentMembersResponse> {
        let asked = request.into_inner();
        let mut state = self.state();
        state.asked.push(asked.units.len().to_string());
        if asked.units.iter().any(|unit| unit == "poison") {
            return Err(Status::invalid_argument("units: too many"));
        }
        let segment = state.segment(&asked.key)?;
        let units = list(segment, asked.list);
        let before = units.len();
        units.extend(asked.units);
        units.sort();
        units.dedup();
        let added = (units.len() - before) as u32;
        let segment = Some(stored(segment, 2));
        Ok(Response::new(v1::AddSegmentMembersResponse { segment, added }))
    }

    async fn remove_segment_members(
        &self,
        request: Request<v1::RemoveSegmentMembersRequest>,
    ) -> Answer<v1::RemoveSegmentMembersResponse> {
        let asked = request.into_inner();
        let mut state = self.state();
        let segment = state.segment(&asked.key)?;
        let units = list(segment, asked.list);
        let before = units.len();
        units.retain(|unit| !asked.units.contains(unit));
        let removed = (before - units.len()) as u32;
        let segment = Some(stored(segment, 3));
        Ok(Response::new(v1::RemoveSegmentMembersResponse { segment, removed }))
    }

    async fn list_segment_members(
        &self,
        request: Request<v1::ListSegmentMembersRequest>,
    ) -> Answer<v1::ListSegmentMembersResponse> {
        let asked = request.into_inner();
        let mut state = self.state();
        let units = list(state.segment(&asked.key)?, asked.list).clone();
        let from: usize = asked.page_token.parse().unwrap_or(0);
        let to = (from + 7_000).min(units.len());
        Ok(Response::new(v1::ListSegmentMembersResponse {
            next_page_token: if to < units.len() {
                to.to_string()
            } else {
                String::new()
            },
            units: units[from..to].to_vec(),
            revision: 1,
        }))
    }
}

#[tokio::test]
async fn a_segment_is_created_shown_filled_and_emptied() {
    let fake = Fake::start().await;
    let line = [
        "segments",
        "create",
        "beta",
        "--owner",
        "growth",
        "--include",
        "user-1,user-2",
    ];
    let created = fake.run(&[&line[..], &["--when", "country=DE"]].concat()).await;
    assert_eq!(
        created.out, "beta: 2 included, 0 excluded (revision 1)\n",
        "{created:?}"
    );
    let added = fake.run(&["segments", "add", "beta", "user-2", "user-3"]).await;
    assert_eq!(
        added.out, "beta: 3 included, 0 excluded (revision 2): added 1 of 2 units\n",
        "{added:?}"
    );
    fake.run(&["segments", "add", "beta", "user-9", "--excluded"]).await;
    assert_eq!(fake.state().segments["beta"].excluded, ["user-9"]);
    let removed = fake.run(&["segments", "remove", "beta", "user-1"]).await;
    assert!(removed.out.ends_with("removed 1 of 1 units\n"), "{removed:?}");
    let members = fake.run(&["segments", "members", "beta"]).await;
    assert_eq!(members.out, "user-2\nuser-3\n");
    let page = fake.run(&["segments", "get", "beta"]).await;
    for part in ["growth", "country=DE", "2 included, 1 excluded"] {
        assert!(page.out.contains(part), "{page:?}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&fake.run(&["segments", "list", "-o", "json"]).await.out).unwrap();
    assert_eq!(
        (&json[0]["segment"]["key"], &json[0]["included"]),
        (&"beta".into(), &2.into())
    );
    let none = fake.run(&["segments", "list", "--owner", "nobody"]).await;
    assert_eq!(none.out, "no such segments in production\n");
}

#[tokio::test]
async fn a_long_list_is_sent_in_parts_and_read_in_pages() {
    let fake = Fake::start().await;
    fake.run(&["segments", "create", "beta"]).await;
    let lines: String = (0..25_000).map(|number| format!("user-{number:05}\n\n")).collect();
    let added = fake
        .run_with_input(&["segments", "add", "beta", "--file", "-"], &lines)
        .await;
    assert!(added.out.ends_with("added 25,000 of 25,000 units\n"), "{added:?}");
    assert_eq!(fake.state().asked, ["10000", "10000", "5000"]);
    assert_eq!(added.err, "", "no progress off a terminal");
    let members = fake.run(&["segments", "members", "beta"]).await;
    assert_eq!(members.out.lines().count(), 25_000);
    let json: Vec<String> =
        serde_json::from_str(&fake.run(&["segments", "members", "beta", "-o", "json"]).await.out).unwrap();
    assert_eq!(json.len(), 25_000);
}

#[tokio::test]
async fn a_part_that_is_refused_says_what_was_sent_before() {
    let fake = Fake::start().await;
    fake.run(&["segments", "create", "beta"]).await;
    let mut lines: String = (0..10_000).map(|number| format!("user-{number}\n")).collect();
    lines.push_str("poison\n");
    let refused = fake
        .run_with_input(&["segments", "add", "beta", "--file", "-"], &lines)
        .await;
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .err
            .contains("10000 of 10001 units were sent before; run it again to go on"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_document_makes_a_segment_and_members_too_many_for_a_message_follow_it() {
    let fake = Fake::start().await;
    let units: Vec<String> = (0..12_000).map(|number| format!("u{number}")).collect();
    let document =
        serde_json::json!({"key": "big", "included": units, "conditions": [{"attribute": "plan", "equals": "pro"}]});
    let created = fake
        .run_with_input(&["segments", "create", "-f", "-"], &document.to_string())
        .await;
    assert!(created.out.starts_with("big: 12,000 included"), "{created:?}");
    assert_eq!(fake.state().segments["big"].groups.len(), 1);
    let wrong = fake
        .run_with_input(&["segments", "create", "-f", "-"], "key: a\nmember: [x]\n")
        .await;
    assert!(wrong.code == 2 && wrong.err.contains("member"), "{wrong:?}");
}

#[tokio::test]
async fn a_segment_is_deleted_only_by_who_means_it_and_a_missing_one_names_the_nearest() {
    let fake = Fake::start().await;
    fake.run(&["segments", "create", "beta"]).await;
    let unsure = fake.run(&["segments", "delete", "beta"]).await;
    assert!(unsure.code == 2 && unsure.err.contains("add --yes"), "{unsure:?}");
    for line in [&["segments", "get", "betta"][..], &["segments", "add", "betta", "x"]] {
        let missing = fake.run(line).await;
        assert!(
            missing.code == 1 && missing.err.contains("did you mean beta?"),
            "{missing:?}"
        );
    }
    let deleted = fake.run(&["segments", "delete", "beta", "--yes"]).await;
    assert!(
        deleted.out.contains("tidegate restore beta --segment --version 1"),
        "{deleted:?}"
    );
}
