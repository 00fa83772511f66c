//! A document to be written: the same values as a `Node`, in the order that people read them, without places.

use proto::v1;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// Whole numbers up to here are exact as IEEE 754 doubles: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Null,
    Boolean(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    List(Vec<Tree>),
    /// In the order written.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// A map of the fields that have a value.
    pub(crate) fn fields<const N: usize>(fields: [(&str, Option<Self>); N]) -> Self {
        let fields = fields.into_iter();
        Self::Map(
            fields
                .filter_map(|(name, tree)| Some((name.to_owned(), tree?)))
                .collect(),
        )
    }

    /// Text, if there is any.
    pub(crate) fn text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::Text(text.into()))
    }

    /// A list of texts, if there are any.
    pub(crate) fn texts(texts: &[String]) -> Option<Self> {
        (!texts.is_empty()).then(|| Self::list_of(texts))
    }

    /// A list of texts.
    pub(crate) fn list_of(texts: &[String]) -> Self {
        Self::List(texts.iter().cloned().map(Self::Text).collect())
    }

    /// One text as itself, several as a list.
    pub(crate) fn one_or_list(texts: &[String]) -> Self {
        match texts {
            [text] => Self::Text(text.clone()),
            texts => Self::list_of(texts),
        }
    }

    /// A number that is compared with: without a decimal point if it is whole.
    pub(crate) fn number(number: f64) -> Self {
        let whole = number.fract() == 0.0 && number.abs() <= EXACT && !(number == 0.0 && number.is_sign_negative());
        if whole {
            Self::Whole(number as i64)
        } else {
            Self::Number(number)
        }
    }

    /// What an attribute is compared with; nothing for a kind that this console does not know.
    pub(crate) fn literal(literal: &v1::Literal) -> Self {
        match &literal.kind {
            Some(v1::literal::Kind::Text(text)) => Self::Text(text.clone()),
            Some(v1::literal::Kind::Number(number)) => Self::number(*number),
            Some(v1::literal::Kind::Boolean(boolean)) => Self::Boolean(*boolean),
            None => Self::Null,
        }
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
            Self::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}
