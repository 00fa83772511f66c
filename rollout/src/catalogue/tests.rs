use std::collections::BTreeSet;

use super::*;

#[test]
fn a_spelling_means_one_metric() {
    let mut seen = BTreeSet::new();
    for definition in all() {
        for name in std::iter::once(&definition.key).chain(definition.aliases) {
            assert!(seen.insert(*name), "{name} means two metrics");
            assert_eq!(key::spelling(name), *name, "{name} is not in the form of a key");
        }
        assert!(
            !definition.name.is_empty() && !definition.description.is_empty(),
            "{definition:?}"
        );
    }
}

#[test]
fn a_name_is_understood_however_it_is_spelled() {
    for (text, key) in [
        ("error-rate", "error-rate"),
        ("Error Rate", "error-rate"),
        ("ERROR_RATE", "error-rate"),
        ("  error   rate ", "error-rate"),
        ("errors", "error-rate"),
        ("support tickets", "tickets"),
        ("p99 latency", "p99"),
        ("latency_p50", "p50"),
        ("latency", "p95"),
        ("hallucinations", "hallucination-rate"),
        ("5xx rate", "http-5xx-rate"),
        ("time to first token", "time-to-first-token"),
    ] {
        assert_eq!(find(text).map(|found| found.key), Some(key), "{text}");
        assert_eq!(MetricKey::new(text).unwrap().as_str(), key, "{text}");
    }
    assert_eq!(find("p98"), None);
    assert_eq!(find(""), None);
}

#[test]
fn a_slip_of_the_pen_gets_a_suggestion_and_a_stranger_none() {
    for (text, key) in [
        ("eror-rate", Some("error-rate")),
        ("complants", Some("complaints")),
        ("faithfullness", Some("faithfulness")),
        ("suport tickets", Some("tickets")),
        ("halucination rate", Some("hallucination-rate")),
        ("cart-abandonment", None),
        ("", None),
    ] {
        assert_eq!(nearest(text).map(|found| found.key), key, "{text}");
    }
}

#[test]
fn a_key_holds_only_what_every_place_can_write() {
    assert_eq!(MetricKey::new(" - "), Err(KeyError::Empty));
    assert_eq!(MetricKey::new("büro"), Err(KeyError::Character('ü')));
    assert_eq!(MetricKey::new("a/b"), Err(KeyError::Character('/')));
    assert_eq!(MetricKey::new(&"a".repeat(201)), Err(KeyError::TooLong));
    assert_eq!(MetricKey::new(&"a".repeat(200)).unwrap().as_str().len(), 200);
}

#[test]
fn a_plan_adds_metrics_and_takes_no_name_of_the_catalogue() {
    let own = |key: &str| OwnDefinition {
        key: key.to_owned(),
        kind: Kind::Rate,
        unit: Unit::Fraction,
        better: Direction::Lower,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: None,
    };
    let plan = [own("Cart_Abandonment")];
    let resolver = Resolver::new(&plan);
    let resolve = |text: &str| resolver.resolve(&MetricKey::new(text).unwrap());

    assert_eq!(resolve("cart abandonment").unwrap().key, "Cart_Abandonment");
    assert_eq!(resolve("errors").unwrap().key, "error-rate");
    assert_eq!(
        resolve("cart-abandonmint").unwrap_err().nearest.as_deref(),
        Some("Cart_Abandonment")
    );
    assert_eq!(
        resolve("eror-rate").unwrap_err().to_string(),
        "eror-rate is not a metric of the catalogue or of this plan: did you mean error-rate?"
    );
    assert_eq!(own("Errors").shadows().map(|found| found.key), Some("error-rate"));
    assert_eq!(own("cart-abandonment").shadows(), None);
}
