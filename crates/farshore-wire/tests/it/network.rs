//! IP and transport headers as they are and as they should not be: options, chains, fragments, lengths that lie.

use farshore_model::{LinkType, Transport};
use farshore_wire::packet::{Packet, Reason};

use crate::build::{CLIENT, PLAIN, SERVER, V4, tcp, udp, v6};
use crate::run::decode;

const PAYLOAD: &[u8] = b"what is carried";

fn v4(it: &V4<'_>, protocol: u8, body: &[u8]) -> Vec<u8> {
    it.packet(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), protocol, body)
}

fn six(next: u8, body: &[u8]) -> Vec<u8> {
    v6("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), next, body)
}

fn read(bytes: &[u8]) -> Packet<'_> {
    decode(LinkType::RAW, bytes)
}

#[test]
fn options_of_every_length_are_stepped_over() {
    for words in 0..=10 {
        let options = vec![1; words * 4];
        let bytes = v4(
            &V4 {
                options: &options,
                ..PLAIN
            },
            17,
            &udp(1, 2, PAYLOAD),
        );
        let packet = read(&bytes);
        assert_eq!(
            (packet.payload, packet.payload_offset, packet.stop),
            (PAYLOAD, 28 + options.len(), None)
        );
    }
    for words in 0..5 {
        let mut bytes = v4(&PLAIN, 17, &udp(1, 2, PAYLOAD));
        bytes[0] = 0x40 | words;
        assert!(matches!(read(&bytes).stop, Some(Reason::Stop(_))), "a header of {words} words");
    }
}

#[test]
fn the_length_field_rules_where_it_can() {
    let padded = [v4(&PLAIN, 6, &tcp(1, 2, 3, 4, 24, PAYLOAD)), vec![0xee; 9]].concat();
    assert_eq!(read(&padded).payload, PAYLOAD, "padding is no payload");
    // Zero: segmentation was left to the card.
    let unset = v4(&V4 { total: Some(0), ..PLAIN }, 6, &tcp(1, 2, 3, 4, 24, PAYLOAD));
    assert_eq!((read(&unset).payload, read(&unset).payload_missing), (PAYLOAD, 0));
    let longer = v4(
        &V4 {
            total: Some(1_500),
            ..PLAIN
        },
        6,
        &tcp(1, 2, 3, 4, 24, PAYLOAD),
    );
    assert_eq!(
        (read(&longer).payload, read(&longer).payload_missing),
        (PAYLOAD, 1_500 - 40 - PAYLOAD.len())
    );
    for total in [1, 19] {
        let shorter = v4(
            &V4 {
                total: Some(total),
                ..PLAIN
            },
            6,
            &tcp(1, 2, 3, 4, 24, PAYLOAD),
        );
        assert!(matches!(read(&shorter).stop, Some(Reason::Stop(_))), "{total}");
    }
    // UDP tells its own length, and the shorter of the two holds.
    let mut within = udp(1, 2, PAYLOAD);
    within[5] = 8 + 4;
    let bytes = v4(&PLAIN, 17, &within);
    assert_eq!((read(&bytes).payload, read(&bytes).payload_missing), (&PAYLOAD[..4], 0));
    for (length, forbidden) in [(0, false), (7, true), (8, false)] {
        within[5] = length;
        let bytes = v4(&PLAIN, 17, &within);
        assert_eq!(read(&bytes).stop.is_some(), forbidden, "{length}");
        assert!(read(&bytes).transport.is_some(), "the ports are told all the same");
    }
    // IPv6: zero is a jumbogram or a length left to the card.
    let mut bytes = six(17, &udp(1, 2, PAYLOAD));
    bytes[4..6].copy_from_slice(&[0, 0]);
    assert_eq!(read(&bytes).payload, PAYLOAD);
    let bytes = [six(17, &udp(1, 2, PAYLOAD)), vec![0xee; 9]].concat();
    assert_eq!(read(&bytes).payload, PAYLOAD);
}

#[test]
fn fragments_are_told_apart() {
    let datagram = udp(1, 2, PAYLOAD);
    let first = v4(&V4 { fragment: 0x2000, ..PLAIN }, 17, &datagram[..16]);
    let packet = read(&first);
    assert_eq!((packet.stop, packet.payload), (None, &PAYLOAD[..8]));
    assert_eq!(packet.payload_missing, PAYLOAD.len() - 8, "later fragments are not put to it");
    for fragment in [0x2002, 0x0002, 0x1fff] {
        let later = v4(&V4 { fragment, ..PLAIN }, 17, &datagram[16..]);
        let packet = read(&later);
        assert_eq!((packet.stop, packet.transport.is_some()), (Some(Reason::Fragment), false));
        assert!(packet.ip.is_some());
    }
    let whole = v4(&V4 { fragment: 0x4000, ..PLAIN }, 17, &datagram);
    assert_eq!(
        (read(&whole).stop, read(&whole).payload),
        (None, PAYLOAD),
        "not to be fragmented is no fragment"
    );

    let header = |offset: u16| [&[17, 0][..], &offset.to_be_bytes(), &[0, 0, 0, 9]].concat();
    let first = six(44, &[header(1), datagram[..16].to_vec()].concat());
    assert_eq!((read(&first).stop, read(&first).payload), (None, &PAYLOAD[..8]));
    let later = six(44, &[header(2 << 3), datagram[16..].to_vec()].concat());
    assert_eq!(
        (read(&later).stop, read(&later).transport.is_some()),
        (Some(Reason::Fragment), false)
    );
    // Both fields zero: an "atomic" fragment is the whole (RFC 6946).
    let whole = six(44, &[header(0), datagram].concat());
    assert_eq!((read(&whole).stop, read(&whole).payload), (None, PAYLOAD));
}

#[test]
fn chains_of_extension_headers_are_followed() {
    let datagram = udp(1, 2, PAYLOAD);
    // Next header is filled in: (its number, the header's bytes).
    let eights = |count: usize| [vec![0, count as u8], vec![1; 6 + 8 * count]].concat();
    let authentication = [vec![0, 4], vec![7; 22]].concat();
    let fragment = vec![0, 0, 0, 0, 0, 0, 0, 9];
    let pieces: Vec<(u8, Vec<u8>)> = vec![
        (0, eights(0)),
        (60, eights(3)),
        (43, eights(2)),
        (44, fragment),
        (51, authentication.clone()),
        (60, eights(0)),
        (135, eights(1)),
        (139, eights(4)),
        (140, eights(0)),
    ];
    for from in 0..pieces.len() {
        for until in from..=pieces.len() {
            let chain = &pieces[from..until];
            let numbers: Vec<u8> = chain.iter().map(|(number, _)| *number).chain([17]).collect();
            let mut body = Vec::new();
            for ((_, bytes), next) in chain.iter().zip(&numbers[1..]) {
                body.extend([&[*next], &bytes[1..]].concat());
            }
            let length = body.len();
            body.extend(&datagram);
            let bytes = six(numbers[0], &body);
            let packet = read(&bytes);
            assert_eq!((packet.stop, packet.payload), (None, PAYLOAD), "{numbers:?}");
            assert_eq!((packet.payload_offset, packet.ip.unwrap().protocol), (48 + length, 17));
            for cut in 40..40 + length {
                assert!(matches!(read(&bytes[..cut]).stop, Some(Reason::Stop(_))), "{numbers:?} at {cut}");
            }
        }
    }
    // A header that claims more than there is.
    let bytes = six(60, &[&[17, 255][..], &[0; 6], &datagram].concat());
    assert!(matches!(read(&bytes).stop, Some(Reason::Stop(_))));
    // Authentication in IPv4.
    let mut body = authentication;
    body[0] = 17;
    body.extend(&datagram);
    let bytes = v4(&PLAIN, 51, &body);
    assert_eq!((read(&bytes).stop, read(&bytes).payload), (None, PAYLOAD));
    // SCTP is known by its ports alone.
    let bytes = six(132, &[&[4, 87, 8, 174][..], &[0; 20]].concat());
    let header = read(&bytes).transport.unwrap();
    assert_eq!(
        (header.transport, header.source, header.destination),
        (Transport::Other(132), 1_111, 2_222)
    );
    // Encrypted payload, no next header: that is as far as it goes.
    for protocol in [50, 59, 47] {
        assert_eq!(
            read(&six(protocol, &[0; 24])).transport.unwrap().transport,
            Transport::Other(protocol)
        );
    }
}

#[test]
fn a_cut_transport_header_still_tells_who_talks_to_whom() {
    for cut in 0..20 {
        let bytes = v4(&PLAIN, 6, &tcp(1_111, 2_222, 3, 4, 24, b"")[..cut]);
        let packet = read(&bytes);
        assert!(matches!(packet.stop, Some(Reason::Stop(_))), "{cut}");
        let ports = packet.transport.map(|it| (it.source, it.destination, it.tcp.is_some()));
        assert_eq!(ports, (cut >= 4).then_some((1_111, 2_222, false)), "{cut}");
        assert!(packet.payload.is_empty());
    }
    for words in 0..5 {
        let mut segment = tcp(1, 2, 3, 4, 24, PAYLOAD);
        segment[12] = words << 4;
        let bytes = v4(&PLAIN, 6, &segment);
        assert!(matches!(read(&bytes).stop, Some(Reason::Stop(_))), "a header of {words} words");
    }
    let mut segment = tcp(1, 2, 3, 4, 24, &[&[1; 40], PAYLOAD].concat());
    segment[12] = 15 << 4;
    assert_eq!(read(&v4(&PLAIN, 6, &segment)).payload, PAYLOAD);
}

/// Every byte of every header is flipped and every frame cut: nothing panics, and no payload lies outside its frame.
#[test]
fn damage_is_survived() {
    let datagram = udp(1, 2, PAYLOAD);
    let segment = tcp(1, 2, 3, 4, 24, PAYLOAD);
    let chain = [
        &[60, 0, 1, 1, 1, 1, 1, 1, 44, 1][..],
        &[0; 14],
        &[17, 0, 0, 0, 0, 0, 0, 9],
        &datagram,
    ]
    .concat();
    for whole in [
        v4(&PLAIN, 17, &datagram),
        v4(&PLAIN, 6, &segment),
        six(6, &segment),
        six(0, &chain),
        v4(&PLAIN, 1, &[8, 0, 0, 0, 1, 1, 1, 1]),
    ] {
        for cut in 0..=whole.len() {
            for at in 0..cut {
                for flip in [0x01, 0x10, 0x80, 0xff] {
                    let mut bytes = whole[..cut].to_vec();
                    bytes[at] ^= flip;
                    let packet = read(&bytes);
                    let end = packet.payload_offset + packet.payload.len();
                    assert!(packet.payload.is_empty() || bytes[packet.payload_offset..end] == *packet.payload);
                    assert!(packet.payload_missing <= 0x1_0000);
                }
            }
        }
    }
}
