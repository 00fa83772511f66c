#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::builders::{SECOND_US, START_US, World, flag, key, production};

const NOW_US: i64 = START_US;
const INTERVAL_US: i64 = 2 * SECOND_US;

/// A fleet, and the snapshots that it is to hold.
struct Shore {
    world: World,
    publisher: Publisher,
    fleet: Fleet,
}

impl Shore {
    fn new() -> Self {
        let world = World::new();
        let publisher = Publisher::new(7, Arc::new(world.state.clone()));
        Self {
            world,
            publisher,
            fleet: Fleet::new(),
        }
    }

    /// Writes the flag with another salt, so that everybody lacks something.
    fn write(&mut self, name: &str, salt: &str) -> u64 {
        let touched = self.world.write(evaluation::Flag {
            salt: salt.to_owned(),
            ..flag(name)
        });
        self.publisher.publish(Arc::new(self.world.state.clone()), &touched);
        self.world.state.revision
    }

    fn connect(&self, agent: &str, connection: u64) -> CancellationToken {
        self.fleet
            .connected(introduction(agent, None), connection, INTERVAL_US, NOW_US)
            .unwrap()
    }

    /// What an agent without a flag set should hold by now.
    fn latest(&self) -> Held {
        let latest = self.publisher.subscribe(&subscription(None)).unwrap();
        let latest = latest.borrow();
        Held {
            number: latest.revision.number,
            digest: latest.digest(),
        }
    }

    fn ack(&self, agent: &str, connection: u64, acked: Acked) {
        self.fleet.acked(&production(), &agent.into(), connection, acked);
    }

    fn reach(&self, wanted: u64) -> Reach {
        self.reach_at(wanted, NOW_US)
    }

    fn reach_at(&self, wanted: u64, now_us: i64) -> Reach {
        let environment = production();
        let flag = Flag {
            environment: &environment,
            set: None,
            key: "checkout",
        };
        self.fleet.reach(&self.publisher, flag, wanted, now_us)
    }
}

fn subscription(set: Option<&str>) -> Subscription {
    Subscription {
        environment: production(),
        set: set.map(key),
    }
}

fn introduction(agent: &str, set: Option<&str>) -> Introduction {
    Introduction {
        agent: agent.into(),
        subscription: subscription(set),
        version: "1".to_owned(),
        address: None,
        diskless: false,
    }
}

fn applied(held: Held) -> Acked {
    Acked {
        held,
        persisted: false,
        published_at_us: None,
        problems: Vec::new(),
        held_back: BTreeSet::new(),
    }
}

fn persisted(held: Held) -> Acked {
    Acked {
        persisted: true,
        published_at_us: None,
        ..applied(held)
    }
}

fn delivery(live: u32, applied: u32, persisted: u32) -> Delivery {
    Delivery {
        live,
        applied,
        persisted,
    }
}

#[test]
fn applied_and_persisted_are_counted_apart() {
    let mut shore = Shore::new();
    for (number, agent) in ["a", "b", "c"].into_iter().enumerate() {
        shore.connect(agent, number as u64);
    }
    let wanted = shore.write("checkout", "one");
    shore.ack("a", 0, applied(shore.latest()));
    shore.ack("b", 1, persisted(shore.latest()));
    assert_eq!(shore.reach(wanted).delivery, delivery(3, 2, 1));
    assert_eq!(shore.reach(wanted).live, ["a", "b", "c"].map(Arc::from));
}

#[test]
fn for_an_agent_without_a_disk_applied_is_all_there_is() {
    let mut shore = Shore::new();
    let diskless = Introduction {
        diskless: true,
        ..introduction("a", None)
    };
    shore.fleet.connected(diskless, 1, INTERVAL_US, NOW_US).unwrap();
    let wanted = shore.write("checkout", "one");
    shore.ack("a", 1, applied(shore.latest()));
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 1, 1));
}

#[test]
fn an_agent_that_holds_the_flag_back_does_not_count() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    let wanted = shore.write("checkout", "one");
    let holding_back = |flag: &str| Acked {
        held_back: [flag.to_owned()].into(),
        ..persisted(shore.latest())
    };
    shore.ack("a", 1, holding_back("checkout"));
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 0, 0));
    shore.ack("a", 1, holding_back("banner"));
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 1, 1));
}

#[test]
fn an_agent_that_comes_back_counts_only_once_it_says_what_it_holds() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    let before = shore.latest();
    let wanted = shore.write("checkout", "one");
    shore.ack("a", 1, persisted(shore.latest()));
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 1, 1));
    shore.connect("a", 2);
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 0, 0));
    // It came back with less.
    shore.ack("a", 2, persisted(before));
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 0, 0));
    shore.ack("a", 2, persisted(shore.latest()));
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 1, 1));
}

#[test]
fn a_second_stream_of_one_agent_ends_the_first_which_says_nothing_more() {
    let mut shore = Shore::new();
    let first = shore.connect("a", 1);
    let second = shore.connect("a", 2);
    assert!(first.is_cancelled() && !second.is_cancelled());
    let wanted = shore.write("checkout", "one");
    shore.ack("a", 1, persisted(shore.latest()));
    shore.fleet.disconnected(&production(), &"a".into(), 1);
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 0, 0));
    assert_eq!(shore.fleet.connections(), 1);
    assert!(!second.is_cancelled());
}

#[test]
fn agents_of_the_same_id_in_two_environments_are_two() {
    let shore = Shore::new();
    let first = shore.connect("a", 1);
    let elsewhere = Introduction {
        subscription: Subscription {
            environment: key("staging"),
            set: None,
        },
        ..introduction("a", None)
    };
    shore.fleet.connected(elsewhere, 2, INTERVAL_US, NOW_US).unwrap();
    assert!(!first.is_cancelled());
    assert_eq!(shore.reach(1).delivery.live, 1);
    assert_eq!(shore.fleet.of(&production(), NOW_US).len(), 1);
}

#[test]
fn an_agent_is_live_for_three_intervals_of_silence_and_no_longer() {
    let shore = Shore::new();
    shore.connect("a", 1);
    let live = |now_us: i64| shore.reach_at(1, now_us).delivery.live;
    assert_eq!(live(NOW_US + 3 * INTERVAL_US), 1);
    assert_eq!(live(NOW_US + 3 * INTERVAL_US + 1), 0);
    shore
        .fleet
        .heard(&production(), &"a".into(), 1, NOW_US + 3 * INTERVAL_US + 1);
    assert_eq!(live(NOW_US + 3 * INTERVAL_US + 1), 1);
    shore.fleet.disconnected(&production(), &"a".into(), 1);
    assert_eq!(live(NOW_US + 3 * INTERVAL_US + 1), 0);
}

#[test]
fn an_agent_that_holds_what_is_equal_has_it_whatever_its_number() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    shore.write("checkout", "one");
    let held = shore.latest();
    shore.ack("a", 1, persisted(held));
    // There and back: the number has moved on, the content has not.
    shore.write("checkout", "two");
    let wanted = shore.write("checkout", "one");
    assert!(held.number < wanted && held.digest == shore.latest().digest);
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 1, 1));
    // The snapshots do not show this revision yet, so nobody has it.
    assert_eq!(shore.reach(wanted + 1).delivery, delivery(1, 0, 0));
    let wanted = shore.write("checkout", "three");
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 0, 0));
}

#[test]
fn an_agent_that_is_gone_is_unreached_until_it_has_it_on_disk() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    let wanted = shore.write("checkout", "one");
    shore.ack("a", 1, applied(shore.latest()));
    shore.fleet.disconnected(&production(), &"a".into(), 1);
    let reach = shore.reach(wanted);
    assert_eq!(reach.delivery, delivery(0, 0, 0));
    assert_eq!(reach.unreached, ["a"]);
    shore.connect("a", 2);
    shore.ack("a", 2, persisted(shore.latest()));
    shore.fleet.disconnected(&production(), &"a".into(), 2);
    assert!(shore.reach(wanted).unreached.is_empty());
}

#[test]
fn an_agent_that_was_not_heard_of_for_a_day_is_no_longer_waited_for() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    let wanted = shore.write("checkout", "one");
    shore.fleet.disconnected(&production(), &"a".into(), 1);
    let day_us = 24 * 60 * 60 * SECOND_US;
    assert_eq!(shore.reach_at(wanted, NOW_US + day_us).unreached, ["a"]);
    assert!(shore.reach_at(wanted, NOW_US + day_us + 1).unreached.is_empty());
    assert!(shore.fleet.knows(&production(), "a"));
    assert!(shore.fleet.of(&production(), NOW_US + day_us + 1).is_empty());
    assert!(!shore.fleet.knows(&production(), "a"));
}

#[test]
fn the_fleet_of_a_flag_are_the_agents_whose_subscription_holds_it() {
    let shore = Shore::new();
    for (number, (agent, set)) in [("all", None), ("shop", Some("shop")), ("search", Some("search"))]
        .into_iter()
        .enumerate()
    {
        let introduction = introduction(agent, set);
        shore
            .fleet
            .connected(introduction, number as u64, INTERVAL_US, runtime::clock::now_us())
            .unwrap();
    }
    let environment = production();
    let live = |set: Option<&Key>| {
        let flag = Flag {
            environment: &environment,
            set,
            key: "checkout",
        };
        let reach = shore.fleet.reach(&shore.publisher, flag, 1, runtime::clock::now_us());
        let listed = shore.fleet.live_agents(&environment, set);
        assert_eq!(listed[..], reach.live[..]);
        reach.live.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(live(Some(&key("shop"))), ["all", "shop"]);
    assert_eq!(live(None), ["all"]);
}

#[test]
fn agents_whose_own_flags_read_a_flag_are_waited_for_too() {
    let mut shore = Shore::new();
    let reader = evaluation::Flag {
        set: Some(key("shop")),
        prerequisites: vec![evaluation::Prerequisite {
            flag: "checkout".to_owned(),
            variants: vec!["new".to_owned()],
        }],
        ..flag("banner")
    };
    for flag in [flag("checkout"), reader] {
        let touched = shore.world.write(flag);
        shore.publisher.publish(Arc::new(shore.world.state.clone()), &touched);
    }
    let _shop = shore.publisher.subscribe(&subscription(Some("shop"))).unwrap();
    let _search = shore.publisher.subscribe(&subscription(Some("search"))).unwrap();
    for (connection, set) in [(1, "shop"), (2, "search")] {
        let introduction = introduction(set, Some(set));
        shore
            .fleet
            .connected(introduction, connection, INTERVAL_US, NOW_US)
            .unwrap();
    }
    assert_eq!(shore.reach(1).live, [Arc::from("shop")]);
    // They count no exposures of it, so nobody waits for their frames.
    assert!(shore.fleet.live_agents(&production(), None).is_empty());
}

#[test]
fn what_was_superseded_on_its_way_to_the_disk_counts_and_never_takes_back() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    let first = shore.write("checkout", "one");
    let superseded = shore.latest();
    let second = shore.write("checkout", "two");
    shore.ack("a", 1, applied(shore.latest()));
    let agent = Arc::from("a");
    shore.fleet.persisted(&production(), &agent, 1, superseded);
    assert_eq!(shore.reach(first).delivery, delivery(1, 1, 1));
    assert_eq!(shore.reach(second).delivery, delivery(1, 1, 0));
    shore.ack("a", 1, persisted(shore.latest()));
    shore.fleet.persisted(&production(), &agent, 1, superseded);
    assert_eq!(shore.reach(second).delivery, delivery(1, 1, 1));
}

#[test]
fn a_refusal_is_told_and_takes_nothing_away() {
    let mut shore = Shore::new();
    shore.connect("a", 1);
    let wanted = shore.write("checkout", "one");
    shore.ack("a", 1, persisted(shore.latest()));
    shore
        .fleet
        .refused(&production(), &"a".into(), 1, vec!["torn".to_owned()]);
    assert_eq!(shore.fleet.of(&production(), NOW_US)[0].problems, ["torn"]);
    assert_eq!(shore.reach(wanted).delivery, delivery(1, 1, 1));
}

#[test]
fn whoever_waits_is_woken_by_what_a_rollout_may_wait_for() {
    let shore = Shore::new();
    let mut changes = shore.fleet.changes();
    let mut is_woken = |change: &dyn Fn()| {
        changes.borrow_and_update();
        change();
        changes.has_changed().unwrap()
    };
    let agent = Arc::from("a");
    assert!(is_woken(&|| drop(shore.connect("a", 1))));
    assert!(is_woken(&|| shore.ack("a", 1, applied(shore.latest()))));
    assert!(is_woken(&|| shore.fleet.persisted(
        &production(),
        &agent,
        1,
        shore.latest()
    )));
    // An agent that lives on is no news, one that is back is.
    let late_us = NOW_US + 4 * INTERVAL_US;
    assert!(!is_woken(&|| shore.fleet.heard(&production(), &agent, 1, NOW_US)));
    assert!(is_woken(&|| shore.fleet.heard(&production(), &agent, 1, late_us)));
    assert!(is_woken(&|| shore.fleet.disconnected(&production(), &agent, 1)));
}

#[test]
fn more_agents_than_can_be_remembered_are_turned_away_and_those_known_are_not() {
    let fleet = Fleet::new();
    let connect = |agent: usize, now_us| {
        fleet.connected(
            introduction(&agent.to_string(), None),
            agent as u64,
            INTERVAL_US,
            now_us,
        )
    };
    for agent in 0..AGENTS_LIMIT {
        connect(agent, NOW_US).unwrap();
    }
    assert!(connect(AGENTS_LIMIT, NOW_US).is_err());
    assert!(connect(7, NOW_US).is_ok());
    // One that has been gone for a day makes room.
    fleet.disconnected(&production(), &"8".into(), 8);
    let later_us = NOW_US + 25 * 60 * 60 * SECOND_US;
    assert!(connect(AGENTS_LIMIT, later_us).is_ok());
}
