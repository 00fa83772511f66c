//! What `--help`, the README and the guides tell people to type is a command line.

use std::{fs, path::Path};

use clap::Command as Definition;

use super::*;

/// The words of a line as a shell has them, up to a comment, a redirection or a gap before an explanation.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut gap) = (Vec::new(), None::<String>, None, 0);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => {
                words.extend(word.take());
                gap += 1;
                continue;
            }
            (None, '#' | '>' | '|') if word.is_none() => return words,
            (None, _) if gap > 2 => return words,
            (Some(_) | None, _) => word.get_or_insert_default().push(letter),
        }
        gap = 0;
    }
    words.extend(word);
    words
}

/// The command lines of a text; a line that ends with a backslash goes on in the next.
fn told(text: &str) -> Vec<Vec<String>> {
    let parts: Vec<&str> = text.split("\\\n").map(str::trim_start).collect();
    let whole = parts.join("");
    let lines = whole.lines().map(str::trim);
    lines.filter(|line| line.starts_with("tidegate ")).map(words).collect()
}

/// What the fences of a Markdown text hold.
fn fenced(text: &str) -> String {
    text.split("```").skip(1).step_by(2).collect()
}

fn of_help(definition: &Definition, lines: &mut Vec<Vec<String>>) {
    let help = definition.get_after_help().or_else(|| definition.get_after_long_help());
    lines.extend(help.map(|help| told(&help.to_string())).unwrap_or_default());
    for inner in definition.get_subcommands() {
        of_help(inner, lines);
    }
}

fn all_parse(lines: &[Vec<String>], at_least: usize) {
    assert!(lines.len() >= at_least, "{} are found", lines.len());
    for line in lines {
        let parsed = Arguments::try_parse_from(line);
        let problem = parsed.err().filter(clap::Error::use_stderr);
        assert!(problem.is_none(), "{line:?}: {}", problem.unwrap());
    }
}

#[test]
fn every_example_of_help_is_a_command_line() {
    let mut lines = Vec::new();
    of_help(&Arguments::command(), &mut lines);
    all_parse(&lines, 150);
}

#[test]
fn every_command_line_of_the_guides_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let guides = fs::read_dir(root.join("docs")).unwrap();
    let guides = guides
        .map(|guide| guide.unwrap().path())
        .chain([root.join("README.md")]);
    let texts = guides.filter(|guide| guide.extension().is_some_and(|extension| extension == "md"));
    let lines: Vec<_> = texts
        .flat_map(|guide| told(&fenced(&fs::read_to_string(guide).unwrap())))
        .collect();
    all_parse(&lines, 25);
}
