//! A plan from what people have written before, or from what they answer: read, made one wish, and drafted.
//!
//! The draft itself is the `rollout` crate's. What a file says and nobody can measure is left out and said so.

mod ask;
mod wire;

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::Path,
};

use evaluation::Key;
use proto::v1;
use rollout::{
    Unit, catalogue,
    criterion::Number,
    draft::{self as drafts, Wish},
    plan::Traffic,
    risk::{Assessment, Rated, Reversibility, Risk},
    strategy::Strategy,
};

use super::flags;
use crate::{
    args::{DraftArgs, Global, UnitArg},
    brief::{self, BaselineLine, Brief, risk},
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

/// What options say goes before what files say.
fn chosen(wish: &mut Wish, options: &DraftArgs) -> Result<(), Error> {
    wish.key = options.key.as_ref().map(ToString::to_string).unwrap_or_default();
    wish.treatment = options.treatment.clone().unwrap_or_default();
    wish.control = options.control.clone().unwrap_or_default();
    wish.strategy = options.strategy;
    wish.staff = options.staff.as_ref().map(ToString::to_string);
    wish.unit_by.clone_from(&options.unit_by);
    wish.unit = match options.unit {
        None | Some(UnitArg::Unit) => Unit::Unit,
        Some(UnitArg::Request) => Unit::Request,
    };
    wish.on_call = options.on_call.clone().unwrap_or_default();
    wish.start_at_us = options.start_at;
    if let Some(zone) = &options.zone {
        let hours = drafts::business_hours(zone).map_err(|error| Error::usage(format!("--zone {zone}: {error}")))?;
        wish.business_hours = Some(hours);
    }
    Ok(())
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

/// Adds what a brief says and no earlier one did; gives what of it cannot be used.
fn described(wish: &mut Wish, brief: Brief) -> Vec<String> {
    let mut notes = Vec::new();
    let fill = |field: &mut String, value: Option<String>| {
        if field.is_empty() {
            *field = value.unwrap_or_default();
        }
    };
    let description = match (brief.title.as_str(), brief.description.as_str()) {
        (title, "") => title.to_owned(),
        ("", description) => description.to_owned(),
        (title, description) => format!("{title}: {description}"),
    };
    fill(&mut wish.description, Some(description));
    fill(&mut wish.flag, brief.flag);
    fill(&mut wish.environment, brief.environment);
    fill(&mut wish.people.owner, brief.owner);
    let labels = [
        ("component", brief.component),
        ("pattern", brief.pattern),
        ("cycle", brief.cycle),
    ];
    for (name, value) in labels {
        if let Some(value) = value {
            wish.labels.entry(name.to_owned()).or_insert(value);
        }
    }
    if wish.risk.is_none() {
        wish.risk = brief.risk.map(assessed);
    }
    if wish.traffic == Traffic::default() {
        wish.traffic.requests_per_day = brief.traffic_per_day.unwrap_or_default();
    }
    for line in &brief.baseline {
        match measured(line) {
            Ok((key, value)) => {
                wish.baseline.values.entry(key).or_insert(value);
            }
            Err(note) => notes.push(note),
        }
    }
    if !brief.audiences.is_empty() {
        notes.push(format!(
            "audiences are segments in a plan: {} are left to you",
            brief.audiences.join(", ")
        ));
    }
    notes
}

/// The key of a metric and its value, or why it is left out.
fn measured(line: &BaselineLine) -> Result<(String, Number), String> {
    let BaselineLine {
        metric, value, unit, ..
    } = line;
    let Some(definition) = catalogue::find(metric) else {
        let near = catalogue::nearest(metric).map(|near| format!("; is it {}?", near.key));
        return Err(format!(
            "{metric} is left out: no such metric, see: tidegate metrics list{}",
            near.unwrap_or_default()
        ));
    };
    let number = value.trim_start_matches(|c: char| !(c.is_ascii_digit() || c == '.'));
    let text = match unit.as_str() {
        "$" | "€" | "£" | "¥" => format!("{unit}{number}"),
        unit => format!("{number} {unit}"),
    };
    let value = text.trim().parse::<Number>();
    value
        .map(|value| (definition.key.to_owned(), value))
        .map_err(|error| format!("{metric} is left out: {error}"))
}

fn assessed(risk: risk::Risk) -> Assessment {
    let level = |level: risk::Level| match level {
        risk::Level::Low => Risk::Low,
        risk::Level::Medium => Risk::Medium,
        risk::Level::High => Risk::High,
    };
    let rated = |one: risk::Assessment| Rated {
        level: level(one.level),
        rationale: one.rationale,
    };
    Assessment {
        user_impact: rated(risk.user_impact),
        revenue_impact: rated(risk.revenue_impact),
        criticality: rated(risk.criticality),
        // How grave it is that it cannot be taken back.
        reversibility: Rated {
            level: match risk.reversibility.level {
                risk::Level::Low => Reversibility::Easy,
                risk::Level::Medium => Reversibility::Moderate,
                risk::Level::High => Reversibility::Hard,
            },
            rationale: risk.reversibility.rationale,
        },
    }
}

#[cfg(test)]
mod tests;
