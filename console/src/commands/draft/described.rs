//! What a brief says of a draft. The first to say something is believed; what a brief says and nobody can measure is left
//! out and said so.

use rollout::{
    catalogue,
    criterion::Number,
    draft::Wish,
    plan::Traffic,
    risk::{Assessment, Rated, Reversibility, Risk},
};

use crate::brief::{BaselineLine, Brief, risk};

/// Adds what a brief says and no earlier one did; gives what of it cannot be used.
pub(super) fn described(wish: &mut Wish, brief: Brief) -> Vec<String> {
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

pub(super) fn assessed(risk: risk::Risk) -> Assessment {
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
