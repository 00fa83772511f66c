//! Golden vectors: buckets and positions that every agent, control plane and replay must reach, for ever. They were
//! computed apart from this crate, from the specifications of the two hashes.

use evaluation::{Position, bucket};
use serde_json::Value;

fn vectors(json: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(json).unwrap();
    document["vectors"].as_array().unwrap().clone()
}

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().unwrap()
}

#[test]
fn buckets_never_change() {
    let vectors = vectors(include_str!("../data/bucket-vectors.json"));
    assert_eq!(vectors.len(), 60);
    for vector in vectors {
        let drawn = bucket(text(&vector, "salt"), text(&vector, "unit"));
        assert_eq!(u64::from(drawn), vector["bucket"].as_u64().unwrap(), "{vector}");
    }
}

#[test]
fn positions_never_change() {
    let vectors = vectors(include_str!("../data/position-vectors.json"));
    assert_eq!(vectors.len(), 60);
    for vector in vectors {
        let measuring_key = u128::from_str_radix(text(&vector, "measuring_key"), 16).unwrap();
        let position = Position::of(measuring_key, text(&vector, "unit"));
        assert_eq!(
            u64::from(position.get()),
            vector["position"].as_u64().unwrap(),
            "{vector}"
        );
    }
}
