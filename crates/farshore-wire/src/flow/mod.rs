//! Flows: which packets belong together, who began, and what is read of them.

mod headless;
pub(crate) mod icmp;
pub(crate) mod inside;
pub(crate) mod interference;
pub(crate) mod layers;
pub(crate) mod live;
mod opaque;
mod opening;
pub(crate) mod reading;
pub mod recorded;
pub(crate) mod resting;
mod sample;
pub(crate) mod scene;
pub(crate) mod silence;
mod sink;
