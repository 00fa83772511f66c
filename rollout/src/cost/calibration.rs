//! How much more than the bound each test needs, as measured (guard.md 9; docs/guard-calibration.md).
//!
//! Each factor is the documented median of treated requests over the bound of the same world: base rate 0.8 %, limit
//! 1.0 times control, a budget of 1 %, one horizon. `cargo bench -p rollout --bench calibration` finds the medians of
//! 4a and 4b within 10 %. Between two measured points a factor is interpolated (in ln of the harm, in the share);
//! beyond them it stays what it was at the last one.

/// The measured factors of one test at one share.
struct Row {
    share: f64,
    /// At 2 times the limit.
    doubling: f64,
    /// At 5 times the limit.
    fivefold: f64,
}

/// The measured factors of one test, at 5 % and at 50 %.
pub(super) struct Factors([Row; 2]);

/// 4a. Measured at 5 % alone, and taken for every share.
pub(super) const UNIT: Factors = Factors([
    Row {
        share: 0.05,
        doubling: 1_860.0 / 1_575.0,
        fivefold: 220.0 / 154.0,
    },
    Row {
        share: 0.50,
        doubling: 1_860.0 / 1_575.0,
        fivefold: 220.0 / 154.0,
    },
]);

/// 4b.
pub(super) const REQUEST: Factors = Factors([
    Row {
        share: 0.05,
        doubling: 1_900.0 / 1_575.0,
        fivefold: 200.0 / 154.0,
    },
    Row {
        share: 0.50,
        doubling: 3_800.0 / 3_348.0,
        fivefold: 500.0 / 387.0,
    },
]);

/// 4c, relative.
pub(super) const ROBUST: Factors = Factors([
    Row {
        share: 0.05,
        doubling: 3_700.0 / 1_575.0,
        fivefold: 640.0 / 154.0,
    },
    Row {
        share: 0.50,
        doubling: 7_600.0 / 3_348.0,
        fivefold: 1_900.0 / 387.0,
    },
]);

/// Certifying at share 5 % and beta = 5 % (section 6): 10,600 against a limit of 1.5 times the truth, 4,500 against
/// 2 times, over bounds of 4,193 and 1,309.
const CERTIFY: [(f64, f64); 2] = [(1.5, 10_600.0 / 4_193.0), (2.0, 4_500.0 / 1_309.0)];

impl Factors {
    /// The factor for a harm of `times` the limit at a share; never below 1.
    pub(super) fn at(&self, times: f64, share: f64) -> f64 {
        let [few, many] = &self.0;
        let harm = |row: &Row| {
            between(
                (libm::log(2.0), row.doubling),
                (libm::log(5.0), row.fivefold),
                libm::log(times),
            )
        };
        between((few.share, harm(few)), (many.share, harm(many)), share).max(1.0)
    }
}

/// The factor for certifying against a limit of `ratio` times the truth.
pub(super) fn certify(ratio: f64) -> f64 {
    let [near, far] = CERTIFY;
    between(near, far, ratio)
}

/// On the line through two points, and flat beyond them.
fn between((x0, y0): (f64, f64), (x1, y1): (f64, f64), x: f64) -> f64 {
    let way = ((x - x0) / (x1 - x0)).clamp(0.0, 1.0);
    y0 + way * (y1 - y0)
}
