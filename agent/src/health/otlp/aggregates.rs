//! Metrics of OpenTelemetry: counted, and not used.
//!
//! A point says how often something happened, not to whom, nor whether it was one request or ten, nor which of the
//! errors were the slow ones. A frame's counts are exact and its units are known, so nothing of a point can be in it.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{Metric, metric::Data},
};

use super::{attributes, names};

/// The points of one message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Points {
    /// Those that name no flag.
    pub(super) plain: u64,
    /// Those that name a flag.
    pub(super) of_flags: u64,
    /// Those beyond what is read.
    pub(super) unread: u64,
}

/// Counts the points of a message, and reads so many.
pub(super) fn of(request: &ExportMetricsServiceRequest, limit: usize) -> Points {
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics);
    let mut points = Points::default();
    for (read, attributes) in metrics.flat_map(each).enumerate() {
        let names_a_flag = || attributes::each(attributes).any(|(key, _)| key == names::FLAG);
        match read < limit {
            false => points.unread += 1,
            true if names_a_flag() => points.of_flags += 1,
            true => points.plain += 1,
        }
    }
    points
}

/// The attributes of each point of a metric.
fn each(metric: &Metric) -> Vec<&[KeyValue]> {
    match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.iter().map(|point| &*point.attributes).collect(),
        Some(Data::Sum(data)) => data.data_points.iter().map(|point| &*point.attributes).collect(),
        Some(Data::Histogram(data)) => data.data_points.iter().map(|point| &*point.attributes).collect(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.iter().map(|point| &*point.attributes).collect(),
        Some(Data::Summary(data)) => data.data_points.iter().map(|point| &*point.attributes).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    };

    use super::*;
    use crate::health::otlp::samples::text;

    #[test]
    fn points_of_every_kind_are_counted_and_those_of_flags_apart() {
        let flag = || vec![text("http.route", "/"), text("feature_flag.key", "checkout")];
        let number = |attributes| NumberDataPoint {
            attributes,
            ..NumberDataPoint::default()
        };
        let histogram = HistogramDataPoint {
            attributes: flag(),
            ..HistogramDataPoint::default()
        };
        let exponential = ExponentialHistogramDataPoint {
            attributes: flag(),
            ..ExponentialHistogramDataPoint::default()
        };
        let kinds = [
            Some(Data::Gauge(Gauge {
                data_points: vec![number(Vec::new()), number(flag())],
            })),
            Some(Data::Sum(Sum {
                data_points: vec![number(vec![text("other", "x")])],
                ..Sum::default()
            })),
            Some(Data::Histogram(Histogram {
                data_points: vec![histogram],
                ..Histogram::default()
            })),
            Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                ..ExponentialHistogram::default()
            })),
            Some(Data::Summary(Summary {
                data_points: vec![SummaryDataPoint::default()],
            })),
            None,
        ];
        let metrics = kinds.map(|data| Metric {
            data,
            ..Metric::default()
        });
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                scope_metrics: vec![ScopeMetrics {
                    metrics: metrics.into(),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let all = Points {
            plain: 3,
            of_flags: 3,
            unread: 0,
        };
        assert_eq!(of(&request, 100), all);
        assert_eq!(of(&request, 4).unread, 2);
        assert_eq!(of(&ExportMetricsServiceRequest::default(), 100), Points::default());
    }
}
