//! Writing conditions: the shortest form that reads back as the same condition.

use proto::v1::{AttributeType, Condition, DateTest, ListQuantifier, OneOf, VersionTest, condition::Test, date_test};

use super::{
    number,
    words::{type_name, version_symbol},
};
use crate::document::Tree;

/// The conditions of a rule or a group.
pub(crate) fn write_all(conditions: &[Condition]) -> Tree {
    Tree::List(conditions.iter().map(write).collect())
}

/// One condition.
pub(super) fn write(condition: &Condition) -> Tree {
    let exists = matches!(condition.test, Some(Test::Exists(_)));
    let mut fields = Vec::new();
    if !condition.attribute.is_empty() {
        fields.push(("attribute", Tree::Text(condition.attribute.clone())));
    }
    if let Some(test) = &condition.test {
        write_test(test, condition.negated, &mut fields);
    }
    if condition.negated && !exists {
        fields.push(("not", Tree::Boolean(true)));
    }
    Tree::Map(fields.into_iter().map(|(name, tree)| (name.to_owned(), tree)).collect())
}

fn write_test(test: &Test, negated: bool, fields: &mut Vec<(&'static str, Tree)>) {
    let mut ignore_case = false;
    match test {
        Test::OneOf(one_of) => {
            ignore_case = one_of.ignore_case;
            fields.push(match one_of.literals.as_slice() {
                [literal] => ("equals", Tree::literal(literal)),
                _ => ("one_of", literals(one_of)),
            });
        }
        Test::Contains(test) => {
            ignore_case = test.ignore_case;
            fields.push(("contains", Tree::one_or_list(&test.texts)));
        }
        Test::StartsWith(test) => {
            ignore_case = test.ignore_case;
            fields.push(("starts_with", Tree::one_or_list(&test.texts)));
        }
        Test::EndsWith(test) => {
            ignore_case = test.ignore_case;
            fields.push(("ends_with", Tree::one_or_list(&test.texts)));
        }
        Test::Matches(pattern) => fields.push(("matches", Tree::Text(pattern.clone()))),
        Test::Number(test) => fields.push(number::write(test)),
        Test::Version(test) => fields.push(("version", version(test))),
        Test::Date(test) => fields.extend(date(test)),
        Test::InNetwork(test) => fields.push(("in_network", Tree::one_or_list(&test.networks))),
        Test::Exists(_) => fields.push(("exists", Tree::Boolean(!negated))),
        Test::TypeIs(number) => {
            let name = type_name(AttributeType::try_from(*number).unwrap_or_default());
            fields.push(("type_is", Tree::Text(name.into())));
        }
        Test::List(test) => {
            let one_of = test.literals.clone().unwrap_or_default();
            ignore_case = one_of.ignore_case;
            fields.push((quantifier(test.quantifier()), literals(&one_of)));
        }
        Test::Size(test) => fields.push(("size", number::write_size(test))),
        Test::InSegment(test) => fields.push(("in_segment", Tree::one_or_list(&test.segments))),
        Test::Variant(test) => {
            fields.push(("flag", Tree::Text(test.flag.clone())));
            fields.push(("variant", Tree::one_or_list(&test.variants)));
        }
    }
    if ignore_case {
        fields.push(("ignore_case", Tree::Boolean(true)));
    }
}

fn literals(one_of: &OneOf) -> Tree {
    Tree::List(one_of.literals.iter().map(Tree::literal).collect())
}

fn quantifier(quantifier: ListQuantifier) -> &'static str {
    match quantifier {
        ListQuantifier::All => "all_of",
        ListQuantifier::None => "none_of",
        ListQuantifier::Any | ListQuantifier::Unspecified => "any_of",
    }
}

fn version(test: &VersionTest) -> Tree {
    Tree::Text(format!("{} {}", version_symbol(test.comparison()), test.version))
}

fn date(test: &DateTest) -> Option<(&'static str, Tree)> {
    Some(match test.comparison.as_ref()? {
        date_test::Comparison::Before(date) => ("before", Tree::Text(date.clone())),
        date_test::Comparison::After(date) => ("after", Tree::Text(date.clone())),
    })
}
