//! A new flag from the options of `create`.
//!
//! A boolean flag needs nothing: it gets on and off, serves off, and `on` is what a percentage or an allowed unit
//! means. A flag of another type says its variants and its default. All problems are named at once, each with its option.

use std::collections::BTreeMap;

use evaluation::{Buckets, Key};
use proto::v1;

use crate::{
    args::{CreateArgs, TypeArg, VariantArg},
    document::{Node, Problems, json},
    edit::{allow_list_of, split},
    flag_document::type_name,
};

/// The flag, or every problem as `--option: what is wrong`.
pub(crate) fn from_options(key: &Key, options: &CreateArgs) -> Result<v1::Flag, Vec<String>> {
    let mut problems = Vec::new();
    let variants = variants(options, &mut problems);
    let names = Names::of(options, &variants, &mut problems);
    let mut flag = v1::Flag {
        key: key.as_str().into(),
        r#type: flag_type(options.flag_type).into(),
        description: options.description.clone(),
        owner: options.owner.clone(),
        tags: options.tag.clone(),
        flag_set: options
            .flag_set
            .as_ref()
            .map(|set| set.as_str().to_owned())
            .unwrap_or_default(),
        enabled: !options.disabled,
        killed: false,
        salt: options.salt.clone(),
        off_variant: names.off.clone().unwrap_or_default(),
        default_serve: default(options, &names, &mut problems),
        deny: options.listed.deny.clone(),
        allow: Vec::new(),
        rules: options.listed.rule.clone(),
        variants,
        ..v1::Flag::default()
    };
    for unit in &options.allow {
        allow(&mut flag, unit, names.truth.as_deref(), &mut problems);
    }
    if problems.is_empty() { Ok(flag) } else { Err(problems) }
}

/// A boolean flag with on and off that serves off.
pub(crate) fn boolean(key: &Key) -> v1::Flag {
    let value = |boolean| v1::Value {
        kind: Some(v1::value::Kind::Boolean(boolean)),
    };
    v1::Flag {
        key: key.as_str().into(),
        r#type: v1::FlagType::Boolean.into(),
        enabled: true,
        variants: BTreeMap::from([("on".into(), value(true)), ("off".into(), value(false))]),
        off_variant: "off".into(),
        default_serve: Some(v1::Serve {
            kind: Some(v1::serve::Kind::Variant("off".into())),
        }),
        ..v1::Flag::default()
    }
}

pub(crate) fn flag_type(flag_type: TypeArg) -> v1::FlagType {
    match flag_type {
        TypeArg::Boolean => v1::FlagType::Boolean,
        TypeArg::String => v1::FlagType::String,
        TypeArg::Integer => v1::FlagType::Integer,
        TypeArg::Float => v1::FlagType::Float,
        TypeArg::Object => v1::FlagType::Object,
    }
}

fn variants(options: &CreateArgs, problems: &mut Vec<String>) -> BTreeMap<String, v1::Value> {
    if options.variant.is_empty() {
        return match options.flag_type {
            TypeArg::Boolean => [("on", true), ("off", false)]
                .map(|(name, boolean)| {
                    (
                        name.into(),
                        v1::Value {
                            kind: Some(v1::value::Kind::Boolean(boolean)),
                        },
                    )
                })
                .into(),
            TypeArg::String | TypeArg::Integer | TypeArg::Float | TypeArg::Object => {
                let name = type_name(flag_type(options.flag_type).into());
                problems.push(format!("--variant: {name} flags need at least one NAME=VALUE"));
                BTreeMap::new()
            }
        };
    }
    let mut variants = BTreeMap::new();
    for variant in &options.variant {
        let value = match value(options.flag_type, variant) {
            Ok(kind) => v1::Value { kind: Some(kind) },
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if variants.insert(variant.name.clone(), value).is_some() {
            problems.push(format!("--variant: `{}` is given twice", variant.name));
        }
    }
    variants
}

fn value(flag_type: TypeArg, variant: &VariantArg) -> Result<v1::value::Kind, String> {
    let VariantArg { name, value: text } = variant;
    let wrong = |rule: &str| Err(format!("--variant: {name}={text}: {rule}"));
    match (flag_type, text.as_str()) {
        (TypeArg::String, text) => Ok(v1::value::Kind::Text(text.into())),
        (TypeArg::Boolean, "true") => Ok(v1::value::Kind::Boolean(true)),
        (TypeArg::Boolean, "false") => Ok(v1::value::Kind::Boolean(false)),
        (TypeArg::Boolean, _) => wrong("a boolean is true or false (or add --type string)"),
        (TypeArg::Integer, text) => match text.parse() {
            Ok(number) => Ok(v1::value::Kind::Integer(number)),
            Err(_) => wrong("an integer is a whole number of 64 bits (or add --type float)"),
        },
        (TypeArg::Float, text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(v1::value::Kind::Number(number)),
            Ok(_) | Err(_) => wrong("a float is a finite number"),
        },
        (TypeArg::Object, text) => object(text).map_or_else(|problem| wrong(&problem), Ok),
    }
}

/// An object from its JSON.
fn object(text: &str) -> Result<v1::value::Kind, String> {
    let nodes = Node::parse(text).map_err(|error| format!("{} (column {})", error.what, error.place.column))?;
    let mut problems = Problems::of("value");
    match nodes.as_slice() {
        [node] => {
            let fields = json::object(node, "", &mut problems);
            match (problems.into_lines().0.into_iter().next(), fields) {
                (None, Some(fields)) => Ok(v1::value::Kind::Object(fields)),
                (Some(problem), _) => Err(problem),
                (None, None) => Err("an object is written as JSON: {\"size\": 3}".into()),
            }
        }
        _ => Err("an object is written as JSON: {\"size\": 3}".into()),
    }
}

/// The variants that other options speak of without naming them.
struct Names {
    /// The only variant with the value true.
    truth: Option<String>,
    /// The off variant, if there is one.
    off: Option<String>,
    /// The default, if it is a variant.
    default: Option<String>,
}

impl Names {
    fn of(options: &CreateArgs, variants: &BTreeMap<String, v1::Value>, problems: &mut Vec<String>) -> Self {
        let only = |wanted: bool| {
            let mut names = variants
                .iter()
                .filter(|(_, value)| value.kind == Some(v1::value::Kind::Boolean(wanted)));
            match (names.next(), names.next()) {
                (Some((name, _)), None) => Some(name.clone()),
                (_, _) => None,
            }
        };
        for (option, name) in [("--default", &options.default), ("--off", &options.off)] {
            if let Some(name) = name
                && !variants.contains_key(name)
            {
                problems.push(format!("{option}: {}", no_variant(name, variants)));
            }
        }
        let (truth, falsehood) = (only(true), only(false));
        let off = options.off.clone().or_else(|| falsehood.clone());
        let default = match options.percent {
            Some(_) => options.default.clone().or_else(|| truth.clone()),
            None => options.default.clone().or(falsehood),
        };
        Self { truth, off, default }
    }
}

fn default(options: &CreateArgs, names: &Names, problems: &mut Vec<String>) -> Option<v1::Serve> {
    let Some(variant) = &names.default else {
        problems.push("--default: name the variant that is served".into());
        return None;
    };
    let Some(percent) = options.percent.filter(|percent| *percent < Buckets::ALL) else {
        return Some(v1::Serve {
            kind: Some(v1::serve::Kind::Variant(variant.clone())),
        });
    };
    match names.off.as_ref().filter(|off| *off != variant) {
        Some(rest) => Some(split(variant, percent, rest)),
        None => {
            problems.push("--percent: the rest needs another variant; name it with --off".into());
            None
        }
    }
}

/// `VARIANT=UNIT` where the part before the first `=` names a variant, else a unit of the true variant.
fn allow(flag: &mut v1::Flag, text: &str, truth: Option<&str>, problems: &mut Vec<String>) {
    let named = text
        .split_once('=')
        .filter(|(variant, unit)| flag.variants.contains_key(*variant) && !unit.is_empty());
    match (named, truth) {
        (Some((variant, unit)), _) => allow_list_of(flag, variant).units.push(unit.into()),
        (None, Some(truth)) => allow_list_of(flag, truth).units.push(text.into()),
        (None, None) => problems.push(format!("--allow: {text}: say which variant it gets: VARIANT={text}")),
    }
}

/// "no variant `onn`; there are off, on".
pub(crate) fn no_variant(name: &str, variants: &BTreeMap<String, v1::Value>) -> String {
    let known = variants.keys().map(String::as_str).collect::<Vec<_>>();
    match known.as_slice() {
        [] => format!("no variant `{name}`; there are none"),
        known => format!("no variant `{name}`; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn create(options: &[&str]) -> Result<v1::Flag, Vec<String>> {
        let line = [&["tidegate", "create", "a"], options].concat();
        let Command::Create(options) = Arguments::try_parse_from(line).unwrap().command else {
            panic!("create")
        };
        from_options(options.key.as_ref().unwrap(), &options)
    }

    fn served(flag: &v1::Flag) -> String {
        crate::print::serve(flag.default_serve.as_ref())
    }

    #[test]
    fn a_boolean_flag_needs_no_options() {
        let flag = create(&[]).unwrap();
        assert_eq!(flag, boolean(&Key::parse("a").unwrap()));
        assert_eq!(
            (served(&flag).as_str(), flag.off_variant.as_str(), flag.enabled),
            ("off", "off", true)
        );
    }

    #[test]
    fn a_percentage_means_the_true_variant() {
        let flag = create(&["--percent", "2.5", "--allow", "user-7,off=user-8", "--deny", "user-9"]).unwrap();
        assert_eq!(served(&flag), "on 2.5 %, off 97.5 %");
        let lists: Vec<_> = flag
            .allow
            .iter()
            .map(|list| (list.variant.as_str(), list.units.join(" ")))
            .collect();
        assert_eq!(lists, [("on", "user-7".into()), ("off", "user-8".into())]);
        assert_eq!(flag.deny, ["user-9"]);
        assert_eq!(served(&create(&["--percent", "100"]).unwrap()), "on");
        assert_eq!(served(&create(&["--percent", "0"]).unwrap()), "off");
    }

    #[test]
    fn a_string_flag_says_its_variants_and_default() {
        let line = [
            "--type",
            "string",
            "--variant",
            "b=blue",
            "--variant",
            "g=a=b",
            "--default",
            "g",
            "--off",
            "b",
        ];
        let flag = create(&[&line[..], &["--percent", "10", "--allow", "g=u=1", "--disabled"]].concat()).unwrap();
        assert_eq!(served(&flag), "g 10 %, b 90 %");
        assert_eq!(flag.variants["g"].kind, Some(v1::value::Kind::Text("a=b".into())));
        assert_eq!((flag.allow[0].units[0].as_str(), flag.enabled), ("u=1", false));
    }

    #[test]
    fn problems_are_named_with_their_options_all_at_once() {
        let cases: [(&[&str], &[&str]); 6] = [
            (
                &["--type", "string"],
                &[
                    "--variant: string flags need at least one NAME=VALUE",
                    "--default: name the variant",
                ],
            ),
            (
                &[
                    "--variant",
                    "on=yes",
                    "--variant",
                    "on=true",
                    "--variant",
                    "on=false",
                    "--off",
                    "of",
                ],
                &[
                    "--variant: on=yes: a boolean is true or false",
                    "--variant: `on` is given twice",
                    "--off: no variant `of`; there are on",
                ],
            ),
            (
                &["--default", "onn", "--off", "x"],
                &["--default: no variant `onn`; there are off, on", "--off: no"],
            ),
            (
                &["--variant", "yes=true", "--percent", "5"],
                &["--percent: the rest needs another variant; name it with --off"],
            ),
            (
                &["--variant", "a=true", "--variant", "b=true", "--percent", "5"],
                &["--default: name the variant that is served"],
            ),
            (
                &[
                    "--type",
                    "string",
                    "--variant",
                    "b=blue",
                    "--default",
                    "b",
                    "--allow",
                    "user-7",
                ],
                &["--allow: user-7: say which variant it gets: VARIANT=user-7"],
            ),
        ];
        for (options, starts) in cases {
            let problems = create(options).unwrap_err();
            assert_eq!(problems.len(), starts.len(), "{problems:?}");
            for (problem, start) in problems.iter().zip(starts) {
                assert!(problem.starts_with(start), "{problem}");
            }
        }
    }
}
