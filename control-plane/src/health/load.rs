//! A ledger out of the store: what sealing wrote, read back.
//!
//! Marks, positions, samples and evidence were written in transactions that hold all of them, and only the collector
//! writes them, so ranges read one after the other agree. A value that cannot be read stops the counting of its
//! rollout, never that of another.

use std::{collections::BTreeMap, sync::Arc};

use evaluation::Key;
use rollout::evidence::unit::Positions;
use uuid::Uuid;

use super::{
    dots::Dots,
    ledger::{Ledger, Samples},
    marks::Marks,
};
use crate::store::{
    self, Item, Order, Store, keys,
    model::{self, ModelError, PositionPage, SampleSet},
};

/// Items of one read.
const PAGE: usize = 256;

/// Why a ledger could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored value makes no sense.
    #[error("a stored part of the evidence {0}")]
    Model(#[from] ModelError),
}

/// What the store holds of one rollout's health; sealed inputs are for replays and not read.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) evidence: Option<Item>,
    pub(super) sums: Vec<Item>,
    pub(super) hours: Vec<Item>,
    pub(super) positions: Vec<Item>,
    pub(super) samples: Vec<Item>,
    pub(super) marks: Vec<Item>,
}

/// Loads the ledger of a rollout; an empty one if nothing of it was ever sealed.
pub(crate) async fn load(
    store: &Arc<dyn Store>,
    environment: &Key,
    rollout: Uuid,
    index: u32,
) -> Result<Ledger, LoadError> {
    let stored = Stored {
        evidence: store.get(&keys::evidence(environment, rollout)).await?,
        sums: all(store, &keys::sums(environment, rollout)).await?,
        hours: all(store, &keys::hours(environment, rollout)).await?,
        positions: all(store, &keys::positions(environment, rollout)).await?,
        samples: all(store, &keys::samples(environment, rollout)).await?,
        marks: all(store, &keys::marks(environment, rollout)).await?,
    };
    Ok(Ledger::read(environment.clone(), rollout, index, &stored)?)
}

async fn all(store: &Arc<dyn Store>, prefix: &[u8]) -> Result<Vec<Item>, store::Error> {
    let mut items = Vec::<Item>::new();
    loop {
        let after = items.last().map(|item| item.key.clone());
        let page = store.range(prefix, after.as_deref(), PAGE, Order::Ascending).await?;
        items.extend(page.items);
        if !page.more {
            return Ok(items);
        }
    }
}

impl Ledger {
    /// The ledger as it was after its last transaction.
    pub(super) fn read(environment: Key, rollout: Uuid, index: u32, stored: &Stored) -> Result<Self, ModelError> {
        let mut ledger = Self::new(environment, rollout, index);
        if let Some(item) = &stored.evidence {
            ledger.record = model::read_evidence(&item.value, item.modified)?;
            ledger.sealed_at_us = ledger.record.sealed_at_us;
        }
        let prefix = keys::sums(&ledger.environment, rollout);
        for item in &stored.sums {
            let [stage, a, b, c, d] = suffix(&prefix, item, "sums.visit")?;
            let visit = (stage, u32::from_be_bytes([a, b, c, d]));
            ledger
                .record
                .sums
                .insert(visit, Arc::new(model::read_sums(&item.value)?));
        }
        let prefix = keys::hours(&ledger.environment, rollout);
        for item in &stored.hours {
            let [stage, a, b, c, d, hour] = suffix(&prefix, item, "hours.visit")?;
            let visit = (stage, u32::from_be_bytes([a, b, c, d]));
            let sums = Arc::new(model::read_sums(&item.value)?);
            ledger.record.hours.insert((visit, hour), sums);
        }
        ledger.failed = read_positions(&keys::positions(&ledger.environment, rollout), &stored.positions)?;
        ledger.samples = read_samples(&keys::samples(&ledger.environment, rollout), &stored.samples)?;
        let prefix = keys::marks(&ledger.environment, rollout);
        let pages = stored.marks.iter().map(|item| {
            let number = u32::from_be_bytes(suffix(&prefix, item, "marks.page")?);
            Ok((
                usize::try_from(number).map_err(|_| ModelError::Field("marks.page"))?,
                item.value.clone(),
            ))
        });
        ledger.durable = Marks::read(&pages.collect::<Result<Vec<_>, ModelError>>()?)?;
        ledger.dots = Dots::of(&ledger.durable);
        Ok(ledger)
    }
}

/// What stands behind the prefix of a key.
fn suffix<const BYTES: usize>(prefix: &[u8], item: &Item, field: &'static str) -> Result<[u8; BYTES], ModelError> {
    let rest = item.key.strip_prefix(prefix).and_then(|rest| rest.try_into().ok());
    rest.ok_or(ModelError::Field(field))
}

type Failed = BTreeMap<u32, BTreeMap<(u16, u8), Positions>>;
type Bitmaps = BTreeMap<(u32, u16, u8), Vec<(usize, Vec<u8>)>>;

fn read_positions(prefix: &[u8], items: &[Item]) -> Result<Failed, ModelError> {
    let mut bitmaps = Bitmaps::new();
    for item in items {
        let [a, b, c, d, page] = suffix(prefix, item, "positions.page")?;
        let horizon = u32::from_be_bytes([a, b, c, d]);
        for ((metric, stratum), bits) in PositionPage::read(&item.value)? {
            bitmaps
                .entry((horizon, metric, stratum))
                .or_default()
                .push((usize::from(page), bits));
        }
    }
    let mut failed = Failed::new();
    for ((horizon, metric, stratum), pages) in bitmaps {
        let pages = pages.iter().map(|(number, bits)| (*number, bits.as_slice()));
        let set = Positions::from_pages(pages).map_err(|_| ModelError::Field("positions.bits"))?;
        failed.entry(horizon).or_default().insert((metric, stratum), set);
    }
    Ok(failed)
}

fn read_samples(prefix: &[u8], items: &[Item]) -> Result<BTreeMap<(u8, u32), Samples>, ModelError> {
    let read = items.iter().map(|item| {
        let [stage, a, b, c, d] = suffix(prefix, item, "samples.visit")?;
        let set = SampleSet::read(&item.value)?;
        Ok((
            (stage, u32::from_be_bytes([a, b, c, d])),
            Samples { set, is_dirty: false },
        ))
    });
    read.collect()
}
