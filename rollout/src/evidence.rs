//! Evidence of harm: counts in, e-values out.
//!
//! An e-value is a number that, when treatment does no harm beyond its limit, ever reaches 1/a with a chance of at most
//! a, however often it is looked at. All of them are kept as natural logarithms. `exp` and `ln` are `libm`'s and every
//! sum has a fixed order, so that a replay agrees to the last bit on any platform. Formulas: guard.md 4 to 7.
//!
//! | file | what it decides |
//! |---|---|
//! | [`mod@unit`], [`request`] | rates against a live control, by units or by requests |
//! | [`robust`], [`exceedance`] | anything else: absolute limits, means, quantiles |
//! | [`certify`] | that a stage is safe |
//! | [`balance`] | that the arms are as large as they should be |
//! | [`count`], [`threshold`] | rules that need no arms |
//! | [`bases`] | what "worse" means when it is not treatment alone |
//! | [`budget`] | how all of them share one budget |

pub mod arm;
pub mod balance;
pub mod bases;
pub mod budget;
pub mod certify;
pub mod count;
pub mod estimate;
pub mod exceedance;
pub mod grid;
pub mod limit;
pub mod mixture;
pub mod normal;
pub mod request;
pub mod robust;
pub mod threshold;
pub mod unit;

mod onset;
mod positions;
mod sum;
