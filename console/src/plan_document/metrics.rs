//! What is known of metrics before the rollout: the plan's own metrics, the baseline, the traffic.

use proto::v1;
use rollout::plan::BaselineSource;

use super::{checked, time, values};
use crate::document::{Fields, Kind, Node, Problems, Tree};

/// How outcomes become a number, as documents write it.
const KINDS: [&str; 5] = ["rate", "quantile", "mean", "count", "gauge"];
/// What a number is of, as documents write it.
const UNITS: [&str; 7] = ["fraction", "duration", "money", "count", "score", "bytes", "per-second"];
/// Which way is better, as documents write it.
const DIRECTIONS: [&str; 2] = ["lower", "higher"];

/// Reads `metrics`: the plan's own.
pub(super) fn read_own(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<v1::OwnMetric> {
    let path = fields.path("metrics");
    let Some(node) = fields.take("metrics") else {
        return Vec::new();
    };
    let Kind::List(list) = &node.kind else {
        problems.expected(
            node,
            &path,
            "a list of metrics: {key, kind: rate, unit: fraction, better: lower}",
        );
        return Vec::new();
    };
    let numbered = list.iter().enumerate();
    numbered
        .filter_map(|(at, item)| read_metric(item, &format!("{path}[{at}]"), problems))
        .collect()
}

fn read_metric(node: &Node, path: &str, problems: &mut Problems) -> Option<v1::OwnMetric> {
    let what = "a metric: {key, kind: rate, unit: fraction, better: lower}";
    let mut fields = Fields::of(node, path, what, problems)?;
    let metric = v1::OwnMetric {
        key: checked::required(&mut fields, "key", checked::metric, "every metric has one", problems),
        kind: values::word(&mut fields, "kind", &KINDS, problems),
        unit: values::word(&mut fields, "unit", &UNITS, problems),
        better: values::word(&mut fields, "better", &DIRECTIONS, problems),
        per: values::word(&mut fields, "per", &["value", "exposure"], problems),
        minimum: checked::one(&mut fields, "minimum", checked::any, problems),
        maximum: checked::one(&mut fields, "maximum", checked::any, problems),
        prometheus: read_query(&mut fields, problems),
    };
    fields.finish(problems);
    Some(metric)
}

/// Reads `prometheus`: the query, or `{query, interval, stands_for}`.
fn read_query(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<v1::PrometheusQuery> {
    let path = fields.path("prometheus");
    let node = fields.take("prometheus")?;
    if let Kind::Text(_) = &node.kind {
        return Some(v1::PrometheusQuery {
            query: checked::of(node, &path, checked::query, problems)?,
            ..v1::PrometheusQuery::default()
        });
    }
    let what = "a query of Prometheus: PromQL, or {query, interval, stands_for}";
    let mut inner = Fields::of(node, path, what, problems)?;
    let query = v1::PrometheusQuery {
        query: checked::required(
            &mut inner,
            "query",
            checked::query,
            "what is asked, in PromQL",
            problems,
        ),
        interval_us: time::positive(&mut inner, "interval", problems),
        stands_for_us: time::positive(&mut inner, "stands_for", problems),
    };
    inner.finish(problems);
    Some(query)
}

/// As `read_query`, back.
fn write_query(query: &v1::PrometheusQuery) -> Tree {
    if query.interval_us == 0 && query.stands_for_us == 0 && !query.query.is_empty() {
        return Tree::Text(query.query.clone());
    }
    Tree::fields([
        ("query", Tree::text(&query.query)),
        ("interval", time::write_positive(query.interval_us)),
        ("stands_for", time::write_positive(query.stands_for_us)),
    ])
}

/// As `read_own`, back.
pub(super) fn write_own(metrics: &[v1::OwnMetric]) -> Option<Tree> {
    let metric = |metric: &v1::OwnMetric| {
        Tree::fields([
            ("key", Tree::text(&metric.key)),
            ("kind", Tree::text(&metric.kind)),
            ("unit", Tree::text(&metric.unit)),
            ("better", Tree::text(&metric.better)),
            ("per", Tree::text(&metric.per)),
            ("minimum", Tree::text(&metric.minimum)),
            ("maximum", Tree::text(&metric.maximum)),
            ("prometheus", metric.prometheus.as_ref().map(write_query)),
        ])
    };
    (!metrics.is_empty()).then(|| Tree::List(metrics.iter().map(metric).collect()))
}

/// Reads `baseline`.
pub(super) fn read_baseline(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<v1::Baseline> {
    let path = fields.path("baseline");
    let what = "a baseline: {source: fixed, values: {p95: 890 ms}}";
    let mut inner = Fields::of(fields.take("baseline")?, path, what, problems)?;
    let sources = values::names(&BaselineSource::ALL, BaselineSource::name);
    let baseline = v1::Baseline {
        source: values::word(&mut inner, "source", &sources, problems),
        values: checked::map(&mut inner, "values", checked::amount, problems),
        artifact: checked::one(&mut inner, "artifact", checked::key, problems),
    };
    inner.finish(problems);
    Some(baseline)
}

/// As `read_baseline`, back.
pub(super) fn write_baseline(baseline: &v1::Baseline) -> Tree {
    Tree::fields([
        ("source", Tree::text(&baseline.source)),
        ("artifact", Tree::text(&baseline.artifact)),
        ("values", checked::write_map(&baseline.values)),
    ])
}

/// Reads `traffic`: units and requests in a day; 0 for what is not known.
pub(super) fn read_traffic(fields: &mut Fields<'_>, problems: &mut Problems) -> (u64, u64) {
    let path = fields.path("traffic");
    let what = "traffic: {units_per_day: 4000, requests_per_day: 15000}";
    let Some(mut inner) = fields
        .take("traffic")
        .and_then(|node| Fields::of(node, path, what, problems))
    else {
        return (0, 0);
    };
    let traffic = (
        values::count(&mut inner, "units_per_day", problems).unwrap_or_default(),
        values::count(&mut inner, "requests_per_day", problems).unwrap_or_default(),
    );
    inner.finish(problems);
    traffic
}

/// As `read_traffic`, back.
pub(super) fn write_traffic(plan: &v1::Plan) -> Option<Tree> {
    let known = plan.units_per_day != 0 || plan.requests_per_day != 0;
    known.then(|| {
        Tree::fields([
            ("units_per_day", values::write_count(plan.units_per_day)),
            ("requests_per_day", values::write_count(plan.requests_per_day)),
        ])
    })
}
