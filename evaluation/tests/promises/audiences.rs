//! The audiences of a rollout's reached stages: who gets which share, who stays outside, and that nobody ever leaves.

use evaluation::{
    Arm, CompiledFlag, Context, Decision, EntryKind, Exposure, Flag, Json, Position, ReachedStage, Reason, RolloutStep,
    Segment, Snapshot, StepKind, Test, bucket,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::builders::{
    SALT, boolean, compiled_segment, condition, in_segment, nothing, on_for, reached, rolled_out, rule, segment,
    snapshot, step, test, text, texts, unit, variant,
};

/// A segment of these units.
fn of(key: &str, members: &[&str]) -> Segment {
    Segment {
        included: texts(members),
        ..segment(key)
    }
}

/// Staff are ada and bob, beta testers bob and eve.
fn world(flag: CompiledFlag) -> Snapshot {
    let segments = [of("staff", &["ada", "bob"]), of("beta", &["bob", "eve"])];
    snapshot(vec![flag], segments.iter().map(compiled_segment).collect())
}

fn decide<'s>(snapshot: &'s Snapshot, context: &Context) -> Decision<'s> {
    snapshot.flag("a").unwrap().evaluate(snapshot, context)
}

/// A rollout that has reached these stages and is in the last of them.
fn at(stages: Vec<ReachedStage>) -> RolloutStep {
    RolloutStep {
        stage: stages.last().unwrap().stage,
        reached: stages,
        ..step(0)
    }
}

#[test]
fn the_largest_share_of_the_audiences_that_have_the_unit_counts_and_of_equals_the_earliest() {
    // Stages, then the reached stage that gives ada, bob, eve and zoe their share.
    let cases = [
        (
            vec![reached(0, 100_000, &["staff"]), reached(1, 5_000, &[])],
            [0, 0, 1, 1],
        ),
        (
            vec![
                reached(0, 50_000, &["staff"]),
                reached(1, 80_000, &["beta"]),
                reached(2, 1_000, &[]),
            ],
            [0, 1, 1, 2],
        ),
        (
            vec![
                reached(4, 30_000, &["beta"]),
                reached(2, 30_000, &["staff"]),
                reached(3, 30_000, &[]),
            ],
            [2, 4, 4, 3],
        ),
        (
            vec![reached(0, 10_000, &["staff"]), reached(1, 20_000, &[])],
            [1, 1, 1, 1],
        ),
        (
            vec![reached(0, 0, &[]), reached(1, 60_000, &["beta", "staff"])],
            [1, 1, 1, 0],
        ),
        (vec![reached(0, 0, &[]), reached(1, 70_000, &["beta"])], [0, 1, 1, 0]),
    ];
    for (stages, expected) in cases {
        let current = stages.last().unwrap().stage;
        let all = world(rolled_out(&boolean("a"), &at(stages.clone())));
        for (name, stratum) in ["ada", "bob", "eve", "zoe"].into_iter().zip(expected) {
            let giving = stages.iter().find(|stage| stage.stage == stratum).unwrap();
            let decision = decide(&all, &unit(name));
            let arm = if bucket(SALT, name) < giving.share.get() {
                Arm::Treatment
            } else {
                Arm::Control
            };
            let exposure = Exposure {
                rollout: 7,
                stage: current,
                stratum,
                arm,
                position: Position::of(0x5eed, name),
            };
            assert_eq!(decision.exposure, Some(exposure), "{name}: {stages:?}");
            assert_eq!(
                decision.variant == Some("on"),
                arm == Arm::Treatment,
                "{name}: {stages:?}"
            );
            assert_eq!(
                (decision.reason, decision.bucket),
                (Reason::Split, Some(bucket(SALT, name)))
            );
        }
    }
}

#[test]
fn who_is_in_no_audience_gets_the_default_is_never_counted_and_never_cached() {
    for share in [0, 100_000] {
        for shadow in [false, true] {
            let step = RolloutStep {
                shadow,
                ..at(vec![reached(0, share, &["staff"])])
            };
            let all = world(rolled_out(&boolean("a"), &step));
            for context in [unit("zoe"), Context::new()] {
                let decision = decide(&all, &context);
                assert_eq!((decision.variant, decision.reason), (Some("off"), Reason::Default));
                assert_eq!(
                    (decision.exposure, decision.bucket, decision.shadow),
                    (None, None, false)
                );
            }
        }
    }
    let split = Flag {
        default: on_for(100_000),
        ..boolean("a")
    };
    let all = world(rolled_out(&split, &at(vec![reached(0, 0, &["staff"])])));
    let decision = decide(&all, &unit("zoe"));
    assert_eq!(
        (decision.variant, decision.reason, decision.exposure),
        (Some("on"), Reason::Split, None)
    );
}

#[test]
fn who_is_in_an_audience_but_is_nobody_to_draw_gets_the_control() {
    let pros = Segment {
        groups: vec![vec![condition("plan", &["pro"])]],
        ..segment("pros")
    };
    let flag = Flag {
        default: variant("on"),
        ..boolean("a")
    };
    let flag = rolled_out(&flag, &at(vec![reached(0, 100_000, &["pros"])]));
    let all = snapshot(vec![flag], vec![compiled_segment(&pros)]);
    let decision = decide(&all, &Context::new().with("plan", text("pro")));
    assert_eq!(
        (decision.variant, decision.reason, decision.exposure),
        (Some("off"), Reason::Default, None)
    );
    let decision = decide(&all, &Context::new().with("plan", text("free")));
    assert_eq!((decision.variant, decision.reason), (Some("on"), Reason::Default));
}

#[test]
fn a_segment_that_is_not_there_or_too_deep_to_be_asked_has_nobody() {
    let flag = || {
        rolled_out(
            &boolean("a"),
            &at(vec![reached(0, 100_000, &["s00"]), reached(1, 0, &[])]),
        )
    };
    assert_eq!(
        flag().evaluate(nothing(), &unit("ada")).exposure.unwrap().stratum,
        1,
        "it is not there"
    );
    let chain = |length: usize| {
        let link = |at: usize| Segment {
            groups: vec![vec![if at + 1 < length {
                in_segment(&[&format!("s{:02}", at + 1)])
            } else {
                test("targetingKey", Test::Exists)
            }]],
            ..segment(&format!("s{at:02}"))
        };
        snapshot(
            vec![flag()],
            (0..length).map(|at| compiled_segment(&link(at))).collect(),
        )
    };
    let stratum = |length: usize| decide(&chain(length), &unit("ada")).exposure.unwrap().stratum;
    assert_eq!((stratum(1), stratum(16), stratum(17)), (0, 0, 1));
}

#[test]
fn a_rollout_may_draw_by_other_attributes_than_its_flag() {
    let by = |of_flag: &[&str], of_step: &[&str]| {
        let flag = Flag {
            bucket_by: texts(of_flag),
            rules: vec![rule("never", "account", &["nobody's"], variant("on"))],
            default: on_for(50_000),
            ..boolean("a")
        };
        let step = RolloutStep {
            bucket_by: texts(of_step),
            ..step(30_000)
        };
        rolled_out(&flag, &step)
    };
    let context = unit("ada")
        .with("account", text("acme"))
        .with("order", Json::Number(42.0));
    let cases: [(&[&str], &[&str], Option<&str>); 7] = [
        (&[], &[], Some("ada")),
        (&[], &["account"], Some("acme")),
        (&["account"], &[], Some("acme")),
        (&["account"], &["targetingKey"], Some("ada")),
        (&["account"], &["missing", "order", "account"], Some("42")),
        (&["account"], &["missing", "targetingKey"], Some("ada")),
        (&["account"], &["missing"], None),
    ];
    for (of_flag, of_step, name) in cases {
        let flag = by(of_flag, of_step);
        let decision = flag.evaluate(nothing(), &context);
        assert_eq!(
            decision.bucket,
            name.map(|name| bucket(SALT, name)),
            "{of_flag:?} {of_step:?}"
        );
        let position = decision.exposure.map(|exposure| exposure.position);
        assert_eq!(
            position,
            name.map(|name| Position::of(0x5eed, name)),
            "{of_flag:?} {of_step:?}"
        );
        assert_eq!(
            decision.reason == Reason::Default,
            name.is_none(),
            "{of_flag:?} {of_step:?}"
        );
    }
}

#[test]
fn flags_that_differ_only_in_what_their_rollouts_draw_by_do_not_share_names() {
    let ruled = Flag {
        rules: vec![rule("never", "plan", &["none"], variant("on"))],
        ..boolean("a")
    };
    let by = |name: &str| {
        let step = RolloutStep {
            bucket_by: texts(&[name]),
            ..step(30_000)
        };
        rolled_out(&ruled, &step)
    };
    let (account, order, long) = (by("account"), by("order"), by("a-much-longer-name"));
    let context = Context::new()
        .with("account", text("acme"))
        .with("order", text("o-1"))
        .with("a-much-longer-name", text("long"));
    for (flag, name) in [(&account, "acme"), (&order, "o-1"), (&long, "long")] {
        assert_eq!(
            flag.evaluate(nothing(), &context).bucket,
            Some(bucket(SALT, name)),
            "{name}"
        );
    }
}

#[test]
fn in_shadow_units_are_assigned_as_ever_and_all_are_served_the_control() {
    let stages = || vec![reached(0, 100_000, &["staff"]), reached(1, 40_000, &[])];
    let live = world(rolled_out(&boolean("a"), &at(stages())));
    let shadow = RolloutStep {
        shadow: true,
        ..at(stages())
    };
    let shadow = world(rolled_out(&boolean("a"), &shadow));
    let mut arms = [0, 0];
    for name in (0..200)
        .map(|number| format!("user-{number}"))
        .chain(["ada".to_owned()])
    {
        let (live, shadow) = (decide(&live, &unit(&*name)), decide(&shadow, &unit(&*name)));
        assert_eq!((live.exposure, live.bucket), (shadow.exposure, shadow.bucket), "{name}");
        assert_eq!((live.shadow, shadow.shadow), (false, true));
        assert_eq!((shadow.variant, shadow.reason), (Some("off"), Reason::Split), "{name}");
        arms[usize::from(u8::from(shadow.exposure.unwrap().arm))] += 1;
    }
    assert!(arms[0] > 0 && arms[1] > 0, "{arms:?}");
}

#[test]
fn a_flag_reads_the_segments_of_its_rollout() {
    let flag = Flag {
        rules: vec![rule("r", "plan", &["pro"], variant("on"))],
        ..boolean("a")
    };
    let stages = vec![reached(0, 10, &["staff", "beta"]), reached(1, 5, &["beta", "late"])];
    let read: Vec<_> = rolled_out(&flag, &at(stages))
        .reads()
        .map(|(kind, key)| (kind, key.to_owned()))
        .collect();
    let segment = |key: &str| (EntryKind::Segment, key.to_owned());
    assert_eq!(read, [segment("staff"), segment("beta"), segment("late")]);
}

#[test]
fn the_reached_stage_that_matched_is_told_or_that_none_does_and_the_bucket_in_any_case() {
    let stages = vec![
        reached(0, 100_000, &["beta", "staff"]),
        reached(1, 2_500, &["staff", "late"]),
    ];
    let told = |step: &RolloutStep, context: &Context| {
        let all = world(rolled_out(&boolean("a"), step));
        let explained = all.flag("a").unwrap().explain(&all, context);
        let step = explained
            .steps
            .into_iter()
            .find(|step| step.kind == StepKind::Rollout)
            .unwrap();
        (step.decided, step.detail, step.bucket)
    };
    let live = at(stages);
    assert_eq!(
        told(&live, &unit("ada")),
        (
            true,
            "stage 1 serves the treatment; the treatment's share is 100 %, by reached stage 0 for segment staff".into(),
            Some(bucket(SALT, "ada"))
        )
    );
    assert_eq!(
        told(&live, &unit("zoe")),
        (
            false,
            "the context is in the audience of no reached stage: segment beta, staff, late".into(),
            Some(bucket(SALT, "zoe"))
        )
    );
    assert_eq!(told(&live, &Context::new()).2, None);
    let shadow = RolloutStep { shadow: true, ..live };
    assert_eq!(
        told(&shadow, &unit("bob")).1,
        "stage 1 assigns the treatment, in shadow of the control; the treatment's share is 100 %, by reached stage 0 for \
         segment beta"
    );
}

/// How many segments the laws know: one for each bit of a caller.
const SEGMENTS: u8 = 4;

/// Any stages with any audiences among `s0` to `s3`, a name now and then twice.
fn any_stages() -> impl Strategy<Value = Vec<ReachedStage>> {
    let share = prop_oneof![1 => Just(0), 1 => Just(100_000), 2 => Just(30_000), 4 => 0_u32..=100_000];
    let audience = vec(0..SEGMENTS, 0..4);
    vec((share, audience), 1..=16).prop_map(|stages| {
        let stages = (0..).zip(stages);
        let stages = stages.map(|(stage, (share, audience))| ReachedStage {
            audience: audience.iter().map(|number| format!("s{number}")).collect(),
            ..reached(stage, share, &[])
        });
        stages.collect()
    })
}

/// A snapshot in which `a` is rolled out so, and who has an attribute `s0` is in segment `s0`.
fn rolling(step: &RolloutStep) -> Snapshot {
    let segments = (0..SEGMENTS).map(|number| {
        let key = format!("s{number}");
        compiled_segment(&Segment {
            groups: vec![vec![test(&key, Test::Exists)]],
            ..segment(&key)
        })
    });
    snapshot(vec![rolled_out(&boolean("a"), step)], segments.collect())
}

/// A caller who is in the segments of these bits.
fn caller(name: &str, bits: u8) -> Context {
    let segments = (0..SEGMENTS).filter(|number| bits >> number & 1 == 1);
    segments.fold(unit(name), |context, number| {
        context.with(format!("s{number}"), Json::Boolean(true))
    })
}

/// The reached stage that gives such a caller a share, by the words of the rule.
fn largest_matching(stages: &[ReachedStage], bits: u8) -> Option<&ReachedStage> {
    let is_in = |segment: &String| bits >> segment[1..].parse::<u8>().unwrap() & 1 == 1;
    let matching = stages
        .iter()
        .filter(|stage| stage.audience.is_empty() || stage.audience.iter().any(is_in));
    matching.reduce(|largest, next| if next.share > largest.share { next } else { largest })
}

proptest! {
    #[test]
    fn whoever_gets_a_share_gets_the_largest_that_an_audience_gives(
        stages in any_stages(), bits in 0..1_u8 << SEGMENTS, name in "[a-z]{1,9}", shadow in any::<bool>(),
    ) {
        let step = RolloutStep { shadow, ..at(stages.clone()) };
        let all = rolling(&step);
        let context = caller(&name, bits);
        let decision = decide(&all, &context);
        prop_assert_ne!(decision.reason, Reason::Static);
        match largest_matching(&stages, bits) {
            None => prop_assert_eq!((decision.exposure, decision.reason), (None, Reason::Default)),
            Some(giving) => {
                let exposure = decision.exposure.unwrap();
                let arm = if bucket(SALT, &name) < giving.share.get() { Arm::Treatment } else { Arm::Control };
                prop_assert_eq!((exposure.stage, exposure.stratum, exposure.arm), (step.stage, giving.stage, arm));
                prop_assert_eq!(decision.variant == Some("on"), arm == Arm::Treatment && !shadow);
            }
        }
        prop_assert_eq!(all.flag("a").unwrap().explain(&all, &context).decision, decision);
    }

    #[test]
    fn units_only_ever_join_as_further_stages_are_reached_and_keep_their_bucket(
        stages in any_stages(), bits in 0..1_u8 << SEGMENTS, name in "[a-z]{1,9}",
    ) {
        let mut was_in = false;
        for reached in 1..=stages.len() {
            let all = rolling(&at(stages[..reached].to_vec()));
            let decision = decide(&all, &caller(&name, bits));
            let is_in = decision.exposure.is_some_and(|exposure| exposure.arm == Arm::Treatment);
            prop_assert!(is_in || !was_in, "left at stage {}", reached - 1);
            prop_assert!(decision.bucket.is_none_or(|drawn| drawn == bucket(SALT, &name)));
            was_in = is_in;
        }
    }
}
