//! A table of its own for nftables, by address: sets for IPv4 and IPv6, and chains for what leaves and what is forwarded.
//!
//! Loading the file replaces the table, and touches no other.

use std::io::{Result, Write};
use std::net::IpAddr;

use farshore_model::rules::{Abilities, Action, Target};

use super::{Format, Written};

/// `nftables`.
pub(super) struct Nftables;

impl Format for Nftables {
    fn id(&self) -> &'static str {
        "nftables"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            addresses: true,
            ..Abilities::default()
        }
    }

    fn actions(&self) -> &'static [Action] {
        &[Action::Drop, Action::Reject]
    }

    fn write(&self, it: &Written<'_>, out: &mut dyn Write) -> Result<()> {
        let notes = it.notes("#");
        writeln!(out, "#!/usr/sbin/nft -f")?;
        notes.top(
            "Block rules for nftables",
            &[
                "check: nft -c -f FILE; load: nft -f FILE; remove: nft delete table inet farshore",
                "Addresses are those that were seen: a party that moves to others is not stopped.",
            ],
            out,
        )?;
        // A table that is not there cannot be deleted, so it is made first.
        writeln!(out, "table inet farshore\ndelete table inet farshore\n\ntable inet farshore {{")?;
        for (name, kind, is_v4) in [("denied4", "ipv4_addr", true), ("denied6", "ipv6_addr", false)] {
            let of = |target: &Target| matches!(target, Target::Address(address) if is_v4 == matches!(address, IpAddr::V4(_)));
            writeln!(out, "\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n\t\tcounter")?;
            if it.rules.rules.iter().any(|rule| of(&rule.target)) {
                writeln!(out, "\t\telements = {{")?;
                notes.each(&of, "\t\t\t", out, &mut |rule, out| match &rule.target {
                    Target::Address(address) => writeln!(out, "\t\t\t{address},"),
                    Target::Name(_) | Target::Below(_) => Ok(()),
                })?;
                writeln!(out, "\t\t}}")?;
            }
            writeln!(out, "\t}}\n")?;
        }
        let action = match it.rules.action {
            Action::Reject => "reject with icmpx type admin-prohibited",
            Action::Drop | Action::Alert => "drop",
        };
        for (index, hook) in ["output", "forward"].into_iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            writeln!(
                out,
                "\tchain {hook} {{\n\t\ttype filter hook {hook} priority filter; policy accept;\n\
                 \t\tip daddr @denied4 counter {action}\n\t\tip6 daddr @denied6 counter {action}\n\t}}"
            )?;
        }
        writeln!(out, "}}")
    }
}
