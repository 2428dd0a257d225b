//! TFTP: files without logins (RFC 1350), over UDP. Telephones, routers and small devices get their configuration by it.
//!
//! # What is extracted, and why it matters
//! The name of a file that is asked for or written, which often is the device's hardware address: `tftp.file`. The file
//! itself, as `tftp.body`: configurations hold passwords.
//!
//! # What is not
//! Options (RFC 2347) and errors. A file travels between ports of its own, so that its name stands in another flow.
//!
//! # How it is told
//! A request: a name, a mode that exists, and options that fill the datagram. A transfer: a block, and in the other
//! direction the very acknowledgement of a block with its number.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::Cursor;
use crate::limits::Limits;

/// TFTP.
pub static TFTP: Tftp = Tftp;

/// TFTP, as a [`Protocol`].
#[derive(Debug)]
pub struct Tftp;

impl Protocol for Tftp {
    fn id(&self) -> &'static str {
        "tftp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => recognise(list),
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(&[0]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Transfer {
            most: limits.body_bytes,
            next: 1,
            body: Gathered::default(),
        })
    }
}

/// A message, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Message {
    /// Asks to read or to write a file, whose name stands there.
    Request(Range<usize>),
    /// A block of the file, by number.
    Block(u16),
    /// Has a block, by number.
    Acknowledgement(u16),
}

impl Message {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut it = Cursor::new("tftp", bytes);
        let (kind, number) = (it.u16().ok()?, bytes.get(2..4).and_then(<[u8]>::first_chunk::<2>));
        Some(match (kind, number) {
            (1 | 2, _) => {
                let name = text(bytes, it.offset())?;
                let mode = text(bytes, name.end.saturating_add(1))?;
                let known = [&b"octet"[..], b"netascii", b"mail"];
                let spelled = bytes.get(mode.clone())?;
                if !known.iter().any(|it| it.eq_ignore_ascii_case(spelled)) {
                    return None;
                }
                let mut next = mode.end.saturating_add(1);
                while next < bytes.len() {
                    next = text(bytes, next)?.end.saturating_add(1);
                }
                Self::Request(name)
            }
            (3, Some(number)) => Self::Block(u16::from_be_bytes(*number)),
            (4, Some(number)) if bytes.len() == 4 => Self::Acknowledgement(u16::from_be_bytes(*number)),
            _ => return None,
        })
    }
}

/// Readable text that is not empty, up to its zero.
fn text(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = bytes.get(from..)?;
    let length = rest.iter().position(|byte| *byte == 0)?;
    let readable = rest.iter().take(length).all(|byte| !byte.is_ascii_control());
    (length > 0 && readable).then_some(from..from.saturating_add(length))
}

fn recognise(list: &[(Direction, &[u8])]) -> Match {
    let Some(((direction, latest), before)) = list.split_last() else {
        return Match::No;
    };
    let pairs = |other: &(Direction, &[u8]), wanted: &Message| other.0 != *direction && Message::read(other.1).as_ref() == Some(wanted);
    match Message::read(latest) {
        Some(Message::Request(_)) => Match::Yes,
        Some(Message::Acknowledgement(number)) if before.iter().any(|it| pairs(it, &Message::Block(number))) => Match::Yes,
        // Whoever writes is told first that it may; then the first block follows.
        Some(Message::Block(1)) if before.iter().any(|it| pairs(it, &Message::Acknowledgement(0))) => Match::Yes,
        Some(Message::Block(_) | Message::Acknowledgement(_)) => Match::Maybe,
        None => Match::No,
    }
}

/// Bytes before the data of a block.
const HEAD: usize = 4;

/// One flow.
#[derive(Debug)]
struct Transfer {
    most: usize,
    next: u16,
    body: Gathered,
}

impl Dissector for Transfer {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        match Message::read(piece.bytes) {
            Some(Message::Request(name)) => {
                out.client_speaks(direction);
                let value = piece.bytes.get(name.clone()).unwrap_or_default();
                let at = piece.origin.span(name);
                out.field(Field {
                    path: "tftp.file",
                    value,
                    at,
                });
            }
            Some(Message::Block(number)) => self.block(number, &piece, out),
            Some(Message::Acknowledgement(_)) | None => {}
        }
        Progress::More
    }

    fn finish(&mut self, out: &mut dyn Sink) {
        self.tell(out);
    }
}

impl Transfer {
    fn block(&mut self, number: u16, piece: &Piece<'_>, out: &mut dyn Sink) {
        // Sent again, or after one that was lost: what is gathered stands, and the rest begins anew.
        if number != self.next {
            if number == self.next.wrapping_sub(1) {
                return;
            }
            self.tell(out);
        }
        self.next = number.wrapping_add(1);
        let room = self.most.saturating_sub(self.body.len());
        let data = piece.behind(HEAD);
        if room < data.bytes.len() {
            out.limit("body-bytes");
        }
        self.body.push(&data.part(0..room.min(data.bytes.len())));
        if piece.missing > 0 {
            self.tell(out);
        }
    }

    /// Tells what is gathered of the file.
    fn tell(&mut self, out: &mut dyn Sink) {
        if !self.body.is_empty() {
            out.field(Field {
                path: "tftp.body",
                value: self.body.bytes(),
                at: self.body.span(0..self.body.len()),
            });
            self.body.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, feed, read_datagrams};
    use super::*;
    use Direction::{Down, Up};

    const REQUEST: &[u8] = b"\x00\x01SEP3C5AB4010203.cnf.xml\x00octet\x00tsize\x000\x00";

    fn block(number: u16, data: &[u8]) -> Vec<u8> {
        [&[0, 3][..], &number.to_be_bytes(), data].concat()
    }

    fn acknowledged(number: u16) -> Vec<u8> {
        [&[0, 4][..], &number.to_be_bytes()].concat()
    }

    #[test]
    fn the_file_is_named_where_it_is_asked_for() {
        let out = read_datagrams(&TFTP, (50_000, 69), &[(Up, REQUEST)]);
        let name = b"SEP3C5AB4010203.cnf.xml".to_vec();
        assert_eq!(out.fields, [("tftp.file".to_owned(), name, Span::in_frame(1, 42 + 2, 23))]);
        assert_eq!(out.client, Some(Up));
    }

    #[test]
    fn the_file_is_put_together_from_its_blocks() {
        let (first, second) = (block(1, &[b'a'; 512]), block(2, b"password=w4tch"));
        let (one, two) = (acknowledged(1), acknowledged(2));
        let list: [(Direction, &[u8]); 5] = [(Down, &first), (Up, &one), (Down, &first), (Down, &second), (Up, &two)];
        let opening = datagrams(50_000, 50_001, &list[..2]);
        assert_eq!(TFTP.matches(&opening), Match::Yes);
        let out = feed(TFTP.start(&opening, &Limits::default()).as_mut(), &list);
        let body = &out.values("tftp.body")[0];
        assert_eq!((body.len(), &body[512..]), (526, "password=w4tch"));
        assert_eq!((out.fields.len(), out.limits.len()), (1, 0));
        // A block that was lost parts the file; a ceiling is told.
        let third = block(4, b"end");
        let list: [(Direction, &[u8]); 4] = [(Down, &first), (Up, &one), (Down, &third), (Up, &two)];
        let limits = Limits {
            body_bytes: 300,
            ..Limits::default()
        };
        let out = feed(TFTP.start(&opening, &limits).as_mut(), &list);
        assert_eq!(out.values("tftp.body").iter().map(String::len).collect::<Vec<_>>(), [300, 3]);
        assert_eq!(out.limits, ["body-bytes"]);
    }

    #[test]
    fn a_block_alone_is_not_evidence() {
        let verdict = |list: &[(Direction, &[u8])]| TFTP.matches(&datagrams(50_000, 69, list));
        let (one, two) = (block(1, b"x"), acknowledged(2));
        assert_eq!(verdict(&[(Down, &one)]), Match::Maybe);
        assert_eq!(verdict(&[(Down, &one), (Up, &two)]), Match::Maybe, "of another block");
        assert_eq!(verdict(&[(Down, &one), (Down, &acknowledged(1))]), Match::Maybe, "of one's own");
        assert_eq!(verdict(&[(Up, &acknowledged(0)), (Down, &one)]), Match::Yes);
        for wrong in [
            &b"\x00\x01\x00octet\x00"[..],
            b"\x00\x01a\x00binary\x00",
            b"\x00\x01a\x00octet",
            b"\x00\x05\x00\x01no\x00",
        ] {
            assert_eq!(verdict(&[(Up, wrong)]), Match::No, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&TFTP, (50_000, 69), Transport::Udp, Up, REQUEST);
        damage(&TFTP, (50_000, 50_001), Transport::Udp, Up, &block(1, b"abc"));
    }
}
