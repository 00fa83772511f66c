//! What a Prometheus is asked about the rollouts of a state: pure, and nothing but what their plans say.
//!
//! A rollout is asked about for as long as it is live, paused and held too: harm is looked at in every phase. A watch
//! is asked about while no rollout holds its flag, because such a rollout is measured by its own plan; and nothing but
//! what the conditions of its kill switch read, because nobody reads more: what has recovered after an abort, no level
//! says.

use evaluation::{Arm, Key};
use rollout::{
    Plan,
    catalogue::{MetricKey, Names, OwnDefinition, Query, Unit},
    criterion::Criterion,
};
use uuid::Uuid;

use crate::{push::place::arm_name, record::RolloutRecord, standing, state::State};

/// Which metric of which rollout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Subject {
    pub(super) environment: Key,
    pub(super) rollout: Uuid,
    /// Key of the metric.
    pub(super) metric: String,
}

/// What is asked of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    /// What its numbers are of.
    pub(super) unit: Unit,
    /// For so long an answer stands.
    pub(super) stands_for_us: i64,
    /// Of control, if it is another number than that of treatment.
    pub(super) control: Option<String>,
    /// Of treatment.
    pub(super) treatment: String,
}

/// All that is asked now, each with its interval.
pub(super) fn subjects(state: &State) -> Vec<(Subject, i64)> {
    let asked = state.rollouts.values().filter(|record| is_asked(state, record));
    let subjects = asked.flat_map(|record| {
        queries(record).map(move |(metric, _, query)| {
            let subject = Subject {
                environment: record.environment.clone(),
                rollout: record.id,
                metric,
            };
            (subject, query.interval_us)
        })
    });
    subjects.collect()
}

/// What is asked about one of them; nothing if it is not to be asked any more.
pub(super) fn question(state: &State, subject: &Subject) -> Option<Question> {
    let record = state.rollout(&subject.environment, subject.rollout)?;
    let record = Some(record).filter(|record| is_asked(state, record))?;
    let (_, own, query) = queries(record).find(|(metric, ..)| *metric == subject.metric)?;
    let served = served(state, record)?;
    let name = record.name();
    let of = |arm: Arm, variant: &str| {
        query.template.fill(&Names {
            arm: arm_name(arm),
            variant,
            flag: &record.plan.flag,
            environment: record.environment.as_str(),
            rollout: &name,
        })
    };
    let control = served.control.filter(|_| query.template.tells_arms_apart());
    Some(Question {
        unit: own.unit,
        stands_for_us: query.stands_for_us,
        control: control.map(|variant| of(Arm::Control, variant)),
        treatment: of(Arm::Treatment, served.treatment),
    })
}

/// What a Prometheus is asked for the metrics of a rollout, each by the key under which criteria know it.
pub(super) fn queries(record: &RolloutRecord) -> impl Iterator<Item = (String, &OwnDefinition, &Query)> {
    let queries = record.plan.metrics.iter().filter_map(|own| {
        let metric = MetricKey::new(&own.key).ok()?;
        Some((metric.as_str().to_owned(), own, own.prometheus.as_ref()?))
    });
    queries.filter(|(metric, ..)| !record.standing || trips_by(&record.plan, metric))
}

/// Whether a condition of a plan's kill switch reads a metric.
fn trips_by(plan: &Plan, metric: &str) -> bool {
    let mut conditions = plan.kill_switch.iter().flat_map(|kill| &kill.conditions);
    conditions.any(|written| match written {
        Criterion::Compare(comparison) => comparison.metric.as_str() == metric,
        Criterion::Stable | Criterion::Parity => false,
    })
}

/// Whether a rollout is asked about now.
fn is_asked(state: &State, record: &RolloutRecord) -> bool {
    if record.standing {
        let flag = Key::parse(&record.plan.flag).ok();
        return flag.is_some_and(|flag| state.holder(&record.environment, &flag).is_none());
    }
    record.state.phase.is_live()
}

/// What the arms are served.
struct Served<'s> {
    treatment: &'s str,
    control: Option<&'s str>,
}

/// By its plan; where a kill switch stands, everybody is served the default of the flag.
fn served<'s>(state: &'s State, record: &'s RolloutRecord) -> Option<Served<'s>> {
    if !record.standing {
        return Some(Served {
            treatment: &record.plan.treatment,
            control: Some(&record.plan.control),
        });
    }
    let flag = Key::parse(&record.plan.flag).ok()?;
    let (default, _) = standing::served(state.flag(&record.environment, &flag)?)?;
    Some(Served {
        treatment: default,
        control: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use rollout::{
        Phase, Plan,
        catalogue::{Direction, Kind, Template},
        plan::KillSwitch,
    };

    use super::*;
    use crate::{
        builders::{World, flag, moved, plan_of, production},
        change::rollout as change,
        store::{Txn, keys, model},
    };

    fn own(key: &str, text: &str) -> OwnDefinition {
        OwnDefinition {
            key: key.to_owned(),
            kind: Kind::Gauge,
            unit: Unit::Duration,
            better: Direction::Lower,
            per: None,
            minimum: None,
            maximum: None,
            prometheus: Some(Query {
                template: Template::parse(text).unwrap(),
                interval_us: 7_000_000,
                stands_for_us: 21_000_000,
            }),
        }
    }

    fn plan(metrics: Vec<OwnDefinition>) -> Plan {
        Plan {
            metrics,
            ..plan_of("checkout", rollout::Unit::Unit, &[50], 0)
        }
    }

    /// A rollout under way with these metrics.
    fn world(metrics: Vec<OwnDefinition>) -> (World, Arc<RolloutRecord>) {
        let mut world = World::new();
        world.write(flag("checkout"));
        let (record, _) = world.start("checkout");
        let mut with = (*record).clone();
        with.plan = Arc::new(plan(metrics));
        let at = keys::rollout(&production(), record.id);
        world.commit(&Txn::default().put(at, model::write_rollout(&with)));
        let record = world.rollout(record.id);
        (world, record)
    }

    #[test]
    fn each_arm_has_its_own_query_and_one_for_both_is_asked_once() {
        let (world, record) = world(vec![
            own(
                "waiting",
                "x{v=\"{{variant}}\",a=\"{{arm}}\",r=\"{{rollout}}\",e=\"{{environment}}\"}",
            ),
            own("depth", "max(depth{f=\"{{flag}}\"})"),
            OwnDefinition {
                prometheus: None,
                ..own("pushed", "x")
            },
        ]);
        let asked = subjects(&world.state);
        let keys: Vec<_> = asked
            .iter()
            .map(|(subject, every_us)| (&*subject.metric, *every_us))
            .collect();
        assert_eq!(keys, [("waiting", 7_000_000), ("depth", 7_000_000)]);
        let waiting = question(&world.state, &asked[0].0).unwrap();
        let name = record.name();
        let of = |variant, arm| format!("x{{v=\"{variant}\",a=\"{arm}\",r=\"{name}\",e=\"production\"}}");
        assert_eq!(waiting.treatment, of("new", "treatment"));
        assert_eq!(waiting.control, Some(of("old", "control")));
        assert_eq!((waiting.unit, waiting.stands_for_us), (Unit::Duration, 21_000_000));
        let depth = question(&world.state, &asked[1].0).unwrap();
        assert_eq!((&*depth.treatment, depth.control), ("max(depth{f=\"checkout\"})", None));
    }

    #[test]
    fn a_rollout_is_asked_about_paused_and_held_too_and_not_after_its_end() {
        let (mut world, record) = world(vec![own("waiting", "x")]);
        let (subject, _) = subjects(&world.state).remove(0);
        for (phase, is_asked) in [
            (Phase::Soak, true),
            (Phase::Held, true),
            (Phase::Paused, true),
            (Phase::Aborting, false),
        ] {
            let moved = moved(&world.rollout(record.id), phase, "moved");
            world.commit(&change::rest(&world.rollout(record.id), &moved));
            assert_eq!(subjects(&world.state).len(), usize::from(is_asked), "{phase:?}");
            assert_eq!(question(&world.state, &subject).is_some(), is_asked, "{phase:?}");
        }
    }
    #[test]
    fn of_a_watch_nothing_is_asked_but_what_its_kill_switch_reads() {
        let metrics = || vec![own("waiting", "x{v=\"{{variant}}\"}"), own("depth", "y")];
        let (mut world, record) = world(metrics());
        let at = keys::rollout(&production(), record.id);
        let mut watch = RolloutRecord {
            standing: true,
            recovery_of: Some(Uuid::from_u128(7)),
            ..(*record).clone()
        };
        let free = Txn::default().delete(keys::active(&production(), &Key::parse("checkout").unwrap()));
        world.commit(&free.put(at.clone(), model::write_rollout(&watch)));
        assert_eq!(subjects(&world.state), [], "no level says what has recovered");
        watch.plan = Arc::new(Plan {
            kill_switch: Some(KillSwitch {
                flag: String::new(),
                auto_trip: true,
                conditions: vec!["waiting > 2 s".parse().unwrap()],
            }),
            ..plan(metrics())
        });
        world.commit(&Txn::default().put(at, model::write_rollout(&watch)));
        let asked = subjects(&world.state);
        let [(subject, _)] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        assert_eq!(subject.metric, "waiting");
        let waiting = question(&world.state, subject).unwrap();
        assert_eq!(
            (&*waiting.treatment, waiting.control),
            ("x{v=\"old\"}", None),
            "the default"
        );
        let unread = Subject {
            metric: "depth".to_owned(),
            ..subject.clone()
        };
        assert_eq!(question(&world.state, &unread), None);
    }
}
