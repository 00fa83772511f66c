//! How a command ends, and what its exit code is.
//!
//! Every failure is one of four kinds, because a script can react to four things: the server said no, the command line
//! was wrong, nobody answered, the output could not be written. All problems of one input are reported at once, one a
//! line. A reader that closes the pipe early (`| head`) is no failure.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The exit codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused by the control plane, not found, or something is wrong (doctor, plan lint, rollout replay,
     webhooks test)
  2  the command line or a document is wrong
  3  the rollout ended without completing: aborted, rolled back, superseded, expired (rollout watch)
  4  the control plane cannot be reached, or did not answer in time
  5  something differs (diff --exit-code)
  130  interrupted (Ctrl-C)";

/// How a command ended that did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Done.
    Done,
    /// A watched rollout ended without completing.
    Aborted,
    /// A comparison found something, and was asked to say so.
    Differs,
    /// Something is wrong, and the output says what.
    Unhealthy,
    /// Somebody pressed Ctrl-C while something was followed.
    Interrupted,
}

impl End {
    /// As `--help` says.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Aborted => ExitCode::from(3),
            Self::Differs => ExitCode::from(5),
            Self::Unhealthy => ExitCode::from(1),
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Error {
    /// The control plane refused, or what was named is not there: one problem a line.
    Refused(Vec<String>),
    /// The command line or a document is wrong: one problem a line.
    Usage(Vec<String>),
    /// No connection to the control plane.
    Unreachable {
        /// The address that was tried.
        server: String,
        /// What the transport said.
        cause: String,
    },
    /// The connection was there, and the answer did not come.
    Unanswered {
        /// The address that was asked.
        server: String,
        /// What is known.
        cause: String,
    },
    /// Standard output could not be written.
    Output(io::Error),
}

impl Error {
    /// One refusal in words.
    pub(crate) fn refused(problem: impl Into<String>) -> Self {
        Self::Refused(vec![problem.into()])
    }

    /// One mistake of the caller in words.
    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self::Usage(vec![problem.into()])
    }

    /// What a gRPC status from `server` means to an operator: field violations one a line, else its message as it is.
    pub(crate) fn from_status(server: &str, status: &Status) -> Self {
        match status.code() {
            Code::Unavailable => Self::Unanswered {
                server: server.into(),
                cause: status.message().into(),
            },
            // The client's own deadline arrives as CANCELLED, the server's as DEADLINE_EXCEEDED.
            Code::DeadlineExceeded | Code::Cancelled => Self::Unanswered {
                server: server.into(),
                cause: "it did not answer in time; a write may still have happened, so look before repeating it".into(),
            },
            Code::Unimplemented => Self::refused(
                "the control plane does not know this call: is it of an older version? see: tidegate doctor",
            ),
            Code::Internal | Code::Unknown | Code::DataLoss => Self::refused(format!(
                "the control plane failed ({:?}): {}",
                status.code(),
                status.message()
            )),
            _ => Self::Refused(problems(status)),
        }
    }

    /// The same refusal with its lines in other words; what the transport says stays as it is.
    pub(crate) fn with_lines(self, say: impl Fn(&str) -> String) -> Self {
        let all = |problems: Vec<String>| problems.iter().map(|line| say(line)).collect();
        match self {
            Self::Refused(problems) => Self::Refused(all(problems)),
            Self::Usage(problems) => Self::Usage(all(problems)),
            Self::Unreachable { .. } | Self::Unanswered { .. } | Self::Output(_) => self,
        }
    }

    /// The same failure, and a line of what was done before it.
    pub(crate) fn after(self, done: String) -> Self {
        match self {
            Self::Refused(mut problems) => {
                problems.push(done);
                Self::Refused(problems)
            }
            Self::Usage(mut problems) => {
                problems.push(done);
                Self::Usage(problems)
            }
            Self::Unreachable { server, cause } => Self::Unreachable {
                server,
                cause: format!("{cause}; {done}"),
            },
            Self::Unanswered { server, cause } => Self::Unanswered {
                server,
                cause: format!("{cause}; {done}"),
            },
            Self::Output(error) => Self::Output(error),
        }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Self::Refused(problems) | Self::Usage(problems) => problems.clone(),
            Self::Unreachable { server, cause } => vec![
                format!(
                    "cannot reach the control plane at {server}: is it running? start it with \
                     tidegate-control-plane, or name another with --server"
                ),
                cause.clone(),
            ],
            Self::Unanswered { server, cause } => {
                vec![format!("no answer from the control plane at {server}: {cause}")]
            }
            Self::Output(error) => vec![format!("cannot write the output: {error}")],
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Refused(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } | Self::Unanswered { .. } => 4,
        }
    }

    /// Writes the problems to standard error and gives the exit code. A closed standard error is ignored.
    pub(crate) fn report(&self) -> ExitCode {
        let code = self.exit();
        if code != 0 {
            let _ = writeln!(io::stderr().lock(), "{self}");
        }
        ExitCode::from(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.lines().iter().filter(|line| !line.is_empty()).enumerate() {
            let lead = if number == 0 { "error: " } else { "\n       " };
            write!(f, "{lead}{}", crate::print::plain(line))?;
        }
        Ok(())
    }
}

fn problems(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .map(|details| details.field_violations)
        .unwrap_or_default();
    if violations.is_empty() {
        return vec![status.message().to_owned()];
    }
    violations
        .into_iter()
        .map(|violation| format!("{}: {}", option_of(&violation.field), violation.description))
        .collect()
}

/// What people call a field of a request: the option that says it, where only an option does.
fn option_of(field: &str) -> &str {
    match field {
        "overlap_us" => "--keep-previous",
        "extend.by_us" => "--by",
        "since_us" => "--since",
        "until_us" => "--until",
        "schedule.at_us" => "--at",
        "schedule.deadline_us" => "--deadline",
        field => field,
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    const SERVER: &str = "http://127.0.0.1:7420";

    #[test]
    fn every_violation_gets_its_own_line() {
        let details = ErrorDetails::with_bad_request(vec![
            FieldViolation::new("variants", "at least one is needed"),
            FieldViolation::new("rules[2].serve", "no variant `onn`"),
        ]);
        let status = Status::with_error_details(Code::InvalidArgument, "two violations", details);
        let error = Error::from_status(SERVER, &status);
        assert_eq!(
            error.to_string(),
            "error: variants: at least one is needed\n       rules[2].serve: no variant `onn`"
        );
        assert_eq!(error.exit(), 1);
    }

    #[test]
    fn a_violation_of_what_only_an_option_says_names_the_option() {
        let details = ErrorDetails::with_bad_request(vec![
            FieldViolation::new("overlap_us", "is from 0 to 7 days"),
            FieldViolation::new("extend.by_us", "too long"),
        ]);
        let status = Status::with_error_details(Code::InvalidArgument, "two violations", details);
        let said = Error::from_status(SERVER, &status).to_string();
        assert_eq!(
            said,
            "error: --keep-previous: is from 0 to 7 days\n       --by: too long"
        );
    }

    #[test]
    fn a_failed_precondition_is_shown_as_it_is() {
        let error = Error::from_status(SERVER, &Status::failed_precondition("checkout#1 holds the flag"));
        assert_eq!(error.to_string(), "error: checkout#1 holds the flag");
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let cases = [
            (Error::refused("no"), 1),
            (Error::usage("wrong"), 2),
            (Error::from_status(SERVER, &Status::unavailable("gone")), 4),
            (Error::from_status(SERVER, &Status::cancelled("Timeout expired")), 4),
            (Error::from_status(SERVER, &Status::not_found("no flag")), 1),
            (Error::from_status(SERVER, &Status::internal("oops")), 1),
            (Error::Output(io::ErrorKind::BrokenPipe.into()), 0),
            (Error::Output(io::ErrorKind::StorageFull.into()), 1),
        ];
        for (error, code) in cases {
            assert_eq!(error.exit(), code, "{error}");
            assert!(EXIT_CODES.contains(&format!("\n  {code}  ")));
        }
    }

    #[test]
    fn the_help_names_all_commands_that_find_something_wrong() {
        for command in ["doctor", "plan lint", "rollout replay", "webhooks test"] {
            assert!(EXIT_CODES.contains(command), "{command}");
        }
    }

    #[test]
    fn control_characters_of_a_server_do_not_reach_the_terminal() {
        let error = Error::from_status(SERVER, &Status::not_found("\u{1b}[2Jgone"));
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
