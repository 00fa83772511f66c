//! Versions: Semantic Versioning 2.0.0, as people write them.
//!
//! A leading v and missing parts (`1`, `1.2`) are accepted, build metadata is read and ignored, and precedence is that of
//! section 11 of the specification. Parts are numbers of 64 bits. Reading one allocates nothing.

use std::cmp::Ordering;

use crate::condition::VersionComparison;

/// A version that is compared with.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    core: [u64; 3],
    pre_release: Box<str>,
}

/// A version as read from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read<'t> {
    /// Major, minor, patch.
    core: [u64; 3],
    /// The identifiers after the hyphen; empty: a release.
    pre_release: &'t str,
}

impl Version {
    /// Reads a version; none if the text is none.
    pub(crate) fn parse(text: &str) -> Option<Version> {
        let Read { core, pre_release } = read(text)?;
        Some(Version {
            core,
            pre_release: pre_release.into(),
        })
    }
}

/// Whether `text` compares so with the version; none if it is no version.
pub(super) fn test(comparison: VersionComparison, version: &Version, text: &str) -> Option<bool> {
    let found = read(text)?;
    let literal = Read {
        core: version.core,
        pre_release: &version.pre_release,
    };
    let order = precedence(found, literal);
    Some(match comparison {
        VersionComparison::Equal => order.is_eq(),
        VersionComparison::Less => order.is_lt(),
        VersionComparison::LessOrEqual => order.is_le(),
        VersionComparison::Greater => order.is_gt(),
        VersionComparison::GreaterOrEqual => order.is_ge(),
        VersionComparison::Tilde => order.is_ge() && found.core[..2] == literal.core[..2],
        VersionComparison::Caret => {
            order.is_ge() && found.core[..compatible(literal.core)] == literal.core[..compatible(literal.core)]
        }
    })
}

/// How many parts a compatible version has in common: up to the first that is not zero.
fn compatible(core: [u64; 3]) -> usize {
    core.iter().position(|part| *part > 0).map_or(3, |at| at + 1)
}

fn read(text: &str) -> Option<Read<'_>> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (core, pre_release) = match text.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (text, None),
    };
    let well_formed = build.is_none_or(|build| build.split('.').all(is_identifier))
        && pre_release.is_none_or(|pre_release| {
            pre_release
                .split('.')
                .all(|part| is_identifier(part) && !(is_number(part) && has_leading_zero(part)))
        });
    let core = read_core(core)?;
    well_formed.then_some(Read {
        core,
        pre_release: pre_release.unwrap_or(""),
    })
}

/// One to three numbers; those that are missing are zero.
fn read_core(text: &str) -> Option<[u64; 3]> {
    let mut core = [0; 3];
    let mut parts = text.split('.');
    for part in &mut core {
        match parts.next() {
            Some(text) if is_number(text) && !has_leading_zero(text) => *part = text.parse().ok()?,
            Some(_) => return None,
            None => break,
        }
    }
    parts.next().is_none().then_some(core)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

/// Section 11 of the specification.
fn precedence(one: Read<'_>, other: Read<'_>) -> Ordering {
    one.core
        .cmp(&other.core)
        .then_with(|| match (one.pre_release, other.pre_release) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => identifiers(one, other),
        })
}

/// Pre-releases: identifier by identifier, and a longer list after its beginning.
fn identifiers(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (is_number(one), is_number(other)) {
                // Without leading zeros the longer number is the larger, of any size.
                (true, true) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => one.cmp(other),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn versions_are_in_the_order_of_the_specification() {
        let ascending = [
            "0.0.0-0",
            "0.0.0",
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1",
            "1.0.1",
            "1.2",
            "1.10",
            "2.0.0-x",
            "V2",
            "18446744073709551615.0.0",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (place, other) in ascending.iter().enumerate() {
                assert_eq!(
                    precedence(read(one).unwrap(), read(other).unwrap()),
                    at.cmp(&place),
                    "{one} {other}"
                );
            }
        }
        for equal in ["v1.2.0", "1.2", "1.2.0+build.7", "1.2+001"] {
            assert_eq!(read(equal), read("1.2.0"), "{equal}");
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "v",
            "x",
            "1.",
            ".1",
            "1..2",
            "1.2.3.4",
            "01",
            "1.02",
            "1.x",
            "-1",
            "1-",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0-a..b",
            "1.0.0+",
            "1.0.0-ä",
            " 1",
            "1 ",
            "vv1",
            "18446744073709551616",
            "1.0.0-a_b",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn tilde_and_caret_bound_what_is_compatible() {
        use VersionComparison::{Caret, Tilde};
        let cases = [
            (Tilde, "1.2.3", "1.2.9", true),
            (Tilde, "1.2.3", "1.2.2", false),
            (Tilde, "1.2.3", "1.3.0", false),
            (Tilde, "1", "1.0.7", true),
            (Tilde, "1", "1.1", false),
            (Caret, "1.2.3", "1.9.0", true),
            (Caret, "1.2.3", "2.0.0", false),
            (Caret, "1.2.3", "1.2.2", false),
            (Caret, "0.2.3", "0.2.9", true),
            (Caret, "0.2.3", "0.3.0", false),
            (Caret, "0.0.3", "0.0.3", true),
            (Caret, "0.0.3", "0.0.4", false),
            (Caret, "0", "0.0.0", true),
            (Caret, "1.0.0-rc.1", "1.0.0-beta", false),
            (Caret, "1.0.0-rc.1", "1.0.0", true),
        ];
        for (comparison, literal, found, expected) in cases {
            let literal = Version::parse(literal).unwrap();
            assert_eq!(
                test(comparison, &literal, found),
                Some(expected),
                "{comparison:?} {literal:?} {found}"
            );
        }
    }
}
