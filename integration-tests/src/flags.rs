//! Flags for tests: good ones with defaults, of which a test says only what matters to it.
//!
//! Salts come from keys, so that a unit has the same bucket in every run.

use std::collections::BTreeMap;

use proto::v1;

/// A boolean flag with variants `on` and `off` that serves `off`.
pub fn boolean(key: &str) -> v1::Flag {
    let variants = [
        ("on", v1::value::Kind::Boolean(true)),
        ("off", v1::value::Kind::Boolean(false)),
    ];
    flag(key, v1::FlagType::Boolean, variants, "off")
}

/// A string flag whose variants are named as their values; serves the first, which is its off variant too.
pub fn text(key: &str, values: &[&str]) -> v1::Flag {
    let variants = values
        .iter()
        .map(|value| (*value, v1::value::Kind::Text((*value).to_owned())));
    flag(key, v1::FlagType::String, variants, values[0])
}

/// A flag of any type with named values.
pub fn flag<'v>(
    key: &str,
    flag_type: v1::FlagType,
    variants: impl IntoIterator<Item = (&'v str, v1::value::Kind)>,
    default: &str,
) -> v1::Flag {
    let variants = variants
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), v1::Value { kind: Some(kind) }));
    v1::Flag {
        key: key.to_owned(),
        r#type: flag_type.into(),
        enabled: true,
        salt: format!("salt-of-{key}"),
        variants: variants.collect::<BTreeMap<_, _>>(),
        off_variant: default.to_owned(),
        default_serve: Some(variant(default)),
        ..v1::Flag::default()
    }
}

/// Serves one variant.
pub fn variant(name: &str) -> v1::Serve {
    v1::Serve {
        kind: Some(v1::serve::Kind::Variant(name.to_owned())),
    }
}

/// Serves shares of the 100,000 buckets.
pub fn split(shares: &[(&str, u32)]) -> v1::Serve {
    let share = |(variant, buckets): &(&str, u32)| v1::Share {
        variant: (*variant).to_owned(),
        buckets: *buckets,
    };
    v1::Serve {
        kind: Some(v1::serve::Kind::Split(v1::Split {
            ranges: Vec::new(),
            shares: shares.iter().map(share).collect(),
        })),
    }
}

/// A rule: the attribute is one of some texts.
pub fn rule(name: &str, attribute: &str, texts: &[&str], serve: v1::Serve) -> v1::Rule {
    let literal = |text: &&str| v1::Literal {
        kind: Some(v1::literal::Kind::Text((*text).to_owned())),
    };
    let one_of = v1::OneOf {
        ignore_case: false,
        literals: texts.iter().map(literal).collect(),
    };
    let condition = v1::Condition {
        negated: false,
        attribute: attribute.to_owned(),
        test: Some(v1::condition::Test::OneOf(one_of)),
    };
    v1::Rule {
        salt: String::new(),
        name: name.to_owned(),
        conditions: vec![condition],
        serve: Some(serve),
    }
}

/// An allow list.
pub fn allow(variant: &str, units: &[&str]) -> v1::AllowList {
    v1::AllowList {
        variant: variant.to_owned(),
        units: units.iter().map(|unit| (*unit).to_owned()).collect(),
    }
}
