//! MQTT 3.1, 3.1.1 and 5 over TCP (OASIS).
//!
//! # What is extracted, and why it matters
//! A device's login and name are in its first packet: `mqtt.client-id`, `mqtt.username`, `mqtt.password`; what it talks
//! about and says follows: `mqtt.topic` (published), `mqtt.filter` (subscribed), `mqtt.payload`, and its last will as
//! `mqtt.will-topic`, `mqtt.will`.
//!
//! # What is not
//! Properties of version 5; MQTT-SN.
//!
//! # How it is told
//! A CONNECT with the protocol's name and a version.

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// MQTT.
pub static MQTT: Mqtt = Mqtt;

/// MQTT, as a [`Protocol`].
#[derive(Debug)]
pub struct Mqtt;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;

impl Protocol for Mqtt {
    fn id(&self) -> &'static str {
        "mqtt"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[0x10]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let turned = matches!(opening.start, Start::Stream { up, down } if told(up) != Match::Yes && told(down) == Match::Yes);
        Box::new(Session {
            client: if turned { Direction::Down } else { Direction::Up },
            lanes: Default::default(),
            version: 0,
            longest: limits.message_bytes,
            told: limits.body_bytes,
        })
    }
}

/// Whether a side begins with a CONNECT.
fn told(bytes: &[u8]) -> Match {
    let mut it = Cursor::new("mqtt", bytes);
    match it.u8() {
        Err(_) => return Match::No,
        Ok(0x10) => {}
        Ok(_) => return Match::No,
    }
    match length(&mut it) {
        Ok(Some(10..)) => {}
        Ok(_) => return Match::No,
        Err(_) => return Match::Maybe,
    }
    for (name, versions) in [(&b"\0\x04MQTT"[..], 4..=5), (b"\0\x06MQIsdp", 3..=3)] {
        let common = it.left().min(name.len());
        if it.rest().get(..common) == name.get(..common) {
            return match it.peek(name.len()) {
                Some(version) if versions.contains(&version) => Match::Yes,
                Some(_) => Match::No,
                None => Match::Maybe,
            };
        }
    }
    Match::No
}

/// A remaining length; nothing if it takes more than four bytes (MQTT 5, section 1.5.5).
fn length(it: &mut Cursor<'_>) -> Result<Option<usize>, Stop> {
    let mut value = 0_usize;
    for shift in [0, 7, 14, 21] {
        let byte = it.u8()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// One session.
#[derive(Debug)]
struct Session {
    client: Direction,
    lanes: [Gathered; 2],
    /// As the client said; 0 if that was not seen.
    version: u8,
    longest: usize,
    /// Bytes of a payload that are told.
    told: usize,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        // Lengths lead from packet to packet: after a loss nothing is certain any more.
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        let lane = direction.of_mut(&mut self.lanes);
        lane.push(&piece);
        let mut lane = std::mem::take(lane);
        let progress = self.packets(direction, &mut lane, out);
        *direction.of_mut(&mut self.lanes) = lane;
        progress
    }
}

impl Session {
    fn packets(&mut self, direction: Direction, lane: &mut Gathered, out: &mut dyn Sink) -> Progress {
        loop {
            let mut it = Cursor::new("mqtt", lane.bytes());
            let Ok(first) = it.u8() else { return Progress::More };
            let length = match length(&mut it) {
                Ok(Some(length)) if first >> 4 != 0 => length,
                Ok(_) => return Progress::Lost,
                Err(_) => return Progress::More,
            };
            let size = it.offset().saturating_add(length);
            if length > self.longest {
                out.limit("message-bytes");
                lane.skip(size);
                continue;
            }
            let Ok(mut body) = it.sub(length) else { return Progress::More };
            // A packet that breaks off has told what it held.
            let _ = match first >> 4 {
                CONNECT => {
                    out.client_speaks(self.client);
                    self.connect(lane, &mut body, out)
                }
                PUBLISH => self.publish(first, lane, &mut body, out),
                SUBSCRIBE if direction == self.client => self.subscribe(lane, &mut body, out),
                _ => Ok(()),
            };
            lane.consume(size);
        }
    }

    fn connect(&mut self, gathered: &Gathered, it: &mut Cursor<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
        text(it)?;
        self.version = it.u8()?;
        let flags = it.u8()?;
        it.skip(2)?;
        self.properties(it)?;
        tell(gathered, "mqtt.client-id", text(it)?, out);
        if flags & 0x04 != 0 {
            self.properties(it)?;
            tell(gathered, "mqtt.will-topic", text(it)?, out);
            tell(gathered, "mqtt.will", text(it)?, out);
        }
        if flags & 0x80 != 0 {
            tell(gathered, "mqtt.username", text(it)?, out);
        }
        if flags & 0x40 != 0 {
            tell(gathered, "mqtt.password", text(it)?, out);
        }
        Ok(())
    }

    fn publish(&self, first: u8, gathered: &Gathered, it: &mut Cursor<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
        tell(gathered, "mqtt.topic", text(it)?, out);
        if first & 0x06 != 0 {
            it.skip(2)?;
        }
        self.properties(it)?;
        let kept = it.left().min(self.told);
        if kept < it.left() {
            out.limit("body-bytes");
        }
        tell(gathered, "mqtt.payload", it.offset()..it.offset().saturating_add(kept), out);
        Ok(())
    }

    fn subscribe(&self, gathered: &Gathered, it: &mut Cursor<'_>, out: &mut dyn Sink) -> Result<(), Stop> {
        it.skip(2)?;
        self.properties(it)?;
        while !it.is_empty() {
            tell(gathered, "mqtt.filter", text(it)?, out);
            it.skip(1)?;
        }
        Ok(())
    }

    /// Steps over the properties of version 5.
    fn properties(&self, it: &mut Cursor<'_>) -> Result<(), Stop> {
        if self.version < 5 {
            return Ok(());
        }
        let length = length(it)?.ok_or_else(|| it.forbidden())?;
        it.skip(length)
    }
}

/// Where bytes behind their length stand.
fn text(it: &mut Cursor<'_>) -> Result<Range<usize>, Stop> {
    let length = usize::from(it.u16()?);
    let from = it.offset();
    it.skip(length)?;
    Ok(from..it.offset())
}

fn tell(gathered: &Gathered, path: &str, range: Range<usize>, out: &mut dyn Sink) {
    let value = gathered.bytes().get(range.clone()).unwrap_or_default();
    if !value.is_empty() {
        let at = gathered.span(range);
        out.field(Field { path, value, at });
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use farshore_model::Span;

    use super::super::notebook::{damage, feed, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        assert!(body.len() < 128 * 128);
        let mut it = vec![first];
        if body.len() < 128 {
            it.push(body.len() as u8);
        } else {
            it.extend_from_slice(&[(body.len() & 0x7f) as u8 | 0x80, (body.len() >> 7) as u8]);
        }
        it.extend(body);
        it
    }

    fn session(version: u8) -> Vec<u8> {
        let none: &[u8] = if version == 5 { b"\0" } else { b"" };
        let properties: &[u8] = if version == 5 { b"\x05\x11\0\0\0\x0a" } else { b"" };
        let payload = [b'x'; 200];
        [
            packet(
                0x10,
                &[
                    b"\0\x04MQTT",
                    &[version],
                    b"\xc6\0\x3c",
                    properties,
                    b"\0\x07meter-7",
                    none,
                    b"\0\x04will\0\x03bye",
                    b"\0\x03bob\0\x07hunter2",
                ],
            ),
            packet(0x82, &[b"\0\x01", none, b"\0\x03a/b\0"]),
            packet(0x30, &[b"\0\x04t/42", none, b"at 52.5,13.4"]),
            packet(0x32, &[b"\0\x04t/42\0\x09", none, &payload]),
        ]
        .concat()
    }

    #[test]
    fn a_session_in_any_segmentation_tells_the_same() {
        for version in [4, 5] {
            let whole = session(version);
            for size in 1..whole.len() {
                let chunks: Vec<_> = whole.chunks(size).map(|it| (Up, it)).collect();
                let out = read_stream(&MQTT, (50_000, 1_884), &chunks);
                let told: Vec<(&str, String)> = out
                    .fields
                    .iter()
                    .map(|(path, value, _)| (path.as_str(), String::from_utf8(value.clone()).unwrap()))
                    .collect();
                let expected = [
                    ("mqtt.client-id", "meter-7".to_owned()),
                    ("mqtt.will-topic", "will".to_owned()),
                    ("mqtt.will", "bye".to_owned()),
                    ("mqtt.username", "bob".to_owned()),
                    ("mqtt.password", "hunter2".to_owned()),
                    ("mqtt.filter", "a/b".to_owned()),
                    ("mqtt.topic", "t/42".to_owned()),
                    ("mqtt.payload", "at 52.5,13.4".to_owned()),
                    ("mqtt.topic", "t/42".to_owned()),
                    ("mqtt.payload", "x".repeat(200)),
                ];
                assert_eq!(told, expected, "version {version}, chunks of {size}");
                assert_eq!(out.client, Some(Up));
            }
        }
    }

    #[test]
    fn values_are_where_their_spans_say() {
        let whole = session(4);
        let out = read_stream(&MQTT, (50_000, 1_883), &[(Down, &whole)]);
        assert_eq!(out.client, Some(Down), "whoever connects is the client");
        assert_eq!(out.fields[0].2, Span::in_frame(1, 42 + 14, 7));
        for (path, value, at) in &out.fields {
            let start = usize::try_from(at.offset).unwrap() - 42;
            assert_eq!(&whole[start..start + value.len()], &value[..], "{path}");
        }
    }

    #[test]
    fn a_packet_longer_than_is_kept_is_passed_over() {
        let limits = Limits {
            message_bytes: 100,
            ..Limits::default()
        };
        let whole = [session(4), packet(0x30, &[b"\0\x01t", b"z"])].concat();
        let chunks: Vec<_> = whole.chunks(9).map(|it| (Up, it)).collect();
        let out = feed(MQTT.start(&stream(1, 2, &whole, b""), &limits).as_mut(), &chunks);
        assert_eq!(
            (out.values("mqtt.payload").last().unwrap().as_str(), out.limits),
            ("z", vec!["message-bytes"])
        );
    }

    #[test]
    fn other_streams_are_not_it() {
        let verdict = |up: &[u8]| MQTT.matches(&stream(50_000, 1_883, up, b""));
        assert_eq!(verdict(b"\x10\x10\0\x04MQTT\x04"), Match::Yes);
        assert_eq!(verdict(b"\x10\x10\0\x04MQT"), Match::Maybe);
        assert_eq!(verdict(b"\x10\x10\0\x04MQTT\x09"), Match::No);
        assert_eq!(verdict(b"\x10\xff\xff\xff\xff\x01"), Match::No);
        assert_eq!(verdict(b"\x20\x02\0\0"), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&MQTT, (50_000, 1_883), Transport::Tcp, Up, &session(5));
    }
}
