//! Documents as JSON, for audits, histories and diffs.
//!
//! Written from the protocol's own descriptors, so that a field of the protocol is a field here without a second list.
//! What is unset is left out; integers are numbers, because people read this.

mod differences;
mod lists;
mod members;

pub(crate) use differences::differences;
pub(crate) use members::{Populated, segment_differences};

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value as Json;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).expect("the descriptors were written by this build"));

/// A message of the protocol as JSON, under the names of the protocol; unset fields are left out.
pub(crate) fn json(name: &str, message: &impl Message) -> Json {
    let descriptor = POOL
        .get_message_by_name(name)
        .expect("callers name messages of the protocol");
    let bytes = message.encode_to_vec();
    let message = DynamicMessage::decode(descriptor, bytes.as_slice()).expect("it was encoded from this message");
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(true)
        .stringify_64_bit_integers(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap_or_else(|error| Json::String(error.to_string()))
}
