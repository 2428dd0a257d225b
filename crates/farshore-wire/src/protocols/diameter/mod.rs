//! Diameter (RFC 6733), over TCP and SCTP: what RADIUS was, between the nodes of mobile and fixed networks.
//!
//! # What is extracted, and why it matters
//! On links between networks everyone on the path can read who is on line, from where, and what is charged:
//! `diameter.imsi`, `diameter.msisdn`, `diameter.imei` or `diameter.imeisv`, `diameter.user-name`, `diameter.password`
//! (RFC 7155, section 4.3.1), `diameter.calling-station-id`, `diameter.mac`, a subscriber's names in other schemes as
//! `diameter.sip-uri`, `diameter.nai` and `diameter.public-identity`, and who talks to whom: `diameter.session-id`,
//! `diameter.origin-host`, `diameter.origin-realm`, `diameter.destination-host`, `diameter.destination-realm`.
//!
//! Digits stand as text or packed two in a byte, as each attribute has it: RFC 8506 (subscription, equipment), 3GPP
//! TS 29.061 (IMSI, IMEISV), TS 29.329 (MSISDN), TS 29.272 (terminal; the user's name is the IMSI there).
//!
//! # What is not
//! What was charged, allowed or measured; cells; what comes after both ends turned to TLS on the same connection.
//!
//! # How it is told
//! A version, a length, flags without those that are reserved, and a first attribute that messages begin with: a session,
//! a host or a result. A port is not asked for.

mod attribute;

use std::ops::Range;

use farshore_model::{Direction, Protection, Span, Transport};

use self::attribute::{Attribute, Value};
use super::digits::digits;
use super::lane::Lane;
use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, LimitSource, Stop};
use crate::limits::Limits;

/// Diameter.
pub static DIAMETER: Diameter = Diameter;

/// Diameter, as a [`Protocol`].
#[derive(Debug)]
pub struct Diameter;

impl Protocol for Diameter {
    fn id(&self) -> &'static str {
        "diameter"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Stream { up, down } if opening.transport == Transport::Tcp => match (told(up), told(down)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) if !up.is_empty() => Match::Maybe,
                (_, Match::Maybe) if !down.is_empty() => Match::Maybe,
                _ => Match::No,
            },
            Start::Stream { .. } | Start::Datagrams(_) => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[VERSION]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Peers {
            message_bytes: limits.message_bytes,
            lanes: Default::default(),
        })
    }
}

/// The one version there is.
const VERSION: u8 = 1;
/// Bytes of a message's header.
const HEADER: usize = 20;
/// Capabilities exchange: whoever asks opened the connection (RFC 6733, section 5.3).
const CAPABILITIES: u32 = 257;

/// A message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    length: usize,
    request: bool,
    command: u32,
    application: u32,
}

impl Header {
    /// RFC 6733, section 3.
    fn read(it: &mut Cursor<'_>) -> Result<Self, Stop> {
        let start = *it;
        let version = it.u8()?;
        let length = it.u24()? as usize;
        let flags = it.u8()?;
        let command = it.u24()?;
        let application = it.u32()?;
        it.skip(8)?;
        let fits = version == VERSION && length >= HEADER && length.is_multiple_of(4) && flags & 0x0f == 0 && command != 0;
        if !fits {
            return Err(start.forbidden());
        }
        Ok(Self {
            length,
            request: flags & 0x80 != 0,
            command,
            application,
        })
    }
}

/// Whether a side begins with a message.
fn told(bytes: &[u8]) -> Match {
    let mut it = Cursor::new("diameter", bytes);
    let Ok(header) = Header::read(&mut it) else {
        let begins = bytes.len() < HEADER && bytes.first().is_none_or(|it| *it == VERSION) && bytes.get(4).is_none_or(|it| it & 0x0f == 0);
        return if begins { Match::Maybe } else { Match::No };
    };
    match Attribute::read(&mut it, header.length.saturating_sub(HEADER)) {
        Ok(first) if first.begins(bytes) => Match::Yes,
        Ok(_) => Match::No,
        Err(stop) if stop.limit == LimitSource::Format => Match::No,
        // The attribute was not there whole: its code was, or is awaited.
        Err(_) => match bytes.get(HEADER..).and_then(<[u8]>::first_chunk::<4>) {
            Some(code) if !attribute::is_first(u32::from_be_bytes(*code)) => Match::No,
            _ if bytes.len() < 512 => Match::Maybe,
            _ => Match::No,
        },
    }
}

/// The two peers.
#[derive(Debug)]
struct Peers {
    message_bytes: usize,
    lanes: [Lane; 2],
}

impl Dissector for Peers {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        if !lane.take(&it, |bytes| told(bytes) == Match::Yes) {
            return Progress::More;
        }
        loop {
            let bytes = lane.gathered.bytes();
            let header = match Header::read(&mut Cursor::new("diameter", bytes)) {
                Ok(header) => header,
                Err(_) if bytes.len() < HEADER => return Progress::More,
                Err(_) => return Progress::Lost,
            };
            if header.length > self.message_bytes {
                out.limit("message-bytes");
                return Progress::Lost;
            }
            let Some(message) = bytes.get(..header.length) else {
                return Progress::More;
            };
            if header.command == CAPABILITIES {
                out.client_speaks(if header.request { direction } else { direction.reverse() });
            }
            let mut told = Telling {
                application: header.application,
                bytes: message,
                place: &|range| lane.gathered.span(range),
                out,
            };
            told.attributes(HEADER..header.length, 0);
            lane.gathered.consume(header.length);
        }
    }
}

/// How deep groups of attributes are followed; those that are read lie no deeper.
const DEEPEST: u8 = 6;

/// One message on its way to the sink.
struct Telling<'a, 's> {
    application: u32,
    bytes: &'a [u8],
    place: &'a dyn Fn(Range<usize>) -> Span,
    out: &'s mut dyn Sink,
}

impl Telling<'_, '_> {
    /// Reads attributes up to the first that does not fit.
    fn attributes(&mut self, range: Range<usize>, depth: u8) {
        for it in attribute::all(self.bytes, range) {
            match it.value(self.application) {
                Value::Group if depth < DEEPEST => self.attributes(it.body, depth.saturating_add(1)),
                Value::Typed { kind, value, names } => self.typed(&it, kind, value, names),
                Value::Text(path) => self.tell(path, it.body, None),
                Value::Packed(path) => {
                    let packed = digits(self.part(&it.body)).filter(|it| !it.is_empty());
                    if let Some(text) = packed {
                        self.tell(path, it.body, Some(&text));
                    }
                }
                Value::Group | Value::Other => {}
            }
        }
    }

    /// A group of two: what kind of name it is, and the name.
    fn typed(&mut self, group: &Attribute, kind: u32, value: u32, names: &[(u32, &'static str)]) {
        let inside = || attribute::all(self.bytes, group.body.clone());
        let number = inside().find(|it| it.code == kind).and_then(|it| {
            let bytes = self.part(&it.body).first_chunk::<4>()?;
            Some(u32::from_be_bytes(*bytes))
        });
        let path = names.iter().find(|(known, _)| Some(*known) == number).map(|(_, path)| *path);
        let (Some(path), Some(it)) = (path, inside().find(|it| it.code == value)) else {
            return;
        };
        let bytes = self.part(&it.body);
        // Equipment stands as text, as 3GPP has it (TS 32.299, section 7.1.17), or packed; a hardware address as six bytes.
        let spelled = match path {
            "diameter.mac" if bytes.len() == 6 => Some(
                bytes
                    .iter()
                    .map(|it| format!("{it:02x}"))
                    .collect::<Vec<_>>()
                    .join(":")
                    .into_bytes(),
            ),
            "diameter.imei" if bytes.len() <= 9 => digits(bytes),
            _ => None,
        };
        self.tell(path, it.body, spelled.as_deref());
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// Tells a value as it stands, or as it is spelled.
    fn tell(&mut self, path: &'static str, range: Range<usize>, spelled: Option<&[u8]>) {
        let bytes = self.bytes.get(range.clone()).unwrap_or_default();
        let value = spelled.unwrap_or(bytes);
        let path = match (path, value.len()) {
            ("diameter.imei", 16) => "diameter.imeisv",
            _ => path,
        };
        if !value.is_empty() {
            let at = (self.place)(range);
            self.out.field(Field { path, value, at });
        }
    }
}

#[cfg(test)]
mod tests;
