//! Edits of a flag's document: what `set`, `enable` and `disable` change, as functions of the flag that was read.
//!
//! An edit may be applied again to a newer flag only if what it was based on is still so; otherwise it would undo
//! somebody else's decision without anyone having seen both. Additions to lists do not depend on anything.

use evaluation::Buckets;
use proto::v1;

use crate::new_flag::no_variant;

/// A change of a flag.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// Serve a variant.
    Serve(Serving),
    /// Turn the flag on.
    Enable,
    /// Turn the flag off.
    Disable,
}

/// Which variant to serve, to whom.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Serving {
    /// The variant.
    pub(crate) variant: String,
    /// Its percentage; none: everybody.
    pub(crate) percent: Option<Buckets>,
    /// The variant of the rest, if it was named.
    pub(crate) rest: Option<String>,
    /// Units that always get the variant.
    pub(crate) allow: Vec<String>,
    /// Units that always get the off variant.
    pub(crate) deny: Vec<String>,
    /// Rules to add, or to put in the place of those with their names.
    pub(crate) rules: Vec<v1::Rule>,
}

impl Edit {
    /// The flag after the edit, or every reason why it cannot be.
    pub(crate) fn apply(&self, flag: &v1::Flag) -> Result<v1::Flag, Vec<String>> {
        let mut flag = flag.clone();
        match self {
            Self::Serve(serving) => serving.apply(&mut flag)?,
            Self::Enable => flag.enabled = true,
            Self::Disable => flag.enabled = false,
        }
        Ok(flag)
    }

    /// Whether an edit that was based on `read` means the same on `now`.
    pub(crate) fn still_applies(&self, read: &v1::Flag, now: &v1::Flag) -> bool {
        match self {
            Self::Serve(serving) => serving.still_applies(read, now),
            Self::Enable | Self::Disable => read.enabled == now.enabled,
        }
    }
}

impl Serving {
    fn apply(&self, flag: &mut v1::Flag) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        for variant in [Some(&self.variant), self.rest.as_ref()].into_iter().flatten() {
            if !flag.variants.contains_key(variant) {
                problems.push(no_variant(variant, &flag.variants));
            }
        }
        for unit in self.allow.iter().filter(|unit| self.deny.contains(unit)) {
            problems.push(format!("unit `{unit}` is both allowed and denied"));
        }
        match self.default(flag) {
            Ok(serve) if problems.is_empty() => flag.default_serve = Some(serve),
            Ok(_) => return Err(problems),
            Err(problem) => {
                problems.push(problem);
                return Err(problems);
            }
        }
        self.list(flag);
        for rule in &self.rules {
            match flag.rules.iter_mut().find(|present| present.name == rule.name) {
                Some(present) => *present = rule.clone(),
                None => flag.rules.push(rule.clone()),
            }
        }
        Ok(())
    }

    /// The new default. Which buckets the shares get is the control plane's to say: it moves the fewest units.
    fn default(&self, flag: &v1::Flag) -> Result<v1::Serve, String> {
        let everybody = |variant: &str| v1::Serve {
            kind: Some(v1::serve::Kind::Variant(variant.into())),
        };
        let Some(percent) = self.percent.filter(|percent| *percent < Buckets::ALL) else {
            return Ok(everybody(&self.variant));
        };
        let rest = self.rest_of(flag)?;
        if percent == Buckets::NONE {
            return Ok(everybody(&rest));
        }
        Ok(split(&self.variant, percent, &rest))
    }

    /// The variant of the rest: as named, else the previous default, else the off variant.
    fn rest_of(&self, flag: &v1::Flag) -> Result<String, String> {
        if let Some(rest) = &self.rest {
            return if *rest == self.variant {
                Err("the rest gets the same variant".into())
            } else {
                Ok(rest.clone())
            };
        }
        let mut others = served(flag).into_iter().filter(|variant| **variant != self.variant);
        match (others.next(), others.next()) {
            (Some(previous), None) => return Ok(previous.clone()),
            (Some(_), Some(_)) => {
                let shown = crate::print::serve(flag.default_serve.as_ref());
                return Err(format!(
                    "the default is split over several others ({shown}); name one with --rest"
                ));
            }
            (None, _) => {}
        }
        match flag.off_variant.as_str() {
            off if !off.is_empty() && off != self.variant => Ok(off.into()),
            _ => Err("the rest needs another variant; name it with --rest".into()),
        }
    }

    /// A unit stands on one list at most: the one that this edit puts it on.
    fn list(&self, flag: &mut v1::Flag) {
        let moved = |unit: &String| self.allow.contains(unit) || self.deny.contains(unit);
        flag.deny.retain(|unit| !self.allow.contains(unit));
        for list in flag.allow.iter_mut() {
            let stays = list.variant == self.variant;
            list.units
                .retain(|unit| !moved(unit) || (stays && self.allow.contains(unit)));
        }
        for unit in &self.deny {
            if !flag.deny.contains(unit) {
                flag.deny.push(unit.clone());
            }
        }
        for unit in &self.allow {
            let list = allow_list_of(flag, &self.variant);
            if !list.units.contains(unit) {
                list.units.push(unit.clone());
            }
        }
        flag.allow.retain(|list| !list.units.is_empty());
    }

    fn still_applies(&self, read: &v1::Flag, now: &v1::Flag) -> bool {
        let rule = |flag: &v1::Flag, name: &str| flag.rules.iter().find(|rule| rule.name == name).cloned();
        read.variants == now.variants
            && read.off_variant == now.off_variant
            && read.default_serve == now.default_serve
            && self
                .rules
                .iter()
                .all(|own| rule(read, &own.name) == rule(now, &own.name))
    }
}

/// `variant` to a share of the buckets, `rest` to the others; one variant for everybody at 0 % and 100 %. The control
/// plane says which buckets.
pub(crate) fn split(variant: &str, percent: Buckets, rest: &str) -> v1::Serve {
    let share = |variant: &str, buckets| v1::Share {
        variant: variant.into(),
        buckets,
    };
    let kind = match (percent.get(), Buckets::ALL.get() - percent.get()) {
        (0, _) => v1::serve::Kind::Variant(rest.into()),
        (_, 0) => v1::serve::Kind::Variant(variant.into()),
        (own, others) => v1::serve::Kind::Split(v1::Split {
            shares: vec![share(variant, own), share(rest, others)],
            ranges: Vec::new(),
        }),
    };
    v1::Serve { kind: Some(kind) }
}

/// The flag's allow list of a variant; a new one if it has none.
pub(crate) fn allow_list_of<'f>(flag: &'f mut v1::Flag, variant: &str) -> &'f mut v1::AllowList {
    let at = flag
        .allow
        .iter()
        .position(|list| list.variant == variant)
        .unwrap_or_else(|| {
            flag.allow.push(v1::AllowList {
                variant: variant.into(),
                units: Vec::new(),
            });
            flag.allow.len() - 1
        });
    &mut flag.allow[at]
}

/// The variants that the default serves.
fn served(flag: &v1::Flag) -> Vec<&String> {
    match flag.default_serve.as_ref().and_then(|serve| serve.kind.as_ref()) {
        Some(v1::serve::Kind::Variant(variant)) => vec![variant],
        Some(v1::serve::Kind::Split(split)) => split.shares.iter().map(|share| &share.variant).collect(),
        Some(v1::serve::Kind::CallerDefault(_)) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
