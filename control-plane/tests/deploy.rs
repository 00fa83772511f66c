//! The files under `deploy/` for Prometheus and Grafana: every series that they ask for is one that is described in the
//! code of the control plane or the agent.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// What begins the name of a series.
const PREFIX: &str = "tidegate_";
/// What Prometheus adds to the name of a summary.
const OF_SUMMARIES: [&str; 2] = ["_sum", "_count"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file under a folder with an ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every name of a series in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let starts = text.match_indices(PREFIX).map(|(at, _)| &text[at..]);
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    starts
        .map(|rest| &rest[..rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())])
        .collect()
}

/// The names that the code gives to its series: the texts that are names and nothing else.
fn described() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for of in ["control-plane/src", "agent/src"] {
        for file in files(&root().join(of), "rs") {
            let text = fs::read_to_string(&file).unwrap();
            let quoted = text.split('"').filter(|part| part.starts_with(PREFIX));
            known.extend(quoted.filter(|part| names(part).contains(part)).map(str::to_owned));
        }
    }
    known
}

/// The names of a file that nobody describes.
fn unknown(text: &str, described: &BTreeSet<String>) -> Vec<String> {
    let is_known = |name: &&str| {
        let of_summary = OF_SUMMARIES.iter().filter_map(|end| name.strip_suffix(end));
        described.contains(*name) || of_summary.into_iter().any(|name| described.contains(name))
    };
    names(text)
        .into_iter()
        .filter(|name| !is_known(name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn dashboards_and_alerts_ask_only_for_series_that_there_are() {
    let described = described();
    assert!(described.contains("tidegate_rollout_evidence") && described.contains("tidegate_agent_connected"));
    let dashboards = files(&root().join("deploy/grafana"), "json");
    let rules = files(&root().join("deploy/prometheus"), "yaml");
    assert_eq!((dashboards.len(), rules.len()), (3, 1));
    for file in dashboards.into_iter().chain(rules) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!names(&text).is_empty(), "{}", file.display());
        assert_eq!(unknown(&text, &described), Vec::<String>::new(), "{}", file.display());
    }
    assert_eq!(
        unknown("rate(tidegate_nothing_total[5m])", &described),
        ["tidegate_nothing_total"]
    );
}

#[test]
fn every_panel_of_a_dashboard_has_a_title_a_description_and_a_place_of_its_own() {
    for file in files(&root().join("deploy/grafana"), "json") {
        let board: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let panels = board["panels"].as_array().unwrap();
        assert!(panels.len() >= 10, "{}", file.display());
        let mut taken = BTreeSet::new();
        for panel in panels {
            assert!(!panel["title"].as_str().unwrap().is_empty(), "{panel}");
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{panel}");
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{}: {panel}", file.display());
                }
            }
        }
    }
}

#[test]
fn every_alert_says_how_grave_it_is_and_what_to_do() {
    let text = fs::read_to_string(root().join("deploy/prometheus/alerts.yaml")).unwrap();
    let rules: Value = serde_saphyr::from_str(&text).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    let mut seen = BTreeSet::new();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let name = rule["alert"].as_str().unwrap();
        assert!(seen.insert(name), "{name} twice");
        assert!(!names(rule["expr"].as_str().unwrap()).is_empty(), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}");
        for told in ["summary", "description"] {
            assert!(!rule["annotations"][told].as_str().unwrap().is_empty(), "{name}");
        }
    }
    assert!(seen.len() >= 15);
}
