//! The `farshore` command: the only place with arguments, files, a clock-free terminal, and exit codes.
//!
//! Exit codes: 0 done, 2 could not run (a bad flag, an unreadable input, also one among several). Of `check`: 1 a breach, 3 nothing
//! breached and something undetermined. Of `diff`: 1 something is not fixed or new, 3 something is not exercised and nothing worse. Of
//! `bundle verify`: 1 not genuine, 3 cannot re-run.

mod args;
mod atlas;
mod audit;
mod bulk;
mod bundle;
mod capturing;
mod check;
mod copying;
mod data;
mod diagnose;
mod diff;
mod discover;
mod extract;
mod inputs;
mod list;
mod message;
mod output;
mod reading;
mod rules;
mod saved;
mod shelf;
mod watch;
mod who;

use std::process::ExitCode;

/// Audits are made of millions of small pieces from several threads: the system's allocator spends a sixth of the time on
/// them, and keeps twice the room.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    quiet_faults();
    let mut args = args::Args::typed();
    let done = data::asked(&mut args.verb).and_then(|()| match args.verb {
        args::Verb::Audit(it) => audit::run(&it),
        args::Verb::Check(it) => check::run(&it),
        args::Verb::Discover(it) => discover::run(&it),
        args::Verb::Diff(it) => diff::run(&it),
        args::Verb::Who(it) => who::run(&it),
        args::Verb::Rules(it) => rules::run(&it),
        args::Verb::Bundle(it) => bundle::run(&it),
        args::Verb::Data(it) => data::run(&it),
        args::Verb::Watch(it) => watch::run(&it),
        args::Verb::List(it) => list::run(&it),
    });
    match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            message::say(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// A reader that fails on one flow is caught and told as an anomaly; its message must not carry bytes of the wire.
fn quiet_faults() {
    std::panic::set_hook(Box::new(|fault| {
        if let Some(place) = fault.location() {
            eprintln!("farshore: internal fault at {}:{}; please report it", place.file(), place.line());
        }
    }));
}

/// Whoever read our output has had enough (`farshore … | head`).
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|it| it.downcast_ref::<std::io::Error>())
        .any(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
}
