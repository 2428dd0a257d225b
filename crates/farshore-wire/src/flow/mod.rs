//! Flows: which packets belong together, who began, and what is read of them.

pub mod community;
pub(crate) mod live;
pub(crate) mod reading;
