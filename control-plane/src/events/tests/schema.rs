//! Values against a JSON schema, as far as `schemas/events.json` uses it. A word that is not known here is refused, so that
//! nothing in the schema goes unchecked.

use serde_json::Value as Json;

/// What is wrong with a value, by path; empty: nothing.
pub(crate) fn wrong(root: &Json, value: &Json) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
}

fn check(root: &Json, schema: &Json, value: &Json, path: &str, found: &mut Vec<String>) {
    let mut wrong = |what: String| found.push(format!("{path}: {what}"));
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                let mut inner = Vec::new();
                check(root, &root["$defs"][name], value, path, &mut inner);
                inner.into_iter().for_each(&mut wrong);
            }
            "oneOf" => {
                let fits = rule.as_array().unwrap().iter().filter(|one| {
                    let mut inner = Vec::new();
                    check(root, one, value, path, &mut inner);
                    inner.is_empty()
                });
                let fits = fits.count();
                if fits != 1 {
                    wrong(format!("fits {fits} of the alternatives"));
                }
            }
            "type" => {
                let is_of_type = match rule {
                    Json::Array(types) => types.iter().any(|one| is_of_type(value, one)),
                    one => is_of_type(value, one),
                };
                if !is_of_type {
                    wrong(format!("{value} is no {rule}"));
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        wrong(format!("{name} is missing"));
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(rule, &Json::Bool(false));
                for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                    if schema["properties"].get(name).is_none() {
                        wrong(format!("{name} is not known"));
                    }
                }
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    let mut inner = Vec::new();
                    check(root, rule, item, &format!("{path}[{at}]"), &mut inner);
                    inner.into_iter().for_each(&mut wrong);
                }
            }
            "const" if value != rule => wrong(format!("{value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => wrong(format!("{value} is none of {rule}")),
            "minimum" if value.as_f64() < rule.as_f64() => wrong(format!("{value} is below {rule}")),
            "maximum" if value.as_f64() > rule.as_f64() => wrong(format!("{value} is above {rule}")),
            "minLength" if (value.as_str().unwrap_or("").len() as u64) < rule.as_u64().unwrap() => {
                wrong(format!("{value} is too short"));
            }
            "minItems" if (value.as_array().map_or(0, Vec::len) as u64) < rule.as_u64().unwrap() => {
                wrong(format!("{value} has too few"));
            }
            "format" => {
                assert_eq!(rule, "date-time");
                if value.as_str().unwrap_or("").parse::<jiff::Timestamp>().is_err() {
                    wrong(format!("{value} is no time"));
                }
            }
            "const" | "enum" | "minimum" | "maximum" | "minLength" | "minItems" => {}
            other => panic!("{other} is not known here"),
        }
    }
    for (name, rule) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
        if let Some(inner) = value.get(name) {
            check(root, rule, inner, &format!("{path}.{name}"), found);
        }
    }
}

fn is_of_type(value: &Json, name: &Json) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}
