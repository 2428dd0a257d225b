//! Community ID v1: a flow's name across tools.
//!
//! Specification: <https://github.com/corelight/community-id-spec>. Seed 0, base64, ICMP types mapped to ports. It is worked
//! out when it is shown: few of many flows are.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use farshore_model::{Endpoint, Transport};
use sha1::{Digest, Sha1};

/// The Community ID of a flow, whichever way it is looked at.
pub fn id(transport: Transport, a: Endpoint, b: Endpoint) -> String {
    let (first, second) = if transport.is_one_way(a.port) || (a.ip, a.port) <= (b.ip, b.port) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Protocol, ends with ports (of ICMP: type and code, or type and the type that answers it), the id.
    type Row = (u8, (&'static str, u16), (&'static str, u16), &'static str);

    const ICMP6: [&str; 2] = ["fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea"];
    const SITE: &str = "3ffe:507:0:1:200:86ff:fe05:80da";

    const BASELINE: &[Row] = &[
        (58, (ICMP6[0], 135), (ICMP6[1], 136), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (58, (ICMP6[1], 136), (ICMP6[0], 135), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (58, (ICMP6[1], 135), (ICMP6[0], 136), "1:zavyT/cezQr1fmImYCwYnMXbgck="),
        (58, (ICMP6[0], 136), (ICMP6[1], 135), "1:zavyT/cezQr1fmImYCwYnMXbgck="),
        (58, ("3ffe:501:1800:2345::2", 3), (SITE, 0), "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="),
        (
            58,
            ("3ffe:501:410:0:2c0:dfff:fe47:33e", 1),
            (SITE, 4),
            "1:hLZd0XGWojozrvxqE0dWB1iM6R0=",
        ),
        (58, (SITE, 128), ("3ffe:501:0:1001::2", 129), "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="),
        (58, ("3ffe:501:0:1001::2", 129), (SITE, 128), "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="),
        (58, (ICMP6[0], 133), ("ff02::2", 134), "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="),
        (58, (ICMP6[1], 134), ("ff02::1", 133), "1:pkvHqCL88/tg1k4cPigmZXUtL00="),
        (1, ("192.168.0.89", 8), ("192.168.0.1", 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, ("192.168.0.1", 0), ("192.168.0.89", 8), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, ("10.0.0.1", 11), ("10.0.0.2", 0), "1:YHxtAirCG//0OzkcVAukqKQN9xM="),
        (
            6,
            ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
            ("2607:f8b0:400c:c03::1a", 25),
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
        (
            6,
            ("2607:f8b0:400c:c03::1a", 25),
            ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
        (132, ("192.168.170.8", 7), ("192.168.170.56", 7), "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (132, ("192.168.170.56", 7), ("192.168.170.8", 7), "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (
            6,
            ("128.232.110.120", 34855),
            ("66.35.250.204", 80),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        ),
        (
            6,
            ("66.35.250.204", 80),
            ("128.232.110.120", 34855),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        ),
        (17, ("192.168.1.52", 54585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (17, ("8.8.8.8", 53), ("192.168.1.52", 54585), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (46, ("10.1.12.1", 0), ("10.1.12.2", 0), "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
        (46, ("10.1.12.2", 0), ("10.1.12.1", 0), "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
    ];

    /// The values its authors publish: baseline of the specification, version 1, seed 0.
    #[test]
    fn the_published_values() {
        for (protocol, from, to, expected) in BASELINE {
            let transport = match protocol {
                1 => Transport::Icmp,
                6 => Transport::Tcp,
                17 => Transport::Udp,
                58 => Transport::Icmp6,
                other => Transport::Other(*other),
            };
            let [from, to] = [from, to].map(|(ip, port)| Endpoint {
                ip: ip.parse().unwrap(),
                port: *port,
            });
            assert_eq!(id(transport, from, to), *expected, "protocol {protocol} from {from:?} to {to:?}");
        }
    }
}
