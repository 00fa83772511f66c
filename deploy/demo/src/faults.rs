//! The code paths of the service, newest last, and how often each fails: the injected fault.
//!
//! Rates change while requests are served, so each is one atomic number. A path that is not named here does not exist.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// The code paths. All but the first are chosen by the flag of the same name.
pub(crate) const PATHS: [&str; 3] = ["checkout-v1", "checkout-v2", "checkout-v3"];

/// The share of requests that fails, by path.
#[derive(Debug, Default)]
pub(crate) struct Faults([AtomicU64; PATHS.len()]);

/// A change that makes no sense.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FaultError {
    /// No such path.
    Path(String),
    /// Not a share between 0 and 1.
    Rate(f64),
}

impl Faults {
    /// The share of a path's requests that fails, 0 to 1; 0 of a path that does not exist.
    pub(crate) fn rate(&self, path: usize) -> f64 {
        self.0
            .get(path)
            .map_or(0.0, |rate| f64::from_bits(rate.load(Ordering::Relaxed)))
    }

    /// Sets it.
    pub(crate) fn set(&self, path: &str, rate: f64) -> Result<(), FaultError> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(FaultError::Rate(rate));
        }
        let named = PATHS.iter().zip(&self.0).find(|(name, _)| **name == path);
        let (_, cell) = named.ok_or_else(|| FaultError::Path(path.to_owned()))?;
        cell.store(rate.to_bits(), Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "there is no path {path:?}; there are {}", PATHS.join(", ")),
            Self::Rate(rate) => write!(f, "{rate} is no share of requests between 0 and 1"),
        }
    }
}

impl std::error::Error for FaultError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_its_path_alone() {
        let faults = Faults::default();
        assert_eq!(faults.set("checkout-v2", 0.25), Ok(()));
        assert_eq!([0, 1, 2, 9].map(|path| faults.rate(path)), [0.0, 0.25, 0.0, 0.0]);
    }

    #[test]
    fn what_makes_no_sense_changes_nothing_and_is_named() {
        let faults = Faults::default();
        assert_eq!(
            faults.set("checkout-v9", 0.1),
            Err(FaultError::Path("checkout-v9".to_owned()))
        );
        assert_eq!(faults.set("checkout-v1", 1.1), Err(FaultError::Rate(1.1)));
        assert!(faults.set("checkout-v1", f64::NAN).is_err());
        assert_eq!(faults.rate(0), 0.0);
    }
}
