//! Ticks: whole seconds of the server's clock, counted from 2020-01-01 UTC.
//!
//! Frames, tokens and horizons speak of ticks; everything else of microseconds since 1970.

/// 2020-01-01 00:00:00 UTC in microseconds since 1970.
pub const EPOCH_US: i64 = 1_577_836_800_000_000;

/// The tick that holds a time; times before 2020 are tick 0, times after 2156 the last tick.
pub fn at(time_us: i64) -> u32 {
    u32::try_from((time_us.saturating_sub(EPOCH_US).max(0)) / 1_000_000).unwrap_or(u32::MAX)
}

/// When a tick begins, in microseconds since 1970.
pub fn begins_us(tick: u32) -> i64 {
    EPOCH_US + i64::from(tick) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_begins_where_it_is_found() {
        for tick in [0, 1, 216_000_000, u32::MAX] {
            assert_eq!(at(begins_us(tick)), tick);
            assert_eq!(at(begins_us(tick) + 999_999), tick);
        }
        assert_eq!(at(0), 0);
        assert_eq!(at(i64::MAX), u32::MAX);
        assert_eq!(at(i64::MIN), 0);
    }
}
