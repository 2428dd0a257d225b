//! Link headers beyond Ethernet's: serial lines, label stacks, the air, and what capturing machines put in front.

use farshore_model::LinkType;
use farshore_wire::packet::{AppName, Reason};

use crate::build::{CLIENT, SERVER, dns_query, ethernet, ip, udp};
use crate::run::{Kept, decode, frame};
use farshore_wire::{Engine, Limits};

/// Header, and the IP version behind it.
pub type Header = (&'static str, LinkType, Vec<u8>, bool);

fn pktap(link: u32, name: &[u8], effective: &[u8], big: bool) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut out = vec![0; 108];
    out[..4].copy_from_slice(&word(108));
    out[4..8].copy_from_slice(&word(1));
    out[8..12].copy_from_slice(&word(link));
    out[56..56 + name.len()].copy_from_slice(name);
    out[88..88 + effective.len()].copy_from_slice(effective);
    out
}

fn on_ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    ethernet(kind, rest)
}

/// 802.11 to the end of its header, then SNAP.
fn air(control: [u8; 2], length: usize, kind: [u8; 2]) -> Vec<u8> {
    let mut out = vec![0; length];
    out[..2].copy_from_slice(&control);
    out.extend([0xaa, 0xaa, 3, 0, 0, 0]);
    out.extend(kind);
    out
}

fn radiotap(present: u32, fields: &[u8]) -> Vec<u8> {
    let length = 8 + fields.len() as u16;
    [&[0, 0][..], &length.to_le_bytes(), &present.to_le_bytes(), fields].concat()
}

pub fn headers() -> Vec<Header> {
    let (ppp, chdlc, relay, air_link, tap) = (LinkType(9), LinkType(104), LinkType(107), LinkType(105), LinkType(127));
    let label = |bottom: u8| [0, 1, 0x60 | bottom, 64];
    let plain = air([0x08, 1], 24, [8, 0]);
    vec![
        ("raw IP as BSD wrote it", LinkType(12), vec![], false),
        ("raw IP as OpenBSD wrote it", LinkType(14), vec![], true),
        ("PPP", ppp, vec![0, 0x21], false),
        ("PPP with address and control", ppp, vec![0xff, 3, 0, 0x57], true),
        ("PPP, short", ppp, vec![0x21], false),
        ("PPP, HDLC-like", LinkType(50), vec![0xff, 3, 0, 0x21], false),
        ("PPP after a direction", LinkType(204), vec![1, 0xff, 3, 0, 0x21], false),
        ("LLC alone", LinkType(11), vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0], false),
        (
            "SunATM",
            LinkType(123),
            vec![2, 5, 0, 0x21, 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd],
            true,
        ),
        (
            "FDDI",
            LinkType(10),
            [&[2; 13][..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
            false,
        ),
        (
            "token ring",
            LinkType(6),
            [&[2; 14][..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
            false,
        ),
        (
            "token ring with a route",
            LinkType(6),
            [&[2; 8][..], &[0x82; 6], &[6, 0, 1, 1, 1, 2], &[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd]].concat(),
            true,
        ),
        (
            "Prism",
            LinkType(119),
            [&[0x44, 0, 0, 0, 144, 0, 0, 0][..], &[0; 136], &plain].concat(),
            false,
        ),
        (
            "AVS",
            LinkType(163),
            [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56], &plain].concat(),
            false,
        ),
        (
            "AVS by the number of Prism",
            LinkType(119),
            [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56], &plain].concat(),
            false,
        ),
        ("the log of BSD's filter", LinkType(117), [&[61, 2][..], &[0; 62]].concat(), false),
        ("the same of IPv6", LinkType(117), [&[100, 24][..], &[0; 98]].concat(), true),
        ("BSD's IPsec", LinkType(109), vec![2, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0], false),
        (
            "BSD's IPsec, big-endian",
            LinkType(109),
            vec![0, 0, 0, 28, 1, 2, 3, 4, 0, 0, 0, 0],
            true,
        ),
        ("Solaris", LinkType(226), [&[2, 26][..], &[0; 22]].concat(), true),
        ("PPPoE alone", LinkType(51), vec![0x11, 0, 0, 1, 0, 60, 0, 0x21], false),
        (
            "PPPoE",
            LinkType::ETHERNET,
            on_ethernet(0x8864, &[0x11, 0, 0, 1, 0, 60, 0, 0x57]),
            true,
        ),
        ("PPP of labels", ppp, [&[0x02, 0x81][..], &label(1)].concat(), false),
        ("Cisco HDLC", chdlc, vec![0x0f, 0, 8, 0], false),
        ("Cisco HDLC on a serial line", LinkType(50), vec![0x8f, 0, 0x86, 0xdd], true),
        ("frame relay", relay, vec![0x18, 0x41, 3, 0xcc], false),
        ("frame relay, IPv6, padded", relay, vec![0x18, 0x41, 3, 0, 0x8e], true),
        ("frame relay, SNAP", relay, vec![0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], false),
        ("frame relay, Cisco", relay, vec![0x18, 0x41, 8, 0], false),
        ("frame relay, long address", relay, vec![0x18, 0x40, 0x40, 0x01, 3, 0xcc], false),
        (
            "frame relay, bridged",
            relay,
            [&[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7][..], &on_ethernet(0x0800, &[])].concat(),
            false,
        ),
        (
            "tagged with a security group",
            LinkType::ETHERNET,
            on_ethernet(0x8909, &[1, 1, 0, 1, 0, 2, 0x81, 0, 0, 7, 0x86, 0xdd]),
            true,
        ),
        (
            "tagged with a virtual interface",
            LinkType::ETHERNET,
            on_ethernet(0x8926, &[0, 0, 0, 0x33, 0x81, 0, 0, 250, 8, 0]),
            false,
        ),
        (
            "tagged by a port extender",
            LinkType::ETHERNET,
            on_ethernet(0x893f, &[0, 0, 0, 1, 0, 0, 8, 0]),
            false,
        ),
        (
            "MAC in MAC",
            LinkType::ETHERNET,
            on_ethernet(0x88e7, &[&[0, 0, 0, 1][..], &on_ethernet(0x86dd, &[])].concat()),
            true,
        ),
        ("loopback with an EtherType", LinkType(0), vec![0, 0, 8, 0], false),
        (
            "loopback with an EtherType, the other way",
            LinkType(0),
            vec![0xdd, 0x86, 0, 0],
            true,
        ),
        ("a label", LinkType::ETHERNET, on_ethernet(0x8847, &label(1)), false),
        (
            "labels",
            LinkType::ETHERNET,
            on_ethernet(0x8848, &[label(0), label(0), label(1)].concat()),
            true,
        ),
        (
            "pseudowire",
            LinkType::ETHERNET,
            on_ethernet(0x8847, &[&label(1)[..], &on_ethernet(0x0800, &[])].concat()),
            false,
        ),
        (
            "pseudowire with control word",
            LinkType::ETHERNET,
            on_ethernet(0x8847, &[&label(1)[..], &[0, 0, 0, 9], &on_ethernet(0x86dd, &[])].concat()),
            true,
        ),
        ("802.11", air_link, plain.clone(), false),
        ("802.11 with quality", air_link, air([0x88, 2], 26, [0x86, 0xdd]), true),
        ("802.11 with quality and control", air_link, air([0x88, 0x82], 30, [8, 0]), false),
        ("802.11 between access points", air_link, air([0x08, 3], 30, [8, 0]), false),
        ("radiotap", tap, [radiotap(0, &[]), plain.clone()].concat(), false),
        // Clock on a multiple of eight, then flags: the header is padded to 28.
        (
            "radiotap with clock and flags",
            tap,
            [radiotap(3, &[&[0; 8][..], &[0x20]].concat()), air([0x88, 2], 28, [8, 0])].concat(),
            false,
        ),
        (
            "PPI",
            LinkType(192),
            [&[0, 0, 12, 0, 1, 0, 0, 0, 7, 7, 7, 7][..], &on_ethernet(0x0800, &[])].concat(),
            false,
        ),
        (
            "NFLOG",
            LinkType(239),
            vec![2, 0, 0, 5, 7, 0, 10, 0, b'l', b'o', 0, 0, 64, 0, 9, 0],
            false,
        ),
        (
            "NFLOG, big-endian",
            LinkType(239),
            vec![10, 0, 0, 5, 0, 8, 0, 1, 0x86, 0xdd, 3, 0, 0, 64, 0, 9],
            true,
        ),
        (
            "PKTAP",
            LinkType(258),
            [pktap(1, b"app", b"", false), on_ethernet(0x0800, &[])].concat(),
            false,
        ),
        ("PKTAP, raw, big-endian", LinkType(258), pktap(12, b"app", b"", true), true),
    ]
}

#[test]
fn the_capturing_machine_names_the_app() {
    let datagram = ip(
        CLIENT.parse().unwrap(),
        SERVER.parse().unwrap(),
        17,
        &udp(1, 53, &dns_query(1, "a.example")),
    );
    let via = |name: &'static [u8], via| Some(AppName { name, via });
    for (name, effective, told) in [
        (&b"browser"[..], &b""[..], via(b"browser", "pktap")),
        (b"helper", b"browser", via(b"browser", "pktap")),
        (b"", b"", None),
    ] {
        let bytes = [&pktap(12, name, effective, false)[..], &datagram].concat();
        assert_eq!(decode(LinkType(258), &bytes).app, told);
    }
    let trailer = |name: &[u8]| {
        let mut out = vec![1, 7, 0x20, 0x21, 0, 0, 0x27, 0x10];
        out.extend(name);
        out.resize(32, 0);
        out
    };
    let with = |rest: &[u8]| [&on_ethernet(0x0800, &datagram)[..], rest].concat();
    let bytes = with(&[&[0, 0][..], &trailer(b"Mail")].concat());
    assert_eq!(decode(LinkType::ETHERNET, &bytes).app, via(b"Mail", "pcapdroid"));
    // A name that fills its room; no name; no trailer but padding; a trailer's bytes inside the datagram.
    let bytes = with(&trailer(b"twenty bytes exactly"));
    assert_eq!(decode(LinkType::ETHERNET, &bytes).app, via(b"twenty bytes exactly", "pcapdroid"));
    assert_eq!(decode(LinkType::ETHERNET, &with(&trailer(b""))).app, None);
    assert_eq!(decode(LinkType::ETHERNET, &with(&[0; 40])).app, None);
    let inside = ip(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), 17, &udp(1, 2, &trailer(b"Mail")));
    assert_eq!(decode(LinkType::ETHERNET, &on_ethernet(0x0800, &inside)).app, None);

    let mut kept = Kept::default();
    let mut engine = Engine::new(Limits::default());
    let named = with(&trailer(b"\x1b[1mMail\xff"));
    for (number, bytes) in [(1, &on_ethernet(0x0800, &datagram)), (2, &named)] {
        engine.frame(&frame(number, 0, LinkType::ETHERNET, bytes), &mut kept);
    }
    engine.finish(&mut kept);
    let app = kept.flows[0].app().unwrap();
    assert_eq!((app.name.as_str(), app.via), ("\x1b[1mMail\\xff", "pcapdroid"));
}

#[test]
fn what_leads_nowhere_says_why() {
    let reason = |link, bytes: &[u8]| decode(LinkType(link), bytes).stop.unwrap();
    assert_eq!(reason(9, &[0xff, 3, 0xc0, 0x21, 1, 1, 0, 4]), Reason::NotPpp(0xc021));
    assert_eq!(
        reason(1, &on_ethernet(0x8863, &[0x11, 9, 0, 0, 0, 0])),
        Reason::NotIp(0x8863),
        "discovery"
    );
    assert!(matches!(
        reason(1, &on_ethernet(0x8864, &[0x11, 0xa7, 0, 0, 0, 0, 0, 0x21])),
        Reason::Stop(_)
    ));
    assert_eq!(reason(105, &air([0x08, 0x41], 24, [8, 0])), Reason::Encrypted("802.11"));
    for control in [0x80, 0x40, 0xd4, 0x48, 0xc8] {
        assert!(
            matches!(reason(105, &air([control, 0], 26, [8, 0])), Reason::NotData(_)),
            "{control:x}"
        );
    }
    let mut later = air([0x08, 1], 24, [8, 0]);
    later[22] = 1;
    assert_eq!(reason(105, &later), Reason::Fragment);
    assert_eq!(
        reason(1, &on_ethernet(0x8847, &[&[0, 0, 1, 64, 0x10, 0, 0, 7][..], &[0; 20]].concat())),
        Reason::NotData("MPLS associated channel")
    );
    assert_eq!(
        reason(1, &on_ethernet(0x8847, &[[0, 0, 0, 64]; 40].concat())),
        Reason::Nesting,
        "labels without end"
    );
    // A tap in a tap in a tap.
    let taps: Vec<u8> = (0..200).flat_map(|_| pktap(258, b"app", b"", false)).collect();
    assert_eq!(reason(258, &taps), Reason::Nesting);
    assert!(matches!(reason(258, &[107, 0, 0, 0]), Reason::Stop(_)));
    assert!(matches!(reason(239, &[2, 0, 0, 5, 3, 0, 10, 0]), Reason::Stop(_)));
}

/// Every byte of every header is flipped and every frame cut: nothing panics, and no payload lies outside its frame.
#[test]
fn damage_is_survived() {
    for (name, link, header, v6) in headers() {
        let (from, to) = if v6 { ("2001:db8::1", "2001:db8::2") } else { (CLIENT, SERVER) };
        let datagram = ip(from.parse().unwrap(), to.parse().unwrap(), 17, &udp(1, 2, b"what is carried"));
        let whole = [&header[..], &datagram].concat();
        for cut in 0..=whole.len() {
            for at in 0..cut {
                for flip in [0x01, 0x04, 0x40, 0x80, 0xff] {
                    let mut bytes = whole[..cut].to_vec();
                    bytes[at] ^= flip;
                    let packet = decode(link, &bytes);
                    let end = packet.payload_offset + packet.payload.len();
                    assert!(
                        packet.payload.is_empty() || bytes[packet.payload_offset..end] == *packet.payload,
                        "{name}"
                    );
                }
            }
        }
    }
}
