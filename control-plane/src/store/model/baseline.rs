//! The stored form of a baseline.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use rollout::measure::Whose;
use uuid::Uuid;

use super::{ModelError, SCHEMA, captured::StoredArms, decode, key};
use crate::baseline::{BaselineRecord, Origin, Value};

/// A baseline as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredBaseline {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    description: String,
    #[prost(message, repeated, tag = "4")]
    values: Vec<StoredValue>,
    #[prost(message, optional, tag = "5")]
    origin: Option<StoredOrigin>,
    #[prost(int64, tag = "6")]
    created_at_us: i64,
    #[prost(string, tag = "7")]
    created_by: String,
    #[prost(string, tag = "8")]
    reason: String,
    /// Of what was captured.
    #[prost(message, optional, tag = "9")]
    arms: Option<StoredArms>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredValue {
    #[prost(string, tag = "1")]
    metric: String,
    /// As plans write it.
    #[prost(string, tag = "2")]
    value: String,
    #[prost(uint64, tag = "3")]
    outcomes: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredOrigin {
    #[prost(bytes = "vec", tag = "1")]
    rollout: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    stage: String,
    #[prost(uint32, tag = "4")]
    visit: u32,
    /// Both arms, not control alone.
    #[prost(bool, tag = "5")]
    both: bool,
    #[prost(int64, tag = "6")]
    from_us: i64,
    #[prost(int64, tag = "7")]
    until_us: i64,
    #[prost(int64, tag = "8")]
    soaked_us: i64,
    #[prost(uint64, tag = "9")]
    units: u64,
}

/// Writes a baseline.
pub(crate) fn write_baseline(record: &BaselineRecord) -> Bytes {
    let values = record.values.iter().map(|(metric, value)| StoredValue {
        metric: metric.clone(),
        value: value.number.to_string(),
        outcomes: value.outcomes,
    });
    StoredBaseline {
        schema: SCHEMA,
        key: record.key.to_string(),
        description: record.description.clone(),
        values: values.collect(),
        origin: record.origin.as_ref().map(write_origin),
        created_at_us: record.created_at_us,
        created_by: record.created_by.clone(),
        reason: record.reason.clone(),
        arms: (!record.arms.is_empty()).then(|| StoredArms::from(&*record.arms)),
    }
    .encode_to_vec()
    .into()
}

/// Reads a baseline.
pub(crate) fn read_baseline(bytes: &[u8], revision: u64) -> Result<BaselineRecord, ModelError> {
    let stored = decode::<StoredBaseline>(bytes, |stored| stored.schema)?;
    let values = stored.values.into_iter().map(|stored| {
        let number = stored.value.parse().map_err(|_| ModelError::Field("values"))?;
        let outcomes = stored.outcomes;
        Ok((stored.metric, Value { number, outcomes }))
    });
    Ok(BaselineRecord {
        key: key("key", &stored.key)?,
        description: stored.description,
        values: values.collect::<Result<_, ModelError>>()?,
        origin: stored.origin.map(read_origin).transpose()?,
        arms: Arc::new(stored.arms.map(StoredArms::read).transpose()?.unwrap_or_default()),
        created_at_us: stored.created_at_us,
        created_by: stored.created_by,
        reason: stored.reason,
        revision,
    })
}

fn write_origin(origin: &Origin) -> StoredOrigin {
    StoredOrigin {
        rollout: origin.rollout.as_bytes().to_vec(),
        name: origin.name.clone(),
        stage: origin.stage.clone(),
        visit: origin.visit,
        both: origin.whose == Whose::Both,
        from_us: origin.from_us,
        until_us: origin.until_us,
        soaked_us: origin.soaked_us,
        units: origin.units,
    }
}

fn read_origin(stored: StoredOrigin) -> Result<Origin, ModelError> {
    Ok(Origin {
        rollout: Uuid::from_slice(&stored.rollout).map_err(|_| ModelError::Field("origin.rollout"))?,
        name: stored.name,
        stage: stored.stage,
        visit: stored.visit,
        whose: if stored.both { Whose::Both } else { Whose::Control },
        from_us: stored.from_us,
        until_us: stored.until_us,
        soaked_us: stored.soaked_us,
        units: stored.units,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_baseline_reads_back_as_it_was_written() {
        let value = |text: &str, outcomes| Value {
            number: text.parse().unwrap(),
            outcomes,
        };
        let imported = BaselineRecord {
            key: evaluation::Key::parse("before").unwrap(),
            description: "as the wall says".to_owned(),
            values: [
                ("p95".to_owned(), value("890 ms", 0)),
                ("revenue".to_owned(), value("4.20 EUR", 0)),
            ]
            .into(),
            origin: None,
            arms: Arc::default(),
            created_at_us: 5,
            created_by: "ada".to_owned(),
            reason: "because".to_owned(),
            revision: 9,
        };
        assert_eq!(read_baseline(&write_baseline(&imported), 9).unwrap(), imported);
        let captured = BaselineRecord {
            values: [("error-rate".to_owned(), value("0.812345 %", 12_000))].into(),
            origin: Some(Origin {
                rollout: Uuid::from_u128(7),
                name: "checkout#3".to_owned(),
                stage: "observe".to_owned(),
                visit: 2,
                whose: Whose::Both,
                from_us: 1,
                until_us: 3,
                soaked_us: 2,
                units: 640,
            }),
            arms: crate::builders::captured(100),
            ..imported
        };
        assert_eq!(read_baseline(&write_baseline(&captured), 9).unwrap(), captured);
    }
}
