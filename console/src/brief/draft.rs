//! A brief as it is being read: lines come in any order, each is taken once, problems are gathered.

use super::{
    Brief,
    field::{Field, plain},
    metric, risk, traffic,
};
use crate::document::{Place, Problems};

/// What has been read.
#[derive(Debug)]
pub(super) struct Draft {
    brief: Brief,
    risk: risk::Draft,
    /// The fields and where they were said.
    said: Vec<(Field, Place)>,
    /// The metrics' names and where they were said.
    metrics: Vec<(String, Place)>,
    pub(super) problems: Problems,
}

impl Draft {
    pub(super) fn of(problems: Problems) -> Self {
        Self {
            brief: Brief::default(),
            risk: risk::Draft::default(),
            said: Vec::new(),
            metrics: Vec::new(),
            problems,
        }
    }

    /// Whether there is a title already.
    pub(super) fn has_title(&self) -> bool {
        !self.brief.title.is_empty()
    }

    /// Adds a paragraph to the description.
    pub(super) fn describe(&mut self, paragraph: &str) {
        let description = &mut self.brief.description;
        if !description.is_empty() && !paragraph.is_empty() {
            description.push_str("\n\n");
        }
        description.push_str(paragraph);
    }

    /// Adds an audience.
    pub(super) fn audience(&mut self, audience: &str) {
        if !audience.is_empty() {
            self.brief.audiences.push(audience.into());
        }
    }

    /// Takes a field. An empty value is a template's, and reads as absent.
    pub(super) fn field(&mut self, place: Place, field: Field, value: &str, rationale: Option<&str>) {
        let value = value.trim();
        if value.is_empty() || !self.is_first(place, field) {
            return;
        }
        let brief = &mut self.brief;
        let text = Some(value.to_owned());
        match field {
            Field::Title => brief.title = value.into(),
            Field::Description => self.describe(value),
            Field::Flag => brief.flag = text,
            Field::Environment => brief.environment = text,
            Field::Component => brief.component = text,
            Field::Pattern => brief.pattern = text,
            Field::Cycle => brief.cycle = text,
            Field::Owner => brief.owner = text,
            Field::UserImpact => self.risk.user_impact = self.assessment(place, field, value, rationale),
            Field::RevenueImpact => self.risk.revenue_impact = self.assessment(place, field, value, rationale),
            Field::Criticality => self.risk.criticality = self.assessment(place, field, value, rationale),
            Field::Reversibility => self.risk.reversibility = self.assessment(place, field, value, rationale),
            Field::Traffic => self.traffic(place, field, traffic::per_day(value, None)),
            Field::TrafficPerDay => self.traffic(place, field, traffic::per_day(value, Some(traffic::DAY))),
            Field::Audiences => value
                .split([',', ';'])
                .for_each(|audience| self.audience(audience.trim())),
        }
    }

    /// Takes a metric of the baseline, or several that are written in one line.
    pub(super) fn metric(&mut self, place: Place, name: &str, value: &str, unit: Option<&str>) {
        match metric::lines(name, value, unit) {
            Err(what) => self.problems.wrong(place, name, what),
            Ok(lines) => {
                for line in lines {
                    let own = plain(&line.metric);
                    match self.metrics.iter().find(|(name, _)| *name == own) {
                        Some((_, first)) => {
                            let what = format!("the same metric as in line {}; write one", first.line);
                            self.problems.wrong(place, &line.metric, what);
                        }
                        None => {
                            self.metrics.push((own, place));
                            self.brief.baseline.push(line);
                        }
                    }
                }
            }
        }
    }

    /// The brief, or everything that is wrong.
    pub(super) fn finish(mut self) -> Result<Brief, Vec<String>> {
        let start = Place { line: 1, column: 1 };
        // A file of metrics beside a feature's own needs no title; one that says nothing at all is another file.
        if !self.has_title() && self.said.is_empty() && self.metrics.is_empty() {
            self.problems.wrong(
                start,
                "title",
                "there is none, nor any line of ours; begin with `# What it is`, in YAML with `title:`, or write \
                 `Flag: KEY` or `p95: 890 ms`",
            );
        }
        let of_risk = |field: &Field| risk::FIELDS.contains(field);
        let first = self.said.iter().find(|(field, _)| of_risk(field)).copied();
        if let Some((_, place)) = first {
            let said = |field: &Field| self.said.iter().any(|(own, _)| own == field);
            let missing: Vec<&str> = risk::FIELDS
                .iter()
                .filter(|field| !said(field))
                .map(|field| field.name())
                .collect();
            if !missing.is_empty() {
                let what = format!("without {}; write all four or none", missing.join(", "));
                self.problems.wrong(place, "risk", what);
            }
        }
        if self.problems.len() > 0 {
            return Err(self.problems.into_lines().0);
        }
        self.traffic_of_baseline();
        self.brief.risk = self.risk.finish();
        Ok(self.brief)
    }

    /// A line of the baseline that says the traffic is no metric: it is taken as traffic, and out of the baseline.
    fn traffic_of_baseline(&mut self) {
        let Brief {
            baseline,
            traffic_per_day,
            ..
        } = &mut self.brief;
        *traffic_per_day = traffic_per_day.or_else(|| baseline.iter().find_map(traffic::of_metric));
        // Another amount than that of the traffic is about something else, and stays.
        baseline.retain(|line| traffic::of_metric(line).is_none_or(|per_day| Some(per_day) != *traffic_per_day));
    }

    fn is_first(&mut self, place: Place, field: Field) -> bool {
        if let Some((_, first)) = self.said.iter().find(|(own, _)| *own == field) {
            let what = format!("said in line {} already; write one", first.line);
            self.problems.wrong(place, field.name(), what);
            return false;
        }
        self.said.push((field, place));
        true
    }

    fn assessment(
        &mut self,
        place: Place,
        field: Field,
        value: &str,
        rationale: Option<&str>,
    ) -> Option<risk::Assessment> {
        let read = risk::assessment(value, rationale);
        if read.is_none() {
            let what = format!("{value:?}; begin with LOW, MEDIUM or HIGH, then say why: HIGH - all paying customers");
            self.problems.wrong(place, field.name(), what);
        }
        read
    }

    fn traffic(&mut self, place: Place, field: Field, read: Result<u64, String>) {
        match read {
            Err(what) => self.problems.wrong(place, field.name(), what),
            Ok(_) if self.brief.traffic_per_day.is_some() => {
                self.problems
                    .wrong(place, field.name(), "traffic is said twice; write one");
            }
            Ok(per_day) => self.brief.traffic_per_day = Some(per_day),
        }
    }
}
