//! Texts without regard to case: both sides in Unicode lower case.
//!
//! A literal is folded when it is compiled; an attribute when it is tested, into a buffer on the stack if it is short
//! and of ASCII, which nearly all are. Only other texts cost an allocation.

use std::borrow::Cow;

/// The longest text that is folded on the stack, in bytes.
const SHORT: usize = 128;

/// Calls `test` with the text in lower case.
pub(crate) fn folded<T>(text: &str, test: impl FnOnce(&str) -> T) -> T {
    if !text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        return test(text);
    }
    if text.len() <= SHORT && text.is_ascii() {
        let mut buffer = [0; SHORT];
        let lower = &mut buffer[..text.len()];
        lower.copy_from_slice(text.as_bytes());
        lower.make_ascii_lowercase();
        if let Ok(lower) = str::from_utf8(lower) {
            return test(lower);
        }
    }
    test(&text.to_lowercase())
}

/// The literal as it is compared.
pub(crate) fn literal(text: &str, ignore_case: bool) -> Cow<'_, str> {
    if ignore_case {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_as_unicode_says() {
        let long = "LONG".repeat(100);
        for text in ["", "abc", "AbC", "STRASSE", "Ärger", "ΟΔΟΣ", "İ", &long] {
            assert_eq!(folded(text, str::to_owned), text.to_lowercase(), "{text}");
        }
    }
}
