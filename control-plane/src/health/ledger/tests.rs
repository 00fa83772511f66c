#![allow(clippy::unwrap_used, clippy::expect_used)]

mod hours;
mod laws;
mod merge;
mod outages;
mod promises;
mod pushed;
mod strata;
mod vectors;
