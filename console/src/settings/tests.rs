//! Who has the last word: option, variable, context, default.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use clap::Parser as _;

use super::*;
use crate::args::Arguments;

fn global(line: &[&str]) -> Global {
    Arguments::try_parse_from([&["tidegate", "list"], line].concat())
        .unwrap()
        .global
}

fn contexts() -> Result<Contexts, Error> {
    let mut near = Context::of(Some("http://near:1"), Some("staging"));
    near.set_token(&Token::parse("near-token").unwrap());
    let far = Context::of(Some("http://far:1"), None);
    Ok(Contexts {
        current: Some("near".into()),
        contexts: BTreeMap::from([("near".into(), near), ("far".into(), far)]),
    })
}

fn resolve(line: &[&str], variables: &[(&str, &str)]) -> Result<Settings, Error> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Settings::resolve(&global(line), &variable, contexts)
}

fn shown(settings: &Settings) -> (&str, &str, Option<&str>) {
    (
        &settings.server.value,
        settings.environment.value.as_str(),
        settings.token.as_ref().map(|token| token.value.secret()),
    )
}

#[test]
fn an_option_beats_a_variable_beats_the_context_beats_the_default() {
    let server = ("TIDEGATE_SERVER", "http://variable:1");
    let environment = ("TIDEGATE_ENVIRONMENT", "development");
    let token = ("TIDEGATE_TOKEN", "variable-token");
    let context = ("TIDEGATE_CONTEXT", "far");
    type Case<'c> = (
        &'c [&'c str],
        &'c [(&'c str, &'c str)],
        (&'c str, &'c str, Option<&'c str>),
    );
    let cases: [Case<'_>; 7] = [
        (&[], &[], ("http://near:1", "staging", Some("near-token"))),
        (&[], &[context], ("http://far:1", "production", None)),
        (
            &["--context-name", "near"],
            &[context],
            ("http://near:1", "staging", Some("near-token")),
        ),
        (&[], &[server], ("http://variable:1", "staging", Some("near-token"))),
        (
            &[],
            &[server, environment, token],
            ("http://variable:1", "development", Some("variable-token")),
        ),
        (
            &["--server", "option:1", "-e", "x", "--token", "option-token"],
            &[server, environment, token],
            ("http://option:1", "x", Some("option-token")),
        ),
        (&["-e", "x"], &[environment], ("http://near:1", "x", Some("near-token"))),
    ];
    for (line, variables, expected) in cases {
        let settings = resolve(line, variables).unwrap();
        assert_eq!(shown(&settings), expected, "{line:?} {variables:?}");
    }
}

#[test]
fn every_setting_knows_where_it_came_from() {
    let settings = resolve(&["--server", "a:1"], &[("TIDEGATE_ENVIRONMENT", "x")]).unwrap();
    assert_eq!(settings.server.source, Source::Option);
    assert_eq!(settings.environment.source, Source::Variable("TIDEGATE_ENVIRONMENT"));
    assert_eq!(settings.token.unwrap().source, Source::Context("near".into()));
}

#[test]
fn without_anything_the_defaults_hold() {
    let settings = Settings::resolve(&global(&[]), &|_| None, || Ok(Contexts::default())).unwrap();
    assert_eq!(shown(&settings), ("http://127.0.0.1:7420", "production", None));
    assert_eq!(settings.environment.source, Source::Default);
}

#[test]
fn a_broken_context_file_does_not_stand_in_the_way_of_options_that_say_everything() {
    let line = ["--server", "a:1", "-e", "x", "--token", "t"];
    let broken = || Err(Error::usage("broken"));
    assert!(Settings::resolve(&global(&line), &|_| None, broken).is_ok());
    assert!(Settings::resolve(&global(&line[..2]), &|_| None, broken).is_err());
}

#[test]
fn wrong_variables_and_tokens_are_named() {
    let cases: [(&[&str], (&str, &str), &str); 6] = [
        (
            &[],
            ("TIDEGATE_SERVER", "https://x"),
            "TIDEGATE_SERVER: write http://HOST:PORT",
        ),
        (&[], ("TIDEGATE_ENVIRONMENT", "a b"), "TIDEGATE_ENVIRONMENT: a key has"),
        (&[], ("TIDEGATE_CONTEXT", "nearr"), "did you mean near?"),
        (&[], ("TIDEGATE_TOKEN", "a b"), "TIDEGATE_TOKEN: a token has printable"),
        (
            &[],
            ("TIDEGATE_TOKEN_FILE", "/no/such"),
            "TIDEGATE_TOKEN_FILE: /no/such: ",
        ),
        (&["--token", "  "], ("X", "x"), "--token: the token is empty"),
    ];
    for (line, variable, part) in cases {
        let error = resolve(line, &[variable]).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_token_is_the_first_line_of_its_file_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "secret-1\nother\n").unwrap();
    let token = Token::read(&file).unwrap();
    assert_eq!(token.secret(), "secret-1");
    assert!(!format!("{token:?} {:?}", token.metadata()).contains("secret"));
}

#[test]
fn the_context_file_is_where_it_is_told_to_be() {
    let path = |variables: &[(&str, &str)]| {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        contexts_path(&|name: &str| variables.get(name).map(|value| (*value).to_owned()))
    };
    let (config, xdg, home) = (
        ("TIDEGATE_CONFIG", "/c.toml"),
        ("XDG_CONFIG_HOME", "/x"),
        ("HOME", "/h"),
    );
    assert_eq!(path(&[config, xdg, home]).unwrap(), Path::new("/c.toml"));
    assert_eq!(path(&[xdg, home]).unwrap(), Path::new("/x/tidegate/contexts.toml"));
    assert_eq!(path(&[home]).unwrap(), Path::new("/h/.config/tidegate/contexts.toml"));
    assert!(path(&[]).is_err());
}

#[test]
fn an_actor_is_always_named() {
    let by = |line: &[&str], named: Option<&str>| {
        let variable = |name: &str| named.filter(|_| name == "TIDEGATE_ACTOR").map(str::to_owned);
        actor(&global(line), &variable).unwrap()
    };
    assert!(by(&[], None).contains('@'));
    assert_eq!(by(&[], Some("jürgen@büro")), "jürgen@büro");
    assert_eq!(by(&[], Some("ann@desk")), "ann@desk");
    assert_eq!(by(&["--actor", "bob@desk"], Some("ann@desk")), "bob@desk");
    let wrong = actor(&global(&[]), &|_| Some("ann\n".into())).unwrap_err();
    assert!(
        wrong.to_string().contains("TIDEGATE_ACTOR: '\\n' cannot be recorded"),
        "{wrong}"
    );
}
