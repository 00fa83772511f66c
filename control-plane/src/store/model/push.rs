//! The stored forms of what is pushed: a measurement by its key, and what waits to be counted.

use bytes::Bytes;
use evaluation::{Arm, Key};
use prost::Message;
use uuid::Uuid;

use super::{ModelError, SCHEMA, decode};
use crate::push::{
    Item, Waiting,
    content::{Content, Of, Remembered},
};

/// A measurement as remembered. Of what it belongs to exactly one is there.
#[derive(Clone, PartialEq, Message)]
struct StoredPushed {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    metric: String,
    #[prost(double, repeated, tag = "3")]
    values: Vec<f64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    token: Option<Vec<u8>>,
    /// An arm as a whole: whether treatment.
    #[prost(bool, optional, tag = "5")]
    whole_treatment: Option<bool>,
    #[prost(uint32, optional, tag = "6")]
    position: Option<u32>,
    #[prost(int64, tag = "7")]
    said_us: i64,
    #[prost(int64, tag = "8")]
    stands_for_us: i64,
    /// The arm that it counts for: whether treatment.
    #[prost(bool, tag = "9")]
    treatment: bool,
    #[prost(string, tag = "10")]
    stage: String,
    #[prost(int64, tag = "11")]
    at_us: i64,
    #[prost(string, tag = "12")]
    actor: String,
}

/// What waits to be counted.
#[derive(Clone, PartialEq, Message)]
struct StoredWaiting {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint32, tag = "2")]
    horizon: u32,
    #[prost(message, repeated, tag = "3")]
    items: Vec<StoredItem>,
    #[prost(uint32, tag = "4")]
    measurements: u32,
}

#[derive(Clone, PartialEq, Message)]
struct StoredItem {
    #[prost(uint32, tag = "1")]
    stage: u32,
    #[prost(uint32, tag = "2")]
    visit: u32,
    #[prost(uint32, tag = "3")]
    stratum: u32,
    #[prost(bool, tag = "4")]
    treatment: bool,
    #[prost(uint32, tag = "5")]
    bucket: u32,
    #[prost(uint32, tag = "6")]
    metric: u32,
    #[prost(sint64, tag = "7")]
    num: i64,
    #[prost(uint64, tag = "8")]
    den: u64,
}

/// Writes a measurement as it is remembered.
pub(crate) fn write_pushed(pushed: &Remembered) -> Bytes {
    let Content {
        metric,
        values,
        of,
        said_us,
        stands_for_us,
    } = pushed.content.clone();
    let mut stored = StoredPushed {
        schema: SCHEMA,
        metric,
        values,
        said_us,
        stands_for_us,
        treatment: pushed.arm == Arm::Treatment,
        stage: pushed.stage.clone(),
        at_us: pushed.at_us,
        actor: pushed.actor.clone(),
        ..StoredPushed::default()
    };
    match of {
        Of::Token(token) => stored.token = Some(token.to_vec()),
        Of::Arm(arm) => stored.whole_treatment = Some(arm == Arm::Treatment),
        Of::Unit(position) => stored.position = Some(position),
    }
    stored.encode_to_vec().into()
}

/// Reads a measurement as it is remembered.
pub(crate) fn read_pushed(bytes: &[u8]) -> Result<Remembered, ModelError> {
    let stored = decode::<StoredPushed>(bytes, |stored| stored.schema)?;
    let of = match (stored.token, stored.whole_treatment, stored.position) {
        (Some(token), None, None) => Of::Token(token.try_into().map_err(|_| ModelError::Field("token"))?),
        (None, Some(treatment), None) => Of::Arm(arm(treatment)),
        (None, None, Some(position)) => Of::Unit(position),
        (_, _, _) => return Err(ModelError::Field("of")),
    };
    Ok(Remembered {
        content: Content {
            metric: stored.metric,
            values: stored.values,
            of,
            said_us: stored.said_us,
            stands_for_us: stored.stands_for_us,
        },
        arm: arm(stored.treatment),
        stage: stored.stage,
        at_us: stored.at_us,
        actor: stored.actor,
    })
}

/// Writes what waits to be counted.
pub(crate) fn write_waiting(waiting: &Waiting) -> Bytes {
    let items = waiting.items.iter().map(|item| StoredItem {
        stage: u32::from(item.visit.0),
        visit: item.visit.1,
        stratum: u32::from(item.stratum),
        treatment: item.arm == Arm::Treatment,
        bucket: u32::from(item.bucket),
        metric: u32::from(item.metric),
        num: item.num,
        den: item.den,
    });
    StoredWaiting {
        schema: SCHEMA,
        horizon: waiting.horizon,
        items: items.collect(),
        measurements: waiting.measurements,
    }
    .encode_to_vec()
    .into()
}

/// Reads what waits to be counted.
pub(crate) fn read_waiting(
    (environment, id): (&Key, Uuid),
    bytes: &[u8],
    revision: u64,
) -> Result<Waiting, ModelError> {
    let stored = decode::<StoredWaiting>(bytes, |stored| stored.schema)?;
    let small = |number: u32, field| u8::try_from(number).map_err(|_| ModelError::Field(field));
    let items = stored.items.into_iter().map(|item| {
        Ok(Item {
            visit: (small(item.stage, "stage")?, item.visit),
            stratum: small(item.stratum, "stratum")?,
            arm: arm(item.treatment),
            bucket: small(item.bucket, "bucket")?,
            metric: u16::try_from(item.metric).map_err(|_| ModelError::Field("metric"))?,
            num: item.num,
            den: item.den,
        })
    });
    Ok(Waiting {
        environment: environment.clone(),
        id,
        horizon: stored.horizon,
        items: items.collect::<Result<_, ModelError>>()?,
        measurements: stored.measurements,
        revision,
    })
}

fn arm(treatment: bool) -> Arm {
    if treatment { Arm::Treatment } else { Arm::Control }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_pushed_reads_back_as_it_was_written() {
        for of in [Of::Token([7; 16]), Of::Arm(Arm::Control), Of::Unit((1 << 18) - 1)] {
            let pushed = Remembered {
                content: Content {
                    metric: "complaints".to_owned(),
                    values: vec![1.0, -0.5],
                    of,
                    said_us: 3,
                    stands_for_us: 4,
                },
                arm: Arm::Control,
                stage: "canary".to_owned(),
                at_us: 5,
                actor: "ada".to_owned(),
            };
            assert_eq!(read_pushed(&write_pushed(&pushed)).unwrap(), pushed);
        }
        let item = Item {
            visit: (15, 200),
            stratum: 15,
            arm: Arm::Treatment,
            bucket: 63,
            metric: 63,
            num: i64::MIN,
            den: u64::MAX,
        };
        let production = Key::parse("production").unwrap();
        let waiting = Waiting {
            environment: production.clone(),
            id: Uuid::from_u128(9),
            horizon: 3,
            items: vec![
                item,
                Item {
                    arm: Arm::Control,
                    ..item
                },
            ],
            measurements: 2,
            revision: 8,
        };
        let read = read_waiting((&production, waiting.id), &write_waiting(&waiting), 8);
        assert_eq!(read.unwrap(), waiting);
    }
}
