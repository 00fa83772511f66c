//! Violations as a gRPC status: INVALID_ARGUMENT with every field's violation in a `BadRequest` detail.
//!
//! The message repeats them in words, because many clients show nothing else. Both travel in headers, and many clients
//! (the libraries for Python, C++ and Java among them) drop an answer with more than 8 KiB of these: they would learn
//! nothing. What does not fit is counted.

use evaluation::Violation;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt};

/// How many violations are listed; the rest are counted.
const LISTED: usize = 50;
/// Bytes of the message, as a header has them. The details repeat it.
const MESSAGE_BYTES: usize = 1_200;
/// Bytes of the details beside the message; a header has a third more.
const DETAIL_BYTES: usize = 3_000;
/// Bytes of a field or a subject, and of what is said of it.
const NAME_BYTES: usize = 300;
const DESCRIPTION_BYTES: usize = 1_000;
/// Bytes of a violation beside its texts, at most.
const FRAME_BYTES: usize = 16;
/// Bytes that are left for the word on what is not listed.
const REST_BYTES: usize = 60;

/// INVALID_ARGUMENT that names the violations one by one, as far as they fit.
pub fn invalid(violations: &[Violation]) -> Status {
    refused(Code::InvalidArgument, violations, &[])
}

/// A status that names what is wrong with a request and what stands against it one by one, as far as they fit.
pub fn refused(code: Code, violations: &[Violation], preconditions: &[PreconditionViolation]) -> Status {
    let more = violations.iter().filter_map(Violation::omits).sum();
    let mut fields = violations
        .iter()
        .filter(|found| found.omits().is_none())
        .map(|found| {
            FieldViolation::new(
                cut(&found.field, NAME_BYTES),
                cut(&found.description, DESCRIPTION_BYTES),
            )
        })
        .collect::<Vec<_>>();
    let mut found = preconditions
        .iter()
        .map(|found| {
            let (subject, description) = (&found.subject, &found.description);
            let (subject, description) = (cut(subject, NAME_BYTES), cut(description, DESCRIPTION_BYTES));
            PreconditionViolation::new(found.r#type.clone(), subject, description)
        })
        .collect::<Vec<_>>();
    let words = fields
        .iter()
        .map(|found| format!("{}: {}", found.field, found.description));
    let words = words.chain(found.iter().map(|found| found.description.clone()));
    let message = message(words.collect(), more);
    let mut left = DETAIL_BYTES;
    let field_sizes = fields.iter().map(|found| found.field.len() + found.description.len());
    let omitted = more + shorten(&mut left, field_sizes.collect(), &mut fields);
    fields.extend((omitted > 0).then(|| FieldViolation::new("", Violation::omitted(omitted).description)));
    let found_sizes = found
        .iter()
        .map(|found| found.r#type.len() + found.subject.len() + found.description.len());
    let omitted = shorten(&mut left, found_sizes.collect(), &mut found);
    found.extend((omitted > 0).then(|| {
        let description = format!("{omitted} more preconditions are not listed");
        PreconditionViolation::new("OMITTED", "", description)
    }));
    let mut details = ErrorDetails::new();
    if !fields.is_empty() {
        details.set_bad_request(fields);
    }
    if !found.is_empty() {
        details.set_precondition_failure(found);
    }
    Status::with_error_details(code, message, details)
}

/// One violation of one field.
pub fn violation(field: impl Into<String>, description: impl Into<String>) -> Violation {
    Violation {
        field: field.into(),
        description: description.into(),
    }
}

/// The first words that fit, and how many there are besides; `more` are known to be without words.
fn message(mut words: Vec<String>, more: usize) -> String {
    let mut left = MESSAGE_BYTES;
    if let Some(first) = words.first_mut() {
        while in_header(first) + REST_BYTES > left {
            *first = cut(first, first.len() / 2);
        }
    }
    let sizes = words.iter().map(|words| in_header(words)).collect();
    let omitted = more + shorten(&mut left, sizes, &mut words);
    words.extend((omitted > 0).then(|| format!("and {omitted} more")));
    words.join("; ")
}

/// Keeps the first of some, as many as fit into the bytes that are left, one in any case; how many it leaves out.
fn shorten<T>(left: &mut usize, sizes: Vec<usize>, all: &mut Vec<T>) -> usize {
    let mut kept = 0;
    for size in sizes.into_iter().take(LISTED) {
        let size = size + FRAME_BYTES;
        if kept > 0 && size + REST_BYTES > *left {
            break;
        }
        *left = left.saturating_sub(size);
        kept += 1;
    }
    let omitted = all.len() - kept;
    all.truncate(kept);
    omitted
}

/// Bytes of a text in the header `grpc-message`, which writes three for one that is not plain.
fn in_header(text: &str) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/[]()!$&'*+,;=@|\\^".contains(byte);
    let plain = text.bytes().filter(is_plain).count();
    plain + (text.len() - plain) * 3
}

/// The beginning of a text that is too long.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(bytes.saturating_sub(3))])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Violations;

    use super::*;

    /// Bytes of a status in headers, as HTTP/2 counts them.
    fn bytes_of(status: &Status) -> usize {
        let headers = status.clone().into_http::<()>().into_parts().0.headers;
        let sizes = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 32);
        sizes.sum()
    }

    fn many(count: usize, field: &str, description: &str) -> Vec<Violation> {
        (0..count)
            .map(|number| violation(format!("{field}[{number}]"), description))
            .collect()
    }

    #[test]
    fn a_few_violations_are_told_whole() {
        let status = invalid(&many(3, "rules", "must have \"conditions\""));
        let said = "rules[0]: must have \"conditions\"; rules[1]: must have \"conditions\"; rules[2]: must have \"conditions\"";
        assert_eq!(status.message(), said);
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 3);
    }

    #[test]
    fn what_was_counted_before_is_counted_again() {
        let mut found = Violations::default();
        for number in 0..40_000 {
            found.add(format_args!("allow[{number}]"), "there is no such variant");
        }
        let status = invalid(&[found.into_list(), many(3, "rules", "must have a condition")].concat());
        let listed = status.get_details_bad_request().unwrap().field_violations;
        let (rest, told) = listed.split_last().unwrap();
        assert_eq!(
            rest.description,
            format!("{} more violations are not listed", 40_003 - told.len())
        );
        let words = status.message().matches("; ").count();
        assert!(
            status.message().ends_with(&format!("; and {} more", 40_003 - words)),
            "{}",
            status.message()
        );
    }

    #[test]
    fn whatever_is_wrong_fits_into_the_headers_that_clients_take() {
        let long = "é{}".repeat(50_000);
        for (field, description) in [
            ("rules", "must have a condition"),
            ("é", &long),
            (&long, "x"),
            (&long, &long),
        ] {
            for count in [1, 2, 40, 200] {
                let violations = many(count, field, description);
                let found = violations
                    .iter()
                    .map(|found| PreconditionViolation::new("REFERENCED", found.field.clone(), description))
                    .collect::<Vec<_>>();
                let status = refused(Code::InvalidArgument, &violations, &found);
                assert!(bytes_of(&status) < 7_700, "{count}: {}", bytes_of(&status));
                let listed = status.get_details_bad_request().unwrap().field_violations;
                let told = listed.iter().filter(|found| !found.field.is_empty()).count();
                assert!(told >= 1);
                if told < count {
                    let rest = format!("{} more violations are not listed", count - told);
                    assert_eq!(listed.last().unwrap().description, rest);
                }
                assert!(status.get_details_precondition_failure().is_some());
            }
        }
    }
}
