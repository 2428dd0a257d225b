//! The crate from the outside: frames built by hand go in, packets, flows and facts come out.

mod build;
mod community;
mod links;
mod network;
mod roles;
mod round_trips;
mod run;
mod streams;
