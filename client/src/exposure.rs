//! What an outcome or an event belongs to.
//!
//! An exposure has two names: the token of its evaluation, which is exact and cheap, or the flag's key with the context
//! it was evaluated with, which the agent works out again from what it holds now. The token is the one to keep where it
//! can be kept: it says nothing about the user and still names the arm after the flag has changed.

use std::sync::Arc;

use prost::Message as _;
use proto::v1::{ExposureName, FlagContext, exposure_name};
use smallvec::SmallVec;

use crate::context::Context;

/// The most exposures that an agent takes in one observation or event.
const EXPOSURES: usize = 64;

/// How many exposures most requests have at most.
const FEW: usize = 2;
/// What the name of an exposure takes on the wire beside its text, in bytes.
const FRAMING_BYTES: usize = 16;

/// Names an exposure after its evaluation is gone: in a later request, in another process. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure(Name);

#[derive(Clone, Debug, PartialEq)]
enum Name {
    Token(Arc<str>),
    Flag(Arc<FlagContext>),
}

/// Anything that was exposed to an arm: an [`Evaluation`](crate::Evaluation) of any type, or an [`Exposure`] by name.
pub trait Exposed: sealed::Sealed {
    /// The exposure token, present while the flag is under a rollout and this unit is part of it. It holds no personal
    /// data and is safe in a cookie, a header or a database.
    fn token(&self) -> Option<&str>;
}

pub(crate) mod sealed {
    /// What only this crate implements.
    pub trait Sealed {
        /// Names the exposure; none: there was none.
        fn name(&self) -> Option<super::Exposure>;
    }
}

/// The exposures of one observation or event: each once, 64 at most.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exposures(SmallVec<[Exposure; FEW]>);

impl Exposure {
    /// The exposure of this token, which an evaluation gave out before ([`Exposed::token`], or the flag metadata
    /// `tidegate.token` of any OpenFeature SDK). A text that is no token is dropped by the agent, which counts it.
    pub fn of_token(token: impl Into<Arc<str>>) -> Self {
        Self(Name::Token(token.into()))
    }

    /// What `flag` served to `context`, worked out again by the agent: the same attributes, the targeting key among
    /// them. Outside a rollout it is dropped by the agent, which counts it.
    pub fn of_flag(flag: impl Into<String>, context: &Context) -> Self {
        Self(Name::Flag(Arc::new(FlagContext {
            flag_key: flag.into(),
            context: Some(context.to_wire()),
        })))
    }

    /// About what it takes on the wire, and not less.
    fn bytes(&self) -> usize {
        FRAMING_BYTES
            + match &self.0 {
                Name::Token(token) => token.len(),
                Name::Flag(named) => named.encoded_len(),
            }
    }

    fn into_wire(self) -> ExposureName {
        let name = match self.0 {
            Name::Token(token) => exposure_name::Name::Token(token.as_ref().to_owned()),
            Name::Flag(named) => exposure_name::Name::Flag(Arc::unwrap_or_clone(named)),
        };
        ExposureName { name: Some(name) }
    }
}

impl Exposed for Exposure {
    fn token(&self) -> Option<&str> {
        if let Name::Token(token) = &self.0 {
            Some(token)
        } else {
            None
        }
    }
}

impl sealed::Sealed for Exposure {
    fn name(&self) -> Option<Exposure> {
        Some(self.clone())
    }
}

impl Exposures {
    /// Those of several evaluations.
    pub(crate) fn of(exposed: &[&dyn Exposed]) -> Self {
        let mut all = Self::default();
        exposed.iter().for_each(|one| all.add(one.name()));
        all
    }

    /// Adds one, unless it is here already or there are 64.
    pub(crate) fn add(&mut self, exposure: Option<Exposure>) {
        if let Some(exposure) = exposure
            && self.0.len() < EXPOSURES
            && !self.0.contains(&exposure)
        {
            self.0.push(exposure);
        }
    }

    /// Takes out those that are in `others` too.
    pub(crate) fn without(&mut self, others: &Self) {
        self.0.retain(|one| !others.0.contains(one));
    }

    /// Adds those of another.
    pub(crate) fn merge(&mut self, others: &Self) {
        others.0.iter().for_each(|one| self.add(Some(one.clone())));
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About what they take on the wire, and not less.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Exposure::bytes).sum()
    }

    /// Their names as they are sent.
    pub(crate) fn into_wire(self) -> Vec<ExposureName> {
        self.0.into_iter().map(Exposure::into_wire).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_exposure_is_one_and_the_limit_holds() {
        let tokens: Vec<_> = (0..70)
            .map(|number| Exposure::of_token(format!("token-{number}")))
            .collect();
        let twice: Vec<&dyn Exposed> = tokens.iter().chain(&tokens).map(|one| one as &dyn Exposed).collect();
        assert_eq!(Exposures::of(&twice).into_wire().len(), EXPOSURES);
    }

    #[test]
    fn the_same_flag_and_context_are_one_exposure_and_another_context_is_another() {
        let [seven, eight] = ["user-7", "user-8"].map(|user| Exposure::of_flag("checkout", &Context::user(user)));
        let named = Exposures::of(&[&seven, &seven.clone(), &eight]).into_wire();
        assert_eq!(named.len(), 2);
        assert_eq!(seven.token(), None);
    }
}
