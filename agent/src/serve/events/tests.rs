#![allow(clippy::unwrap_used)]

use evaluation::{Flag, Key, Serve};
use futures::StreamExt as _;
use tonic::Code;

use super::*;
use crate::{
    samples::{Contents, boolean, evaluator, for_members, segment, text},
    serve::changes::AT_ONCE,
    snapshot::Holder,
};

/// A client's events over a holder.
fn events(
    holder: &Holder,
    selection: Selection,
    shutdown: Shutdown,
) -> std::pin::Pin<Box<impl Stream<Item = Result<Event, Status>> + use<>>> {
    Box::pin(super::events(&Arc::new(evaluator(holder)), selection, shutdown))
}

fn changes(event: &Event) -> Vec<(String, String)> {
    assert_eq!(event.kind, "configuration_change");
    let fields = &event.data.as_ref().unwrap().fields["flags"];
    let Some(Kind::StructValue(flags)) = &fields.kind else {
        panic!("{fields:?}")
    };
    let kind = |value: &Value| match &value.kind {
        Some(Kind::StructValue(of)) => match &of.fields["type"].kind {
            Some(Kind::StringValue(kind)) => kind.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    flags
        .fields
        .iter()
        .map(|(key, value)| (key.clone(), kind(value)))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(key, kind)| ((*key).to_owned(), (*kind).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_client_is_ready_at_once_when_a_snapshot_is_held() {
    let holder = Contents::production().held(1);
    let mut events = events(&holder, Selection::All, Shutdown::new());
    let first = events.next().await.unwrap().unwrap();
    assert_eq!((first.kind, first.data), ("provider_ready", Some(Struct::default())));
}

/// Ready, and told of these flags.
async fn opened(events: &mut (impl Stream<Item = Result<Event, Status>> + Unpin), flags: &[&str]) {
    assert_eq!(events.next().await.unwrap().unwrap().kind, "provider_ready");
    let named: Vec<_> = flags.iter().map(|key| (*key, "update")).collect();
    assert_eq!(changes(&events.next().await.unwrap().unwrap()), pairs(&named));
}

#[tokio::test]
async fn many_flags_are_named_in_several_messages() {
    let keys: Vec<String> = (0..AT_ONCE + 1).map(|number| format!("flag-{number:05}")).collect();
    let contents = keys
        .iter()
        .fold(Contents::production(), |contents, key| contents.flag(&boolean(key)));
    let mut events = events(&contents.held(1), Selection::All, Shutdown::new());
    assert_eq!(events.next().await.unwrap().unwrap().kind, "provider_ready");
    let first = changes(&events.next().await.unwrap().unwrap());
    let second = changes(&events.next().await.unwrap().unwrap());
    assert_eq!((first.len(), second.len()), (AT_ONCE, 1));
    assert!(first.iter().chain(&second).map(|(key, _)| key).eq(&keys));
}

#[tokio::test]
async fn a_client_is_ready_when_the_first_snapshot_arrives_and_told_of_its_flags() {
    let holder = Holder::new(false);
    let mut events = events(&holder, Selection::All, Shutdown::new());
    let (first, ()) = tokio::join!(events.next(), async {
        tokio::task::yield_now().await;
        Contents::production().flag(&boolean("a")).install(&holder, 1);
    });
    assert_eq!(first.unwrap().unwrap().kind, "provider_ready");
    assert_eq!(
        changes(&events.next().await.unwrap().unwrap()),
        pairs(&[("a", "update")])
    );
    Contents::production()
        .flag(&boolean("a"))
        .flag(&boolean("b"))
        .install(&holder, 2);
    assert_eq!(
        changes(&events.next().await.unwrap().unwrap()),
        pairs(&[("b", "write")])
    );
}

#[tokio::test]
async fn a_slow_client_hears_the_sum_of_what_it_missed() {
    let before = Contents::production().flag(&boolean("a")).flag(&boolean("b"));
    let holder = before.held(1);
    let mut events = events(&holder, Selection::All, Shutdown::new());
    opened(&mut events, &["a", "b"]).await;
    let between = before.clone().flag(&boolean("gone")).without("a");
    between.install(&holder, 2);
    between
        .without("gone")
        .flag(&text("b"))
        .flag(&text("c"))
        .install(&holder, 3);
    let event = events.next().await.unwrap().unwrap();
    assert_eq!(
        changes(&event),
        pairs(&[("a", "delete"), ("b", "update"), ("c", "write")])
    );
}

#[tokio::test]
async fn a_selected_set_is_all_that_a_client_sees() {
    let of = |key: &str, set: &str| Flag {
        set: Some(Key::parse(set).unwrap()),
        ..boolean(key)
    };
    let before = Contents::production().flag(&of("a", "one")).flag(&of("b", "two"));
    let holder = before.held(1);
    let mut events = events(&holder, Selection::Set("one".into()), Shutdown::new());
    opened(&mut events, &["a"]).await;
    before
        .without("b")
        .flag(&of("a", "two"))
        .flag(&of("c", "one"))
        .install(&holder, 2);
    assert_eq!(
        changes(&events.next().await.unwrap().unwrap()),
        pairs(&[("a", "delete"), ("c", "write")])
    );
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_and_the_end_is_said() {
    let (holder, shutdown) = (Contents::production().held(1), Shutdown::new());
    let mut events = events(&holder, Selection::All, shutdown.clone());
    events.next().await.unwrap().unwrap();
    let sign = events.next().await.unwrap().unwrap();
    assert_eq!((sign.kind, sign.data), ("keep_alive", None));
    shutdown.drain();
    assert_eq!(events.next().await.unwrap().unwrap().kind, "provider_shutdown");
    // Providers connect again after an error only, and drop what they cached.
    assert_eq!(events.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_new_number_for_the_same_content_is_no_change() {
    let contents = Contents::production().flag(&boolean("a"));
    let holder = contents.held(1);
    let mut events = events(&holder, Selection::All, Shutdown::new());
    opened(&mut events, &["a"]).await;
    contents.install(&holder, 2);
    assert_eq!(events.next().await.unwrap().unwrap().kind, "keep_alive");
}

#[tokio::test]
async fn flags_that_fall_back_are_told_of_when_the_snapshot_becomes_stale_and_when_it_no_longer_is() {
    let falling_back = Flag {
        when_stale: evaluation::WhenStale::Variant("off".into()),
        ..boolean("b")
    };
    let holder = Contents::production().flag(&boolean("a")).flag(&falling_back).held(1);
    let evaluator = Arc::new(evaluator(&holder));
    let mut events: std::pin::Pin<Box<dyn Stream<Item = Result<Event, Status>>>> =
        Box::pin(super::events(&evaluator, Selection::All, Shutdown::new()));
    opened(&mut events, &["a", "b"]).await;
    for stale in [true, false] {
        evaluator.stale.send_replace(stale);
        assert_eq!(
            changes(&events.next().await.unwrap().unwrap()),
            pairs(&[("b", "update")])
        );
    }
}

#[tokio::test]
async fn a_segment_that_changes_is_told_as_the_flags_that_read_it() {
    let ruled = Flag {
        rules: vec![for_members("testers", Serve::Variant("off".into()))],
        ..boolean("b")
    };
    let before = Contents::production()
        .flag(&boolean("a"))
        .flag(&ruled)
        .segment(&segment("testers", &["ada"]));
    let holder = before.held(1);
    let mut events = events(&holder, Selection::All, Shutdown::new());
    opened(&mut events, &["a", "b"]).await;
    before.segment(&segment("testers", &["ada", "bob"])).install(&holder, 2);
    assert_eq!(
        changes(&events.next().await.unwrap().unwrap()),
        pairs(&[("b", "update")])
    );
}
