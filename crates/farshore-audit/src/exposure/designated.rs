//! Resolvers that a resolver names itself: the answers about `_dns` (RFC 9461, RFC 9462) in the captures.
//!
//! Refuses lists of resolvers from elsewhere: what is not in a capture is not known here.

use std::collections::BTreeMap;

use farshore_model::observation::BoundValue;
use farshore_model::{Ledger, Observation};

use crate::naming::plain;

/// Hosts that answer DNS over HTTPS, as resolvers said.
pub(super) struct Designated(BTreeMap<String, u64>);

impl Designated {
    /// All of a ledger, each with the first frame that says so.
    pub(super) fn collect(ledger: &Ledger) -> Self {
        let mut hosts = BTreeMap::new();
        for seen in &ledger.observations {
            let Observation::NameBound {
                name,
                value: BoundValue::Service(service),
                ..
            } = &seen.what
            else {
                continue;
            };
            let owner = plain(name.as_str());
            let Some(served) = owner.strip_prefix("_dns.").filter(|_| service.doh_path.is_some()) else {
                continue;
            };
            let target = plain(service.target.as_str());
            let host = if target.is_empty() { served } else { &*target };
            // The name that stands for whichever resolver is asked is no host (RFC 9462, section 8).
            if host != "resolver.arpa" {
                hosts.entry(host.to_owned()).or_insert(seen.locus.span.frame);
            }
        }
        Self(hosts)
    }

    /// The frame that designated this host.
    pub(super) fn frame(&self, host: &str) -> Option<u64> {
        self.0.get(host).copied()
    }
}
