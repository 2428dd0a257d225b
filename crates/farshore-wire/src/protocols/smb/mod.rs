//! SMB: files, printers and logins of Windows and its like, over TCP (MS-CIFS, MS-SMB, MS-SMB2).
//!
//! # What is extracted, and why it matters
//! Who logs in, to which domain, from which machine: `smb.user`, `smb.domain`, `smb.workstation`, in clear also where the files are
//! encrypted; `smb.server` as it calls itself. Passwords of machines that send them as they are: `smb.password`. Which folders and files
//! are opened: `smb.share`, `smb.file`.
//!
//! # What is not
//! What is in the files, and what lists of folders hold; what a client answers a challenge with, from which weak passwords can be guessed;
//! Kerberos tickets. Where version 3 encrypts, the flow is [`Protection::Opaque`].
//!
//! # How it is told
//! A message behind its length that begins with the mark of either version and a header of its kind, or a request for a NetBIOS session
//! (RFC 1002, section 4.3.2) before it.

mod old;
mod two;

use farshore_model::{Direction, Protection, Span};

use super::lane::Lane;
use super::ntlm::{self, WIDE};
use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// SMB.
pub static SMB: Smb = Smb;

/// SMB, as a [`Protocol`].
#[derive(Debug)]
pub struct Smb;

impl Protocol for Smb {
    fn id(&self) -> &'static str {
        "smb"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[MESSAGE, REQUEST]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            lanes: Default::default(),
            longest: limits.message_bytes,
        })
    }
}

/// Kinds of packets of a NetBIOS session (RFC 1002, section 4.3.1); without NetBIOS all are messages.
const MESSAGE: u8 = 0;
const REQUEST: u8 = 0x81;
/// Answers to a request, and that a session is still wanted.
const OTHERS: std::ops::RangeInclusive<u8> = 0x82..=0x85;

/// Bytes before each message: the kind and a length.
const HEAD: usize = 4;
/// As many of a message tell what it is.
const ENOUGH: usize = HEAD + two::HEADER;

/// What a packet turns out to be.
enum Packet {
    /// It tells nothing that is wanted.
    Idle,
    /// A message of version 1.
    Old,
    /// One of version 2 or 3.
    Two,
    /// One of version 3 that is encrypted.
    Sealed,
}

/// Reads a packet's head, and of a message as much as tells what it is. Says how long the packet is.
fn packet(bytes: &[u8]) -> Result<(usize, Packet), Stop> {
    let mut it = Cursor::new("smb", bytes);
    let start = it;
    let kind = it.u8()?;
    let length = it.u24()? as usize;
    let packet = match kind {
        MESSAGE => match it.array::<4>()? {
            [0xff, b'S', b'M', b'B'] if length >= old::HEADER => Packet::Old,
            [0xfe, b'S', b'M', b'B'] if length >= two::HEADER && usize::from(ntlm::little(&mut it)?) == two::HEADER => Packet::Two,
            // A transform header is of 52 bytes (MS-SMB2 section 2.2.41), a compressed one of 16.
            [0xfd, b'S', b'M', b'B'] if length > 52 => Packet::Sealed,
            [0xfc, b'S', b'M', b'B'] if length > 16 => Packet::Idle,
            _ => return Err(start.forbidden()),
        },
        REQUEST if length == 68 && it.u8()? == 32 => Packet::Idle,
        kind if OTHERS.contains(&kind) && length <= 6 => Packet::Idle,
        _ => return Err(start.forbidden()),
    };
    Ok((length.saturating_add(HEAD), packet))
}

/// Whether a side begins with a message, or with a request for a session.
fn told(bytes: &[u8]) -> Match {
    match packet(bytes) {
        Ok(_) => match bytes.first() {
            Some(&MESSAGE | &REQUEST) => Match::Yes,
            _ => Match::No,
        },
        Err(_) if !bytes.is_empty() && bytes.len() < HEAD + 6 => {
            let begins = |wanted: &[u8]| wanted.starts_with(bytes.get(5..).unwrap_or_default());
            match bytes {
                [MESSAGE, _, _, _, 0xfc..=0xff, ..] if begins(b"SMB@\0") || begins(b"SMB") => Match::Maybe,
                [MESSAGE] | [MESSAGE, ..] if bytes.len() <= HEAD => Match::Maybe,
                [REQUEST] | [REQUEST, 0, ..] if bytes.len() <= HEAD => Match::Maybe,
                _ => Match::No,
            }
        }
        Err(_) => Match::No,
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    lanes: [Lane; 2],
    longest: usize,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        if !lane.take(&it, |bytes| told(bytes) == Match::Yes) {
            return Progress::More;
        }
        let gathered = &mut lane.gathered;
        loop {
            let bytes = gathered.bytes();
            let (length, packet) = match packet(bytes) {
                Ok(it) => it,
                Err(_) if bytes.len() < HEAD + 6 => return Progress::More,
                Err(_) => return Progress::Lost,
            };
            if bytes.len() < ENOUGH.min(length) {
                return Progress::More;
            }
            let wanted = match packet {
                Packet::Idle => false,
                Packet::Sealed => {
                    out.protection(Protection::Opaque);
                    false
                }
                Packet::Old => old::is_wanted(bytes.get(HEAD..).unwrap_or_default()),
                Packet::Two => two::is_wanted(bytes.get(HEAD..).unwrap_or_default()),
            };
            if wanted && length <= self.longest {
                let Some(message) = bytes.get(HEAD..length) else {
                    return Progress::More;
                };
                let text = Text {
                    gathered,
                    from: HEAD,
                    bytes: message,
                };
                // What could be read before a message breaks off stands.
                let asked = match packet {
                    Packet::Old => old::read(&text, out),
                    _ => two::read(&text, out),
                };
                match asked {
                    Ok(true) => out.client_speaks(direction),
                    Ok(false) => out.client_speaks(direction.reverse()),
                    Err(_) => {}
                }
            } else if wanted {
                out.limit("message-bytes");
            }
            gathered.skip(length);
        }
    }
}

/// A message, and where it stands.
struct Text<'a> {
    gathered: &'a Gathered,
    from: usize,
    bytes: &'a [u8],
}

impl Text<'_> {
    fn span(&self, at: std::ops::Range<usize>) -> Span {
        self.gathered
            .span(at.start.saturating_add(self.from)..at.end.saturating_add(self.from))
    }

    /// Tells what stands somewhere; in UTF-16, where it is `wide`.
    fn tell(&self, path: &str, at: std::ops::Range<usize>, wide: bool, out: &mut dyn Sink) {
        let Some(bytes) = self.bytes.get(at.clone()) else { return };
        let decoded = if wide { ntlm::widened(bytes) } else { None };
        if wide && decoded.is_none() || bytes.is_empty() {
            return;
        }
        if wide {
            out.decoded(WIDE);
        }
        out.field(Field {
            path,
            value: decoded.as_deref().unwrap_or(bytes),
            at: self.span(at),
        });
        out.decoded(&[]);
    }

    /// Tells the names in what proves who somebody is.
    fn tell_login(&self, at: std::ops::Range<usize>, out: &mut dyn Sink) {
        let token = self.bytes.get(at.clone()).unwrap_or_default();
        let place = |it: std::ops::Range<usize>| self.span(it.start.saturating_add(at.start)..it.end.saturating_add(at.start));
        ntlm::tell(token, "smb", &[], place, out);
    }
}

#[cfg(test)]
mod tests;
