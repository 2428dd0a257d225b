//! Opening what is protected with keys that are known: cipher suites by name, key schedules, records. It owns which library does what
//! and in which layout, and refuses to do a cipher by hand, to make anything secret, or to accept what does not fit its tag.
//!
//! A tag that fits is the proof that the keys were right: nothing here is told on less, but where a suite leaves no tag.

mod aead;
mod classic;
pub(crate) mod hello;
mod modern;
mod packets;
mod schedule;
pub(crate) mod srtp;
mod suite;
pub(crate) mod suites;

pub(crate) use classic::{Classic, Ends, Header, Terms};
pub(crate) use modern::Modern;
pub(crate) use packets::Packets;
pub(crate) use schedule::{Hash, Randoms, extended_master, master};
pub(crate) use suite::Suite;
