//! A response policy zone, as BIND, Unbound, Knot Resolver and PowerDNS read it: names that are asked for are said not to exist;
//! of parties without a name, answers with their addresses.

use std::fmt::Write as _;
use std::io::{Result, Write};
use std::net::{IpAddr, Ipv6Addr};

use farshore_model::rules::{Abilities, Action, Target};

use super::{Format, Written};

/// `rpz`.
pub(super) struct Rpz;

impl Format for Rpz {
    fn id(&self) -> &'static str {
        "rpz"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            lookups: true,
            answers: true,
            below: true,
            ..Abilities::default()
        }
    }

    fn actions(&self) -> &'static [Action] {
        &[Action::Drop]
    }

    fn write(&self, it: &Written<'_>, out: &mut dyn Write) -> Result<()> {
        let notes = it.notes(";");
        notes.top(
            "Block rules as a response policy zone",
            &[
                "check: named-checkzone rpz.farshore FILE; the serial number is yours to count up",
                "An app that asks another resolver, or goes to an address without asking, is not stopped.",
            ],
            out,
        )?;
        writeln!(
            out,
            "$TTL 300\n@ IN SOA localhost. root.localhost. ( 1 3600 900 604800 300 )\n@ IN NS localhost.\n"
        )?;
        notes.each(&|_| true, "", out, &mut |rule, out| match &rule.target {
            Target::Name(name) => writeln!(out, "{name} IN CNAME ."),
            // It fits what is below the name; the name itself has a line of its own, if it is denied.
            Target::Below(name) => writeln!(out, "*.{name} IN CNAME ."),
            Target::Address(address) => writeln!(out, "{} IN CNAME .", trigger(*address)),
        })
    }
}

/// The owner name of an address: its prefix, then its parts from the last to the first; `zz` for the longest run of zeros.
pub(super) fn trigger(address: IpAddr) -> String {
    match address {
        IpAddr::V4(it) => {
            let [a, b, c, d] = it.octets();
            format!("32.{d}.{c}.{b}.{a}.rpz-ip")
        }
        IpAddr::V6(it) => {
            let mut name = "128".to_owned();
            let run = zeros(it);
            let parts: Vec<(usize, u16)> = it.segments().into_iter().enumerate().collect();
            for (at, part) in parts.into_iter().rev() {
                match &run {
                    Some(run) if run.start == at => name.push_str(".zz"),
                    Some(run) if run.contains(&at) => {}
                    _ => {
                        let _ = write!(name, ".{part:x}");
                    }
                }
            }
            name.push_str(".rpz-ip");
            name
        }
    }
}

/// The longest run of zeros of at least two, the first of equal ones.
fn zeros(it: Ipv6Addr) -> Option<std::ops::Range<usize>> {
    let mut best: Option<std::ops::Range<usize>> = None;
    let mut start = None;
    for (at, part) in it.segments().into_iter().chain([1]).enumerate() {
        match (part, start) {
            (0, None) => start = Some(at),
            (0, Some(_)) | (_, None) => {}
            (_, Some(from)) => {
                start = None;
                if at - from > best.as_ref().map_or(1, std::ops::Range::len) {
                    best = Some(from..at);
                }
            }
        }
    }
    best
}
