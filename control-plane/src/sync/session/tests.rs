#![allow(clippy::unwrap_used, clippy::expect_used)]

use proto::v1::{
    AckLevel, sync_client::SyncClient, sync_request, sync_response::Message as Said, sync_server::SyncServer,
};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::Code;

use super::*;
use crate::{
    builders::{SECOND_US, flag, key, production},
    store::{Txn, keys},
    sync::{
        builders::{Agent, FAR, Harbour, acking, hello, holding, strange_digest},
        fleet::{Flag, Reach},
    },
};

/// How far a revision has come for the one flag.
fn reach(harbour: &Harbour, wanted: u64) -> Reach {
    reach_of(harbour, &harbour.fleet, wanted)
}

fn reach_of(harbour: &Harbour, fleet: &Fleet, wanted: u64) -> Reach {
    let environment = production();
    let flag = Flag {
        environment: &environment,
        set: None,
        key: "checkout",
    };
    fleet.reach(&harbour.publisher, flag, wanted, runtime::clock::now_us())
}

fn number(revision: &Option<v1::Revision>) -> u64 {
    revision.as_ref().unwrap().number
}

/// An agent that has acked what was there when it came.
async fn settled(harbour: &Harbour, name: &str) -> Agent {
    let mut agent = Agent::open(harbour, hello(name)).await.unwrap();
    let arrived = agent.transfer().await;
    agent.ack(&arrived, AckLevel::Persisted).await;
    let wanted = number(&arrived.begin.to);
    harbour
        .until(|fleet| {
            let known = fleet.of(&production(), runtime::clock::now_us());
            let mut known = known.into_iter();
            let agent = known.find(|record| &*record.introduction.agent == name);
            agent.is_some_and(|agent| agent.persisted.is_some_and(|held| held.number == wanted))
        })
        .await;
    agent
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_holds_nothing_gets_the_whole_snapshot() {
    let harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, hello("a")).await.unwrap();
    let arrived = agent.transfer().await;
    let latest = harbour.latest();
    assert_eq!(arrived.begin, latest.whole().begin);
    assert_eq!(arrived.begin.from, None);
    assert_eq!(arrived.bytes, latest.whole().parts.concat());
    assert_eq!(reach(&harbour, latest.revision.number).delivery.applied, 0);
    agent.ack(&arrived, AckLevel::Applied).await;
    let wanted = latest.revision.number;
    harbour
        .until(|fleet| reach_of(&harbour, fleet, wanted).delivery.applied == 1)
        .await;
    assert_eq!(reach(&harbour, wanted).delivery.persisted, 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_holds_what_is_current_is_told_so_whatever_its_number() {
    let harbour = Harbour::new();
    let latest = harbour.latest();
    let elsewhere = v1::Hello {
        revision: Some(v1::Revision {
            lineage: vec![9; 16].into(),
            number: 1,
        }),
        ..holding("a", &latest)
    };
    let mut agent = Agent::open(&harbour, elsewhere).await.unwrap();
    let expected = Some(v1::Revision::from(latest.revision));
    let Said::Current(current) = agent.news().await else {
        panic!("it is current");
    };
    assert_eq!(current.revision, expected);
    // Its word for it is still owed.
    assert_eq!(reach(&harbour, latest.revision.number).delivery.applied, 0);
    let ack = acking(
        expected,
        proto::revision::write_digest(latest.digest()),
        AckLevel::Persisted,
    );
    agent.say(sync_request::Message::Ack(ack)).await;
    harbour
        .until(|fleet| reach_of(&harbour, fleet, latest.revision.number).delivery.persisted == 1)
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_comes_back_gets_what_it_lacks_and_no_more() {
    let mut harbour = Harbour::new();
    let before = harbour.latest();
    harbour.write("another");
    let mut agent = Agent::open(&harbour, holding("a", &before)).await.unwrap();
    let arrived = agent.transfer().await;
    assert_eq!(arrived.begin, harbour.latest().delta(&before).begin);
    assert_eq!(number(&arrived.begin.from), before.revision.number);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_remembered_is_replaced_by_the_whole_snapshot() {
    let mut harbour = Harbour::new();
    let before = harbour.latest();
    harbour.write("another");
    let strange = [
        v1::Hello {
            digest: strange_digest(),
            ..holding("a", &before)
        },
        v1::Hello {
            revision: Some(v1::Revision {
                lineage: vec![9; 16].into(),
                number: before.revision.number,
            }),
            ..holding("b", &before)
        },
    ];
    for hello in strange {
        let mut agent = Agent::open(&harbour, hello).await.unwrap();
        assert_eq!(agent.transfer().await.begin.from, None);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_refused_delta_comes_the_whole_snapshot() {
    let mut harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    harbour.write("another");
    let delta = agent.transfer().await;
    assert!(delta.begin.from.is_some());
    agent.nack(&delta).await;
    let whole = agent.transfer().await;
    assert_eq!((whole.begin.from, whole.begin.to), (None, delta.begin.to));
    let problems = &harbour.fleet.of(&production(), runtime::clock::now_us())[0].problems;
    assert_eq!(*problems, ["torn"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_refused_whole_snapshot_nothing_comes_until_the_next_revision() {
    let mut harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, hello("a")).await.unwrap();
    let alive = tokio::spawn(agent.heartbeats());
    let whole = agent.transfer().await;
    agent.nack(&whole).await;
    // Far longer than an answer may take: none is owed.
    for _ in 0..60 {
        agent.heartbeat().await;
    }
    harbour.write("another");
    let next = agent.transfer().await;
    assert_eq!(next.begin.from, None);
    assert!(number(&next.begin.to) > number(&whole.begin.to));
    agent.ack(&next, AckLevel::Persisted).await;
    harbour.write("a-third");
    assert!(agent.transfer().await.begin.from.is_some());
    alive.abort();
}

#[tokio::test(start_paused = true)]
async fn while_a_transfer_is_on_its_way_newer_ones_become_one() {
    let mut harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, hello("a")).await.unwrap();
    let first = agent.transfer().await;
    for salt in ["b", "c", "d"] {
        harbour.write(salt);
        agent.heartbeat().await;
    }
    agent.ack(&first, AckLevel::Applied).await;
    let second = agent.transfer().await;
    assert_eq!(second.begin.from, first.begin.to);
    assert_eq!(number(&second.begin.to), harbour.world.state.revision);
}

#[tokio::test(start_paused = true)]
async fn an_unrelated_write_sends_nothing() {
    let mut harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    harbour.write_flag(evaluation::Flag {
        description: "for people".to_owned(),
        ..flag("checkout")
    });
    for _ in 0..2 {
        let heartbeat = agent.heartbeat().await;
        assert!(heartbeat.revision < harbour.world.state.revision);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_lives_and_does_not_answer_loses_its_stream() {
    let harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, hello("a")).await.unwrap();
    let alive = tokio::spawn(agent.heartbeats());
    let status = agent.end().await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "what was sent was not read or answered in time");
    assert_eq!(harbour.fleet.connections(), 0);
    alive.abort();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_told_that_it_is_current_and_does_not_answer_loses_its_stream() {
    let harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, holding("a", &harbour.latest())).await.unwrap();
    let alive = tokio::spawn(agent.heartbeats());
    assert_eq!(agent.end().await.code(), Code::DeadlineExceeded);
    alive.abort();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_falls_silent_loses_its_stream() {
    let harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    let status = agent.end().await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "three heartbeats were missed");
    assert_eq!(harbour.fleet.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_reads_costs_its_own_stream_and_no_other() {
    let mut harbour = Harbour::new();
    for number in 0..40 {
        let mut large = flag(&format!("large-{number}"));
        let text = evaluation::Value::String("x".repeat(60_000).into());
        large.variants.insert("large".to_owned(), text);
        harbour.write_flag(large);
    }
    let deaf = Agent::open(&harbour, hello("deaf")).await.unwrap();
    let deaf_lives = tokio::spawn(deaf.heartbeats());
    let mut agent = settled(&harbour, "a").await;
    let agent_lives = tokio::spawn(agent.heartbeats());
    harbour.write("another");
    let arrived = agent.transfer().await;
    agent.ack(&arrived, AckLevel::Persisted).await;
    let knows = |fleet: &Fleet, agent: &str| {
        let live = fleet.of(&production(), runtime::clock::now_us());
        let mut live = live.iter().filter(|record| record.is_live(runtime::clock::now_us()));
        live.any(|record| &*record.introduction.agent == agent)
    };
    // Read on, as an agent does, until the deaf one is gone.
    let reading = tokio::spawn(async move { agent.end().await });
    harbour.until(|fleet| !knows(fleet, "deaf")).await;
    assert!(knows(&harbour.fleet, "a"));
    assert_eq!(harbour.fleet.connections(), 1);
    for task in [deaf_lives, agent_lives] {
        task.abort();
    }
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_second_stream_of_one_agent_ends_the_first() {
    let harbour = Harbour::new();
    let mut first = settled(&harbour, "a").await;
    let mut second = Agent::open(&harbour, hello("a")).await.unwrap();
    assert_eq!(first.end().await.code(), Code::Aborted);
    let arrived = second.transfer().await;
    second.ack(&arrived, AckLevel::Applied).await;
    let wanted = number(&arrived.begin.to);
    harbour
        .until(|fleet| reach_of(&harbour, fleet, wanted).delivery.applied == 1)
        .await;
    assert_eq!(harbour.fleet.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_closes_its_side_is_gone_at_once() {
    let harbour = Harbour::new();
    let agent = settled(&harbour, "a").await;
    drop(agent);
    harbour.until(|fleet| fleet.connections() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_answered_at_once_with_the_agents_own_time() {
    let harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    let heartbeat = v1::AgentHeartbeat { agent_time_us: 77 };
    let before = Instant::now();
    agent.say(sync_request::Message::Heartbeat(heartbeat)).await;
    let answer = loop {
        let answer = agent.heartbeat().await;
        if answer.echoed_agent_time_us == 77 {
            break answer;
        }
    };
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(answer.interval_us, 2 * SECOND_US);
    assert_eq!(answer.revision, harbour.latest().revision.number);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_answer_heartbeats_do_not_become_a_storm() {
    let harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    let began = Instant::now();
    let mut heard = 0;
    while began.elapsed() < Duration::from_secs(20) {
        agent.heartbeat().await;
        heard += 1;
        let heartbeat = v1::AgentHeartbeat { agent_time_us: 1 };
        agent.say(sync_request::Message::Heartbeat(heartbeat)).await;
    }
    // Ten of ours, and of theirs not more than four times as many are answered.
    assert!((10..=51).contains(&heard), "{heard}");
}

#[test]
fn the_larger_the_fleet_the_rarer_its_heartbeats() {
    let seconds = |agents| heartbeat_interval(agents).as_secs();
    assert_eq!([1, 1_000, 1_001, 10_000, 10_001].map(seconds), [2, 2, 10, 10, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_says_so() {
    let harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    harbour.shutdown.drain();
    assert!(matches!(agent.news().await, Said::GoAway(away) if away.delay_us > 0));
    assert_eq!(agent.end().await.code(), Code::Ok);
    assert!(harbour.shutdown.finished(FAR).await);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_belong_ends_the_stream_and_is_named() {
    let harbour = Harbour::new();
    let latest = harbour.latest();
    let revision = Some(v1::Revision::from(latest.revision));
    let digest = proto::revision::write_digest(latest.digest());
    let wrong = [
        (sync_request::Message::Hello(hello("a")), "Hello was said already"),
        (
            sync_request::Message::Ack(acking(None, digest.clone(), AckLevel::Applied)),
            "ack without a revision",
        ),
        (
            sync_request::Message::Ack(acking(revision.clone(), digest.clone(), AckLevel::Unspecified)),
            "ack without a level",
        ),
        (
            sync_request::Message::Ack(acking(revision.clone(), vec![1; 15].into(), AckLevel::Applied)),
            "digest must be 16 bytes, not 15",
        ),
        (
            sync_request::Message::Ack(acking(revision.clone(), strange_digest(), AckLevel::Applied)),
            "with a digest that is not its own",
        ),
    ];
    for (message, word) in wrong {
        let mut agent = settled(&harbour, "a").await;
        agent.say(message).await;
        let status = agent.end().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(word), "{}", status.message());
    }
    let mut agent = settled(&harbour, "a").await;
    agent.say_nothing().await;
    assert_eq!(agent.end().await.message(), "a message of no known kind");
}

#[tokio::test(start_paused = true)]
async fn what_was_superseded_on_its_way_to_the_disk_is_on_the_disk_all_the_same() {
    let mut harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, hello("a")).await.unwrap();
    let first = agent.transfer().await;
    agent.ack(&first, AckLevel::Applied).await;
    harbour.write("another");
    let second = agent.transfer().await;
    agent.ack(&second, AckLevel::Applied).await;
    agent.ack(&first, AckLevel::Persisted).await;
    let wanted = number(&first.begin.to);
    harbour
        .until(|fleet| reach_of(&harbour, fleet, wanted).delivery.persisted == 1)
        .await;
    assert_eq!(reach(&harbour, number(&second.begin.to)).delivery.persisted, 0);
}

#[tokio::test(start_paused = true)]
async fn an_ack_of_what_was_never_sent_counts_for_nothing() {
    let harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    let invented = v1::Revision {
        number: 1_000,
        ..v1::Revision::from(harbour.latest().revision)
    };
    for level in [AckLevel::Applied, AckLevel::Persisted] {
        let ack = acking(Some(invented.clone()), strange_digest(), level);
        agent.say(sync_request::Message::Ack(ack)).await;
    }
    let heartbeat = v1::AgentHeartbeat { agent_time_us: 3 };
    agent.say(sync_request::Message::Heartbeat(heartbeat)).await;
    while agent.heartbeat().await.echoed_agent_time_us != 3 {}
    let held = &harbour.fleet.of(&production(), runtime::clock::now_us())[0];
    let latest = harbour.latest().revision.number;
    assert_eq!(held.applied.unwrap().number, latest);
    assert_eq!(held.persisted.unwrap().number, latest);
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_holds_back_is_told_and_does_not_count() {
    let harbour = Harbour::new();
    let mut agent = Agent::open(&harbour, hello("a")).await.unwrap();
    let arrived = agent.transfer().await;
    let problem = v1::EntryProblem {
        kind: v1::EntryKind::Flag.into(),
        key: "checkout".to_owned(),
        reason: "too new".to_owned(),
    };
    let ack = v1::Ack {
        held_back: vec![problem],
        ..acking(
            arrived.begin.to.clone(),
            arrived.begin.digest.clone(),
            AckLevel::Persisted,
        )
    };
    agent.say(sync_request::Message::Ack(ack)).await;
    let of = |fleet: &Fleet| fleet.of(&production(), runtime::clock::now_us()).pop().unwrap();
    harbour.until(|fleet| of(fleet).applied.is_some()).await;
    assert_eq!(of(&harbour.fleet).problems, ["checkout: too new"]);
    let delivery = reach(&harbour, number(&arrived.begin.to)).delivery;
    assert_eq!((delivery.live, delivery.applied, delivery.persisted), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_a_flag_set_hears_of_its_own_flags_only() {
    let mut harbour = Harbour::new();
    let of_shop = v1::Hello {
        flag_set: "shop".to_owned(),
        ..hello("a")
    };
    let mut agent = Agent::open(&harbour, of_shop).await.unwrap();
    let alive = tokio::spawn(agent.heartbeats());
    let first = agent.transfer().await;
    agent.ack(&first, AckLevel::Persisted).await;
    harbour.write("another");
    for _ in 0..3 {
        agent.heartbeat().await;
    }
    harbour.write_flag(evaluation::Flag {
        set: Some(key("shop")),
        ..flag("banner")
    });
    let entries = proto::entry::unframe(agent.transfer().await.bytes).unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(),
        ["banner"]
    );
    alive.abort();
}

#[tokio::test]
async fn over_a_socket_an_agent_gets_a_snapshot_a_delta_and_a_farewell() {
    let mut harbour = Harbour::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(SyncServer::new(harbour.service.clone()));
    let serving = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let mut client = SyncClient::connect(format!("http://{address}")).await.unwrap();
    let (say, said) = mpsc::channel(16);
    let send = async |message: sync_request::Message| {
        let message = v1::SyncRequest { message: Some(message) };
        say.send(message).await.unwrap();
    };
    send(sync_request::Message::Hello(hello("a"))).await;
    let mut stream = client.sync(ReceiverStream::new(said)).await.unwrap().into_inner();
    let mut begin = async || {
        loop {
            let next = tokio::time::timeout(FAR, stream.message()).await.unwrap().unwrap();
            match next.unwrap().message.unwrap() {
                Said::Begin(begin) => return Some(begin),
                Said::GoAway(_) => return None,
                Said::Part(_) | Said::End(_) | Said::Current(_) | Said::Heartbeat(_) => {}
            }
        }
    };
    let whole = begin().await.unwrap();
    assert_eq!(whole.from, None);
    let ack = acking(whole.to.clone(), whole.digest, AckLevel::Applied);
    send(sync_request::Message::Ack(ack)).await;
    harbour.write("another");
    assert_eq!(begin().await.unwrap().from, whole.to);
    let known = &harbour.fleet.of(&production(), runtime::clock::now_us())[0];
    assert!(known.introduction.address.unwrap().ip().is_loopback());
    harbour.shutdown.drain();
    assert_eq!(begin().await, None);
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_a_deleted_environment_is_told_so_and_not_let_in_again() {
    let mut harbour = Harbour::new();
    let mut agent = settled(&harbour, "a").await;
    let touched = harbour
        .world
        .commit(&Txn::default().delete(keys::environment(&production())));
    harbour
        .publisher
        .publish(Arc::new(harbour.world.state.clone()), &touched);
    let ended = agent.end().await;
    assert_eq!(ended.code(), Code::NotFound);
    assert!(
        ended.message().contains("production was deleted"),
        "{}",
        ended.message()
    );
    let again = Agent::open(&harbour, hello("a")).await;
    assert_eq!(again.err().map(|status| status.code()), Some(Code::NotFound));
}
