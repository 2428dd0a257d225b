//! RTCP: what the ends of a call tell each other of it in clear (RFC 3550, section 6), on a port of its own or beside RTP.
//!
//! # What is extracted, and why it matters
//! What a participant says of itself (source descriptions): the canonical name, which many programs make of the account or of the user
//! and host, the name, address of mail, telephone number and place; the program that is used; why somebody left. They stand in clear
//! wherever a call's control does, and name who speaks to everyone on the path.
//!
//! # What is not
//! Reports of loss and delay, feedback of codecs, what applications define. Under SRTP (RFC 3711, section 3.4) all but the first eight bytes
//! are cipher text, so that the lengths within lead nowhere: that is not recognised, and not read.
//!
//! # How it is told
//! A datagram that is nothing but packets of RTCP, each as long as it says, whose counts fit their lengths, of which only the last is
//! padded. If the first is a report or, where shortened ones are sent (RFC 5506), feedback, two packets are enough, or one and another such
//! datagram of the same sender and source before it. Once it was recognised they may come in any order, as phones send them.
//!
//! *Error*. Even bytes make a report whose length and count fit the datagram at 2^-25, and a packet behind it at 2^-24 more; two datagrams of
//! one source at 2^-25 and 2^-57.

use farshore_model::{Protection, Transport};

use super::neighbours::Neighbours;
use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// RTCP.
pub static RTCP: Rtcp = Rtcp;

/// RTCP, as a [`Protocol`].
#[derive(Debug)]
pub struct Rtcp;

impl Protocol for Rtcp {
    fn id(&self) -> &'static str {
        "rtcp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let Some(((direction, latest), before)) = list.split_last() else {
                    return Match::No;
                };
                let Some(all) = packets(latest) else { return Match::No };
                let same = |bytes: &[u8]| packets(bytes).is_some_and(|it| it.reports && it.source == all.source);
                if !all.reports {
                    Match::Maybe
                } else if all.count > 1 || before.iter().any(|(from, bytes)| from == direction && same(bytes)) {
                    Match::Yes
                } else {
                    Match::Maybe
                }
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(0x80, 0xbf))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        // Where another protocol found it, what is not RTCP is that one's.
        let alone = opening.layers == ["udp"];
        Box::new(Control {
            neighbours: alone.then(|| Neighbours::new(opening, limits)),
        })
    }
}

/// Types of packets (IANA, "RTCP Control Packet types").
mod kind {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const DESCRIPTION: u8 = 202;
    pub(super) const BYE: u8 = 203;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
    /// Those that are in use: from the reports to what RFC 8888 and its kin added, and RFC 2032's two.
    pub(super) const ALL: std::ops::RangeInclusive<u8> = 192..=213;
}

/// The packets of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packets {
    count: usize,
    /// Whether the first is a report, or feedback.
    reports: bool,
    /// Whose they are.
    source: u32,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    kind: u8,
    /// Reports, sources or a format, as the type has it.
    count: u8,
    padded: bool,
    /// Where its body begins, and the body.
    at: usize,
    body: &'a [u8],
}

fn next<'a>(it: &mut Cursor<'a>) -> Result<Packet<'a>, Stop> {
    let start = *it;
    let [first, kind] = it.array::<2>()?;
    let length = usize::from(it.u16()?).saturating_mul(4);
    if first >> 6 != 2 || !kind::ALL.contains(&kind) {
        return Err(start.forbidden());
    }
    let at = it.offset();
    Ok(Packet {
        kind,
        count: first & 0x1f,
        padded: first & 0x20 != 0,
        at,
        body: it.take(length)?,
    })
}

/// Whether a datagram is packets of RTCP and nothing else.
fn packets(datagram: &[u8]) -> Option<Packets> {
    let mut it = Cursor::new("rtcp", datagram);
    let (mut count, mut reports, mut source) = (0_usize, false, None);
    while !it.is_empty() {
        let packet = next(&mut it).ok()?;
        let words = usize::from(packet.count);
        // What reports and feedback begin with, and what each of their blocks takes (RFC 3550 section 6.4, RFC 4585 section 6.1).
        let least = match packet.kind {
            kind::SENDER_REPORT => words.saturating_mul(24).saturating_add(24),
            kind::RECEIVER_REPORT => words.saturating_mul(24).saturating_add(4),
            kind::TRANSPORT_FEEDBACK | kind::PAYLOAD_FEEDBACK => 8,
            kind::BYE => words.saturating_mul(4),
            _ => 0,
        };
        let begins = matches!(
            packet.kind,
            kind::SENDER_REPORT | kind::RECEIVER_REPORT | kind::TRANSPORT_FEEDBACK | kind::PAYLOAD_FEEDBACK
        );
        let padded = packet.padded && !it.is_empty();
        let described = packet.kind != kind::DESCRIPTION || described(packet, &mut |_, _, _| {}).is_ok();
        if packet.body.len() < least || padded || !described {
            return None;
        }
        reports |= begins && count == 0;
        let begun = packet.body.first_chunk::<4>().map(|it| u32::from_be_bytes(*it));
        source = source.or(begun);
        count = count.saturating_add(1);
    }
    source.map(|source| Packets { count, reports, source })
}

/// Whether a datagram is RTCP in clear.
pub fn is_control(datagram: &[u8]) -> bool {
    packets(datagram).is_some()
}

/// Tells the items of a source description (RFC 3550 section 6.5): path, value, where it stands in the body.
fn described<'a>(packet: Packet<'a>, told: &mut dyn FnMut(&'static str, &'a [u8], usize)) -> Result<(), Stop> {
    let mut it = Cursor::new("rtcp", packet.body);
    for _ in 0..packet.count {
        it.skip(4)?;
        // Some leave out the zero at the end where the last item fills the packet.
        while !it.is_empty() {
            let kind = it.u8()?;
            if kind == 0 {
                // Up to the next word.
                while !it.offset().is_multiple_of(4) {
                    let filler = it;
                    if it.u8()? != 0 {
                        return Err(filler.forbidden());
                    }
                }
                break;
            }
            let length = it.u8()?;
            let at = it.offset();
            let value = it.take(length.into())?;
            let path = match kind {
                1 => "rtcp.sdes.cname",
                2 => "rtcp.sdes.name",
                3 => "rtcp.sdes.email",
                4 => "rtcp.sdes.phone",
                5 => "rtcp.sdes.loc",
                6 => "rtcp.sdes.tool",
                7 => "rtcp.sdes.note",
                8 => "rtcp.sdes.priv",
                // Identification of streams (RFC 8843, RFC 8852) and what is not known.
                _ => continue,
            };
            // Nor is a zero part of any text.
            let end = value.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
            told(path, value.get(..end).unwrap_or_default(), at);
        }
    }
    Ok(())
}

/// Why somebody left, and where that stands in the body (RFC 3550 section 6.6).
fn reason(packet: Packet<'_>) -> Option<(&[u8], usize)> {
    let mut it = Cursor::new("rtcp", packet.body);
    it.skip(usize::from(packet.count).saturating_mul(4)).ok()?;
    let length = it.u8().ok()?;
    let at = it.offset();
    it.take(length.into()).ok().filter(|it| !it.is_empty()).map(|it| (it, at))
}

/// Datagrams of control, and what shares their ports.
#[derive(Debug)]
struct Control {
    neighbours: Option<Neighbours>,
}

impl Dissector for Control {
    fn segment(&mut self, direction: farshore_model::Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if is_control(piece.bytes) {
            tell(&piece, out);
        } else if let Some(neighbours) = &mut self.neighbours {
            neighbours.datagram(direction, piece, out);
        }
        Progress::More
    }
}

fn tell(piece: &Piece<'_>, out: &mut dyn Sink) {
    let mut it = Cursor::new("rtcp", piece.bytes);
    while let Ok(packet) = next(&mut it) {
        let mut field = |path, value: &[u8], at: usize| {
            let begin = packet.at.saturating_add(at);
            let at = piece.origin.span(begin..begin.saturating_add(value.len()));
            out.field(Field { path, value, at });
        };
        match packet.kind {
            kind::DESCRIPTION => {
                // Whether it is whole was asked before.
                let _ = described(packet, &mut field);
            }
            kind::BYE => {
                if let Some((value, at)) = reason(packet) {
                    field("rtcp.bye.reason", value, at);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Direction::{self, Down, Up};

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;

    fn packet(kind: u8, count: u8, body: &[u8]) -> Vec<u8> {
        let mut it = vec![0x80 | count, kind];
        it.extend(((body.len() / 4) as u16).to_be_bytes());
        it.extend(body);
        it
    }

    fn report(source: u32) -> Vec<u8> {
        packet(kind::RECEIVER_REPORT, 0, &source.to_be_bytes())
    }

    fn description(source: u32, items: &[(u8, &str)]) -> Vec<u8> {
        let mut body = source.to_be_bytes().to_vec();
        for (kind, value) in items {
            body.extend([*kind, value.len() as u8]);
            body.extend(value.as_bytes());
        }
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
        packet(kind::DESCRIPTION, 1, &body)
    }

    fn verdict(list: &[(Direction, &[u8])]) -> Match {
        RTCP.matches(&datagrams(40_001, 50_001, list))
    }

    #[test]
    fn what_participants_say_of_themselves_is_told_with_its_place() {
        let items = [
            (1, "sip:alice@10.7.0.1:5060"),
            (2, "Alice"),
            (4, "+15555550100"),
            (6, "phone 1.0"),
            (15, "mid0"),
        ];
        let goodbye = packet(kind::BYE, 1, b"\0\0\0\x07\x07leaving");
        let datagram = [report(7), description(7, &items), goodbye].concat();
        let out = read_datagrams(&RTCP, (40_001, 50_001), &[(Up, &datagram)]);
        let told: Vec<_> = out
            .fields
            .iter()
            .map(|(path, value, _)| (path.as_str(), value.as_slice()))
            .collect();
        assert_eq!(
            told,
            [
                ("rtcp.sdes.cname", &b"sip:alice@10.7.0.1:5060"[..]),
                ("rtcp.sdes.name", b"Alice"),
                ("rtcp.sdes.phone", b"+15555550100"),
                ("rtcp.sdes.tool", b"phone 1.0"),
                ("rtcp.bye.reason", b"leaving"),
            ]
        );
        for (_, value, at) in &out.fields {
            let begin = at.offset as usize - 42;
            assert_eq!(datagram[begin..begin + at.length as usize], value[..]);
        }
    }

    #[test]
    fn one_report_alone_is_not_enough() {
        let one = report(7);
        assert_eq!(verdict(&[(Up, &one)]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &one), (Up, &one)]), Match::Yes);
        assert_eq!(verdict(&[(Up, &one), (Down, &one)]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &one), (Up, &report(8))]), Match::Maybe);
        assert_eq!(verdict(&[(Up, &[report(7), description(7, &[(1, "a@b")])].concat())]), Match::Yes);
        // Others may come once it is known.
        let (described, goodbye) = (description(7, &[(1, "a@b")]), packet(kind::BYE, 1, &[0, 0, 0, 7]));
        assert_eq!(verdict(&[(Up, &described), (Up, &described)]), Match::Maybe);
        let whole = [&one[..], &described].concat();
        let out = read_datagrams(&RTCP, (40_001, 50_001), &[(Up, &whole), (Up, &[goodbye, described].concat())]);
        assert_eq!((out.values("rtcp.sdes.cname").len(), out.inner.len(), out.protection), (2, 0, None));
        let feedback = packet(kind::PAYLOAD_FEEDBACK, 1, &[0, 0, 0, 7, 0, 0, 0, 9]);
        assert_eq!(verdict(&[(Up, &feedback), (Up, &feedback)]), Match::Yes);
    }

    /// As some phones send it: zeros counted as text, and none behind it.
    #[test]
    fn a_description_without_an_end_is_read() {
        let body = b"\0\0\0\x07\x01\x1611974@10.0.2.148\0\0\0\0\0\0";
        let datagram = [report(7), packet(kind::DESCRIPTION, 1, body)].concat();
        let out = read_datagrams(&RTCP, (40_001, 50_001), &[(Up, &datagram)]);
        assert_eq!(out.values("rtcp.sdes.cname"), ["11974@10.0.2.148"]);
    }

    #[test]
    fn what_does_not_add_up_is_something_else() {
        let whole = [report(7), description(7, &[(1, "alice@voice.example")])].concat();
        let refused = |bytes: &[u8]| assert_eq!(verdict(&[(Up, bytes), (Up, bytes)]), Match::No, "{bytes:x?}");
        for cut in (1..8).chain(9..whole.len()) {
            refused(&whole[..cut]);
        }
        refused(&[&whole[..], &[0]].concat());
        refused(&packet(kind::SENDER_REPORT, 0, &[0; 20]));
        refused(&packet(kind::RECEIVER_REPORT, 1, &[0; 8]));
        // An item longer than its packet; padding that is not at the end; SRTP's tag behind it.
        let mut long = whole.clone();
        long[17] = 60;
        refused(&long);
        let mut padded = whole.clone();
        padded[0] |= 0x20;
        refused(&padded);
        refused(&[&whole[..], &[0x80, 0, 0, 1], &[7; 10]].concat());
        // RTP.
        let mut sound = vec![0x80, 0, 0, 1];
        sound.resize(172, 0x55);
        refused(&sound);
    }

    #[test]
    fn sound_that_shares_the_port_is_read_beside_it() {
        let control = [report(7), description(7, &[(1, "alice@voice.example")])].concat();
        let sound: Vec<Vec<u8>> = (0..8_u16)
            .map(|number| {
                let mut it = vec![0x80, 0];
                it.extend(number.to_be_bytes());
                it.extend((u32::from(number) * 160).to_be_bytes());
                it.extend(7_u32.to_be_bytes());
                it.extend([0x55; 160]);
                it
            })
            .collect();
        let list: Vec<(Direction, &[u8])> = [(Up, &control[..])]
            .into_iter()
            .chain(sound.iter().map(|it| (Up, &it[..])))
            .chain([(Up, &control[..])])
            .collect();
        let out = read_datagrams(&RTCP, (40_000, 50_000), &list);
        assert_eq!(out.values("rtcp.sdes.cname"), ["alice@voice.example"; 2]);
        assert_eq!(out.inner.iter().filter(|(_, hint, _)| *hint == "rtp").count(), 8);
    }

    #[test]
    fn damage_never_panics() {
        let whole = [
            packet(kind::SENDER_REPORT, 1, &[7; 48]),
            description(7, &[(1, "alice@voice.example"), (3, "alice@voice.example")]),
            packet(kind::BYE, 1, b"\0\0\0\x07\x03bye"),
        ]
        .concat();
        damage(&RTCP, (40_001, 50_001), Transport::Udp, Up, &whole);
    }
}
