//! Outages that both arms suffer: nobody takes them for treatment's doing, and what is over is let go.

use std::time::Duration;

use integration_tests::{
    flags,
    plans::{self, half_for_long},
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1;

/// Outcomes of treatment in the outage: a minute later they are still several times the limit in the visit.
const OUTAGE: u64 = 1_000;
/// A minute of both arms, the slot of ten seconds in which the outage ended, and room for a slow machine.
const LET_GO: Duration = Duration::from_secs(95);

fn is_held(rollout: &v1::Rollout, reason: &str) -> bool {
    rollout.hold_reasons.iter().any(|held| held == reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_at_a_stages_entry_holds_and_goes_on_when_it_is_over() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let guard = v1::Guard {
        harm: "error-rate > 2 %".to_owned(),
        ..v1::Guard::default()
    };
    let plan = v1::Plan {
        guards: vec![guard],
        ..plans::plan("checkout", &[half_for_long()])
    };
    system.operator.start(plan).await;
    let outage = Service::start(Traffic::of("checkout").failing(0.9, 0.9), &[&agent]).await;
    let held = system
        .operator
        .rollout_until("held", "checkout#1", |rollout| {
            is_held(rollout, "spill-over") || rollout.end.is_some()
        })
        .await;
    assert_eq!(held.end, None);
    system.operator.heard("checkout#1", OUTAGE).await;
    outage.stop().await;

    // In the whole visit both arms stay beyond the limit for minutes.
    let well = Service::start(Traffic::of("checkout").failing(0.001, 0.001), &[&agent]).await;
    let gone_on = wait::until_within(LET_GO, "it to go on", async || {
        let rollout = system.operator.try_rollout("checkout#1").await;
        let rollout = rollout.map_err(|status| status.to_string())?;
        let is_let_go = rollout.phase() != v1::RolloutPhase::Held || rollout.end.is_some();
        if is_let_go {
            Ok(rollout)
        } else {
            Err(format!("{:?}", rollout.guard_views))
        }
    })
    .await;
    assert_eq!((gone_on.phase(), gone_on.end), (v1::RolloutPhase::Soaking, None));
    assert!(gone_on.transitions.iter().any(|made| made.kind == "resumed"));
    well.stop().await;

    let replay = ["rollout", "replay", "checkout#1", "-o", "json"];
    let replayed = system.console().succeeds(&replay).await.json();
    let moves = replayed["moves"].as_array().unwrap();
    for kind in ["held", "resumed"] {
        assert!(moves.iter().any(|made| made["kind"] == kind), "{replayed:#}");
    }
    let differs = moves.iter().any(|made| made["agrees"] == false);
    assert!(!differs && replayed["decision"] == "same", "{replayed:#}");
    assert_eq!(replayed["own"]["reached"][1]["rung"], "hold", "{replayed:#}");
}
