//! A share as a percentage in text: three decimals at most, which is exact, and no zeros at the end.

use crate::Share;

/// `10`, `0.5`, `12.345`.
pub(super) fn text(share: Share) -> String {
    let (whole, rest) = (share.get() / 1_000, share.get() % 1_000);
    let text = format!("{whole}.{rest:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The share that a text says; none if it is no percentage of 0 to 100 with at most three decimals.
pub(super) fn parse(text: &str) -> Option<Share> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || decimals.len() > 3 || !digits(whole) || !digits(decimals) {
        return None;
    }
    Share::new(format!("{whole}{decimals:0<3}").parse().ok()?)
}
