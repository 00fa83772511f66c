use evaluation::{Arm, Place};
use opentelemetry_proto::tonic::trace::v1::{self, span::SpanKind};
use proptest::prelude::*;

use super::*;
use crate::health::{
    caller::Caller,
    otlp::{
        gen_ai::Together,
        process::Source,
        samples::{self, failed, resource, text},
    },
};

const LIMITS: Limits = Limits {
    spans: 100,
    waiting: 10,
    age: Duration::from_secs(60),
};

fn process(name: &str) -> Process {
    Source::of(Some(&resource(&[text("service.name", name)])), Caller::ANYBODY).process
}

fn id(span: u64) -> SpanId {
    SpanId::read(&samples::TRACE, &span.to_be_bytes()).unwrap_or_else(|| unreachable!("not zero"))
}

/// A span as read, of the process `shop`, that says nothing.
fn read(span: &v1::Span) -> Span {
    Span {
        id: SpanId::read(&span.trace_id, &span.span_id).unwrap_or_else(|| unreachable!("a sample")),
        process: process("shop"),
        parent: Parent::of(span),
        is_request: matches!(span.kind(), SpanKind::Server | SpanKind::Consumer),
        ended: super::super::ended::Said::default().ended(span, Caller::ANYBODY, false),
        items: Vec::new(),
        uncounted: Vec::new(),
    }
}

fn inner(id: u64, parent: u64) -> Span {
    read(&samples::span(id, parent, SpanKind::Internal))
}

fn request(id: u64) -> Span {
    read(&samples::request(id))
}

/// A span of an SDK that does not tell where parents are.
fn untold(id: u64, parent: u64) -> Span {
    let span = v1::Span {
        flags: 1,
        ..samples::span(id, parent, SpanKind::Internal)
    };
    read(&span)
}

fn of(name: &str, span: Span) -> Span {
    Span {
        process: process(name),
        ..span
    }
}

/// A flag was served in this span.
fn served(span: u64) -> Item {
    let place = Place {
        rollout: 7,
        stage: 0,
        stratum: 0,
    };
    Item {
        of: id(span),
        process: process("shop"),
        what: What::Served(Attributed {
            place,
            arm: Arm::Treatment,
            position: None,
        }),
    }
}

fn measured(span: u64, by: &str) -> Item {
    Item {
        of: id(span),
        process: process(by),
        what: What::Measured(Measured {
            key: "k".into(),
            number: 1.0,
            together: Together::Each,
        }),
    }
}

fn saying(span: Span, items: Vec<Item>) -> Span {
    Span { items, ..span }
}

/// A join with a clock of its own.
struct World {
    join: Join,
    now: Instant,
    tally: Tally,
}

impl World {
    fn new() -> Self {
        Self {
            join: Join::new(LIMITS),
            now: Instant::now(),
            tally: Tally::default(),
        }
    }

    /// The requests that are joined by this.
    fn take(&mut self, spans: Vec<Span>, items: Vec<Item>) -> Vec<SpanId> {
        let joined = self.join.take(spans, items, self.now, &mut self.tally);
        joined.into_iter().map(|joined| joined.id).collect()
    }

    fn spans(&mut self, spans: Vec<Span>) -> Vec<SpanId> {
        self.take(spans, Vec::new())
    }

    fn items(&mut self, items: Vec<Item>) -> Vec<SpanId> {
        self.take(Vec::new(), items)
    }

    fn after(&mut self, seconds: u64) -> Vec<SpanId> {
        self.now += Duration::from_secs(seconds);
        let joined = self.join.expire(self.now, &mut self.tally);
        joined.into_iter().map(|joined| joined.id).collect()
    }

    fn dropped(&self, reason: Dropped) -> u64 {
        self.tally.dropped.get(&reason).copied().unwrap_or_default()
    }
}

#[test]
fn what_is_said_in_the_request_itself_is_joined_at_once() {
    let mut world = World::new();
    assert_eq!(world.spans(vec![saying(request(1), vec![served(1)])]), [id(1)]);
    assert_eq!(world.tally.joined, 1);
    assert_eq!(world.join.size(), (1, 0));
}

#[test]
fn what_is_said_deep_inside_finds_its_request_in_any_order_of_arrival() {
    // Spans 1 > 2 > 3 > 4, and the evaluation in 4.
    let parts = || vec![request(1), inner(2, 1), inner(3, 2), inner(4, 3)];
    for order in 0..120 {
        let (mut world, mut joined, mut order) = (World::new(), Vec::new(), order);
        // None is the evaluation.
        let mut left: Vec<Option<Span>> = parts().into_iter().map(Some).chain([None]).collect();
        while !left.is_empty() {
            let (at, rest) = (order % left.len(), order / left.len());
            order = rest;
            joined.extend(match left.remove(at) {
                Some(span) => world.spans(vec![span]),
                None => world.items(vec![served(4)]),
            });
        }
        assert_eq!(joined, [id(1)]);
        assert_eq!(world.join.size(), (4, 0));
    }
}

#[test]
fn one_message_is_joined_whatever_its_order() {
    let mut world = World::new();
    let spans = vec![
        request(1),
        inner(3, 2),
        saying(inner(4, 3), vec![served(4)]),
        inner(2, 1),
    ];
    assert_eq!(world.take(spans, vec![served(2)]), [id(1)]);
    assert_eq!(world.tally.joined, 2);
}

#[test]
fn the_nearest_request_counts_and_not_the_one_that_called_it() {
    let mut world = World::new();
    let outer = request(1);
    let nearest = read(&v1::Span {
        flags: 0x101,
        parent_span_id: 1_u64.to_be_bytes().to_vec(),
        ..samples::request(2)
    });
    assert_eq!(
        world.spans(vec![outer, nearest, saying(inner(3, 2), vec![served(3)])]),
        [id(2)]
    );
}

#[test]
fn where_nothing_was_served_the_top_of_the_process_counts() {
    let top = failed(samples::span(1, 0, SpanKind::Internal));
    let remote = v1::Span {
        flags: 0x301,
        ..samples::span(3, 99, SpanKind::Internal)
    };
    let mut world = World::new();
    let spans = vec![read(&top), saying(inner(2, 1), vec![served(2)])];
    assert_eq!(world.spans(spans), [id(1)], "no parent");
    let spans = vec![read(&remote), saying(inner(4, 3), vec![served(4)])];
    assert_eq!(world.spans(spans), [id(3)], "a parent elsewhere");
}

#[test]
fn where_it_is_not_told_a_parent_that_never_came_was_elsewhere() {
    let mut world = World::new();
    assert_eq!(
        world.spans(vec![untold(3, 99), saying(untold(4, 3), vec![served(4)])]),
        []
    );
    assert_eq!(world.after(59), []);
    assert_eq!(world.after(1), [id(3)]);
    assert_eq!(world.join.size(), (0, 0));
}

#[test]
fn a_parent_in_the_process_that_never_came_leaves_nothing_to_join() {
    let mut world = World::new();
    assert_eq!(world.spans(vec![saying(inner(3, 2), vec![served(3)])]), []);
    assert_eq!(world.items(vec![served(77)]), [], "nor a span that was never sent");
    assert_eq!(world.after(60), []);
    assert_eq!(world.dropped(Dropped::NoSpan), 2);
    assert_eq!(world.join.size(), (0, 0));
}

#[test]
fn nothing_is_joined_across_processes() {
    let mut world = World::new();
    // The caller's request is 1, its client span 2; the callee has no request of its own.
    let callee = saying(of("stock", untold(3, 2)), Vec::new());
    let spoken = Item {
        process: process("stock"),
        ..served(4)
    };
    let spans = vec![request(1), inner(2, 1), callee, of("stock", untold(4, 3))];
    assert_eq!(world.take(spans, vec![spoken]), [id(3)], "the top of its own process");
    let foreign = Item {
        process: process("stock"),
        ..served(2)
    };
    assert_eq!(world.items(vec![foreign]), []);
    assert_eq!(world.dropped(Dropped::OtherProcess), 1);
}

#[test]
fn a_judge_may_sit_in_another_process() {
    let mut world = World::new();
    assert_eq!(
        world.spans(vec![saying(request(1), vec![served(1)]), inner(2, 1)]),
        [id(1)]
    );
    let joined = world
        .join
        .take(Vec::new(), vec![measured(2, "judge")], world.now, &mut world.tally);
    assert_eq!(joined.len(), 1);
    assert!(!joined[0].is_first, "the request counts once");
    assert_eq!(joined[0].values.len(), 1);
}

#[test]
fn a_span_that_comes_again_says_nothing_new() {
    let mut world = World::new();
    let span = saying(request(1), vec![served(1)]);
    assert_eq!(world.spans(vec![span.clone()]), [id(1)]);
    assert_eq!(world.spans(vec![span.clone(), span]), []);
    assert_eq!(world.dropped(Dropped::Repeated), 2);
    assert_eq!(
        world.items(vec![served(1)]),
        [],
        "nor does an evaluation that is told again"
    );
}

#[test]
fn a_request_is_remembered_for_what_is_told_late_and_then_forgotten() {
    let mut world = World::new();
    world.spans(vec![request(1)]);
    world.after(59);
    assert_eq!(world.items(vec![served(1)]), [id(1)]);
    world.after(1);
    assert_eq!(world.items(vec![served(1)]), []);
    world.after(60);
    assert_eq!(world.dropped(Dropped::NoSpan), 1);
}

#[test]
fn spans_that_are_their_own_ancestors_lead_nowhere() {
    let mut world = World::new();
    world.spans(vec![
        inner(1, 2),
        saying(inner(2, 1), vec![served(2)]),
        saying(inner(3, 3), vec![served(3)]),
    ]);
    assert_eq!(world.dropped(Dropped::TooDeep), 2);
}

#[test]
fn memory_is_bounded_in_spans_and_in_what_waits() {
    let mut world = World::new();
    world.spans((1..=250).map(request).collect());
    assert_eq!(world.join.size(), (100, 0));
    assert_eq!(world.items(vec![served(151)]), [id(151)], "the newest stay");
    world.items((0..25).map(|_| served(1)).collect());
    assert_eq!(world.join.size(), (100, 10));
    assert_eq!(world.dropped(Dropped::Full), 15);
    world.after(60);
    assert_eq!((world.join.size(), world.dropped(Dropped::NoSpan)), ((0, 0), 10));
}

proptest! {
    #[test]
    fn every_evaluation_is_joined_dropped_or_waits(
        steps in prop::collection::vec((1_u64..12, 0_u64..12, 0_u8..6, prop::bool::ANY), 0..60),
    ) {
        let mut world = World::new();
        let mut told = 0;
        for (span, parent, kind, together) in steps {
            told += u64::from(kind != 4);
            let item = vec![served(span)];
            match kind {
                0 => _ = world.take(vec![inner(span, parent)], item),
                1 => _ = world.take(vec![request(span)], item),
                2 => _ = world.take(vec![of("stock", untold(span, parent))], item),
                3 if together => _ = world.take(vec![inner(span, parent), untold(parent + 1, span)], item),
                4 => _ = world.after(20),
                _ => _ = world.items(item),
            }
        }
        world.after(60);
        prop_assert_eq!(world.join.size(), (0, 0));
        let dropped: u64 = world.tally.dropped.iter()
            .filter(|(reason, _)| **reason != Dropped::Repeated)
            .map(|(_, times)| times)
            .sum();
        prop_assert_eq!(world.tally.joined + dropped, told);
    }
}
