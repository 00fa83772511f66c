//! The questions of `plan draft`, to a person at a terminal. An answer that cannot be meant is asked for again; an empty
//! one leaves out what may be left out.

use std::io::{BufRead, Write};

use evaluation::Key;
use rollout::{
    catalogue,
    criterion::Number,
    risk::{Assessment, Rated, Reversibility, Risk},
};

use crate::{error::Error, print};

/// What a person answered.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answers {
    pub(super) flag: String,
    pub(super) description: String,
    pub(super) owner: String,
    pub(super) risk: Option<Assessment>,
    pub(super) requests_per_day: u64,
    /// Keys of metrics, and what they are now.
    pub(super) baseline: Vec<(String, Number)>,
}

/// Metrics whose present value is asked for.
const METRICS: [&str; 3] = ["error-rate", "p95", "p99"];

/// Asks everything; the flag only if it is not known.
pub(super) fn ask(input: &mut impl BufRead, output: &mut impl Write, flag: Option<&Key>) -> Result<Answers, Error> {
    let mut asker = Asker { input, output };
    let flag = match flag {
        Some(flag) => flag.to_string(),
        None => asker.until("Flag", |text| {
            Key::parse(text)
                .map(|key| key.to_string())
                .map_err(|error| error.to_string())
        })?,
    };
    let description = asker.line("What is it for?")?;
    let owner = asker.line("Who answers for it? (empty: you)")?;
    let risk = asker.risk()?;
    let requests_per_day = asker.until("Requests a day, such as 15000 (empty: not known)", |text| {
        match text.replace([',', '_', ' '], "").as_str() {
            "" => Ok(0),
            digits => digits.parse().map_err(|_| "write a whole number".to_owned()),
        }
    })?;
    let mut baseline = Vec::new();
    for metric in METRICS {
        // A name that the catalogue does not have is not asked for.
        let Some(definition) = catalogue::find(metric) else {
            continue;
        };
        let question = format!("{} now, such as 0.8 % or 890 ms (empty: not known)", definition.key);
        let value = asker.until(&question, |text| match text {
            "" => Ok(None),
            text => text.parse::<Number>().map(Some).map_err(|error| error.to_string()),
        })?;
        baseline.extend(value.map(|value| (definition.key.to_owned(), value)));
    }
    Ok(Answers {
        flag,
        description,
        owner,
        risk,
        requests_per_day,
        baseline,
    })
}

/// Who asks, and where.
struct Asker<'t, I, O> {
    input: &'t mut I,
    output: &'t mut O,
}

impl<I: BufRead, O: Write> Asker<'_, I, O> {
    /// One answer, without the blanks around it.
    fn line(&mut self, question: &str) -> Result<String, Error> {
        write!(self.output, "{question}: ")
            .and_then(|()| self.output.flush())
            .map_err(Error::Output)?;
        let mut answer = String::new();
        let bytes = self
            .input
            .read_line(&mut answer)
            .map_err(|error| Error::usage(format!("no answer: {error}")))?;
        match bytes {
            0 => Err(Error::refused("no more answers; nothing was written")),
            _ => Ok(answer.trim().to_owned()),
        }
    }

    /// The first answer that can be meant.
    fn until<T>(&mut self, question: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Error> {
        loop {
            match read(&self.line(question)?) {
                Ok(value) => return Ok(value),
                Err(problem) => writeln!(self.output, "  {}", print::plain(&problem)).map_err(Error::Output)?,
            }
        }
    }

    /// What is at stake; nothing if the first answer is empty.
    fn risk(&mut self) -> Result<Option<Assessment>, Error> {
        let names = Risk::ALL.map(Risk::name).join(", ");
        let question = format!("Impact on users: {names} (empty: not assessed)");
        let first = self.until(&question, |text| match text {
            "" => Ok(None),
            text => level(text).map(Some),
        })?;
        let Some(user) = first else { return Ok(None) };
        let user_impact = self.rated(user)?;
        let revenue = self.until(&format!("Impact on revenue: {names}"), level)?;
        let revenue_impact = self.rated(revenue)?;
        let critical = self.until(&format!("Criticality: {names}"), level)?;
        let criticality = self.rated(critical)?;
        let names = Reversibility::ALL.map(Reversibility::name).join(", ");
        let reversible = self.until(&format!("How is it taken back: {names}"), |text| {
            let found = Reversibility::ALL
                .into_iter()
                .find(|one| one.name().eq_ignore_ascii_case(text));
            found.ok_or_else(|| format!("one of {names}"))
        })?;
        let reversibility = self.rated(reversible)?;
        Ok(Some(Assessment {
            user_impact,
            revenue_impact,
            criticality,
            reversibility,
        }))
    }

    fn rated<T>(&mut self, level: T) -> Result<Rated<T>, Error> {
        let rationale = self.line("  Why?")?;
        Ok(Rated { level, rationale })
    }
}

fn level(text: &str) -> Result<Risk, String> {
    let found = Risk::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("one of {}", Risk::ALL.map(Risk::name).join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answers(lines: &str) -> (Result<Answers, Error>, String) {
        let mut output = Vec::new();
        let answers = ask(&mut lines.as_bytes(), &mut output, None);
        (answers, String::from_utf8(output).unwrap())
    }

    #[test]
    fn what_cannot_be_meant_is_asked_for_again() {
        let lines = "no key!\ncheckout\nfaster\nann\nhuge\nhigh\nall pay\nLOW\n\nmedium\n\neasy\nthe flag\nmany\n15,000\nfast\n0.8 %\n\n\n";
        let (answers, asked) = answers(lines);
        let answers = answers.unwrap();
        assert_eq!((answers.flag.as_str(), answers.requests_per_day), ("checkout", 15_000));
        let risk = answers.risk.unwrap();
        assert_eq!(
            (risk.overall(), risk.user_impact.rationale.as_str()),
            (Risk::High, "all pay")
        );
        assert_eq!(answers.baseline, [("error-rate".to_owned(), "0.8 %".parse().unwrap())]);
        assert_eq!(asked.matches("Flag: ").count(), 2, "{asked}");
        assert!(asked.contains("one of LOW, MEDIUM, HIGH"), "{asked}");
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        let (answers, _) = answers("checkout\n\n\n\n\n\n\n\n");
        let expected = Answers {
            flag: "checkout".into(),
            ..Answers::default()
        };
        assert_eq!(answers.unwrap(), expected);
    }

    #[test]
    fn an_end_of_answers_writes_nothing() {
        let (answers, _) = answers("checkout\n");
        assert!(answers.unwrap_err().to_string().contains("nothing was written"));
    }
}
