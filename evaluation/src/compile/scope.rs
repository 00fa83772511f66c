//! What every part of a compilation needs: the variants that may be named, and the violations so far.
//!
//! A part gives the path of the field it looks at; the checks that several parts share are written once here.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::compiled::VariantIndex;
use crate::limits;
use crate::value::Value;
use crate::violation::{Violations, quoted};

/// The state of one compilation.
#[derive(Debug)]
pub(super) struct Scope<'f> {
    /// Ascending, as the map has them.
    variants: Vec<&'f str>,
    pub(super) violations: Violations,
}

impl<'f> Scope<'f> {
    /// Begins a compilation of a flag with these variants.
    pub(super) fn new(variants: &'f BTreeMap<String, Value>) -> Scope<'f> {
        Scope {
            variants: variants.keys().map(String::as_str).collect(),
            violations: Violations::default(),
        }
    }

    /// The place of the variant `name`; unknown: noted, and the first.
    pub(super) fn variant(&mut self, field: &dyn Display, name: &str) -> VariantIndex {
        match self.variants.binary_search(&name) {
            // Past u16 the flag has too many variants, which is noted elsewhere.
            Ok(place) => VariantIndex(u16::try_from(place).unwrap_or_default()),
            Err(_) => {
                self.violations
                    .add(field, format_args!("the flag has no variant {}", quoted(name)));
                VariantIndex::default()
            }
        }
    }

    /// Notes a text that is empty or longer than a name may be.
    pub(super) fn name(&mut self, field: &dyn Display, text: &str) {
        if text.is_empty() {
            self.violations.add(field, "cannot be empty");
        }
        self.bytes(field, text, limits::NAME_BYTES);
    }

    /// Notes a text of more than `most` bytes.
    pub(super) fn bytes(&mut self, field: &dyn Display, text: &str, most: usize) {
        let found = text.len();
        if found > most {
            self.violations
                .add(field, format_args!("has {found} bytes, at most {most} are allowed"));
        }
    }

    /// Notes a list of more than `most` items.
    pub(super) fn count(&mut self, field: &dyn Display, items: &str, found: usize, most: usize) {
        if found > most {
            self.violations
                .add(field, format_args!("has {found} {items}, at most {most} are allowed"));
        }
    }

    /// Notes a list without items, or of more than `most`.
    pub(super) fn some(&mut self, field: &dyn Display, items: &str, found: usize, most: usize) {
        if found == 0 {
            self.violations
                .add(field, format_args!("has no {items}, at least one is needed"));
        }
        self.count(field, items, found, most);
    }

    /// Notes a targeting key that nobody can have.
    pub(super) fn unit(&mut self, field: &dyn Display, unit: &str) {
        if unit.is_empty() {
            self.violations.add(field, "cannot be empty");
        }
        self.bytes(field, unit, limits::UNIT_BYTES);
    }

    /// Notes a number that is infinite or none.
    pub(super) fn finite(&mut self, field: &dyn Display, number: f64) {
        if !number.is_finite() {
            self.violations
                .add(field, format_args!("{number} is not a finite number"));
        }
    }

    /// Notes a text that could not be read as `what`.
    pub(super) fn readable<T>(&mut self, field: &dyn Display, text: &str, read: Option<T>, what: &str) -> Option<T> {
        if read.is_none() {
            self.violations
                .add(field, format_args!("{} is not {what}", quoted(text)));
        }
        read
    }

    /// Notes a salt that cannot draw buckets.
    pub(super) fn salt(&mut self, field: &dyn Display, salt: &str) {
        if salt.is_empty() {
            self.violations.add(field, "cannot be empty");
        }
        if salt.contains(':') {
            self.violations
                .add(field, "cannot contain a colon, which separates it from the unit");
        }
        self.bytes(field, salt, limits::SALT_BYTES);
    }
}
