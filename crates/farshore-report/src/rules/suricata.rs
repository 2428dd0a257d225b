//! Rules for Suricata: names in DNS, TLS, QUIC and plain HTTP; addresses of parties without a name.
//!
//! The number of a rule follows from what it fits, so it is the same in every run, and in the range that is left to local rules.

use std::collections::BTreeSet;
use std::io::{Result, Write};

use sha1::{Digest, Sha1};

use farshore_model::rules::{Abilities, Action, Target};

use super::{Format, Written};

/// `suricata`.
pub(super) struct Suricata;

/// Numbers left to local rules.
const LOCAL: std::ops::Range<u32> = 1_000_000..2_000_000;

/// Where names stand: the protocol, which side says it, the buffer, and whether case has to be ignored (in `http.host` it is lower
/// already, and ignoring it is an error).
const BUFFERS: [(&str, &str, &str, bool); 4] = [
    ("dns", "", "dns.query", true),
    ("tls", "flow:established,to_server; ", "tls.sni", true),
    ("quic", "", "quic.sni", true),
    ("http", "flow:established,to_server; ", "http.host", false),
];

impl Format for Suricata {
    fn id(&self) -> &'static str {
        "suricata"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            addresses: true,
            lookups: true,
            server_names: true,
            below: true,
            answers: false,
        }
    }

    fn actions(&self) -> &'static [Action] {
        &[Action::Drop, Action::Reject, Action::Alert]
    }

    fn write(&self, it: &Written<'_>, out: &mut dyn Write) -> Result<()> {
        let notes = it.notes("#");
        notes.top(
            "Block rules for Suricata 7 and later",
            &[
                "check: suricata -T -S FILE; drop and reject need Suricata inline (IPS)",
                "A name that is encrypted (ECH, DNS over HTTPS) is not seen.",
            ],
            out,
        )?;
        let action = match it.rules.action {
            Action::Drop => "drop",
            Action::Reject => "reject",
            Action::Alert => "alert",
        };
        let mut numbers = Numbers::default();
        notes.each(&|_| true, "", out, &mut |rule, out| {
            let (name, shape, fits) = match &rule.target {
                Target::Address(address) => {
                    let sid = numbers.of(&format!("ip {address}"));
                    return writeln!(
                        out,
                        "{action} ip any any -> {address} any (msg:\"farshore denied address {address}\"; sid:{sid}; rev:1;)"
                    );
                }
                Target::Name(name) => (name, name.clone(), "startswith; endswith; "),
                Target::Below(name) => (name, format!(".{name}"), "endswith; "),
            };
            let what = if shape == *name { name.clone() } else { format!("*.{name}") };
            for (protocol, flow, buffer, nocase) in BUFFERS {
                let sid = numbers.of(&format!("{buffer} {what}"));
                let nocase = if nocase { "nocase; " } else { "" };
                writeln!(
                    out,
                    "{action} {protocol} any any -> any any (msg:\"farshore denied name {what} in {buffer}\"; {flow}{buffer}; \
                     content:\"{shape}\"; {nocase}{fits}sid:{sid}; rev:1;)"
                )?;
            }
            Ok(())
        })
    }
}

/// Numbers that are given out.
#[derive(Default)]
struct Numbers(BTreeSet<u32>);

impl Numbers {
    fn of(&mut self, what: &str) -> u32 {
        let size = LOCAL.end.saturating_sub(LOCAL.start);
        let mut number = LOCAL.start;
        // Two may come out the same; then the next attempt counts. A million rules are never written.
        for attempt in 0..u32::from(u16::MAX) {
            let digest = Sha1::digest(format!("{what} {attempt}"));
            let four = digest.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
            number = LOCAL.start.saturating_add(four % size);
            if self.0.insert(number) {
                break;
            }
        }
        number
    }
}
