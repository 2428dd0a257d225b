//! Encrypted ClientHello: whether the outside of a sealed hello is what some record in the captures offered.
//!
//! Browsers send the extension to everyone, filled with chance (GREASE, RFC 9849, section 6.2), and then the name outside is
//! the server's own. It is a cover only where the capture itself shows so: a service record carries a configuration of that
//! number and suite, or the name outside is a configuration's public name. It is asked of the whole ledger, since a record
//! may have come in another flow or another input. Refuses to guess: without such a record, `present` stands.

use std::collections::{BTreeMap, BTreeSet};

use farshore_model::observation::{BoundValue, Ech, EchConfig};
use farshore_model::{FlowId, Ledger, Observation};

use crate::naming::plain;

/// Settles what was left open while flows were read one by one.
pub fn settle(ledger: &mut Ledger) {
    let offered = Offered::collect(ledger);
    if offered.is_empty() {
        return;
    }
    let mut outside: BTreeMap<FlowId, BTreeSet<String>> = BTreeMap::new();
    for seen in &ledger.observations {
        if let Observation::PeerNamed { name, .. } = &seen.what {
            outside.entry(seen.flow).or_default().insert(plain(name.as_str()).into_owned());
        }
    }
    for seen in &mut ledger.observations {
        let Observation::Channel {
            ech: ech @ Ech::Present(_),
            ..
        } = &mut seen.what
        else {
            continue;
        };
        let named = outside.get(&seen.flow).is_some_and(|names| !names.is_disjoint(&offered.names));
        let keyed = matches!(ech, Ech::Present(Some(key)) if offered.keys.contains(&(key.config, key.suite)));
        if named || keyed {
            *ech = Ech::Offered;
        }
    }
}

/// What records offered.
#[derive(Default)]
struct Offered {
    names: BTreeSet<String>,
    /// Number and suite: a number alone is a byte, which chance finds.
    keys: BTreeSet<(u8, (u16, u16))>,
}

impl Offered {
    fn collect(ledger: &Ledger) -> Self {
        let mut offered = Self::default();
        for seen in &ledger.observations {
            if let Observation::NameBound {
                value: BoundValue::Service(service),
                ..
            } = &seen.what
            {
                service.ech.iter().for_each(|it| offered.add(it));
            }
        }
        offered
    }

    fn add(&mut self, config: &EchConfig) {
        let name = plain(config.public_name.as_str());
        if !name.is_empty() {
            self.names.insert(name.into_owned());
        }
        self.keys.extend(config.suites.iter().map(|suite| (config.id, *suite)));
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.keys.is_empty()
    }
}
