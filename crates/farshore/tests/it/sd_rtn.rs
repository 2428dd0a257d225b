//! The edge an SD-RTN hello names is attributed by its domain, whoever's it is, and to nobody if that is unknown.
//!
//! The hello is made up by the layout that the dissector documents; the domains are those of the table of organisations.

use farshore::Datasets;
use farshore::model::audit::NameVia;
use farshore::model::{Observation, Protection};

use crate::wired::{CLIENT, SECOND, Wire};

const EDGE: ([u8; 4], u16) = ([198, 51, 100, 99], 4_001);

fn tag(out: &mut Vec<u8>, name: &[u8; 4], value: &[u8]) {
    out.extend(name);
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
}

fn hello(number: u32, name: &str) -> Vec<u8> {
    let mut exchange = Vec::new();
    tag(&mut exchange, b"NONC", &[0x5a; 32]);
    tag(&mut exchange, b"AEAD", b"AESG");
    tag(&mut exchange, b"PUBS", &[0x04; 65]);
    tag(&mut exchange, b"KEXS", b"P256");
    let mut out = vec![0];
    out.extend(number.to_le_bytes());
    out.extend([0, 0x21, 0, 0, 0, 0, 0, 4]);
    tag(&mut out, b"SNI\0", name.as_bytes());
    tag(&mut out, b"PDMD", b"");
    tag(&mut out, b"CPTO", &exchange);
    tag(&mut out, b"CCRT", &[0xee; 16]);
    out
}

fn audit(name: &str) -> farshore::Audit {
    let mut wire = Wire::default();
    wire.udp(SECOND, (CLIENT, 50_001), EDGE, &hello(9, name));
    wire.udp(2 * SECOND, (CLIENT, 50_001), EDGE, &[1, 10, 0, 0, 0x19, 0x0a, 0xfd]);
    wire.audit(Datasets::embedded())
}

#[test]
fn the_domain_of_the_edge_tells_the_organisation() {
    for (domain, id, seat) in [
        ("agora.io", "agora", "CN"),
        ("sd-rtn.com", "agora", "CN"),
        ("agoralab.co", "agora", "CN"),
        ("shengwang.cn", "agora", "CN"),
        ("easemob.com", "easemob", "CN"),
        ("twilio.com", "twilio", "US"),
        ("tokbox.com", "vonage", "US"),
        ("sinch.com", "sinch", "SE"),
        ("zoom.us", "zoom", "US"),
        ("livekit.cloud", "livekit", "US"),
        ("zego.im", "zego", "CN"),
    ] {
        let name = format!("198-51-100-99.edge.{domain}");
        let audit = audit(&name);
        let [destination] = &audit.destinations[..] else {
            panic!("one destination for {domain}");
        };
        assert_eq!(
            (destination.name.as_str(), destination.domain.as_deref()),
            (name.as_str(), Some(domain))
        );
        let organisation = destination
            .organisation
            .as_ref()
            .unwrap_or_else(|| panic!("{domain} is somebody's"));
        assert_eq!((organisation.id.as_str(), organisation.basis), (id, "domain"), "{domain}");
        assert_eq!(organisation.seat.map(|it| it.to_string()).as_deref(), Some(seat), "{domain}");
        assert!(!organisation.source.is_empty() && !organisation.as_of.is_empty() && !organisation.fictional);
        let names: Vec<_> = audit.flow_names[0].iter().map(|it| (it.name.as_str(), it.via, it.frame)).collect();
        assert_eq!(names, [(name.as_str(), NameVia::SdRtn, 1)]);
        assert_eq!(
            audit.flows.get(0).unwrap().protection,
            Protection::Opaque,
            "not read is not encrypted"
        );
        let told = audit
            .observations
            .iter()
            .any(|it| matches!(&it.what, Observation::PeerNamed { protocol: "sd-rtn", .. }));
        assert!(told);
    }
}

#[test]
fn an_unknown_domain_is_nobodys() {
    // Reserved names (RFC 2606), and one that only looks like a known domain.
    for name in [
        "198-51-100-99.edge.example.net",
        "edge.relay.invalid",
        "edge.notagora.example",
        "edge.agora.io.example.org",
    ] {
        let audit = audit(name);
        assert_eq!(audit.destinations[0].name, name);
        assert_eq!(audit.destinations[0].organisation, None, "{name}");
        assert!(audit.destinations[0].owners.is_empty());
        assert!(audit.flow_names[0].iter().any(|it| it.via == NameVia::SdRtn));
    }
}
