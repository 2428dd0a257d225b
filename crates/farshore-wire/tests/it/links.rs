//! Every link header that is read, with the same datagram behind it; and those that lead nowhere.

use farshore_model::LinkType;
use farshore_wire::Limits;
use farshore_wire::packet::{Packet, Reason};

use crate::build::{CLIENT, SERVER, ethernet, ip, udp};
use crate::run::{decode, frame};

const PAYLOAD: &[u8] = b"what is carried";
const V6: [&str; 2] = ["2001:db8::1", "2001:db8::2"];

fn datagram(v6: bool) -> Vec<u8> {
    let (from, to) = if v6 { (V6[0], V6[1]) } else { (CLIENT, SERVER) };
    ip(from.parse().unwrap(), to.parse().unwrap(), 17, &udp(1_111, 2_222, PAYLOAD))
}

/// Link headers by name: link type, header, and the IP version behind it.
fn headers() -> Vec<(&'static str, LinkType, Vec<u8>, bool)> {
    let ethernet = |rest: &[u8]| [&[0x02; 12][..], rest].concat();
    let cooked = |rest: &[u8]| [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0][..], rest].concat();
    let cooked2 = |kind: [u8; 2]| [&kind[..], &[0; 18]].concat();
    let length = (datagram(false).len() as u16 + 8).to_be_bytes();
    let mut all = vec![
        ("Ethernet, IPv4", LinkType::ETHERNET, ethernet(&[8, 0]), false),
        ("Ethernet, IPv6", LinkType::ETHERNET, ethernet(&[0x86, 0xdd]), true),
        ("802.1Q", LinkType::ETHERNET, ethernet(&[0x81, 0, 0x60, 5, 8, 0]), false),
        (
            "802.1ad",
            LinkType::ETHERNET,
            ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd]),
            true,
        ),
        (
            "QinQ of before",
            LinkType::ETHERNET,
            ethernet(&[0x91, 0, 0, 5, 0x81, 0, 0, 6, 8, 0]),
            false,
        ),
        (
            "802.3 with SNAP",
            LinkType::ETHERNET,
            [ethernet(&length), vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
            false,
        ),
        (
            "802.3 with LLC",
            LinkType::ETHERNET,
            [ethernet(&length), vec![6, 6, 3]].concat(),
            false,
        ),
        (
            "tagged SNAP",
            LinkType::ETHERNET,
            [ethernet(&[0x81, 0, 0, 5]), length.to_vec(), vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
            false,
        ),
        ("cooked, IPv4", LinkType::LINUX_SLL, cooked(&[8, 0]), false),
        ("cooked, IPv6", LinkType::LINUX_SLL, cooked(&[0x86, 0xdd]), true),
        ("cooked with a tag", LinkType::LINUX_SLL, cooked(&[0x81, 0, 0, 5, 8, 0]), false),
        ("cooked 2, IPv4", LinkType::LINUX_SLL2, cooked2([8, 0]), false),
        ("cooked 2, IPv6", LinkType::LINUX_SLL2, cooked2([0x86, 0xdd]), true),
        ("null, little-endian", LinkType::NULL, vec![2, 0, 0, 0], false),
        ("null, big-endian", LinkType::NULL, vec![0, 0, 0, 2], false),
        ("loop, IPv4", LinkType::LOOP, vec![0, 0, 0, 2], false),
        ("raw, IPv4", LinkType::RAW, vec![], false),
        ("raw, IPv6", LinkType::RAW, vec![], true),
        ("IPv4 alone", LinkType::IPV4, vec![], false),
        ("IPv6 alone", LinkType::IPV6, vec![], true),
        // The link says one version, the first nibble the other: the nibble is what machines go by.
        ("mislabelled", LinkType::ETHERNET, ethernet(&[8, 0]), true),
    ];
    all.extend(crate::other_links::headers());
    // AF_INET6 of NetBSD, FreeBSD, macOS and Linux.
    for family in [24, 28, 30, 10] {
        all.push(("null, IPv6", LinkType::NULL, vec![family, 0, 0, 0], true));
        all.push(("null, IPv6, big-endian", LinkType::NULL, vec![0, 0, 0, family], true));
        all.push(("loop, IPv6", LinkType::LOOP, vec![0, 0, 0, family], true));
    }
    all
}

#[test]
fn the_same_datagram_behind_every_header() {
    for (name, link, header, v6) in headers() {
        let bytes = [header.clone(), datagram(v6)].concat();
        let packet = decode(link, &bytes);
        assert_eq!(packet.stop, None, "{name}");
        let (source, transport) = (packet.ip.unwrap(), packet.transport.unwrap());
        assert_eq!((source.source.is_ipv6(), source.ttl, source.protocol), (v6, 64, 17), "{name}");
        assert_eq!((transport.source, transport.destination), (1_111, 2_222), "{name}");
        let behind = header.len() + if v6 { 48 } else { 28 };
        assert_eq!(
            (packet.payload, packet.payload_offset, packet.payload_missing),
            (PAYLOAD, behind, 0),
            "{name}"
        );
    }
}

#[test]
fn every_cut_stops_where_it_is_and_keeps_what_was_read() {
    for (name, link, header, v6) in headers() {
        let whole = [header.clone(), datagram(v6)].concat();
        for cut in 0..whole.len() {
            let mut it = frame(1, 0, link, &whole[..cut]);
            it.wire_length = whole.len() as u32;
            let packet = Packet::decode(&it, &Limits::default());
            let behind = header.len() + if v6 { 48 } else { 28 };
            if cut < behind {
                assert!(packet.stop.is_some() && packet.payload.is_empty(), "{name} at {cut}");
            } else {
                assert_eq!(packet.stop, None, "{name} at {cut}");
                assert_eq!(packet.payload, &PAYLOAD[..cut - behind], "{name} at {cut}");
                assert_eq!(packet.payload_missing, whole.len() - cut, "{name} at {cut}");
            }
            assert_eq!(packet.ip.is_some(), cut >= behind - 8, "{name} at {cut}");
            assert_eq!(packet.transport.is_some(), cut >= behind - 4, "{name} at {cut}: ports come first");
        }
    }
}

#[test]
fn what_holds_no_ip_says_so() {
    let reason = |link, bytes: &[u8]| decode(link, bytes).stop.unwrap();
    assert_eq!(reason(LinkType::ETHERNET, &ethernet(0x0806, &[0; 28])), Reason::NotIp(0x0806));
    assert_eq!(reason(LinkType::ETHERNET, &ethernet(0x88cc, &[0; 28])), Reason::NotIp(0x88cc));
    assert_eq!(reason(LinkType::ETHERNET, &ethernet(38, &[0x42, 0x42, 3, 0, 0])), Reason::NotIp(38));
    assert_eq!(
        reason(LinkType::LINUX_SLL2, &[[0x08, 0x06].as_slice(), &[0; 40]].concat()),
        Reason::NotIp(0x0806)
    );
    assert_eq!(reason(LinkType(147), &[0; 60]), Reason::Link(147));
    assert_eq!(reason(LinkType(u32::MAX), &[]), Reason::Link(u32::MAX));
    assert!(matches!(reason(LinkType::NULL, &[9, 9, 9, 9]), Reason::Stop(_)));
    assert!(matches!(reason(LinkType::RAW, &[0x50; 40]), Reason::Stop(_)));
    // Tags upon tags upon tags.
    let tags: Vec<u8> = [0x81, 0, 0, 1].iter().copied().cycle().take(4 * 40).collect();
    let deep = [&[2; 12][..], &tags, &[8, 0], &datagram(false)].concat();
    assert_eq!(reason(LinkType::ETHERNET, &deep), Reason::Nesting);
}

#[test]
fn each_reason_is_told_in_words() {
    for (link, bytes, words) in [
        (LinkType::ETHERNET, ethernet(0x0806, &[0; 28]), "no IP inside (EtherType 0x0806)"),
        (LinkType(147), vec![0; 60], "link type 147 is not read"),
        (LinkType::ETHERNET, ethernet(0x0800, &[0x45]), "too short"),
        (LinkType::RAW, vec![0x50; 40], "forbidden value"),
    ] {
        let said = decode(link, &bytes).stop.unwrap().to_string();
        assert!(said.contains(words), "{said}");
    }
}
