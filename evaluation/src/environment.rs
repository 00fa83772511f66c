//! Where a configuration applies, as an agent must know it.
//!
//! The entry of an environment brings the key that authenticates exposure tokens; it is a secret and is never shown.

use std::fmt;

use crate::key::Key;

/// What an environment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvironmentKind {
    /// For developers.
    Development,
    /// Before production.
    Staging,
    /// Where users are.
    Production,
}

/// One environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub key: Key,
    /// What it is for.
    pub kind: EnvironmentKind,
    /// Its place in the order of promotion, ascending.
    pub order: u32,
    /// Authenticates exposure tokens; secret.
    pub token_key: u128,
}

impl fmt::Debug for Environment {
    /// Without the token key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Environment")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_token_key_is_never_shown() {
        let key = Key::parse("production").unwrap();
        let environment = Environment {
            key,
            kind: EnvironmentKind::Production,
            order: 2,
            token_key: 424_242,
        };
        assert!(!format!("{environment:?}").contains("424242"));
    }
}
