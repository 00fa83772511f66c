//! What is served: a variant by name, a split, or `none` for the caller's own default.
//!
//! `default: on` · `default: {split: {on: 25%, off: 75%}}` · `default: [{variant: on, percent: 25}, ...]` ·
//! `default: none`, or `null` where a variant is called none. `percent: 25` beside it serves the default, or the variant
//! that means true, to that share and the off variant to the rest. `ranges` say which buckets a split holds; the control
//! plane lays them, and only an export writes them.

use evaluation::Buckets;
use proto::v1::{self, serve};

use super::{Percent, Variants};
use crate::{
    document::{Fields, Kind, Name, Node, Problems, Tree},
    edit,
};

/// What the default is read with.
#[derive(Debug)]
pub(super) struct Serving<'v> {
    pub(super) variants: &'v Variants,
    /// The off variant; empty for none.
    pub(super) off: &'v str,
    /// What the older words for a rollout say, if the document uses them.
    pub(super) old: Option<v1::Serve>,
}

impl Serving<'_> {
    /// The default of a flag, from `default` and `percent`.
    pub(super) fn read(self, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<v1::Serve> {
        let node = fields.take_even_null("default");
        let field = fields.path("default");
        let default = node.map(|node| (node, read(node, &field, self.variants, problems)));
        let percent = fields.take("percent").map(|node| (node, fields.path("percent")));
        if let Some(old) = self.old {
            for node in [node, percent.as_ref().map(|(node, _)| *node)].into_iter().flatten() {
                problems.wrong(
                    node.place,
                    &field,
                    "rollout_type and rollout_percentage say it already; write one",
                );
            }
            return Some(old);
        }
        match (percent, default) {
            (Some((node, path)), default) => {
                let buckets = Percent::read(node, &path, problems);
                let default = default.map(|(node, serve)| (node, serve.and_then(|serve| serve.kind)));
                let variant = match default {
                    Some((_, Some(serve::Kind::Variant(variant)))) => Some(variant),
                    Some((node, _)) => {
                        problems.wrong(
                            node.place,
                            &field,
                            "beside percent the default is the variant that gets it",
                        );
                        return None;
                    }
                    None => None,
                };
                self.percentage(node, &path, buckets?, variant, problems)
            }
            (None, Some((_, serve))) => serve,
            (None, None) => self.implied(fields, &field, problems),
        }
    }

    fn implied(&self, fields: &Fields<'_>, field: &str, problems: &mut Problems) -> Option<v1::Serve> {
        let default = self.variants.implied_default();
        if default.is_none() {
            problems.wrong(fields.place, field, "missing; name the variant that is served, or none");
        }
        default.map(variant)
    }

    fn percentage(
        &self,
        node: &Node,
        path: &str,
        buckets: u32,
        default: Option<String>,
        problems: &mut Problems,
    ) -> Option<v1::Serve> {
        let (variants, off) = (self.variants, Some(self.off).filter(|off| !off.is_empty()));
        let served = default
            .or_else(|| variants.only(true).map(str::to_owned))
            .or_else(|| variants.other(off?).map(str::to_owned));
        let rest = off
            .or_else(|| variants.only(false))
            .or_else(|| variants.other(served.as_deref()?))
            .filter(|rest| Some(*rest) != served.as_deref());
        match (served, rest, Buckets::new(buckets)) {
            (Some(served), Some(rest), Some(buckets)) => Some(edit::split(&served, buckets, rest)),
            (served, _, _) => {
                let what = match served {
                    Some(_) => "the rest needs another variant; name it as off_variant",
                    None => "which variant gets it? name it as default",
                };
                problems.wrong(node.place, path, what);
                None
            }
        }
    }
}

/// One variant for everybody.
pub(super) fn variant(name: impl Into<String>) -> v1::Serve {
    v1::Serve {
        kind: Some(serve::Kind::Variant(name.into())),
    }
}

/// What a rule or the default serves.
pub(super) fn read(node: &Node, field: &str, variants: &Variants, problems: &mut Problems) -> Option<v1::Serve> {
    let kind = match &node.kind {
        Kind::Null => serve::Kind::CallerDefault(v1::CallerDefault {}),
        Kind::Text(word) if word == "none" && !variants.has(word) => serve::Kind::CallerDefault(v1::CallerDefault {}),
        Kind::Text(_) | Kind::Boolean(_) | Kind::Number(_) => {
            serve::Kind::Variant(variants.name(node, field, problems)?)
        }
        Kind::List(_) => serve::Kind::Split(v1::Split {
            shares: read_shares(node, field, variants, problems),
            ranges: Vec::new(),
        }),
        Kind::Map(_) => {
            let what = "a variant, none, or {split: {on: 25%, off: 75%}}";
            let mut fields = Fields::of(node, field, what, problems)?;
            let named = fields.take("variant").map(|node| variants.name(node, field, problems));
            let split = read_split(&mut fields, variants, problems);
            fields.finish(problems);
            match (named, split) {
                (Some(name), None) => serve::Kind::Variant(name?),
                (None, Some(split)) => serve::Kind::Split(split),
                (Some(_), Some(_)) | (None, None) => {
                    problems.wrong(node.place, field, format!("write {what}"));
                    return None;
                }
            }
        }
    };
    Some(v1::Serve { kind: Some(kind) })
}

fn read_split(fields: &mut Fields<'_>, variants: &Variants, problems: &mut Problems) -> Option<v1::Split> {
    let node = fields.take("split")?;
    let path = fields.path("split");
    let before = problems.len();
    let shares = read_shares(node, &path, variants, problems);
    let sum: u64 = shares.iter().map(|share| u64::from(share.buckets)).sum();
    if problems.len() == before && sum != u64::from(Buckets::ALL.get()) {
        let percent = sum as f64 / 1_000.0;
        problems.wrong(
            node.place,
            &path,
            format!("the shares are {percent} % together, not 100 %"),
        );
    }
    let ranges = match fields.take("ranges") {
        Some(node) => read_shares(node, &fields.path("ranges"), variants, problems),
        None => Vec::new(),
    };
    Some(v1::Split { shares, ranges })
}

/// Shares: a map of variants and percentages, or a list of `{on: 25%}` or `{variant: on, percent: 25%}`.
fn read_shares(node: &Node, field: &str, variants: &Variants, problems: &mut Problems) -> Vec<v1::Share> {
    match &node.kind {
        Kind::Map(map) => {
            let shares = map.iter();
            shares
                .filter_map(|(name, node)| read_share(name, node, field, variants, problems))
                .collect()
        }
        Kind::List(list) => {
            let items = list.iter().enumerate();
            items
                .filter_map(|(at, item)| read_item(item, &format!("{field}[{at}]"), variants, problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => {
            problems.expected(node, field, "shares: {on: 25%, off: 75%}");
            Vec::new()
        }
    }
}

fn read_item(node: &Node, field: &str, variants: &Variants, problems: &mut Problems) -> Option<v1::Share> {
    if let Kind::Map(map) = &node.kind
        && let [(name, percent)] = map.as_slice()
    {
        return read_share(name, percent, field, variants, problems);
    }
    let mut fields = Fields::of(node, field, "a share: {variant: on, percent: 25}", problems)?;
    let name = fields
        .take("variant")
        .and_then(|node| variants.name(node, &fields.path("variant"), problems));
    let percent = fields
        .take("percent")
        .map(|node| Percent::read(node, &fields.path("percent"), problems));
    if name.is_none() && percent.is_none() {
        problems.wrong(node.place, field, "write {variant: on, percent: 25}");
    }
    fields.finish(problems);
    Some(v1::Share {
        variant: name?,
        buckets: percent??,
    })
}

fn read_share(
    name: &Name,
    node: &Node,
    field: &str,
    variants: &Variants,
    problems: &mut Problems,
) -> Option<v1::Share> {
    let field = format!("{field}.{}", name.text);
    variants.check(&name.text, node, &field, problems);
    Some(v1::Share {
        variant: name.text.clone(),
        buckets: Percent::read(node, &field, problems)?,
    })
}

/// As `read`, back; what is absent is the caller's own default.
pub(super) fn write(serve: Option<&v1::Serve>) -> Tree {
    match serve.and_then(|serve| serve.kind.as_ref()) {
        Some(serve::Kind::Variant(variant)) => Tree::Text(variant.clone()),
        Some(serve::Kind::Split(split)) => {
            let share = |share: &v1::Share| {
                let percent = format!("{}%", Percent::of(share.buckets).as_str());
                (share.variant.clone(), Tree::Text(percent))
            };
            let range = |range: &v1::Share| Tree::Map(vec![share(range)]);
            let ranges = split.ranges.iter().map(range).collect();
            Tree::fields([
                ("split", Some(Tree::Map(split.shares.iter().map(share).collect()))),
                ("ranges", (!split.ranges.is_empty()).then_some(Tree::List(ranges))),
            ])
        }
        Some(serve::Kind::CallerDefault(_)) | None => Tree::Null,
    }
}
