//! The library end to end: captures with known truth, names, and the organisations behind them.
//!
//! Refuses to repeat what a dissector's or detector's own tests hold: here only what needs several crates.

mod blocked;
mod calls;
mod clubhouse;
mod crowded;
mod fixed;
mod hostile;
mod judged;
mod keys;
mod labelled;
mod leaky;
mod legs;
mod links;
mod live;
mod moved;
mod naming;
mod packed;
mod readers;
mod recorded;
mod resolvers;
mod sd_rtn;
mod sealed_hello;
mod sharded;
mod spoken;
mod talk;
mod wired;
