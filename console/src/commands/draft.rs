//! A plan from what people have written before, or from what they answer: read, made one wish, and drafted.
//!
//! The draft itself is the `rollout` crate's. What files say is taken into the wish by `described`, what options say by
//! `chosen`.

mod ask;
mod chosen;
mod described;
mod wire;

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::Path,
};

use evaluation::Key;
use proto::v1;
use rollout::{
    draft::{self as drafts, Wish},
    strategy::Strategy,
};

use self::{chosen::chosen, described::described};
use super::flags;
use crate::{
    args::{DraftArgs, Global},
    brief::{self, Brief},
    connect::Session,
    document,
    error::Error,
    plan_document::PlanDocument,
    print::{self, Format},
    settings,
};

/// Drafts a plan, and writes it as a document.
pub(super) async fn run(global: &Global, options: &DraftArgs) -> Result<(), Error> {
    let mut wish = wished(global, options)?;
    if wish.treatment.is_empty() || wish.control.is_empty() {
        let flag = Key::parse(&wish.flag).map_err(|error| Error::usage(format!("{}: {error}", wish.flag)))?;
        let session = Session::open(global).await?;
        let arms = arms(
            &session,
            &flag,
            options.treatment.as_deref(),
            options.control.as_deref(),
        )
        .await?;
        (wish.treatment, wish.control) = arms;
    }
    let plan = wire::write(&drafts::draft(&wish));
    let document = PlanDocument::from_wire(&plan);
    match &options.to {
        None => {
            // A document, whichever way it is shown: YAML is the form that people edit.
            let format = if global.output == Format::Json {
                Format::Json
            } else {
                Format::Yaml
            };
            print::show(format, &document, String::new)
        }
        Some(file) => write(file, &document),
    }
}

fn write(file: &Path, document: &PlanDocument) -> Result<(), Error> {
    let name = file.display();
    let text = document::to_yaml(document).map_err(|error| Error::Output(io::Error::other(error)))?;
    fs::write(file, text).map_err(|error| Error::refused(format!("{name}: {error}")))?;
    print::line(&format!("{name}: written; check it with: tidegate plan lint {name}"))
}

/// A plan of a strategy for a flag, and nothing else known.
pub(super) async fn of_strategy(
    global: &Global,
    session: &Session,
    flag: &Key,
    strategy: Strategy,
    treatment: Option<&str>,
    control: Option<&str>,
) -> Result<v1::Plan, Error> {
    let (treatment, control) = arms(session, flag, treatment, control).await?;
    let actor = settings::actor(global, &settings::variable)?;
    let wish = Wish {
        strategy: Some(strategy),
        ..Wish::new(flag.as_str(), treatment, control, actor)
    };
    Ok(wire::write(&drafts::draft(&wish)))
}

/// Treatment and control: as given, else the flag's other variant and its default.
async fn arms(
    session: &Session,
    flag: &Key,
    treatment: Option<&str>,
    control: Option<&str>,
) -> Result<(String, String), Error> {
    if let (Some(treatment), Some(control)) = (treatment, control) {
        return Ok((treatment.into(), control.into()));
    }
    let stored = match flags::read(session, flag).await {
        Ok(stored) => stored,
        Err(status) => return Err(flags::missing(session, flag, status).await),
    };
    let known = stored.flag.unwrap_or_default();
    let control = match (
        control,
        known.default_serve.as_ref().and_then(|serve| serve.kind.as_ref()),
    ) {
        (Some(control), _) => control.to_owned(),
        (None, Some(v1::serve::Kind::Variant(variant))) => variant.clone(),
        (None, _) => {
            return Err(Error::usage(format!(
                "{flag}: its default is not one variant; say which arms with --treatment and --control"
            )));
        }
    };
    let treatment = match treatment {
        Some(treatment) => treatment.to_owned(),
        None => other_variant(&known, &control)?,
    };
    Ok((treatment, control))
}

/// The one variant beside the control.
fn other_variant(flag: &v1::Flag, control: &str) -> Result<String, Error> {
    let mut others: Vec<&str> = flag
        .variants
        .keys()
        .map(String::as_str)
        .filter(|name| *name != control)
        .collect();
    others.sort_unstable();
    match others.as_slice() {
        [other] => Ok((*other).to_owned()),
        others => Err(Error::usage(format!(
            "{}: which variant is rolled out? say --treatment and --control; beside {control} there are: {}",
            flag.key,
            others.join(", ")
        ))),
    }
}

/// What is wished: by options, by files, or by answers.
fn wished(global: &Global, options: &DraftArgs) -> Result<Wish, Error> {
    let actor = settings::actor(global, &settings::variable)?;
    let mut wish = Wish::new("", "", "", actor);
    if options.file.is_empty() {
        let input = io::stdin();
        if input.is_terminal() {
            let answers = ask::ask(&mut input.lock(), &mut io::stderr().lock(), options.flag.as_ref())?;
            answered(&mut wish, answers);
        } else if options.flag.is_none() {
            return Err(Error::usage(
                "a file that describes the feature is needed, or --flag; at a terminal it would be asked for",
            ));
        }
    }
    for brief in briefs(options)? {
        for note in described(&mut wish, brief) {
            print::note(&note);
        }
    }
    if let Some(flag) = &options.flag {
        wish.flag = flag.to_string();
    }
    if wish.flag.is_empty() {
        return Err(Error::usage(
            "no file names the flag: add a line `Flag: KEY`, or --flag KEY",
        ));
    }
    chosen(&mut wish, options)?;
    Ok(wish)
}

fn briefs(options: &DraftArgs) -> Result<Vec<Brief>, Error> {
    let read = |path: &std::path::PathBuf| brief::read(&path.display().to_string(), &document::text(path)?);
    options.file.iter().map(read).collect()
}

fn answered(wish: &mut Wish, answers: ask::Answers) {
    wish.flag = answers.flag;
    wish.description = answers.description;
    wish.people.owner = answers.owner;
    wish.risk = answers.risk;
    wish.traffic.requests_per_day = answers.requests_per_day;
    wish.baseline.values.extend(answers.baseline);
}

#[cfg(test)]
mod tests;
