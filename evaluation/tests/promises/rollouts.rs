//! A flag under a rollout: who gets which arm, what is told of it, and what stays outside.

use std::collections::BTreeMap;

use evaluation::{Arm, Context, Exposure, Flag, Json, Position, Reason, RolloutStep, bucket};

use crate::builders::{SALT, boolean, nothing, reached, rolled_out, rule, step, unit, variant};

#[test]
fn the_bucket_picks_the_arm_and_the_exposure_tells_all_of_it() {
    let flag = rolled_out(&boolean("a"), &step(30_000));
    for number in 0..1_000 {
        let name = format!("user-{number}");
        let drawn = bucket(SALT, &name);
        let (arm, variant) = if drawn < 30_000 {
            (Arm::Treatment, "on")
        } else {
            (Arm::Control, "off")
        };
        let decision = flag.evaluate(nothing(), &unit(&*name));
        assert_eq!(
            (decision.variant, decision.reason, decision.bucket),
            (Some(variant), Reason::Split, Some(drawn))
        );
        let position = Position::of(0x5eed, &name);
        assert_eq!(
            decision.exposure,
            Some(Exposure {
                rollout: 7,
                stage: 0,
                stratum: 0,
                arm,
                position
            })
        );
    }
}

#[test]
fn a_flag_under_a_rollout_is_never_static_at_no_share() {
    for share in [0, 1, 50_000, 100_000] {
        let flag = rolled_out(&boolean("a"), &step(share));
        let decision = flag.evaluate(nothing(), &unit("ada"));
        assert_eq!(decision.reason, Reason::Split, "share {share}");
        assert!(decision.exposure.is_some(), "share {share}");
        assert_eq!(flag.evaluate(nothing(), &Context::new()).reason, Reason::Default);
    }
}

#[test]
fn without_a_targeting_key_the_control_is_served_and_nobody_is_counted() {
    let flag = rolled_out(
        &Flag {
            default: variant("on"),
            ..boolean("a")
        },
        &step(100_000),
    );
    let decision = flag.evaluate(nothing(), &Context::new());
    assert_eq!((decision.variant, decision.reason), (Some("off"), Reason::Default));
    assert_eq!((decision.exposure, decision.error, decision.bucket), (None, None, None));
}

#[test]
fn the_largest_reached_share_counts_and_of_equals_the_earliest() {
    let cases = [
        (vec![(0, 1_000)], 0, 0),
        (vec![(0, 1_000), (1, 20_000)], 1, 1),
        // Rolled back to the first stage: what was reached since is not in the list any more.
        (vec![(3, 1_000)], 3, 3),
        (vec![(0, 50_000), (1, 20_000)], 1, 0),
        (vec![(2, 10_000), (5, 50_000), (1, 50_000), (0, 3)], 0, 5),
    ];
    for (stages, stage, stratum) in cases {
        let step = RolloutStep {
            stage,
            reached: stages
                .iter()
                .map(|(stage, share)| reached(*stage, *share, &[]))
                .collect(),
            ..step(0)
        };
        let largest = stages.iter().map(|(_, share)| *share).max().unwrap();
        let flag = rolled_out(&boolean("a"), &step);
        for number in 0..200 {
            let decision = flag.evaluate(nothing(), &unit(number.to_string()));
            let exposure = decision.exposure.unwrap();
            assert_eq!((exposure.stage, exposure.stratum), (stage, stratum), "{stages:?}");
            assert_eq!(
                exposure.arm == Arm::Treatment,
                decision.bucket.unwrap() < largest,
                "{stages:?}"
            );
        }
    }
}

#[test]
fn off_lists_and_rules_decide_before_the_rollout_and_are_not_counted() {
    let flag = Flag {
        deny: vec!["mallory".into()],
        allow: BTreeMap::from([("on".into(), vec!["ada".into()])]),
        rules: vec![rule("pros", "plan", &["pro"], variant("on"))],
        ..boolean("a")
    };
    let pro = unit("bob").with("plan", Json::Text("pro".into()));
    let off = rolled_out(
        &Flag {
            enabled: false,
            ..flag.clone()
        },
        &step(50_000),
    );
    let on = rolled_out(&flag, &step(50_000));
    for (flag, context) in [
        (&off, unit("bob")),
        (&on, unit("mallory")),
        (&on, unit("ada")),
        (&on, pro),
    ] {
        assert_eq!(flag.evaluate(nothing(), &context).exposure, None, "{context:?}");
    }
    assert!(on.evaluate(nothing(), &unit("bob")).exposure.is_some());
}
