//! A clusterwide policy of Cilium, by address: deny rules take no names (`toFQDNs` is for rules that allow).
//!
//! A policy that selects a pod would deny it everything else as well; `enableDefaultDeny` keeps that from happening.

use std::io::{Result, Write};
use std::net::IpAddr;

use farshore_model::rules::{Abilities, Action, Target};

use super::{Format, Written};

/// `cilium`.
pub(super) struct Cilium;

impl Format for Cilium {
    fn id(&self) -> &'static str {
        "cilium"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            addresses: true,
            ..Abilities::default()
        }
    }

    fn actions(&self) -> &'static [Action] {
        &[Action::Drop]
    }

    fn write(&self, it: &Written<'_>, out: &mut dyn Write) -> Result<()> {
        let notes = it.notes("#");
        notes.top(
            "Block rules for Cilium 1.16 and later",
            &[
                "check: kubectl apply --dry-run=server -f FILE; all pods are selected",
                "Addresses are those that were seen: a party that moves to others is not stopped. Pods and nodes of the cluster are not",
                "matched by address.",
            ],
            out,
        )?;
        let of = |target: &Target| matches!(target, Target::Address(_));
        if !it.rules.rules.iter().any(|rule| of(&rule.target)) {
            // A policy without a rule is refused.
            return notes.line("No address is denied, so there is no policy.", out);
        }
        writeln!(
            out,
            "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata:\n  name: farshore-deny\nspec:\n  \
             endpointSelector: {{}}\n  enableDefaultDeny:\n    egress: false\n    ingress: false\n  egressDeny:\n  - toCIDRSet:"
        )?;
        notes.each(&of, "    ", out, &mut |rule, out| match rule.target {
            Target::Address(address @ IpAddr::V4(_)) => writeln!(out, "    - cidr: {address}/32"),
            Target::Address(address @ IpAddr::V6(_)) => writeln!(out, "    - cidr: \"{address}/128\""),
            Target::Name(_) | Target::Below(_) => Ok(()),
        })
    }
}
