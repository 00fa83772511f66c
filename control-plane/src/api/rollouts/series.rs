//! A page of series: the batches that follow the page before, as points.

use bytes::Bytes;
use proto::{
    status::{invalid, violation},
    v1,
};
use rollout::measure::{Counted, Counting};
use tonic::Status;

use super::RolloutsApi;
use crate::{
    api::{page, view},
    record::RolloutRecord,
    series::{self, Point, Series, Thinner},
    store::{Order, keys, model::SealedBatch},
};

/// Points of a series unless the request says otherwise.
const DEFAULT_POINTS: u32 = 200;
/// The most points of one series.
const MOST_POINTS: u32 = 1_000;
/// The most points of all series together.
const ALL_POINTS: u64 = 20_000;
/// The most batches that one page is made from.
const MOST_BATCHES: u64 = 20_000;
/// Batches that are read at once.
const READ: usize = 256;

/// Where a page begins, and how many batches a point holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    first: u64,
    group: u64,
}

impl RolloutsApi {
    pub(super) async fn series(&self, request: v1::GetSeriesRequest) -> Result<v1::GetSeriesResponse, Status> {
        let state = self.view.truth.state();
        let record = self.found(&state, &request.environment, &request.rollout)?;
        let sealed = state.evidence_of(record.id).batches;
        let counted = counted(&record, &request.metric)?;
        let points = points(request.points, counted.len())?;
        let place = match request.page_token.as_str() {
            "" => Place {
                first: 1,
                group: series::group(sealed, points).min(MOST_BATCHES),
            },
            token => Place::parse(token).ok_or_else(page::wrong_token)?,
        };
        let last = place.last(sealed);
        let thinner = Thinner::new(counted, place.group);
        let found = self.thinned(&record, thinner, place.first, last).await?;
        let next = (last < sealed).then(|| Place {
            first: last + 1,
            ..place
        });
        Ok(v1::GetSeriesResponse {
            rollout: record.name(),
            sealed,
            series: found.iter().map(|series| shown(&record, series)).collect(),
            next_page_token: next.map(Place::token).unwrap_or_default(),
        })
    }

    /// The batches from one to another, thinned.
    async fn thinned(
        &self,
        record: &RolloutRecord,
        mut thinner: Thinner,
        first: u64,
        last: u64,
    ) -> Result<Vec<Series>, Status> {
        let prefix = keys::batches(&record.environment, record.id);
        let key = |number: u64| -> Bytes { keys::batch(&record.environment, record.id, number) };
        let mut after = first.checked_sub(1).filter(|before| *before > 0).map(key);
        let mut next = first;
        while next <= last {
            let store = self.view.truth.store();
            let page = store.range(&prefix, after.as_deref(), READ, Order::Ascending).await?;
            for item in &page.items {
                let number = number(&item.key).unwrap_or(u64::MAX);
                if number > last {
                    break;
                }
                let batch = SealedBatch::read(&item.value)
                    .map_err(|error| Status::data_loss(format!("batch {number} of {}: {error}", record.name())))?;
                thinner.add(number, &batch);
                next = number + 1;
            }
            after = page.items.last().map(|item| item.key.clone());
            if !page.more {
                break;
            }
        }
        Ok(thinner.finish())
    }
}

impl Place {
    fn parse(token: &str) -> Option<Self> {
        let (first, group) = token.split_once('.')?;
        let (first, group) = (first.parse().ok()?, group.parse().ok()?);
        // A point is in one page only.
        let begins_a_point = |first: u64, group: u64| first.checked_sub(1)?.checked_rem(group).map(|rest| rest == 0);
        (group <= MOST_BATCHES && begins_a_point(first, group) == Some(true)).then_some(Self { first, group })
    }

    fn token(self) -> String {
        format!("{}.{}", self.first, self.group)
    }

    /// The last batch of its page: where a point ends.
    fn last(self, sealed: u64) -> u64 {
        let points = (MOST_BATCHES / self.group).max(1);
        let before = self.first - 1;
        before.saturating_add(points.saturating_mul(self.group)).min(sealed)
    }
}

/// The number of a batch, which is the end of its key.
fn number(key: &[u8]) -> Option<u64> {
    let bytes = key.last_chunk::<8>()?;
    Some(u64::from_be_bytes(*bytes))
}

/// The countings of a metric, or all, by their numbers.
fn counted(record: &RolloutRecord, metric: &str) -> Result<Vec<(u16, Counted)>, Status> {
    let wanted = rollout::catalogue::find(metric).map_or(metric, |definition| definition.key);
    let all = (0..).zip(record.counted.iter().cloned());
    let found: Vec<_> = all
        .filter(|(_, counted)| metric.is_empty() || counted.metric == wanted)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let metrics: Vec<&str> = record.counted.iter().map(|counted| counted.metric.as_str()).collect();
    Err(Status::not_found(format!(
        "{} does not count {}; it counts: {}",
        record.name(),
        metric.chars().take(100).collect::<String>(),
        metrics.join(", ")
    )))
}

fn points(asked: u32, series: usize) -> Result<u64, Status> {
    let points = match asked {
        0 => DEFAULT_POINTS,
        asked if asked <= MOST_POINTS => asked,
        asked => {
            let description = format!("{asked} is more than {MOST_POINTS}");
            return Err(invalid(&[violation("points", description)]));
        }
    };
    Ok(u64::from(points).min(ALL_POINTS / series.max(1) as u64).max(1))
}

fn shown(record: &RolloutRecord, series: &Series) -> v1::Series {
    let counting = &series.counted.counting;
    let is_exceedance = matches!(counting, Counting::Slower { .. } | Counting::Above { .. });
    v1::Series {
        metric: series.counted.metric.clone(),
        counted: series.counted.to_string(),
        unit: if is_exceedance {
            "fraction".to_owned()
        } else {
            view::unit_of(&record.plan, &series.counted.metric).to_owned()
        },
        points: series.points.iter().map(|point| point_of(point, counting)).collect(),
    }
}

fn point_of(point: &Point, counting: &Counting) -> v1::Point {
    v1::Point {
        batch: point.batch,
        batches: point.batches,
        at_us: point.at_us,
        treatment: point.treatment.value(counting),
        control: point.control.value(counting),
        treatment_num: point.treatment.num(counting),
        treatment_den: point.treatment.den(),
        control_num: point.control.num(counting),
        control_den: point.control.den(),
        log_evidence: point.log_evidence,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::Unit;

    use super::*;
    use crate::builders::{SECOND_US, production, rollout_of};

    #[test]
    fn pages_follow_each_other_without_a_gap_and_end_where_points_do() {
        for (sealed, points) in [(50_000, 1_000), (50_001, 7), (120_000, 3), (1, 200), (0, 200)] {
            let mut place = Place {
                first: 1,
                group: series::group(sealed, points).min(MOST_BATCHES),
            };
            let mut pages = 0;
            loop {
                let last = place.last(sealed);
                assert!(last == sealed || last.is_multiple_of(place.group), "{place:?}");
                pages += 1;
                if last == sealed {
                    break;
                }
                let next = Place {
                    first: last + 1,
                    ..place
                };
                place = Place::parse(&next.token()).unwrap();
            }
            assert!(pages <= 6, "{sealed} {points}: {pages}");
        }
    }

    #[test]
    fn a_token_of_somebody_elses_making_is_none() {
        for token in [
            "",
            "1",
            "0.1",
            "2.3",
            "1.0",
            "x.y",
            "18446744073709551616.1",
            "-1.1",
            "1.20001",
        ] {
            assert_eq!(Place::parse(token), None, "{token}");
        }
    }

    #[test]
    fn a_metric_is_found_by_its_other_names_and_refused_with_those_there_are() {
        let record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
        assert_eq!(counted(&record, "").unwrap().len(), 1);
        assert_eq!(counted(&record, "errors").unwrap()[0].0, 0);
        let refused = counted(&record, "revenue").unwrap_err();
        assert_eq!(
            refused.message(),
            "checkout#1 does not count revenue; it counts: error-rate"
        );
    }

    #[test]
    fn points_are_bounded_for_all_series_together() {
        assert_eq!(points(0, 1).unwrap(), 200);
        assert_eq!(points(1_000, 64).unwrap(), 312);
        assert!(points(1_001, 1).is_err());
    }

    #[test]
    fn the_number_of_a_batch_is_the_end_of_its_key() {
        let record = rollout_of(Unit::Unit, &[50], 60 * SECOND_US);
        assert_eq!(number(&keys::batch(&production(), record.id, 417)), Some(417));
        assert_eq!(number(b"short"), None);
    }
}
