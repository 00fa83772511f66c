//! Where what is wrong with a request was written: an option, or a line of a file.
//!
//! The control plane names fields of its request (`measurements[2].stands_for_us`), which nobody wrote who pushes a file:
//! its third field may be of line 104. Pure: a line of an error in, the same line out with the name that people used.

/// Where the measurements of one request come from.
#[derive(Debug)]
pub(super) enum Places<'a> {
    /// The command line, which has one.
    Options,
    /// A file; the number of the line of each.
    Lines(&'a str, Vec<usize>),
}

impl Places<'_> {
    /// A line of an error, by what people wrote. What is about no measurement stays as it is.
    pub(super) fn written(&self, problem: &str) -> String {
        self.found(problem).unwrap_or_else(|| problem.to_owned())
    }

    fn found(&self, problem: &str) -> Option<String> {
        let (at, rest) = problem.strip_prefix("measurements[")?.split_once(']')?;
        let (field, what) = rest.split_once(": ")?;
        let field = field.trim_start_matches('.');
        let (name, inside) = field.split_at(field.find(['.', '[']).unwrap_or(field.len()));
        Some(match self {
            Self::Options if name.is_empty() => what.to_owned(),
            Self::Options => format!("--{}: {what}", option(name)),
            Self::Lines(file, lines) => {
                let line = lines.get(at.parse::<usize>().ok()?)?;
                match key(name) {
                    "" => format!("{file}:{line}: {what}"),
                    name => format!("{file}:{line}: {name}{inside}: {what}"),
                }
            }
        })
    }
}

/// The option that says a field.
fn option(field: &str) -> &str {
    match field {
        "values" => "value",
        "context" => "unit",
        field => key(field),
    }
}

/// The name of a field in a line of a file.
fn key(field: &str) -> &str {
    match field {
        "at_us" => "at",
        "stands_for_us" => "for",
        field => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_of_what_people_wrote() {
        let file = Places::Lines("p.jsonl", vec![3, 7]);
        let cases = [
            (
                &Places::Options,
                "measurements[0].stands_for_us: is long",
                "--for: is long",
            ),
            (&Places::Options, "measurements[0].at_us: is old", "--at: is old"),
            (&Places::Options, "measurements[0].values[1]: is 17", "--value: is 17"),
            (&Places::Options, "measurements[0].context: is big", "--unit: is big"),
            (&Places::Options, "measurements[0]: must have one", "must have one"),
            (
                &file,
                "measurements[1].stands_for_us: is long",
                "p.jsonl:7: for: is long",
            ),
            (&file, "measurements[0].values[1]: is 17", "p.jsonl:3: values[1]: is 17"),
            (
                &file,
                "measurements[0].context.a: is big",
                "p.jsonl:3: context.a: is big",
            ),
            (&file, "measurements[0]: must have one", "p.jsonl:3: must have one"),
            (&file, "measurements[9].key: is long", "measurements[9].key: is long"),
            (
                &file,
                "measurements: 7 more violations",
                "measurements: 7 more violations",
            ),
            (&file, "no such rollout", "no such rollout"),
        ];
        for (places, problem, said) in cases {
            assert_eq!(places.written(problem), said, "{places:?}");
        }
    }
}
