//! Readers of what other systems wrote. Each maps exactly, or says where and why it cannot.

pub(crate) mod flagd;
