//! Following one rollout: as it is now, and again at each change, the latest only.

use std::time::Duration;

use evaluation::Key;
use proto::v1;
use runtime::{clock::now_us, shutdown::Shutdown};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::Status;
use uuid::Uuid;

use crate::{
    api::view::{self, View},
    record::RolloutRecord,
};

/// A watcher hears of changes at most this often.
const WATCH_PACE: Duration = Duration::from_millis(200);

/// A rollout whenever it has changed, until nothing more will happen to it.
pub(super) fn stream(
    view: &View,
    shutdown: &Shutdown,
    record: &RolloutRecord,
) -> impl Stream<Item = Result<v1::WatchRolloutResponse, Status>> + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let (view, drain) = (view.clone(), shutdown.clone());
    let (environment, id) = (record.environment.clone(), record.id);
    shutdown.spawn("watch-rollout", async move {
        tokio::select! {
            () = watch(view, environment, id, &sender) => {}
            () = drain.draining() => {
                let _ = sender.try_send(Err(Status::unavailable("the control plane is stopping; watch again")));
            }
        }
    });
    ReceiverStream::new(receiver)
}

async fn watch(
    view: View,
    environment: Key,
    id: Uuid,
    sender: &mpsc::Sender<Result<v1::WatchRolloutResponse, Status>>,
) {
    let (mut states, mut fleet) = (view.truth.states(), view.sources.fleet.changes());
    let mut last = None;
    loop {
        states.borrow_and_update();
        fleet.borrow_and_update();
        let state = view.truth.state();
        let Some(record) = state.rollout(&environment, id) else {
            return;
        };
        let now_us = now_us();
        let shown = view.whole(&state, record, now_us);
        if last.as_ref() != Some(&shown) {
            last = Some(shown.clone());
            if sender
                .send(Ok(v1::WatchRolloutResponse { rollout: Some(shown) }))
                .await
                .is_err()
            {
                return;
            }
        }
        if view::is_settled(record, now_us) {
            return;
        }
        tokio::time::sleep(WATCH_PACE).await;
        // Freshness and settling move with time alone, so nothing is waited for longer than a second.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            tokio::select! {
                _ = states.changed() => {}
                _ = fleet.changed() => {}
                () = sender.closed() => {}
            }
        })
        .await;
    }
}
