//! Stages: a percentage of an audience, held for a dwell time, and the gate at its end.
//!
//! A dwell must be written, except that of a stage that gives everybody the treatment: to forget it below 100 % would
//! mean not to wait at all.

use proto::v1;
use rollout::{
    duration::{self, Dwell},
    gate::{Outcome, Policy},
};

use super::{checked, time, values};
use crate::document::{Fields, Kind, Node, Problems, Tree, text_of};

/// The buckets of everybody.
const EVERYBODY: u32 = 100_000;

/// Reads `stages`.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<v1::Stage> {
    let path = fields.path("stages");
    let Some(node) = fields.take("stages") else {
        problems.wrong(
            fields.place,
            &path,
            "missing; write at least one: {name: canary, percentage: 5, dwell: 24h}",
        );
        return Vec::new();
    };
    match &node.kind {
        Kind::List(list) if list.is_empty() => {
            problems.wrong(node.place, &path, "at least one");
            Vec::new()
        }
        Kind::List(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, item)| read_one(item, &format!("{path}[{at}]"), problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            problems.expected(
                node,
                &path,
                "a list of stages: {name: canary, percentage: 5, dwell: 24h}",
            );
            Vec::new()
        }
    }
}

fn read_one(node: &Node, path: &str, problems: &mut Problems) -> Option<v1::Stage> {
    let mut fields = Fields::of(
        node,
        path,
        "a stage: {name: canary, percentage: 5, dwell: 24h}",
        problems,
    )?;
    let mut stage = v1::Stage {
        name: checked::required(&mut fields, "name", checked::key, "every stage has one", problems),
        audience: checked::list(&mut fields, "audience", checked::key, problems),
        buckets: read_percentage(&mut fields, problems),
        shadow: fields.boolean("shadow", problems).unwrap_or_default(),
        gate: values::word(
            &mut fields,
            "gate",
            &values::names(&Policy::ALL, Policy::name),
            problems,
        ),
        success: checked::list(&mut fields, "success", checked::criterion, problems),
        rollback: checked::list(&mut fields, "rollback", checked::criterion, problems),
        outcomes: read_outcomes(&mut fields, problems),
        max_extensions: values::count(&mut fields, "max_extensions", problems).unwrap_or_default(),
        extension_us: time::positive(&mut fields, "extension", problems),
        minimum_outcomes: values::count(&mut fields, "minimum_outcomes", problems),
        minimum_units: values::count(&mut fields, "minimum_units", problems),
        approvals: values::count(&mut fields, "approvals", problems).unwrap_or_default(),
        checklist: checked::list(&mut fields, "checklist", checked::key, problems),
        on_call_required: fields.boolean("on_call_required", problems).unwrap_or_default(),
        windows: checked::list(&mut fields, "windows", checked::window, problems),
        ..v1::Stage::default()
    };
    read_dwell(&mut stage, &mut fields, problems);
    fields.finish(problems);
    Some(stage)
}

/// Older documents call it `percent`.
fn read_percentage(fields: &mut Fields<'_>, problems: &mut Problems) -> u32 {
    let before = problems.len();
    let percentage = values::percentage(fields, &["percentage", "percent"], problems);
    if percentage.is_none() && problems.len() == before {
        let what = "missing; how much of the audience gets the treatment, such as 0.5";
        problems.wrong(fields.place, &fields.path("percentage"), what);
    }
    percentage.unwrap_or_default()
}

fn read_dwell(stage: &mut v1::Stage, fields: &mut Fields<'_>, problems: &mut Problems) {
    let path = fields.path("dwell");
    let Some(node) = fields.take("dwell") else {
        if !is_for_everybody(stage) {
            problems.wrong(
                fields.place,
                &path,
                "missing; write how long it is held, such as 24h, or permanent",
            );
        }
        return;
    };
    let Some(text) = text_of(node, &path, problems) else {
        return;
    };
    match Dwell::parse(&text) {
        Ok(Dwell::For(us)) => stage.dwell_us = us,
        Ok(Dwell::Permanent) => stage.permanent = true,
        Err(error) => problems.wrong(node.place, &path, error.to_string()),
    }
}

/// A text, or a list of them.
fn read_outcomes(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<String> {
    let path = fields.path("outcomes");
    let words = values::names(&Outcome::ALL, Outcome::name);
    let Some(node) = fields.take("outcomes") else {
        return Vec::new();
    };
    match &node.kind {
        Kind::List(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, item)| values::word_of(item, &format!("{path}[{at}]"), &words, problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            values::word_of(node, &path, &words, problems).into_iter().collect()
        }
    }
}

fn is_for_everybody(stage: &v1::Stage) -> bool {
    stage.buckets == EVERYBODY && stage.audience.is_empty() && !stage.shadow
}

/// As `read`, back.
pub(super) fn write(stages: &[v1::Stage]) -> Option<Tree> {
    (!stages.is_empty()).then(|| Tree::List(stages.iter().map(write_one).collect()))
}

fn write_one(stage: &v1::Stage) -> Tree {
    let dwell = match (stage.permanent, stage.dwell_us) {
        (true, _) => Some(Tree::Text(Dwell::Permanent.to_string())),
        (false, 0) if is_for_everybody(stage) => None,
        (false, us) => Some(time::write_duration(us)),
    };
    Tree::fields([
        ("name", Tree::text(&stage.name)),
        ("audience", checked::write(&stage.audience)),
        ("percentage", Some(values::percent(stage.buckets))),
        ("shadow", stage.shadow.then_some(Tree::Boolean(true))),
        ("dwell", dwell),
        ("gate", Tree::text(&stage.gate)),
        ("success", checked::write(&stage.success)),
        ("rollback", checked::write(&stage.rollback)),
        ("outcomes", checked::write(&stage.outcomes)),
        ("max_extensions", values::write_count(stage.max_extensions)),
        ("extension", time::write_positive(stage.extension_us)),
        ("minimum_outcomes", stage.minimum_outcomes.map(values::write_whole)),
        ("minimum_units", stage.minimum_units.map(values::write_whole)),
        ("approvals", values::write_count(stage.approvals)),
        ("checklist", checked::write(&stage.checklist)),
        (
            "on_call_required",
            stage.on_call_required.then_some(Tree::Boolean(true)),
        ),
        ("windows", checked::write(&stage.windows)),
    ])
}

/// A stage from `NAME:PERCENT:DWELL`, such as `canary:5%:10m`. The name may hold colons.
pub(crate) fn parse_stage(text: &str) -> Result<v1::Stage, String> {
    let mut parts = text.rsplitn(3, ':');
    let (Some(dwell), Some(percent), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("write NAME:PERCENT:DWELL, such as canary:5%:10m".into());
    };
    if name.is_empty() {
        return Err("the name before the first colon is missing".into());
    }
    let buckets = evaluation::Buckets::parse_percent(percent)
        .map_err(|error| format!("{percent:?}: {error}"))?
        .get();
    Ok(v1::Stage {
        name: name.into(),
        buckets,
        dwell_us: duration::parse(dwell).map_err(|error| error.to_string())?,
        ..v1::Stage::default()
    })
}
