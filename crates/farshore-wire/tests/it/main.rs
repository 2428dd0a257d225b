//! The crate from the outside: frames built by hand go in, packets, flows and facts come out.

mod associations;
mod build;
mod community;
mod endings;
mod fragments;
mod interference;
mod links;
mod network;
mod other_links;
mod roles;
mod round_trips;
mod run;
mod samples;
mod sessions;
mod spoken;
mod streams;
mod talk;
mod tunnels;
