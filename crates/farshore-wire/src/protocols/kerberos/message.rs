//! The layout of messages (RFC 4120, section 5). It owns tags and refuses whatever is encrypted.

use std::ops::Range;

use crate::cursor::{Cursor, Stop};
use crate::protocols::ber::{self, INTEGER, OCTETS, SEQUENCE};

/// Kinds of message that name somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A login, or a ticket for a service: asked for.
    Request,
    /// The same, answered.
    Reply,
    Error,
}

impl Kind {
    /// AS-REQ, AS-REP, TGS-REQ, TGS-REP, KRB-ERROR: `[APPLICATION n]`, constructed.
    pub(super) const TAGS: [u8; 5] = [0x6a, 0x6b, 0x6c, 0x6d, 0x7e];

    const fn of(tag: u8) -> Option<Self> {
        Some(match tag {
            0x6a | 0x6c => Self::Request,
            0x6b | 0x6d => Self::Reply,
            0x7e => Self::Error,
            _ => return None,
        })
    }

    /// Whether the client sends it.
    pub(super) fn asks(self) -> bool {
        self == Self::Request
    }
}

/// A value, spelled, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: &'static str,
    pub(super) text: Vec<u8>,
    pub(super) range: Range<usize>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) named: Vec<Named>,
    /// It filled its bytes, and all of it could be read.
    pub(super) whole: bool,
}

/// The tag of a part by its number.
const fn part(number: u8) -> u8 {
    0xa0 | number
}

/// Whether a message of that length begins here: kind, lengths, version and kind again.
pub(super) fn begins(bytes: &[u8], length: usize) -> bool {
    let Some(&tag) = bytes.first() else { return false };
    // Lengths of two and of four bytes, the message within the one, its sequence within the other.
    let outer = |bytes: &[u8]| -> Option<(usize, usize)> {
        let mut it = Cursor::new("kerberos", bytes);
        it.skip(1).ok()?;
        let length = match it.u8().ok()? {
            short @ 0..=0x7f => usize::from(short),
            0x81 => usize::from(it.u8().ok()?),
            0x82 => usize::from(it.u16().ok()?),
            0x83 => it.u24().ok()? as usize,
            _ => return None,
        };
        Some((it.offset(), length))
    };
    let told = || -> Option<bool> {
        let (head, inside) = outer(bytes)?;
        let rest = bytes.get(head..)?;
        let (sequence_head, sequence) = outer(rest)?;
        let fits = head.checked_add(inside)? == length && sequence_head.checked_add(sequence)? == inside;
        let body = rest.get(sequence_head..)?;
        // Requests count their parts from one, the others from zero.
        let first = if Kind::of(tag)?.asks() { 1 } else { 0 };
        let version = [part(first), 3, INTEGER, 1, 5];
        let kind = [part(first).saturating_add(1), 3, INTEGER, 1, tag & 0x1f];
        Some(fits && rest.first() == Some(&SEQUENCE) && body.starts_with(&version) && body.get(version.len()..)?.starts_with(&kind))
    };
    told().unwrap_or(false)
}

impl Message {
    /// Reads a message as far as it goes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Stop> {
        let start = Cursor::new("kerberos", bytes);
        let tag = start.peek(0).unwrap_or_default();
        let kind = Kind::of(tag)
            .filter(|_| begins(bytes, bytes.len()))
            .ok_or_else(|| start.forbidden())?;
        let mut message = Self {
            kind,
            named: Vec::new(),
            whole: false,
        };
        let mut it = start;
        let mut it = ber::value(&mut it, tag)?;
        let mut it = ber::value(&mut it, SEQUENCE)?;
        message.whole = match kind {
            Kind::Request => message.request(&mut it).is_ok(),
            Kind::Reply => message.parts(&mut it, &[(3, Part::Realm), (4, Part::Client)]).is_ok(),
            Kind::Error => message
                .parts(
                    &mut it,
                    &[(7, Part::Realm), (8, Part::Client), (9, Part::Realm), (10, Part::Service)],
                )
                .is_ok(),
        };
        Ok(message)
    }

    fn request(&mut self, it: &mut Cursor<'_>) -> Result<(), Stop> {
        while !it.is_empty() {
            let tag = it.peek(0).unwrap_or_default();
            let mut inside = ber::value(it, tag)?;
            if tag == part(4) {
                let mut body = ber::value(&mut inside, SEQUENCE)?;
                let read = [(1, Part::Client), (2, Part::Realm), (3, Part::Service), (9, Part::Addresses)];
                self.parts(&mut body, &read)?;
            }
        }
        Ok(())
    }

    /// Steps through numbered parts and reads those that are asked for.
    fn parts(&mut self, it: &mut Cursor<'_>, read: &[(u8, Part)]) -> Result<(), Stop> {
        while !it.is_empty() {
            let tag = it.peek(0).unwrap_or_default();
            let mut inside = ber::value(it, tag)?;
            match read.iter().find(|(number, _)| part(*number) == tag) {
                Some((_, Part::Realm)) => self.name("kerberos.realm", &[string(&mut inside)?]),
                Some((_, Part::Client)) => self.name("kerberos.user-name", &principal(&mut inside)?),
                Some((_, Part::Service)) => self.name("kerberos.service", &principal(&mut inside)?),
                Some((_, Part::Addresses)) => self.addresses(&mut inside)?,
                None => {}
            }
        }
        Ok(())
    }

    /// The parts of a name, with slashes between.
    fn name(&mut self, path: &'static str, parts: &[Cursor<'_>]) {
        let ends = parts
            .first()
            .map(Cursor::offset)
            .zip(parts.last().map(|it| it.offset().saturating_add(it.left())));
        let Some((from, until)) = ends else { return };
        let text = parts.iter().map(|it| it.rest()).collect::<Vec<_>>().join(&b'/');
        if !text.is_empty() {
            self.named.push(Named {
                path,
                text,
                range: from..until,
            });
        }
    }

    /// Addresses of the client's machine: those of NetBIOS are its name, padded (RFC 4120, section 7.5.3).
    fn addresses(&mut self, it: &mut Cursor<'_>) -> Result<(), Stop> {
        let mut list = ber::value(it, SEQUENCE)?;
        while !list.is_empty() {
            let mut address = ber::value(&mut list, SEQUENCE)?;
            let kind = ber::number(&mut ber::value(&mut address, part(0))?)?;
            let mut name = ber::value(&mut ber::value(&mut address, part(1))?, OCTETS)?;
            if kind == 20 {
                let length = name.rest().trim_ascii_end().len();
                self.name("kerberos.host", &[name.sub(length)?]);
            }
        }
        Ok(())
    }
}

/// What stands in a part.
#[derive(Clone, Copy, Debug)]
enum Part {
    Realm,
    Client,
    Service,
    Addresses,
}

/// Names have one to four parts; a capture that says otherwise is not believed.
const MOST_PARTS: usize = 16;
/// `GeneralString`, and what some write instead: IA5String, UTF8String.
const STRINGS: [u8; 3] = [0x1b, 0x16, 0x0c];

fn string<'a>(it: &mut Cursor<'a>) -> Result<Cursor<'a>, Stop> {
    let tag = it.peek(0).filter(|it| STRINGS.contains(it)).ok_or_else(|| it.forbidden())?;
    ber::value(it, tag)
}

/// A kind of name, and its parts (RFC 4120, section 5.2.2).
fn principal<'a>(it: &mut Cursor<'a>) -> Result<Vec<Cursor<'a>>, Stop> {
    let mut name = ber::value(it, SEQUENCE)?;
    ber::value(&mut name, part(0))?;
    let mut list = ber::value(&mut name, part(1))?;
    let mut list = ber::value(&mut list, SEQUENCE)?;
    let mut parts = Vec::new();
    while !list.is_empty() {
        if parts.len() >= MOST_PARTS {
            return Err(list.forbidden());
        }
        parts.push(string(&mut list)?);
    }
    Ok(parts)
}
