//! The exposure token: 128 bits that name what an outcome belongs to, without saying who the unit is.
//!
//! Layout, big-endian from the top bit: version 4, rollout 32, stage 8, stratum 4, arm 2, position 18, tick since the
//! rollout's start 28, minting agent 8, MAC 24. The MAC is the top 24 bits of SipHash-2-4 with the environment's token
//! key over the first 13 bytes: enough to refuse what was not minted here, too little to be a secret. Text form:
//! base64url without padding, 22 characters.

use std::hash::Hasher as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evaluation::{Arm, Exposure, Position};
use siphasher::sip::SipHasher24;
use twox_hash::XxHash3_64;

const VERSION: u128 = 1;
/// The bits of a tick that a token has room for.
pub const TICK_MASK: u32 = (1 << 28) - 1;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    /// What the unit got.
    pub exposure: Exposure,
    /// Seconds from the rollout's start to the evaluation, modulo 2^28; 0 in bulk answers.
    pub tick: u32,
    /// Low 8 bits of the minting agent's hash.
    pub minter: u8,
}

/// Why a text is not a token of this environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not 22 characters of base64url.
    #[error("not a token: it must be 22 characters of base64url")]
    Text,
    /// Of a version that is not known here.
    #[error("token version {0} is not known")]
    Version(u8),
    /// Minted with another key, or damaged.
    #[error("token was not minted in this environment, or is damaged")]
    Forged,
    /// The MAC is right, yet a field is out of its range.
    #[error("token names no arm")]
    Field,
}

/// The low 8 bits of XXH3-64 of an agent's id.
pub fn minter(agent: &str) -> u8 {
    XxHash3_64::oneshot(agent.as_bytes()) as u8
}

impl Token {
    /// The 16 bytes, authenticated with the environment's token key.
    pub fn to_bytes(self, token_key: u128) -> [u8; 16] {
        let exposure = self.exposure;
        let mut bits = VERSION;
        bits = bits << 32 | u128::from(exposure.rollout);
        bits = bits << 8 | u128::from(exposure.stage);
        bits = bits << 4 | u128::from(exposure.stratum & 0xf);
        bits = bits << 2 | u128::from(exposure.arm as u8);
        bits = bits << 18 | u128::from(exposure.position.get());
        bits = bits << 28 | u128::from(self.tick & TICK_MASK);
        bits = bits << 8 | u128::from(self.minter);
        let mut bytes = (bits << 24).to_be_bytes();
        let mac = mac(token_key, &bytes);
        bytes[13..].copy_from_slice(&mac);
        bytes
    }

    /// The token as text, 22 characters.
    pub fn to_text(self, token_key: u128) -> String {
        URL_SAFE_NO_PAD.encode(self.to_bytes(token_key))
    }

    /// Reads 16 bytes; refuses what was not minted with this key.
    pub fn from_bytes(bytes: &[u8; 16], token_key: u128) -> Result<Self, TokenError> {
        let version = bytes[0] >> 4;
        if u128::from(version) != VERSION {
            return Err(TokenError::Version(version));
        }
        if mac(token_key, bytes) != bytes[13..] {
            return Err(TokenError::Forged);
        }
        let mut bits = u128::from_be_bytes(*bytes) >> 24;
        let mut take = |width: u32| {
            let field = (bits & ((1 << width) - 1)) as u32;
            bits >>= width;
            field
        };
        let minter = take(8) as u8;
        let tick = take(28);
        let position = Position::new(take(18)).ok_or(TokenError::Field)?;
        let arm = Arm::try_from(take(2) as u8).map_err(|_| TokenError::Field)?;
        let stratum = take(4) as u8;
        let stage = take(8) as u8;
        let rollout = take(32);
        Ok(Self {
            exposure: Exposure {
                rollout,
                stage,
                stratum,
                arm,
                position,
            },
            tick,
            minter,
        })
    }

    /// Reads the text form.
    pub fn from_text(text: &str, token_key: u128) -> Result<Self, TokenError> {
        let mut bytes = [0; 16];
        if text.len() != 22 {
            return Err(TokenError::Text);
        }
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Self::from_bytes(&bytes, token_key),
            Ok(_) | Err(_) => Err(TokenError::Text),
        }
    }
}

fn mac(token_key: u128, bytes: &[u8; 16]) -> [u8; 3] {
    let mut hasher = SipHasher24::new_with_key(&token_key.to_be_bytes());
    hasher.write(&bytes[..13]);
    let [a, b, c, ..] = hasher.finish().to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const KEY: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    fn token() -> impl Strategy<Value = Token> {
        (
            any::<u32>(),
            any::<u8>(),
            0u8..16,
            any::<bool>(),
            0u32..1 << 18,
            0u32..1 << 28,
            any::<u8>(),
        )
            .prop_map(|(rollout, stage, stratum, treated, position, tick, minter)| Token {
                exposure: Exposure {
                    rollout,
                    stage,
                    stratum,
                    arm: if treated { Arm::Treatment } else { Arm::Control },
                    position: Position::new(position).unwrap(),
                },
                tick,
                minter,
            })
    }

    proptest! {
        #[test]
        fn a_token_reads_back_as_it_was_minted(token in token()) {
            let text = token.to_text(KEY);
            prop_assert_eq!(text.len(), 22);
            prop_assert_eq!(Token::from_text(&text, KEY), Ok(token));
        }

        #[test]
        fn a_token_of_another_environment_is_refused(token in token()) {
            prop_assert_eq!(Token::from_text(&token.to_text(KEY), KEY + 1), Err(TokenError::Forged));
        }

        #[test]
        fn any_text_is_a_token_or_an_error(text in ".{0,40}") {
            prop_assert!(Token::from_text(&text, KEY).is_err());
        }

        #[test]
        fn a_damaged_token_is_refused(token in token(), bit in 0usize..128) {
            let mut bytes = token.to_bytes(KEY);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Token::from_bytes(&bytes, KEY).is_err());
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let token = Token {
            exposure: Exposure {
                rollout: 7,
                stage: 2,
                stratum: 1,
                arm: Arm::Treatment,
                position: Position::new(0x2_aaaa).unwrap(),
            },
            tick: 5,
            minter: 0xcd,
        };
        let bytes = token.to_bytes(KEY);
        assert_eq!(
            &bytes[..13],
            &[0x10, 0, 0, 0, 0x70, 0x21, 0x6a, 0xaa, 0xa0, 0, 0, 0x5, 0xcd]
        );
    }
}
