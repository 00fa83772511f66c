//! Pages of a webhook's deliveries, the newest first: those that wait, then those that have ended.
//!
//! Read from the store, so that a page shows what a crash would leave. A delivery that ends between two pages may be shown
//! twice, and none is left out.

use bytes::Bytes;
use proto::v1;
use tonic::Status;
use uuid::Uuid;

use super::{
    super::page::{self, Asked, Page},
    wire,
};
use crate::{
    events::position::Position,
    store::{Order, Store, keys, model},
    webhooks::delivery::Delivery,
};

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among those that wait: the place of the event.
    Waiting(Position),
    /// Among those that have ended: the number of the end.
    Ended(u64),
}

impl Place {
    fn text(self) -> String {
        match self {
            Self::Waiting(position) => format!("w{position}"),
            Self::Ended(number) => format!("e{number}"),
        }
    }

    fn read(text: &str) -> Result<Self, Status> {
        let wrong = || page::wrong_token();
        if let Some(position) = text.strip_prefix('w') {
            return position.parse().map(Self::Waiting).map_err(|_| wrong());
        }
        let number = text.strip_prefix('e').ok_or_else(wrong)?;
        number.parse().map(Self::Ended).map_err(|_| wrong())
    }
}

/// A page of deliveries. Those that wait are sent not before a time; none: its webhook is disabled, so never.
pub(super) async fn page(
    store: &dyn Store,
    webhook: Uuid,
    not_before_us: Option<i64>,
    mut request: v1::ListWebhookDeliveriesRequest,
) -> Result<v1::ListWebhookDeliveriesResponse, Status> {
    let mut page = Page::new(page::size(std::mem::take(&mut request.page_size), 100, 1_000)?);
    let token = std::mem::take(&mut request.page_token);
    let asked = Asked::of(&request);
    let after = asked.last(&token)?.map(Place::read).transpose()?;
    let mut last = after;
    let shown = |delivery| wire::delivery(webhook, delivery, not_before_us);
    let is_whole = match after {
        Some(Place::Ended(_)) => true,
        Some(Place::Waiting(position)) => {
            let before = Some(keys::waiting(webhook, position));
            let waiting = keys::all_waiting(webhook);
            fill(store, &shown, &mut page, &mut last, &waiting, before).await?
        }
        None => fill(store, &shown, &mut page, &mut last, &keys::all_waiting(webhook), None).await?,
    };
    let is_last = is_whole && {
        let before = match after {
            Some(Place::Ended(number)) => Some(keys::delivered(webhook, number)),
            Some(Place::Waiting(_)) | None => None,
        };
        let ended = keys::all_delivered(webhook);
        fill(store, &shown, &mut page, &mut last, &ended, before).await?
    };
    Ok(v1::ListWebhookDeliveriesResponse {
        deliveries: page.items,
        next_page_token: match last {
            Some(last) if !is_last => asked.token(&last.text()),
            Some(_) | None => String::new(),
        },
    })
}

/// Adds what lies under a prefix, before a key if one is given, until the page is full; whether all of it went in.
async fn fill(
    store: &dyn Store,
    shown: &(impl Fn(Delivery) -> v1::WebhookDelivery + Sync),
    page: &mut Page<v1::WebhookDelivery>,
    last: &mut Option<Place>,
    prefix: &Bytes,
    before: Option<Bytes>,
) -> Result<bool, Status> {
    const SCAN: usize = 100;
    let mut before = before;
    loop {
        let found = store.range(prefix, before.as_deref(), SCAN, Order::Descending).await?;
        for item in found.items {
            if page.is_full() {
                return Ok(false);
            }
            let delivery = model::read_delivery(&item.value)
                .map_err(|error| Status::data_loss(format!("a delivery cannot be read: it {error}")))?;
            let place = match delivery.ended {
                None => Some(Place::Waiting(delivery.position)),
                Some(_) => number(&item.key, prefix.len()).map(Place::Ended),
            };
            *last = place.or(*last);
            page.push(shown(delivery));
            before = Some(item.key);
        }
        if !found.more {
            return Ok(true);
        }
    }
}

/// The number at the end of a key.
fn number(key: &[u8], prefix: usize) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(prefix..)?.try_into().ok()?))
}
