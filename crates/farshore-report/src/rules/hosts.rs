//! Lines for `/etc/hosts`, by name: each leads to the unspecified addresses, which never leave the machine. It has no wildcards.

use std::io::{Result, Write};

use farshore_model::rules::{Abilities, Action, Target};

use super::{Format, Written};

/// `hosts`.
pub(super) struct Hosts;

impl Format for Hosts {
    fn id(&self) -> &'static str {
        "hosts"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            lookups: true,
            ..Abilities::default()
        }
    }

    fn actions(&self) -> &'static [Action] {
        &[Action::Drop]
    }

    fn write(&self, it: &Written<'_>, out: &mut dyn Write) -> Result<()> {
        let notes = it.notes("#");
        notes.top(
            "Block rules for /etc/hosts",
            &[
                "add these lines to /etc/hosts of the machine that is to be kept from there",
                "An app that asks a resolver of its own, or goes to an address, is not stopped.",
            ],
            out,
        )?;
        // Without the second line a resolver still asks for, and gets, the addresses of IPv6.
        notes.each(&|_| true, "", out, &mut |rule, out| match &rule.target {
            Target::Name(name) => writeln!(out, "0.0.0.0 {name}\n:: {name}"),
            Target::Address(_) | Target::Below(_) => Ok(()),
        })
    }
}
