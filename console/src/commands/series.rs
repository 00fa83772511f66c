//! The metrics of a rollout over time, page after page.

use proto::v1;

use crate::{
    args::{Global, SeriesArgs},
    connect::Session,
    error::Error,
    print,
    view::series::{self, SeriesView},
};

/// Shows the series of a rollout.
pub(super) async fn series(global: &Global, options: &SeriesArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let mut whole = v1::GetSeriesResponse::default();
    loop {
        // A flag's key may name another rollout by the next page.
        let rollout = match whole.rollout.as_str() {
            "" => &options.rollout.name,
            seen => seen,
        };
        let request = v1::GetSeriesRequest {
            environment: session.environment(),
            rollout: rollout.to_owned(),
            metric: options.metric.clone().unwrap_or_default(),
            points: options.points,
            page_token: whole.next_page_token.clone(),
        };
        let response = session.rollouts().get_series(session.call(request)).await;
        series::join(
            &mut whole,
            response.map_err(|status| session.error(&status))?.into_inner(),
        );
        if whole.next_page_token.is_empty() {
            break;
        }
    }
    print::show(global.output, &SeriesView::of(&whole), || series::page(&whole))
}
