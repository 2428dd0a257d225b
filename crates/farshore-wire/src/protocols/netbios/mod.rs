//! NetBIOS names and datagrams over UDP (RFC 1002, sections 4.2 and 4.4).
//!
//! # What is extracted, and why it matters
//! A machine that looks for another asks everybody on the link: [`Observation::NameAsked`] under `netbios`, and
//! `netbios.name`; the answer is [`Observation::NameBound`], one for each address. One that registers a name tells who it is, and often whose, as does one that announces itself every
//! few minutes in datagrams: `netbios.sender`.
//!
//! # What is not
//! Answers with status tables, what datagrams carry, and sessions (port 139).
//!
//! # How it is told
//! A header with one question, whose name is 32 letters from A to P, of type NB or NBSTAT; or the header of a datagram
//! with two such names.

use std::net::Ipv4Addr;
use std::ops::Range;

use farshore_model::observation::BoundValue;
use farshore_model::{Direction, Observation, Protection, Transport, WireText};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// NetBIOS names.
pub static NETBIOS: Netbios = Netbios;

/// NetBIOS names, as a [`Protocol`].
#[derive(Debug)]
pub struct Netbios;

impl Protocol for Netbios {
    fn id(&self) -> &'static str {
        "netbios"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list)
                if opening.transport == Transport::Udp
                    && list.last().is_some_and(|(_, bytes)| read(bytes).is_ok() || sender(bytes).is_ok()) =>
            {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::ANY)
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Names)
    }
}

/// A question or a registration, or the answer to one.
struct Message {
    response: bool,
    /// 0 asks, 5 registers, 6 releases, 8 and 9 refresh.
    operation: u8,
    name: Vec<u8>,
    at: Range<usize>,
    record: &'static str,
    /// What an answer binds to the name, for how many seconds.
    bound: Vec<Ipv4Addr>,
    ttl: u32,
}

fn read(bytes: &[u8]) -> Result<Message, Stop> {
    let mut it = Cursor::new("netbios", bytes);
    let start = it;
    it.skip(2)?;
    let flags = it.u16()?;
    let counts = [it.u16()?, it.u16()?, it.u16()?, it.u16()?];
    let response = flags & 0x8000 != 0;
    let operation = u8::try_from(flags >> 11 & 0x0f).unwrap_or_default();
    let fits = match (response, counts) {
        (false, [1, 0, 0, 0 | 1]) => matches!(operation, 0 | 5 | 6 | 8 | 9),
        (true, [0, 0 | 1, 0 | 1, 0 | 1]) => matches!(operation, 0 | 5..=9),
        _ => false,
    };
    if !fits || it.u8()? != 32 {
        return Err(start.forbidden());
    }
    let from = it.offset();
    let encoded = it.take(32)?;
    let at = from..it.offset();
    // The scope, as labels.
    loop {
        match it.u8()? {
            0 => break,
            length @ 1..=63 => it.skip(usize::from(length))?,
            _ => return Err(start.forbidden()),
        }
    }
    let record = match (it.u16()?, it.u16()?) {
        (0x20, 1) => "NB",
        (0x21, 1) => "NBSTAT",
        _ => return Err(start.forbidden()),
    };
    // A positive answer lists addresses, flags before each (section 4.2.13).
    let (mut bound, mut ttl) = (Vec::new(), 0);
    if response && operation == 0 && flags & 0x0f == 0 && record == "NB" {
        let mut list = || -> Result<(), Stop> {
            ttl = it.u32()?;
            let length = usize::from(it.u16()?);
            let mut entries = it.sub(length)?;
            while !entries.is_empty() {
                entries.skip(2)?;
                bound.push(Ipv4Addr::from(entries.array::<4>()?));
            }
            Ok(())
        };
        // Of one that was cut, what there is.
        let _ = list();
    }
    Ok(Message {
        response,
        operation,
        bound,
        ttl,
        name: decoded(encoded).ok_or_else(|| start.forbidden())?,
        at,
        record,
    })
}

/// Who sends a datagram, to one, to a group, or to all (RFC 1002, section 4.4.1), and where the name stands.
fn sender(bytes: &[u8]) -> Result<(Vec<u8>, Range<usize>), Stop> {
    let mut it = Cursor::new("netbios", bytes);
    let start = it;
    let [kind, flags] = it.array::<2>()?;
    // A number, and the sender's address and port.
    it.skip(8)?;
    let length = usize::from(it.u16()?);
    let offset = it.u16()?;
    let fits = matches!(kind, 0x10..=0x12) && flags & 0xf0 == 0 && offset == 0 && length <= it.left();
    let mut named = || {
        let length = it.u8()?;
        let from = it.offset();
        let name = decoded(it.take(32)?).filter(|_| length == 32);
        let last = it.u8()?;
        let at = from..from.saturating_add(32);
        name.filter(|_| last == 0).map(|it| (it, at)).ok_or_else(|| start.forbidden())
    };
    let (from, _to) = (named()?, named()?);
    if fits { Ok(from) } else { Err(start.forbidden()) }
}

/// Half a byte in each letter (RFC 1001, section 14.1); the sixteenth byte says what kind of name it is.
fn decoded(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    for pair in encoded.chunks_exact(2) {
        let &[high @ b'A'..=b'P', low @ b'A'..=b'P'] = pair else {
            return None;
        };
        name.push(high.wrapping_sub(b'A') << 4 | low.wrapping_sub(b'A'));
    }
    name.pop();
    while name.last().is_some_and(|byte| matches!(byte, b' ' | 0)) {
        name.pop();
    }
    Some(name)
}

/// How names stand in messages: in the first-level encoding (RFC 1001, section 14.1).
const ENCODED: &[&str] = &["netbios-name"];

/// Messages, each in its datagram.
#[derive(Debug)]
struct Names;

impl Dissector for Names {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        if let Ok((name, at)) = sender(piece.bytes) {
            out.client_speaks(direction);
            if !name.is_empty() {
                out.decoded(ENCODED);
                out.field(Field {
                    path: "netbios.sender",
                    value: &name,
                    at: piece.origin.span(at),
                });
                out.decoded(&[]);
            }
            return Progress::More;
        }
        let Ok(message) = read(piece.bytes) else {
            return Progress::More;
        };
        out.client_speaks(if message.response { direction.reverse() } else { direction });
        // An asterisk asks whoever is there (RFC 1002, section 4.2.17).
        if message.name.is_empty() || message.name == b"*" {
            return Progress::More;
        }
        let at = piece.origin.span(message.at);
        out.decoded(ENCODED);
        if !message.response && message.operation == 0 {
            let asked = Observation::NameAsked {
                protocol: "netbios",
                name: WireText::from_bytes(&message.name),
                record: message.record.to_owned(),
            };
            out.observe(asked, at);
        }
        for address in message.bound {
            let answer = Observation::NameBound {
                protocol: "netbios",
                question: WireText::from_bytes(&message.name),
                name: WireText::from_bytes(&message.name),
                record: message.record.to_owned(),
                value: BoundValue::Address(address.into()),
                ttl: message.ttl,
            };
            out.observe(answer, at);
        }
        // Whoever registers, keeps or gives up a name has it.
        let own = !message.response && message.operation != 0;
        out.field(Field {
            path: if own { "netbios.sender" } else { "netbios.name" },
            value: &message.name,
            at,
        });
        out.decoded(&[]);
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::Up;

    fn message(flags: u16, name: &[u8; 16]) -> Vec<u8> {
        let mut it = vec![0x12, 0x34];
        it.extend_from_slice(&flags.to_be_bytes());
        it.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0, 32]);
        for byte in name {
            it.push(b'A' + (byte >> 4));
            it.push(b'A' + (byte & 15));
        }
        it.extend_from_slice(&[0, 0, 0x20, 0, 1]);
        it
    }

    #[test]
    fn a_name_that_is_looked_for_is_asked() {
        let it = message(0x0110, b"ANNS-LAPTOP    \x20");
        let out = read_datagrams(&NETBIOS, (137, 137), &[(Up, &it)]);
        let asked = Observation::NameAsked {
            protocol: "netbios",
            name: "ANNS-LAPTOP".into(),
            record: "NB".to_owned(),
        };
        assert_eq!(out.observed, [(asked, Span::in_frame(1, 42 + 13, 32))]);
        assert_eq!((out.values("netbios.name"), out.client), (vec!["ANNS-LAPTOP".to_owned()], Some(Up)));
        assert_eq!(out.decoded, [("netbios.name".to_owned(), vec!["netbios-name"])]);
    }

    /// A datagram from `ANNS-LAPTOP` to the workgroup, as it announces itself.
    fn announced() -> Vec<u8> {
        let name = |name: &[u8; 16]| {
            let letters = name.iter().flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]);
            std::iter::once(32).chain(letters).chain([0]).collect::<Vec<u8>>()
        };
        let body = [name(b"ANNS-LAPTOP    \x00"), name(b"WORKGROUP      \x1d"), b"\xffSMB".to_vec()].concat();
        let head = [0x11, 0x0a, 0, 7, 192, 0, 2, 10, 0, 138, 0, body.len() as u8, 0, 0];
        [&head[..], &body].concat()
    }

    #[test]
    fn one_that_announces_itself_is_told() {
        let it = announced();
        let out = read_datagrams(&NETBIOS, (138, 138), &[(Up, &it)]);
        let told = ("netbios.sender".to_owned(), b"ANNS-LAPTOP".to_vec(), Span::in_frame(1, 42 + 15, 32));
        assert_eq!((out.fields, out.client), (vec![told], Some(Up)));
        let verdict = |bytes: &[u8]| NETBIOS.matches(&datagrams(138, 138, &[(Up, bytes)]));
        for (at, byte) in [(0, 0x13), (1, 0x1a), (11, 200), (13, 1), (14, 31), (15, b'Q'), (47, 7), (49, b'z')] {
            let mut wrong = it.clone();
            wrong[at] = byte;
            assert_eq!(verdict(&wrong), Match::No, "byte {at}");
        }
    }

    #[test]
    fn an_answer_binds_its_addresses() {
        let mut it = message(0x8500, b"ANNS-LAPTOP    \x20");
        it[5] = 0;
        it[7] = 1;
        it.extend_from_slice(&[0, 0, 1, 44, 0, 12, 0, 0, 192, 0, 2, 7, 0x60, 0, 192, 0, 2, 8]);
        let out = read_datagrams(&NETBIOS, (137, 137), &[(Up, &it)]);
        let told: Vec<_> = out.observed.iter().map(|(it, _)| it.clone()).collect();
        let bound = |last: u8| Observation::NameBound {
            protocol: "netbios",
            question: "ANNS-LAPTOP".into(),
            name: "ANNS-LAPTOP".into(),
            record: "NB".to_owned(),
            value: BoundValue::Address([192, 0, 2, last].into()),
            ttl: 300,
        };
        assert_eq!(told, [bound(7), bound(8)]);
        // That there is none.
        it[3] = 3;
        assert!(read_datagrams(&NETBIOS, (137, 137), &[(Up, &it)]).observed.is_empty());
    }

    #[test]
    fn an_asterisk_is_no_name() {
        let it = message(0x0000, b"*\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let out = read_datagrams(&NETBIOS, (137, 137), &[(Up, &it)]);
        assert_eq!((out.observed.len(), out.fields.len()), (0, 0));
    }

    #[test]
    fn a_name_that_is_registered_is_not_asked() {
        let it = message(0x2910, b"ANNS-LAPTOP    \x00");
        let out = read_datagrams(&NETBIOS, (137, 137), &[(Up, &it)]);
        assert_eq!(
            (out.observed.len(), out.values("netbios.sender")),
            (0, vec!["ANNS-LAPTOP".to_owned()])
        );
    }

    #[test]
    fn other_names_are_not_it() {
        let verdict = |bytes: &[u8]| NETBIOS.matches(&datagrams(137, 137, &[(Up, bytes)]));
        let whole = message(0x0110, b"ANNS-LAPTOP    \x20");
        assert_eq!(verdict(&whole), Match::Yes);
        assert_eq!(verdict(&whole[..whole.len() - 1]), Match::No);
        for (at, byte) in [(5, 2), (12, 31), (13, b'Q'), (45, 64), (47, 0x1c)] {
            let mut wrong = whole.clone();
            wrong[at] = byte;
            assert_eq!(verdict(&wrong), Match::No, "byte {at}");
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&NETBIOS, (137, 137), Transport::Udp, Up, &message(0x0110, b"ANNS-LAPTOP    \x20"));
        damage(&NETBIOS, (138, 138), Transport::Udp, Up, &announced());
    }
}
