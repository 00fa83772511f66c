//! The metrics of a rollout over time: a table for each, a point a row.

use proto::v1;
use serde::Serialize;

use super::amount;
use crate::print::{self, count, figure, plain};

/// Series, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct SeriesView {
    rollout: String,
    sealed: u64,
    series: Vec<OneView>,
}

#[derive(Debug, Serialize)]
struct OneView {
    metric: String,
    counted: String,
    unit: String,
    points: Vec<PointView>,
}

/// Rates are fractions, durations microseconds, money units; the logarithm is natural.
#[derive(Debug, Serialize)]
struct PointView {
    batch: u64,
    batches: u64,
    at: Option<String>,
    treatment: Option<f64>,
    control: Option<f64>,
    treatment_num: f64,
    treatment_den: u64,
    control_num: f64,
    control_den: u64,
    log_evidence: Option<f64>,
}

impl SeriesView {
    /// Of all pages, joined.
    pub(crate) fn of(series: &v1::GetSeriesResponse) -> Self {
        Self {
            rollout: series.rollout.clone(),
            sealed: series.sealed,
            series: series.series.iter().map(OneView::of).collect(),
        }
    }
}

impl OneView {
    fn of(series: &v1::Series) -> Self {
        Self {
            metric: series.metric.clone(),
            counted: series.counted.clone(),
            unit: series.unit.clone(),
            points: series.points.iter().map(PointView::of).collect(),
        }
    }
}

impl PointView {
    fn of(point: &v1::Point) -> Self {
        Self {
            batch: point.batch,
            batches: point.batches,
            at: print::timestamp(point.at_us),
            treatment: point.treatment,
            control: point.control,
            treatment_num: point.treatment_num,
            treatment_den: point.treatment_den,
            control_num: point.control_num,
            control_den: point.control_den,
            log_evidence: point.log_evidence,
        }
    }
}

/// Adds a page to those before it.
pub(crate) fn join(whole: &mut v1::GetSeriesResponse, page: v1::GetSeriesResponse) {
    whole.rollout = page.rollout;
    whole.sealed = page.sealed;
    whole.next_page_token = page.next_page_token;
    for series in page.series {
        match whole.series.iter_mut().find(|one| one.counted == series.counted) {
            Some(one) => one.points.extend(series.points),
            None => whole.series.push(series),
        }
    }
}

/// Series for people.
pub(crate) fn page(whole: &v1::GetSeriesResponse) -> String {
    if whole.series.iter().all(|series| series.points.is_empty()) {
        return format!("{}: nothing was sealed yet", plain(&whole.rollout));
    }
    let tables: Vec<String> = whole.series.iter().map(|series| table(whole, series)).collect();
    tables.join("\n\n")
}

fn table(whole: &v1::GetSeriesResponse, series: &v1::Series) -> String {
    let rows = series.points.iter().map(|point| {
        [
            print::moment(point.at_us),
            count(point.batches),
            amount::known(&series.unit, point.treatment),
            amount::known(&series.unit, point.control),
            format!("{} : {}", count(point.treatment_den), count(point.control_den)),
            point.log_evidence.map_or_else(|| "-".into(), figure),
        ]
    });
    let table = print::table(["AT", "BATCHES", "TREATMENT", "CONTROL", "OF", "EVIDENCE"], rows);
    let title = format!(
        "{} of {}, {} batches",
        series.counted,
        whole.rollout,
        count(whole.sealed)
    );
    format!("{}\n{table}", plain(&title))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_767_268_800_000_000;

    fn of_page(first: u64, next_page_token: &str) -> v1::GetSeriesResponse {
        let point = |batch: u64| v1::Point {
            batch,
            batches: 10,
            at_us: NOON + batch as i64 * 1_000_000,
            treatment: Some(0.0321),
            treatment_den: 1_204,
            control_den: 22_001,
            log_evidence: Some(31.6_f64.ln()),
            ..Default::default()
        };
        v1::GetSeriesResponse {
            rollout: "checkout#3".into(),
            sealed: 30,
            series: vec![v1::Series {
                metric: "error-rate".into(),
                counted: "error-rate without card-declined".into(),
                unit: "fraction".into(),
                points: vec![point(first)],
            }],
            next_page_token: next_page_token.into(),
        }
    }

    #[test]
    fn pages_become_one_series() {
        let mut whole = v1::GetSeriesResponse::default();
        join(&mut whole, of_page(1, "11.10"));
        assert_eq!(whole.next_page_token, "11.10");
        join(&mut whole, of_page(11, ""));
        assert_eq!(
            page(&whole),
            "error-rate without card-declined of checkout#3, 30 batches\n\
             AT                    BATCHES  TREATMENT  CONTROL  OF              EVIDENCE\n\
             2026-01-01 12:00:01Z  10       3.21 %     -        1,204 : 22,001  31.6\n\
             2026-01-01 12:00:11Z  10       3.21 %     -        1,204 : 22,001  31.6"
        );
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let empty = v1::GetSeriesResponse {
            rollout: "checkout#3".into(),
            ..Default::default()
        };
        assert_eq!(page(&empty), "checkout#3: nothing was sealed yet");
    }
}
