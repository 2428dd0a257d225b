//! Every output on every case: what must stand in it, what must never stand in it, and how it looks as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod cases;
mod contract;
mod hostile;
mod linked;
mod looks;
mod page;
mod rules;
mod saved;
