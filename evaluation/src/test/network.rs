//! Networks in CIDR notation, and whether an address is in one of them.
//!
//! Networks become ascending ranges that do not touch, so that ten thousand of them cost one binary search. An
//! IPv4-mapped IPv6 address or network is the IPv4 one that it maps.

use std::net::IpAddr;

/// Leading bits of an IPv6 address that say "an IPv4 address follows".
const MAPPED_BITS: u32 = 96;

/// One network: an address family and the range of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    V4(Range),
    V6(Range),
}

/// From the first to the last address, as numbers.
pub(crate) type Range = (u128, u128);

/// Networks as they are evaluated.
#[derive(Debug)]
pub(crate) struct Networks {
    v4: Box<[Range]>,
    v6: Box<[Range]>,
}

impl Network {
    /// Reads a network; an address alone is a network of one. Bits after the prefix do not matter. None if it is none.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, Some(parse_prefix(prefix)?)),
            None => (text.parse().ok()?, None),
        };
        match address {
            IpAddr::V4(address) => Some(Network::V4(range(u32::from(address).into(), 32, prefix.unwrap_or(32))?)),
            IpAddr::V6(address) => {
                let prefix = prefix.unwrap_or(128);
                match (address.to_ipv4_mapped(), prefix.checked_sub(MAPPED_BITS)) {
                    (Some(mapped), Some(prefix)) => Some(Network::V4(range(u32::from(mapped).into(), 32, prefix)?)),
                    (Some(_) | None, _) => Some(Network::V6(range(address.into(), 128, prefix)?)),
                }
            }
        }
    }
}

impl Networks {
    /// Joins networks.
    pub(crate) fn new(networks: &[Network]) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                Network::V4(range) => v4.push(*range),
                Network::V6(range) => v6.push(*range),
            }
        }
        Networks {
            v4: joined(v4),
            v6: joined(v6),
        }
    }

    /// Whether the address is in one of the networks; none if the text is no address.
    pub(super) fn contain(&self, text: &str) -> Option<bool> {
        let (ranges, number) = match text.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => (&self.v4, u128::from(u32::from(address))),
            IpAddr::V6(address) => (&self.v6, u128::from(address)),
        };
        let after = ranges.partition_point(|(first, _)| *first <= number);
        Some(after > 0 && ranges[after - 1].1 >= number)
    }
}

/// One to three digits.
fn parse_prefix(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// The addresses of `bits` bits that have the first `prefix` in common with `address`.
fn range(address: u128, bits: u32, prefix: u32) -> Option<Range> {
    let free_bits = bits.checked_sub(prefix)?;
    let free = 1_u128.checked_shl(free_bits).map_or(u128::MAX, |count| count - 1);
    Some((address & !free, address | free))
}

/// Ascending, with what overlaps or touches made one.
fn joined(mut ranges: Vec<Range>) -> Box<[Range]> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1.saturating_add(1);
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
    ranges.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn contain(networks: &[&str], address: &str) -> Option<bool> {
        let networks: Vec<Network> = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        Networks::new(&networks).contain(address)
    }

    #[test]
    fn an_address_is_in_the_networks_that_have_it() {
        let cases = [
            (&["10.0.0.0/8"][..], "10.255.0.1", true),
            (&["10.0.0.0/8"], "11.0.0.0", false),
            (&["10.1.2.3"], "10.1.2.3", true),
            (&["10.1.2.3"], "10.1.2.4", false),
            (&["10.1.2.3/8"], "10.9.9.9", true),
            (&["0.0.0.0/0"], "255.255.255.255", true),
            (&["0.0.0.0/0"], "::1", false),
            (&["::/0"], "1.2.3.4", false),
            (&["::/0"], "ffff::", true),
            (&["2001:db8::/32"], "2001:db8:ffff::1", true),
            (&["2001:db8::/32"], "2001:db9::", false),
            (&["10.0.0.0/8"], "::ffff:10.1.1.1", true),
            (&["::ffff:10.0.0.0/104"], "10.1.1.1", true),
            (&["::ffff:10.0.0.1"], "10.0.0.1", true),
            (&["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/30"], "10.0.1.255", true),
            (&["10.0.0.0/24", "10.0.2.0/24"], "10.0.1.7", false),
        ];
        for (networks, address, expected) in cases {
            assert_eq!(contain(networks, address), Some(expected), "{networks:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_or_address_is_none() {
        for text in [
            "",
            "/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "a/8",
            "1/2/3",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
        for text in ["", "10.0.0.0/8", "localhost", "10.0.0.256", "[::1]"] {
            assert_eq!(contain(&["::/0"], text), None, "{text}");
        }
    }
}
