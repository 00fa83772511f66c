//! Decisions as a tree, and the rules that decide the same.
//!
//! A branch tries its test; rules are tried in order, so a rule's predecessors that did not match need not be repeated:
//! only tests that hold are written, never their opposites. Each part ends with a rule that matches all that is left of
//! it; the last of all is the flag's default.

use std::rc::Rc;

use proto::v1;

/// Rules of one flag, at most.
const RULES: usize = 200;
/// Conditions of one rule, at most.
const CONDITIONS: usize = 50;

/// Conditions that must all hold.
pub(super) type All = Vec<v1::Condition>;

/// A test of the context.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Constant(bool),
    /// Holds if one of these does, fails otherwise.
    Any(Vec<All>),
    Not(Box<Test>),
    Every(Vec<Test>),
    Some(Vec<Test>),
}

/// What is served in the end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub(super) serve: v1::Serve,
    /// Draws the split's buckets; empty without a split.
    pub(super) salt: String,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Leaf(Leaf),
    /// The first if the test holds, else the second.
    Branch(Test, Rc<Tree>, Rc<Tree>),
}

/// There would be more rules or conditions than a flag may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// The rules, and what is served when none matches.
pub(super) fn flatten(tree: &Tree) -> Result<(Vec<(All, Leaf)>, Leaf), TooMany> {
    let mut rules = Vec::new();
    emit(tree, &Vec::new(), &mut rules)?;
    // What is always met decides; nothing behind it is reached.
    let last = rules.iter().position(|(all, _)| all.is_empty()).ok_or(TooMany)?;
    rules.truncate(last + 1);
    let (_, default) = rules.pop().ok_or(TooMany)?;
    while rules.last().is_some_and(|(_, leaf)| *leaf == default && !leaf.splits()) {
        rules.pop();
    }
    Ok((rules, default))
}

impl Leaf {
    fn splits(&self) -> bool {
        matches!(self.serve.kind, Some(v1::serve::Kind::Split(_)))
    }
}

fn emit(tree: &Tree, prefix: &All, rules: &mut Vec<(All, Leaf)>) -> Result<(), TooMany> {
    let (test, then, otherwise) = match tree {
        Tree::Leaf(leaf) => {
            if rules.len() > RULES || prefix.len() > CONDITIONS {
                return Err(TooMany);
            }
            rules.push((prefix.clone(), leaf.clone()));
            return Ok(());
        }
        Tree::Branch(test, then, otherwise) => (test, then, otherwise),
    };
    let branch = |test: &Test, then: &Rc<Tree>, otherwise: &Rc<Tree>| {
        Tree::Branch(test.clone(), Rc::clone(then), Rc::clone(otherwise))
    };
    if let Some(any) = positive(test)? {
        for all in &any {
            emit(then, &[prefix.as_slice(), all].concat(), rules)?;
        }
        return if any.iter().any(Vec::is_empty) {
            Ok(())
        } else {
            emit(otherwise, prefix, rules)
        };
    }
    match test {
        Test::Not(inner) => emit(&branch(inner, otherwise, then), prefix, rules),
        Test::Every(tests) => match tests.split_first() {
            None => emit(then, prefix, rules),
            Some((first, rest)) => {
                let rest = branch(&Test::Every(rest.to_vec()), then, otherwise);
                emit(&branch(first, &Rc::new(rest), otherwise), prefix, rules)
            }
        },
        Test::Some(tests) => match tests.split_first() {
            None => emit(otherwise, prefix, rules),
            Some((first, rest)) => {
                let rest = branch(&Test::Some(rest.to_vec()), then, otherwise);
                emit(&branch(first, then, &Rc::new(rest)), prefix, rules)
            }
        },
        // These are positive.
        Test::Constant(_) | Test::Any(_) => Ok(()),
    }
}

/// The test as alternatives, if it has no opposite in it. One that always holds is one empty alternative.
fn positive(test: &Test) -> Result<Option<Vec<All>>, TooMany> {
    Ok(match test {
        Test::Constant(true) => Some(vec![Vec::new()]),
        Test::Constant(false) => Some(Vec::new()),
        Test::Any(any) => Some(any.clone()),
        Test::Not(_) => None,
        Test::Every(tests) => {
            let mut product = vec![Vec::new()];
            for test in tests {
                let Some(any) = positive(test)? else { return Ok(None) };
                if product.len() * any.len() > RULES {
                    return Err(TooMany);
                }
                let with = |all: &All| {
                    any.iter()
                        .map(|more| [all.as_slice(), more].concat())
                        .collect::<Vec<_>>()
                };
                product = product.iter().flat_map(with).collect();
            }
            Some(product)
        }
        Test::Some(tests) => {
            let mut sum = Vec::new();
            for test in tests {
                let Some(any) = positive(test)? else { return Ok(None) };
                sum.extend(any);
            }
            (sum.len() <= RULES).then_some(sum).ok_or(TooMany).map(Some)?
        }
    })
}
