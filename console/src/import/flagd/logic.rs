//! JsonLogic of a flag's targeting, read into a tree of decisions.

use std::{collections::BTreeMap, rc::Rc};

use evaluation::TARGETING_KEY;
use proto::v1;

use super::{
    Leniency, fractional,
    tree::{self, Leaf, Test, TooMany, Tree},
};
use crate::document::{Kind, Node, Problems};

/// The reader of one flag's targeting.
#[derive(Debug)]
pub(super) struct Targeting<'f> {
    pub(super) flag: &'f str,
    pub(super) variants: &'f BTreeMap<String, v1::Value>,
    pub(super) default: Leaf,
    pub(super) leniency: Leniency,
}

/// An operator and its arguments.
pub(super) struct Call<'n> {
    pub(super) operator: &'n str,
    pub(super) arguments: Vec<&'n Node>,
    /// The path to the arguments.
    pub(super) path: String,
}

impl<'n> Call<'n> {
    /// Of a map with one name; an argument alone needs no list.
    pub(super) fn of(node: &'n Node, path: &str) -> Option<Self> {
        let Kind::Map(map) = &node.kind else { return None };
        let [(operator, arguments)] = map.as_slice() else {
            return None;
        };
        let arguments_of = match &arguments.kind {
            Kind::List(list) => list.iter().collect(),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => vec![arguments],
        };
        Some(Self {
            operator: &operator.text,
            arguments: arguments_of,
            path: format!("{path}.{}", operator.text),
        })
    }

    /// The path of an argument.
    pub(super) fn at(&self, argument: usize) -> String {
        format!("{}[{argument}]", self.path)
    }
}

impl<'f> Targeting<'f> {
    pub(super) fn new(
        flag: &'f str,
        variants: &'f BTreeMap<String, v1::Value>,
        default: v1::Serve,
        leniency: Leniency,
    ) -> Self {
        let default = Leaf {
            serve: default,
            salt: String::new(),
        };
        Self {
            flag,
            variants,
            default,
            leniency,
        }
    }

    /// Writes the targeting into the flag as rules and a default.
    pub(super) fn read(&self, node: &Node, path: &str, flag: &mut v1::Flag, problems: &mut Problems) {
        if node.kind == Kind::Map(Vec::new()) {
            return;
        }
        let mut splits = fractional::Splits::default();
        let before = problems.len();
        let tree = self.outcome(node, path, &mut splits, problems);
        if problems.len() > before {
            return;
        }
        flag.bucket_by = splits.bucket_by();
        match tree::flatten(&tree) {
            Ok((rules, default)) => {
                let rule = |(at, (conditions, leaf)): (usize, (tree::All, Leaf))| v1::Rule {
                    name: format!("targeting-{}", at + 1),
                    conditions,
                    serve: Some(leaf.serve),
                    salt: leaf.salt,
                };
                flag.rules = rules.into_iter().enumerate().map(rule).collect();
                flag.default_serve = Some(default.serve);
                flag.salt = default.salt;
            }
            Err(TooMany) => {
                let what = "needs more than 200 rules, or 50 conditions in one; simplify it";
                problems.wrong(node.place, path, what);
            }
        }
    }

    pub(super) fn default(&self) -> Rc<Tree> {
        Rc::new(Tree::Leaf(self.default.clone()))
    }

    /// What an expression in the place of a variant serves.
    fn outcome(&self, node: &Node, path: &str, splits: &mut fractional::Splits, problems: &mut Problems) -> Tree {
        let Some(call) = Call::of(node, path) else {
            return self.leaf(node, path, problems);
        };
        match call.operator {
            "if" | "?:" => self.chain(&call, 0, splits, problems),
            "fractional" => fractional::read(self, node, &call, splits, problems),
            "starts_with" | "ends_with" | "sem_ver" => self.three_ways(node, &call, problems),
            "==" | "===" | "!=" | "!==" | "<" | "<=" | ">" | ">=" | "in" | "!" | "!!" => {
                let test = self.test(node, path, problems);
                self.either(test, node, path, problems)
            }
            "and" | "or" => {
                let what = "its result is one of its operands, not a boolean; write if: [..., \"true\", \"false\"]";
                self.refused(node, &call.path, what, problems)
            }
            "var" => self.refused(
                node,
                &call.path,
                "an attribute names the variant; write an if for each",
                problems,
            ),
            other => {
                let what = format!("operator `{other}` does not map to a rule");
                self.refused(node, &call.path, &what, problems)
            }
        }
    }

    fn refused(&self, node: &Node, path: &str, what: &str, problems: &mut Problems) -> Tree {
        problems.wrong(node.place, path, what);
        Tree::Leaf(self.default.clone())
    }

    /// A variant, or `null` for the default variant.
    pub(super) fn leaf(&self, node: &Node, path: &str, problems: &mut Problems) -> Tree {
        let name = match &node.kind {
            Kind::Null => return Tree::Leaf(self.default.clone()),
            // flagd reads the result's JSON without its quotes.
            Kind::Text(text) => text.replace('"', "").trim().to_owned(),
            Kind::Boolean(boolean) => boolean.to_string(),
            Kind::Number(number) => number.written.clone(),
            Kind::List(_) | Kind::Map(_) => String::new(),
        };
        if !self.variants.contains_key(&name) {
            let what = match &node.kind {
                Kind::List(_) | Kind::Map(_) => "names no variant".to_owned(),
                _ => format!("no variant `{name}`: flagd answers with an error, which no rule does"),
            };
            return self.refused(node, path, &what, problems);
        }
        Tree::Leaf(Leaf {
            serve: v1::Serve {
                kind: Some(v1::serve::Kind::Variant(name)),
            },
            salt: String::new(),
        })
    }

    fn chain(&self, call: &Call<'_>, from: usize, splits: &mut fractional::Splits, problems: &mut Problems) -> Tree {
        match call.arguments.get(from..).unwrap_or_default() {
            [] => Tree::Leaf(self.default.clone()),
            [last] => self.outcome(last, &call.at(from), splits, problems),
            [test, then, ..] => {
                let test = self.test(test, &call.at(from), problems);
                let then = self.outcome(then, &call.at(from + 1), splits, problems);
                let otherwise = self.chain(call, from + 2, splits, problems);
                Tree::Branch(test, Rc::new(then), Rc::new(otherwise))
            }
        }
    }

    /// A test in the place of a variant picks those named true and false.
    fn either(&self, test: Test, node: &Node, path: &str, problems: &mut Problems) -> Tree {
        let mut named = |boolean| {
            let node = Node {
                place: node.place,
                kind: Kind::Boolean(boolean),
            };
            Rc::new(self.leaf(&node, path, problems))
        };
        let (then, otherwise) = (named(true), named(false));
        Tree::Branch(test, then, otherwise)
    }

    /// True, false, or neither: then the default variant is served.
    fn three_ways(&self, node: &Node, call: &Call<'_>, problems: &mut Problems) -> Tree {
        if call.operator != "sem_ver" && call.arguments.first().is_some_and(|first| names_targeting_key(first)) {
            let what =
                "an empty targeting key counts as none here, and here that tells false from the default; write an if";
            return self.refused(node, &call.path, what, problems);
        }
        let Some((holds, fails)) = self.custom(node, call, problems) else {
            return Tree::Leaf(self.default.clone());
        };
        let Tree::Branch(_, then, otherwise) = self.either(Test::Constant(true), node, &call.path, problems) else {
            return Tree::Leaf(self.default.clone());
        };
        Tree::Branch(holds, then, Rc::new(Tree::Branch(fails, otherwise, self.default())))
    }
}

/// `{"var": "targetingKey"}`.
fn names_targeting_key(node: &Node) -> bool {
    let name = node.get("var").map(|name| &name.kind);
    match name {
        Some(Kind::Text(name)) => name == TARGETING_KEY,
        Some(Kind::List(list)) => {
            matches!(list.first().map(|name| &name.kind), Some(Kind::Text(name)) if name == TARGETING_KEY)
        }
        Some(Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Map(_)) | None => false,
    }
}
