//! Files in all their forms, and everything wrong with them at once.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Bundle, Error> {
    let mut bundle = Bundle::default();
    bundle.add("f.yaml", text);
    bundle.finish()
}

fn keys(bundle: &Bundle) -> (Vec<&str>, Vec<&str>) {
    let flags = bundle.flags.iter().map(|flag| flag.key.as_str()).collect();
    (
        flags,
        bundle.segments.iter().map(|segment| segment.key.as_str()).collect(),
    )
}

#[test]
fn documents_stand_in_files_in_several_ways() {
    let cases = [
        (
            "key: a\n---\nkey: b\n---\nkey: s\nincluded: [u]\n",
            (vec!["a", "b"], vec!["s"]),
        ),
        ("- {key: a}\n- {key: s, kind: segment}\n", (vec!["a"], vec!["s"])),
        (
            "flags: {a: {percent: 5}, b: {}}\nsegments: {s: {conditions: x=1}}\n",
            (vec!["a", "b"], vec!["s"]),
        ),
        (
            r#"{"flags": [{"key": "a"}], "segments": [{"key": "s"}]}"#,
            (vec!["a"], vec!["s"]),
        ),
        (r#"[{"key": "a", "kind": "flag"}]"#, (vec!["a"], vec![])),
        ("---\n---\nkey: a\n", (vec!["a"], vec![])),
        (
            "a: {rollout_percentage: 5}\nb: {rollout_type: whitelist, whitelist: [u]}\n",
            (vec!["a", "b"], vec![]),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(keys(&read(text).unwrap()), expected, "{text}");
    }
    let example = read(include_str!("../../examples/flags.yaml")).unwrap();
    assert_eq!((example.flags.len(), example.segments.len()), (6, 1));
}

#[test]
fn everything_wrong_in_every_file_is_said_at_once() {
    let mut bundle = Bundle::default();
    bundle.add("a.yaml", "key: a\ncolour: red\n---\nkey: b\nenabled: maybe\n");
    bundle.add("b.yaml", "key: [\n");
    bundle.add(
        "c.yaml",
        "key: a\n---\nkind: plan\n---\n{key: x, state: ENABLED}\n---\n3\n---\n{flag: {key: x}, revision: 7}\n",
    );
    let Err(Error::Usage(problems)) = bundle.finish() else {
        panic!("a usage error")
    };
    let starts = [
        "a.yaml:2:1: colour: no such field",
        "a.yaml:5:10: enabled: text; expected true or false",
        "b.yaml:",
        "c.yaml:1:1: flag a is written twice, first at a.yaml:1:1",
        "c.yaml:3:1: no kind \"plan\"",
        "c.yaml:5:1: this is a flag of flagd; bring it in with: tidegate import flagd c.yaml",
        "c.yaml:7:1: a number; expected a flag",
        "c.yaml:9:1: this is what `tidegate get` shows; a document is what `tidegate export KEY` writes",
        "nothing was written",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}, not {start}");
    }
}

#[test]
fn a_folder_stands_for_its_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deep")).unwrap();
    for (name, text) in [
        ("b.yaml", "key: b"),
        ("deep/a.json", r#"{"key": "a"}"#),
        ("note.txt", "x: ["),
        (".c.yaml", "x"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let bundle = Bundle::read(&[folder.path().to_owned()]).unwrap();
    assert_eq!(keys(&bundle).0, ["b", "a"]);
    assert!(Bundle::read(&[folder.path().join("missing")]).is_err());
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in "[ -~\n]{0,80}") {
        let _ = read(&text);
    }
}
