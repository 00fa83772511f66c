//! Outages that both arms suffer: how long they hold, and when they abort.

use evaluation::Arm;
use rollout::{Guard, HoldReason, Unit, criterion::Criterion, guards::Levels};

use crate::{evidence::Examined, health::builders::*, record::RolloutRecord};

/// Seconds from batch to batch.
const STEP: i64 = 10;
const SPILL_OVER: [HoldReason; 1] = [HoldReason::SpillOver];

/// A rollout that has entered its only stage, with a limit of 2 %.
fn limited() -> RolloutRecord {
    let mut rollout = rollout_of(Unit::Unit, &[50], 86_400 * SECOND_US);
    let mut plan = (*rollout.plan).clone();
    let Ok(Criterion::Compare(harm)) = "error-rate > 2 %".parse() else {
        panic!("a comparison")
    };
    plan.guards = vec![Guard {
        harm,
        ..Guard::error_rate_above(1.0)
    }];
    rollout.plan = plan.into();
    rollout
}

/// Both arms have 640 outcomes in ten seconds, of which four in ten fail during the outage (seconds into the stage),
/// and none otherwise. What the guards say at each step: (second, whether it aborts, reasons to hold).
fn suffered(outage: std::ops::Range<i64>, until: i64) -> Vec<(i64, bool, Vec<HoldReason>)> {
    let rollout = limited();
    let (mut ledger, mut shelf) = (ledger(&rollout), Shelf::default());
    let mut said = Vec::new();
    for second in (STEP..=until).step_by(STEP as usize) {
        let bad = if outage.contains(&(second - STEP)) { 4 } else { 0 };
        let of = |arm| {
            let mut cell = cell(place(0, 0, arm), 640, 64 * bad, &[]);
            cell.metrics[0].buckets = (0..64).map(|bucket| (bucket, bad as i64, 10)).collect();
            cell
        };
        let mut frame = frame(&rollout, (second / STEP) as u64);
        frame.last_tick = START_TICK + second as u32;
        frame.cells = vec![of(Arm::Treatment), of(Arm::Control)];
        let now_us = START_US + second * SECOND_US;
        ledger.accept(&reporter("a"), &frame, now_us);
        shelf.seal_all(&mut ledger, &rollout, now_us);
        ledger = shelf.load(&rollout);
        let examined = Examined {
            rollout: &rollout,
            evidence: ledger.record(),
        };
        let found = examined.examine(&Levels::new(), now_us);
        said.push((second, found.rule.is_some(), found.holds));
    }
    said
}

/// The seconds at which it is held, the first and the last, and by what; and when it aborts first.
fn held(said: &[(i64, bool, Vec<HoldReason>)], reasons: &[HoldReason]) -> (Option<(i64, i64)>, Option<i64>) {
    let mut held = said
        .iter()
        .filter(|(_, _, holds)| holds == reasons)
        .map(|(second, ..)| *second);
    let first = held.next();
    let span = first.map(|first| (first, held.next_back().unwrap_or(first)));
    let aborts = said.iter().find(|(_, aborts, _)| *aborts).map(|(second, ..)| *second);
    (span, aborts)
}

#[test]
fn an_outage_at_a_stages_entry_that_is_over_is_let_go() {
    let said = suffered(0..60, 900);
    let (Some((first, last)), None) = held(&said, &SPILL_OVER) else {
        panic!("{said:?}")
    };
    assert_eq!(first, 10);
    assert!((60..=120).contains(&last), "{last}");
}

#[test]
fn an_outage_at_a_stages_entry_that_stays_aborts_after_five_minutes() {
    let said = suffered(0..900, 400);
    assert_eq!(held(&said, &SPILL_OVER), (Some((10, 300)), Some(310)));
}

#[test]
fn an_outage_in_the_middle_of_a_stage_is_let_go_soon_after_its_end() {
    let said = suffered(400..460, 900);
    let (Some((first, last)), None) = held(&said, &[HoldReason::Incident]) else {
        panic!("{said:?}")
    };
    assert!((410..=460).contains(&first), "{first}");
    assert!((460..=550).contains(&last), "{last}");
    let lasting = suffered(400..1_000, 1_000);
    assert_eq!(held(&lasting, &[HoldReason::Incident]), (Some((first, 1_000)), None));
}
