//! What options say of a draft. It goes before what files say, and options that contradict each other are refused.

use rollout::{
    Unit,
    draft::{self, Gradual, Rehearsal, Wish},
    strategy::Strategy,
};

use crate::{
    args::{DraftArgs, RehearsalArg, UnitArg},
    error::Error,
};

/// What options say goes before what files say.
pub(super) fn chosen(wish: &mut Wish, options: &DraftArgs) -> Result<(), Error> {
    wish.key = options.key.as_ref().map(ToString::to_string).unwrap_or_default();
    wish.treatment = options.treatment.clone().unwrap_or_default();
    wish.control = options.control.clone().unwrap_or_default();
    wish.gradual = gradual(options);
    wish.strategy = match (options.strategy, wish.gradual) {
        (None, Some(_)) => Some(Strategy::Gradual),
        (Some(other), Some(_)) if other != Strategy::Gradual => {
            return Err(Error::usage(format!(
                "--gradual, --over and --steps lay out the strategy gradual, not {}; leave out --strategy",
                other.name()
            )));
        }
        (strategy, _) => strategy,
    };
    wish.rehearsal = options.rehearsal.map(|rehearsal| match rehearsal {
        RehearsalArg::Shadow => Rehearsal::Shadow,
        RehearsalArg::Dark => Rehearsal::Dark,
    });
    for (name, window) in &options.freeze {
        if wish.freezes.insert(name.clone(), window.clone()).is_some() {
            return Err(Error::usage(format!(
                "--freeze {name}: said twice; each needs a name of its own"
            )));
        }
    }
    wish.staff = options.staff.as_ref().map(ToString::to_string);
    wish.unit_by.clone_from(&options.unit_by);
    wish.unit = match options.unit {
        None | Some(UnitArg::Unit) => Unit::Unit,
        Some(UnitArg::Request) => Unit::Request,
    };
    wish.on_call = options.on_call.clone().unwrap_or_default();
    wish.start_at_us = options.start_at;
    if let Some(zone) = &options.zone {
        let hours = draft::business_hours(zone).map_err(|error| Error::usage(format!("--zone {zone}: {error}")))?;
        wish.business_hours = Some(hours);
    }
    Ok(())
}

/// The straight line that options say, with what they leave out as it usually is; none: they say nothing of one.
fn gradual(options: &DraftArgs) -> Option<Gradual> {
    let usual = Gradual::default();
    let (from, to) = options.gradual.unwrap_or((usual.from, usual.to));
    let said = options.gradual.is_some() || options.over.is_some() || options.steps.is_some();
    said.then(|| Gradual {
        from,
        to,
        over_us: options.over.map_or(usual.over_us, |over| {
            i64::try_from(over.as_micros()).unwrap_or(i64::MAX)
        }),
        steps: options.steps.unwrap_or(usual.steps),
    })
}
