#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

const BLOCK: &str = "\
<rollout_status>
cycle: 2026-06-checkout-redesign
state: canary-10%
deployed_pct: 10
flag_service: tidegate
last_changed: 2026-05-20
stuck: false
</rollout_status>";

fn block(cycle: &str, state: &str) -> Block {
    let line = |text| Line::new(text).unwrap();
    Block::new(
        line(cycle),
        state.parse().unwrap(),
        line("tidegate"),
        "2026-05-20".parse().unwrap(),
    )
}

fn checkout() -> Block {
    block("2026-06-checkout-redesign", "canary-10%")
}

/// The block's text with another cycle and other words.
fn text(cycle: &str) -> String {
    BLOCK.replace("2026-06-checkout-redesign", cycle)
}

#[test]
fn a_block_reads_as_it_is_written() {
    assert_eq!(checkout().render(), BLOCK);
    let file = format!("# Checkout\n\n{BLOCK}\nmore\n");
    assert_eq!(read(&file), Ok(vec![(12..12 + BLOCK.len(), checkout())]));
    assert_eq!(read("# Nothing\n"), Ok(Vec::new()));
}

#[test]
fn a_block_is_replaced_in_its_place_and_nothing_else_changes() {
    let new = block("2026-06-checkout-redesign", "prod-100%");
    let rendered = new.render();
    let other = text("search");
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let indented = |text: &str| {
        text.lines()
            .map(|line| format!("   {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let cases = [
        ("alone", BLOCK.to_owned(), rendered.clone()),
        (
            "in prose",
            format!("a \n\n{BLOCK}\n\tb"),
            format!("a \n\n{rendered}\n\tb"),
        ),
        (
            "one of two",
            format!("{other}\n\n{BLOCK}\n"),
            format!("{other}\n\n{rendered}\n"),
        ),
        (
            "windows",
            crlf(&format!("a\n{BLOCK}\nb\n")),
            crlf(&format!("a\n{rendered}\nb\n")),
        ),
        (
            "mixed",
            format!("a\n{}\nb\r\n", crlf(BLOCK)),
            format!("a\n{}\nb\r\n", crlf(&rendered)),
        ),
        (
            "in a list",
            format!("1. a\n\n{}\n", indented(BLOCK)),
            format!("1. a\n\n{}\n", indented(&rendered)),
        ),
        (
            "broken values",
            BLOCK.replace("canary-10%", "soon").replace("stuck: false\n", ""),
            rendered.clone(),
        ),
        (
            "without a cycle",
            format!("a\n{}\n", text("")),
            format!("a\n{rendered}\n"),
        ),
        ("empty", format!("{OPENING}\n{CLOSING}\n"), format!("{rendered}\n")),
    ];
    for (name, before, after) in cases {
        assert_eq!(replace(&before, &new).as_ref(), Ok(&after), "{name}");
        assert_eq!(replace(&after, &new).as_ref(), Ok(&after), "{name}: twice");
    }
}

#[test]
fn a_file_without_a_block_gets_one_after_an_empty_line() {
    let cases = [
        ("", format!("{BLOCK}\n")),
        ("# A", format!("# A\n\n{BLOCK}\n")),
        ("# A\n", format!("# A\n\n{BLOCK}\n")),
        ("# A\n\n", format!("# A\n\n{BLOCK}\n")),
        ("# A\n  ", format!("# A\n  \n{BLOCK}\n")),
        ("# A\r\n", format!("# A\r\n\r\n{}\r\n", BLOCK.replace('\n', "\r\n"))),
    ];
    for (before, after) in cases {
        assert_eq!(replace(before, &checkout()), Ok(after), "{before:?}");
    }
}

#[test]
fn a_block_in_fenced_code_is_an_example() {
    let fenced = [
        format!("```\n{BLOCK}\n```\n"),
        format!("~~~~ text\n```\n~~~\n{BLOCK}\n~~~~~\n"),
        format!("- ```yaml\n  {}\n  ```\n", BLOCK.replace('\n', "\n  ")),
        format!("1) - ```\n{BLOCK}\n     ```\n"),
        format!("```\n{OPENING}\n```\n"),
    ];
    for example in fenced {
        assert_eq!(read(&example), Ok(Vec::new()), "{example}");
        assert_eq!(
            replace(&example, &checkout()),
            Ok(format!("{example}\n{BLOCK}\n")),
            "{example}"
        );
    }
    let not_fenced = [
        format!("``` a ` b ```\n{BLOCK}\n"),
        format!("``\n{BLOCK}\n"),
        format!("```\n```\n{BLOCK}\n"),
        format!("-```\n{BLOCK}\n"),
        format!("Prose on {OPENING} and {CLOSING}.\n{BLOCK}\n"),
    ];
    for file in not_fenced {
        assert_eq!(read(&file).map(|blocks| blocks.len()), Ok(1), "{file}");
    }
}

#[test]
fn lines_that_nobody_knows_stay_behind_in_their_order() {
    let noted = BLOCK.replace("state:", "owner: ana\n  - nested: yes\n\nstate:");
    let kept = BLOCK.replace("stuck: false", "stuck: false\nowner: ana\n  - nested: yes");
    assert_eq!(replace(&noted, &checkout()), Ok(kept.clone()));
    let blocks = read(&noted).unwrap();
    assert_eq!(blocks[0].1.unknown(), ["owner: ana", "  - nested: yes"]);
    assert_eq!(blocks[0].1.render(), kept);
    assert_eq!(replace(&noted, &blocks[0].1), Ok(kept), "not twice");
}

#[test]
fn what_would_need_a_guess_is_refused_with_its_line() {
    let cases = [
        (
            format!("a\n{OPENING}\ncycle: a\n"),
            "line 2: <rollout_status> is never closed",
        ),
        (
            format!("{OPENING}\n{BLOCK}\n"),
            "line 1: <rollout_status> is never closed",
        ),
        (
            format!("{BLOCK}\n\n{CLOSING}\n"),
            "line 10: </rollout_status> closes nothing",
        ),
        (
            format!("{BLOCK}\n{BLOCK}\n"),
            "line 9: a second block of cycle \"2026-06-checkout-redesign\"; the first is in line 1",
        ),
        (
            BLOCK.replace("stuck:", "state: unrolled\nstuck:"),
            "line 7: `state` is there already",
        ),
    ];
    for (file, expected) in cases {
        let read = read(&file).unwrap_err();
        assert!(read.to_string().starts_with(expected), "{read}");
        assert_eq!(replace(&file, &checkout()), Err(read));
    }
    let others = [
        (
            format!("a\n{}\n", text("search")),
            "line 2: this file is about \"search\", not about \"2026-06-checkout-redesign\"",
        ),
        (
            format!("{}\n{}\n", text("search"), text("")),
            "line 1: this file is about \"search\", \"\", not about \"2026-06-checkout-redesign\"",
        ),
        (
            "a\n```\nb\n".to_owned(),
            "line 2: fenced code is never closed, so that no block can follow",
        ),
    ];
    for (file, expected) in others {
        assert_eq!(replace(&file, &checkout()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_wrong_value_is_named_with_its_line() {
    let cases = [
        ("stuck: false\n", "", "line 1: the block has no `stuck`"),
        (
            "2026-06-checkout-redesign",
            "",
            "line 2: cycle: \"\" is not text on one line",
        ),
        (
            "canary-10%",
            "soon",
            "line 3: state: \"soon\" is not unrolled, staging-only, canary-N% or prod-100%",
        ),
        (
            "pct: 10",
            "pct: 10%",
            "line 4: deployed_pct: \"10%\" is not 0 to 100, three decimals at most",
        ),
        (
            "tidegate",
            "a\tb",
            "line 5: flag_service: \"a\\tb\" is not text on one line",
        ),
        (
            "05-20",
            "02-30",
            "line 6: last_changed: \"2026-02-30\" is not a date of the form 2026-05-20",
        ),
        ("false", "no", "line 7: stuck: \"no\" is not true or false"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(read(&BLOCK.replace(from, to)).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_value_never_leaves_its_line() {
    for text in ["a\nstuck: true", "a\r", "a\u{2028}b", "a\u{85}b", "a\tb"] {
        let inside = format!("x{text}x");
        assert_eq!(Line::new(&inside), None, "{text:?}");
    }
    assert_eq!(Line::new("  a: b #1 <c> ").unwrap().as_str(), "a: b #1 <c>");
}

proptest! {
    #[test]
    fn what_is_put_in_is_read_back_and_the_rest_stays(
        lines in prop::collection::vec(prop_oneof![
            "[a-z #*>|-]{0,8}", Just("```".to_owned()), Just("- ~~~".to_owned()), Just("~~~".to_owned())
        ], 0..12),
        windows in any::<bool>(),
        cycle in "[!-~äß]([ -~äß]{0,20}[!-~äß])?",
        share in 1..100_000_u32,
    ) {
        let file = lines.join(if windows { "\r\n" } else { "\n" });
        let first = block(&cycle, "unrolled");
        if let Ok(with_block) = replace(&file, &first) {
            prop_assert!(with_block.starts_with(&file));
            let mut later = first.clone();
            later.state = FlagState::Canary(Share::new(share).unwrap());
            later.stuck = true;
            let replaced = replace(&with_block, &later).unwrap();
            let blocks = read(&replaced).unwrap();
            prop_assert_eq!(blocks.len(), 1);
            prop_assert_eq!(&blocks[0].1, &later);
            prop_assert_eq!(replace(&replaced, &first).unwrap(), with_block);
        } else {
            prop_assert!(file.contains("```") || file.contains("~~~"));
        }
    }
}
