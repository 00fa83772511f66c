//! The kill switch: the key of a flag, or `{flag, auto_trip, conditions}`.

use proto::v1;

use super::checked;
use crate::document::{Fields, Kind, Problems, Tree};

/// Reads `kill_switch`.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<v1::KillSwitch> {
    let path = fields.path("kill_switch");
    let node = fields.take("kill_switch")?;
    if let Kind::Text(_) = &node.kind {
        return Some(v1::KillSwitch {
            flag: checked::of(node, &path, checked::key, problems)?,
            ..v1::KillSwitch::default()
        });
    }
    let what = "a kill switch: the key of a flag, or {flag, auto_trip, conditions}";
    let mut inner = Fields::of(node, path, what, problems)?;
    let kill = v1::KillSwitch {
        flag: checked::one(&mut inner, "flag", checked::key, problems),
        auto_trip: inner.boolean("auto_trip", problems).unwrap_or_default(),
        conditions: checked::list(&mut inner, "conditions", checked::criterion, problems),
    };
    inner.finish(problems);
    Some(kill)
}

/// As `read`, back.
pub(super) fn write(kill: &v1::KillSwitch) -> Tree {
    if !kill.flag.is_empty() && !kill.auto_trip && kill.conditions.is_empty() {
        return Tree::Text(kill.flag.clone());
    }
    Tree::fields([
        ("flag", Tree::text(&kill.flag)),
        ("auto_trip", kill.auto_trip.then_some(Tree::Boolean(true))),
        ("conditions", checked::write(&kill.conditions)),
    ])
}
