//! A condition as a document: one map, one line. `{attribute: plan, equals: pro}`.
//!
//! The name of the test is a field beside `attribute`; exactly one is there. `not: true` negates it, `ignore_case: true`
//! compares texts without regard to case. Two tests have no attribute: `in_segment`, and `flag` with `variant`.

mod number;
mod read;
mod words;
mod write;

pub(crate) use self::{
    read::{read, read_all},
    words::{type_name, type_of, version_symbol, version_test},
    write::write_all,
};

#[cfg(test)]
pub(crate) mod tests;
