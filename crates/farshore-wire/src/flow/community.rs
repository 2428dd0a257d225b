//! Community ID v1: a flow's name across tools.
//!
//! Specification: <https://github.com/corelight/community-id-spec>. Seed 0, base64, ICMP types mapped to ports.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use farshore_model::{Endpoint, Transport};
use sha1::{Digest, Sha1};

/// The Community ID of a flow, whichever way it is looked at.
pub fn id(transport: Transport, a: Endpoint, b: Endpoint) -> String {
    let one_way = matches!(transport, Transport::Icmp | Transport::Icmp6) && is_one_way(transport, a, b);
    let (first, second) = if one_way || (a.ip, a.port) <= (b.ip, b.port) {
        (a, b)
    } else {
        (b, a)
    };
    let mut hash = Sha1::new();
    hash.update(0_u16.to_be_bytes());
    for ip in [first.ip, second.ip] {
        match ip {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
    }
    hash.update([transport.number(), 0]);
    // Transports without ports are hashed without them.
    if matches!(transport.number(), 1 | 6 | 17 | 58 | 132) {
        hash.update(first.port.to_be_bytes());
        hash.update(second.port.to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

/// Type and code of an ICMP message as a pair of ports: a request and its answer belong to one flow.
pub fn icmp_ports(transport: Transport, kind: u8, code: u8) -> (u16, u16) {
    match counterpart(transport, kind) {
        Some(other) => (u16::from(kind), u16::from(other)),
        None => (u16::from(kind), u16::from(code)),
    }
}

/// Whether a message of these ports has no answer: then its direction is part of the flow's name.
pub fn is_one_way(transport: Transport, a: Endpoint, _b: Endpoint) -> bool {
    u8::try_from(a.port).ok().and_then(|kind| counterpart(transport, kind)).is_none()
}

/// The type that answers a type, by the specification's table.
fn counterpart(transport: Transport, kind: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = match transport {
        // Echo, timestamp, information, router solicitation/advertisement, address mask.
        Transport::Icmp => &[(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)],
        // Echo, router, neighbour, multicast listener, node information (139/140), home agent (144/145).
        Transport::Icmp6 => &[(128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145)],
        _ => &[],
    };
    pairs.iter().find_map(|(a, b)| {
        if kind == *a {
            Some(*b)
        } else if kind == *b {
            Some(*a)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint {
            ip: ip.parse().unwrap(),
            port,
        }
    }

    // Values from the specification's baseline (seed 0) and from Zeek's test suite.
    #[test]
    fn the_published_values() {
        let tcp = ("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        let udp = ("192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        for (transport, (a, ap, b, bp, id)) in [(Transport::Tcp, tcp), (Transport::Udp, udp)] {
            assert_eq!(super::id(transport, end(a, ap), end(b, bp)), id);
            assert_eq!(super::id(transport, end(b, bp), end(a, ap)), id);
        }
        let echo = |kind, code| icmp_ports(Transport::Icmp, kind, code);
        let (s, d) = echo(8, 0);
        assert_eq!(
            super::id(Transport::Icmp, end("192.168.0.89", s), end("192.168.0.1", d)),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
        let (s, d) = echo(0, 0);
        assert_eq!(
            super::id(Transport::Icmp, end("192.168.0.1", s), end("192.168.0.89", d)),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
    }
}
