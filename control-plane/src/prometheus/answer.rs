//! What an answer of Prometheus's HTTP API says of a query of one moment: one number, or why there is none.
//!
//! The one rule: only an answer that can mean nothing else is a number. No series is no data; several would have to be
//! chosen from; NaN and the infinities are what PromQL says of a division by nothing. None of them is a verdict. The
//! forms are those of the API's documentation (`/api/v1/query`, result types vector and scalar).

use serde_json::Value;

/// The longest answer that is read, in bytes: one number is a few hundred.
pub(super) const MOST_BYTES: usize = 64 * 1_024;
/// The longest word of a Prometheus that is shown, in characters.
const MOST_SAID: usize = 300;

/// Why there is no number.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Missing {
    /// The query matches nothing.
    #[error("no data: the query finds no series")]
    NoData,
    /// The query matches more than one series.
    #[error("the query finds several series: make them one, as with sum(..) or max(..)")]
    Several,
    /// Not a number, or an infinity.
    #[error("the answer is {0}, which is no number to compare with")]
    NotFinite(String),
    /// A number that the metric cannot have.
    #[error("the answer {0}")]
    Impossible(String),
    /// A range, a text, a histogram.
    #[error("the answer is a {0}, and one number is needed")]
    Form(String),
    /// The Prometheus says why.
    #[error("Prometheus refused the query: {0}")]
    Refused(String),
    /// Another status than 200, without a reason.
    #[error("Prometheus answered {0}")]
    Status(String),
    /// Too long to be one number.
    #[error("the answer is longer than {MOST_BYTES} bytes, which is no single number")]
    TooLong,
    /// Not in the API's form.
    #[error("the answer is not one of Prometheus's query API: {0}")]
    Malformed(String),
    /// No answer in time.
    #[error("Prometheus did not answer in time")]
    TimedOut,
    /// No connection.
    #[error("Prometheus cannot be reached: {0}")]
    Unreachable(String),
    /// The connection was lost.
    #[error("the connection to Prometheus was lost: {0}")]
    Cut(String),
    /// The token cannot be read.
    #[error("the token for Prometheus cannot be read: {0}")]
    Token(String),
}

impl Missing {
    /// As series name it; a closed set.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Several => "several_series",
            Self::NotFinite(_) => "not_finite",
            Self::Impossible(_) => "impossible",
            Self::Form(_) => "not_a_number",
            Self::Refused(_) => "refused",
            Self::Status(_) => "status",
            Self::TooLong => "too_long",
            Self::Malformed(_) => "malformed",
            Self::TimedOut => "timed_out",
            Self::Unreachable(_) => "unreachable",
            Self::Cut(_) => "cut",
            Self::Token(_) => "token",
        }
    }
}

/// Reads the body of an answer of status 200.
pub(super) fn read(body: &[u8]) -> Result<f64, Missing> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| malformed(&error.to_string()))?;
    match answer["status"].as_str() {
        Some("success") => {}
        Some("error") => return Err(refused(&answer).unwrap_or_else(|| malformed("an error without words"))),
        _ => return Err(malformed("it has no status")),
    }
    let data = &answer["data"];
    let kind = data["resultType"].as_str().unwrap_or_default();
    match (kind, &data["result"]) {
        ("vector", Value::Array(series)) => match series.as_slice() {
            [] => Err(Missing::NoData),
            [one] if one["value"].is_null() && one.get("histogram").is_some() => {
                Err(Missing::Form("native histogram".to_owned()))
            }
            [one] => number(&one["value"]),
            _ => Err(Missing::Several),
        },
        ("scalar", sample) => number(sample),
        ("matrix" | "string" | "streams", _) => Err(Missing::Form(kind.to_owned())),
        ("", _) => Err(malformed("it has no result type")),
        (other, _) => Err(malformed(&format!("a result of type {other}"))),
    }
}

/// Reads the body of an answer of another status: what the Prometheus says, or else the status itself.
pub(super) fn read_refusal(status: &str, body: &[u8]) -> Missing {
    let answer = serde_json::from_slice::<Value>(body).ok();
    let said = answer.as_ref().and_then(refused);
    said.unwrap_or_else(|| Missing::Status(status.to_owned()))
}

fn refused(answer: &Value) -> Option<Missing> {
    let words = answer["error"].as_str().filter(|words| !words.is_empty())?;
    let kind = answer["errorType"].as_str().unwrap_or("error");
    Some(Missing::Refused(short(&format!("{kind}: {words}"))))
}

/// A sample: its time, and its number as a text.
fn number(sample: &Value) -> Result<f64, Missing> {
    let Some([_, Value::String(text)]) = sample.as_array().map(Vec::as_slice) else {
        return Err(malformed("a sample is not [time, \"number\"]"));
    };
    let number: f64 = text
        .parse()
        .map_err(|_| malformed(&format!("{:?} is no number", short(text))))?;
    finite(number)
}

/// A number that can be compared with.
pub(super) fn finite(number: f64) -> Result<f64, Missing> {
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Missing::NotFinite(number.to_string()))
    }
}

fn malformed(what: &str) -> Missing {
    Missing::Malformed(short(what))
}

/// The beginning of what somebody else wrote, on one line.
fn short(text: &str) -> String {
    let shown = text.chars().take(MOST_SAID);
    shown
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(series: &str) -> Result<f64, Missing> {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#);
        read(body.as_bytes())
    }

    fn of(kind: &str, result: &str) -> Result<f64, Missing> {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#);
        read(body.as_bytes())
    }

    /// What an answer is, as series name it.
    fn missing(body: &str) -> &'static str {
        match read(body.as_bytes()) {
            Ok(number) => panic!("{body}: {number}"),
            Err(missing) => missing.name(),
        }
    }

    #[test]
    fn one_sample_is_a_number() {
        let sample = |number: &str| format!(r#"{{"metric":{{"pod":"a"}},"value":[1435781451.781,"{number}"]}}"#);
        for (text, expected) in [("0", 0.0), ("0.83", 0.83), ("-1.5e-3", -0.0015), ("1e+06", 1e6)] {
            assert_eq!(vector(&sample(text)), Ok(expected));
            assert_eq!(of("scalar", &format!(r#"[1435781451,"{text}"]"#)), Ok(expected));
        }
        let warned = r#"{"status":"success","warnings":["slow"],"data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert_eq!(read(warned.as_bytes()), Ok(2.0));
    }

    #[test]
    fn no_series_is_no_data_and_several_are_no_number() {
        let sample = r#"{"metric":{},"value":[1,"1"]}"#;
        assert_eq!(vector(""), Err(Missing::NoData));
        assert_eq!(vector(&format!("{sample},{sample}")), Err(Missing::Several));
    }

    #[test]
    fn a_division_by_nothing_is_no_number() {
        for (text, said) in [("NaN", "NaN"), ("+Inf", "inf"), ("-Inf", "-inf"), ("1e999", "inf")] {
            let found = vector(&format!(r#"{{"metric":{{}},"value":[1,"{text}"]}}"#));
            assert_eq!(found, Err(Missing::NotFinite(said.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_number_is_said_so() {
        let histogram = r#"{"metric":{},"histogram":[1,{"count":"1","sum":"2","buckets":[]}]}"#;
        assert_eq!(vector(histogram), Err(Missing::Form("native histogram".to_owned())));
        assert_eq!(of("matrix", "[]"), Err(Missing::Form("matrix".to_owned())));
        assert_eq!(of("string", r#"[1,"x"]"#), Err(Missing::Form("string".to_owned())));
    }

    #[test]
    fn an_error_is_told_in_the_words_of_the_prometheus() {
        let body = r#"{"status":"error","errorType":"bad_data","error":"parse error:\nunexpected )"}"#;
        let said = Missing::Refused("bad_data: parse error: unexpected )".to_owned());
        assert_eq!(read(body.as_bytes()), Err(said.clone()));
        assert_eq!(read_refusal("400 Bad Request", body.as_bytes()), said);
        let plain = read_refusal("502 Bad Gateway", b"<html>");
        assert_eq!(plain.to_string(), "Prometheus answered 502 Bad Gateway");
        let long = format!(r#"{{"status":"error","error":"{}"}}"#, "x".repeat(5_000));
        assert!(read_refusal("400", long.as_bytes()).to_string().len() < 400);
    }

    #[test]
    fn whatever_comes_is_an_answer_or_malformed() {
        for body in [
            "",
            "garbage",
            "[]",
            "null",
            "{}",
            r#"{"status":7}"#,
            r#"{"status":"success"}"#,
            r#"{"status":"error"}"#,
            r#"{"status":"success","data":{"resultType":"vector"}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":{}}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[7]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,2]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"two"]}]}}"#,
            r#"{"status":"success","data":{"resultType":"moods","result":[]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,""]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}"#,
        ] {
            assert_eq!(missing(body), "malformed", "{body}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(missing(&deep), "malformed");
        assert_eq!(read(&[0xff, 0xfe]).map_err(|missing| missing.name()), Err("malformed"));
    }
}
