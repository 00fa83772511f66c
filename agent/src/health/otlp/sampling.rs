//! Whether a trace is one of a sample, as its state tells.
//!
//! OpenTelemetry's member `ot` has a threshold: above zero, traces were left out. Before there were thresholds it had a
//! power. A library that samples and says nothing cannot be recognised here; see `names::SAMPLED`.

/// Whether a trace with this state is one of a sample.
pub(super) fn is_sample(trace_state: &str) -> bool {
    let members = trace_state.split(',').filter_map(|member| member.split_once('='));
    let mut ours = members.filter(|(key, _)| key.trim() == "ot");
    ours.any(|(_, value)| value.split(';').filter_map(|pair| pair.split_once(':')).any(left_out))
}

/// Whether a key and value of OpenTelemetry's member say that something was left out.
fn left_out((key, value): (&str, &str)) -> bool {
    let is_above_zero = |digit: char| digit.is_ascii_hexdigit() && digit != '0';
    match key.trim() {
        "th" | "p" => value.trim().chars().any(is_above_zero),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_above_zero_is_a_sample() {
        for sample in [
            "ot=th:8",
            "ot=rv:6e6d1a75832a2f;th:c",
            "vendor=1,ot=p:3;r:9",
            " ot=th:0001 ",
        ] {
            assert!(is_sample(sample), "{sample}");
        }
        for all in [
            "",
            "ot=th:0",
            "ot=rv:6e6d1a75832a2f",
            "ot=p:0;r:62",
            "vendor=th:8",
            "ot",
            "=;:,ot=th",
            "ot=th:",
        ] {
            assert!(!is_sample(all), "{all}");
        }
    }
}
