//! Evidence of harm: counts in, e-values out.
//!
//! An e-value is a number that, when treatment does no harm beyond its limit, ever reaches 1/a with a chance of at most
//! a, however often it is looked at. All of them are kept as natural logarithms. `exp` and `ln` are `libm`'s and every
//! sum has a fixed order, so that a replay agrees to the last bit on any platform. Formulas: guard.md 4 and 5.

pub mod budget;
pub mod grid;
pub mod request;
pub mod unit;

mod onset;
mod positions;
mod sum;
