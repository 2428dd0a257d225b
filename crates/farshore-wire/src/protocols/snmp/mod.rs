//! SNMP, versions 1 and 2c (RFC 1157, RFC 1901), over UDP.
//!
//! # What is extracted, and why it matters
//! The community is all the password these versions have, and stands in clear in every message: `snmp.community`.
//!
//! # What is not
//! The values asked and told; version 3, which has users and can encrypt.
//!
//! # How it is told
//! A sequence that fills the datagram: a version, a community, and one of the kinds of request.

use std::ops::Range;

use farshore_model::{Direction, Protection, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// SNMP.
pub static SNMP: Snmp = Snmp;

/// SNMP, as a [`Protocol`].
#[derive(Debug)]
pub struct Snmp;

impl Protocol for Snmp {
    fn id(&self) -> &'static str {
        "snmp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| read(bytes).is_ok()) => {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(&[0x30]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Management)
    }
}

/// Where the community stands, and the kind of message.
fn read(bytes: &[u8]) -> Result<(Range<usize>, u8), Stop> {
    let mut it = Cursor::new("snmp", bytes);
    let start = it;
    let mut inside = tagged(&mut it, 0x30)?;
    if !it.is_empty() {
        return Err(start.forbidden());
    }
    let version = tagged(&mut inside, 0x02)?;
    let community = tagged(&mut inside, 0x04)?;
    let kind = inside
        .peek(0)
        .filter(|it| matches!(it, 0xa0..=0xa8))
        .ok_or_else(|| start.forbidden())?;
    tagged(&mut inside, kind)?;
    if !matches!(version.rest(), [0 | 1]) || !inside.is_empty() {
        return Err(start.forbidden());
    }
    Ok((community.offset()..community.offset().saturating_add(community.left()), kind))
}

/// A value of that tag, its length in the short or the long form (ITU-T X.690, section 8.1.3).
fn tagged<'a>(it: &mut Cursor<'a>, tag: u8) -> Result<Cursor<'a>, Stop> {
    let start = *it;
    if it.u8()? != tag {
        return Err(start.forbidden());
    }
    let length = match it.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(it.u8()?),
        0x82 => usize::from(it.u16()?),
        _ => return Err(start.forbidden()),
    };
    it.sub(length)
}

/// Messages, each in its datagram.
#[derive(Debug)]
struct Management;

impl Dissector for Management {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let Ok((range, kind)) = read(piece.bytes) else {
            return Progress::More;
        };
        out.client_speaks(if kind == 0xa2 { direction.reverse() } else { direction });
        let value = piece.bytes.get(range.clone()).unwrap_or_default();
        if !value.is_empty() {
            let at = piece.origin.span(range);
            out.field(Field {
                path: "snmp.community",
                value,
                at,
            });
        }
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Span;

    use super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;
    use Direction::Up;

    const GET: &[u8] = b"\x30\x26\x02\x01\x01\x04\x06s3cret\xa0\x19\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x02\x00\x05\x00";

    #[test]
    fn the_community_is_told_where_it_stands() {
        let out = read_datagrams(&SNMP, (50_000, 161), &[(Up, GET)]);
        assert_eq!(
            out.fields,
            [("snmp.community".to_owned(), b"s3cret".to_vec(), Span::in_frame(1, 42 + 7, 6))]
        );
        assert_eq!(out.client, Some(Up));
    }

    #[test]
    fn lengths_that_do_not_add_up_are_not_it() {
        let verdict = |bytes: &[u8]| SNMP.matches(&datagrams(50_000, 161, &[(Up, bytes)]));
        assert_eq!(verdict(&GET[..GET.len() - 1]), Match::No);
        assert_eq!(verdict(&[GET, &[0]].concat()), Match::No);
        for at in [0, 1, 2, 3, 4, 5, 6, 13, 14] {
            let mut wrong = GET.to_vec();
            wrong[at] ^= 0x42;
            assert_eq!(verdict(&wrong), Match::No, "byte {at}");
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&SNMP, (50_000, 161), Transport::Udp, Up, GET);
    }
}
