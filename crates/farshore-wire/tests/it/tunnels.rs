//! Tunnels: the same query in every one, found where it stands; and what only looks like one.

use farshore_model::{FlowId, Observation, Protection, Transport};
use farshore_wire::Limits;

use crate::build::{CLIENT, SERVER, dns_query, ethernet, ip, udp};
use crate::run::{Kept, Tape};

const NAME: &str = "inside.example";
const NEAR: &str = "203.0.113.1";
const FAR: &str = "203.0.113.2";
/// LLC and SNAP before IPv4.
const SNAP: &[u8] = &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
const SIX: [&str; 2] = ["2001:0:cb00:7101::1", "2001:db8::2"];

fn packet(from: &str, to: &str, protocol: u8, body: &[u8]) -> Vec<u8> {
    ip(from.parse().unwrap(), to.parse().unwrap(), protocol, body)
}

fn query(v6: bool) -> Vec<u8> {
    let [from, to] = if v6 { SIX } else { [CLIENT, SERVER] };
    packet(from, to, 17, &udp(50_000, 53, &dns_query(1, NAME)))
}

fn over_ip(protocol: u8, body: &[u8]) -> Vec<u8> {
    packet(NEAR, FAR, protocol, body)
}

fn over_udp(ports: [u16; 2], head: &[u8], inner: &[u8]) -> Vec<u8> {
    packet(NEAR, FAR, 17, &udp(ports[0], ports[1], &[head, inner].concat()))
}

fn gtp(flags: u8, options: &[u8], inner: &[u8]) -> Vec<u8> {
    let length = ((options.len() + inner.len()) as u16).to_be_bytes();
    over_udp([2152, 2152], &[&[flags, 255][..], &length, &[0, 0, 0, 7], options].concat(), inner)
}

/// Name as told, and the outer packet.
fn tunnels() -> Vec<(&'static str, Vec<u8>)> {
    let (four, six) = (query(false), query(true));
    let bridged = ethernet(0x0800, &four);
    let gre = |head: &[u8], inner: &[u8]| over_ip(47, &[head, inner].concat());
    let ppp = [&[0xff, 3, 0, 0x21][..], &four].concat();
    vec![
        ("ipv4", over_ip(4, &four)),
        ("ipv6", over_ip(41, &six)),
        ("ipv6", packet("2001:db8::a", "2001:db8::b", 41, &six)),
        ("ipv4", packet("2001:db8::a", "2001:db8::b", 4, &four)),
        ("etherip", over_ip(97, &[&[0x30, 0][..], &bridged].concat())),
        ("mpls", over_ip(137, &[&[0, 0, 0x11, 64][..], &four].concat())),
        ("gre", gre(&[0, 0, 8, 0], &four)),
        ("gre", gre(&[0, 0, 0x86, 0xdd], &six)),
        ("gre", gre(&[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], &four)),
        ("gre", gre(&[0x40, 0, 8, 0, 1, 2, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0], &four)),
        ("gre", gre(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 9], &bridged)),
        ("gre", gre(&[0, 0, 0x88, 0x47, 0, 0, 1, 64], &four)),
        ("gre", gre(&[0, 0, 0x88, 0x0b], &ppp)),
        ("gre", gre(&[0, 0, 0x88, 0x3e, 0, 0, 1, 2], &four)),
        ("gre", gre(&[0x30, 1, 0x88, 0x0b, 0, 50, 0, 1, 0, 0, 0, 1], &ppp)),
        ("gre", gre(&[0x30, 0x81, 0x88, 0x0b, 0, 50, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], &ppp)),
        ("erspan", gre(&[0, 0, 0x88, 0xbe], &bridged)),
        (
            "erspan",
            gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 0], &bridged),
        ),
        (
            "erspan",
            gre(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1][..], &[0; 8]].concat(), &bridged),
        ),
        (
            "erspan",
            gre(
                &[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1][..], &[0; 6], &[8, 1], &[5; 8]].concat(),
                &four,
            ),
        ),
        // From an access point of Aruba: 802.11, with quality, to its controller.
        ("gre", gre(&[&[0, 0, 0x82, 0, 0x88, 1][..], &[0; 24], SNAP].concat(), &four)),
        ("gre", over_udp([50_343, 4754], &[0, 0, 8, 0], &four)),
        ("gre", over_udp([50_343, 4754], &[0x20, 0, 0x65, 0x58, 0, 0, 0, 9], &bridged)),
        (
            "ayiya",
            over_udp([50_000, 5072], &[&[0x41, 0x52, 0x11, 41, 0, 0, 0, 1][..], &[7; 36]].concat(), &six),
        ),
        // 802.11 behind a word of its own, as sent, and with the control field turned and the number of a fragment; and Ethernet.
        (
            "capwap",
            over_udp(
                [40_000, 5247],
                &[&[0, 0x18, 3, 0x20][..], &[0; 8], &[8, 1], &[0; 22], SNAP].concat(),
                &four,
            ),
        ),
        (
            "capwap",
            over_udp(
                [5247, 40_000],
                &[&[0, 0x18, 3, 0x20][..], &[0; 8], &[2, 8], &[0; 20], &[0x76, 0x30], SNAP].concat(),
                &four,
            ),
        ),
        ("capwap", over_udp([40_000, 5247], &[0, 0x10, 2, 0, 0, 0, 0, 0], &bridged)),
        ("vxlan", over_udp([40_000, 4789], &[8, 0, 0, 0, 0, 0, 42, 0], &bridged)),
        (
            "geneve",
            over_udp([40_000, 6081], &[1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 4], &bridged),
        ),
        ("vxlan-gpe", over_udp([40_000, 4790], &[0x0c, 0, 0, 1, 0, 0, 42, 0], &four)),
        ("vxlan-gpe", over_udp([40_000, 4790], &[0x0c, 0, 0, 3, 0, 0, 42, 0], &bridged)),
        // With a network service header between, and its context.
        (
            "vxlan-gpe",
            over_udp(
                [40_000, 4790],
                &[0x0c, 0, 0, 4, 0, 0, 42, 0, 0x0f, 0xc3, 2, 2, 0, 0, 1, 255, 9, 9, 9, 9],
                &six,
            ),
        ),
        ("mpls", over_udp([50_000, 6635], &[0, 1, 0, 64, 0, 2, 1, 64], &four)),
        ("lisp", over_udp([61_441, 4341], &[0x80, 0, 0, 1, 0, 0, 0, 1], &six)),
        ("tzsp", over_udp([40_000, 37_008], &[1, 0, 0, 1, 10, 1, 0xc5, 0, 1], &bridged)),
        ("geneve", over_udp([40_000, 6081], &[0, 0, 0x08, 0, 0, 0, 42, 0], &four)),
        ("gtp-u", gtp(0x30, &[], &four)),
        ("gtp-u", gtp(0x32, &[0, 1, 0, 0], &six)),
        ("gtp-u", gtp(0x34, &[0, 0, 0, 0x85, 1, 16, 9, 0x85, 1, 0, 9, 0], &four)),
        ("teredo", over_udp([50_001, 3544], &[], &six)),
        ("teredo", over_udp([3544, 50_001], &[0, 0, 1, 2, 3, 4, 5, 6], &six)),
        (
            "teredo",
            over_udp(
                [50_001, 3544],
                &[&[0, 1, 2, 1, 7, 7, 7][..], &[9; 9], &[0, 0, 1, 2, 3, 4, 5, 6]].concat(),
                &six,
            ),
        ),
        ("teredo", over_udp([50_001, 50_002], &[], &six)),
        ("l2tp", over_udp([1701, 1701], &[0, 2, 0, 1, 0, 2], &ppp)),
        (
            "l2tp",
            over_udp([1701, 1701], &[0x4a, 2, 0, 60, 0, 1, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0], &ppp),
        ),
    ]
}

fn frame_of(outer: &[u8]) -> Vec<u8> {
    ethernet(if outer[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, outer)
}

fn run(frames: &[Vec<u8>]) -> Kept {
    let mut tape = Tape::default();
    for (at, bytes) in (0..).zip(frames) {
        tape.frame(at, bytes.clone());
    }
    tape.run()
}

fn asks(kept: &Kept) -> Vec<(u32, u64, u64)> {
    let asked = kept.facts.iter().filter(|it| matches!(it.what, Observation::NameAsked { .. }));
    asked.map(|it| (it.flow.0, it.locus.span.frame, it.locus.span.offset)).collect()
}

#[test]
fn the_query_is_found_where_it_stands_in_every_tunnel() {
    for (at, (name, outer)) in tunnels().into_iter().enumerate() {
        let bytes = frame_of(&outer);
        let kept = run(&[bytes.clone(), bytes.clone()]);
        let what = format!("{name}, number {at}");
        assert_eq!(kept.flows.len(), 2, "{what}: {:?}", kept.coverage);
        let (tunnel, inner) = (&kept.flows[0], &kept.flows[1]);
        assert_eq!((&*tunnel.protocols, tunnel.inside), (&[name][..], None), "{what}");
        assert_eq!(tunnel.protection, Protection::Plaintext, "{what}");
        assert_eq!((&*inner.protocols, inner.inside), (&["dns"][..], Some(FlowId(0))), "{what}");
        assert_eq!((inner.transport, inner.server.port), (Transport::Udp, 53), "{what}");
        assert_eq!(
            (tunnel.up.frames + tunnel.down.frames, inner.up.frames),
            (2, 2),
            "{what}: each counts its frames"
        );
        assert_eq!(inner.up.bytes, 2 * bytes.len() as u64, "{what}");
        assert_eq!((kept.coverage.frames.decoded, kept.coverage.frames.stopped), (2, 0), "{what}");
        let label = [&[6][..], b"inside", &[7], b"example"].concat();
        let stands = bytes.windows(label.len()).position(|it| it == label).unwrap() as u64 + 1;
        assert_eq!(asks(&kept), [(1, 1, stands), (1, 2, stands)], "{what}");
        let outer = if tunnel.transport == Transport::Udp { "udp" } else { "ip" };
        assert_eq!(*kept.facts[0].locus.layers, [outer, name, "udp", "dns"], "{what}");
    }
}

#[test]
fn a_port_alone_makes_no_tunnel() {
    let noise: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(151) ^ 0x5a).collect();
    for port in [4789, 8472, 6081, 2152, 3544, 1701, 4754, 5072, 5247] {
        for cut in 0..noise.len() {
            let kept = run(&[frame_of(&over_udp([50_000, port], &[], &noise[..cut]))]);
            assert_eq!(kept.flows.len(), 1, "{port}, {cut}");
            assert!(kept.flows[0].protocols.is_empty(), "{port}, {cut}");
        }
    }
    // An inner packet longer than its tunnel's.
    let longer = {
        let mut inner = query(false);
        inner[2..4].copy_from_slice(&900_u16.to_be_bytes());
        inner
    };
    for outer in [
        gtp(0x30, &[], &longer),
        over_udp([40_000, 4789], &[8, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &longer)),
        over_ip(4, &longer),
    ] {
        assert_eq!(run(&[frame_of(&outer)]).flows.len(), 1);
    }
    // VXLAN without its flag, GENEVE of another version, GTP that is signalling, an address outside Teredo's prefix.
    for outer in [
        over_udp([40_000, 4789], &[0, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &query(false))),
        over_udp([40_000, 6081], &[0x40, 0, 0x08, 0, 0, 0, 42, 0], &query(false)),
        over_udp([2152, 2152], &[0x30, 1, 0, 4, 0, 0, 0, 0], &query(false)),
        over_udp([50_001, 50_002], &[], &packet("2001:db8::1", "2001:db8::2", 17, &udp(1, 53, b"?"))),
    ] {
        assert_eq!(run(&[frame_of(&outer)]).flows.len(), 1);
    }
}

/// What is sealed by IP's own word is named, stays opaque, and opens no flow inside; what is only signed does.
#[test]
fn a_sealed_carrier_is_named_and_a_signed_one_is_read() {
    let sealed = [&[0x23, 0x60, 0xb0, 0xe3, 0, 0, 0, 1][..], &query(false)].concat();
    let kept = run(&[frame_of(&over_ip(50, &sealed)), frame_of(&packet(FAR, NEAR, 50, &sealed))]);
    assert_eq!(kept.flows.len(), 1);
    let flow = &kept.flows[0];
    assert_eq!((&*flow.protocols, flow.protection), (&["esp"][..], Protection::Opaque));
    assert_eq!((flow.transport, flow.up.frames, flow.down.frames), (Transport::Other(50), 1, 1));
    assert!(asks(&kept).is_empty());

    // The authentication header: what follows, its length, twelve bytes of check (RFC 4302).
    let signed = |next| [&[next, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1][..], &[0xd1; 12]].concat();
    let inner = query(false);
    let kept = run(&[
        frame_of(&over_ip(51, &[signed(17), udp(50_000, 53, &dns_query(1, NAME))].concat())),
        frame_of(&over_ip(51, &[signed(4), inner].concat())),
    ]);
    assert_eq!(asks(&kept).len(), 2);
    assert_eq!(kept.flows.iter().filter(|it| *it.protocols == ["dns"]).count(), 2);
}

#[test]
fn both_ways_through_different_ports_are_one_flow_inside_and_another_network_is_another() {
    let inner = |up: bool| {
        let (from, to, ports) = if up {
            (CLIENT, SERVER, (50_000, 53))
        } else {
            (SERVER, CLIENT, (53, 50_000))
        };
        ethernet(0x0800, &packet(from, to, 17, &udp(ports.0, ports.1, &dns_query(1, NAME))))
    };
    let vxlan = |network: u8, port, up| frame_of(&over_udp([port, 4789], &[8, 0, 0, 0, 0, 0, network, 0], &inner(up)));
    let kept = run(&[vxlan(1, 40_000, true), vxlan(1, 40_001, false), vxlan(2, 40_000, true)]);
    let ends: Vec<(Option<FlowId>, u16, u64)> = kept
        .flows
        .iter()
        .map(|it| (it.inside, it.server.port, it.up.frames + it.down.frames))
        .collect();
    let tunnel = |frames| (None, 4789, frames);
    assert_eq!(
        ends,
        [tunnel(2), (Some(FlowId(0)), 53, 2), tunnel(1), (Some(FlowId(0)), 53, 1)],
        "a reply in a tunnel of other ports joins its query; the same addresses in network 2 do not"
    );
}

#[test]
fn nesting_ends_at_the_limit_and_says_so() {
    let nested = |times: usize| (0..times).fold(query(false), |inner, _| over_ip(4, &inner));
    for (times, limit, seen) in [
        (3, 16, 4),
        (16, 16, 17),
        (17, 16, 17),
        (40, 16, 17),
        (3, 2, 3),
        (1, 0, 1),
        (200, 100_000, 129),
    ] {
        let mut tape = Tape::default();
        tape.frame(0, frame_of(&nested(times)));
        let kept = tape.run_with(Limits {
            encapsulations: limit,
            ..Limits::default()
        });
        let what = format!("{times} in {limit}");
        assert_eq!(kept.flows.len(), seen, "{what}");
        let inside: Vec<Option<u32>> = kept.flows.iter().map(|it| it.inside.map(|it| it.0)).collect();
        let expected: Vec<Option<u32>> = (0..seen as u32).map(|at| at.checked_sub(1)).collect();
        assert_eq!(inside, expected, "{what}");
        let whole = seen == times + 1;
        assert_eq!(kept.coverage.frames.decoded == 1, whole, "{what}");
        assert_eq!(kept.coverage.stops.contains_key("nested deeper than the limit"), !whole, "{what}");
        assert_eq!(asks(&kept).len(), usize::from(whole), "{what}");
    }
}

/// Every byte of every header is flipped and every frame cut: nothing panics, and all frames are accounted for.
#[test]
fn damage_is_survived() {
    for (name, outer) in tunnels() {
        let whole = frame_of(&outer);
        let mut frames = Vec::new();
        for cut in 14..=whole.len() {
            frames.push(whole[..cut].to_vec());
        }
        for at in 0..whole.len() {
            for flip in [0x01, 0x10, 0x40, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                frames.push(bytes);
            }
        }
        let kept = run(&frames);
        let seen = &kept.coverage.frames;
        assert_eq!(seen.decoded + seen.stopped, frames.len() as u64, "{name}");
        assert!(kept.anomalies.iter().all(|it| it.kind != "reader-fault"), "{name}");
    }
}
