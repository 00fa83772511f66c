#![allow(clippy::unwrap_used)]

use axum::body::{Body, to_bytes};
use evaluation::{Buckets, Flag, Key, Prerequisite, RolloutStep, Serve, Value, WhenStale};
use futures::StreamExt as _;
use proto::Token;
use tower::ServiceExt as _;

use super::*;
use crate::{
    samples::{
        Contents, TOKEN_KEY, boolean, evaluator, for_staff, measurement, object, split_to_on, stale_evaluator, step,
        text, valued,
    },
    snapshot::Holder,
};

const ALL: &str = "/ofrep/v1/evaluate/flags";

/// The door over some contents.
struct Door {
    evaluator: Arc<Evaluator>,
    router: Router,
    shutdown: Shutdown,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Door {
    fn over(evaluator: Evaluator) -> Self {
        Self::for_pages(evaluator, Pages::default())
    }

    fn for_pages(evaluator: Evaluator, pages: Pages) -> Self {
        let (evaluator, shutdown) = (Arc::new(evaluator), Shutdown::new());
        let router = router(Arc::clone(&evaluator), pages, shutdown.clone());
        Self {
            evaluator,
            router,
            shutdown,
        }
    }

    fn of(contents: &Contents) -> Self {
        Self::over(evaluator(&contents.held(1)))
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(path), |request, (name, value)| {
                request.header(*name, *value)
            });
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }

    async fn post(&self, path: &str, body: &'static str) -> (u16, String) {
        let reply = self.send("POST", path, &[], body).await;
        if reply.status != 304 {
            assert_eq!(reply.headers["content-type"], "application/json");
            serde_json::from_str::<serde_json::Value>(&reply.body).unwrap();
        }
        (reply.status, reply.body)
    }

    async fn flag(&self, key: &str, body: &'static str) -> (u16, String) {
        self.post(&format!("{ALL}/{key}"), body).await
    }

    /// Exposures counted so far; to be asked once.
    fn exposures(&self) -> u64 {
        let drained = self
            .evaluator
            .counters
            .drain(&measurement(), self.evaluator.clock.tick());
        let cells = drained.slices.iter().flat_map(|slice| slice.cells.values());
        cells.map(|counts| counts.exposures).sum()
    }
}

fn ok(json: &str) -> (u16, String) {
    (200, json.to_owned())
}

const NOBODY: &str = "";
const ADA: &str = r#"{"context":{"targetingKey":"ada"}}"#;
const STAFF: &str = r#"{"context":{"staff":true}}"#;

#[tokio::test]
async fn each_type_has_its_own_form() {
    for (flag, value) in [
        (boolean("f"), r#"true,"variant":"on""#),
        (text("f"), r#""text a","variant":"a""#),
        (
            valued("f", Value::String("\"\u{1}é".into())),
            r#""\"\u0001é","variant":"only""#,
        ),
        (valued("f", Value::Integer(10)), r#"10,"variant":"only""#),
        (
            valued("f", Value::Integer(i64::MIN)),
            r#"-9223372036854775808,"variant":"only""#,
        ),
        (valued("f", Value::Float(10.0)), r#"10.0,"variant":"only""#),
        (valued("f", Value::Float(0.5)), r#"0.5,"variant":"only""#),
        (
            valued("f", object()),
            r#"{"half":0.5,"list":[null,"x"],"n":10},"variant":"only""#,
        ),
    ] {
        let expected = format!(r#"{{"key":"f","reason":"STATIC","value":{value},"metadata":{{}}}}"#);
        let door = Door::of(&Contents::production().flag(&flag));
        assert_eq!(door.flag("f", NOBODY).await, ok(&expected));
    }
}

#[tokio::test]
async fn each_decision_has_its_reason() {
    let rule = |serve| Flag {
        rules: vec![for_staff(serve)],
        ..boolean("f")
    };
    let disabled = Flag {
        enabled: false,
        ..boolean("f")
    };
    let off = |flag| Flag {
        off_variant: Some("off".into()),
        ..flag
    };
    let served = |default| Flag {
        default,
        ..boolean("f")
    };
    for (flag, body, said) in [
        (
            rule(Serve::Variant("off".into())),
            STAFF,
            r#""TARGETING_MATCH","value":false,"variant":"off""#,
        ),
        (
            rule(Serve::Variant("off".into())),
            NOBODY,
            r#""DEFAULT","value":true,"variant":"on""#,
        ),
        (rule(Serve::CallerDefault), STAFF, r#""DEFAULT","variant":"""#),
        (served(split_to_on()), ADA, r#""SPLIT","value":true,"variant":"on""#),
        (served(Serve::CallerDefault), NOBODY, r#""DEFAULT","variant":"""#),
        (disabled.clone(), NOBODY, r#""DISABLED","variant":"""#),
        (off(disabled), NOBODY, r#""DISABLED","value":false,"variant":"off""#),
    ] {
        let expected = format!(r#"{{"key":"f","reason":{said},"metadata":{{}}}}"#);
        let door = Door::of(&Contents::production().flag(&flag));
        assert_eq!(door.flag("f", body).await, ok(&expected), "{flag:?}");
    }
}

#[tokio::test]
async fn a_split_without_a_targeting_key_is_an_error_of_its_own() {
    let split = Flag {
        default: split_to_on(),
        ..boolean("f")
    };
    let door = Door::of(&Contents::production().flag(&split));
    let (status, body) = door.flag("f", NOBODY).await;
    let expected = concat!(
        r#"{"key":"f","errorCode":"TARGETING_KEY_MISSING","errorDetails":"the context has no targeting key or other "#,
        r#"attribute that the flag splits by","metadata":{"tidegate.error":"TARGETING_KEY_MISSING"}}"#
    );
    assert_eq!((status, body.as_str()), (400, expected));
    let (status, body) = door.post(ALL, NOBODY).await;
    assert_eq!(
        (status, body),
        ok(&format!(r#"{{"flags":[{expected}],"metadata":{{}}}}"#))
    );
}

#[tokio::test]
async fn metadata_says_what_a_reason_cannot() {
    let waiting = Flag {
        prerequisites: vec![Prerequisite {
            flag: "other".into(),
            variants: vec!["off".into()],
        }],
        off_variant: Some("off".into()),
        set: Some(Key::parse("one").unwrap()),
        ..boolean("f")
    };
    let door = Door::of(&Contents::production().flag(&waiting).flag(&boolean("other")));
    let selector = [("Flagd-Selector", "flagSetId=one")];
    let flag = concat!(
        r#"{"key":"f","reason":"TARGETING_MATCH","value":false,"variant":"off","#,
        r#""metadata":{"flagSetId":"one","tidegate.prerequisite":"other"}}"#
    );
    let reply = door.send("POST", &format!("{ALL}/f"), &selector, "").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, flag));
    let reply = door.send("POST", ALL, &selector, "").await;
    assert_eq!(
        reply.body,
        format!(r#"{{"flags":[{flag}],"metadata":{{"flagSetId":"one"}}}}"#)
    );
}

#[tokio::test]
async fn a_selector_restricts_what_is_found() {
    let of = |key: &str, set: &str| Flag {
        set: Some(Key::parse(set).unwrap()),
        ..boolean(key)
    };
    let door = Door::of(&Contents::production().flag(&of("a", "one")).flag(&boolean("b")));
    for (selector, key, status) in [
        ("", "a", 200),
        ("flagSetId=one", "a", 200),
        ("flagSetId=", "b", 200),
        ("flagSetId=one", "b", 404),
        ("source=x", "a", 404),
        ("x", "a", 404),
        ("set=one", "a", 400),
    ] {
        let headers = [("flagd-selector", selector)];
        let reply = door.send("POST", &format!("{ALL}/{key}"), &headers, "").await;
        assert_eq!(reply.status, status, "{selector}: {}", reply.body);
    }
    let wrong = [("flagd-selector", "set=one")];
    let details =
        r#""errorDetails":"invalid selector: invalid selector key \"set\", valid keys: \"flagSetId\", \"source\"""#;
    let expected = format!(r#"{{"errorCode":"GENERAL",{details},"metadata":{{}}}}"#);
    assert_eq!(door.send("POST", ALL, &wrong, "").await.body, expected);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let door = Door::of(&Contents::production().flag(&boolean("f")));
    let (status, body) = door.flag("nowhere", NOBODY).await;
    let expected = concat!(
        r#"{"key":"nowhere","errorCode":"FLAG_NOT_FOUND","#,
        r#""errorDetails":"flag `nowhere` does not exist","metadata":{}}"#
    );
    assert_eq!((status, body.as_str()), (404, expected));
    for path in [format!("{ALL}/f"), ALL.to_owned(), format!("{ALL}/")] {
        for (body, code, details) in [
            (
                "{",
                "PARSE_ERROR",
                "Error parsing input or configuration: the body is not JSON: EOF",
            ),
            (
                r#"{"context":7}"#,
                "INVALID_CONTEXT",
                "Provider context is not valid: invalid type: integer `7`",
            ),
            (
                "[]",
                "INVALID_CONTEXT",
                "Provider context is not valid: invalid type: sequence",
            ),
        ] {
            let (status, answer) = door.post(&path, body).await;
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert_eq!((status, answer["errorCode"].as_str()), (400, Some(code)), "{answer}");
            assert!(
                answer["errorDetails"].as_str().unwrap().starts_with(details),
                "{answer}"
            );
        }
        assert_eq!(door.send("GET", &path, &[], "").await.status, 405);
    }
    assert_eq!(door.flag("a%20%C3%A9", NOBODY).await.0, 404);
    assert_eq!(door.flag("%FF", NOBODY).await.0, 400);
    assert_eq!(door.post("/elsewhere", NOBODY).await.0, 404);
}

#[tokio::test]
async fn a_body_beyond_a_megabyte_is_refused_before_it_is_parsed() {
    let door = Door::of(&Contents::production().flag(&boolean("f")));
    let body = |bytes: usize| format!(r#"{{"context":{{"a":"{}"}}}}"#, "x".repeat(bytes));
    for path in [format!("{ALL}/f"), ALL.to_owned()] {
        assert_eq!(door.send("POST", &path, &[], body(900_000)).await.status, 200);
        let reply = door.send("POST", &path, &[], body(1_000_000)).await;
        assert_eq!(reply.status, 413);
        assert_eq!(
            reply.body,
            r#"{"errorDetails":"request body too large: it may have at most 1000000 bytes"}"#
        );
        let announced = [("content-length", "99999999999")];
        assert_eq!(door.send("POST", &path, &announced, "").await.status, 413);
    }
}

#[tokio::test]
async fn without_a_snapshot_no_flag_is_said_to_be_missing() {
    let door = Door::over(evaluator(&Holder::new(false)));
    for path in [format!("{ALL}/f"), ALL.to_owned()] {
        let reply = door.send("POST", &path, &[], "").await;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.headers["retry-after"], "1");
        assert!(reply.body.contains("no snapshot"), "{}", reply.body);
    }
}

#[tokio::test]
async fn all_flags_come_in_key_order() {
    let contents = Contents::production()
        .flag(&text("b"))
        .flag(&boolean("c"))
        .flag(&valued("a", Value::Integer(1)));
    let door = Door::of(&contents);
    let expected = concat!(
        r#"{"flags":[{"key":"a","reason":"STATIC","value":1,"variant":"only","metadata":{}},"#,
        r#"{"key":"b","reason":"STATIC","value":"text a","variant":"a","metadata":{}},"#,
        r#"{"key":"c","reason":"STATIC","value":true,"variant":"on","metadata":{}}],"metadata":{}}"#
    );
    assert_eq!(door.post(ALL, NOBODY).await, ok(expected));
    assert_eq!(door.post("/ofrep/v1/evaluate/flags/", ADA).await, ok(expected));
    let none = Door::of(&Contents::production());
    assert_eq!(none.post(ALL, NOBODY).await, ok(r#"{"flags":[],"metadata":{}}"#));
}

#[tokio::test]
async fn a_caller_who_has_the_answer_is_told_so_until_it_can_change() {
    let contents = Contents::production().flag(&boolean("f"));
    let holder = contents.held(1);
    let door = Door::over(evaluator(&holder));
    let ask = async |body: &'static str, headers: &[(&str, &str)]| {
        let reply = door.send("POST", ALL, headers, body).await;
        (
            reply.status,
            reply.headers["etag"].to_str().unwrap().to_owned(),
            reply.body,
        )
    };
    let (status, etag, _) = ask(ADA, &[]).await;
    assert_eq!(status, 200);
    let known = [("if-none-match", etag.as_str())];
    assert_eq!(ask(ADA, &known).await, (304, etag.clone(), String::new()));
    assert_eq!(ask(STAFF, &known).await.0, 200, "another context");
    let (status, other, _) = ask(ADA, &[known[0], ("flagd-selector", "flagSetId=")]).await;
    assert!(status == 200 && other != etag, "another selector");
    contents.flag(&boolean("g")).install(&holder, 2);
    assert_eq!(ask(ADA, &known).await.0, 200, "another revision");
    let stale = Door::over(stale_evaluator(&Contents::production().flag(&boolean("f")).held(1)));
    assert_eq!(stale.send("POST", ALL, &known, ADA).await.status, 200, "stale by now");
    assert_eq!(door.send("POST", ALL, &known, "{").await.status, 400);
}

#[tokio::test]
async fn a_single_answer_counts_its_exposure_and_a_bulk_answer_none() {
    let door = Door::of(&Contents::production().rollout(Buckets::ALL));
    let token = |metadata: &serde_json::Value| {
        assert_eq!(
            (&metadata["tidegate.stage"], &metadata["tidegate.arm"]),
            (&0.into(), &"treatment".into())
        );
        assert_eq!(metadata["version"], "r7.0.0");
        Token::from_text(metadata["tidegate.token"].as_str().unwrap(), TOKEN_KEY).unwrap()
    };
    let bulk = door.post(ALL, ADA).await.1;
    let bulk: serde_json::Value = serde_json::from_str(&bulk).unwrap();
    assert_eq!(token(&bulk["flags"][0]["metadata"]).tick, 0);
    let single = door.flag("checkout", ADA).await.1;
    let single: serde_json::Value = serde_json::from_str(&single).unwrap();
    assert_eq!(single["reason"], "SPLIT");
    assert!(token(&single["metadata"]).tick > 0);
    assert_eq!(door.exposures(), 1);
}

#[tokio::test]
async fn a_rollout_in_shadow_says_so_in_single_and_bulk_answers() {
    let shadow = RolloutStep {
        shadow: true,
        ..step(Buckets::ALL)
    };
    let door = Door::of(&Contents::production().rollout_for_some(&shadow));
    let bulk: serde_json::Value = serde_json::from_str(&door.post(ALL, ADA).await.1).unwrap();
    let single: serde_json::Value = serde_json::from_str(&door.flag("checkout", ADA).await.1).unwrap();
    for answer in [&bulk["flags"][0], &single] {
        assert_eq!((&answer["value"], &answer["reason"]), (&false.into(), &"SPLIT".into()));
        let metadata = &answer["metadata"];
        assert_eq!(
            (&metadata["tidegate.shadow"], &metadata["tidegate.arm"]),
            (&true.into(), &"treatment".into())
        );
    }
}

#[tokio::test]
async fn a_long_silence_of_the_control_plane_is_said_and_changes_what_falls_back_only() {
    let falling_back = Flag {
        when_stale: WhenStale::Variant("off".into()),
        ..boolean("b")
    };
    let contents = Contents::production().flag(&boolean("a")).flag(&falling_back);
    let door = Door::over(stale_evaluator(&contents.held(1)));
    let expected = concat!(
        r#"{"flags":[{"key":"a","reason":"STATIC","value":true,"variant":"on","metadata":{"tidegate.stale_s":0}},"#,
        r#"{"key":"b","reason":"DEFAULT","value":false,"variant":"off","metadata":{"tidegate.stale_s":0}}],"#,
        r#""metadata":{"tidegate.stale_s":0}}"#
    );
    assert_eq!(door.post(ALL, NOBODY).await, ok(expected));
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask_and_see_the_etag() {
    let pages = Pages {
        origins: Origins::parse("https://app.example.com").unwrap(),
        events: false,
    };
    let door = Door::for_pages(evaluator(&Contents::production().flag(&boolean("f")).held(1)), pages);
    let page = ("origin", "https://app.example.com");
    let beforehand = [
        page,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,if-none-match,x-mine"),
    ];
    let reply = door.send("OPTIONS", ALL, &beforehand, "").await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", page.1),
        ("access-control-allow-methods", "GET, POST"),
        ("access-control-allow-headers", "content-type,if-none-match,x-mine"),
        ("vary", "origin"),
    ] {
        assert_eq!(reply.headers[name], value);
    }
    let reply = door.send("POST", ALL, &[page], "").await;
    assert_eq!(
        (reply.status, &reply.headers["access-control-allow-origin"]),
        (200, &page.1.parse().unwrap())
    );
    assert!(
        reply.headers["access-control-expose-headers"]
            .to_str()
            .unwrap()
            .contains("etag")
    );

    let reply = door
        .send("POST", ALL, &[("origin", "https://evil.example.com")], "")
        .await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    let closed = Door::of(&Contents::production());
    assert_eq!(closed.send("OPTIONS", ALL, &beforehand, "").await.status, 405);
}

#[tokio::test]
async fn web_clients_are_told_where_changes_are_streamed_and_when_to_ask_again() {
    let of_set = |key: &str| Flag {
        set: Some(Key::parse("one").unwrap()),
        ..boolean(key)
    };
    let contents = Contents::production().flag(&of_set("a"));
    let holder = contents.held(1);
    let pages = Pages {
        origins: Origins::None,
        events: true,
    };
    let door = Door::for_pages(evaluator(&holder), pages);
    let reply = door.send("POST", ALL, &[("flagd-selector", "flagSetId=one")], "").await;
    let reply: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let streams = serde_json::json!([{"type": "sse", "endpoint": {"requestUri": "/ofrep/v1/events?flagSetId=one"}}]);
    assert_eq!(reply["eventStreams"], streams);

    let path = reply["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let response = door.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    assert_eq!(events.next().await.unwrap().unwrap(), "retry: 2000\n\n");
    let other_set = contents.flag(&boolean("b"));
    other_set.install(&holder, 2);
    other_set.flag(&of_set("c")).flag(&of_set("d")).install(&holder, 3);
    let message = "id: 3\nevent: message\ndata: {\"type\":\"refetchEvaluation\"}\n\n";
    assert_eq!(events.next().await.unwrap().unwrap(), message);
    door.shutdown.drain();
    assert!(events.next().await.is_none());
}
