//! Where something stands in a message.

use std::fmt;

/// Where something stands in a message; a text only when something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    list: &'static str,
    number: usize,
}

impl<'p> Path<'p> {
    /// In a list of the message itself.
    pub(super) fn new(list: &'static str, number: usize) -> Self {
        let parent = None;
        Self { parent, list, number }
    }

    /// In a list of what stands here.
    pub(super) fn within(&'p self, list: &'static str, number: usize) -> Self {
        let parent = Some(self);
        Self { parent, list, number }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        write!(f, "{}[{}]", self.list, self.number)
    }
}
