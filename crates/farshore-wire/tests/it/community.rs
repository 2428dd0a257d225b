//! Which packets are one flow: those that Community ID gives one name, by the values its authors publish (baseline of the
//! specification, version 1, seed 0).

use crate::build::{End, SYN, tcp, udp};
use crate::run::Tape;

/// Protocol, ends with ports (of ICMP: type and code, or type and the type that answers it), the id.
type Row = (u8, End, End, &'static str);

const ICMP6: [&str; 2] = ["fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea"];
const SITE: &str = "3ffe:507:0:1:200:86ff:fe05:80da";

const BASELINE: &[Row] = &[
    (58, End(ICMP6[0], 135), End(ICMP6[1], 136), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
    (58, End(ICMP6[1], 136), End(ICMP6[0], 135), "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
    (58, End(ICMP6[1], 135), End(ICMP6[0], 136), "1:zavyT/cezQr1fmImYCwYnMXbgck="),
    (58, End(ICMP6[0], 136), End(ICMP6[1], 135), "1:zavyT/cezQr1fmImYCwYnMXbgck="),
    (58, End("3ffe:501:1800:2345::2", 3), End(SITE, 0), "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="),
    (
        58,
        End("3ffe:501:410:0:2c0:dfff:fe47:33e", 1),
        End(SITE, 4),
        "1:hLZd0XGWojozrvxqE0dWB1iM6R0=",
    ),
    (58, End(SITE, 128), End("3ffe:501:0:1001::2", 129), "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="),
    (58, End("3ffe:501:0:1001::2", 129), End(SITE, 128), "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="),
    (58, End(ICMP6[0], 133), End("ff02::2", 134), "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="),
    (58, End(ICMP6[1], 134), End("ff02::1", 133), "1:pkvHqCL88/tg1k4cPigmZXUtL00="),
    (1, End("192.168.0.89", 8), End("192.168.0.1", 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    (1, End("192.168.0.1", 0), End("192.168.0.89", 8), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    (1, End("10.0.0.1", 11), End("10.0.0.2", 0), "1:YHxtAirCG//0OzkcVAukqKQN9xM="),
    (
        6,
        End("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
        End("2607:f8b0:400c:c03::1a", 25),
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
    (
        6,
        End("2607:f8b0:400c:c03::1a", 25),
        End("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
    (
        132,
        End("192.168.170.8", 7),
        End("192.168.170.56", 7),
        "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
    ),
    (
        132,
        End("192.168.170.56", 7),
        End("192.168.170.8", 7),
        "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
    ),
    (
        6,
        End("128.232.110.120", 34855),
        End("66.35.250.204", 80),
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    ),
    (
        6,
        End("66.35.250.204", 80),
        End("128.232.110.120", 34855),
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    ),
    (17, End("192.168.1.52", 54585), End("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (17, End("8.8.8.8", 53), End("192.168.1.52", 54585), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (46, End("10.1.12.1", 0), End("10.1.12.2", 0), "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
    (46, End("10.1.12.2", 0), End("10.1.12.1", 0), "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
];

/// The transport header of a row's packet.
fn body((protocol, from, to, _): &Row) -> Vec<u8> {
    match protocol {
        1 | 58 => {
            // Where the second port is the answering type, the code on the wire is zero.
            let one_way = [(58, 3), (58, 1), (1, 11)].contains(&(*protocol, from.1));
            let code = if one_way { to.1 as u8 } else { 0 };
            [from.1 as u8, code, 0, 0, 0, 0, 0, 0].to_vec()
        }
        6 => tcp(from.1, to.1, 1, 0, SYN, b""),
        17 => udp(from.1, to.1, b"x"),
        132 => [&[from.1, to.1].map(u16::to_be_bytes).concat()[..], &[0; 8]].concat(),
        _ => vec![0; 8],
    }
}

#[test]
fn packets_of_one_id_are_one_flow_and_others_are_not() {
    let mut tape = Tape::default();
    for row in BASELINE {
        tape.ip(0, row.1, row.2, row.0, &body(row));
    }
    let kept = tape.run();
    let mut ids: Vec<_> = BASELINE.iter().map(|row| row.3).collect();
    ids.dedup();
    assert_eq!(kept.flows.len(), ids.len());
    assert_eq!(
        kept.flows.iter().map(|it| it.up.frames + it.down.frames).sum::<u64>(),
        BASELINE.len() as u64
    );
}

#[test]
fn an_unanswerable_message_has_a_direction() {
    // Time exceeded, both ways between the same two machines: two flows.
    let (a, b) = (End("10.0.0.1", 11), End("10.0.0.2", 0));
    let message = [11, 0, 0, 0, 0, 0, 0, 0];
    let kept = Tape::default().ip(0, a, b, 1, &message).ip(1, b, a, 1, &message).run();
    assert_eq!(kept.flows.len(), 2);
}
