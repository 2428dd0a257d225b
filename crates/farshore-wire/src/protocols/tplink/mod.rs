//! TP-Link's smart plugs and bulbs in the home, over UDP and TCP.
//!
//! # What is extracted, and why it matters
//! The device's own account of itself, which anyone on the network may ask for: `tplink.body`, JSON with its numbers
//! (`deviceId`, `hwId`, `mac`), its name, and where it stands, to a few metres. It is covered by a fixed scheme that needs
//! no key: each byte is combined with the one before it.
//!
//! # What is not
//! The newer protocol, which is encrypted.
//!
//! # How it is told
//! What is uncovered is one object of JSON that can be read to its end; in a stream, behind its length.
//!
//! **Read after** "Reverse Engineering the TP-Link HS110" (softScheck, 2016) and Wireshark's reader.

use farshore_model::{Direction, Protection, Span, Transport};

use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink, Start};
use crate::limits::Limits;

/// TP-Link's home protocol.
pub static TPLINK: TpLink = TpLink;

/// TP-Link's home protocol, as a [`Protocol`].
#[derive(Debug)]
pub struct TpLink;

/// What the first byte is combined with.
const BEGINNING: u8 = 171;
/// `{` and `"`, covered.
const COVERED: [u8; 2] = [b'{' ^ BEGINNING, b'{' ^ BEGINNING ^ b'"'];
/// Bytes of the length before a message in a stream.
const HEAD: usize = 4;

impl Protocol for TpLink {
    fn id(&self) -> &'static str {
        "tplink"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp => {
                let told = list.last().is_some_and(|(_, bytes)| object(bytes).is_some());
                if told { Match::Yes } else { Match::No }
            }
            Start::Stream { up, down } if opening.transport == Transport::Tcp => match (framed(up), framed(down)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                _ => Match::No,
            },
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins {
            stream: FirstBytes::of(&[0]),
            datagram: FirstBytes::of(&[BEGINNING ^ b'{']),
        }
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Talk {
            framed: opening.transport == Transport::Tcp,
            longest: limits.message_bytes,
            lanes: Default::default(),
        })
    }
}

/// Uncovers a message.
fn uncovered(bytes: &[u8]) -> Vec<u8> {
    let keys = std::iter::once(BEGINNING).chain(bytes.iter().copied());
    bytes.iter().zip(keys).map(|(byte, key)| byte ^ key).collect()
}

/// The object a message holds, if it is one that can be read.
fn object(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(&COVERED) {
        return None;
    }
    let text = uncovered(bytes);
    let readable = str::from_utf8(&text).is_ok_and(|it| !it.chars().any(|it| it.is_control() && !it.is_ascii_whitespace()));
    (readable && text.trim_ascii_end().ends_with(b"}") && text.contains(&b':')).then_some(text)
}

/// Whether a stream begins with a message behind its length.
fn framed(bytes: &[u8]) -> Match {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return if bytes.starts_with(&[0, 0]) || bytes == [0] {
            Match::Maybe
        } else {
            Match::No
        };
    };
    let length = u32::from_be_bytes(*head) as usize;
    let common = rest.len().min(COVERED.len());
    if !(8..=0xffff).contains(&length) || rest.get(..common) != COVERED.get(..common) {
        return Match::No;
    }
    match rest.get(..length) {
        Some(message) if object(message).is_some() => Match::Yes,
        Some(_) => Match::No,
        // Longer answers come in several segments: what is there must be readable so far.
        None => match str::from_utf8(&uncovered(rest)) {
            Err(flaw) if flaw.error_len().is_some() => Match::No,
            _ => Match::Maybe,
        },
    }
}

/// One flow.
#[derive(Debug)]
struct Talk {
    framed: bool,
    longest: usize,
    lanes: [Gathered; 2],
}

impl Dissector for Talk {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else {
            return if self.framed { Progress::Lost } else { Progress::More };
        };
        if !self.framed {
            tell(piece.bytes, piece.origin.span(0..piece.bytes.len()), out);
            return Progress::More;
        }
        let lane = direction.of_mut(&mut self.lanes);
        lane.push(&piece);
        while let Some((head, rest)) = lane.bytes().split_first_chunk::<HEAD>() {
            let length = u32::from_be_bytes(*head) as usize;
            if length > self.longest {
                out.limit("message-bytes");
                return Progress::Lost;
            }
            let end = length.saturating_add(HEAD);
            let Some(message) = rest.get(..length) else { break };
            tell(message, lane.span(HEAD..end), out);
            lane.consume(end);
        }
        Progress::More
    }
}

fn tell(bytes: &[u8], at: Span, out: &mut dyn Sink) {
    if let Some(text) = object(bytes) {
        out.field(Field {
            path: "tplink.body",
            value: &text,
            at,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::notebook::{damage, datagrams, read_datagrams, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const ASKED: &str = r#"{"system":{"get_sysinfo":{}}}"#;
    const TOLD: &str = r#"{"system":{"get_sysinfo":{"deviceId":"8006E8E9017F556D283C850B4E29BC1F185334E5","latitude_i":524067}}}"#;

    fn covered(text: &str) -> Vec<u8> {
        let mut key = BEGINNING;
        let cover = |byte: u8| {
            key ^= byte;
            key
        };
        text.bytes().map(cover).collect()
    }

    fn framed(text: &str) -> Vec<u8> {
        let body = covered(text);
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn what_a_plug_says_of_itself_is_uncovered_in_place() {
        let (asked, told) = (covered(ASKED), covered(TOLD));
        let out = read_datagrams(&TPLINK, (50_000, 9999), &[(Up, &asked), (Down, &told)]);
        assert_eq!(out.values("tplink.body"), [ASKED, TOLD]);
        assert_eq!(out.fields[1].2, Span::in_frame(2, 42, told.len() as u64));
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        let (up, down) = (framed(ASKED), framed(TOLD).repeat(2));
        for size in 1..down.len() {
            let chunks: Vec<_> = up
                .chunks(size)
                .map(|it| (Up, it))
                .chain(down.chunks(size).map(|it| (Down, it)))
                .collect();
            let out = read_stream(&TPLINK, (50_000, 9999), &chunks);
            assert_eq!(out.values("tplink.body"), [ASKED, TOLD, TOLD], "chunks of {size}");
        }
    }

    #[test]
    fn what_uncovers_to_something_else_is_not_it() {
        let datagram = |bytes: &[u8]| TPLINK.matches(&datagrams(50_000, 9999, &[(Up, bytes)]));
        let whole = covered(ASKED);
        assert_eq!(datagram(&whole), Match::Yes);
        assert_eq!(datagram(&whole[..whole.len() - 1]), Match::Yes, "one brace of two");
        assert_eq!(datagram(&whole[..whole.len() - 4]), Match::No);
        let mut wrong = whole.clone();
        wrong[9] ^= 0x80;
        assert_eq!(datagram(&wrong), Match::No);
        assert_eq!(datagram(ASKED.as_bytes()), Match::No);
        let framed = framed(ASKED);
        for cut in 1..framed.len() {
            assert_eq!(TPLINK.matches(&stream(1, 9999, &framed[..cut], b"")), Match::Maybe, "cut at {cut}");
        }
        assert_eq!(TPLINK.matches(&stream(1, 9999, b"\x00\x00\x00\x20GET", b"")), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&TPLINK, (50_000, 9999), Transport::Udp, Up, &covered(ASKED));
        damage(&TPLINK, (50_000, 9999), Transport::Tcp, Up, &framed(ASKED));
    }
}
