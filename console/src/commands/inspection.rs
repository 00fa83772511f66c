//! What a flag serves to somebody, and why: asked of the control plane, which decides as agents do.

use std::{
    fs,
    io::{self, Read as _},
};

use evaluation::Key;
use prost_types::Struct;
use proto::v1;
use serde_json::{Map, Value as Json};

use super::flags;
use crate::{
    args::{CallerArgs, EvaluateArgs, ExplainArgs, Global},
    connect::Session,
    error::Error,
    json,
    print::{self, Paint},
    view::explanation::{self, ExplanationView, ResultView},
};

/// The attribute that names the unit.
const TARGETING_KEY: &str = "targetingKey";
/// The largest context, in bytes of JSON.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// Shows what a flag serves.
pub(super) async fn evaluate(global: &Global, options: &EvaluateArgs) -> Result<(), Error> {
    let context = caller(&options.caller)?;
    let session = Session::open(global).await?;
    let request = v1::EvaluateRequest {
        environment: session.environment(),
        flag_key: options.key.to_string(),
        context: Some(context),
        revision: options.caller.at.unwrap_or_default(),
    };
    let response = match session.inspection().evaluate(session.call(request)).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Err(flags::missing(&session, &options.key, status).await),
    };
    let result = response.result.unwrap_or_default();
    print::show(global.output, &ResultView::of(&result), || explanation::line(&result))
}

/// Shows why a flag serves what it serves.
pub(super) async fn explain(global: &Global, options: &ExplainArgs) -> Result<(), Error> {
    let context = caller(&options.caller)?;
    let session = Session::open(global).await?;
    let v1::ExplainResponse { result, explanation } = ask(&session, &options.key, context, options).await?;
    let (result, explanation) = (result.unwrap_or_default(), explanation.unwrap_or_default());
    let paint = Paint::of(global);
    print::show(global.output, &ExplanationView::of(&result, &explanation), || {
        explanation::page(&result, &explanation, paint)
    })
}

async fn ask(
    session: &Session,
    key: &Key,
    context: Struct,
    options: &ExplainArgs,
) -> Result<v1::ExplainResponse, Error> {
    let request = v1::ExplainRequest {
        environment: session.environment(),
        flag_key: key.to_string(),
        context: Some(context),
        revision: options.caller.at.unwrap_or_default(),
        redact: options.redact,
    };
    match session.inspection().explain(session.call(request)).await {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => Err(flags::missing(session, key, status).await),
    }
}

/// The caller's attributes: the JSON, then single attributes, then the unit.
fn caller(options: &CallerArgs) -> Result<Struct, Error> {
    let mut fields = match &options.context {
        Some(text) => object(text)?,
        None => Map::new(),
    };
    fields.extend(options.attribute.iter().cloned());
    if let Some(unit) = &options.unit {
        fields.insert(TARGETING_KEY.to_owned(), Json::String(unit.clone()));
    }
    json::to_struct(&fields).map_err(|problem| Error::usage(format!("the context: {problem}")))
}

/// A JSON object: as it is, from `@FILE`, or from standard input for `-`.
fn object(text: &str) -> Result<Map<String, Json>, Error> {
    let (name, text) = match (text, text.strip_prefix('@')) {
        ("-", _) => ("standard input".to_owned(), read("standard input", io::stdin().lock())?),
        (_, Some(path)) => {
            let file = fs::File::open(path).map_err(|error| Error::usage(format!("--context: {path}: {error}")))?;
            (path.to_owned(), read(path, file)?)
        }
        (text, None) => ("--context".to_owned(), text.to_owned()),
    };
    match serde_json::from_str(&text) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(_) => Err(Error::usage(format!(
            "{name}: a context is a JSON object, such as {{\"targetingKey\": \"user-7\", \"plan\": \"pro\"}}"
        ))),
        Err(error) => Err(Error::usage(format!("{name}: {error}"))),
    }
}

fn read(name: &str, source: impl io::Read) -> Result<String, Error> {
    let mut text = String::new();
    source
        .take(LIMIT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Error::usage(format!("--context: {name}: {error}")))?;
    if text.len() as u64 > LIMIT_BYTES {
        return Err(Error::usage(format!(
            "--context: {name}: larger than {LIMIT_BYTES} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn options(context: Option<&str>, unit: Option<&str>, attribute: &[(&str, Json)]) -> CallerArgs {
        CallerArgs {
            context: context.map(str::to_owned),
            unit: unit.map(str::to_owned),
            attribute: attribute
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone()))
                .collect(),
            at: None,
        }
    }

    #[test]
    fn single_attributes_and_the_unit_go_over_the_context() {
        let options = options(
            Some(r#"{"targetingKey": "a", "plan": "free", "address": {"country": "DE"}}"#),
            Some("user-7"),
            &[("plan", "pro".into()), ("seats", 12.into())],
        );
        let context = json::of_struct(&caller(&options).unwrap());
        let expected = r#"{"address":{"country":"DE"},"plan":"pro","seats":12,"targetingKey":"user-7"}"#;
        assert_eq!(context.to_string(), expected);
    }

    #[test]
    fn what_is_no_context_is_refused_with_an_example() {
        let cases = [
            ("[1]", "a context is a JSON object, such as"),
            ("plan=pro", "--context: expected value"),
            ("@no-such-file", "no-such-file: "),
        ];
        for (text, part) in cases {
            let error = caller(&options(Some(text), None, &[])).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
