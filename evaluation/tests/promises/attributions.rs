//! Which exposure a served variant was: what was served is recognised, and what could have been something else is not.

use evaluation::{
    Arm, Attributed, CompiledFlag, Context, Flag, Place, Position, Reason, RolloutStep, Served, Unattributed,
};
use proptest::prelude::*;

use crate::builders::{
    boolean, nothing, prerequisite, reached, rolled_out, rule, segment, snapshot, step, string, text, texts, unit,
    variant,
};

/// The rollout of every flag here, in its stage 0.
const PLACE: Place = Place {
    rollout: 7,
    stage: 0,
    stratum: 0,
};

/// A variant that a bucket gave to somebody unknown.
fn served(variant: &str) -> Served<'_> {
    Served {
        variant,
        targeting_key: None,
        place: None,
        is_targeted: true,
    }
}

fn to<'t>(variant: &'t str, targeting_key: &'t str) -> Served<'t> {
    Served {
        targeting_key: Some(targeting_key),
        ..served(variant)
    }
}

fn at(place: Place, served: Served<'_>) -> Served<'_> {
    Served {
        place: Some(place),
        ..served
    }
}

fn attribute(flag: &CompiledFlag, served: &Served<'_>) -> Result<Attributed, Unattributed> {
    flag.attribute(nothing(), served)
}

/// Half of everybody, and of each arm its variant, somebody, and the arm.
fn half() -> (CompiledFlag, [(&'static str, &'static str, Arm); 2]) {
    let flag = rolled_out(&boolean("a"), &step(50_000));
    let somebody = |variant| {
        let gets_it = |name: &&str| flag.evaluate(nothing(), &unit(*name)).variant == Some(variant);
        ["ada", "bob", "eve", "zoe", "kim", "lee"]
            .into_iter()
            .find(gets_it)
            .unwrap()
    };
    let people = [
        ("on", somebody("on"), Arm::Treatment),
        ("off", somebody("off"), Arm::Control),
    ];
    (flag, people)
}

proptest! {
    #[test]
    fn what_the_rollout_served_to_a_targeting_key_is_the_exposure_that_it_was(
        name in "[a-z]{1,8}", share in 0_u32..=100_000, told in any::<bool>(),
    ) {
        let flag = rolled_out(&boolean("a"), &step(share));
        let decision = flag.evaluate(nothing(), &unit(&*name));
        let mut report = to(decision.variant.unwrap(), &name);
        report.place = told.then_some(PLACE);
        prop_assert_eq!(attribute(&flag, &report), Ok(decision.exposure.unwrap().into()));
    }
}

#[test]
fn who_is_not_named_is_of_the_variants_arm_and_of_no_position() {
    let (flag, people) = half();
    for (variant, _, arm) in people {
        for report in [served(variant), at(PLACE, served(variant)), to(variant, "")] {
            let (place, position) = (PLACE, None);
            assert_eq!(
                attribute(&flag, &report),
                Ok(Attributed { place, arm, position }),
                "{report:?}"
            );
        }
    }
}

#[test]
fn a_place_that_is_told_need_not_be_the_current_one() {
    let step = RolloutStep {
        stage: 1,
        reached: vec![reached(0, 10_000, &[]), reached(1, 50_000, &[])],
        ..step(0)
    };
    let flag = rolled_out(&boolean("a"), &step);
    let attributed = attribute(&flag, &at(PLACE, to("off", "ada"))).unwrap();
    assert_eq!((attributed.place, attributed.arm), (PLACE, Arm::Control));
    assert_eq!(attributed.position, Some(Position::of(step.measuring_key, "ada")));
    let other = Place { rollout: 8, ..PLACE };
    assert_eq!(
        attribute(&flag, &at(other, served("on"))),
        Err(Unattributed::AnotherRollout)
    );
}

#[test]
fn a_unit_of_the_other_arm_is_recognised() {
    let (flag, [(on, _, _), (_, control, arm)]) = half();
    let (place, position) = (PLACE, Some(Position::of(0x5eed, control)));
    let by_now = Attributed { place, arm, position };
    for report in [to(on, control), at(PLACE, to(on, control))] {
        assert_eq!(attribute(&flag, &report), Err(Unattributed::OtherArm(by_now)));
    }
}

#[test]
fn a_flag_without_a_rollout_and_a_variant_of_neither_arm_name_nothing() {
    let plain = crate::builders::compiled(&boolean("a"));
    assert_eq!(attribute(&plain, &served("on")), Err(Unattributed::NoRollout));
    let ruled = Flag {
        rules: vec![rule("r", "plan", &["gold"], variant("on"))],
        ..boolean("a")
    };
    let ruled = crate::builders::compiled(&ruled);
    assert_eq!(attribute(&ruled, &served("on")), Err(Unattributed::NoRollout));
    let three = rolled_out(&string("a", &["off", "on", "third"]), &step(50_000));
    for report in [served("third"), at(PLACE, served("third")), served("unheard-of")] {
        assert_eq!(attribute(&three, &report), Err(Unattributed::NotExposed));
    }
}

#[test]
fn who_is_on_a_list_was_not_exposed_and_who_may_be_on_one_is_ambiguous() {
    let listed = Flag {
        allow: [("on".to_owned(), texts(&["ada"]))].into(),
        ..boolean("a")
    };
    let flag = rolled_out(&listed, &step(50_000));
    assert_eq!(attribute(&flag, &to("on", "ada")), Err(Unattributed::NotExposed));
    assert_eq!(attribute(&flag, &served("on")), Err(Unattributed::Ambiguous));
    assert!(
        attribute(&flag, &at(PLACE, served("on"))).is_ok(),
        "only the rollout has a place"
    );
}

#[test]
fn what_attributes_could_have_decided_is_ambiguous_without_a_place() {
    let boolean = boolean("a");
    let ruled = Flag {
        rules: vec![rule("r", "plan", &["gold"], variant("on"))],
        ..boolean.clone()
    };
    let waiting = Flag {
        prerequisites: vec![prerequisite("b", &["on"])],
        ..boolean.clone()
    };
    let with_audience = |reached| RolloutStep { reached, ..step(0) };
    let some = with_audience(vec![reached(0, 50_000, &["staff"]), reached(1, 10_000, &[])]);
    let closed = with_audience(vec![reached(0, 50_000, &["staff"])]);
    let by_account = |flag: &Flag| Flag {
        bucket_by: texts(&["account"]),
        ..flag.clone()
    };
    let own = RolloutStep {
        bucket_by: texts(&["account"]),
        ..step(50_000)
    };
    let half = step(50_000);
    let cases = [
        (&ruled, &half),
        (&waiting, &half),
        (&boolean, &some),
        (&boolean, &closed),
    ];
    for (flag, step) in cases {
        let flag = rolled_out(flag, step);
        for report in [to("on", "ada"), served("on")] {
            assert_eq!(attribute(&flag, &report), Err(Unattributed::Ambiguous), "{report:?}");
        }
        assert!(attribute(&flag, &at(PLACE, served("on"))).is_ok());
    }
    // Here nothing but the unit is unknown: the variant tells the arm, the targeting key tells nothing.
    for flag in [rolled_out(&by_account(&boolean), &half), rolled_out(&boolean, &own)] {
        for report in [to("on", "ada"), served("on"), at(PLACE, to("on", "ada"))] {
            let attributed = attribute(&flag, &report).unwrap();
            assert_eq!((attributed.arm, attributed.position), (Arm::Treatment, None));
        }
    }
}

#[test]
fn without_a_unit_only_a_reason_that_targets_was_an_exposure() {
    let (flag, _) = half();
    let nobody = flag.evaluate(nothing(), &Context::new());
    assert_eq!((nobody.variant, nobody.reason), (Some("off"), Reason::Default));
    let report = Served {
        is_targeted: false,
        ..served("off")
    };
    assert_eq!(attribute(&flag, &report), Err(Unattributed::Ambiguous));
}

#[test]
fn in_shadow_only_the_unit_tells_the_arm() {
    let shadow = RolloutStep {
        shadow: true,
        ..step(50_000)
    };
    let (flag, (_, people)) = (rolled_out(&boolean("a"), &shadow), half());
    for (_, name, arm) in people {
        for report in [to("off", name), at(PLACE, to("off", name))] {
            assert_eq!(attribute(&flag, &report).unwrap().arm, arm, "{name}");
        }
    }
    for report in [served("off"), at(PLACE, served("off"))] {
        assert_eq!(attribute(&flag, &report), Err(Unattributed::Ambiguous));
    }
    assert_eq!(attribute(&flag, &served("on")), Err(Unattributed::NotExposed));
}

#[test]
fn an_audience_is_no_obstacle_where_the_place_is_told() {
    let step = RolloutStep {
        reached: vec![reached(0, 50_000, &["staff"]), reached(1, 10_000, &[])],
        ..step(0)
    };
    let flag = rolled_out(&boolean("a"), &step);
    let staff = crate::builders::compiled_segment(&segment("staff"));
    let world = snapshot(vec![flag], vec![staff]);
    let flag = world.flag("a").unwrap();
    for stratum in [0, 1] {
        let place = Place { stratum, ..PLACE };
        let shares = [50_000, 10_000];
        for name in ["ada", "bob", "eve", "zoe"] {
            let drawn = evaluation::bucket(crate::builders::SALT, name) < shares[usize::from(stratum)];
            let attributed = flag.attribute(&world, &at(place, to(if drawn { "on" } else { "off" }, name)));
            assert_eq!(attributed.unwrap().place, place);
        }
    }
    let context = Context::new().with("plan", text("gold"));
    assert!(flag.evaluate(&world, &context).exposure.is_none());
}
