//! What a request says, as far as it says it by itself: keys, values and times in their bounds, tokens of this environment.
//! Every violation at once. What the rollout makes of it is found out later.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{Arm, Context, Exposure, Key, Violation};
use proto::{
    status::violation,
    token::Token,
    v1::{self, measurement::Of as WireOf},
};
use rollout::catalogue::MetricKey;

use crate::{
    api::inspection::read_context,
    push::{
        KEY_BYTES, REQUEST_LIMIT, VALUES_LIMIT,
        content::{Content, Of},
    },
    state::State,
};

/// The largest context of a unit, in bytes.
const CONTEXT_BYTES: usize = 64 * 1024;
/// Violations that are listed; of more, only their number is told.
const LISTED: usize = 50;
/// How long a level may stand, in microseconds.
const STANDS_US: std::ops::RangeInclusive<i64> = 1_000_000..=24 * 60 * 60 * 1_000_000;

/// One measurement that is well-formed.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) key: String,
    pub(super) metric: MetricKey,
    pub(super) values: Vec<f64>,
    pub(super) named: Named,
    /// 0: not said.
    pub(super) at_us: i64,
    /// 0: not said.
    pub(super) stands_for_us: i64,
}

/// What a measurement belongs to, as it is said.
#[derive(Clone)]
pub(super) enum Named {
    /// This exposure.
    Token(Token, [u8; 16]),
    /// An arm as a whole.
    Arm(Arm),
    /// Whoever has this context.
    Unit(Context),
}

impl std::fmt::Debug for Named {
    /// A context is personal data: it is never shown.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Named::Token(token, _) => out.debug_tuple("Token").field(token).finish(),
            Named::Arm(arm) => out.debug_tuple("Arm").field(arm).finish(),
            Named::Unit(_) => out.write_str("Unit"),
        }
    }
}

impl Named {
    /// The token, if it is one.
    pub(super) fn token(&self) -> Option<&Token> {
        match self {
            Named::Token(token, _) => Some(token),
            Named::Arm(_) | Named::Unit(_) => None,
        }
    }
}

impl Asked {
    /// As it is remembered, with what is known of its unit. Of a unit that can no longer be told it is that of `first`,
    /// which had the same key: there is nothing left to compare.
    pub(super) fn content(&self, exposure: Option<&Exposure>, first: &Content) -> Content {
        let of = match (&self.named, exposure, first.of) {
            (Named::Unit(_), None, of @ Of::Unit(_)) => of,
            (_, _, _) => self.of(exposure),
        };
        self.content_of(of)
    }

    /// As it is remembered, of what it belongs to.
    pub(super) fn content_of(&self, of: Of) -> Content {
        Content {
            metric: self.metric.to_string(),
            values: self.values.clone(),
            of,
            said_us: self.at_us,
            stands_for_us: self.stands_for_us,
        }
    }

    /// What it belongs to, as it is remembered.
    pub(super) fn of(&self, exposure: Option<&Exposure>) -> Of {
        match &self.named {
            Named::Token(_, bytes) => Of::Token(*bytes),
            Named::Arm(arm) => Of::Arm(*arm),
            Named::Unit(_) => Of::Unit(exposure.map_or(0, |exposure| exposure.position.get())),
        }
    }
}

/// A request of which something is malformed.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    /// What is well-formed, by its place.
    pub(super) asked: BTreeMap<usize, Asked>,
    /// What is wrong, by the place of the measurement.
    pub(super) found: Vec<(usize, Violation)>,
}

impl Malformed {
    /// Everything that is wrong, in the order of the request, as far as it is listed.
    pub(super) fn violations(mut self) -> Vec<Violation> {
        self.found.sort_by_key(|(at, _)| *at);
        let mut found: Vec<_> = self.found.into_iter().map(|(_, violation)| violation).collect();
        let more = found.len().saturating_sub(LISTED);
        found.truncate(LISTED);
        if more > 0 {
            found.push(violation("measurements", format!("{more} more violations")));
        }
        found
    }
}

/// Reads the measurements of a request.
pub(super) fn read(
    state: &State,
    environment: &Key,
    measurements: Vec<v1::Measurement>,
) -> Result<Vec<Asked>, Malformed> {
    let count = measurements.len();
    if count == 0 || count > REQUEST_LIMIT {
        let description = format!("must be 1 to {REQUEST_LIMIT} measurements, not {count}");
        return Err(Malformed {
            found: vec![(0, violation("measurements", description))],
            ..Malformed::default()
        });
    }
    let token_key = state
        .environments
        .get(environment)
        .map_or(0, |record| record.environment.token_key);
    let (mut read, mut keys) = (Malformed::default(), BTreeSet::new());
    for (at, measurement) in measurements.into_iter().enumerate() {
        let path = format!("measurements[{at}]");
        let mut found = Vec::new();
        if !keys.insert(measurement.key.clone()) {
            found.push(violation(format!("{path}.key"), "stands twice in this request"));
        }
        let asked = read_one(&path, measurement, token_key, &mut found);
        read.asked.extend(asked.map(|asked| (at, asked)));
        read.found.extend(found.into_iter().map(|violation| (at, violation)));
    }
    if read.found.is_empty() {
        Ok(read.asked.into_values().collect())
    } else {
        Err(read)
    }
}

/// One measurement; none, and violations, if it is malformed.
fn read_one(path: &str, wire: v1::Measurement, token_key: u128, found: &mut Vec<Violation>) -> Option<Asked> {
    let before = found.len();
    let mut wrong = |field: &str, description: String| found.push(violation(format!("{path}.{field}"), description));
    let is_key = (1..=KEY_BYTES).contains(&wire.key.len()) && wire.key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_key {
        wrong(
            "key",
            format!("must be 1 to {KEY_BYTES} visible ASCII characters, without spaces"),
        );
    }
    if wire.values.is_empty() || wire.values.len() > VALUES_LIMIT {
        let count = wire.values.len();
        wrong("values", format!("must be 1 to {VALUES_LIMIT} values, not {count}"));
    }
    if wire.at_us < 0 {
        wrong("at_us", "must be microseconds since 1970 UTC, or 0".to_owned());
    }
    if wire.stands_for_us != 0 && !STANDS_US.contains(&wire.stands_for_us) {
        wrong("stands_for_us", "must be 1 s to 24 h in microseconds, or 0".to_owned());
    }
    let metric = MetricKey::new(&wire.metric);
    if let Err(error) = &metric {
        wrong("metric", error.to_string());
    }
    let named = match read_named(wire.of, token_key) {
        Ok(named) => Some(named),
        Err((field, description)) => {
            let path = if field.is_empty() {
                path.to_owned()
            } else {
                format!("{path}.{field}")
            };
            found.push(violation(path, description));
            None
        }
    };
    match (metric, named) {
        (Ok(metric), Some(named)) if found.len() == before => Some(Asked {
            key: wire.key,
            metric,
            values: wire.values,
            named,
            at_us: wire.at_us,
            stands_for_us: wire.stands_for_us,
        }),
        (_, _) => None,
    }
}

/// What a measurement belongs to; or the field that is wrong, and what of it.
fn read_named(of: Option<WireOf>, token_key: u128) -> Result<Named, (&'static str, String)> {
    match of {
        None => Err(("", "must have one of token, arm and context".to_owned())),
        Some(WireOf::Token(text)) => {
            let token = Token::from_text(&text, token_key).map_err(|error| ("token", error.to_string()))?;
            Ok(Named::Token(token, token.to_bytes(token_key)))
        }
        Some(WireOf::Arm(arm)) => match v1::PushArm::try_from(arm) {
            Ok(v1::PushArm::Treatment) => Ok(Named::Arm(Arm::Treatment)),
            Ok(v1::PushArm::Control) => Ok(Named::Arm(Arm::Control)),
            Ok(v1::PushArm::Unspecified) | Err(_) => Err(("arm", "must be treatment or control".to_owned())),
        },
        Some(WireOf::Context(context)) => {
            let bytes = prost::Message::encoded_len(&context);
            if bytes > CONTEXT_BYTES {
                return Err(("context", format!("has {bytes} bytes, the limit is {CONTEXT_BYTES}")));
            }
            let context = read_context(context).map_err(|description| ("context", description))?;
            Ok(Named::Unit(context))
        }
    }
}
